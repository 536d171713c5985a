package rules

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// unit is what a rule judges: one container, or those of a compose project that no rule above stops or removes.
type unit struct {
	members []int
	// project says that it is one; a container without project is a unit of its own.
	project bool
	// spares is the index of a member that may not be touched, -1 for none: then nothing is done to the others either.
	spares int
	match  policy2.Truth
	// gentlest is the gentlest step that a rule above may take, as this unit sees it.
	gentlest severity
}

// nobody spares a unit.
const nobody = -1

// act is one stop or removal of a unit.
type act struct {
	rule    int
	members []int // those whose step it is
	kept    bool  // of a rule that gives places
	// distance is how far the unit is from a place, rank its place in the order.
	distance, rank int
	created        int64
}

// read goes through the rules from the top.
func (t *tick) read() {
	t.counts = make([]RuleCount, len(t.p.rules))
	for i := range t.p.rules {
		t.counts[i] = RuleCount{Name: t.p.rules[i].Name, Hash: t.p.rules[i].hash}
	}

	for i := 0; i < len(t.p.rules); {
		r := &t.p.rules[i]
		if r.isSingle() {
			i = t.readSingles(i)
			continue
		}

		i++
		if r.keeps {
			t.readKeep(r)
			continue
		}
		t.eachUnit(r, func(members []int) {
			if u, ok := t.unitOf(r, members); ok {
				t.judge(r, &u, nil)
			}
		})
	}
}

// isSingle says that the rule judges one container without looking at others.
func (r *rule) isSingle() bool { return !r.keeps && !r.project }

// readSingles reads the rules from the given one on that judge single containers, and gives the index of the first that does
// not. They are read container by container: none of them looks at another.
func (t *tick) readSingles(from int) (until int) {
	until = from
	for until < len(t.p.rules) && t.p.rules[until].isSingle() {
		until++
	}

	for i := range t.all {
		if s := &t.all[i]; s.isOpen() {
			t.readSingle(s, from, until)
		}
	}
	return until
}

// readSingle reads them for one container, until one decides.
func (t *tick) readSingle(s *subject, from, until int) {
	u := unit{members: s.alone(), spares: nobody}
	for ; s.read < len(s.who.speaks) && s.who.speaks[s.read] < until && !s.decided; s.read++ {
		if rule := s.who.speaks[s.read]; rule >= from {
			u.match, u.gentlest = s.who.matches[rule], s.gentlest
			t.counts[rule].SpeaksOf++
			t.judge(&t.p.rules[rule], &u, nil)
		}
	}
}

// unitOf is the unit as the rule finds it; ok is false when there is nothing for the rule to judge, or it does not speak of it.
func (t *tick) unitOf(r *rule, members []int) (u unit, ok bool) {
	if first := &t.all[members[0]]; !r.project || first.unit < 0 {
		if !first.isOpen() {
			return unit{}, false
		}
		match := first.who.matches[r.index]
		u = unit{members: members, spares: nobody, match: match, gentlest: first.gentlest}
		return u, t.speaksOf(r, &u)
	}

	// Those that an earlier rule stops or removes are not of the unit any more; whoever else is not open spares it.
	u = unit{project: true, spares: nobody, gentlest: harshest, members: members}
	if slices.ContainsFunc(members, t.isLeaving) {
		u.members = slices.DeleteFunc(slices.Clone(members), t.isLeaving)
	}
	open := false
	for _, i := range u.members {
		s := &t.all[i]
		open = open || s.isOpen()
		u.gentlest = min(u.gentlest, s.gentlestUnit)
		if !s.isOpen() && u.spares == nobody {
			u.spares = i
		}
	}
	if !open {
		return unit{}, false
	}
	u.match = t.matches(r, u.members)
	return u, t.speaksOf(r, &u)
}

// isLeaving says that a rule above stops or removes it on this tick.
func (t *tick) isLeaving(i int) bool {
	s := &t.all[i]
	return s.decided && severityOf(s.d.step) >= stops
}

// speaksOf counts the unit, if the rule speaks of it.
func (t *tick) speaksOf(r *rule, u *unit) bool {
	if u.match == policy2.False {
		return false
	}
	t.counts[r.index].SpeaksOf += t.open(u)
	return true
}

// open counts those that nothing has decided over.
func (t *tick) open(u *unit) int {
	n := 0
	for _, i := range u.members {
		if t.all[i].isOpen() {
			n++
		}
	}
	return n
}

// stage is where a unit stands on a rule's ladder: where the member stands that has come least far.
type stage struct {
	done int
	at   int64 // when that step was done
	// stopped says that all members were stopped by the rule, and nobody has started one since.
	stopped policy2.Truth
	asked   bool // a notice is under way
	told    bool // the notice was delivered less than a day ago
}

// noticeUS is how long a notice is not given again.
const noticeUS = dayUS

func (t *tick) stageOf(r *rule, u *unit) stage {
	if len(u.members) == 1 && t.all[u.members[0]].memory(r) == nil {
		return stage{stopped: policy2.False}
	}

	st := stage{done: len(r.steps), stopped: policy2.True, told: true}
	for _, i := range u.members {
		s := &t.all[i]
		m := s.memory(r)
		if m == nil {
			m = &RuleMemory{}
		}
		if m.Done < st.done {
			st.done, st.at = m.Done, 0
		}

		st.told = st.told && m.NoticeGUS != 0 && t.f.GUS-m.NoticeGUS < noticeUS
		switch {
		case !m.Stopped || s.alive:
			st.stopped = policy2.False
		case !s.c.StartedAt.Known:
			st.stopped = and(st.stopped, policy2.Unknown)
		}
	}

	for _, i := range u.members {
		if m := t.all[i].memory(r); m != nil && m.Done == st.done {
			st.at = max(st.at, m.DoneGUS)
			st.asked = st.asked || m.AskedGUS != 0
		}
	}
	return st
}

// finished says that the last step was done: the rule has nothing more to say.
func (st *stage) finished(r *rule) bool { return st.done >= len(r.steps) }

// dueGUS is when the next step is due, in G.
func (st *stage) dueGUS(r *rule) int64 {
	if st.done == 0 {
		return 0
	}
	return st.at + us(r.steps[st.done].After)
}

// judge asks the rule's conditions and takes its next step. place is where the unit stands among those that compete, nil in a
// rule without places.
func (t *tick) judge(r *rule, u *unit, place *place) {
	st := t.stageOf(r, u)

	// After our own stop the ladder goes on by time alone.
	holds := st.stopped
	if holds == policy2.False {
		holds = t.holds(r, u.members)
	}
	holds = and(holds, u.match)

	switch {
	case holds == policy2.False:
		t.foresee(r, u)

	case holds == policy2.Unknown:
		t.mark(r, u, markWaits)
		if r.decides && !st.finished(r) {
			t.mayDecide(r, u, t.possibleStep(r, u, &st))
		}

	case !r.decides && t.isLongest(r, u):
		// The limit goes, and the rule must hold anew.

	case u.spares != nobody:
		t.mark(r, u, markWaits)
		if r.decides && !st.finished(r) {
			t.spare(r, u)
		}

	default:
		t.mark(r, u, markHolds)
		t.counts[r.index].Holds += t.open(u)
		if st.finished(r) {
			t.finish(r, u)
			return
		}
		t.take(r, u, &st, place)
	}
}

// finish notes that a rule that decides has nothing more to say of the unit.
func (t *tick) finish(r *rule, u *unit) {
	for _, i := range u.members {
		if s := &t.all[i]; r.decides && s.isOpen() {
			s.finished = true
		}
	}
}

// mark notes what the rule made of the unit, where it remembers a ladder or a limit.
func (t *tick) mark(r *rule, u *unit, as mark) {
	for _, i := range u.members {
		s := &t.all[i]
		if m := s.memory(r); m != nil && (m.Done > 0 || m.AskedGUS != 0 || m.Throttle != nil || m.Guard != "") {
			s.change(r).mark = as
		}
	}
}

// possibleStep is what the rule would now do to the unit if it held, as the guards would leave it.
func (t *tick) possibleStep(r *rule, u *unit, st *stage) severity {
	step := r.steps[st.done].Step
	switch {
	case u.spares != nobody || u.gentlest < severityOf(step): // it would be in doubt
		return keeps
	case t.f.GUS < st.dueGUS(r):
		return keeps
	case step == policy2.StepWarn && (st.asked || st.told):
		return keeps
	case step == policy2.StepThrottle && (t.isLongest(r, u) || t.hasOtherThrottle(r, u)):
		return keeps
	case (step == policy2.StepThrottle || step == policy2.StepStop) && !t.lives(u):
		return keeps
	}

	g := t.guardOf(r, u, step)
	switch {
	case g.waits || severityOf(step) >= stops && t.isNeededByOthers(u):
		return keeps
	case g.name == "":
		return severityOf(step)
	case t.isGuardDue(r, u):
		return warns
	default:
		return keeps
	}
}

// mayDecide notes that a rule may decide over the unit, and takes that step then. A project of which a single member may be
// warned would be spared, if that were known; one of which a member may go would be without it.
func (t *tick) mayDecide(r *rule, u *unit, step severity) {
	for _, i := range u.members {
		s := &t.all[i]
		if !s.isOpen() {
			continue
		}

		s.gentlest = min(s.gentlest, step)
		s.doubt = append(s.doubt, r.index)
		t.counts[r.index].Possible++
		switch {
		case u.project:
			s.gentlestUnit = min(s.gentlestUnit, step)
		case step < stops:
			s.gentlestUnit = keeps
		default:
			s.gentlestUnit, s.leaves = min(s.gentlestUnit, step), true
		}
	}
}

// spare keeps a unit of which one member may not be touched.
func (t *tick) spare(r *rule, u *unit) {
	t.decide(r, u, decision{step: policy2.StepKeep, reason: ReasonUnitSpared, by: t.all[u.spares].c.ID}, nil)
}

// decide ends the reading for the open members of the unit.
func (t *tick) decide(r *rule, u *unit, d decision, place *place) {
	d.rule = r.index
	if place != nil {
		d.rank, d.cut, d.group, d.neighbour, d.key = place.rank, place.cut, place.group, place.neighbour, place.key
	}
	for _, i := range u.members {
		if s := &t.all[i]; s.isOpen() {
			s.decided, s.d = true, d
		}
	}
}

// take takes the next step of the rule's ladder.
func (t *tick) take(r *rule, u *unit, st *stage, place *place) {
	rung := r.steps[st.done]
	d := decision{step: policy2.StepKeep, reason: ReasonHolds, index: st.done + 1, steps: len(r.steps)}
	if place != nil {
		d.reason = contract.ReasonOverQuota
	}

	var g guard
	due := t.f.GUS >= st.dueGUS(r)
	switch {
	case rung.Step == policy2.StepKeep:
		d.reason, d.index, d.steps = ReasonKeepRule, 0, 0
	case !due:
		d.reason, d.next = ReasonWaits, t.nextStep(r, u, st.done, st.dueGUS(r))
	case u.gentlest < severityOf(rung.Step):
		d.reason = ReasonDoubt
	case rung.Step == policy2.StepWarn:
		t.warn(r, u, st, &d)
	case rung.Step == policy2.StepThrottle && t.hasOwnThrottle(r, u):
		t.step(r, u, st)
		d.reason = ReasonWaits
	case rung.Step == policy2.StepThrottle && (t.isLongest(r, u) || t.hasOtherThrottle(r, u) || !t.lives(u)):
		d.reason = ReasonWaits
	default:
		if g = t.guardOf(r, u, rung.Step); g.name == "" {
			d.step = rung.Step
		}
	}
	if g.name != "" {
		t.soften(r, u, g, &d)
	}
	t.foreseeStep(r, u, st, &d)

	if !r.decides {
		t.note(r, u, st, d)
		return
	}
	t.decideStep(r, u, st, d, place)
}

// decideStep gives the step to those members that have not done it yet; who is further waits for the others.
func (t *tick) decideStep(r *rule, u *unit, st *stage, d decision, place *place) {
	if severityOf(d.step) < throttles {
		t.decide(r, u, d, place)
		return
	}

	behind := t.behind(r, u, st)
	if d.step == policy2.StepStop {
		behind = t.skipEnded(r, behind, st)
	}
	if d.step == policy2.StepThrottle {
		behind = t.skipThrottled(r, behind, st)
	}
	for _, i := range u.members {
		one, mine := unit{members: t.all[i].alone(), project: u.project}, d
		switch {
		case !slices.Contains(behind, i):
			mine.step, mine.reason = policy2.StepKeep, ReasonWaits
		case d.step == policy2.StepThrottle:
			mine.nano, mine.old = t.limit(r, &t.all[i], st.done)
			t.all[i].throttled = true
		}
		t.decide(r, &one, mine, place)
	}

	if severityOf(d.step) >= stops && len(behind) > 0 {
		a := &act{rule: r.index, members: behind, kept: r.keeps, created: t.created(u)}
		if place != nil {
			a.distance, a.rank = place.distance, place.rank
		}
		t.acts = append(t.acts, a)
	}
}

// skipEnded takes those out that have ended by themselves: their stop is done.
func (t *tick) skipEnded(r *rule, behind []int, st *stage) []int {
	alive := func(i int) bool { return t.all[i].alive }
	for _, i := range behind {
		if !alive(i) && t.moves() {
			t.stepOne(r, i, st)
			t.all[i].change(r).Stopped = true
		}
	}
	return slices.DeleteFunc(behind, func(i int) bool { return !alive(i) })
}

// lives says whether any member lives.
func (t *tick) lives(u *unit) bool {
	return slices.ContainsFunc(u.members, func(i int) bool { return t.all[i].alive })
}

// behind are the members whose step is the next one.
func (t *tick) behind(r *rule, u *unit, st *stage) []int {
	out := make([]int, 0, len(u.members))
	for _, i := range u.members {
		if m := t.all[i].memory(r); m == nil && st.done == 0 || m != nil && m.Done == st.done {
			out = append(out, i)
		}
	}
	return out
}

// note notes the step of a rule that does not decide over life: the reading goes on.
func (t *tick) note(r *rule, u *unit, st *stage, d decision) {
	if d.reason == ReasonDoubt {
		return
	}
	behind := t.behind(r, u, st)
	if d.step == policy2.StepThrottle {
		behind = t.skipThrottled(r, behind, st)
	}
	for _, i := range behind {
		s := &t.all[i]
		if !s.isOpen() {
			continue
		}

		n := Passing{Rule: r.index, Step: d.step, Reason: d.reason, StepIndex: d.index, Steps: d.steps, Guard: d.guard, UntilGUS: s.soon.fromGUS}
		n.Next = d.next.orNil()
		if d.step == policy2.StepThrottle {
			n.NanoCPUs, n.OldNanoCPUs = t.limit(r, s, st.done)
			s.throttled = true
		}
		if d.next.Step == policy2.StepThrottle {
			s.soon.limits(t, d.next.GUS)
		}
		s.passing = append(s.passing, n)
	}
}

// warn asks for the notice, once: who was told less than a day ago is not told again, but the wait begins anew.
func (t *tick) warn(r *rule, u *unit, st *stage, d *decision) {
	switch {
	case st.asked:
		d.reason = ReasonWarnWaits
	case st.told:
		t.step(r, u, st)
		d.reason = ReasonWaits
	default:
		d.step = policy2.StepWarn
	}
}

// step moves the unit on without anything to be done.
func (t *tick) step(r *rule, u *unit, st *stage) {
	if !t.moves() {
		return
	}
	for _, i := range t.behind(r, u, st) {
		t.stepOne(r, i, st)
	}
}

func (t *tick) stepOne(r *rule, i int, st *stage) {
	s := &t.all[i]
	m := s.change(r)
	m.Done, m.DoneGUS, m.StartedAt, m.mark = st.done+1, t.f.GUS, s.c.StartedAt.Value, markHolds
}

// created is the creation of a unit: of its youngest member, which also says how old it is.
func (t *tick) created(u *unit) int64 {
	var youngest int64
	for _, i := range u.members {
		youngest = max(youngest, t.all[i].c.CreatedWallUS.Value)
	}
	return youngest
}
