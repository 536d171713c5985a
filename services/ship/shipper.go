package ship

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gestor.local/contract"
)

// Shipper owns a spool folder. Make one with Open.
type Shipper struct {
	cfg    Config
	sender sender
	// sendLock is held by whoever sends: batches leave one after the other, in order.
	sendLock chan struct{}
	// wake holds a token when there may be something to send.
	wake chan struct{}

	mu    sync.Mutex // guards all following fields
	spool *spool
	limit int // records of the next request; halved when the log service refuses a whole request
	// eventsFirst is set while the log service has no room for observations: durable records do not wait behind them.
	eventsFirst bool
	stats       Stats
}

// Stats is the state of a Shipper at one moment.
type Stats struct {
	// Records and Bytes wait on disk; OldestAge is the age of the oldest of them, 0 when there is none.
	Records   int
	Bytes     int64
	OldestAge time.Duration
	// Since Open: Delivered arrived (Duplicates of them had arrived before), Dropped observations for want of space,
	// Quarantined records that nobody takes, Failures requests without success.
	Delivered, Duplicates, Dropped, Quarantined, Failures uint64
	// Conflicts counts the records that were sent again under a new identity, since another sender had used their numbers;
	// LastConflict is when that was last found.
	Conflicts    uint64
	LastConflict time.Time
	// LastSuccess is zero until a request succeeded; LastError is "" after one that did, unless observations still wait
	// for room in the log service.
	LastSuccess time.Time
	LastError   string
	// LastSync is how long the log service needed to bring the records of that request to stable storage.
	LastSync time.Duration
	// NotDurable says that the log service answered before its last records were on stable storage.
	NotDurable bool
}

// Open takes the spool folder, reads what an earlier run left there and repairs its ends.
func Open(cfg Config) (*Shipper, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}

	sp, err := openSpool(cfg)
	if err != nil {
		return nil, err
	}

	s := &Shipper{
		cfg:      cfg,
		sender:   sender{cfg.Client, strings.TrimSuffix(cfg.URL, "/") + contract.PathRecords, cfg.Token},
		sendLock: make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		spool:    sp,
		limit:    batchRecords,
	}
	s.signal()
	return s, nil
}

// Append gives the records their identity and keeps them until they are delivered. When it returns nil, the durable ones
// are on stable storage and the observations are kept or counted as dropped. When it returns an error (a *FullError, or one
// of the file system) none of them is kept; after one that wraps ErrFailed the next Open may find them.
func (s *Shipper) Append(records ...contract.Record) error {
	if len(records) == 0 {
		return nil
	}

	s.mu.Lock()
	err := s.spool.append(records)
	s.mu.Unlock()

	s.signal()
	return err
}

// Journalled says up to which line of the producer's journal (contract.Record.JournalSeq) the spool has taken the records,
// in this run or an earlier one: those of all kinds, and the observations. A producer that writes its journal first and the
// records of a line in the order of the lines gives the spool after a crash what follows them; 0 is a spool that never had
// one.
func (s *Shipper) Journalled() (all, observations uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.spool.events.journalled, s.spool.observations.journalled), s.spool.observations.journalled
}

// Progress says how far the log service has answered for the events of the spool. Numbers are pseq, which an event keeps whatever
// happens to its identity.
type Progress struct {
	// Given is the last number that was given: what Append has just kept has numbers up to it.
	Given uint64
	// Answered is the number up to which no event waits: the log service has it, or has refused it for good. Those of an earlier
	// run count as they did there.
	Answered uint64
	// Lost is the highest number of an event that was lost with its file since Open (ErrMoved), 0 for none. Answered goes past it.
	Lost uint64
}

// Progress returns the figures of this moment.
func (s *Shipper) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()

	p := Progress{Given: s.spool.last, Answered: s.spool.last, Lost: s.spool.events.lost}
	if first, waits := s.spool.events.oldest(); waits {
		p.Answered = first.pseq - 1
	}
	return p
}

// Run sends what is in the spool, and what comes, until ctx ends; then it returns nil. It returns an error only when
// the spool itself failed (ErrFailed): the log service being away is not an error but a wait.
func (s *Shipper) Run(ctx context.Context) error {
	failures := 0
	for ctx.Err() == nil {
		sent, err := s.next(ctx)

		switch {
		// The end of ctx ends a request too: that is no failure of the log service.
		case ctx.Err() != nil:

		case errors.Is(err, ErrFailed):
			return err

		case err != nil:
			sleep(ctx, backoff(failures, err))
			failures++

		case sent == 0:
			s.await(ctx)
		default:
			failures = 0
		}
	}
	return nil
}

// Flush sends everything that is in the spool now and returns nil when it has arrived. It tries again after errors
// until ctx ends, and then returns the last of them.
func (s *Shipper) Flush(ctx context.Context) error {
	for failures := 0; ; {
		sent, err := s.next(ctx)
		switch {
		case err == nil && sent == 0:
			return nil
		case err == nil:
			failures = 0
			continue
		case !errors.Is(err, ErrFailed):
			sleep(ctx, min(backoff(failures, err), time.Second)) // whoever flushes is about to stop
			failures++
		}

		if ctx.Err() != nil || errors.Is(err, ErrFailed) {
			return fmt.Errorf("flush spool: %d records stay on disk: %w", s.Stats().Records, err)
		}
	}
}

// Close gives the folder back. What was not delivered is sent by the next process that opens it. Run and Flush must
// have returned.
func (s *Shipper) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.spool.failed
	if err == nil {
		err = s.spool.reportLoss(0)
	}

	if full := (*FullError)(nil); errors.As(err, &full) { // the gap in pseq is all that will tell of the loss
		s.cfg.Log("the number of dropped observations could not be recorded", err)
		err = nil
	}

	s.cfg.Client.CloseIdleConnections()
	s.spool.close()
	s.spool.failed = fmt.Errorf("%w: closed", ErrFailed)
	return err
}

// Stats returns the state as of now.
func (s *Shipper) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()

	st := s.stats
	st.Records, st.Bytes = s.spool.waiting()
	st.Dropped, st.Quarantined = s.spool.dropped, s.spool.quarantine.count

	if at, ok := s.spool.oldest(); ok {
		st.OldestAge = max(time.Since(at), 0)
	}
	return st
}

// next sends one batch and returns how many records it was done with, 0 when nothing waits.
func (s *Shipper) next(ctx context.Context) (int, error) {
	select {
	case s.sendLock <- struct{}{}:
		defer func() { <-s.sendLock }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}

	b, err := s.nextBatch()
	if err != nil || len(b.lines) == 0 {
		return 0, err
	}

	// Without the mutex: the log service may take its time, and records are appended meanwhile.
	result, err := s.sender.send(ctx, b.lines)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.spool.inFlight = 0

	var taken []uint64
	if err == nil {
		taken = b.conflicting(s.spool.lastAtOpen, result)
	}

	if mayHaveArrived(err) {
		b.markSent()
	}

	var answer *sendError
	if errors.As(err, &answer) && answer.content() {
		return s.bisect(b, answer)
	}

	if err != nil && ctx.Err() != nil {
		return 0, err // whoever asked has stopped: that says nothing about the log service
	}

	if err != nil {
		s.eventsFirst = s.eventsFirst || (answer != nil && answer.status == http.StatusInsufficientStorage)
		s.stats.Failures++
		s.noteFailure("the log service does not take records; they wait on disk", err)
		return 0, err
	}

	if len(taken) > 0 {
		return 0, s.conflict(b, taken)
	}
	return len(b.lines), s.recordResult(b, result)
}

// conflict gives records of the batch, whose numbers somebody else has used, another identity. The whole batch is sent
// again.
func (s *Shipper) conflict(b batch, taken []uint64) error {
	s.stats.Conflicts += uint64(len(taken))
	s.stats.LastConflict = time.Now()
	s.stats.Failures++

	err := s.spool.conflict(b, taken)
	if err == nil {
		err = fmt.Errorf("send records: %d of them bear numbers that another sender has used; they are sent again under a new identity", len(taken))
	}
	s.noteFailure("another sender has used this spool's numbers", err)
	return err
}

// nextBatch chooses the next batch. A log service whose disk runs low refuses every request that holds an observation and
// still takes events: those go first then, and when none is left a whole batch tries whether there is room again.
func (s *Shipper) nextBatch() (batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.eventsFirst {
		b, err := s.spool.batch(s.limit, true)
		if err != nil || len(b.lines) > 0 {
			return b, err
		}
		s.eventsFirst = false
	}
	return s.spool.batch(s.limit, false)
}

// bisect deals with a request that was refused for what is in it: half of it is tried next, down to the one record
// that is to blame, which is put into quarantine.
func (s *Shipper) bisect(b batch, answer *sendError) (int, error) {
	if len(b.lines) > 1 {
		s.limit = max(len(b.lines)/2, 1)
		return len(b.lines), nil
	}
	return 1, s.recordResult(b, contract.IngestResult{
		Durable: true, Rejected: []contract.Rejected{{Line: 1, Reason: answer.Error()}},
	})
}

// recordResult takes in what the log service answered to a batch.
func (s *Shipper) recordResult(b batch, result contract.IngestResult) error {
	err := s.ack(b, result.Rejected)
	if err != nil {
		s.noteFailure("what the log service took could not be marked as delivered; it is sent again", err)
		return err
	}

	waiting, _ := s.spool.observations.waiting()
	if observationsWait := b.eventsOnly && waiting > 0; !observationsWait {
		if s.stats.LastError != "" {
			s.cfg.Log("the log service takes records again", nil)
		}
		s.stats.LastError = ""
	}

	if s.limit = min(2*s.limit, batchRecords); !result.Durable && !s.stats.NotDurable {
		s.cfg.Log("the log service answers before its records are on stable storage", nil)
	}

	s.stats.LastSuccess, s.stats.NotDurable = time.Now(), !result.Durable
	s.stats.LastSync = time.Duration(min(result.SyncUS, uint64(time.Hour/time.Microsecond))) * time.Microsecond // an answer is a stranger's word
	s.stats.Delivered += uint64(result.Accepted + result.Duplicates)
	s.stats.Duplicates += uint64(result.Duplicates)
	return nil
}

// ack acknowledges a batch, of which the rejected records go into quarantine.
func (s *Shipper) ack(b batch, rejected []contract.Rejected) error {
	// In order of pseq, as lastQuarantined counts them.
	slices.SortFunc(rejected, func(x, y contract.Rejected) int { return x.Line - y.Line })
	for _, one := range rejected {
		if err := s.spool.quarantineRejected(b.items[one.Line-1], b.lines[one.Line-1], one.Reason); err != nil {
			return err
		}
	}
	return s.spool.delivered(b)
}

func (s *Shipper) noteFailure(message string, err error) {
	if s.stats.LastError == "" {
		s.cfg.Log(message, err)
	}
	s.stats.LastError = err.Error()
}

func (s *Shipper) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

func (s *Shipper) await(ctx context.Context) {
	select {
	case <-s.wake:
	case <-ctx.Done():
	}
}

// backoff is the wait after the given number of failures in a row: doubled each time, the later half of it random so
// that producers do not return together, and never shorter than the server asked for.
func backoff(failures int, err error) time.Duration {
	wait := backoffLongest
	if failures < 6 { // 2^6 times the first is past the longest
		wait = backoffFirst << failures
	}

	wait = wait/2 + rand.N(wait/2)

	var answer *sendError
	if errors.As(err, &answer) {
		wait = max(wait, answer.after)
	}
	return wait
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
