package govern

import (
	"errors"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// killTakes is how long after the last call a container may still die of it: the engine waits 10 s for the exit, kills
// again and waits 2 s (daemon/kill.go), also when nobody waits for its answer any more.
const killTakes = 15 * time.Second

// reconcile compares the victims in flight, and what is remembered of containers, with the inventory.
func (g *Governor) reconcile(t *tick) {
	if t.inv == nil {
		return
	}
	for _, f := range g.flights.in(stageDoubtful) {
		g.verify(f, t.inv.Entry(f.order.Victim.ID))
	}
	for _, f := range g.flights.in(stageHeld) {
		if t.inv.Entry(f.order.Victim.ID) == nil {
			g.release(f) // closes the throttle in the journal: there is nothing left to give back to
		}
	}
	g.payBack(t)
	g.forgive(t)
	g.countPaused(t)
}

// payBackEvery is how many ticks lie between two attempts to give a limit back that could not be given back at once.
const payBackEvery = 30

// payBack tries again to give back what is owed.
func (g *Governor) payBack(t *tick) {
	for _, id := range slices.Sorted(maps.Keys(g.owed)) {
		before := g.owed[id]
		switch e := t.inv.Entry(id); {
		case e == nil:
			delete(g.owed, id)
		case g.flights[id] == nil && t.n%payBackEvery == 0:
			v := contract.Verdict{ID: id, Name: e.Name, Image: e.Image, StartedAt: e.StartedAt}
			g.unthrottle(&flight{order: actuator.Order{Tick: t.n, Victim: v, Suite: g.Suite.Name, Before: &before}})
		}
	}
}

// forgive forgets the failures of containers that are gone, and takes a stuck one back that changed.
func (g *Governor) forgive(t *tick) {
	for id := range g.failures {
		e := t.inv.Entry(id)
		if e == nil {
			delete(g.failures, id)
			delete(g.stuck, id)
			continue
		}
		was, stuck := g.stuck[id]
		now := e.State + " since " + e.StartedAt
		switch {
		case stuck && was == "":
			g.stuck[id] = now
		case stuck && was != now:
			delete(g.failures, id)
			delete(g.stuck, id)
		}
	}
}

// verify settles a flight in doubt by what the engine lists now.
func (g *Governor) verify(f *flight, e *contract.Entry) {
	gone := e == nil
	switch {
	case f.verb == contract.ActionUnthrottle:
		g.unthrottle(f)
	case gone:
		g.closed(f, actuator.Result{Outcome: contract.OutcomeDone})
	case e.State == contract.StateRemoving:
	case contract.StateAlive(e.State):
		if time.Since(f.since) >= killTakes {
			g.survived(f)
		}
	case g.Policy.Mode != contract.ModeEnforce: // nothing is removed: they wait until something is again
	default:
		g.remains(f, e)
	}
}

// closed ends a flight by what was seen of its container; no action told it, so it says nothing about the engine either.
func (g *Governor) closed(f *flight, r actuator.Result) {
	g.conclude(f, r)
	g.pump()
}

// survived ends a flight whose container still runs: the plan of this tick decides about it afresh.
func (g *Governor) survived(f *flight) {
	why := errors.New("the container still runs")
	if f.replayed {
		why = errors.New("the manager stopped before it had acted; the container still runs")
	}
	r := actuator.Result{Outcome: contract.OutcomeFailed, Err: why}
	f.ended = false
	if f.replayed {
		r.Outcome = contract.OutcomeRefused
	}
	g.closed(f, r)
}

// remains tries again to remove what does not run any more.
func (g *Governor) remains(f *flight, e *contract.Entry) {
	f.ended = true
	f.order.ClassLabel = e.Labels[contract.LabelClass]
	f.order.Act, f.order.Rungs, f.order.MinAvailable = g.Policy.Act, []contract.Rung{contract.RungRemove}, actuator.MinAvailable{}
	f.stage = stageQueued
	g.queue = append(g.queue, f)
}

// resume takes over what an earlier run of the manager left open. What became of it is seen in the first inventory.
func (g *Governor) resume() {
	for _, i := range g.Recovered.Throttled {
		g.flights[i.Container] = g.resumed(i, contract.ActionUnthrottle)
	}
	for _, i := range g.Recovered.Open {
		switch {
		case i.Action == contract.ActionRemove:
			f := g.resumed(i, contract.ActionRemove)
			if old := g.flights[i.Container]; old != nil {
				f.order.Before = old.order.Before
			}
			g.flights[i.Container] = f
		case i.Undo != nil:
			g.flights[i.Container] = g.resumed(i, contract.ActionUnthrottle)
			g.closeUndo(i)
		}
	}
	if n := len(g.flights); n > 0 {
		g.event("recovered", levelWarn, "an earlier run left actions open: they are verified against the engine and closed",
			map[string]any{"open": n})
	}
}

// closeUndo closes what is open of a throttle. It counts as done: the undo that follows is right either way.
func (g *Governor) closeUndo(i journal.Intent) {
	r := actuator.Result{Outcome: contract.OutcomeDone}
	if i.Action == contract.ActionUnthrottle {
		r.Outcome = contract.OutcomeFailed
	}
	g.writeEnd(g.resumed(i, i.Action), r)
}

func (g *Governor) resumed(i journal.Intent, verb string) *flight {
	f := &flight{stage: stageDoubtful, verb: verb, replayed: true, since: time.Now(), key: "name " + i.Name}
	f.order = actuator.Order{
		ActionID: i.ActionID, Tick: i.Tick, Sequence: i.Sequence, Suite: g.Suite.Name, Act: g.Policy.Act,
		Victim: contract.Verdict{ID: i.Container, Name: i.Name, Image: contract.ImageName(i.Image), Class: i.Class, Reason: i.Reason, StartedAt: i.StartedAt},
	}
	if i.Undo != nil {
		f.order.Before = &engine.CPULimit{NanoCPUs: i.Undo.NanoCPUs, QuotaUS: i.Undo.CPUQuota, PeriodUS: i.Undo.CPUPeriod}
	}
	return f
}

// countPaused follows how long owned containers have been paused.
func (g *Governor) countPaused(t *tick) {
	now := make(map[string]int)
	for _, e := range t.inv.Entries {
		if e.State == contract.StatePaused && contract.Governed(e.Labels, g.Suite.Name) {
			now[e.ID] = g.paused[e.ID] + 1
		}
	}
	g.paused = now
}
