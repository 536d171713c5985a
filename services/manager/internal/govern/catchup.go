package govern

import (
	"errors"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
)

// Backlog is what the journal of an earlier run holds and its spool does not: that run was killed in between.
type Backlog struct {
	journal.Backlog
	// Observations is the journal's last line whose observations the spool has.
	Observations uint64
}

// catchUp gives the spool the records that an earlier run wrote into the journal alone, with what the journal knows of
// them: the removals decided, the intents, the outcomes, and the observations of the last tick.
func (g *Governor) catchUp() {
	var records []contract.Record
	for _, e := range g.Backlog.Entries {
		records = append(records, g.recordsOf(e)...)
	}
	if last := g.Backlog.LastTick; last != nil && last.Seq > g.Backlog.Observations {
		records = append(records, g.observationsOf(*last)...)
	}
	if len(records) == 0 {
		return
	}

	for i := range records {
		records[i].Source = g.sourceThen()
	}
	g.keep(records...)
	g.event("caught_up", levelWarn, "an earlier run ended before it could record all it had written into the journal: that is recorded now",
		map[string]any{"records": len(records)})
}

// sourceThen is where the figures of the earlier run came from, as far as its last tick tells.
func (g *Governor) sourceThen() string {
	if g.Backlog.LastTick == nil {
		return ""
	}
	return g.Backlog.LastTick.Tick.Population.Source
}

// recordsOf are the records of events of one line of the journal.
func (g *Governor) recordsOf(e journal.Entry) []contract.Record {
	switch {
	case e.Tick != nil:
		return g.decisionsOf(e)
	case e.Intent != nil && e.Intent.Action != contract.ActionThrottle: // a throttle is recorded when it is done
		return []contract.Record{g.actionOf(e, *e.Intent, contract.PhaseIntent, actuator.Result{}, 0)}
	case e.Outcome != nil:
		i, known := g.Backlog.Intents[e.Outcome.ActionID]
		if !known {
			return nil // damaged: nobody knows whose outcome it is
		}
		o := e.Outcome
		r := actuator.Result{Outcome: o.Outcome, Rung: o.Rung, Attempts: o.Attempts, Took: time.Duration(o.LatencyUS) * time.Microsecond} //nolint:gosec // was one
		if o.Error != "" {
			r.Err = errors.New(o.Error)
		}
		return []contract.Record{g.actionOf(e, i, contract.PhaseOutcome, r, o.AnonymousVolumes)}
	default:
		return nil
	}
}

func (g *Governor) actionOf(e journal.Entry, i journal.Intent, phase string, r actuator.Result, volumes int) contract.Record {
	f := g.resumed(i, i.Action)
	f.volumes = volumes
	record := g.actionRecord(f, phase, r)
	record.Time, record.JournalSeq = e.At, e.Seq
	return record
}

// decisionsOf are the removals that a tick decided. The other verdicts are told anew: this run has told none yet.
func (g *Governor) decisionsOf(e journal.Entry) (records []contract.Record) {
	t, ok := tickOf(e)
	if !ok {
		return nil
	}
	for _, v := range t.plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			records = append(records, contract.NewRecord(t.at, t.n, "", g.decisionBody(v, t)))
		}
	}
	if n := len(records); n > 0 {
		records[n-1].JournalSeq = e.Seq
	}
	return records
}

func (g *Governor) observationsOf(e journal.Entry) []contract.Record {
	t, ok := tickOf(e)
	if !ok {
		return nil
	}
	records := append([]contract.Record{g.hostRecord(t)}, g.containerRecords(t)...)
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
		shadow: e.Tick.Shadow, reading: source.Reading{Snapshot: &contract.Snapshot{}}, journalSeq: e.Seq,
	}
	t.addShadow()
	t.timings.DataAgeUS = e.Tick.DataAgeUS
	for _, name := range e.Tick.Gates {
		t.findings = append(t.findings, finding{gate: name})
	}
	return t, true
}

// addShadow makes population and inventory those of the host, which the plan was not made from.
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
