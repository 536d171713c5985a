package rules

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Remember is the memory after a tick and after what happened to its steps. facts and plan are those of the tick, the plan as
// Decide made it of this memory and these facts, or the zero one. One that is not the program's last is made again; facts are nil when nothing but the
// events happened, which always come after them.
func Remember(p *Program, memory Memory, facts *Facts, plan Plan, events []Event) Memory {
	if facts != nil {
		t := plan.tick
		if t == nil || t.f != facts || t.p != p || t.round != p.round {
			t = run(p, &memory, facts, &p.scratch)
		}
		memory = t.memory()
	}

	if len(events) > 0 {
		memory.Containers = slices.Clone(memory.Containers)
		for i := range events {
			memory.happened(p, &events[i])
		}
	}
	return memory
}

// memory is what the tick leaves.
func (t *tick) memory() Memory {
	f := t.f
	m := Memory{
		Tick: f.Tick, BootID: f.BootID, BootUS: f.BootUS, GUS: max(f.GUS, t.m.GUS), EarlierBootGUS: t.earlierG,
		PolicyHash: t.p.hash, ApprovedWallUS: f.InForce.ApprovedWallUS,
		Containers: t.now, Spent: t.m.Spent, Surprise: t.hold, rulesOf: t.p,
	}
	if f.InForce.ApprovedWallUS != 0 {
		m.ApprovedGUS = t.approvedGUS()
	}
	if !t.moves() {
		t.takeBackAsked()
	}

	// Only a plan that no gate holds back is the first under its policy, or the surprise that the next one confirms. One that can judge
	// nobody yet, as after a policy of version 1, under which nothing is remembered for the rules, shows nothing.
	gated := len(f.InForce.Gates) > 0
	if gated {
		m.Surprise = t.m.Surprise
	}
	if gated || t.hasChanged() && t.judgesNobody() {
		m.PolicyHash, m.ApprovedWallUS, m.ApprovedGUS = t.m.PolicyHash, t.m.ApprovedWallUS, t.m.ApprovedGUS
	}
	for len(m.Spent) > 0 && m.Spent[0].GUS <= f.GUS-t.p.reaches && m.Spent[0].Tick != f.Tick {
		m.Spent = m.Spent[1:]
	}
	return m
}

// takeBackAsked forgets notices that were asked for on this tick: nothing moves.
func (t *tick) takeBackAsked() {
	for i := range t.now {
		for k := range t.now[i].Rules {
			if r := &t.now[i].Rules[k]; r.AskedGUS == t.f.GUS {
				t.all[i].own()
				t.now[i].Rules[k].AskedGUS = 0
			}
		}
	}
}

// settle brings what the rules remember up to the end of the tick.
func (t *tick) settle() {
	for i := range t.all {
		s := &t.all[i]
		t.settleAsked(s)
		if len(s.mem.Rules) == 0 {
			continue
		}

		for k := range s.mem.Rules {
			t.settleRule(s, k)
			s.asks = s.asks || s.mem.Rules[k].AskedGUS != 0
		}
		if s.asks {
			t.asking++
		}
		if slices.ContainsFunc(s.mem.Rules, t.isEmpty) {
			s.own()
			s.mem.Rules = slices.DeleteFunc(s.mem.Rules, t.isEmpty)
		}
	}
}

// settleAsked notes the notices that this tick asks for, and since when a rule is in doubt.
func (t *tick) settleAsked(s *subject) {
	if s.d.step == policy2.StepWarn {
		t.ask(s, s.d.rule, s.d.guard)
	}
	for i := range s.passing {
		if n := &s.passing[i]; n.Step == policy2.StepWarn && severityOf(s.d.step) < stops {
			t.ask(s, n.Rule, n.Guard)
		}
	}
	for _, rule := range s.doubt {
		r := &t.p.rules[rule]
		if m := s.memory(r); m == nil || m.PossibleGUS == 0 {
			s.change(r).PossibleGUS = t.f.GUS
		}
	}
}

func (t *tick) ask(s *subject, rule int, guard string) {
	m := s.change(&t.p.rules[rule])
	m.mark = markHolds
	switch {
	case guard != "":
		s.told, s.toldBy = guard, rule
		if t.moves() {
			m.Guard, m.GuardGUS = guard, t.f.GUS
		}
	default:
		m.AskedGUS = t.f.GUS // for the plan's notices; forgotten again where nothing moves
	}
}

// settleRule follows one rule's ladder and limit.
func (t *tick) settleRule(s *subject, k int) {
	m := s.mem.Rules[k]
	foreign := !s.who.own || s.who.protected

	// Who cannot be judged for now keeps its place on the ladder, and so does one that was stopped while the others of its project are
	// on their way: only when all are known to have been stopped is the next step a matter of time alone.
	if m.mark == markNone && (foreign || s.standing == StandingReady && !(m.Stopped && t.isBesideLeaving(s, m.rule))) {
		m.leave()
	}
	if m.PossibleGUS != 0 && !slices.Contains(s.doubt, m.rule) {
		m.PossibleGUS = 0
	}
	if m.NoticeGUS != 0 && t.f.GUS-m.NoticeGUS >= noticeUS && m.Done == 0 {
		m.NoticeGUS = 0
	}
	if m.Guard != "" && t.f.GUS-m.GuardGUS >= noticeUS {
		m.Guard, m.GuardGUS = "", 0
	}

	if m.Throttle != nil {
		t.settleThrottle(s, &m)
	}
	m.mark = markNone
	if m != s.mem.Rules[k] {
		s.own()
		s.mem.Rules[k] = m
	}
}

// isBesideLeaving says that the rule judges whole projects, and that something is under way with another container of the subject's.
func (t *tick) isBesideLeaving(s *subject, rule int) bool {
	return rule != noRule && t.p.rules[rule].project && s.unit >= 0 &&
		slices.ContainsFunc(t.projects[s.unit].members, func(i int) bool { return t.all[i].standing == contract.ReasonLeaving })
}

// settleThrottle follows for how long the reason of a limit has been gone, and lists it when it is to be given back.
func (t *tick) settleThrottle(s *subject, m *RuleMemory) {
	th := *m.Throttle
	ready := s.standing == StandingReady
	switch {
	case m.mark == markHolds:
		th.Gone, th.GoneUS = false, 0
	case m.mark == markNone && ready && th.Gone:
		th.GoneUS += t.passed
	case m.mark == markNone && ready:
		th.Gone, th.GoneUS = true, 0
	}
	if th != *m.Throttle {
		m.Throttle = &th
	}

	why := t.backReason(s, m, th.GoneUS)
	if why == BackLongest && m.rule != noRule && !t.p.rules[m.rule].decides {
		m.For = For{} // it must hold anew
	}
	goes := severityOf(s.d.step) >= stops && why == BackCalm
	if why == "" || goes || t.isReplaced(s) {
		return
	}
	t.back = append(t.back, GiveBack{ID: s.c.ID, Rule: m.Hash, NanoCPUs: th.OldNanoCPUs, Why: why})
}

// isReplaced says that this tick sets another limit, in one act.
func (t *tick) isReplaced(s *subject) bool {
	return t.moves() && (s.d.step == policy2.StepThrottle ||
		slices.ContainsFunc(s.passing, func(n Passing) bool { return n.Step == policy2.StepThrottle }))
}

// isEmpty says that nothing is remembered any more.
func (t *tick) isEmpty(m RuleMemory) bool {
	m.Hash, m.rule, m.mark = "", 0, markNone
	return m == RuleMemory{}
}

// happened takes over one event.
func (m *Memory) happened(p *Program, e *Event) {
	first := false
	i, ok := slices.BinarySearchFunc(m.Containers, e.ID, func(c ContainerMemory, id string) int { return cmpID(c.ID, id) })
	if ok && e.Rule != "" {
		c := &m.Containers[i]
		c.Rules = slices.Clone(c.Rules)
		r := c.ruleMemory(p, e.Rule)
		first = !r.Counted
		r.happened(e)
		if e.Kind == EventGivenBack && Succeeded(e.Outcome) {
			r.beginAnew(p)
		}
		if e.Step == policy2.StepThrottle && e.Kind == EventOutcome && Succeeded(e.Outcome) {
			c.replaceThrottles(r)
		}
	}

	ends := severityOf(e.Step) >= stops
	if e.Kind == EventIntent && ends && (first || !ok || e.Rule == "") {
		m.spend(e)
	}
}

// spend counts one container more; those of one moment are counted together.
func (m *Memory) spend(e *Event) {
	m.Spent = slices.Clone(m.Spent)
	if k := len(m.Spent) - 1; k >= 0 && m.Spent[k].Tick == e.Tick && m.Spent[k].GUS == e.GUS {
		m.Spent[k].N++
		return
	}
	m.Spent = append(m.Spent, Spent{Tick: e.Tick, GUS: e.GUS, N: 1})
}

// ruleMemory finds what the rule with the hash remembers, or makes room for it.
func (c *ContainerMemory) ruleMemory(p *Program, hash string) *RuleMemory {
	rule, ok := p.index[hash]
	if !ok {
		rule = noRule
	}
	at := len(c.Rules)
	for k := range c.Rules {
		if c.Rules[k].Hash == hash {
			return &c.Rules[k]
		}
		if c.Rules[k].rule > rule && k < at {
			at = k
		}
	}
	c.Rules = slices.Insert(c.Rules, at, RuleMemory{Hash: hash, rule: rule})
	return &c.Rules[at]
}

// replaceThrottles forgets the limits of other rules: the one that was set now gives back what was before all of them.
func (c *ContainerMemory) replaceThrottles(by *RuleMemory) {
	for k := range c.Rules {
		if r := &c.Rules[k]; r != by {
			r.Throttle = nil
		}
	}
}

// happened takes over what happened to a step of the rule.
func (m *RuleMemory) happened(e *Event) {
	switch {
	case e.Kind == EventDelivered:
		if m.AskedGUS != 0 {
			m.advance(e)
		}
		m.AskedGUS, m.NoticeGUS = 0, e.GUS

	case e.Kind == EventGivenBack:
		if Succeeded(e.Outcome) {
			m.Throttle = nil
		}

	case e.Kind == EventIntent && e.Step == policy2.StepThrottle:
		if e.NanoCPUs != e.OldNanoCPUs {
			m.Throttle = &Throttle{OldNanoCPUs: e.OldNanoCPUs, NanoCPUs: e.NanoCPUs, SetGUS: e.GUS}
		}

	case e.Kind == EventIntent:
		m.Counted = true

	case e.Kind == EventOutcome && Succeeded(e.Outcome):
		m.advance(e)
		if e.Step == policy2.StepStop {
			m.Stopped = true
		}
		if m.Throttle != nil && e.Step == policy2.StepThrottle {
			set := *m.Throttle
			set.Done = true
			m.Throttle = &set
		}

	case e.Kind == EventOutcome && e.Step == policy2.StepThrottle && e.Outcome != contract.OutcomeUnknown:
		if m.Throttle != nil && !m.Throttle.Done {
			m.Throttle = nil // nothing was set
		}
	}
}

// beginAnew has a passing rule hold anew before its throttle, which was given back, is due again: it may hold all the while, as it does
// through a stop of the manager. A ladder that ends a container goes on by time.
func (m *RuleMemory) beginAnew(p *Program) {
	rule, ok := p.index[m.Hash]
	if !ok || p.rules[rule].decides {
		return
	}
	if last := len(p.rules[rule].steps); m.Done == last { // a throttle is the last step of such a rule
		m.Done, m.For = last-1, For{}
	}
}

// advance notes that a step is done.
func (m *RuleMemory) advance(e *Event) {
	if e.StepIndex > m.Done {
		m.Done, m.DoneGUS, m.StartedAt = e.StepIndex, e.GUS, e.StartedAt
	}
}

// Succeeded says that a step with this outcome is done.
func Succeeded(outcome string) bool {
	return outcome == contract.OutcomeDone || outcome == contract.OutcomeAlreadyStopped || outcome == contract.OutcomeAlreadyGone
}
