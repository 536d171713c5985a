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
	rng     *rand.Rand
	nowUS   uint64
	cpus    int
	started int
	living  []*container // oldest first
	waiting []*container // will start later, soonest first
	walks   uint64
}

const ramTotalKB = 16 << 20

// schedule plans a start.
func (h *host) schedule(k kind, atUS uint64, lifetimeUS uint64) {
	h.started++
	c := &container{
		id:   fmt.Sprintf("%016x%016x%016x%016x", h.rng.Uint64(), h.rng.Uint64(), h.rng.Uint64(), h.rng.Uint64()),
		name: fmt.Sprintf("sim-%d", h.started), kind: k, startUS: atUS, ramKB: h.near(k.ramKB),
	}
	if k.busyUS > 0 {
		c.busyUS = k.busyUS/2 + h.rng.Uint64N(k.busyUS)
	}
	if lifetimeUS > 0 {
		c.endUS = atUS + lifetimeUS
	}
	h.waiting = append(h.waiting, c)
}

// near is a value within 2 per cent of v: two containers of an image are never quite alike.
func (h *host) near(v uint64) uint64 {
	return v - v/50 + h.rng.Uint64N(v/25+1)
}

// advance lets time pass until untilUS.
func (h *host) advance(untilUS uint64) {
	slices.SortStableFunc(h.waiting, func(a, b *container) int { return cmp.Compare(a.startUS, b.startUS) })
	for h.nowUS < untilUS {
		for len(h.waiting) > 0 && h.waiting[0].startUS <= h.nowUS {
			h.living = append(h.living, h.waiting[0])
			h.waiting = h.waiting[1:]
		}
		h.living = slices.DeleteFunc(h.living, func(c *container) bool { return c.gone(h.nowUS) })
		step := min(stepUS, untilUS-h.nowUS)
		h.work(step)
		h.nowUS += step
	}
}

func (c *container) gone(nowUS uint64) bool {
	return c.killedUS > 0 && c.killedUS <= nowUS || c.endUS > 0 && c.endUS <= nowUS
}

// work shares the CPUs out for one step: everyone gets what it asks for, or all the same part of it.
func (h *host) work(step uint64) {
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
			mc = h.near(mc)
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

// steadyMC is what it takes now in the long run: the truth about it.
func (c *container) steadyMC() uint64 {
	if c.busyUS > 0 && c.cpuUS >= c.busyUS {
		return 0
	}
	return c.kind.steadyMC
}

// snapshot reads the host as the manager's eyes do.
func (h *host) snapshot() *contract.Snapshot {
	h.walks++
	s := &contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "0000000000000001",
		BootID: "00000000-0000-4000-8000-000000000001", Sequence: h.walks, MonotonicUS: h.nowUS, RealtimeUS: h.nowUS,
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
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: c.id, Name: c.name, Image: c.kind.image, State: contract.StateRunning,
			Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: string(c.kind.class)},
		})
	}
	return inv
}
