// Package notify sends notices to a webhook of the outer world, such as those of Slack and Mattermost.
//
// # Promises
//
//   - Nobody waits for a call: [Sender.Send] and all that the loop asks return at once, and [Sender.Changed] says when there
//     is something new to ask for.
//   - A notice is delivered when a call that had it was answered with 2xx, and is in no call after that. One whose call broke
//     off is sent again, by this run or the next: receivers tell it by its action_id.
//   - No call is begun while whoever holds the notices back says so: see [Sender.HoldWhile].
//   - At most one call in 10 s, each for at most 10 s, each with at most 20 notices, the oldest first. Redirects are not
//     followed.
//   - The address is a secret. No error, text or figure of this package holds any part of it, nor of what the receiver said.
//
// # Concurrency
//
// [Sender.Run] owns the only goroutine that calls; everything else may be called from any.
package notify

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// callEvery is the least time between the beginnings of two calls: Slack takes one a second, and people read slower.
	callEvery = 10 * time.Second
	// maxLines is how many notices one call has.
	maxLines = 20
	// maxPending bounds what waits: a quarter of an hour of calls.
	maxPending = 2_000
	// longestBackoff is between two calls to a receiver that is away; refusedEvery between two to one that refuses.
	longestBackoff, refusedEvery = 5 * time.Minute, time.Hour
	// askEvery is between two questions whether a call may be made, while it may not.
	askEvery = time.Second
	// waitsAfter is how long a notice may wait before somebody is told.
	waitsAfter = 10 * time.Minute
)

// Config says where notices go.
type Config struct {
	// URL is the webhook's address, asked before each call: see URLFrom.
	URL func() (string, error)
	// CAFile names a PEM file of authorities that are trusted beside the system's, "" for none. It is read before each call.
	CAFile string
	// Dial connects to the receiver, or to the proxy on the way to it; nil is the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Check says what is wrong with the configuration as it is now, before the first call: an address or authorities that cannot be read.
func (c Config) Check() error {
	if _, err := c.URL(); err != nil {
		return err
	}
	_, err := c.authorities()
	return err
}

// Sender holds notices until they are delivered. Make one with New.
type Sender struct {
	config  Config
	changed chan struct{}
	wake    chan struct{}

	mu        sync.Mutex  // guards all following fields
	waits     func() bool // see HoldWhile, nil for never
	pending   []*pending  // in the order in which they came
	delivered []string    // not asked for yet
	dropped   uint64
	// lastCall is when the last call began, retryAt before when no other begins; failures count those in a row that failed.
	lastCall, retryAt time.Time
	failures          int
	// problem is why the last call failed, nil when it did not.
	problem *problem
}

// pending is a notice that is not delivered.
type pending struct {
	notice Notice
	since  time.Time
	// calling says that a call under way has it, withdrawn that it ends with that.
	calling, withdrawn bool
}

// New makes a sender; it calls nobody before Run.
func New(c Config) *Sender {
	return &Sender{config: c, changed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// Send takes a notice in. It is false when too many wait already: one that a ladder waits for is then to be sent again later,
// the others are dropped first, and counted. One with the id of a notice that waits takes its place, whose words may be old by now;
// one whose delivery was not asked for yet is not taken again.
func (s *Sender) Send(n Notice) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	// Whoever does not know yet that it was delivered sends it again.
	if i := slices.IndexFunc(s.pending, func(p *pending) bool { return p.notice.ActionID == n.ActionID }); i >= 0 {
		s.pending[i].notice, s.pending[i].withdrawn = n, false
		return true
	}
	if slices.Contains(s.delivered, n.ActionID) {
		return true
	}

	if len(s.pending) >= maxPending && !s.makeRoom(n) {
		return false
	}

	s.pending = append(s.pending, &pending{notice: n, since: time.Now()})
	signal(s.wake)
	return true
}

// makeRoom drops the oldest notice that no ladder waits for, to make room for one that a ladder waits for.
func (s *Sender) makeRoom(n Notice) bool {
	if !n.Awaited {
		s.dropped++
		return false
	}

	oldest := slices.IndexFunc(s.pending, func(p *pending) bool { return !p.notice.Awaited && !p.calling })
	if oldest < 0 {
		return false
	}
	s.pending = slices.Delete(s.pending, oldest, oldest+1)
	s.dropped++
	return true
}

// HoldWhile has waits asked right before each call: while it says so none is made, and what waits stays. It is called without a lock.
func (s *Sender) HoldWhile(waits func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = waits
}

// isHeld says that nothing may be sent now.
func (s *Sender) isHeld() bool {
	s.mu.Lock()
	waits := s.waits
	s.mu.Unlock()
	return waits != nil && waits()
}

// Withdraw takes back the notices that are not to be sent any more. Those of a call under way may be delivered all the same.
func (s *Sender) Withdraw(unwanted func(Notice) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.DeleteFunc(s.pending, func(p *pending) bool {
		p.withdrawn = p.withdrawn || unwanted(p.notice)
		return p.withdrawn && !p.calling
	})
}

// Delivered returns the action ids of the notices that were delivered since it was last asked, in the order in which they
// were sent.
func (s *Sender) Delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.delivered
	s.delivered = nil
	return ids
}

// Changed has a value after each call: Delivered, Waits or Stats may say something else than before.
func (s *Sender) Changed() <-chan struct{} { return s.changed }

// Waiting is what keeps notices from being delivered.
type Waiting struct {
	// Since is when the oldest notice that a ladder waits for was sent, Notices how many of them wait.
	Since   time.Time
	Notices int
	// Why is a sentence for people.
	Why string
	// Refused says that the receiver refuses what it is sent: somebody has to do something, and it is tried each hour.
	Refused bool
}

// Waits says whether ladders wait for notices and somebody should know: at once where the receiver refuses them, else when
// one has waited for 10 min.
func (s *Sender) Waits() (Waiting, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	var w Waiting
	for _, p := range s.pending {
		if p.notice.Awaited && !p.withdrawn {
			w.Since, w.Notices = cmp.Or(w.Since, p.since), w.Notices+1
		}
	}
	if w.Notices == 0 {
		return Waiting{}, false
	}

	// Without a problem it is the pace alone.
	w.Why = "many notices wait, and 20 of them are sent in 10 s"
	if s.problem != nil {
		w.Why, w.Refused = s.problem.why, s.problem.refused
	}
	return w, w.Refused || time.Since(w.Since) >= waitsAfter
}

// Stats are the sender's figures.
type Stats struct {
	Pending  int    // notices that wait, those of a call under way included
	Dropped  uint64 // notices that there was no room for, since the start
	Failures int    // calls in a row that failed
}

// Stats returns the figures of this moment.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Pending: len(s.pending), Dropped: s.dropped, Failures: s.failures}
}

// Run calls the receiver until ctx ends, and then returns nil. A call under way is cut off: whether its notices arrived is not
// known then.
func (s *Sender) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()

	for ctx.Err() == nil {
		// What may not be told any more is taken back by whoever holds it, before the question is answered with no.
		batch, wait := []Notice(nil), askEvery
		if !s.isHeld() {
			batch, wait = s.next(time.Now())
		}
		if len(batch) > 0 {
			err := s.post(ctx, batch)
			s.settle(ctx, err)
			continue
		}

		// Without anything to send nothing but a notice ends the wait.
		timer.Stop()
		if wait > 0 {
			timer.Reset(wait)
		}

		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
	return nil
}

// next takes what the next call is to have; without any it says how long to wait for one, 0 for the next notice.
func (s *Sender) next(now time.Time) (batch []Notice, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return nil, 0
	}

	if wait := max(s.lastCall.Add(callEvery).Sub(now), s.retryAt.Sub(now)); wait > 0 {
		return nil, wait
	}

	s.lastCall = now
	for _, p := range s.pending[:min(len(s.pending), maxLines)] {
		p.calling = true
		batch = append(batch, p.notice)
	}
	return batch, 0
}

// settle takes in how the call under way ended.
func (s *Sender) settle(ctx context.Context, failed *problem) {
	if failed != nil && ctx.Err() != nil {
		return // our own end
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.pending = slices.DeleteFunc(s.pending, func(p *pending) bool {
		if !p.calling {
			return false
		}

		if failed == nil {
			s.delivered = append(s.delivered, p.notice.ActionID)
		}
		p.calling = false
		return failed == nil || p.withdrawn
	})

	// The next call is the pace's alone after a success, else as late as what failed asks for.
	s.problem = failed
	if failed == nil {
		s.failures, s.retryAt = 0, time.Time{}
	} else {
		s.failures++
		s.retryAt = time.Now().Add(failed.backoff(s.failures))
	}
	signal(s.changed)
}

// signal makes the channel have a value.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
