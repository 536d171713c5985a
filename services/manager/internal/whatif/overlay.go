package whatif

import (
	"math"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// factsOf are those on record, changed by what the policy has done otherwise.
func (r *run) factsOf(f *rules.Facts) {
	r.room = slices.Grow(r.room[:0], len(f.Containers))
	for i := 0; i < len(f.Containers) && len(r.byID) > 0; i++ {
		one := &f.Containers[i]
		c := r.byID[one.ID]
		if c != nil && !c.there(f, one) || !r.diverged {
			continue
		}

		r.room = append(r.room, *one)
		if c != nil && c.diverged {
			c.change(&r.room[len(r.room)-1], f)
		}
	}
	containers := f.Containers
	if r.diverged {
		containers = r.room
	}

	r.facts = *f
	r.facts.Containers, r.facts.InForce = containers, r.inForce(&f.InForce)
	if r.diverged { // what the recorded policy does to them is not under way
		otherwise := func(id string) bool { c := r.byID[id]; return c != nil && c.diverged }
		r.facts.Leaving = without(f.Leaving, otherwise)
		r.facts.Stuck = without(f.Stuck, otherwise)
	}
}

func without(ids []string, drop func(string) bool) []string {
	if !slices.ContainsFunc(ids, drop) {
		return ids
	}
	return slices.DeleteFunc(slices.Clone(ids), drop)
}

// inForce is the approval of the policy: that on record where it is the same policy, else one that it has had all along.
func (r *run) inForce(on *rules.InForce) rules.InForce {
	in := rules.InForce{NeedsApproval: r.policy.NeedsApproval(), Approved: true, OwnCount: math.MaxInt32}
	if r.recorded.hash == r.program.Hash() && (on.Approved || !on.NeedsApproval) {
		in = *on
		in.OtherSuite, in.DryRun = false, false
	}
	in.Gates = on.Gates
	return in
}

// there says whether the policy still has the container, and counts for how long it has saved it.
func (c *container) there(f *rules.Facts, one *rules.Container) bool {
	c.seen = f.Tick
	c.name(one.Name, one.Image)
	if c.stopped && c.isStartedAgain(one) {
		c.stopped = false
	}
	if (c.stopped || c.removed) && one.Alive() {
		c.savedUS += c.passed
	}
	c.passed = 0
	return !c.removed && !c.left
}

// isStartedAgain says that a person has started it since: the engine's own restarts are counted, and none follows a stop.
func (c *container) isStartedAgain(one *rules.Container) bool {
	return one.StartedAt.Known && one.StartedAt.Value != c.startedAt && one.Restarts.Known && one.Restarts.Value == c.restarts
}

// change makes of a container on record what it is under the policy.
func (c *container) change(one *rules.Container, f *rules.Facts) {
	switch {
	case c.limit != nil:
		one.NanoCPUs = policy2.Known(*c.limit)
	case c.lowered:
		one.NanoCPUs = policy2.Known(c.before)
	}
	if c.limit != nil && *c.limit > 0 && one.CPUUS.Known {
		const nano = 1_000_000_000
		one.CPUUS.Value = min(one.CPUUS.Value, f.IntervalUS*uint64(*c.limit)/nano) //nolint:gosec // a limit is above 0
	}

	if c.stopped {
		*one = rules.Container{
			Identity: one.Identity, InEngine: true, State: contract.StateExited,
			CreatedWallUS: one.CreatedWallUS, StartedAt: instead(one.StartedAt, c.startedAt), StartedWallUS: one.StartedWallUS,
			FinishedWallUS: instead(one.FinishedWallUS, c.stoppedWallUS), Restarts: instead(one.Restarts, c.restarts), RestartPolicy: one.RestartPolicy,
			AutoRemove: one.AutoRemove, AnonymousVolumes: one.AnonymousVolumes, NetworkMode: one.NetworkMode, NanoCPUs: one.NanoCPUs,
		}
	}
}

// instead is a value in place of one on record, as far as that is known.
func instead[T any](on policy2.Fact[T], value T) policy2.Fact[T] {
	if on.Known {
		on.Value = value
	}
	return on
}

func (c *container) name(name, image string) {
	if name != "" {
		c.Name = name
	}
	if image != "" {
		c.Image = image
	}
}

// carryOut takes at once the steps of those with whom the policies have parted.
func (r *run) carryOut(t *looked) {
	var events []rules.Event
	for _, g := range t.plan.GiveBack {
		events = r.giveBack(events, g)
	}
	if t.plan.CarriesOut(policy2.StepWarn) {
		for i := range t.plan.Notices {
			events = r.deliver(events, &t.plan.Notices[i])
		}
	}

	for _, o := range t.plan.Throttles() {
		if c := r.byID[o.ID]; c != nil && c.diverged && t.plan.CarriesOut(policy2.StepThrottle) {
			events = r.throttle(events, c, &o)
		}
	}
	for i := range t.plan.Verdicts {
		v := &t.plan.Verdicts[i]
		ends := v.Step == policy2.StepStop || v.Step == policy2.StepRemove
		if c := r.byID[v.ID]; ends && c != nil && c.diverged && t.plan.CarriesOut(v.Step) {
			events = r.end(events, c, v)
		}
	}

	r.memory = rules.Remember(r.program, r.memory, nil, rules.Plan{}, events)
}

// begun is the intent of a step that is taken at once.
func (r *run) begun(id, startedAt string, step policy2.Step, rule, index int) rules.Event {
	e := rules.Event{Kind: rules.EventIntent, Tick: r.facts.Tick, GUS: r.facts.GUS, ID: id, Step: step, StepIndex: index, StartedAt: startedAt}
	if rule >= 0 {
		e.Rule = r.program.RuleHash(rule)
	}
	return e
}

// done adds both events of a step that is taken at once, and notes it.
func (r *run) done(events []rules.Event, c *container, intent rules.Event) []rules.Event {
	c.Policy = append(c.Policy, Step{Step: intent.Step, Rule: r.ruleName(intent.Rule), At: clockTime(r.wall), Tick: r.facts.Tick})
	outcome := intent
	outcome.Kind, outcome.Outcome = rules.EventOutcome, contract.OutcomeDone
	return append(events, intent, outcome)
}

func (r *run) end(events []rules.Event, c *container, v *rules.Verdict) []rules.Event {
	one := r.container(v.ID)
	c.name(v.Name, v.Image)
	c.removed = v.Step == policy2.StepRemove || one.AutoRemove.Value
	if !c.removed {
		c.stopped, c.stoppedWallUS = true, r.wall
		if m := r.remembered(v.ID); m != nil { // the engine was asked before the stop, or does not answer now
			c.startedAt, c.restarts = m.Start.At, m.Start.Count
		}
	}
	return r.done(events, c, r.begun(v.ID, v.StartedAt, v.Step, v.Rule, v.StepIndex))
}

func (r *run) throttle(events []rules.Event, c *container, o *rules.ThrottleOrder) []rules.Event {
	intent := r.begun(o.ID, o.StartedAt, policy2.StepThrottle, o.Rule, o.StepIndex)
	intent.NanoCPUs, intent.OldNanoCPUs = o.NanoCPUs, r.container(o.ID).NanoCPUs.Value
	if o.OldNanoCPUs != nil {
		intent.OldNanoCPUs = *o.OldNanoCPUs
	}
	limit := o.NanoCPUs
	c.limit = &limit
	return r.done(events, c, intent)
}

// deliver delivers a notice to those with whom the policies have parted.
func (r *run) deliver(events []rules.Event, n *rules.Notice) []rules.Event {
	if n.Kind != rules.NoticeStep {
		return events
	}
	for _, id := range n.Containers {
		c := r.byID[id]
		if c == nil || !c.diverged {
			continue
		}
		one := r.container(id)
		e := r.begun(id, one.StartedAt.Value, policy2.StepWarn, n.Rule, n.StepIndex)
		e.Kind = rules.EventDelivered
		events = append(events, e)
		c.name(one.Name, one.Image)
		c.Policy = append(c.Policy, Step{Step: policy2.StepWarn, Rule: r.ruleName(e.Rule), At: clockTime(r.wall), Tick: r.facts.Tick})
	}
	return events
}

// giveBack gives a limit back, where the recorded policy, which has the same rule, does not do so as well.
func (r *run) giveBack(events []rules.Event, g rules.GiveBack) []rules.Event {
	c := r.of(g.ID)
	if !c.diverged {
		if r.hasRule(g.Rule) && r.recorded.names[g.Rule] != "" {
			return events
		}
		r.diverge(c)
	}

	limit := g.NanoCPUs
	c.limit = &limit
	return append(events, rules.Event{
		Kind: rules.EventGivenBack, Tick: r.facts.Tick, GUS: r.facts.GUS, ID: g.ID, Rule: g.Rule, NanoCPUs: g.NanoCPUs, Outcome: contract.OutcomeDone,
	})
}

// container is one of the facts.
func (r *run) container(id string) *rules.Container {
	all := r.facts.Containers
	i, ok := slices.BinarySearchFunc(all, id, func(c rules.Container, id string) int { return strings.Compare(c.ID, id) })
	if !ok {
		return &rules.Container{Identity: &policy2.Identity{ID: id}}
	}
	return &all[i]
}

// catchUp takes over what a head remembers, since lines before it are missing: all of it while both policies have done the same,
// and else that of the containers with which they have.
func (r *run) catchUp(of *rules.Memory) {
	same := r.recorded.hash == r.program.Hash()
	if !r.diverged && same {
		r.memory = *of
		return
	}

	mine := make(map[string]*rules.ContainerMemory, len(r.memory.Containers))
	for i := range r.memory.Containers {
		mine[r.memory.Containers[i].ID] = &r.memory.Containers[i]
	}
	next := r.memory
	next.Containers = make([]rules.ContainerMemory, 0, len(of.Containers))
	for i := range of.Containers {
		now := of.Containers[i]
		c, old := r.byID[now.ID], mine[now.ID]
		switch {
		case c != nil && c.diverged && old != nil:
			now = *old
		case !same && old != nil:
			now.Rules, now.Idle = old.Rules, old.Idle
		case !same:
			now.Rules, now.Idle = nil, rules.Idle{}
		}
		next.Containers = append(next.Containers, now)
	}
	r.memory = next
}
