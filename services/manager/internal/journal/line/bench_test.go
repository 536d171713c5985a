package line

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// still is a host of mostly still containers under a policy that owns them all, tick by tick: one in five has used another CPU time
// than on the tick before, one in twenty another amount of memory, and the network of all is read.
type still struct {
	rng     *rand.Rand
	program *rules.Program
	facts   [2]rules.Facts
}

func newStill(containers int) *still {
	p := policy2.Default()
	managed := policy2.Label{Key: contract.LabelManaged, Value: "true"}
	p.Own = []policy2.Selector{{Label: &managed}}
	p.Rules = []policy2.Rule{
		{
			Name: "idle", When: policy2.Conditions{Idle: policy2.Day},
			Do: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Day}},
		},
		{Name: "old", When: policy2.Conditions{Age: 30 * policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepRemove}}},
	}
	s := &still{rng: rand.New(rand.NewPCG(1, 2)), program: rules.New(p)}

	f := &s.facts[0]
	*f = rules.Facts{
		BootID: "boot", BootUS: 1e12, GUS: 1.7e15, BootGUS: 1.7e15 - 1e12, WallUS: 1.7e15, CPUs: 8, IntervalUS: 1e7,
		MemoryTotalKB: policy2.Known[uint64](16 << 20), MemoryAvailableKB: policy2.Known[uint64](8 << 20),
	}
	for i := range containers {
		f.Containers = append(f.Containers, rules.Container{
			Identity: &policy2.Identity{
				ID: fmt.Sprintf("%08x%056x", s.rng.Uint32()>>8<<8, i), Name: fmt.Sprintf("project-%d-web-%d", i/5, i%5),
				Image: "registry.example/acme/web:pr-7", Networks: policy2.Known([]string{"front"}), Socket: policy2.Known(false),
				Labels: map[string]string{contract.LabelManaged: "true"},
			},
			InEngine: true, State: contract.StateRunning, CreatedWallUS: policy2.Known(int64(1.6e15)),
			StartedAt: policy2.Known("2020-09-13T12:26:40Z"), StartedWallUS: policy2.Known(int64(1.6e15)), FinishedWallUS: policy2.Known(int64(0)),
			Restarts: policy2.Known(0), RestartPolicy: policy2.Known("no"), AutoRemove: policy2.Known(false), AnonymousVolumes: policy2.Known(0),
			NetworkMode: policy2.Known("bridge"), NanoCPUs: policy2.Known(int64(0)),
			HasRow: true, StartBootUS: policy2.Known(uint64(i)), Processes: policy2.Known(3),
			CPUUS: policy2.Known(uint64(0)), CPUTotalUS: policy2.Known(uint64(i)), RAMKB: policy2.Known(uint64(10_000)),
			VSZKB: policy2.Known(uint64(40_000)), RSSKB: policy2.Known(uint64(12_000)), NetBytes: policy2.Known(uint64(1000)), NetBootUS: f.BootUS,
		})
	}
	f.Containers = sorted(f.Containers)
	s.facts[1].Containers = make([]rules.Container, containers)
	return s
}

// next is the next tick's facts; those of the one before stay until the one after.
func (s *still) next() *rules.Facts {
	s.facts[0], s.facts[1] = s.facts[1], s.facts[0]
	f, containers := &s.facts[0], s.facts[0].Containers
	*f = s.facts[1]
	f.Containers = containers
	copy(f.Containers, s.facts[1].Containers)

	passed := uint64(10_000_000 + s.rng.IntN(2000))
	f.Tick, f.Sequence, f.IntervalUS = f.Tick+1, f.Sequence+1, passed
	f.BootUS, f.GUS, f.WallUS = f.BootUS+passed, f.GUS+int64(passed), f.WallUS+int64(passed)
	for i := range f.Containers {
		c := &f.Containers[i]
		if s.rng.IntN(5) == 0 {
			c.CPUUS.Value = s.rng.Uint64N(3000)
			c.NetBytes.Value += s.rng.Uint64N(500)
		}
		if s.rng.IntN(20) == 0 {
			c.RAMKB.Value = 10_000 + s.rng.Uint64N(500)
		}
		c.CPUTotalUS.Value += c.CPUUS.Value
		c.NetBootUS += passed
	}
	return f
}

// BenchmarkTick is what one tick of 1,000 containers costs to write: the line of its facts, and that of its verdicts.
func BenchmarkTick(b *testing.B) {
	const ticks = 16
	s := newStill(1000)
	table := NewTable()
	table.SetLabels(LabelsOf(s.program.Policy()))

	// The plans are made beforehand: they are not what is measured.
	var facts []rules.Facts
	var plans []rules.Plan
	var memory rules.Memory
	for range ticks {
		f := *s.next()
		f.Containers = append([]rules.Container(nil), f.Containers...)
		facts = append(facts, f)
		plan := rules.Decide(s.program, memory, &f)
		memory = rules.Remember(s.program, memory, &f, plan, nil)
		plans = append(plans, plan)
	}

	for _, line := range []struct {
		name  string
		write func(to []byte, i int) []byte
	}{
		{"facts", func(to []byte, i int) []byte { return table.AppendFacts(to, &facts[i], 1) }},
		{"verdict", func(to []byte, i int) []byte { return table.AppendVerdict(to, &plans[i], nil, 1) }},
	} {
		b.Run(line.name, func(b *testing.B) {
			var text []byte
			for i := range ticks {
				text = line.write(text[:0], i)
			}
			length := 0
			b.ReportAllocs()
			before := cpuTime(b)
			n := 0
			for b.Loop() {
				text = Seal(line.write(append(text[:0], '{'), n%ticks), 0)
				length += len(text)
				n++
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(n)/1000, "cpu-µs/op")
			b.ReportMetric(float64(length)/float64(n), "line-B/op")
		})
	}
}

// cpuTime is what the process has used: the machine may have other work.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestATickAllocatesNothing once its buffers have grown.
func TestATickAllocatesNothing(t *testing.T) {
	s := newStill(200)
	table := NewTable()
	table.SetLabels(LabelsOf(s.program.Policy()))
	f := s.next()
	plan := rules.Decide(s.program, rules.Memory{}, f)

	var line []byte
	tick := func() {
		f := s.next()
		line = table.AppendFacts(append(line[:0], '{'), f, 1)
		line = Seal(table.AppendVerdict(line, &plan, nil, 1), 0)
	}
	for range 20 {
		tick()
	}
	if got := testing.AllocsPerRun(50, tick); got > 0 {
		t.Errorf("%v allocations a tick", got)
	}
}
