package rules

import "gestor.local/contract/policy2"

// maxMissed is over how many ticks without knowledge a condition's duration is bridged; they do not count.
const maxMissed = 3

// observeFor follows, for each rule on single containers with for, since when its other conditions have held, whichever rule decides.
func (t *tick) observeFor(s *subject) {
	if s.who.own {
		for _, rule := range s.who.lasting {
			r := &t.p.rules[rule]
			t.follow(r, s, t.baseHolds(r, s.alone()))
		}
	}
	t.forgetFor(s)
}

// observeProjectsFor does so for rules on projects.
func (t *tick) observeProjectsFor() {
	for i := range t.p.rules {
		r := &t.p.rules[i]
		if r.conditions.For == 0 || !r.project {
			continue
		}

		t.eachUnit(r, func(members []int) {
			held := policy2.False
			if t.anyOwn(members) && t.matches(r, members) != policy2.False {
				held = t.baseHolds(r, members)
			}
			for _, i := range members {
				t.follow(r, &t.all[i], held)
			}
		})
	}
}

// forgetFor ends the durations of rules that do not speak of the container any more.
func (t *tick) forgetFor(s *subject) {
	for k := range s.mem.Rules {
		m := &s.mem.Rules[k]
		if m.rule == noRule || t.p.rules[m.rule].project || m.For == (For{}) {
			continue
		}
		if !s.who.own || s.who.matches[m.rule] == policy2.False {
			s.own()
			s.mem.Rules[k].For = For{}
		}
	}
}

func (t *tick) anyOwn(members []int) bool {
	for _, i := range members {
		if t.all[i].who.own {
			return true
		}
	}
	return false
}

// follow brings the duration of one container up to this tick.
func (t *tick) follow(r *rule, s *subject, held policy2.Truth) {
	var before For
	if m := s.memory(r); m != nil {
		before = m.For
	} else if held == policy2.False {
		return // nothing is remembered, and nothing is to be
	}
	if after := t.continued(before, held); after != before {
		s.change(r).For = after
	}
}

// continued is the duration on this tick. A gap in sight that is longer than can be bridged begins it anew.
func (t *tick) continued(d For, held policy2.Truth) For {
	now := t.f.BootUS
	if !t.sameBoot || t.missed > maxMissed {
		d = For{}
	}
	if held == policy2.False {
		return For{}
	}
	if !d.May {
		d.May, d.MaySinceUS = true, now
	}

	// What was missed and what is unknown does not count, and too much of it ends it.
	if d.Holds {
		d.Missed += t.missed
		d.SinceUS += uint64(t.missed) * uint64(t.p.tickUS)
	}
	switch {
	case held == policy2.Unknown && d.Holds:
		d.Missed++
		d.SinceUS += t.boot - min(t.boot, uint64(t.missed)*uint64(t.p.tickUS))
		if d.Missed > maxMissed {
			d = For{May: true, MaySinceUS: d.MaySinceUS}
		}

	case held == policy2.True && (!d.Holds || d.Missed > maxMissed):
		d.Holds, d.SinceUS, d.Missed = true, now, 0

	case held == policy2.True:
		d.Missed = 0
	}
	d.SinceUS = min(d.SinceUS, now)
	return d
}
