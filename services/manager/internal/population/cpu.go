package population

import (
	"math"
	"math/bits"

	"gestor.local/contract"
)

const (
	// jitterUS is how far a container's counter may step back without having been reset: two walks that meet a concurrent
	// flush of the kernel's per-CPU counters were seen to differ by 2.2 ms, and /proc counts in ticks of 10 ms.
	jitterUS = 10_000
	// userHZUS is one tick of the clock in which /proc tells start times.
	userHZUS = 10_000
	// slackPercent is what the CPU time of an interval may exceed interval × CPUs by: the two rows of a container are not
	// read at exactly the times of the two headers.
	slackPercent = 5
)

// tasks remembers each process's CPU time where the container's own counter loses exited processes.
func (a *advance) tasks(c *contract.Container) map[task]uint64 {
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

// delta is the CPU time the container used since its last sight; ok is false when its counter was reset.
func (a *advance) delta(c *contract.Container, last known) (deltaUS uint64, ok bool) {
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
// not there before counts whole if it was born since, and not at all if it is older: it was moved in, and its earlier time
// was spent elsewhere.
//
// The container's sum also holds the time of children that a live process has waited for, and so of most that ended; but
// it falls when a process ends for which nobody inside waited.
func (a *advance) taskDelta(c *contract.Container, last known) uint64 {
	var own, movedIn uint64
	sinceUS := a.old.head.monotonicUS
	for i := range c.Processes {
		p := &c.Processes[i]
		was, known := last.tasks[task{p.PID, p.StartUS}]
		switch {
		case known && p.CPUUS > was:
			own = add(own, p.CPUUS-was)
		case !known && p.StartUS+userHZUS >= sinceUS:
			own = add(own, p.CPUUS)
		case !known:
			movedIn = add(movedIn, p.CPUUS)
		}
	}
	if before := add(last.cpuUS, movedIn); c.CPUUS > before {
		return max(own, c.CPUUS-before)
	}
	return own
}

// impossible reports whether the CPUs together could not have given that much time in the interval.
func impossible(deltaUS, intervalUS uint64, cpus int) bool {
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
	quotient, _ := bits.Div64(high, low, overUS)
	return quotient
}

// add saturates: a sum that wraps would look small.
func add(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return math.MaxUint64
}
