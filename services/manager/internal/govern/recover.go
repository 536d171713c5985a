package govern

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source"
)

// recoverEarlierRun takes over what an earlier run left: records that its spool has not got, and actions that it left
// open. It returns when no action is open any more, or none that another list of the engine would say more of.
func (g *Governor) recoverEarlierRun(ctx context.Context) {
	g.reporter.appendEvents(g.options.First...)
	g.reporter.recordRules()
	g.reporter.recordBacklog(g.options.Backlog)
	g.executor.recoverInFlight(g.options.Recovered)
	g.steps.recover(g.options.Recovered)
	g.noticer.recover(g.options.Recovered.Open)
	g.verifyRecovered(ctx)
}

// recordBacklog gives the spool the records that an earlier run wrote into the journal alone, with what the journal
// knows of them: the removals decided, the intents, the outcomes, and the observations of the last tick.
func (r *reporter) recordBacklog(b Backlog) {
	var records []contract.Record
	for _, e := range b.Entries {
		records = append(records, r.recordsOf(b, e)...)
	}
	if last := b.LastTick; last != nil && last.Seq > b.Observations {
		records = append(records, r.observationsOf(*last)...)
	}
	if len(records) == 0 {
		return
	}

	// The figures came from where those of the last tick came from, as far as the journal knows.
	for i := range records {
		records[i].Source = ""
		if b.LastTick != nil {
			records[i].Source = b.LastTick.Tick.Population.Source
		}
	}
	r.appendEvents(records...)
	r.event("caught_up", contract.LevelWarn, "an earlier run ended before it could record all it had written into the journal: that is recorded now",
		map[string]any{"records": len(records)})
}

// recordsOf are the records of events of one line of the journal.
func (r *reporter) recordsOf(b Backlog, e journal.Entry) []contract.Record {
	switch {
	case e.Tick != nil:
		return r.decisionsOf(e)

	case e.Intent != nil && e.Intent.Action == contract.ActionWarn:
		if e.Intent.Notice == nil || e.Intent.ActionID != e.Intent.NoticeID() {
			return nil // the first intent of a notice has its record
		}
		record := r.noticeRecord(*e.Intent, e.At)
		record.JournalSeq = e.Seq
		return []contract.Record{record}

	case e.Intent != nil && ofVersion2(*e.Intent):
		return []contract.Record{r.stepOf(e, e.Intent, contract.PhaseIntent, actuator.StepResult{})}

	case e.Intent != nil && e.Intent.Action != contract.ActionThrottle: // a throttle is recorded when it is done
		return []contract.Record{r.actionOf(e, *e.Intent, contract.PhaseIntent, actuator.Result{}, 0)}

	case e.Outcome != nil:
		o := e.Outcome
		i, known := b.Intents[o.ActionID]
		if !known || i.Action == contract.ActionWarn {
			return nil // damaged: nobody knows whose outcome it is; or that of a notice, which has no record
		}

		if ofVersion2(i) {
			step := actuator.StepResult{Outcome: o.Outcome, Rung: o.Rung, Attempts: o.Attempts, Took: durationOf(o.LatencyUS), VolumesLeft: o.AnonymousVolumes, Why: o.Error}
			return []contract.Record{r.stepOf(e, &i, contract.PhaseOutcome, step)}
		}

		result := actuator.Result{Outcome: o.Outcome, Rung: o.Rung, Attempts: o.Attempts, Took: durationOf(o.LatencyUS)}
		if o.Error != "" {
			result.Err = errors.New(o.Error)
		}
		return []contract.Record{r.actionOf(e, i, contract.PhaseOutcome, result, o.AnonymousVolumes)}

	default:
		return nil
	}
}

func (r *reporter) actionOf(e journal.Entry, i journal.Intent, phase string, result actuator.Result, volumes int) contract.Record {
	record := r.actionRecord(&removal{order: orderOf(i), verb: i.Action, volumes: volumes}, phase, result)
	record.Time, record.JournalSeq = e.At, e.Seq
	return record
}

// stepOf is the record of a step of a plan of version 2. Where the policy has changed since, its rule is not known by name.
func (r *reporter) stepOf(e journal.Entry, i *journal.Intent, phase string, result actuator.StepResult) contract.Record {
	rule, steps := r.loop.ruleOf(i.Rule)
	record := stepRecord(r.source, i, rule, steps, phase, result)
	record.Time, record.JournalSeq = e.At, e.Seq
	return record
}

// decisionsOf are the removals that a tick decided. The other verdicts are recorded anew: this run has recorded none
// yet.
func (r *reporter) decisionsOf(e journal.Entry) (records []contract.Record) {
	t, ok := tickOf(e)
	if !ok {
		return nil
	}

	for _, v := range t.plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			records = append(records, contract.NewRecord(t.at, t.n, "", r.decisionBody(v, t)))
		}
	}

	if n := len(records); n > 0 {
		records[n-1].JournalSeq = e.Seq
	}
	return records
}

func (r *reporter) observationsOf(e journal.Entry) []contract.Record {
	t, ok := tickOf(e)
	if !ok {
		return nil
	}
	records := append([]contract.Record{r.hostRecord(t)}, r.containerRecords(t)...)
	records[len(records)-1].JournalSeq = e.Seq
	return records
}

// tickOf is the tick as the journal knows it.
func tickOf(e journal.Entry) (*tick, bool) {
	plan, err := e.Tick.Decoded()
	if err != nil {
		return nil, false
	}

	t := &tick{
		n: e.Tick.Context.Tick, at: e.At, pop: &e.Tick.Population, inv: &e.Tick.Inventory, plan: &plan, context: e.Tick.Context,
		shadow: e.Tick.Shadow, reading: source.Reading{Snapshot: &contract.Snapshot{}}, journalSeq: e.Seq, earlier: true,
	}
	t.addShadow()
	t.timings.DataAgeUS = e.Tick.DataAgeUS
	for _, name := range e.Tick.Gates {
		t.failures = append(t.failures, gateFailure{gate: name})
	}
	return t, true
}

// addShadow makes population and inventory those of the host, which the plan was not made from. Both stay sorted:
// whoever looks for an id halves the list.
func (t *tick) addShadow() {
	for _, s := range t.shadow {
		t.inv.Entries = append(t.inv.Entries, s.Entry)
		if s.Member != nil {
			t.pop.Members = append(t.pop.Members, *s.Member)
		}
	}
	slices.SortFunc(t.inv.Entries, func(a, b contract.Entry) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(t.pop.Members, func(a, b contract.Member) int { return strings.Compare(a.ID, b.ID) })
}

// recoverInFlight puts in flight what an earlier run of the manager left open. What became of it is seen in the first
// inventory.
func (e *executor) recoverInFlight(recovered journal.Recovery) {
	for _, i := range recovered.Throttled {
		if ofVersion2(i) {
			continue
		}
		e.inFlight[i.Container] = e.recoveredRemoval(i, contract.ActionUnthrottle)
	}

	for _, i := range recovered.Open {
		switch {
		case ofVersion2(i):

		case i.Action == contract.ActionRemove:
			r := e.recoveredRemoval(i, contract.ActionRemove)
			if old := e.inFlight[i.Container]; old != nil {
				r.order.Before = old.order.Before
			}
			e.inFlight[i.Container] = r

		case i.Undo != nil:
			e.inFlight[i.Container] = e.recoveredRemoval(i, contract.ActionUnthrottle)
			e.closeThrottle(i)
		}
	}

	if n := len(e.inFlight); n > 0 {
		e.reporter.event("recovered", contract.LevelWarn,
			"an earlier run left actions open: they are verified against the engine and closed", map[string]any{"open": n})
	}
}

// closeThrottle closes what is open of a throttle. It counts as done: the undo that follows is right either way.
func (e *executor) closeThrottle(i journal.Intent) {
	result := actuator.Result{Outcome: contract.OutcomeDone}
	if i.Action == contract.ActionUnthrottle {
		result.Outcome = contract.OutcomeFailed
	}
	e.writeOutcome(e.recoveredRemoval(i, i.Action), result)
}

func (e *executor) recoveredRemoval(i journal.Intent, verb string) *removal {
	r := &removal{order: orderOf(i), stage: stageUnverified, verb: verb, recovered: true, since: time.Now(), key: keyOfName(i.Name)}
	r.order.Suite, r.order.Act = e.suite.Name, e.loop.policy.Act
	return r
}

// orderOf is the order as the journal's intent knows it.
func orderOf(i journal.Intent) actuator.Order {
	o := actuator.Order{
		ActionID: i.ActionID, Tick: i.Tick, Sequence: i.Sequence,
		Victim: contract.Verdict{
			ID: i.Container, Name: i.Name, Image: contract.ImageName(i.Image), Class: i.Class, Reason: i.Reason, StartedAt: i.StartedAt,
		},
	}
	if i.Undo != nil {
		before := limitOf(i.Undo)
		o.Before = &before
	}
	return o
}

// recoverEvery is how often the engine is asked what became of the actions that an earlier run left open.
const recoverEvery = time.Second

// verifyRecovered verifies what an earlier run left open against the engine and closes it, before the first tick. A
// container that runs may still die of a kill that was asked for: it is watched until that can be no more, and so long
// the first tick waits, but not for a stop: that may take minutes, in which its container is leaving. What does not run is
// removed, as it was meant to be, unless the policy of now does not want that.
func (g *Governor) verifyRecovered(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for until := time.Now().Add(killGrace + recoverEvery); len(g.executor.inFlight) > 0 && time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return

		case c := <-g.executor.completions:
			g.executor.handleResult(c)
			if g.executor.active == 0 {
				timer.Reset(0)
			}

		case <-timer.C:
			if !g.verifyOnce(ctx) {
				return
			}
			timer.Reset(recoverEvery)
		}
	}
}

// verifyOnce compares what was left open with the engine's list and says whether another list will say more.
func (g *Governor) verifyOnce(ctx context.Context) (more bool) {
	ctx, cancel := context.WithTimeout(ctx, g.observer.readTimeout())
	defer cancel()
	inv, err := g.observer.engine.List(ctx)
	if err != nil {
		return true
	}

	t := g.newTick(time.Now())
	t.inv = &inv
	t.context = g.decider.context(t, g.executor.state(t.at))
	plan := rules.DecideV1(g.decider.program, contract.Population{}, inv, t.context) // without figures it chooses nobody
	t.plan = &plan

	g.readStopWaits(ctx, &inv)
	for _, r := range g.executor.inFlight.in(stageUnverified) {
		g.executor.verify(r, inv.Entry(r.order.Victim.ID))
	}
	g.executor.cancelUnwanted(t)
	g.executor.dispatch()

	for id, r := range g.executor.inFlight {
		if r.stage != stageUnverified || mayEnd(inv.Entry(id)) {
			return true
		}
	}
	return false
}

// readStopWaits finds out how long the engine may still be waiting for containers that the earlier run may have told to stop.
// One that cannot be inspected has the longest wait.
func (g *Governor) readStopWaits(ctx context.Context, inv *contract.Inventory) {
	act := g.loop.policy.Act
	if !slices.Contains(act.Ladder, contract.RungStop) {
		return
	}

	var stopping []*removal
	var entries []*contract.Entry
	for _, r := range g.executor.inFlight.in(stageUnverified) {
		entry := inv.Entry(r.order.Victim.ID)
		if r.recovered && r.verb == contract.ActionRemove && r.stopUntil.IsZero() && entry != nil {
			stopping, entries = append(stopping, r), append(entries, entry)
		}
	}

	for i, state := range inspectAll(ctx, g.observer.engine, entries) {
		own := state.StopTimeout
		if state.ID == "" {
			own = -1
		}
		stopping[i].stopUntil = stopping[i].since.Add(actuator.StopWait(own, act))
	}
}

// mayEnd says whether the container may still come to another end by itself.
func mayEnd(e *contract.Entry) bool {
	return e != nil && (contract.StateAlive(e.State) || e.State == contract.StateRemoving)
}
