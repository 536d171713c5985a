package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"gestor.local/contract"
)

// stepUS is the time in which the load is taken as constant.
const stepUS = 100_000

// container is one synthetic container.
type container struct {
	id, name string
	kind     kind
	startUS  uint64
	cpuUS    uint64
	ramKB    uint64
	killedUS uint64 // when it will be gone, 0 = it stays
	endUS    uint64 // when it ends by itself, 0 = never
	busyUS   uint64 // CPU time after which it goes idle, 0 = never
}

// host is a machine without a clock: advance moves its time.
type host struct {
	rng       *rand.Rand
	nowUS     uint64
	cpus      int
	scheduled int
	living    []*container // oldest first
	pending   []*container // will start later, soonest first
	snapshots uint64
}

const ramTotalKB = 16 << 20

// schedule plans a start.
func (h *host) schedule(k kind, atUS uint64, lifetimeUS uint64) {
	h.scheduled++
	c := &container{
		id:   fmt.Sprintf("%016x%016x%016x%016x", h.rng.Uint64(), h.rng.Uint64(), h.rng.Uint64(), h.rng.Uint64()),
		name: fmt.Sprintf("sim-%d", h.scheduled), kind: k, startUS: atUS, ramKB: h.withNoise(k.ramKB),
	}

	if k.busyUS > 0 {
		c.busyUS = k.busyUS/2 + h.rng.Uint64N(k.busyUS)
	}
	if lifetimeUS > 0 {
		c.endUS = atUS + lifetimeUS
	}

	h.pending = append(h.pending, c)
}

// withNoise is a value within 2 per cent of v: two containers of an image are never quite alike.
func (h *host) withNoise(v uint64) uint64 {
	return v - v/50 + h.rng.Uint64N(v/25+1)
}

// advance lets time pass until untilUS.
func (h *host) advance(untilUS uint64) {
	slices.SortStableFunc(h.pending, func(a, b *container) int { return cmp.Compare(a.startUS, b.startUS) })

	for h.nowUS < untilUS {
		for len(h.pending) > 0 && h.pending[0].startUS <= h.nowUS {
			h.living = append(h.living, h.pending[0])
			h.pending = h.pending[1:]
		}

		h.living = slices.DeleteFunc(h.living, func(c *container) bool { return c.hasEnded(h.nowUS) })

		step := min(stepUS, untilUS-h.nowUS)
		h.shareCPU(step)
		h.nowUS += step
	}
}

func (c *container) hasEnded(nowUS uint64) bool {
	return c.killedUS > 0 && c.killedUS <= nowUS || c.endUS > 0 && c.endUS <= nowUS
}

// shareCPU shares the CPUs out for one step: everyone gets what it asks for, or all the same part of it.
func (h *host) shareCPU(step uint64) {
	var wanted uint64
	for _, c := range h.living {
		wanted += c.demandMC()
	}

	capacity := uint64(h.cpus) * 1000
	for _, c := range h.living {
		mc := c.demandMC()
		if wanted > capacity {
			mc = mc * capacity / wanted
		}
		if mc > 0 {
			mc = h.withNoise(mc)
		}

		c.cpuUS += mc * step / 1000
	}
}

// demandMC is what the container asks for: all it may have while it starts, its steady state afterwards.
func (c *container) demandMC() uint64 {
	if c.cpuUS < c.kind.startUS {
		return c.kind.limitMC
	}
	return c.steadyMC()
}

// steadyMC is what it takes from now on in the long run, which decisions are scored against.
func (c *container) steadyMC() uint64 {
	if c.busyUS > 0 && c.cpuUS >= c.busyUS {
		return 0
	}
	return c.kind.steadyMC
}

// snapshot reads the host as the manager's source does.
func (h *host) snapshot() *contract.Snapshot {
	h.snapshots++
	s := &contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "0000000000000001",
		BootID: "00000000-0000-4000-8000-000000000001", Sequence: h.snapshots, MonotonicUS: h.nowUS, RealtimeUS: h.nowUS,
		CPUs: h.cpus, PageSize: 4096,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup, ExactRSS: true}, End: true,
	}

	used := uint64(1 << 20)
	for i, c := range h.living {
		used += c.ramKB
		s.Containers = append(s.Containers, c.row(i))
	}

	used = min(used, ramTotalKB)
	s.Memory = contract.Memory{TotalKB: ramTotalKB, FreeKB: ramTotalKB - used, AvailableKB: ramTotalKB - used, UsedKB: used}

	s.ContainerTotal, s.ProcessTotal = len(s.Containers), len(s.Containers)
	return s
}

func (c *container) row(i int) contract.Container {
	return contract.Container{
		ID: c.id, CgroupID: c.startUS + 1, ProcessCount: 1, ThreadCount: 1, CPUUS: c.cpuUS,
		RSSKB: c.ramKB, VSZKB: c.kind.vszKB, StartUS: c.startUS,
		Processes: []contract.Process{{
			PID: 1000 + i, PPID: 1, Name: "work", State: "R", Threads: 1, StartUS: c.startUS, CPUUS: c.cpuUS,
			VSZKB: c.kind.vszKB, RSSKB: c.ramKB,
		}},
	}
}

// inventory lists the containers as the engine does.
func (h *host) inventory() contract.Inventory {
	inv := contract.Inventory{Host: "simulated"}
	for _, c := range h.living {
		inv.Entries = append(inv.Entries, c.entry())
	}
	return inv
}

// entry is what the engine lists of it.
func (c *container) entry() contract.Entry {
	return contract.Entry{
		ID: c.id, Name: c.name, Image: c.kind.image, State: contract.StateRunning,
		Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: string(c.kind.class)},
	}
}

// kind is what one image really consumes, which decisions are scored against.
type kind struct {
	image string
	class contract.Class
	// startUS is CPU time spent on starting, before the steady state.
	startUS uint64
	// steadyMC is CPU in the steady state (milli-cores), limitMC what the container is held to.
	steadyMC, limitMC uint64
	ramKB, vszKB      uint64
	// busyUS is CPU time after which the container goes idle, give or take a half; 0 = never.
	busyUS uint64
}

// Workloads by name. gestor is what the stress images promise and the limits they are started with; seed is the
// original code's Python programs, which have no limits and need longer to start. Their RAM and VSZ are from its
// published figures. fading is gestor with computing containers that go idle after two to six minutes: what they were
// is not what they are.
func workloads(name string) ([]kind, error) {
	switch name {
	case "gestor":
		return []kind{
			{"gestor/high-cpu", contract.ClassHigh, 30_000, 250, 250, 8 << 10, 70 << 10, 0},
			{"gestor/high-ram", contract.ClassHigh, 150_000, 0, 250, 212 << 10, 280 << 10, 0},
			{"gestor/low-idle", contract.ClassLow, 5_000, 0, 50, 700, 2_400, 0},
			{"gestor/low-pulse", contract.ClassLow, 5_000, 6, 50, 700, 2_400, 0},
		}, nil
	case "seed":
		return []kind{
			{"alto_1", contract.ClassHigh, 150_000, 1000, 1000, 217_268, 219_600, 0},
			{"alto_2", contract.ClassHigh, 150_000, 1000, 1000, 54_020, 128_304, 0},
			{"bajo_1", contract.ClassLow, 120_000, 1, 1000, 30_240, 32_000, 0},
			{"bajo_2", contract.ClassLow, 300_000, 4, 1000, 53_768, 128_000, 0},
		}, nil
	case "fading":
		kinds, err := workloads("gestor")
		for i := range kinds {
			if kinds[i].steadyMC == kinds[i].limitMC {
				kinds[i].busyUS = 60_000_000
			}
		}
		return kinds, err
	default:
		return nil, fmt.Errorf("unknown workload %q (gestor, seed or fading)", name)
	}
}
