package govern

import (
	"context"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// decider asks a policy of version 1 for a plan. It owns what one plan has to know of those before it.
type decider struct {
	loop      *loopState
	journaler *journaler
	suite     Suite
	boottime  func() uint64

	program       *rules.Program // of the policy in force, or of what one of version 2 says of the loop itself
	policyChanged bool           // the next plan is the first under another policy
	surpriseSeen  bool           // the last plan was a surprise
	// shadowRemoved are those that mode shadow has "removed", without what changes from tick to tick.
	shadowRemoved map[string]journal.Shadowed
}

func newDecider(o Options, loop *loopState, j *journaler) *decider {
	return &decider{
		loop: loop, journaler: j, suite: o.Suite, boottime: o.Boottime, program: rules.Compile(loop.policy),
		shadowRemoved: make(map[string]journal.Shadowed),
	}
}

// resetForPolicy takes over the policy in force, and forgets what held under the one before.
func (d *decider) resetForPolicy() {
	d.program, d.policyChanged = rules.Compile(d.loop.policy), true
	clear(d.shadowRemoved)
}

// addShadowRemoved takes a container out of the population of mode shadow, until it is gone from the host.
func (d *decider) addShadowRemoved(id string, s journal.Shadowed) { d.shadowRemoved[id] = s }

// decide asks the policy and writes inputs and plan into the journal. Without a population or an inventory there is
// nothing to ask about, and only the tick's number is written.
func (d *decider) decide(_ context.Context, t *tick, e executorState) {
	if t.pop == nil || t.inv == nil {
		d.journaler.noPlan(journal.NoPlan{Tick: t.n, Gates: failedGates(t.failures)})
		return
	}

	began := time.Now()
	pop, inv, shadow := d.withoutShadowRemoved(*t.pop, *t.inv)
	t.shadow = shadow
	t.context = d.context(t, e)
	plan := rules.DecideV1(d.program, pop, inv, t.context)
	t.plan = &plan
	t.timings.DecideUS = micros(time.Since(began))
	if now := d.boottime(); now > pop.MonotonicUS {
		t.timings.DataAgeUS = now - pop.MonotonicUS
	}

	// A plan that the journal has not got is not carried out: nobody could explain it later. Where the tick is gated
	// anyway the gate of the journal says so on the next one.
	seq, err := d.journaler.tick(journal.Tick{
		Population: pop, Inventory: inv, Context: t.context, Shadow: shadow, Gates: failedGates(t.failures), DataAgeUS: t.timings.DataAgeUS,
	}, plan)
	if err == nil {
		t.journalSeq = seq
	} else if !t.gated() {
		t.failStorage(GateJournal, err)
	}

	// Only a plan that nothing keeps from being carried out is the first under its policy, or the surprise that the
	// next one confirms.
	if !t.gated() {
		d.policyChanged, d.surpriseSeen = false, plan.Surprise
	}
}

// context is the manager's memory as the policy may see it.
func (d *decider) context(t *tick, e executorState) contract.Context {
	return contract.Context{
		Tick: t.n, Suite: d.suite.Name, SuiteIDs: t.suiteIDs, Leaving: e.leaving, Stuck: e.stuck, FutileNames: t.futile,
		RemovedLastMinute: e.removedLastMinute, PolicyChanged: d.policyChanged, SurpriseSeen: d.surpriseSeen,
	}
}

// withoutShadowRemoved is the population without those that shadow mode has "removed", and these by themselves, as they
// are now. Elsewhere it is the population itself.
func (d *decider) withoutShadowRemoved(pop contract.Population, inv contract.Inventory) (contract.Population, contract.Inventory, []journal.Shadowed) {
	for id := range d.shadowRemoved {
		if inv.Entry(id) == nil {
			delete(d.shadowRemoved, id)
		}
	}
	if d.loop.policy.Mode != contract.ModeShadow || len(d.shadowRemoved) == 0 {
		return pop, inv, nil
	}

	removed := make(map[string]*journal.Shadowed, len(d.shadowRemoved))
	for id, s := range d.shadowRemoved {
		s.Entry = *inv.Entry(id)
		removed[id] = &s
	}

	// The lists are cloned: the tick's records speak of everybody who is on the host.
	pop.Members = slices.DeleteFunc(slices.Clone(pop.Members), func(m contract.Member) bool {
		s := removed[m.ID]
		if s != nil {
			s.Member = &m
		}
		return s != nil
	})
	inv.Entries = slices.DeleteFunc(slices.Clone(inv.Entries), func(e contract.Entry) bool { return removed[e.ID] != nil })

	var shadow []journal.Shadowed
	for _, id := range slices.Sorted(maps.Keys(removed)) {
		shadow = append(shadow, *removed[id])
	}
	return pop, inv, shadow
}
