package rules

import (
	"slices"

	"gestor.local/contract/policy2"
)

// soon is what the rules that were read so far will do, though they do not hold yet: from a time on one of them decides, and what
// it does first. The zero value is that none will.
type soon struct {
	fromGUS int64
	next    Next // without a step: nothing, or not before a rule above it decides
	// limitGUS is from when on a rule that does not decide may have set a limit, 0 for never: another throttle then waits.
	limitGUS int64
}

// before is the change to come when a rule below decides from a time on and this is its next step: that one, as long as no rule
// above has come to decide by then. Of two on one tick the upper one decides.
func (s *soon) before(t *tick, below Next) Next {
	next := s.next
	if below.Step != "" && (s.fromGUS == 0 || t.atTick(below.GUS) < s.fromGUS) {
		next = below
	}
	if next.Step == policy2.StepThrottle && s.limitGUS != 0 && s.limitGUS <= t.atTick(next.GUS) {
		return Next{}
	}
	return next
}

// isBefore says that a time may be before that from which on a rule decides, which is a tick's.
func (s *soon) isBefore(at int64) bool { return s.fromGUS == 0 || at < s.fromGUS }

// limits notes that a rule that does not decide may have set a limit at a time.
func (s *soon) limits(t *tick, gUS int64) {
	if s.limitGUS == 0 || gUS < s.limitGUS {
		s.limitGUS = t.atTick(gUS)
	}
}

// foresee notes from when on a rule that does not hold yet will, if every other fact stays. Of one of which it is not known whether it
// speaks of the unit it is not said what it will do, and it is in the way of those below.
func (t *tick) foresee(r *rule, u *unit) {
	at, ok := t.holdsAt(r, u.members)
	if !ok {
		return
	}

	at = max(at, t.f.GUS)
	if !r.decides {
		for _, i := range u.members {
			if r.throttles {
				t.all[i].soon.limits(t, at)
			}
		}
		return
	}

	isFirst := func(i int) bool { return t.all[i].soon.isBefore(at) }
	if !slices.ContainsFunc(u.members, isFirst) {
		return // those above decide before
	}
	from, next := t.atTick(at), Next{}
	if u.match == policy2.True {
		next = t.firstStep(r, u, at)
	}
	for _, i := range u.members {
		if s := &t.all[i]; s.soon.fromGUS == 0 || from < s.soon.fromGUS {
			s.soon.next, s.soon.fromGUS = s.soon.before(t, next), from
		}
	}
}

// isNew says that this run was not seen before: whether it works is not known yet.
func (t *tick) isNew(s *subject) bool { return s.mem.Seen == 1 || s.mem.Start.GUS > t.m.GUS }

// firstStep is what the rule does first when it comes to hold at a time.
func (t *tick) firstStep(r *rule, u *unit, at int64) Next {
	isNew := func(i int) bool { return t.isNew(&t.all[i]) }
	switch {
	case u.spares != nobody, r.conditions.Idle != 0 && slices.ContainsFunc(u.members, isNew):
		return Next{}
	case r.steps[0].Step != policy2.StepWarn || !t.isToldAt(r, u, at):
		return t.nextStep(r, u, 0, at)
	case len(r.steps) == 1:
		return Next{}
	default:
		return t.nextStep(r, u, 1, t.atTick(at)+us(r.steps[1].After))
	}
}

// isToldAt says that the last notice will be less than a day ago then.
func (t *tick) isToldAt(r *rule, u *unit, at int64) bool {
	for _, i := range u.members {
		if m := t.all[i].memory(r); m == nil || m.NoticeGUS == 0 || t.atTick(at)-m.NoticeGUS >= noticeUS {
			return false
		}
	}
	return true
}

// atTick is the first tick at or after a time, as ticks follow from this one.
func (t *tick) atTick(at int64) int64 {
	ticks := (at - t.f.GUS + t.p.tickUS - 1) / t.p.tickUS
	return t.f.GUS + max(0, ticks)*t.p.tickUS
}

// nextStep is the step at a time as the guards will leave it, without a step when there is none to be told of.
func (t *tick) nextStep(r *rule, u *unit, done int, at int64) Next {
	step := r.steps[done].Step
	s := severityOf(step)
	if step == policy2.StepKeep || u.gentlest < s {
		return Next{}
	}
	next := Next{Step: step, GUS: at, Rule: r.index}
	if s < throttles {
		return next
	}

	if (step == policy2.StepThrottle || step == policy2.StepStop) && !t.lives(u) {
		return t.nextOfEnded(r, u, done, at)
	}
	if step == policy2.StepThrottle && !t.hasOwnThrottle(r, u) && t.hasOtherThrottle(r, u) {
		return Next{} // it waits for a limit that another rule has set
	}
	if g, _ := t.warnGuard(r, u, s); g.name != "" {
		return t.nextWarning(r, u, next)
	}
	if s < stops {
		return next
	}
	if len(t.waiting) > 0 && t.neededGuard(u).name != "" {
		return Next{}
	}
	if r.conditions.Age != 0 {
		for _, i := range u.members {
			if s := &t.all[i]; t.isJustStarted(s) == policy2.True {
				next.GUS = max(next.GUS, s.mem.Start.GUS+justStartedUS)
			}
		}
	}
	return next
}

// nextOfEnded is the step after a stop that what has ended does not need; it gets no limit.
func (t *tick) nextOfEnded(r *rule, u *unit, done int, at int64) Next {
	if r.steps[done].Step == policy2.StepThrottle || done+1 == len(r.steps) {
		return Next{}
	}
	return t.nextStep(r, u, done+1, t.atTick(at)+us(r.steps[done+1].After))
}

// nextWarning is when a guard that softens the step is told of again.
func (t *tick) nextWarning(r *rule, u *unit, next Next) Next {
	next.Step = policy2.StepWarn
	told := int64(0)
	for _, i := range u.members {
		m := t.all[i].memory(r)
		if m == nil || m.Guard == "" {
			return next
		}
		if told == 0 || m.GuardGUS < told {
			told = m.GuardGUS
		}
	}
	next.GUS = max(next.GUS, told+noticeUS)
	return next
}

// foreseeStep notes what comes after the step that is taken now, or after the guard that softens it.
func (t *tick) foreseeStep(r *rule, u *unit, st *stage, d *decision) {
	switch {
	case d.next.Step != "" || d.reason == ReasonDoubt || d.reason == ReasonWarnWaits || d.reason == ReasonNeeded:

	case d.guard != "" && d.step == policy2.StepWarn:
		d.next = Next{Step: policy2.StepWarn, GUS: t.f.GUS + noticeUS, Rule: r.index}

	case d.guard != "":
		d.next = t.nextStep(r, u, st.done, t.f.GUS)

	case d.step == policy2.StepKeep && d.reason != ReasonWaits:

	case d.step == policy2.StepKeep && r.steps[st.done].Step == policy2.StepThrottle && !t.hasOwnThrottle(r, u):

	case st.done+1 < len(r.steps):
		d.next = t.nextStep(r, u, st.done+1, t.f.GUS+us(r.steps[st.done+1].After))
	}
}

// holdsAt is the time in G at which all conditions will hold, if what does not follow from time alone stays; not ok when they
// will not.
func (t *tick) holdsAt(r *rule, members []int) (at int64, ok bool) {
	c := r.conditions
	for _, i := range members {
		one, ok := t.timesHoldAt(r, &t.all[i])
		if !ok {
			return 0, false
		}
		at = max(at, one)
	}

	lasts := c.For != 0 && at <= t.f.GUS // since a tick before
	if lasts && !t.haveBegun(r, members) || t.allHold(r.measures, r, members) != policy2.True {
		return 0, false
	}
	if c.Idle != 0 && t.isIdle(members, policy2.Duration(0)) != policy2.True {
		return 0, false
	}
	if c.For == 0 {
		return at, true
	}

	// It lasts from the first tick on which the others hold.
	if !lasts {
		return t.atTick(at) + us(c.For), true
	}
	for _, i := range members {
		m := t.all[i].memory(r)
		at = max(at, t.f.GUS+us(c.For)-int64(t.f.BootUS-min(m.For.SinceUS, t.f.BootUS)))
	}
	return at, true
}

// haveBegun says that the other conditions of a rule with for hold by now, on every member.
func (t *tick) haveBegun(r *rule, members []int) bool {
	for _, i := range members {
		if m := t.all[i].memory(r); m == nil || !m.For.Holds {
			return false
		}
	}
	return true
}

// timesHoldAt is when the conditions of one container that follow from time alone will hold.
func (t *tick) timesHoldAt(r *rule, s *subject) (at int64, ok bool) {
	c := r.conditions
	if c.Age != 0 || c.Expired != "" {
		if t.f.ClockInDoubt || !s.mem.born() {
			return 0, false
		}
		at = s.mem.BornGUS + us(c.Age)
	}

	if c.Expired != "" {
		life := s.who.expires[r.lifetime]
		if !life.Known || life.Value == noLifetime {
			return 0, false
		}
		at = max(at, s.mem.BornGUS+us(life.Value))
	}

	if c.Ended != 0 {
		if !s.ended || t.f.ClockInDoubt || !s.mem.End.Known {
			return 0, false
		}
		at = max(at, s.mem.End.GUS+us(c.Ended))
	}

	if c.Idle != 0 && s.runs {
		// Who works now is not idle while that stays.
		if !s.mem.Idle.Known || s.mem.Idle.QuietUS == 0 && !t.isNew(s) {
			return 0, false
		}
		at = max(at, t.f.GUS+us(c.Idle)-s.mem.Idle.QuietUS)
	}
	return at, true
}

// readings are the figures that the conditions of the deciding rule compared, taken from a block that they share.
func (t *tick) readings(s *subject, block []Reading) (of, rest []Reading) {
	if s.d.rule < 0 {
		return nil, block
	}
	return t.readingsOf(&t.p.rules[s.d.rule], s, block)
}

// readingsOf are those of one rule.
func (t *tick) readingsOf(r *rule, s *subject, block []Reading) (of, rest []Reading) {
	c := r.conditions
	if *c == (policy2.Conditions{}) {
		return nil, block
	}

	start := len(block)
	add := func(key string, value int64, known bool, needs int64) {
		block = append(block, Reading{Key: key, Value: value, Known: known, Needs: needs})
	}
	ageS := (t.f.GUS - s.mem.BornGUS) / secondUS
	ageKnown := s.mem.born() && !t.f.ClockInDoubt
	if c.Age != 0 {
		add("age", ageS, ageKnown, int64(c.Age))
	}
	if c.Expired != "" {
		if life := s.who.expires[r.lifetime]; life.Value != noLifetime {
			add("expired", ageS, ageKnown && life.Known, int64(life.Value))
		}
	}
	if c.Idle != 0 {
		add("idle", s.mem.Idle.QuietUS/secondUS, s.mem.Idle.Known, int64(c.Idle))
	}
	if c.Ended != 0 {
		add("ended", (t.f.GUS-s.mem.End.GUS)/secondUS, s.mem.End.Known && !t.f.ClockInDoubt, int64(c.Ended))
	}
	t.addMeasures(s, r, add)
	if c.For != 0 {
		held := int64(0)
		if m := s.memory(r); m != nil && m.For.Holds {
			held = int64(t.f.BootUS-min(m.For.SinceUS, t.f.BootUS)) / secondUS
		}
		add("for", held, true, int64(c.For))
	}
	return block[start:len(block):len(block)], block
}

func (t *tick) addMeasures(s *subject, r *rule, add func(key string, value int64, known bool, needs int64)) {
	c := r.conditions
	if c.CPU != 0 {
		used := s.cpuUS
		share := int64(0)
		if used.Known {
			share = int64(min(used.Value, maxCPU) * percentOne / t.f.IntervalUS)
		}
		add("cpu", share, used.Known, neededCPU(s, r))
	}
	if !c.RAM.IsZero() {
		const kib = 1024
		ram := s.ramKB
		needs := int64(c.RAM.Size) / kib
		if c.RAM.Percent != 0 {
			needs = int64(min(t.f.MemoryTotalKB.Value, maxCPU) * uint64(c.RAM.Percent) / percentOne)
		}
		add("ram", int64(ram.Value), ram.Known, needs)
	}
	if c.Processes != 0 {
		n := s.processes
		add("processes", int64(n.Value), n.Known, int64(c.Processes))
	}
	if !c.Restarts.IsZero() {
		n := 0
		for _, g := range s.mem.Restarts {
			if g.GUS > t.f.GUS-us(c.Restarts.Within) {
				n += g.N
			}
		}
		add("restarts", int64(n), s.c.Restarts.Known, int64(c.Restarts.Count))
	}
}

// neededCPU is the threshold of usesCPU, in hundredths of a percent of a core.
func neededCPU(s *subject, r *rule) int64 {
	m := s.memory(r)
	if m == nil || m.Throttle == nil {
		return int64(r.conditions.CPU)
	}
	const perMilli, eighty, hundred = 10, 80, 100
	return min(m.Throttle.NanoCPUs/nanoPerMilli, maxMilli) * perMilli * eighty / hundred
}

// orNil is the change, nil when there is none.
func (n Next) orNil() *Next {
	if n.Step == "" {
		return nil
	}
	return &n
}
