package population

import (
	"math"
	"math/bits"

	"gestor.local/contract"
)

// member copies what needs no comparison.
func (a *advance) member(c *contract.Container) contract.Member {
	m := contract.Member{
		ID: c.ID, CgroupID: c.CgroupID, StartUS: c.StartUS,
		Measures: contract.Measures{RAMKB: c.RSSKB, VSZKB: c.VSZKB, RSSKB: c.RSSKB},
		MemoryKB: c.MemoryKB, WorkingSetKB: c.WorkingSetKB, MemoryMaxKB: c.MemoryMaxKB, OOMKills: c.OOMKills,
		Frozen: c.Frozen != nil && *c.Frozen, Processes: c.ProcessCount, Threads: c.ThreadCount,
	}

	// RAM is the working set where there is an accounting of it: RSS counts shared pages once for each process.
	if c.WorkingSetKB != nil {
		m.RAMKB = *c.WorkingSetKB
	}

	if c.StartUS < a.snap.MonotonicUS { // a container may begin during the walk
		m.AgeUS = a.snap.MonotonicUS - c.StartUS
	}
	return m
}

// measure compares the row with the last snapshot, completes m and returns what is kept for the next one.
func (a *advance) measure(c *contract.Container, m *contract.Member) lastSeen {
	now := lastSeen{startUS: c.StartUS, ticks: 1, cpuUS: c.CPUUS, tasks: a.taskTimes(c)}
	last, existed := a.old.containers[c.ID]

	a.addBirth(c.ID)
	if existed && last.ticks > 0 && last.startUS != c.StartUS {
		a.addEvent(Event{Kind: EventRestart, ID: c.ID})
	}

	if last.ticks == 0 || last.startUS != c.StartUS {
		m.Why = contract.UnmeasuredBaseline
		m.CPUMillicores = millicores(c.CPUUS, m.AgeUS)
		return now
	}

	deltaUS, ok := a.cpuDelta(c, last)
	if !ok {
		m.Why = contract.UnmeasuredReset
		a.addEvent(Event{Kind: EventReset, ID: c.ID, BeforeUS: last.cpuUS, AfterUS: c.CPUUS})
		return now
	}

	// An impossible delta does not make it young again: its identity is the same, and the next delta is measured.
	now.ticks = last.ticks + 1
	if exceedsCapacity(deltaUS, a.intervalUS, a.snap.CPUs) {
		m.Why = contract.UnmeasuredImpossible
		a.addEvent(Event{Kind: EventImpossible, ID: c.ID, BeforeUS: last.cpuUS, AfterUS: c.CPUUS, DeltaUS: deltaUS})
		return now
	}

	m.Measured, m.CPUUS = true, deltaUS
	m.CPUMillicores = millicores(deltaUS, a.intervalUS)
	return now
}

const (
	// jitterUS is how far a container's counter may step back without having been reset: two walks that meet a
	// concurrent flush of the kernel's per-CPU counters were seen to differ by 2.2 ms, and /proc counts in ticks of 10
	// ms.
	jitterUS = 10_000
	// userHZUS is one tick of the clock in which /proc gives start times.
	userHZUS = 10_000
	// slackPercent is what the CPU time of an interval may exceed interval × CPUs by: the two rows of a container are
	// not read at exactly the times of the two headers.
	slackPercent = 5
)

// taskTimes is each process's CPU time, where the container's own counter loses exited processes; else nil.
func (a *advance) taskTimes(c *contract.Container) map[task]uint64 {
	if a.snap.Capabilities.CPUSource != contract.CPUSourceTasks {
		return nil
	}

	t := make(map[task]uint64, len(c.Processes))
	for i := range c.Processes {
		p := &c.Processes[i]
		t[task{p.PID, p.StartUS}] = p.CPUUS
	}
	return t
}

// cpuDelta is the CPU time the container used since the last snapshot; ok is false when its counter was reset.
func (a *advance) cpuDelta(c *contract.Container, last lastSeen) (deltaUS uint64, ok bool) {
	if last.tasks != nil && a.snap.Capabilities.CPUSource == contract.CPUSourceTasks {
		return a.taskDelta(c, last), true
	}
	switch {
	case c.CPUUS >= last.cpuUS:
		return c.CPUUS - last.cpuUS, true
	case last.cpuUS-c.CPUUS <= jitterUS:
		return 0, true
	default:
		return 0, false
	}
}

// taskDelta is what a container without a counter of its own used. There are two lower bounds, and the larger is taken:
//
// The live processes' own time is never too large, and misses the last stretch of those that ended. A process that was
// not there before counts whole if it was born since, and not at all if it is older: it was moved in, and its earlier
// time was spent elsewhere.
//
// The container's sum also holds the time of children that a live process has waited for, and so of most that ended;
// but it falls when a process ends for which nobody inside waited.
func (a *advance) taskDelta(c *contract.Container, last lastSeen) uint64 {
	var own, movedIn uint64
	sinceUS := a.old.lastHeader.monotonicUS
	for i := range c.Processes {
		p := &c.Processes[i]
		was, wasKnown := last.tasks[task{p.PID, p.StartUS}]
		switch {
		case wasKnown && p.CPUUS > was:
			own = addSaturating(own, p.CPUUS-was)
		case !wasKnown && p.StartUS+userHZUS >= sinceUS:
			own = addSaturating(own, p.CPUUS)
		case !wasKnown:
			movedIn = addSaturating(movedIn, p.CPUUS)
		}
	}

	// What moved in brought its earlier time into the sum: it is no use of this interval.
	if before := addSaturating(last.cpuUS, movedIn); c.CPUUS > before {
		return max(own, c.CPUUS-before)
	}
	return own
}

// exceedsCapacity reports whether the CPUs together could not have given that much time in the interval.
func exceedsCapacity(deltaUS, intervalUS uint64, cpus int) bool {
	const percent = 100
	limitHigh, limitLow := bits.Mul64(intervalUS, uint64(cpus)*(percent+slackPercent))
	high, low := bits.Mul64(deltaUS, percent)
	return high > limitHigh || high == limitHigh && low > limitLow
}

// millicores is CPU time per time: 1000 = one core all the time. It is 0 over no time.
func millicores(cpuUS, overUS uint64) uint64 {
	const core = 1000
	high, low := bits.Mul64(cpuUS, core)
	if overUS == 0 {
		return 0
	}
	if high >= overUS {
		return math.MaxUint64
	}

	// The high word is below the divisor here: Div64 cannot overflow.
	quotient, _ := bits.Div64(high, low, overUS)
	return quotient
}

// addSaturating saturates: a sum that wraps would look small.
func addSaturating(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return math.MaxUint64
}
