package population

import "gestor.local/contract"

// member copies what needs no comparison.
func (a *advance) member(c *contract.Container) contract.Member {
	m := contract.Member{
		ID: c.ID, CgroupID: c.CgroupID, StartUS: c.StartUS,
		Measures: contract.Measures{RAMKB: c.RSSKB, VSZKB: c.VSZKB, RSSKB: c.RSSKB},
		MemoryKB: c.MemoryKB, WorkingSetKB: c.WorkingSetKB, MemoryMaxKB: c.MemoryMaxKB, OOMKills: c.OOMKills,
		Frozen: c.Frozen != nil && *c.Frozen, Processes: c.ProcessCount, Threads: c.ThreadCount,
	}
	if c.WorkingSetKB != nil {
		m.RAMKB = *c.WorkingSetKB
	}
	if c.StartUS < a.snap.MonotonicUS { // a container may begin during the walk
		m.AgeUS = a.snap.MonotonicUS - c.StartUS
	}
	return m
}

// measure compares the row with the last sight of the container, completes m and returns what to remember.
func (a *advance) measure(c *contract.Container, m *contract.Member) known {
	now := known{startUS: c.StartUS, seen: 1, cpuUS: c.CPUUS, tasks: a.tasks(c)}
	last, here := a.old.known[c.ID]
	a.birth(c.ID)
	if here && last.seen > 0 && last.startUS != c.StartUS {
		a.event(Event{Kind: EventRestart, ID: c.ID})
	}
	if last.seen == 0 || last.startUS != c.StartUS {
		m.Why = contract.UnmeasuredBaseline
		m.CPUMillicores = millicores(c.CPUUS, m.AgeUS)
		return now
	}
	deltaUS, ok := a.delta(c, last)
	if !ok {
		m.Why = contract.UnmeasuredReset
		a.event(Event{Kind: EventReset, ID: c.ID, BeforeUS: last.cpuUS, AfterUS: c.CPUUS})
		return now
	}
	now.seen = last.seen + 1
	if impossible(deltaUS, a.intervalUS, a.snap.CPUs) {
		m.Why = contract.UnmeasuredImpossible
		a.event(Event{Kind: EventImpossible, ID: c.ID, BeforeUS: last.cpuUS, AfterUS: c.CPUUS, DeltaUS: deltaUS})
		return now
	}
	m.Measured = true
	m.CPUMillicores = millicores(deltaUS, a.intervalUS)
	return now
}
