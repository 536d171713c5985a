package govern

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// report ends the tick: conditions, records, sinks.
func (g *Governor) report(t *tick) {
	g.raise(t)
	g.tellDeficits(t)
	observations := append([]contract.Record{g.hostRecord(t)}, g.containerRecords(t)...)
	observations[len(observations)-1].JournalSeq = t.journalSeq
	if g.append(slices.Concat(t.records, g.decisionRecords(t), observations)...) == nil {
		g.decisionsTold(t)
	} else { // figures of a moment are not worth offering again, and decisions are made out anew
		g.offerAgain(t.records)
	}
	r := &Report{
		Tick: t.n, At: t.at, Mode: g.Policy.Mode, Policy: g.Policy, Source: t.reading.Source, Population: t.pop,
		Inventory: t.inv, Plan: t.plan, Shadow: t.shadow, Gates: gateNames(t.findings), Held: g.held(t), Conditions: g.board.list(), Timings: t.timings,
		Skipped: t.skipped, Orders: t.orders, InFlight: len(g.flights), Stuck: len(g.stuck),
		Breaker: g.breaker.state(t.at), Spool: g.Spool.Stats(), Journal: g.Journal.Size(),
		LogsElsewhere: g.Suite.LogsElsewhere,
	}
	for _, s := range g.Sinks {
		s.OnTick(r)
	}
}

// raise brings the board up to date and records what began, became an alarm or ended.
func (g *Governor) raise(t *tick) {
	limits := g.Policy.Gates
	var changes []change
	hold := func(c Condition, degraded, alarm int) {
		if ch, changed := g.board.raise(c, t.at, degraded, alarm); changed {
			changes = append(changes, ch)
		}
	}
	for _, f := range t.findings {
		f.next = cmp.Or(f.next, g.Suite.advice(f.gate))
		hold(gateCondition(f), limits.DegradedAfter, limits.AlarmAfter)
	}
	for _, c := range g.troubles(t) {
		hold(c, 0, 0)
	}
	for _, ch := range append(changes, g.board.sweep()...) {
		g.tellChange(t, ch)
	}
}

// condition words a condition: what is the matter, then the next step.
func condition(name, why string, gate bool) Condition {
	w := wordingOf(name)
	return Condition{Name: name, Title: w.title, Text: why + "; next: " + w.next, Gate: gate}
}

// gateCondition words a gate that failed.
func gateCondition(f finding) Condition {
	return advised(condition(f.gate, f.why, true), f.why, f.next)
}

// advised words the condition with another next step, if there is one.
func advised(c Condition, why, next string) Condition {
	if next != "" {
		c.Text = why + "; next: " + next
	}
	return c
}

// conflictShown is long enough for somebody who looks now and then.
const conflictShown = time.Hour

// troubles are the conditions that do not keep the manager from acting.
func (g *Governor) troubles(t *tick) (out []Condition) {
	if g.policyProblem != "" {
		out = append(out, condition(ConditionPolicy, g.policyProblem, false))
	}
	if s := g.Spool.Stats(); s.LastError != "" && s.OldestAge > time.Duration(g.Policy.Tick) {
		why := fmt.Sprintf("%d of them, the oldest for %s: %s", s.Records, s.OldestAge.Round(time.Second), s.LastError)
		out = append(out, advised(condition(ConditionWaits, why, false), why, g.Suite.advice(ConditionWaits)))
	}
	if s := g.Spool.Stats(); !s.LastConflict.IsZero() && t.at.Sub(s.LastConflict) < conflictShown {
		out = append(out, condition(ConditionConflict, fmt.Sprintf("%d records were sent again under a new identity, the last at %s",
			s.Conflicts, s.LastConflict.UTC().Format(time.RFC3339)), false))
	}
	if g.noThrottle.why != "" && g.Policy.Act.Ladder[0] == contract.RungThrottle {
		out = append(out, condition(ConditionNoThrottle, g.noThrottle.why, false))
	}
	if len(g.stuck) > 0 {
		out = append(out, condition(ConditionStuck, g.named(t, slices.Sorted(maps.Keys(g.stuck))), false))
	}
	if text := g.looping(t); text != "" {
		out = append(out, condition(ConditionLoop, text, false))
	}
	if len(t.futile) > 0 {
		out = append(out, condition(ConditionFutile, strings.Join(t.futile, ", "), false))
	}
	if paused := g.lasting(g.paused); len(paused) > 0 {
		out = append(out, condition(ConditionPaused, g.named(t, paused), false))
	}
	if over := g.overElsewhere(t); len(over) > 0 {
		out = append(out, condition(ConditionManaged, shortened(over), false))
	}
	if unlocated := g.lasting(g.unlocated); len(unlocated) > 0 {
		out = append(out, condition(ConditionNoRow, fmt.Sprintf("%d: %s", len(unlocated), g.named(t, unlocated)), false))
	}
	if ended := g.ended(t); len(ended) > 0 {
		out = append(out, condition(ConditionEnded, fmt.Sprintf("%d: %s", len(ended), g.named(t, ended)), false))
	}
	return out
}

// lasting lists the containers that have been counted on so many ticks in a row that it is worth telling.
func (g *Governor) lasting(ticks map[string]int) (ids []string) {
	for id, n := range ticks {
		if n >= g.Policy.Gates.DegradedAfter {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// ended lists the governed containers that stopped without the manager's doing. Orchestrators keep what ended for a while,
// and remove it themselves.
func (g *Governor) ended(t *tick) (ids []string) {
	if t.inv == nil {
		return nil
	}
	for _, e := range t.inv.Entries {
		_, stuck := g.stuck[e.ID]
		acted := stuck || g.flights[e.ID] != nil
		if contract.StateEnded(e.State) && !acted && contract.Governed(e.Labels, g.Suite.Name) {
			ids = append(ids, e.ID)
		}
	}
	return slices.Sorted(slices.Values(ids))
}

// overElsewhere are the words on each workload of an orchestrator that has more containers than places, the largest first.
func (g *Governor) overElsewhere(t *tick) (words []string) {
	for _, s := range slices.Backward(g.texts(t).Shares) {
		if s.Over() {
			words = append(words, s.String())
		}
	}
	return words
}

// named names the first of the containers and says how many more there are.
func (g *Governor) named(t *tick, ids []string) string {
	var names []string
	for _, id := range ids {
		v := contract.Verdict{ID: id}
		if e := t.inv.Entry(id); e != nil {
			v.Name = e.Name
		}
		names = append(names, nameOf(v))
	}
	return shortened(names)
}

func (g *Governor) tellChange(t *tick, ch change) {
	what := "condition"
	if ch.Gate {
		what = "gate"
	}
	details := map[string]any{what: ch.Name, "severity": string(ch.Severity), "ticks": ch.Ticks}
	switch ch.kind {
	case changeAlarm:
		g.tickEvent(t, what+"_alarm", levelError, fmt.Sprintf("%s for %d ticks: %s", ch.Title, ch.Ticks, ch.Text), details)
	case changeEnded:
		g.tickEvent(t, what+"_end", levelInfo, fmt.Sprintf("over after %d ticks: %s", ch.Ticks, ch.Title), details)
	default:
		g.tickEvent(t, what+"_begin", levelWarn, ch.Title+": "+ch.Text, details)
	}
}

// tellDeficits records when a class begins and ceases to be short of containers.
func (g *Governor) tellDeficits(t *tick) {
	if t.plan == nil || !t.clear() {
		return
	}
	for _, c := range t.plan.Counts {
		was := g.deficits[c.Class]
		g.deficits[c.Class] = c.Deficit
		have := c.Eligible + c.ManagedElsewhere
		details := map[string]any{"class": string(c.Class), "have": have, "want": c.Quota}
		switch {
		case was == 0 && c.Deficit > 0:
			g.tickEvent(t, "deficit_begin", levelInfo, fmt.Sprintf("%d of %d %s containers: nothing is removed there", have, c.Quota, c.Class), details)
		case was > 0 && c.Deficit == 0:
			g.tickEvent(t, "deficit_end", levelInfo, fmt.Sprintf("%d %s containers again", have, c.Class), details)
		}
	}
}
