package govern

import (
	"cmp"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// handleResult takes in the end of an action.
func (e *executor) handleResult(c completion) {
	e.active--
	if c.removal.verb == contract.ActionUnthrottle {
		e.restoring--
	}
	e.updateBreaker(c)
	e.applyResult(c.removal, c.result)
	e.dispatch()
	if e.active == 0 {
		e.actTook, e.actBegan = time.Since(e.actBegan), time.Time{}
	}
}

// updateBreaker counts the end of an action for the breaker. A refusal says nothing about it.
func (e *executor) updateBreaker(c completion) {
	if c.removal.verb == contract.ActionShadowRemove || c.result.Outcome == contract.OutcomeRefused {
		return
	}

	e.reporter.engineAnswered(e.breaker, c.result.EngineFault, c.result.Err)
}

// applyResult takes in what became of a removal, whether an action returned it or it was seen in the inventory.
func (e *executor) applyResult(r *removal, result actuator.Result) {
	r.attempts += result.Attempts
	r.volumes = max(r.volumes, result.AnonymousVolumes)
	r.since, r.stopUntil = time.Now(), result.StopUntil
	r.stopped = r.stopped || result.Ended
	r.order.Before = cmp.Or(result.Order.Before, r.order.Before)
	r.order.Lowered = cmp.Or(result.Order.Lowered, r.order.Lowered)

	switch r.verb {
	case contract.ActionShadowRemove:
		e.onShadowRemove(r, result)
	case contract.ActionThrottle:
		e.onThrottle(r, result)
	case contract.ActionUnthrottle:
		e.onRestore(r, result)
	default:
		e.onRemove(r, result)
	}
}

func (e *executor) onRemove(r *removal, result actuator.Result) {
	id := r.order.Victim.ID

	// A reading that is older than this moment shows the host as it was before the removal: the next tick must not act
	// on it (GateUnsettled).
	if result.Attempts > 0 {
		e.lastActionUS = e.boottime()
	}

	switch result.Outcome {
	case contract.OutcomeUnknown:
		r.stage = stageUnverified
		e.recordOutcome(r, result, false)

	case contract.OutcomeFailed:
		e.countFailure(r)

		// A container that we have killed must not be left behind dead: removing what is left of it is tried again,
		// until it counts as stuck.
		if r.stopped && !e.failures.isStuck(id) {
			r.stage = stageUnverified
			e.recordOutcome(r, result, false)
			return
		}
		e.recordOutcome(r, result, true)
		e.release(r)

	case contract.OutcomeRefused:
		e.recordOutcome(r, result, true)
		e.release(r)

	default: // done, already gone or already stopped: it is removed
		e.failures.reset(id)
		delete(e.unrestored, id)
		e.hooks.removed(r.key)
		e.recordOutcome(r, result, true)
		delete(e.inFlight, id)
	}
}

// countFailure counts a failure in a row; too many leave the container alone until it changes.
func (e *executor) countFailure(r *removal) {
	id := r.order.Victim.ID
	if inRow, stuck := e.failures.add(id, e.loop.policy.Act.StuckAfter); stuck {
		e.reporter.event("stuck", contract.LevelError,
			fmt.Sprintf("removing %s failed %d times: it is left alone until it changes", nameOf(r.order.Victim), inRow),
			map[string]any{"container": id})
	}
}

func (e *executor) onShadowRemove(r *removal, result actuator.Result) {
	v := r.order.Victim
	if result.Outcome == contract.OutcomeDone && e.loop.policy.Mode == contract.ModeShadow {
		e.hooks.shadowRemoved(v.ID, journal.Shadowed{Tick: r.order.Tick, Reason: v.Reason, Class: v.Class})
	}
	e.recordOutcome(r, result, true)
	delete(e.inFlight, v.ID)
}

// onThrottle keeps the victim throttled for the policy's ticks. One whose limit may have been changed without an answer
// is given its old limit back; where the engine cannot throttle the victim is removed with nothing to be given back.
func (e *executor) onThrottle(r *removal, result actuator.Result) {
	e.recordOutcome(r, result, true)
	switch {
	case result.Unsupported: // on the next tick, since the intent of a removal has to be written first
		e.noThrottle = noThrottle{why: result.Why, tick: e.loop.tick}
		r.stage, r.dueTick = stageThrottled, e.loop.tick

	case result.Outcome == contract.OutcomeDone:
		e.noThrottle = noThrottle{}
		r.stage, r.dueTick = stageThrottled, e.loop.tick+uint64(e.loop.policy.Act.ThrottleTicks) //nolint:gosec // validated

	case result.Outcome == contract.OutcomeFailed:
		e.countFailure(r)
		e.release(r)

	default:
		e.release(r)
	}
}

func (e *executor) onRestore(r *removal, result actuator.Result) {
	id := r.order.Victim.ID
	failed := result.Outcome == contract.OutcomeFailed
	if r.restoreAttempts++; failed && r.restoreAttempts < e.loop.policy.Act.StuckAfter {
		r.stage = stageUnverified
		e.recordOutcome(r, result, false)
		return
	}

	delete(e.unrestored, id)
	if failed {
		e.unrestored[id] = *r.order.Before
		e.reporter.event("throttled", contract.LevelError,
			fmt.Sprintf("%s keeps a lowered CPU limit: %v; set it back with docker update", nameOf(r.order.Victim), result.Err),
			map[string]any{"container": id, "before": *r.order.Before})
	}
	e.recordOutcome(r, result, true)
	delete(e.inFlight, id)
}

// recordOutcome writes an outcome down and calls the sinks. An unknown one leaves the intent open.
func (e *executor) recordOutcome(r *removal, result actuator.Result, final bool) {
	if !final {
		result.Outcome = contract.OutcomeUnknown
	}
	result.Order, result.Attempts = r.order, max(result.Attempts, r.attempts)
	e.writeOutcome(r, result)
	e.reporter.action(ActionResult{Result: result, Verb: r.verb, At: time.Now(), Final: final})
}

// writeOutcome writes down how a removal ended: in the journal, and then in the spool. What only the shadow did is not
// in the journal.
func (e *executor) writeOutcome(r *removal, result actuator.Result) {
	record := e.reporter.actionRecord(r, contract.PhaseOutcome, result)
	if r.verb == contract.ActionShadowRemove {
		e.reporter.appendEvents(record)
		return
	}
	e.journaler.outcome(journal.Outcome{
		ActionID: r.order.ActionID, Outcome: result.Outcome, Rung: result.Rung, Attempts: result.Attempts, LatencyUS: micros(result.Took),
		Error: result.ErrorText(), AnonymousVolumes: r.volumes, Recovered: r.recovered,
	}, record, nil)
}
