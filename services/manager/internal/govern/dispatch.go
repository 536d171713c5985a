package govern

import (
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
)

// completion is an action that ended.
type completion struct {
	removal *removal
	result  actuator.Result
}

// enqueue puts a removal into the queue. A victim counts once, with its first action.
func (e *executor) enqueue(t *tick, r *removal) {
	if r.verb == contract.ActionRemove {
		e.removalCalls = append(e.removalCalls, t.at)
	}
	if r.verb != contract.ActionShadowRemove && !r.counted {
		e.removals, r.counted = append(e.removals, t.at), true
	}

	r.stage = stageQueued
	e.inFlight[r.order.Victim.ID] = r
	e.queue = append(e.queue, r)
}

// otherVersion is why an order of a plan of version 1 is not begun with under a policy of version 2.
const otherVersion = "the policy is of version 2 now"

// dispatch starts queued orders while a worker is free.
func (e *executor) dispatch() {
	queue := e.queue
	e.queue = nil
	for _, r := range queue {
		switch {
		case e.loop.version2 != nil && r.verb != contract.ActionUnthrottle: // whoever has put it there
			e.reject(r, otherVersion)
		case e.hasWorkerFor(r):
			e.start(r)
		default:
			e.queue = append(e.queue, r)
		}
	}
}

// hasWorkerFor says whether a worker is free for a queued order. Limits have workers of their own: four containers that take
// minutes to stop must not keep anybody throttled.
func (e *executor) hasWorkerFor(r *removal) bool {
	busy := e.active - e.restoring
	if r.verb == contract.ActionUnthrottle {
		busy = e.restoring
	}
	return busy < e.loop.policy.Act.Parallel
}

// start runs one action beside the loop. Its end comes back through completions, or is dropped when the drain is over:
// the intent then stays open in the journal and is verified at the next start.
func (e *executor) start(r *removal) {
	r.stage = stageActing
	e.active++
	if r.verb == contract.ActionUnthrottle {
		e.restoring++
	}
	if e.actBegan.IsZero() {
		e.actBegan = time.Now()
	}

	// The worker gets copies: the removal belongs to the loop, which may change it meanwhile.
	verb, order := r.verb, r.order
	e.workers.Go(func() {
		c := completion{removal: r, result: e.act(verb, order)}
		select {
		case e.completions <- c:
		case <-e.ctx.Done():
		}
	})
}

// act carries one order out. It runs beside the loop and touches none of its state.
func (e *executor) act(verb string, o actuator.Order) actuator.Result {
	switch verb {
	case contract.ActionShadowRemove:
		return e.shadow.Do(e.ctx, o)
	case contract.ActionThrottle:
		return e.enforcer.Throttle(e.ctx, o)
	case contract.ActionUnthrottle:
		return e.enforcer.Unthrottle(e.ctx, o)
	default:
		return e.enforcer.Do(e.ctx, o)
	}
}

// takeActTime returns how long the last actions took, once.
func (e *executor) takeActTime() uint64 {
	took := e.actTook
	e.actTook = 0
	return micros(took)
}

// cancelQueued ends the orders that wait for a worker.
func (e *executor) cancelQueued(why string) {
	queue := e.queue
	e.queue = nil
	for _, r := range queue {
		switch {
		case r.verb == contract.ActionUnthrottle: // gives back, takes nothing: it may always be done
			e.queue = append(e.queue, r)

		case r.stopped: // what does not run any more is removed as soon as acting goes on
			r.stage = stageUnverified

		default:
			e.reject(r, why)
		}
	}

	e.dispatch()
}

// reject ends a removal that was not begun with.
func (e *executor) reject(r *removal, why string) {
	e.applyResult(r, actuator.Result{Outcome: contract.OutcomeRefused, Why: why, Ended: r.stopped})
}

// release ends a removal whose container lives on; what a throttle took is given back.
func (e *executor) release(r *removal) {
	if r.order.Before != nil {
		e.restore(r)
		return
	}
	delete(e.inFlight, r.order.Victim.ID)
}

// restore gives a container back what a throttle took from it. That is written down first, too; if it cannot be, it is
// done all the same, since the open throttle in the journal says that it is due. One that is tried again is the same
// action: its intent stands.
func (e *executor) restore(r *removal) {
	r.order.Act, r.verb, r.stage = e.loop.policy.Act, contract.ActionUnthrottle, stageQueued
	if r.restoreAttempts == 0 {
		r.order.ActionID = actionID(e.loop.tick, r.order.Victim.ID)
		intent := intentOf(r.order, r.verb)
		intent.Undo = undoOf(*r.order.Before)

		record := e.reporter.actionRecord(r, contract.PhaseIntent, actuator.Result{})
		if seq, err := e.journaler.intents(intent); err == nil {
			record.JournalSeq = seq
		}
		e.reporter.appendEvents(record)
	}

	e.inFlight[r.order.Victim.ID] = r
	e.queue = append(e.queue, r)
	e.dispatch()
}
