package whatif

import (
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// container is one on which a step was taken by either policy.
type container struct {
	Container
	// diverged says that the policies have done different things to it.
	diverged bool
	seen     uint64 // the last tick that had it
	passed   int64  // before the tick of now, in µs

	// What the policy did, where that is not on record: it stopped it, which was its start then, or removed it; it set a limit.
	stopped, removed bool
	startedAt        string
	restarts         int
	stoppedWallUS    int64
	limit            *int64
	// left says that the recorded policy has ended it, and the policy not: nothing more is known of it.
	left bool
	// lowered says that the recorded policy has set a limit, of which this one was before.
	lowered bool
	before  int64

	follows []follow
	savedUS int64
}

// taken is a step of a rule, which is given by its hash.
type taken struct {
	step  policy2.Step
	rule  string
	index int
}

// follow says which of the policy's steps a recorded one is.
type follow struct{ recorded, by taken }

// of finds a container, or makes room for it.
func (r *run) of(id string) *container {
	c := r.byID[id]
	if c == nil {
		c = &container{Container: Container{ID: id, Recorded: []Step{}, Policy: []Step{}}, seen: r.facts.Tick}
		r.byID[id] = c
	}
	return c
}

// intent notes that a recorded step begins.
func (r *run) intent(e journal.Entry) {
	i := *e.Intent
	r.intents[i.ActionID] = i
	if e.Carried || !r.began {
		return
	}
	r.settle()

	c := r.of(i.Container)
	c.name(i.Name, i.Image)
	if i.Action == contract.ActionUnthrottle && !c.diverged && !r.givesBackToo(i) {
		r.diverge(c)
	}
	if event, ok := i.Event(); ok {
		r.happened(c, event)
	}
}

// givesBackToo says that the policy gives the limit back as well: it has the rule that has set it.
func (r *run) givesBackToo(i journal.Intent) bool {
	return i.Rule == "" || r.hasRule(i.Rule) || slices.ContainsFunc(r.lastBack, func(g rules.GiveBack) bool { return g.ID == i.Container })
}

func (r *run) hasRule(hash string) bool { return r.ruleName(hash) != "" }

// outcome notes how a recorded step ended.
func (r *run) outcome(e journal.Entry) {
	i, known := r.intents[e.Outcome.ActionID]
	if e.Outcome.Outcome != contract.OutcomeUnknown {
		delete(r.intents, e.Outcome.ActionID)
	}
	if !known || e.Carried || !r.began {
		return
	}

	event, ok := e.Outcome.Event(i)
	if !ok {
		return
	}
	c := r.of(i.Container)
	c.name(i.Name, i.Image)
	r.happened(c, event)
	if event.Kind == rules.EventDelivered || event.Kind == rules.EventOutcome && rules.Succeeded(event.Outcome) {
		r.tookRecorded(c, &event)
	}
	c.limited(&event)
}

// happened has the policy remember what became of a step that it took as well.
func (r *run) happened(c *container, e rules.Event) {
	if c.diverged {
		return
	}
	for _, f := range c.follows {
		if f.recorded.rule == e.Rule && f.recorded.step == e.Step {
			e.Rule, e.StepIndex = f.by.rule, f.by.index
		}
	}

	events := []rules.Event{e}
	r.memory = rules.Remember(r.program, r.memory, nil, rules.Plan{}, events)
	if r.tick != nil {
		r.before = rules.Remember(r.program, r.before, nil, rules.Plan{}, events)
	}
}

// limited follows the limit that the recorded policy has set.
func (c *container) limited(e *rules.Event) {
	switch {
	case !rules.Succeeded(e.Outcome):
	case e.Kind == rules.EventGivenBack:
		c.lowered = false
	case e.Step == policy2.StepThrottle && e.NanoCPUs != e.OldNanoCPUs:
		c.lowered, c.before = true, e.OldNanoCPUs
	}
}

// tookRecorded notes a recorded step, and whether that ends what is known of the container.
func (r *run) tookRecorded(c *container, e *rules.Event) {
	step := Step{Step: e.Step, Rule: r.recorded.names[e.Rule], At: clockTime(r.wall), Tick: r.facts.Tick}
	c.Recorded = append(c.Recorded, step)
	if !c.diverged {
		name := step.Rule
		for _, f := range c.follows {
			if f.recorded.rule == e.Rule && f.recorded.step == e.Step {
				name = r.ruleName(f.by.rule)
			}
		}
		step.Rule = name
		c.Policy = append(c.Policy, step)
		return
	}

	switch {
	case e.Step == policy2.StepRemove && !c.removed, e.Step == policy2.StepStop && !c.removed && !c.stopped:
		c.left, c.KeptLonger = true, true
	}
}

// settle takes the steps of the last tick's plan: as recorded where the recorded plan has the same for the container, else at once.
func (r *run) settle() {
	t := r.tick
	if t == nil {
		return
	}
	r.tick = nil
	r.lastBack = t.plan.GiveBack
	r.count(t)

	steps := r.stepsOf(t)
	r.compare(t, steps)
	r.carryOut(t)
}

// stepsOf are the steps of a plan that are carried out, by container.
func (r *run) stepsOf(t *looked) map[string][]taken {
	var out map[string][]taken
	add := func(v *rules.Verdict, step policy2.Step, rule, index int) {
		if !t.plan.CarriesOut(step) {
			return
		}
		one := taken{step: step, index: index}
		if rule >= 0 {
			one.rule = r.program.RuleHash(rule)
		}
		if out == nil {
			out = map[string][]taken{}
		}
		out[v.ID] = append(out[v.ID], one)
	}

	for i := range t.plan.Verdicts {
		v := &t.plan.Verdicts[i]
		if v.Step == policy2.StepKeep && len(v.Passing) == 0 {
			continue
		}
		add(v, v.Step, v.Rule, v.StepIndex)
		for k := range v.Passing {
			add(v, v.Passing[k].Step, v.Passing[k].Rule, v.Passing[k].StepIndex)
		}
	}
	return out
}

// compare finds the containers with which the policies do different things on this tick for the first time.
func (r *run) compare(t *looked, steps map[string][]taken) {
	for id, all := range steps {
		c := r.of(id)
		switch {
		case c.diverged:
		case !t.verdict:
			// What was done is not known. A rule that the recorded policy has too has done the same.
			if slices.ContainsFunc(all, func(s taken) bool { return r.recorded.names[s.rule] == "" }) {
				r.diverge(c)
			}
		case !c.follow(all, t.done[id]):
			r.diverge(c)
		}
	}

	for id := range t.done {
		if c := r.of(id); !c.diverged && len(steps[id]) == 0 {
			r.diverge(c)
		}
	}
}

// follow says whether both take the same steps, and notes which is which.
func (c *container) follow(steps, done []taken) bool {
	if len(steps) != len(done) {
		return false
	}
	for i := range steps {
		if steps[i].step != done[i].step {
			return false
		}
	}

	for i := range steps {
		c.follows = slices.DeleteFunc(c.follows, func(f follow) bool { return f.recorded == done[i] })
		if steps[i].rule == done[i].rule {
			continue
		}
		c.follows = append(c.follows, follow{done[i], steps[i]})
	}
	return true
}

// diverge notes that the policies do different things to the container from now on.
func (r *run) diverge(c *container) {
	c.diverged, r.diverged = true, true
	m := r.remembered(c.ID)
	if m == nil {
		return
	}
	for i := range m.Rules {
		if m.Rules[i].Throttle != nil {
			limit := m.Rules[i].Throttle.NanoCPUs
			c.limit = &limit
		}
	}
}

// remembered is what the policy remembers of a container, nil for nothing.
func (r *run) remembered(id string) *rules.ContainerMemory {
	all := r.memory.Containers
	i, ok := slices.BinarySearchFunc(all, id, func(m rules.ContainerMemory, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return &all[i]
}
