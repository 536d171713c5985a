package journaltest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/rules"
)

// Load is a made-up host, tick by tick. Equal loads have equal ticks.
type Load struct {
	Policy policy2.Policy
	// Of a hundred containers so many use another CPU time than on the tick before, have another amount of memory, and are
	// exchanged for new ones.
	CPU, Memory, Churn int

	rng   *rand.Rand
	facts [2]rules.Facts // of the last tick, and of the one before
	born  int
}

const second = 1_000_000

// NewLoad is a host with so many containers, all of them own under the policy. It stays still: set what changes.
func NewLoad(containers int) *Load {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: contract.LabelManaged, Value: "true"}}}
	p.Rules = []policy2.Rule{
		{
			Name: "idle", When: policy2.Conditions{Idle: policy2.Day},
			Do: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Day}},
		},
		{Name: "old", When: policy2.Conditions{Age: 30 * policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepRemove}}},
	}

	l := &Load{Policy: p, rng: rand.New(rand.NewPCG(1, 2))}
	f := &l.facts[0]
	*f = rules.Facts{
		BootID: "2c5f0b7e-0000-4000-8000-9f2c01ab0001", BootUS: 1e6 * second, GUS: 1.7e9 * second, BootGUS: 1.699e9 * second,
		WallUS: 1.7e9*second + 1234, CPUs: 8, MemoryTotalKB: policy2.Known[uint64](16 << 20), MemoryAvailableKB: policy2.Known[uint64](8 << 20),
	}

	for range containers {
		f.Containers = append(f.Containers, l.container())
	}

	l.sort()
	return l
}

func (l *Load) sort() {
	slices.SortFunc(l.facts[0].Containers, func(a, b rules.Container) int { return cmp.Compare(a.ID, b.ID) })
}

// container is one that is created now.
func (l *Load) container() rules.Container {
	f := &l.facts[0]
	n := l.born
	l.born++

	return rules.Container{
		Identity: &policy2.Identity{
			ID:   fmt.Sprintf("%016x%016x%016x%016x", l.rng.Uint64(), l.rng.Uint64(), l.rng.Uint64(), l.rng.Uint64()),
			Name: fmt.Sprintf("project-%d-web-%d", n/5, n%5), Image: "registry.example/acme/web:pr-7",
			Networks: policy2.Known([]string{"front"}), Socket: policy2.Known(false),
			Labels: map[string]string{contract.LabelManaged: "true", "org.opencontainers.image.title": "web"},
		},
		InEngine: true, State: contract.StateRunning, CreatedWallUS: policy2.Known(f.WallUS),
		StartedAt: policy2.Known(fmt.Sprintf("2026-11-30T09:14:20.%09dZ", l.rng.IntN(1e9))), StartedWallUS: policy2.Known(f.WallUS),
		FinishedWallUS: policy2.Known(int64(0)), Restarts: policy2.Known(0), RestartPolicy: policy2.Known("no"),
		AutoRemove: policy2.Known(false), AnonymousVolumes: policy2.Known(0), NetworkMode: policy2.Known("bridge"),
		NanoCPUs: policy2.Known(int64(0)), HasRow: true, StartBootUS: policy2.Known(f.BootUS), Processes: policy2.Known(3),
		CPUUS: policy2.Known(uint64(0)), CPUTotalUS: policy2.Known(l.rng.Uint64N(second)), RAMKB: policy2.Known(10_000 + l.rng.Uint64N(50_000)),
		WorkingSetKB: policy2.Known(uint64(9_000)), VSZKB: policy2.Known(uint64(40_000)), RSSKB: policy2.Known(uint64(12_000)),
		NetBytes: policy2.Known(uint64(1000)), NetBootUS: f.BootUS,
	}
}

// Next is the next tick, ten seconds and some after the one before. It is valid until the one after the next.
func (l *Load) Next() *rules.Facts {
	l.facts[0], l.facts[1] = l.facts[1], l.facts[0]
	f, containers := &l.facts[0], l.facts[0].Containers
	*f = l.facts[1]
	f.Containers = append(containers[:0], l.facts[1].Containers...)

	// No clock of a host is exact.
	passed := uint64(10*second + l.rng.IntN(2000))
	f.Tick, f.Sequence, f.IntervalUS = f.Tick+1, f.Sequence+1, passed
	f.BootUS, f.GUS, f.WallUS = f.BootUS+passed, f.GUS+int64(passed), f.WallUS+int64(passed)
	f.MemoryAvailableKB.Value += l.rng.Uint64N(2000) - 1000

	exchanged := false
	for i := range f.Containers {
		c := &f.Containers[i]
		if l.rng.IntN(100) < l.Churn {
			*c, exchanged = l.container(), true
			continue
		}
		l.live(c, passed)
	}

	if exchanged {
		l.sort()
	}

	return f
}

func (l *Load) live(c *rules.Container, passed uint64) {
	if l.rng.IntN(100) < l.CPU {
		c.CPUUS.Value = l.rng.Uint64N(20_000)
		c.NetBytes.Value += l.rng.Uint64N(500)
	}

	if l.rng.IntN(100) < l.Memory {
		c.RAMKB.Value += 4 * (l.rng.Uint64N(64) - 32)
		c.WorkingSetKB.Value = c.RAMKB.Value - 1000
	}

	c.CPUTotalUS.Value += c.CPUUS.Value
	c.NetBootUS += passed
}

// Version1 is what a manager with a policy of version 1 reads on the tick.
func Version1(f *rules.Facts) (pop contract.Population, inv contract.Inventory, ctx contract.Context) {
	pop = contract.Population{
		Source: contract.SourceModule, BootID: f.BootID, Sequence: f.Sequence, MonotonicUS: f.BootUS, IntervalUS: f.IntervalUS, CPUs: f.CPUs,
		Memory: contract.Memory{TotalKB: f.MemoryTotalKB.Value, AvailableKB: f.MemoryAvailableKB.Value},
	}

	for i := range f.Containers {
		c := &f.Containers[i]
		pop.Members = append(pop.Members, contract.Member{
			ID: c.ID, CgroupID: uint64(i), StartUS: c.StartBootUS.Value, SeenTicks: int(f.Tick), AgeUS: f.BootUS - c.StartBootUS.Value,
			Measured: true, Processes: c.Processes.Value, Threads: c.Processes.Value,
			Measures: contract.Measures{
				CPUMillicores: c.CPUUS.Value * 1000 / f.IntervalUS, RAMKB: c.WorkingSetKB.Value, VSZKB: c.VSZKB.Value, RSSKB: c.RSSKB.Value,
			},
			MemoryKB: &c.RAMKB.Value, WorkingSetKB: &c.WorkingSetKB.Value,
		})
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: c.ID, Name: c.Name, Image: c.Image, Labels: c.Labels, State: c.State, StartedAt: c.StartedAt.Value,
			CreatedUnix: c.CreatedWallUS.Value / second,
		})
	}

	return pop, inv, contract.Context{Tick: f.Tick}
}
