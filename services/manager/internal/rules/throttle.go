package rules

import (
	"slices"

	"gestor.local/contract/policy2"
)

// longestUS is how long a limit is kept at the longest.
const longestUS = 6 * hourUS

// isLongest says that a limit of the rule has been in force as long as one may be.
func (t *tick) isLongest(r *rule, u *unit) bool {
	if !r.throttles {
		return false
	}
	for _, i := range u.members {
		if m := t.all[i].memory(r); m != nil && m.Throttle != nil && t.f.GUS-m.Throttle.SetGUS >= longestUS {
			return true
		}
	}
	return false
}

// hasOwnThrottle says that the rule's own limit is still in force on all members.
func (t *tick) hasOwnThrottle(r *rule, u *unit) bool {
	for _, i := range u.members {
		if !t.isThrottledBy(r, i) {
			return false
		}
	}
	return true
}

// isThrottledBy says that the rule's own limit is still in force. One that was begun and of which no outcome is known may not be.
func (t *tick) isThrottledBy(r *rule, i int) bool {
	m := t.all[i].memory(r)
	return m != nil && m.Throttle != nil && m.Throttle.Done && t.f.GUS-m.Throttle.SetGUS < longestUS
}

// skipThrottled takes those out on which the rule's own limit is in force: their step is done.
func (t *tick) skipThrottled(r *rule, behind []int, st *stage) []int {
	throttled := func(i int) bool { return t.isThrottledBy(r, i) }
	for _, i := range behind {
		if throttled(i) && t.moves() {
			t.stepOne(r, i, st)
		}
	}
	return slices.DeleteFunc(behind, throttled)
}

// hasOtherThrottle says that a limit of another rule is in force on a member, or is set on this tick: the first wins.
func (t *tick) hasOtherThrottle(r *rule, u *unit) bool {
	for _, i := range u.members {
		s := &t.all[i]
		if s.throttled {
			return true
		}
		for k := range s.mem.Rules {
			m := &s.mem.Rules[k]
			if m.rule != r.index && m.Throttle != nil && t.backReason(s, m, t.goneUS(m)) == "" {
				return true
			}
		}
	}
	return false
}

// limit is what a throttle leaves, in billionths of a core: never more than the container has. old is the limit to give back
// later, where the one of now is another rule's.
func (t *tick) limit(r *rule, s *subject, step int) (nano int64, old *int64) {
	nano = int64(t.p.policy.Act.ThrottleMillicores) * nanoPerMilli
	if to := r.steps[step].To; to != 0 {
		nano = int64(to) * (nanoPerCPU / percentOne)
	}

	has := s.c.NanoCPUs
	for k := range s.mem.Rules {
		if th := s.mem.Rules[k].Throttle; th != nil {
			before := th.OldNanoCPUs
			old, has = &before, policy2.Known(before)
		}
	}
	if has.Known && has.Value > 0 {
		nano = min(nano, has.Value)
	}
	return nano, old
}

// goneUS is for how long the reason of a limit will have been gone by now, if it does not come back on this tick.
func (t *tick) goneUS(m *RuleMemory) int64 {
	if !m.Throttle.Gone || m.mark != markNone {
		return 0
	}
	return m.Throttle.GoneUS + t.passed
}

// backReason is why a limit, whose reason has been gone so long, is due to be given back now; "" while it stays.
func (t *tick) backReason(s *subject, m *RuleMemory, goneUS int64) string {
	th := m.Throttle
	switch {
	case !s.who.own || s.who.protected:
		return BackNotOwn
	case m.rule == noRule:
		return BackNoRule
	case t.givesAllBack():
		return BackObserves
	case s.c.InEngine && !s.alive:
		return BackStopped
	case t.f.GUS-th.SetGUS >= longestUS:
		return BackLongest
	case th.Gone && goneUS >= us(t.calmOf(m.rule)):
		return BackCalm
	default:
		return ""
	}
}

func (t *tick) calmOf(rule int) policy2.Duration {
	if calm := t.p.rules[rule].Calm; calm != 0 {
		return calm
	}
	return policy2.DefaultCalm
}

// observeLimit compares the limit that was set with the one that is there. One that somebody else has set since stays: then
// nothing is owed. Until a reading has shown ours, that of before may be an old reading.
func (t *tick) observeLimit(s *subject, k int) {
	now := s.c.NanoCPUs
	m := &s.mem.Rules[k]
	th := m.Throttle
	if th == nil || !th.Done || !now.Known {
		return
	}

	switch {
	case now.Value == th.NanoCPUs && th.Shown:
	case now.Value == th.NanoCPUs:
		shown := *th
		shown.Shown = true
		s.own()
		s.mem.Rules[k].Throttle = &shown
	case th.Shown || now.Value != th.OldNanoCPUs:
		s.own()
		s.mem.Rules[k].Throttle = nil
		s.limitChanged = true
	}
}
