package govern

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policy"
)

// decide asks the policy and writes inputs and plan into the journal. Without a population or an inventory there is
// nothing to ask about, and only the tick's number is written.
func (g *Governor) decide(t *tick) {
	if t.pop == nil || t.inv == nil {
		_ = g.noteJournal(g.Journal.NoPlan(journal.NoPlan{Tick: t.n, Gates: gateNames(t.findings)})) // told by its gate on the next tick
		return
	}
	began := time.Now()
	pop, inv, shadow := g.shadowed(*t.pop, *t.inv)
	t.shadow = shadow
	t.context = g.context(t)
	plan := policy.Decide(g.Policy, pop, inv, t.context)
	t.plan = &plan
	t.timings.DecideUS = micros(time.Since(began))
	if now := g.Boottime(); now > pop.MonotonicUS {
		t.timings.DataAgeUS = now - pop.MonotonicUS
	}
	entry := journal.Tick{
		Population: pop, Inventory: inv, Context: t.context, Shadow: shadow, Gates: gateNames(t.findings), DataAgeUS: t.timings.DataAgeUS,
	}
	seq, err := g.Journal.Tick(g.Policy, entry, plan)
	if g.noteJournal(err) == nil {
		t.journalSeq = seq
	} else if t.clear() {
		t.failStorage(GateJournal, err)
	}
}

// context is the manager's memory as the policy may see it.
func (g *Governor) context(t *tick) contract.Context {
	g.removals = lastMinute(g.removals, t.at)
	return contract.Context{
		Tick: t.n, Suite: g.Suite.Name, SuiteIDs: g.suiteIDs, Leaving: g.flights.leaving(),
		Stuck: slices.Sorted(maps.Keys(g.stuck)), FutileNames: t.futile, RemovedLastMinute: len(g.removals),
		PolicyChanged: g.policyChanged, SurpriseSeen: g.surpriseSeen,
	}
}

// shadowed is the population without those that shadow mode has "removed", and these by themselves, as they are now. Elsewhere
// it is the population itself.
func (g *Governor) shadowed(pop contract.Population, inv contract.Inventory) (contract.Population, contract.Inventory, []journal.Shadowed) {
	for id := range g.shadowGone {
		if inv.Entry(id) == nil {
			delete(g.shadowGone, id)
		}
	}
	if g.Policy.Mode != contract.ModeShadow || len(g.shadowGone) == 0 {
		return pop, inv, nil
	}

	gone := make(map[string]*journal.Shadowed, len(g.shadowGone))
	for id, s := range g.shadowGone {
		s.Entry = *inv.Entry(id)
		gone[id] = &s
	}
	pop.Members = slices.DeleteFunc(slices.Clone(pop.Members), func(m contract.Member) bool {
		s := gone[m.ID]
		if s != nil {
			s.Member = &m
		}
		return s != nil
	})
	inv.Entries = slices.DeleteFunc(slices.Clone(inv.Entries), func(e contract.Entry) bool { return gone[e.ID] != nil })

	var shadow []journal.Shadowed
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		shadow = append(shadow, *gone[id])
	}
	return pop, inv, shadow
}

// gateNames lists the gates that failed in the order of GateNames, each once.
func gateNames(findings []finding) []string {
	var names []string
	for _, name := range GateNames() {
		if slices.ContainsFunc(findings, func(f finding) bool { return f.gate == name }) {
			names = append(names, name)
		}
	}
	return names
}

// actionID is unique for ever: a journal that was lost would count ticks from 1 again.
func actionID(tick uint64, id, nonce string) string {
	const short = 12
	return strconv.FormatUint(tick, 10) + "-" + id[:min(short, len(id))] + "-" + nonce
}
