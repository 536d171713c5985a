package govern

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// carryOut gives the orders of this tick: those of its plan, and the next rung of victims that were throttled. Nothing is
// begun on a tick with a failing gate, and what waits for a free hand is called off.
func (g *Governor) carryOut(t *tick) {
	g.freeUnwanted(t)
	if !t.clear() || t.plan == nil {
		g.callOff("the tick is gated: " + strings.Join(gateNames(t.findings), ", "))
		return
	}
	g.spareUnwanted(t)
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
	for _, f := range batch {
		g.launch(t, f)
	}
	g.pump()
}

// limited leaves one order of the batch while the engine is on trial after too many errors.
func (g *Governor) limited(t *tick, batch []*flight) []*flight {
	if g.breaker.state(t.at) != BreakerHalfOpen || len(batch) < 2 {
		return batch
	}
	t.waits = make(map[string]bool)
	for _, f := range batch[1:] {
		t.waits[f.order.Victim.ID] = true
	}
	return batch[:1]
}

// held says why nothing of the tick is carried out, "" when it is.
func (g *Governor) held(t *tick) string {
	plan := contract.Plan{Mode: g.Policy.Mode}
	if t.plan != nil {
		plan = *t.plan
	}
	return plan.Held(gateNames(t.findings))
}

// heldBack is held for one container.
func (g *Governor) heldBack(t *tick, id string) string {
	if held := g.held(t); held != "" || !t.waits[id] {
		return held
	}
	return GateBreaker
}

// ordered makes a flight of every removal of the plan.
func (g *Governor) ordered(t *tick) []*flight {
	var batch []*flight
	verb, trial := g.firstVerb(t)
	for _, v := range t.plan.Verdicts {
		if v.Verdict != contract.VerdictRemove || g.flights[v.ID] != nil {
			continue
		}
		f := &flight{order: g.order(t, v), verb: verb, key: key(v.Name, labelsOf(t.inv, v.ID))}
		if before, owed := g.owed[v.ID]; owed && verb == contract.ActionThrottle {
			f.verb, f.order.Before = contract.ActionRemove, &before
		}
		if trial && f.verb == contract.ActionThrottle {
			verb = contract.ActionRemove // for the rest
		}
		batch = append(batch, f)
	}
	slices.Reverse(batch) // the farthest from the cut first
	return batch
}

// throttleAgain is how many ticks lie between two attempts to throttle on an engine that could not.
const throttleAgain = 30

// firstVerb is what is done first to a victim. On a trial that is for one of them only.
func (g *Governor) firstVerb(t *tick) (verb string, trial bool) {
	switch lacks := g.noThrottle.why != ""; {
	case g.Policy.Mode == contract.ModeShadow || t.plan.Surprise:
		return contract.ActionShadowRemove, false
	case g.Policy.Act.Ladder[0] != contract.RungThrottle, lacks && t.n-g.noThrottle.tick < throttleAgain:
		return contract.ActionRemove, false
	default:
		return contract.ActionThrottle, lacks
	}
}

// order is what an actuator has to know of a victim.
func (g *Governor) order(t *tick, v contract.Verdict) actuator.Order {
	return actuator.Order{
		ActionID: actionID(t.n, v.ID, nonce()), Tick: t.n, Sequence: t.plan.Sequence, Victim: v, Suite: g.Suite.Name,
		ClassLabel:   labelsOf(t.inv, v.ID)[contract.LabelClass],
		MinAvailable: minAvailableOf(g.Policy, *t.plan, v), Act: g.Policy.Act, Rungs: withoutThrottle(g.Policy.Act.Ladder),
	}
}

func nonce() string { return rand.Text()[:8] }

func labelsOf(inv *contract.Inventory, id string) map[string]string {
	if e := inv.Entry(id); e != nil {
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

// freeUnwanted gives the throttled victims their limits back that nobody is going to remove any more. That takes nothing
// from anybody, so that a failing gate does not keep it back.
func (g *Governor) freeUnwanted(t *tick) {
	for _, f := range g.flights.in(stageHeld) {
		if g.Policy.Mode != contract.ModeEnforce || !wants(t.plan, f.order.Victim.ID) {
			g.release(f)
		}
	}
}

// spareUnwanted calls off what waits for a free hand and is protected or not ours any more, remains included.
func (g *Governor) spareUnwanted(t *tick) {
	queue := g.queue
	g.queue = nil
	for _, f := range queue {
		if f.verb == contract.ActionUnthrottle || wants(t.plan, f.order.Victim.ID) {
			g.queue = append(g.queue, f)
			continue
		}
		g.refuse(f, "the policy does not want it removed any more")
	}
}

// wants says whether a container that was chosen before is still to go by the plan of now, which sees it as leaving unless
// something weighs more. What the plan does not know is gone, or cannot be judged: the last look decides about it.
func wants(plan *contract.Plan, id string) bool {
	if plan == nil {
		return true
	}
	i := slices.IndexFunc(plan.Verdicts, func(v contract.Verdict) bool { return v.ID == id })
	return i < 0 || plan.Verdicts[i].Verdict == contract.VerdictRemove || plan.Verdicts[i].Reason == contract.ReasonLeaving
}

// nextRungs takes the throttled victims whose time is over to their end, no more at a time than the caps allow: they may
// have waited behind a gate.
func (g *Governor) nextRungs(t *tick) []*flight {
	if t.plan.Surprise {
		return nil
	}
	g.kills = lastMinute(g.kills, t.at)
	budget := min(g.Policy.Caps.PerTick, g.Policy.Caps.PerMinute-len(g.kills))
	var due []*flight
	for _, f := range g.flights.in(stageHeld) {
		if t.n < f.due || len(due) >= budget {
			continue
		}
		before, lowered := f.order.Before, f.order.Lowered
		f.order = g.order(t, f.order.Victim)
		f.order.Before, f.order.Lowered, f.verb = before, lowered, contract.ActionRemove
		due = append(due, f)
	}
	return due
}

// lastMinute are those of the times that lie within the minute before now: the span of contract.Caps.PerMinute.
func lastMinute(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
}

// writeDown makes the intents durable, first in the journal, then in the spool: whoever dies in between finds at its next
// start what the spool has not got. If either fails nothing is done.
func (g *Governor) writeDown(t *tick, batch []*flight) error {
	records := g.decisionRecords(t)
	var intents []journal.Intent
	for _, f := range batch {
		if f.verb == contract.ActionRemove { // that of a throttle is written by the actuator, once it knows what the limit was
			intents = append(intents, intentOf(f.order, f.verb))
		}
	}
	first, err := g.writeIntents(intents)
	if err != nil {
		t.failStorage(GateJournal, err)
		return err
	}

	told := g.intentRecords(batch, first)
	if err := g.append(append(records, told...)...); err != nil {
		t.failStorage(GateSpool, err)
		g.offerAgain(told)
		g.refuseAll(batch, "the intent could not be recorded: "+err.Error())
		return err
	}
	g.decisionsTold(t)
	return nil
}

// writeIntents returns the number of the first of them in the journal.
func (g *Governor) writeIntents(intents []journal.Intent) (first uint64, err error) {
	if len(intents) == 0 {
		return 0, nil
	}
	first, err = g.Journal.Intent(intents...)
	return first, g.noteJournal(err)
}

// intentRecords are the records of the intents that stand in the journal from the given number on, and of what only the
// shadow does.
func (g *Governor) intentRecords(batch []*flight, seq uint64) (records []contract.Record) {
	for _, f := range batch {
		if f.verb == contract.ActionThrottle {
			continue
		}
		r := g.actionRecord(f, contract.PhaseIntent, actuator.Result{})
		if f.verb == contract.ActionRemove {
			r.JournalSeq = seq
			seq++
		}
		records = append(records, r)
	}
	return records
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

// launch puts a flight into the queue. A victim counts once, with its first rung.
func (g *Governor) launch(t *tick, f *flight) {
	if f.verb == contract.ActionRemove {
		g.kills = append(g.kills, t.at)
	}
	if f.verb != contract.ActionShadowRemove && !f.counted {
		g.removals, f.counted = append(g.removals, t.at), true
	}
	f.stage = stageQueued
	g.flights[f.order.Victim.ID] = f
	g.queue = append(g.queue, f)
}

// refuseAll ends intents that will not be followed.
func (g *Governor) refuseAll(batch []*flight, why string) {
	for _, f := range batch {
		if f.verb != contract.ActionThrottle {
			g.writeEnd(f, actuator.Result{Outcome: contract.OutcomeRefused, Why: why})
		}
	}
}
