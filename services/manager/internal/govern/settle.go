package govern

import (
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// settle takes in the end of an action.
func (g *Governor) settle(d done) {
	g.active--
	g.judgeEngine(d.flight, d.result)
	g.conclude(d.flight, d.result)
	g.pump()
	if g.active == 0 {
		g.actTook, g.actBegan = time.Since(g.actBegan), time.Time{}
	}
}

// conclude takes in what became of a flight, whether an action told it or not.
func (g *Governor) conclude(f *flight, r actuator.Result) {
	f.attempts += r.Attempts
	f.volumes = max(f.volumes, r.AnonymousVolumes)
	f.since = time.Now()
	f.ended = f.ended || r.Ended
	f.order.Before = orElse(r.Order.Before, f.order.Before)
	f.order.Lowered = orElse(r.Order.Lowered, f.order.Lowered)
	switch f.verb {
	case contract.ActionShadowRemove:
		g.settleShadow(f, r)
	case contract.ActionThrottle:
		g.settleThrottle(f, r)
	case contract.ActionUnthrottle:
		g.settleUnthrottle(f, r)
	default:
		g.settleRemove(f, r)
	}
}

func orElse[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// judgeEngine tells the breaker how the engine did. A refusal says nothing about it.
func (g *Governor) judgeEngine(f *flight, r actuator.Result) {
	if f.verb == contract.ActionShadowRemove || r.Outcome == contract.OutcomeRefused {
		return
	}
	opened, closed := g.breaker.note(time.Now(), r.EngineFault, r.Err, g.Policy.Act.BreakerAfter)
	switch {
	case opened:
		g.event("breaker", levelError, "acting pauses: "+g.breaker.text(time.Now()), map[string]any{"breaker": "engine", "state": BreakerOpen})
	case closed:
		g.event("breaker", levelInfo, "the engine works again: acting goes on", map[string]any{"breaker": "engine", "state": BreakerClosed})
	}
}

func (g *Governor) settleRemove(f *flight, r actuator.Result) {
	id := f.order.Victim.ID
	if r.Attempts > 0 {
		g.settledUS = g.Boottime()
	}
	switch r.Outcome {
	case contract.OutcomeUnknown:
		f.stage = stageDoubtful
		g.finish(f, r, false)
	case contract.OutcomeFailed:
		g.fail(f)
		if _, stuck := g.stuck[id]; f.ended && !stuck { // it must not be left behind dead: its remains are tried again
			f.stage = stageDoubtful
			g.finish(f, r, false)
			return
		}
		g.finish(f, r, true)
		g.release(f)
	case contract.OutcomeRefused:
		g.finish(f, r, true)
		g.release(f)
	default:
		delete(g.failures, id)
		delete(g.owed, id)
		g.futility.gone(time.Now(), f.key)
		g.finish(f, r, true)
		delete(g.flights, id)
	}
}

// fail counts a failure in a row; too many leave the container alone until it changes.
func (g *Governor) fail(f *flight) {
	id := f.order.Victim.ID
	g.failures[id]++
	if _, stuck := g.stuck[id]; !stuck && g.failures[id] >= g.Policy.Act.StuckAfter {
		g.stuck[id] = ""
		g.event("stuck", levelError, fmt.Sprintf("removing %s failed %d times: it is left alone until it changes", nameOf(f.order.Victim), g.failures[id]),
			map[string]any{"container": id})
	}
}

// release ends a flight whose container lives on; what a throttle took is given back.
func (g *Governor) release(f *flight) {
	if f.order.Before != nil {
		g.unthrottle(f)
		return
	}
	delete(g.flights, f.order.Victim.ID)
}

func (g *Governor) settleShadow(f *flight, r actuator.Result) {
	id := f.order.Victim.ID
	if r.Outcome == contract.OutcomeDone && g.Policy.Mode == contract.ModeShadow {
		g.shadowGone[id] = journal.Shadowed{Tick: f.order.Tick, Reason: f.order.Victim.Reason, Class: f.order.Victim.Class}
	}
	g.finish(f, r, true)
	delete(g.flights, id)
}

// settleThrottle holds the victim for the policy's ticks. One whose limit may have been changed without an answer is
// given its old limit back; where the engine cannot throttle the victim takes its next rung with nothing to be given back.
func (g *Governor) settleThrottle(f *flight, r actuator.Result) {
	g.finish(f, r, true)
	switch {
	case r.Unsupported: // on the next tick, since the intent of a removal has to be written first
		g.noThrottle = noThrottle{why: r.Why, tick: g.tickNo}
		f.stage, f.due = stageHeld, g.tickNo
	case r.Outcome == contract.OutcomeDone:
		g.noThrottle = noThrottle{}
		f.stage, f.due = stageHeld, g.tickNo+uint64(g.Policy.Act.ThrottleTicks) //nolint:gosec // validated
	case r.Outcome == contract.OutcomeFailed:
		g.fail(f)
		g.release(f)
	default:
		g.release(f)
	}
}

func (g *Governor) settleUnthrottle(f *flight, r actuator.Result) {
	failed := r.Outcome == contract.OutcomeFailed
	if f.tries++; failed && f.tries < g.Policy.Act.StuckAfter {
		f.stage = stageDoubtful
		g.finish(f, r, false)
		return
	}
	delete(g.owed, f.order.Victim.ID)
	if failed {
		g.owed[f.order.Victim.ID] = *f.order.Before
		g.event("throttled", levelError, fmt.Sprintf("%s keeps a lowered CPU limit: %v; set it back with docker update", nameOf(f.order.Victim), r.Err),
			map[string]any{"container": f.order.Victim.ID, "before": *f.order.Before})
	}
	g.finish(f, r, true)
	delete(g.flights, f.order.Victim.ID)
}

// finish writes an outcome down and tells the sinks. An unknown one leaves the intent open.
func (g *Governor) finish(f *flight, r actuator.Result, final bool) {
	if !final {
		r.Outcome = contract.OutcomeUnknown
	}
	r.Order, r.Attempts = f.order, max(r.Attempts, f.attempts)
	g.writeEnd(f, r)
	for _, s := range g.Sinks {
		s.OnAction(ActionResult{Result: r, Verb: f.verb, At: time.Now(), Final: final})
	}
}

// ending is an outcome that the journal has not taken yet, and its record.
type ending struct {
	outcome journal.Outcome
	record  contract.Record
}

// writeEnd writes down how a flight ended: in the journal, behind those endings that it did not take before (a throttle must
// not seem to be in force because its outcome came after that of its undo), and then in the spool. What only the shadow did
// is not in the journal.
func (g *Governor) writeEnd(f *flight, r actuator.Result) {
	record := g.actionRecord(f, contract.PhaseOutcome, r)
	if f.verb == contract.ActionShadowRemove {
		g.keep(record)
		return
	}
	g.unwritten = append(g.unwritten, ending{record: record, outcome: journal.Outcome{
		ActionID: f.order.ActionID, Outcome: r.Outcome, Rung: r.Rung, Attempts: r.Attempts, LatencyUS: micros(r.Took),
		Error: r.ErrorText(), AnonymousVolumes: f.volumes, Recovered: f.replayed,
	}})
	g.writeOwed()
}

// writeOwed writes down the endings that are still owed. An intent left open would be carried out by a later run, on a
// container that nobody chose any more; and until the journal has an ending the spool does not get it, since a later run
// would tell it again. An unknown outcome leaves its intent open anyway: it is not owed.
func (g *Governor) writeOwed() {
	if len(g.unwritten) == 0 {
		return
	}
	outcomes := make([]journal.Outcome, len(g.unwritten))
	for i, e := range g.unwritten {
		outcomes[i] = e.outcome
	}
	seq, err := g.Journal.Outcome(outcomes...)
	if g.noteJournal(err) != nil {
		g.unwritten = slices.DeleteFunc(g.unwritten, func(e ending) bool {
			unknown := e.outcome.Outcome == contract.OutcomeUnknown
			if unknown {
				g.keep(e.record)
			}
			return unknown
		})
		return
	}

	var records []contract.Record
	for i, e := range g.unwritten {
		e.record.JournalSeq = seq + uint64(i) //nolint:gosec // an index
		records = append(records, e.record)
	}
	g.unwritten = nil
	g.keep(records...)
}

func nameOf(v contract.Verdict) string {
	const short = 12
	if v.Name != "" {
		return v.Name
	}
	return v.ID[:min(short, len(v.ID))]
}
