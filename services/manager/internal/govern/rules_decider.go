package govern

import (
	"cmp"
	"context"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// rulesDecider asks a policy of version 2 for its plan, which nobody carries out: it is recorded and shown. It owns the facts
// and the memory, which live in this process alone: what only time can tell begins anew with each start.
type rulesDecider struct {
	loop      *loopState
	journaler *journaler
	inspector actuator.Inspector
	network   NetworkCounter // nil: nobody's traffic is known
	suite     Suite
	host      string
	boottime  func() uint64

	// The following fields are nil, or their zero values, under a policy of version 1.
	policy  *policy2.Policy // which program is made of
	program *rules.Program
	memory  rules.Memory
	builder *facts.Builder
	bootID  string // of the last reading
}

func newRulesDecider(o Options, loop *loopState, j *journaler) *rulesDecider {
	d := &rulesDecider{
		loop: loop, journaler: j, inspector: o.Engine, network: o.Network, suite: o.Suite, host: o.Host, boottime: o.Boottime,
	}
	d.takePolicy()
	return d
}

// takePolicy takes over the policy in force. Between two policies of version 2 what is known of the containers stays; what
// belongs to a rule is remembered under its hash.
func (d *rulesDecider) takePolicy() {
	v := d.loop.version2
	switch {
	case v == nil:
		d.policy, d.program, d.memory, d.builder, d.bootID = nil, nil, rules.Memory{}, nil, ""
		if d.network != nil {
			d.network.Read(nil)
		}
		return

	case d.builder == nil:
		d.builder = facts.New(facts.Options{})
	}
	d.policy, d.program = &v.Policy, rules.New(v.Policy)
}

// decide makes the plan of the tick and what is remembered of it. Without an inventory, or before the first reading of this
// start, there is nothing to decide on. The journal gets the number of the tick.
func (d *rulesDecider) decide(ctx context.Context, t *tick, e executorState) {
	defer d.journaler.noPlan(journal.NoPlan{Tick: t.n, Gates: failedGates(t.failures), Version2: d.loop.policyHash})
	if t.pop != nil {
		d.bootID = cmp.Or(t.reading.Snapshot.BootID, t.reading.Snapshot.Instance)
	}
	if t.inv == nil || d.bootID == "" {
		return
	}

	began := time.Now()
	f := d.facts(ctx, t, e)
	plan := rules.Decide(d.program, d.memory, &f)
	d.memory = rules.Remember(d.program, d.memory, &f, plan, nil)

	t.ruled = &ruled{
		View:  planview.View{Host: d.host, Source: t.reading.Source, Policy: *d.policy, Facts: &f, Plan: plan},
		texts: planview.NewTexts(*d.policy, &f),
	}
	t.timings.DecideUS = micros(time.Since(began))
	if now := d.boottime(); t.pop != nil && now > t.pop.MonotonicUS {
		t.timings.DataAgeUS = now - t.pop.MonotonicUS
	}
}

// facts are those of the tick. Who is new or has changed is inspected, unless the inventory of the tick has done so.
func (d *rulesDecider) facts(ctx context.Context, t *tick, e executorState) rules.Facts {
	in := facts.Tick{
		Number: t.n, Population: t.pop, Inventory: *t.inv, Suite: facts.SuiteOf(d.suite.Name, d.suite.ManagerID, t.suiteIDs, *t.inv),
		Leaving: e.leaving, Stuck: e.stuck, Futile: t.futile,
	}
	if t.pop != nil {
		in.Snapshot = t.reading.Snapshot
	}

	ask := d.builder.Observe(*t.inv, in.Snapshot)
	d.builder.Inspected(d.inspect(ctx, t, ask))
	if d.network != nil {
		in.Network = d.network.Read(d.builder.Counted(in.Snapshot, in.Population, facts.AsksIdle(d.policy, in.Suite)))
	}

	// Last: the clocks are those of the moment at which all is read.
	in.Clocks = facts.Reading{BootID: d.bootID, BootUS: d.boottime(), WallUS: time.Now().UnixMicro()}
	f := d.builder.Facts(in)
	f.InForce = d.inForce(t)
	return f
}

// inspect inspects those of whom the tick does not know yet, until the time of the tick's engine calls is over.
func (d *rulesDecider) inspect(ctx context.Context, t *tick, ids []string) map[string]engine.ContainerState {
	states, missing := make(map[string]engine.ContainerState, len(ids)), ids[:0:0]
	for _, id := range ids {
		if state, ok := t.inspected[id]; ok {
			states[id] = state
		} else {
			missing = append(missing, id)
		}
	}

	ctx, cancel := context.WithDeadline(ctx, t.engineUntil)
	defer cancel()
	for id, state := range facts.Inspect(ctx, d.inspector, missing) {
		states[id] = state
	}
	return states
}

// inForce is what allows or forbids to act. DryRun, whatever the mode: no ladder moves where no step is taken.
func (d *rulesDecider) inForce(t *tick) rules.InForce {
	v := d.loop.version2
	f := rules.Approval(v.Policy, v.Approved)
	f.Gates, f.DryRun = failedGates(t.failures), true
	return f
}
