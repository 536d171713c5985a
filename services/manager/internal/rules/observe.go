package rules

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// observe brings what is remembered of each container up to this tick, whatever its standing.
func (t *tick) observe() {
	if t.p.v1 != nil {
		t.observeV1()
		return
	}

	before := t.m.Containers
	for i := range t.all {
		s := &t.all[i]
		for len(before) > 0 && before[0].ID < s.c.ID {
			before = before[1:]
		}

		var old *ContainerMemory
		if len(before) > 0 && before[0].ID == s.c.ID {
			old = &before[0]
		}
		t.observeOne(s, old)
		t.observeFor(s)
	}

	t.findProjects()
	t.observeProjectsFor()
}

func (t *tick) observeOne(s *subject, old *ContainerMemory) {
	mem := s.mem
	mem.ID = s.c.ID
	if old != nil {
		*mem = *old
		if t.m.rulesOf != t.p {
			mem.Rules = t.p.sortRules(mem.Rules)
			s.owned = true
		}
	}

	mem.Seen++
	mem.Names = withName(mem.Names, s.c.Name)
	s.who = t.p.identify(s.c.Identity, t.f.Suite, mem.Names, s.who)

	t.observeStart(s.c, mem, old)
	t.observeBirth(s.c, mem, old)
	t.observeOwn(s, mem, old)
	t.observeEnd(s.c, mem, old)
	t.observeIdle(s.c, mem, old)
	s.standing = t.stand(s)
	s.ready = s.standing == StandingReady
	t.measure(s)
	for k := range mem.Rules {
		t.observeLimit(s, k)
		t.observeRestart(s, k)
	}
}

// observeRestart takes a container that somebody started after our stop off the ladder. One that runs with the start that we
// stopped is an old reading.
func (t *tick) observeRestart(s *subject, k int) {
	m, started := &s.mem.Rules[k], s.c.Alive()
	if s.c.StartedAt.Known {
		started = s.c.StartedAt.Value != m.StartedAt
	}
	if m.Stopped && started {
		s.own()
		s.mem.Rules[k].leave()
	}
}

// leave takes the container off the ladder: next time it begins on the first step.
func (m *RuleMemory) leave() {
	m.Done, m.DoneGUS, m.StartedAt, m.Stopped, m.Counted, m.AskedGUS = 0, 0, "", false, false, 0
}

// withName adds a name to those that it had, of which one is that of now. Once they are too many none is added: the others are past ones
// whatever it is called then.
func withName(names []string, name string) []string {
	i, ok := slices.BinarySearch(names, name)
	if ok || name == "" || len(names) > policy2.MostPastNames {
		return names
	}
	return slices.Insert(slices.Clone(names), i, name)
}

// observeStart notices a start by another StartedAt, and restarts by the engine's count.
func (t *tick) observeStart(c *Container, mem, old *ContainerMemory) {
	start := &mem.Start
	if c.Restarts.Known {
		if grown := c.Restarts.Value - start.Count; start.Counted && grown > 0 {
			mem.Restarts = append(slices.Clip(mem.Restarts), Growth{GUS: t.f.GUS, N: grown})
			start.Grew = true
		}
		start.Count, start.Counted = c.Restarts.Value, true
	}
	mem.Restarts = recent(mem.Restarts, t.f.GUS)
	if c.State == contract.StateExited {
		start.Grew = false // the engine has given up: the next start is somebody's
	}

	if !c.StartedAt.Known || c.StartedAt.Value == start.At {
		return
	}
	seen := old != nil && start.At != ""
	start.At = c.StartedAt.Value
	start.GUS = t.startG(c, seen)
	start.ByEngine, start.Grew = start.Grew, false
}

// startG is G at the present start, 0 for none. One that was seen before cannot have started before the last tick.
func (t *tick) startG(c *Container, seen bool) int64 {
	if c.State == contract.StateCreated || c.StartedWallUS.Known && c.StartedWallUS.Value <= 0 {
		return 0
	}

	var ago int64
	if c.StartedWallUS.Known {
		ago = max(0, t.f.WallUS-c.StartedWallUS.Value)
	}
	if seen {
		ago = min(ago, max(0, t.f.GUS-t.m.GUS))
	}
	return t.f.GUS - ago
}

// Bounds of what a container remembers of its restarts: the longest time a condition can ask for, and the highest number.
const (
	restartsUS  = dayUS
	maxRestarts = 100
)

func recent(all []Growth, now int64) []Growth {
	for len(all) > 0 && (all[0].GUS < now-restartsUS || len(all) > maxRestarts) {
		all = all[1:]
	}
	return all
}

// year2013 is the year before the first release of Docker: an engine's time before it is nonsense. Microseconds.
const year2013 = 1_356_998_400 * secondUS

// agreeUS is how far the engine's clock and the boot clock may be apart about one start.
const agreeUS = minuteUS

// observeBirth fixes the creation for a container's life, at first sight or as soon as it can be known.
func (t *tick) observeBirth(c *Container, mem, old *ContainerMemory) {
	switch {
	case mem.Born != BornUnknown:

	case old == nil && !t.blank: // the inventory before did not have it
		mem.Born, mem.BornGUS = BornKnown, t.f.GUS

	case t.f.ClockInDoubt || !c.CreatedWallUS.Known:

	case c.CreatedWallUS.Value < year2013:
		mem.Born = BornNever

	case c.State != contract.StateRunning:
		mem.Born, mem.BornGUS = BornKnown, t.f.GUS-max(0, t.f.WallUS-c.CreatedWallUS.Value)

	case c.StartedWallUS.Known && c.StartBootUS.Known:
		mem.Born, mem.BornGUS = BornKnown, t.f.GUS-max(0, t.f.WallUS-c.CreatedWallUS.Value)
		byEngine := t.f.WallUS - c.StartedWallUS.Value
		byBoot := int64(t.f.BootUS) - int64(c.StartBootUS.Value)
		if apart := byEngine - byBoot; apart > agreeUS || apart < -agreeUS {
			mem.Born, mem.BornGUS = BornSight, t.f.GUS
		}
	}
}

// observeOwn notes when it came to be own. With a lost journal its creation counts.
func (t *tick) observeOwn(s *subject, mem, old *ContainerMemory) {
	known := mem.Born == BornKnown || mem.Born == BornSight
	switch {
	case !s.who.own:
		mem.Own, mem.OwnSinceGUS = false, 0
	case !mem.Own && (old != nil || !t.blank):
		mem.Own, mem.OwnSinceGUS = true, t.f.GUS
	case mem.OwnSinceGUS == 0 && known:
		mem.Own, mem.OwnSinceGUS = true, mem.BornGUS
	default:
		mem.Own = true
	}
}

// observeEnd fixes when it ended.
func (t *tick) observeEnd(c *Container, mem, old *ContainerMemory) {
	end := &mem.End
	switch {
	case c.State == contract.StateCreated:
		if (mem.Born == BornKnown || mem.Born == BornSight) && !end.Known {
			*end = End{GUS: mem.BornGUS, Known: true}
		}

	case !contract.StateEnded(c.State):
		*end = End{}

	case !c.FinishedWallUS.Known || c.FinishedWallUS.Value <= 0:
		end.Known = end.Known && end.WallUS != 0

	case end.Known && end.WallUS == c.FinishedWallUS.Value:

	default:
		t.newEnd(c, end, old)
	}

	// The weekend rule: also of an end that was seen on the boot before.
	if end.Known {
		end.GUS = t.afterWeekend(end.GUS)
	}
}

// newEnd takes an end that was not known before. Of one that ran on the last tick it is known that it ended since; of another
// only the wall clock tells, when it is to be trusted.
func (t *tick) newEnd(c *Container, end *End, old *ContainerMemory) {
	ago := max(0, t.f.WallUS-c.FinishedWallUS.Value)
	switch {
	case old != nil && *end == End{}:
		ago = min(ago, max(0, t.f.GUS-t.m.GUS))
	case t.f.ClockInDoubt:
		*end = End{WallUS: c.FinishedWallUS.Value}
		return
	}
	*end = End{WallUS: c.FinishedWallUS.Value, GUS: t.f.GUS - ago, Known: true}
}

// shutdownUS is how long before the last tick of a boot what ended may have ended with the host.
const shutdownUS = 10 * minuteUS

// afterWeekend moves an end that came with the end of a boot to the beginning of this one.
func (t *tick) afterWeekend(end int64) int64 {
	if end >= t.f.BootGUS || t.earlierG != 0 && end <= t.earlierG-shutdownUS {
		return end
	}
	return t.f.BootGUS
}

// Bounds of how idle is known: over which gap in sight it is known by growing counters, and how often network counters are
// read at most.
const (
	bridgeUS = uint64(10 * minuteUS)
	netUS    = uint64(10 * secondUS)
)

// observeIdle counts for how long it has done nothing. What it did while it was out of sight is told by its counters; then it
// may have done no more than is allowed within one tick.
func (t *tick) observeIdle(c *Container, mem, old *ContainerMemory) {
	idle := &mem.Idle
	started := old == nil || mem.Start.At != old.Start.At
	if c.State != contract.StateRunning || started || !t.sameBoot {
		*idle = Idle{}
	}
	known := c.StartedAt.Known && c.NetBytes.Known && (c.CPUUS.Known || c.CPUTotalUS.Known)
	if c.State != contract.StateRunning || !known {
		idle.Known = false
		return
	}

	elapsed := t.f.BootUS - min(idle.BootUS, t.f.BootUS)
	idle.Known = idle.BootUS == 0 || elapsed <= bridgeUS
	if idle.BootUS == 0 || elapsed > bridgeUS || t.isActive(c, idle, elapsed) {
		idle.QuietUS = 0
	} else {
		idle.QuietUS += int64(elapsed)
	}
	idle.BootUS, idle.NetBytes, idle.NetBootUS = t.f.BootUS, c.NetBytes.Value, c.NetBootUS
	idle.CPUTotalUS, idle.CPUCounted = c.CPUTotalUS.Value, c.CPUTotalUS.Known
}

// isActive says whether it did more than an idle one may since it was last known.
func (t *tick) isActive(c *Container, idle *Idle, elapsed uint64) bool {
	tick := uint64(t.p.tickUS)
	limits := &t.p.policy.Idle

	netTime := min(c.NetBootUS-min(idle.NetBootUS, c.NetBootUS), max(tick+tick/2, netUS))
	if c.NetBytes.Value < idle.NetBytes || (c.NetBytes.Value-idle.NetBytes)*uint64(secondUS) > uint64(limits.Net)*netTime {
		return true
	}

	cpuTime := elapsed
	if cpuTime > tick+tick/2 {
		cpuTime = tick
	}
	var used uint64
	switch {
	case c.CPUUS.Known && elapsed <= t.f.IntervalUS+tick/2:
		used = c.CPUUS.Value
	case c.CPUTotalUS.Known && idle.CPUCounted && c.CPUTotalUS.Value >= idle.CPUTotalUS:
		used = c.CPUTotalUS.Value - idle.CPUTotalUS
	default:
		return true
	}
	return used*percentOne > uint64(limits.CPU)*cpuTime
}

// percentOne is a whole, in the unit of policy2.Percent.
const percentOne = 10_000

// sortRules orders what rules remember for this program. Of rules that it does not have only a limit that is owed stays.
func (p *Program) sortRules(old []RuleMemory) []RuleMemory {
	out := make([]RuleMemory, 0, len(old))
	for _, r := range old {
		i, ok := p.index[r.Hash]
		switch {
		case ok:
			r.rule = i
		case r.Throttle != nil:
			r = RuleMemory{Hash: r.Hash, Throttle: r.Throttle, rule: noRule}
		default:
			continue
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b RuleMemory) int { return a.rule - b.rule })
	return out
}
