package govern

import (
	"crypto/rand"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// carryOut gives the orders of this tick: those of its plan, and the next rung of victims that were throttled. Nothing is
// begun on a tick with a failing gate, and what waits for a free hand is called off.
func (g *Governor) carryOut(t *tick) {
	if !t.clear() || t.plan == nil {
		g.callOff("the tick is gated: " + strings.Join(gateNames(t.findings), ", "))
		return
	}
	g.pump() // remains that reconcile found
	g.policyChanged, g.surpriseSeen = false, t.plan.Surprise
	if g.Policy.Mode == contract.ModeObserve {
		return
	}
	batch := g.limited(t, append(g.nextRungs(t), g.ordered(t)...))
	if len(batch) == 0 {
		return
	}
	if t.plan.Surprise {
		g.tickEvent(t, "surprise", levelWarn, "the plan is larger than the policy expects, or the first under a new one: it runs in shadow once",
			map[string]any{"removals": len(batch), "policy_changed": t.context.PolicyChanged})
	}
	if g.writeDown(t, batch) != nil {
		return
	}
	t.orders = len(batch)
	if g.active == 0 {
		g.actBegan = t.at
	}
	for _, f := range batch {
		g.launch(t, f)
	}
	g.pump()
}

// limited leaves one order of the batch while the engine is on trial after too many errors.
func (g *Governor) limited(t *tick, batch []*flight) []*flight {
	if g.breaker.state(t.at) == BreakerHalfOpen && len(batch) > 1 {
		return batch[:1]
	}
	return batch
}

// ordered makes a flight of every removal of the plan.
func (g *Governor) ordered(t *tick) []*flight {
	var batch []*flight
	verb := contract.ActionRemove
	switch {
	case g.Policy.Mode == contract.ModeShadow || t.plan.Surprise:
		verb = contract.ActionShadowRemove
	case g.Policy.Act.Ladder[0] == contract.RungThrottle:
		verb = contract.ActionThrottle
	}
	for _, v := range t.plan.Verdicts {
		if v.Verdict != contract.VerdictRemove || g.flights[v.ID] != nil {
			continue
		}
		f := &flight{order: g.order(t, v), verb: verb, key: key(v.Name, labelsOf(t.inv, v.ID))}
		if before, owed := g.owed[v.ID]; owed && verb == contract.ActionThrottle {
			f.verb, f.order.Before = contract.ActionRemove, &before
		}
		batch = append(batch, f)
	}
	slices.Reverse(batch) // the farthest from the cut first
	return batch
}

// order is what an actuator has to know of a victim.
func (g *Governor) order(t *tick, v contract.Verdict) actuator.Order {
	return actuator.Order{
		ActionID: actionID(t.n, v.ID, nonce()), Tick: t.n, Sequence: t.plan.Sequence, Victim: v, Suite: g.Self.Suite,
		ClassLabel: labelsOf(t.inv, v.ID)[contract.LabelClass],
		Floor:      floorOf(g.Policy, *t.plan, v), Act: g.Policy.Act, Rungs: withoutThrottle(g.Policy.Act.Ladder),
	}
}

func nonce() string { return rand.Text()[:8] }

func labelsOf(inv *contract.Inventory, id string) map[string]string {
	if e := entryOf(inv, id); e != nil {
		return e.Labels
	}
	return nil
}

func withoutThrottle(ladder []contract.Rung) (rungs []contract.Rung) {
	for _, r := range ladder {
		if r != contract.RungThrottle {
			rungs = append(rungs, r)
		}
	}
	return rungs
}

// nextRungs takes the throttled victims whose time is over to their end, and lets those go that the policy no longer
// wants to remove by force.
func (g *Governor) nextRungs(t *tick) []*flight {
	var due []*flight
	for _, f := range g.flights.in(stageHeld) {
		switch {
		case g.Policy.Mode != contract.ModeEnforce:
			g.unthrottle(f)
		case t.n >= f.due && !t.plan.Surprise:
			before := f.order.Before
			f.order = g.order(t, f.order.Victim)
			f.order.Before, f.verb = before, contract.ActionRemove
			due = append(due, f)
		}
	}
	return due
}

// writeDown makes the intents durable, first in the spool, then in the journal. If either fails nothing is done.
func (g *Governor) writeDown(t *tick, batch []*flight) error {
	records := g.decisionRecords(t)
	var intents []journal.Intent
	for _, f := range batch {
		if f.verb == contract.ActionThrottle {
			continue // written by the actuator, once it knows what the limit was
		}
		records = append(records, g.actionRecord(f, contract.PhaseIntent, actuator.Result{}))
		if f.verb == contract.ActionRemove {
			intents = append(intents, intentOf(f.order, f.verb))
		}
	}
	if err := g.append(records...); err != nil {
		t.fail(GateSpool, err.Error())
		return err
	}
	if len(intents) == 0 {
		return nil
	}
	if err := g.noteJournal(g.Journal.Intent(intents...)); err != nil {
		t.fail(GateJournal, err.Error())
		g.refuseAll(batch, "the intent could not be written down: "+err.Error())
		return err
	}
	return nil
}

func intentOf(o actuator.Order, verb string) journal.Intent {
	return journal.Intent{
		ActionID: o.ActionID, Subject: subjectOf(o.Victim), Tick: o.Tick, Sequence: o.Sequence, Action: verb,
		Reason: o.Victim.Reason, StartedAt: o.Victim.StartedAt,
	}
}

func subjectOf(v contract.Verdict) contract.Subject {
	return contract.Subject{Container: v.ID, Name: v.Name, Image: v.Image, Class: v.Class}
}

// launch puts a flight into the queue.
func (g *Governor) launch(t *tick, f *flight) {
	if f.verb == contract.ActionRemove {
		g.removals = append(g.removals, t.at)
	}
	f.stage = stageQueued
	g.flights[f.order.Victim.ID] = f
	g.queue = append(g.queue, f)
}

// refuseAll records that intents which are in the spool already will not be followed.
func (g *Governor) refuseAll(batch []*flight, why string) {
	for _, f := range batch {
		if f.verb == contract.ActionThrottle {
			continue
		}
		_ = g.append(g.actionRecord(f, contract.PhaseOutcome, actuator.Result{Outcome: contract.OutcomeRefused, Why: why}))
	}
}
