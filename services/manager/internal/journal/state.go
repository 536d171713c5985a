package journal

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
)

// state is what the entries so far say together, and all that a new segment needs to know of the old ones.
type state struct {
	seq       uint64
	tick      uint64
	policy    *Policy
	open      map[string]openIntent // intents without an end, by action id
	throttled map[string]openIntent // throttles in force, by container id
	removals  []time.Time           // intents to remove of the last minute
	hasHead   bool                  // the head of a segment was read
	hasOwn    bool                  // so was an entry of its own: what it carries was read to the end
	approve   *Approve
}

// openIntent is an intent and the place it was first written at.
type openIntent struct {
	seq    uint64
	at     time.Time
	intent Intent
}

func newState() state {
	return state{open: map[string]openIntent{}, throttled: map[string]openIntent{}}
}

// apply brings the state up to date with one entry.
func (s *state) apply(e Entry) {
	s.seq = max(s.seq, e.Seq)
	s.hasOwn = s.hasOwn || e.Head == nil && !e.Carried

	switch {
	case e.Head != nil:
		s.tick, s.removals, s.hasHead = e.Head.LastTick, e.Head.RecentRemovals, true
		if e.V == version2 {
			s.policy, s.approve = e.Head.Policy, e.Head.Approve
		}

	case e.Policy != nil:
		s.policy = e.Policy
	case e.Approve != nil:
		s.approve = e.Approve
	case e.Facts != nil:
		s.tick = *e.Facts

	case e.Tick != nil:
		s.tick = e.Tick.Context.Tick
	case e.NoPlan != nil:
		s.tick = e.NoPlan.Tick

	case e.Intent != nil:
		s.begin(e)
	case e.Outcome != nil:
		s.end(*e.Outcome)
	}
}

func (s *state) begin(e Entry) {
	s.open[e.Intent.ActionID] = openIntent{e.Seq, e.At, *e.Intent}
	if e.Intent.Action == contract.ActionRemove && !e.Carried {
		s.removals = append(s.recentRemovals(e.At), e.At)
	}
}

// recentRemovals are those of the minute before now: the span of contract.Caps.PerMinute. One that lies in the future was
// written before the wall clock was set back: nobody knows how long ago, so it counts for a whole minute and no longer.
func (s *state) recentRemovals(now time.Time) []time.Time {
	var recent []time.Time
	for _, at := range s.removals {
		if at.After(now) {
			at = now
		}
		if now.Sub(at) < time.Minute {
			recent = append(recent, at)
		}
	}
	return recent
}

func (s *state) end(o Outcome) {
	h, known := s.open[o.ActionID]
	if !known || o.Outcome == contract.OutcomeUnknown {
		return
	}
	delete(s.open, o.ActionID)

	done := o.Outcome == contract.OutcomeDone
	gone := contract.ActionBody{Action: h.intent.Action, Phase: contract.PhaseOutcome, Outcome: o.Outcome}.Gone()
	switch {
	// A limit that was low enough stayed, and that of an earlier throttle, if there was one, was given back by it.
	case h.intent.Action == contract.ActionThrottle && done && h.intent.GUS != 0 && h.intent.NanoCPUs == h.intent.OldNanoCPUs:
		delete(s.throttled, h.intent.Container)
	case h.intent.Action == contract.ActionThrottle && done:
		s.throttled[h.intent.Container] = h
	// One that was refused is somebody else's by now: nothing is owed any more.
	case h.intent.Action == contract.ActionUnthrottle && (done || o.Outcome == contract.OutcomeRefused), gone:
		delete(s.throttled, h.intent.Container)
	}
}

// oldestFirst lists intents in the order in which they were written.
func oldestFirst(m map[string]openIntent) []openIntent {
	return slices.SortedFunc(maps.Values(m), func(a, b openIntent) int { return cmp.Compare(a.seq, b.seq) })
}
