package govern

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// rulesDecider asks a policy of version 2 for its plans. It owns the facts, the governed clock, and the memory of the rules: that
// holds exactly what stands in the journal.
type rulesDecider struct {
	loop      *loopState
	journaler *journaler
	engine    actuator.HostInspector
	network   NetworkCounter // nil: nobody's traffic is known
	suite     Suite
	socket    string // of the engine on the host
	host      string
	boottime  func() uint64
	timeout   func() time.Duration // of the engine's answers on one tick

	// recovered are the memory and the facts of an earlier run, until the first policy of version 2 takes them over.
	recovered journal.Recovery
	clock     facts.Clock // while there is no builder
	// version1 is the hash of the policy of version 1 that this run had in force last, "" for none: one of version 2 that follows it is
	// another policy, whatever an earlier run left.
	version1 string

	// The following fields are nil, or their zero values, under a policy of version 1.
	policy   *policy2.Policy // which program is made of
	program  *rules.Program
	memory   rules.Memory
	builder  *facts.Builder
	bootID   string            // of the last reading
	approved *policy2.Approved // the last that stands in the journal
}

func newRulesDecider(o Options, loop *loopState, j *journaler, timeout func() time.Duration) *rulesDecider {
	d := &rulesDecider{
		loop: loop, journaler: j, engine: o.Engine, network: o.Network, suite: o.Suite, socket: o.Socket, host: o.Host, boottime: o.Boottime,
		timeout: timeout, recovered: o.Recovered,
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
		if d.builder != nil {
			d.clock = d.builder.Clock()
		}
		d.policy, d.program, d.memory, d.builder, d.bootID = nil, nil, rules.Memory{}, nil, ""
		d.version1 = d.loop.policyHash
		if d.network != nil {
			d.network.Read(nil)
		}
		return

	case d.builder == nil:
		d.begin()
	}
	d.policy, d.program = &v.Policy, rules.New(v.Policy)
}

// begin begins to observe, where an earlier run left off if it did.
func (d *rulesDecider) begin() {
	o := facts.Options{Socket: d.socket, Clock: d.clock}
	if f := d.recovered.Facts; f != nil {
		o.Before = f.Containers
		if d.clock == (facts.Clock{}) {
			o.Clock = facts.ClockOf(f)
		}
	}
	if d.recovered.Memory != nil {
		d.memory = *d.recovered.Memory
	}
	d.memory.PolicyHash = cmp.Or(d.version1, d.memory.PolicyHash)
	d.recovered, d.builder = journal.Recovery{}, facts.New(o)
}

// happened brings the memory up to date with what happened to steps: each stands in the journal.
func (d *rulesDecider) happened(events ...rules.Event) {
	if d.program != nil && len(events) > 0 {
		d.memory = rules.Remember(d.program, d.memory, nil, rules.Plan{}, events)
	}
}

func (d *rulesDecider) recheck(ids ...string) {
	if d.builder != nil {
		d.builder.Recheck(ids...)
	}
}

// now is this moment.
func (d *rulesDecider) now() stamp {
	clock := d.clock
	if d.builder != nil {
		clock = d.builder.Clock()
	}
	if clock.BootID == "" {
		return stamp{d.loop.tick, time.Now().UnixMicro()}
	}
	return stamp{d.loop.tick, max(clock.LastGUS, clock.BootGUS+int64(d.boottime()))} //nolint:gosec // of a host that is up for less than 292,000 years
}

// decide makes the plan of the tick and what is remembered of it. Without an inventory, or before the first reading of this
// start, there is nothing to decide on, and the journal gets the number of the tick.
func (d *rulesDecider) decide(ctx context.Context, t *tick, e executorState) {
	d.recordApproval(t)
	if t.pop != nil {
		d.bootID = cmp.Or(t.reading.Snapshot.BootID, t.reading.Snapshot.Instance)
	}
	if t.inv == nil || d.bootID == "" {
		d.journaler.noPlan(journal.NoPlan{Tick: t.n, Gates: failedGates(t.failures), Version2: d.loop.policyHash})
		return
	}

	began := time.Now()
	in := d.read(ctx, t, e)
	f := d.factsOf(t, in)
	plan := rules.Decide(d.program, d.memory, f)

	// A plan that the journal has not got is not carried out, nor remembered: the tick is one that was missed.
	seq, err := d.write(t, f, &plan, 1)
	if err != nil {
		t.failStorage(GateJournal, err)
	} else {
		f, plan, seq = d.lookTwice(ctx, t, in, f, plan, seq)
		d.memory = rules.Remember(d.program, d.memory, f, plan, nil)
		t.journalSeq = seq
	}
	if t.gated() {
		plan.Held = failedGates(t.failures)[0]
	}

	t.ruled = &ruled{
		View:  planview.View{Host: d.host, Source: t.reading.Source, Policy: *d.policy, Facts: f, Plan: plan},
		texts: planview.NewPlanTexts(*d.policy, f, &plan), program: d.program, memory: d.memory,
	}
	t.timings.DecideUS = micros(time.Since(began))
	if now := d.boottime(); t.pop != nil && now > t.pop.MonotonicUS {
		t.timings.DataAgeUS = now - t.pop.MonotonicUS
	}
}

// lookTwice is what counts of a tick whose first plan stands in the journal as seq. What the list of a moment ago says may be over: where
// somebody is to go it is asked for once more. If the journal has no room for what that comes to, the first plan is the one that it has:
// it is remembered and shown, and held.
func (d *rulesDecider) lookTwice(
	ctx context.Context, t *tick, in facts.Tick, f *rules.Facts, plan rules.Plan, seq uint64,
) (*rules.Facts, rules.Plan, uint64) {
	if !ending(&plan) {
		return f, plan, seq
	}

	listed := t.inv
	again := d.lookAgain(ctx, t, in)
	second := rules.Decide(d.program, d.memory, again)
	written, err := d.write(t, again, &second, 2)
	if err != nil {
		t.failStorage(GateJournal, err)
		t.inv = listed
		return f, plan, seq
	}
	return again, second, written
}

// ending says that the plan stops or removes somebody, and is carried out.
func ending(p *rules.Plan) bool {
	return slices.ContainsFunc(p.Verdicts, func(v rules.Verdict) bool {
		return severe(v.Step) && p.CarriesOut(v.Step)
	})
}

func severe(s policy2.Step) bool { return s == policy2.StepStop || s == policy2.StepRemove }

// write writes facts and plan of one look into the journal.
func (d *rulesDecider) write(t *tick, f *rules.Facts, plan *rules.Plan, look int) (seq uint64, err error) {
	return d.journaler.decision(journal.Decision{
		Program: d.program, Memory: d.memory, Facts: f, Plan: plan, Gates: failedGates(t.failures), Look: look,
	})
}

// read reads what the facts of the tick are made of. Who is new or has changed is inspected, unless the inventory of the tick has done so.
func (d *rulesDecider) read(ctx context.Context, t *tick, e executorState) facts.Tick {
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
	return in
}

func (d *rulesDecider) factsOf(t *tick, in facts.Tick) *rules.Facts {
	f := d.builder.Facts(in)
	f.InForce = d.inForce(t)
	return &f
}

// lookAgain are the facts of the tick with another list of the engine. Without one the gate of the inventory is closed.
func (d *rulesDecider) lookAgain(ctx context.Context, t *tick, in facts.Tick) *rules.Facts {
	t.engineUntil = time.Now().Add(d.timeout())
	call, cancel := context.WithDeadline(ctx, t.engineUntil)
	defer cancel()
	inv, err := d.engine.List(call)
	if err != nil {
		t.failures = append(t.failures, gateFailure{gate: GateInventory, why: err.Error(), next: engine.Advice(err)})
		return d.factsOf(t, in)
	}

	// What inspections gave of them stays known.
	for i := range inv.Entries {
		e := &inv.Entries[i]
		if old := t.inv.Entry(e.ID); old != nil {
			e.Image, e.StartedAt = old.Image, old.StartedAt
		}
	}
	inv.Host = t.inv.Host
	t.inv, in.Inventory = &inv, inv

	ask := d.builder.Observe(inv, in.Snapshot)
	d.builder.Inspected(d.inspect(ctx, t, ask))
	return d.factsOf(t, in)
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
	for id, state := range facts.Inspect(ctx, d.engine, missing) {
		states[id] = state
	}
	return states
}

// inForce is what allows or forbids to act.
func (d *rulesDecider) inForce(t *tick) rules.InForce {
	f := d.loop.inForce
	f.Gates, f.OtherSuite = failedGates(t.failures), len(facts.OtherSuites(*t.inv, d.suite.Name)) > 0
	return f
}

// recordApproval writes an approval that has come into force, or was taken back, into the journal. Where that cannot be, it is tried again
// on the next tick: the gate of the journal is closed then.
func (d *rulesDecider) recordApproval(t *tick) {
	v := d.loop.version2
	if v.Approved == d.approved || !v.Policy.NeedsApproval() {
		return
	}

	var document json.RawMessage
	if v.Approved != nil {
		text, err := json.Marshal(v.Approved)
		if err != nil {
			return // nothing in a document can fail to marshal
		}
		document = text
	}
	if err := d.journaler.approve(document); err != nil {
		t.failStorage(GateJournal, err)
		return
	}
	d.approved = v.Approved
}
