package govern

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// executor carries plans of version 1 out: it turns removals into intents and orders, runs them beside the loop, and follows each
// until its outcome is known. It owns everything about what is in flight.
type executor struct {
	loop      *loopState
	journaler *journaler
	reporter  *reporter
	hooks     removalHooks
	enforcer  *actuator.Enforcer
	shadow    *actuator.Shadow
	suite     Suite
	boottime  func() uint64

	ctx         context.Context // of the actions; ends when the drain is over
	workers     sync.WaitGroup
	completions chan completion

	inFlight  inFlight
	queue     []*removal // in stageQueued, in order
	active    int        // actions under way, of which restoring give a CPU limit back
	restoring int
	// actBegan is when the first of the actions under way began, zero while there is none; actTook how long they took,
	// reported with the next tick.
	actBegan time.Time
	actTook  time.Duration
	// lastActionUS is the boot time at which the last action ended.
	lastActionUS uint64

	// removals are the times of the victims begun with in the last minute: what the policy's caps count. removalCalls
	// are those of the removals given to the engine; they are fewer where a throttle comes first.
	removals, removalCalls []time.Time
	failures               failureCounts
	// unrestored holds the CPU limits that could not be given back. To throttle such a container again would take the
	// lowered limit for its own.
	unrestored map[string]engine.CPULimit
	noThrottle noThrottle
	breaker    *breaker
}

// noThrottle is an engine that cannot change the CPU limit of a container: what it said, "" while it can as far as is
// known, and the tick of the last attempt.
type noThrottle struct {
	why  string
	tick uint64
}

// executorState is what the policy has to know of the executor.
type executorState struct {
	leaving, stuck    []string // container ids, sorted
	removedLastMinute int
}

func newExecutor(o Options, loop *loopState, j *journaler, r *reporter, b *breaker, h removalHooks) *executor {
	return &executor{
		loop: loop, journaler: j, reporter: r, hooks: h, suite: o.Suite, boottime: o.Boottime,
		enforcer: actuator.NewEnforcer(o.Engine, o.Engine, undoLog{o.Journal}), shadow: actuator.NewShadow(o.Engine),
		completions: make(chan completion), inFlight: make(inFlight),
		removals: o.Recovered.RecentRemovals, removalCalls: slices.Clone(o.Recovered.RecentRemovals),
		failures: newFailureCounts(), unrestored: make(map[string]engine.CPULimit),
		breaker: b,
	}
}

// state is what the policy has to know at this time.
func (e *executor) state(now time.Time) executorState {
	e.removals = lastMinute(e.removals, now)
	return executorState{leaving: e.inFlight.leaving(), stuck: e.failures.stuckIDs(), removedLastMinute: len(e.removals)}
}

// lastMinute are those of the times that lie within the minute before now: the span of contract.Caps.PerMinute.
func lastMinute(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
}

// execute gives the orders of this tick: those of its plan, and the removal of victims that were throttled. Nothing is
// begun on a tick with a failing gate, and what waits for a worker is cancelled.
func (e *executor) execute(t *tick) {
	e.restoreUnwanted(t)
	if e.loop.version2 != nil {
		e.cancelQueued(otherVersion)
		return
	}
	if t.gated() || t.plan == nil {
		e.cancelQueued("the tick is gated: " + strings.Join(failedGates(t.failures), ", "))
		return
	}

	e.cancelUnwanted(t)
	e.dispatch() // remains that reconcile found
	if e.loop.policy.Mode == contract.ModeObserve {
		return
	}

	batch := e.limitToTrial(t, append(e.dueRemovals(t), e.plannedRemovals(t)...))
	if len(batch) == 0 {
		return
	}
	if t.plan.Surprise {
		e.reporter.tickEvent(t, "surprise", contract.LevelWarn,
			"the plan is larger than the policy expects, or the first under a new one: it runs in shadow once",
			map[string]any{"removals": len(batch), "policy_changed": t.context.PolicyChanged})
	}

	// Intent before act: nothing is enqueued that is not on stable storage.
	if e.persistIntents(t, batch) != nil {
		return
	}
	t.orders = len(batch)
	for _, r := range batch {
		e.enqueue(t, r)
	}
	e.dispatch()
}

// restoreUnwanted gives the throttled victims their limits back that nobody is going to remove any more. That takes
// nothing from anybody, so that a failing gate does not keep it back.
func (e *executor) restoreUnwanted(t *tick) {
	for _, r := range e.inFlight.in(stageThrottled) {
		if !e.loop.enforces() || !stillWanted(t.plan, r.order.Victim.ID) {
			e.release(r)
		}
	}
}

// cancelUnwanted cancels what waits for a worker and is protected or not ours any more, remains included.
func (e *executor) cancelUnwanted(t *tick) {
	queue := e.queue
	e.queue = nil
	for _, r := range queue {
		if r.verb == contract.ActionUnthrottle || stillWanted(t.plan, r.order.Victim.ID) {
			e.queue = append(e.queue, r)
			continue
		}
		e.reject(r, "the policy does not want it removed any more")
	}
}

// stillWanted says whether a container that was chosen before is still to go by the plan of now, which sees it as
// leaving unless something weighs more. What the plan does not know is gone, or cannot be judged: the check of the
// preconditions decides about it.
func stillWanted(plan *contract.Plan, id string) bool {
	if plan == nil {
		return true
	}
	i := slices.IndexFunc(plan.Verdicts, func(v contract.Verdict) bool { return v.ID == id })
	return i < 0 || plan.Verdicts[i].Verdict == contract.VerdictRemove || plan.Verdicts[i].Reason == contract.ReasonLeaving
}

// limitToTrial leaves one order of the batch while the engine is on trial after too many errors.
func (e *executor) limitToTrial(t *tick, batch []*removal) []*removal {
	if e.breaker.state(t.at) != BreakerHalfOpen || len(batch) < 2 {
		return batch
	}
	t.deferred = make(map[string]bool)
	for _, r := range batch[1:] {
		t.deferred[r.order.Victim.ID] = true
	}
	return batch[:1]
}

// dueRemovals are the throttled victims whose time is over, no more at a time than the caps allow: they may have waited
// behind a gate.
func (e *executor) dueRemovals(t *tick) []*removal {
	if t.plan.Surprise {
		return nil
	}

	caps := e.loop.policy.Caps
	e.removalCalls = lastMinute(e.removalCalls, t.at)
	budget := min(caps.PerTick, caps.PerMinute-len(e.removalCalls))
	var due []*removal
	for _, r := range e.inFlight.in(stageThrottled) {
		if t.n < r.dueTick || len(due) >= budget {
			continue
		}

		// It is ordered afresh, by the plan of now. What the throttle changed has to be given back all the same if the
		// removal does not come about.
		before, lowered := r.order.Before, r.order.Lowered
		r.order = e.order(t, r.order.Victim)
		r.order.Before, r.order.Lowered, r.verb = before, lowered, contract.ActionRemove
		due = append(due, r)
	}
	return due
}

// newRemovals are the removals of the plan whose victims are not in flight yet.
func (e *executor) newRemovals(plan *contract.Plan) (removals []*contract.Verdict) {
	for i := range plan.Verdicts {
		if v := &plan.Verdicts[i]; v.Verdict == contract.VerdictRemove && e.inFlight[v.ID] == nil {
			removals = append(removals, v)
		}
	}
	return removals
}

// plannedRemovals makes a removal of every one in the plan that is not in flight yet.
func (e *executor) plannedRemovals(t *tick) []*removal {
	var batch []*removal
	verb, trial := e.firstVerb(t)
	for _, v := range e.newRemovals(t.plan) {
		r := &removal{order: e.order(t, *v), verb: verb, key: respawnKey(v.Name, labelsOf(t.inv, v.ID))}

		// One whose limit could not be given back still has the lowered one: it must not be read as its own.
		if before, lowered := e.unrestored[v.ID]; lowered && verb == contract.ActionThrottle {
			r.verb, r.order.Before = contract.ActionRemove, &before
		}

		if trial && r.verb == contract.ActionThrottle {
			verb = contract.ActionRemove // for the rest
		}
		batch = append(batch, r)
	}
	slices.Reverse(batch) // the farthest from the cut first
	return batch
}

// throttleRetryTicks is how many ticks lie between two attempts to throttle on an engine that could not.
const throttleRetryTicks = 30

// firstVerb is what is done first to a victim. On a trial that is for one of them only.
func (e *executor) firstVerb(t *tick) (verb string, trial bool) {
	switch p, lacks := &e.loop.policy, e.noThrottle.why != ""; {
	case p.Mode == contract.ModeShadow || t.plan.Surprise:
		return contract.ActionShadowRemove, false
	case p.Act.Ladder[0] != contract.RungThrottle, lacks && t.n-e.noThrottle.tick < throttleRetryTicks:
		return contract.ActionRemove, false
	default:
		return contract.ActionThrottle, lacks
	}
}

// order is what an actuator has to know of a victim.
func (e *executor) order(t *tick, v contract.Verdict) actuator.Order {
	return actuator.Order{
		ActionID: actionID(t.n, v.ID), Tick: t.n, Sequence: t.plan.Sequence, Victim: v, Suite: e.suite.Name,
		ClassLabel: labelsOf(t.inv, v.ID)[contract.LabelClass], MinAvailable: minAvailableOf(e.loop.policy, *t.plan, v),
		Act: e.loop.policy.Act, Rungs: withoutThrottle(e.loop.policy.Act.Ladder),
	}
}

// actionID is unique for ever: a journal that was lost would count ticks from 1 again.
func actionID(tick uint64, id string) string {
	const short, random = 12, 8
	return strconv.FormatUint(tick, 10) + "-" + id[:min(short, len(id))] + "-" + rand.Text()[:random]
}

func labelsOf(inv *contract.Inventory, id string) map[string]string {
	if e := inv.Entry(id); e != nil {
		return e.Labels
	}
	return nil
}

// withoutThrottle are the rungs of a removal: a throttle is an action of its own.
func withoutThrottle(ladder []contract.Rung) (rungs []contract.Rung) {
	for _, r := range ladder {
		if r != contract.RungThrottle {
			rungs = append(rungs, r)
		}
	}
	return rungs
}

// persistIntents makes the intents durable, first in the journal, then in the spool: whoever dies in between finds at
// its next start what the spool has not got. If either fails nothing is done.
func (e *executor) persistIntents(t *tick, batch []*removal) error {
	records := e.reporter.decisionRecords(t)

	var intents []journal.Intent
	for _, r := range batch {
		// That of a throttle is written by the actuator, once it knows what the limit was.
		if r.verb == contract.ActionRemove {
			intents = append(intents, intentOf(r.order, r.verb))
		}
	}
	first, err := e.journaler.intents(intents...)
	if err != nil {
		t.failStorage(GateJournal, err)
		return err
	}

	written := e.intentRecords(batch, first)
	if err := e.reporter.append(append(records, written...)...); err != nil {
		t.failStorage(GateSpool, err)

		// The intents stand in the journal: they are recorded when there is room again, and end as refused.
		e.reporter.requeue(written)
		e.rejectAll(batch, "the intent could not be recorded: "+err.Error())
		return err
	}
	e.reporter.markDecisionsRecorded(t)
	return nil
}

// intentRecords are the records of the intents that stand in the journal from the given number on, and of what only the
// shadow does.
func (e *executor) intentRecords(batch []*removal, seq uint64) (records []contract.Record) {
	for _, r := range batch {
		if r.verb == contract.ActionThrottle {
			continue
		}

		record := e.reporter.actionRecord(r, contract.PhaseIntent, actuator.Result{})
		if r.verb == contract.ActionRemove {
			record.JournalSeq = seq
			seq++
		}
		records = append(records, record)
	}
	return records
}

// rejectAll ends intents that will not be followed.
func (e *executor) rejectAll(batch []*removal, why string) {
	for _, r := range batch {
		if r.verb != contract.ActionThrottle {
			e.writeOutcome(r, actuator.Result{Outcome: contract.OutcomeRefused, Why: why})
		}
	}
}
