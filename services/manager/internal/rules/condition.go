package rules

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// truth of something that is known.
func truth(yes bool) policy2.Truth {
	if yes {
		return policy2.True
	}
	return policy2.False
}

// and is false where one of the two is, else unknown where one of them is.
func and(a, b policy2.Truth) policy2.Truth {
	switch {
	case a == policy2.False || b == policy2.False:
		return policy2.False
	case a == policy2.Unknown || b == policy2.Unknown:
		return policy2.Unknown
	default:
		return policy2.True
	}
}

// holds says whether the rule's conditions hold for a unit, for included.
func (t *tick) holds(r *rule, members []int) policy2.Truth {
	if r.conditions.For == 0 {
		return t.baseHolds(r, members)
	}
	long := t.haveHeld(r, members)
	if long == policy2.False {
		return long
	}
	return and(t.baseHolds(r, members), long)
}

// haveHeld says whether the other conditions have held for as long as the rule asks: on each member, as observeFor has it. For the time
// it must have held it may be unknown as well, without having been false.
func (t *tick) haveHeld(r *rule, members []int) policy2.Truth {
	long := uint64(us(r.conditions.For))
	all := policy2.True
	for _, i := range members {
		held := policy2.False
		if m := t.all[i].memory(r); m != nil {
			switch {
			case m.For.Holds && t.f.BootUS-min(m.For.SinceUS, t.f.BootUS) >= long:
				held = policy2.True
			case m.For.May && t.f.BootUS-min(m.For.MaySinceUS, t.f.BootUS) >= long:
				held = policy2.Unknown
			}
		}
		all = and(all, held)
	}
	return all
}

// condition is one thing that a rule asks of a unit.
type condition func(t *tick, r *rule, members []int) policy2.Truth

// compileConditions lists those that a rule has: times are those that come true by time alone, measures the others. For is none of
// them.
func compileConditions(c *policy2.Conditions) (times, measures []condition) {
	choose := func(to *[]condition, has bool, one condition) {
		if has {
			*to = append(*to, one)
		}
	}

	choose(&times, c.Age != 0, (*tick).areOlder)
	choose(&times, c.Expired != "", (*tick).haveExpired)
	choose(&times, c.Ended != 0, (*tick).haveEnded)
	choose(&times, c.Idle != 0, (*tick).areIdle)

	choose(&measures, !c.Restarts.IsZero(), (*tick).restart)
	choose(&measures, c.CPU != 0, (*tick).useCPU)
	choose(&measures, !c.RAM.IsZero(), (*tick).useRAM)
	choose(&measures, c.Processes != 0, (*tick).haveProcesses)
	return times, measures
}

// baseHolds says whether all conditions but for hold now.
func (t *tick) baseHolds(r *rule, members []int) policy2.Truth {
	base := t.allHold(r.times, r, members)
	if base == policy2.False {
		return base
	}
	return and(base, t.allHold(r.measures, r, members))
}

func (t *tick) allHold(conditions []condition, r *rule, members []int) policy2.Truth {
	all := policy2.True
	for _, ask := range conditions {
		if all = and(all, ask(t, r, members)); all == policy2.False {
			break
		}
	}
	return all
}

// ofEach asks every member. It is the more likely to hold the fewer there are: that is how it is asked about those who may leave
// the unit before this rule.
func (t *tick) ofEach(members []int, ask func(s *subject) policy2.Truth) policy2.Truth {
	if len(members) == 1 {
		return ask(&t.all[members[0]])
	}

	all, ofStaying, staying := policy2.True, policy2.True, 0
	for _, i := range members {
		s := &t.all[i]
		answer := ask(s)
		all = and(all, answer)
		if !s.leaves {
			ofStaying, staying = and(ofStaying, answer), staying+1
		}
	}

	if all == policy2.False && (staying == 0 || ofStaying != policy2.False) {
		return policy2.Unknown
	}
	return all
}

// sum asks about the sum of a figure over those members that run. It is the less likely to hold the fewer there are.
func (t *tick) sum(r *rule, members []int, figure func(r *rule, s *subject) policy2.Fact[uint64], ask func(sum uint64) policy2.Truth) policy2.Truth {
	var all, staying uint64
	known, run := true, 0
	for _, i := range members {
		s := &t.all[i]
		if !s.runs {
			continue
		}

		v := figure(r, s)
		known = known && v.Known
		all, run = all+min(v.Value, maxFigure), run+1
		if len(members) == 1 || !s.leaves {
			staying += min(v.Value, maxFigure)
		}
	}

	switch {
	case run == 0:
		return policy2.False
	case !known:
		return policy2.Unknown
	case all != staying && ask(all) == policy2.True && ask(staying) != policy2.True:
		return policy2.Unknown
	default:
		return ask(all)
	}
}

// maxFigure bounds a figure so that sums and products of it stay within 64 bits: a petabyte in KiB, or 30 years in µs.
const maxFigure = 1 << 50

func (t *tick) areOlder(r *rule, members []int) policy2.Truth {
	return t.ofEach(members, func(s *subject) policy2.Truth { return t.isOlder(s, r.conditions.Age) })
}

func (t *tick) isOlder(s *subject, d policy2.Duration) policy2.Truth {
	if t.f.ClockInDoubt || !s.mem.born() {
		return policy2.Unknown
	}
	return truth(t.f.GUS-s.mem.BornGUS >= us(d))
}

// born says whether the time of its creation is known.
func (m *ContainerMemory) born() bool { return m.Born == BornKnown || m.Born == BornSight }

func (t *tick) haveExpired(r *rule, members []int) policy2.Truth {
	return t.ofEach(members, func(s *subject) policy2.Truth { return t.hasExpired(s, r) })
}

func (t *tick) hasExpired(s *subject, r *rule) policy2.Truth {
	life := s.who.expires[r.lifetime]
	switch {
	case !life.Known:
		return policy2.Unknown
	case life.Value == noLifetime:
		return policy2.False
	default:
		return t.isOlder(s, life.Value)
	}
}

func (t *tick) haveEnded(r *rule, members []int) policy2.Truth {
	return t.ofEach(members, func(s *subject) policy2.Truth { return t.hasEnded(s, r.conditions.Ended) })
}

func (t *tick) hasEnded(s *subject, d policy2.Duration) policy2.Truth {
	switch {
	case !s.c.InEngine:
		return policy2.Unknown
	case !s.ended:
		return policy2.False
	case t.f.ClockInDoubt || !s.mem.End.Known:
		return policy2.Unknown
	default:
		return truth(t.f.GUS-s.mem.End.GUS >= us(d))
	}
}

func (t *tick) restart(r *rule, members []int) policy2.Truth {
	return t.ofEach(members, func(s *subject) policy2.Truth { return t.restarts(s, r.conditions.Restarts) })
}

// restarts says whether the engine restarts it again and again: its present run is not longer than the runs that it asks for.
func (t *tick) restarts(s *subject, in policy2.Restarts) policy2.Truth {
	restarting := s.c.State == contract.StateRestarting
	switch {
	case !restarting && !s.runs:
		return policy2.False
	case !s.c.Restarts.Known || !restarting && !(s.c.StartedAt.Known && s.c.StartedWallUS.Known):
		return policy2.Unknown
	}

	n := 0
	for _, g := range s.mem.Restarts {
		if g.GUS > t.f.GUS-us(in.Within) {
			n += g.N
		}
	}
	short := restarting || t.f.GUS-s.mem.Start.GUS < us(in.Within)/int64(max(1, in.Count))
	return truth(n >= in.Count && short)
}

func (t *tick) areIdle(r *rule, members []int) policy2.Truth {
	return t.isIdle(members, r.conditions.Idle)
}

// isIdle asks every member that runs; a unit of which none does is not idle.
func (t *tick) isIdle(members []int, d policy2.Duration) policy2.Truth {
	runs := 0
	idle := t.ofEach(members, func(s *subject) policy2.Truth {
		switch {
		case !s.runs:
			return policy2.True
		case !s.mem.Idle.Known:
			runs++
			return policy2.Unknown
		default:
			runs++
			return truth(s.mem.Idle.QuietUS >= us(d))
		}
	})
	if runs == 0 {
		return policy2.False
	}
	return idle
}

// isWarm says whether figures of this start can be trusted.
func (t *tick) isWarm(s *subject) bool {
	start := s.c.StartBootUS
	return s.c.HasRow && start.Known && t.f.BootUS >= start.Value &&
		t.f.BootUS-start.Value >= uint64(t.p.policy.Warmup)*uint64(t.p.tickUS)
}

// warm is the figure where it can be trusted.
func (t *tick) warm(s *subject, v policy2.Fact[uint64]) policy2.Fact[uint64] {
	if !t.isWarm(s) {
		return policy2.Fact[uint64]{}
	}
	return v
}

// measure takes the figures that conditions ask for.
func (t *tick) measure(s *subject) {
	s.ramKB = t.warm(s, s.c.RAMKB)
	if t.f.IntervalUS != 0 {
		s.cpuUS = t.warm(s, s.c.CPUUS)
	}
	if n := s.c.Processes; s.c.HasRow && n.Known {
		s.processes = policy2.Known(uint64(max(0, n.Value)))
	}
}

func ramKB(_ *rule, s *subject) policy2.Fact[uint64] { return s.ramKB }

func processes(_ *rule, s *subject) policy2.Fact[uint64] { return s.processes }

func cpuUS(_ *rule, s *subject) policy2.Fact[uint64] { return s.cpuUS }

// cpuOfThrottled is that of those alone that the rule throttles.
func cpuOfThrottled(r *rule, s *subject) policy2.Fact[uint64] {
	if m := s.memory(r); m == nil || m.Throttle == nil {
		return policy2.Known(uint64(0))
	}
	return s.cpuUS
}

// useCPU compares with the rule's threshold; of those that the rule throttles with 80 % of what the throttle leaves, since
// they cannot reach the threshold any more.
func (t *tick) useCPU(r *rule, members []int) policy2.Truth {
	var left int64
	for _, i := range members {
		if m := t.all[i].memory(r); m != nil && m.Throttle != nil {
			left += m.Throttle.NanoCPUs / nanoPerMilli
		}
	}

	interval := min(t.f.IntervalUS, maxInterval)
	if left == 0 {
		needs := uint64(r.conditions.CPU) * interval
		return t.sum(r, members, cpuUS, func(used uint64) policy2.Truth { return truth(min(used, maxCPU)*percentOne >= needs) })
	}

	const milli, eighty, hundred = 1000, 80, 100
	needs := uint64(min(left, maxMilli)) * interval / milli * eighty
	return t.sum(r, members, cpuOfThrottled, func(used uint64) policy2.Truth { return truth(min(used, maxCPU)*hundred >= needs) })
}

// Bounds that keep products within 64 bits: an hour between snapshots, ten thousand cores.
const (
	maxInterval  = uint64(hourUS)
	maxMilli     = 10_000_000
	maxCPU       = 1 << 46
	nanoPerMilli = 1_000_000
	nanoPerCPU   = 1_000_000_000
)

func (t *tick) useRAM(r *rule, members []int) policy2.Truth {
	return t.sum(r, members, ramKB, func(kb uint64) policy2.Truth { return t.isMemory(kb, r.conditions.RAM) })
}

func (t *tick) haveProcesses(r *rule, members []int) policy2.Truth {
	return t.sum(r, members, processes, func(n uint64) policy2.Truth { return truth(n >= uint64(r.conditions.Processes)) })
}

func (t *tick) isMemory(kb uint64, m policy2.Memory) policy2.Truth {
	const bytes = 1024
	if m.Percent == 0 {
		return truth(kb*bytes >= uint64(m.Size))
	}
	if !t.f.MemoryTotalKB.Known {
		return policy2.Unknown
	}
	return truth(min(kb, maxCPU)*percentOne >= min(t.f.MemoryTotalKB.Value, maxCPU)*uint64(m.Percent))
}
