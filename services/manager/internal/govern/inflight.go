package govern

import (
	"errors"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
)

// stage is where a victim in flight is.
type stage int

const (
	stageQueued     stage = iota // waits for a free worker
	stageActing                  // an actuator is at it
	stageThrottled               // throttled, or could not be: waits for its removal
	stageUnverified              // what became of it will be seen in the next inventory
	stageRemains                 // it has ended, and is still to be deleted; under version 2 alone
)

// removal is one victim between its intent and its final outcome.
type removal struct {
	order actuator.Order
	stage stage
	// verb is the action that is under way, and that its records carry.
	verb string
	// dueTick is the tick on which a throttled one is removed.
	dueTick uint64
	// stopped says that it was seen or left not running: only its remains have to be removed.
	stopped bool
	// restoreAttempts counts how often its limit was tried to be given back.
	restoreAttempts int
	// counted says that the caps have counted it.
	counted bool
	// recovered says that the intent is of an earlier run of the manager.
	recovered bool
	// since is when the engine was last asked to act on it, or may have been; stopUntil is when the wait of a stop that it was
	// asked for is over, zero where there is none.
	since     time.Time
	stopUntil time.Time
	attempts  int
	volumes   int    // see actuator.Result.AnonymousVolumes
	key       string // see respawnKey
}

// inFlight are all victims in flight by container id.
type inFlight map[string]*removal

// leaving returns the ids that the policy must see as leaving, sorted. What only the shadow removes stays.
func (f inFlight) leaving() []string {
	return slices.DeleteFunc(sortedKeys(f), func(id string) bool { return f[id].verb == contract.ActionShadowRemove })
}

// in are the removals in the given stage, in the order of their ids.
func (f inFlight) in(s stage) []*removal {
	var out []*removal
	for _, id := range sortedKeys(f) {
		if f[id].stage == s {
			out = append(out, f[id])
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// minAvailableOf is what must still run when a victim of the plan is removed: as many of those that stay in its ranking
// as the policy gives places. A young one removed under the hard rule has no ranking.
func minAvailableOf(p contract.Policy, plan contract.Plan, v contract.Verdict) actuator.MinAvailable {
	if v.Reason != contract.ReasonOverQuota {
		return actuator.MinAvailable{}
	}

	rank := p.Classify == contract.ClassifyRank
	var m actuator.MinAvailable
	for _, other := range plan.Verdicts {
		stays := other.Reason == contract.ReasonWithinQuota || other.Reason == contract.ReasonCapped
		if stays && (rank || other.Class == v.Class) {
			m.Survivors = append(m.Survivors, other.ID)
		}
	}
	slices.Sort(m.Survivors)

	switch {
	case rank:
		m.Need = p.Quota.Low + p.Quota.High
	case v.Class == contract.ClassHigh:
		m.Need = p.Quota.High
	default:
		m.Need = p.Quota.Low
	}
	return m
}

// killGrace is how long after the last call, or the end of a stop's wait, a container may still die of it: the engine waits
// 10 s for the exit, kills again and waits 2 s (daemon/kill.go), also when nobody waits for its answer any more.
const killGrace = 15 * time.Second

// reconcile compares the victims in flight, and what is remembered of containers, with the inventory.
func (e *executor) reconcile(t *tick) {
	if t.inv == nil {
		return
	}

	for _, r := range e.inFlight.in(stageUnverified) {
		e.verify(r, t.inv.Entry(r.order.Victim.ID))
	}

	for _, r := range e.inFlight.in(stageThrottled) {
		if t.inv.Entry(r.order.Victim.ID) == nil {
			e.release(r) // closes the throttle in the journal: there is nothing left to give back to
		}
	}

	e.retryRestores(t)
	e.pruneFailures(t)
}

// mayStillEnd says whether what the engine was asked for can still end the container.
func (r *removal) mayStillEnd() bool {
	return time.Since(r.since) < killGrace || time.Since(r.stopUntil) < killGrace
}

// verify ends a removal in doubt by what the engine lists now, or leaves it in doubt.
func (e *executor) verify(r *removal, entry *contract.Entry) {
	switch {
	case r.verb == contract.ActionUnthrottle:
		e.restore(r)

	case entry == nil:
		e.closeUnattended(r, actuator.Result{Outcome: contract.OutcomeDone})

	case entry.State == contract.StateRemoving: // the next inventory shows it

	case contract.StateAlive(entry.State):
		if !r.mayStillEnd() {
			e.closeSurvivor(r)
		}

	case !e.loop.enforces(): // nothing is removed: they wait until something is again

	default:
		e.retryRemoval(r, entry)
	}
}

// closeUnattended ends a removal by what was seen of its container; no action returned it, so it says nothing about the
// engine either.
func (e *executor) closeUnattended(r *removal, result actuator.Result) {
	e.applyResult(r, result)
	e.dispatch()
}

// closeSurvivor ends a removal whose container still runs: the plan of this tick decides about it afresh.
func (e *executor) closeSurvivor(r *removal) {
	result := actuator.Result{Outcome: contract.OutcomeFailed, Err: errors.New("the container still runs")}
	if r.recovered {
		// Whether the earlier run has acted at all is not known: that is no failure of the container.
		result.Outcome, result.Err = contract.OutcomeRefused, errors.New("the manager stopped before it had acted; the container still runs")
	}
	r.stopped = false
	e.closeUnattended(r, result)
}

// retryRemoval tries again to remove what does not run any more.
func (e *executor) retryRemoval(r *removal, entry *contract.Entry) {
	r.stopped = true
	r.order.ClassLabel = entry.Labels[contract.LabelClass]

	// It takes no place from anybody: nothing has to be available for it to go, and the last rung is all that is left.
	r.order.Act, r.order.Rungs, r.order.MinAvailable = e.loop.policy.Act, []contract.Rung{contract.RungRemove}, actuator.MinAvailable{}
	r.stage = stageQueued
	e.queue = append(e.queue, r)
}

// restoreRetryTicks is how many ticks lie between two attempts to give a limit back that could not be given back at
// once.
const restoreRetryTicks = 30

// retryRestores tries again to give back the limits that could not be given back.
func (e *executor) retryRestores(t *tick) {
	for _, id := range sortedKeys(e.unrestored) {
		before := e.unrestored[id]
		switch entry := t.inv.Entry(id); {
		case entry == nil:
			delete(e.unrestored, id)

		case e.inFlight[id] == nil && t.n%restoreRetryTicks == 0:
			v := contract.Verdict{ID: id, Name: entry.Name, Image: entry.Image, StartedAt: entry.StartedAt}
			e.restore(&removal{order: actuator.Order{Tick: t.n, Victim: v, Suite: e.suite.Name, Before: &before}})
		}
	}
}

// pruneFailures forgets the failures of containers that are gone or have changed.
func (e *executor) pruneFailures(t *tick) {
	e.failures.prune(func(id string) string {
		entry := t.inv.Entry(id)
		if entry == nil {
			return ""
		}
		return entry.State + " since " + entry.StartedAt
	})
}
