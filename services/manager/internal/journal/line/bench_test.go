package line_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// still is a host of mostly still containers: one in five uses another CPU time than on the tick before, one in twenty another
// amount of memory, and the network of all is read.
func still(containers int) (l *journaltest.Load, program *rules.Program, table *line.Table) {
	l = journaltest.NewLoad(containers)
	l.CPU, l.Memory = 20, 5
	program, table = rules.New(l.Policy), line.NewTable()
	table.SetLabels(line.LabelsOf(program.Policy()))
	return l, program, table
}

// BenchmarkTick is what one tick of 1,000 containers costs to write: the line of its facts, and that of its verdicts.
func BenchmarkTick(b *testing.B) {
	const ticks = 64
	l, program, table := still(1000)

	// The plans are made beforehand: they are not what is measured.
	var facts []rules.Facts
	var plans []rules.Plan
	var memory rules.Memory
	for range ticks {
		f := *l.Next()
		f.Containers = slices.Clone(f.Containers)
		facts = append(facts, f)
		plan := rules.Decide(program, memory, &f)
		memory = rules.Remember(program, memory, &f, plan, nil)
		plans = append(plans, plan)
	}

	for _, kind := range []struct {
		name  string
		write func(to []byte, i int) []byte
	}{
		{"facts", func(to []byte, i int) []byte { return table.AppendFacts(to, &facts[i], 1) }},
		{"verdict", func(to []byte, i int) []byte { return table.AppendVerdict(to, &plans[i], nil, 1) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var text []byte
			for i := range ticks {
				text = kind.write(text[:0], i)
			}

			length, n := 0, 0
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				text = line.Seal(kind.write(append(text[:0], '{'), n%ticks), 0)
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
	l, program, table := still(200)
	plan := rules.Decide(program, rules.Memory{}, l.Next())

	var text []byte
	tick := func() {
		text = table.AppendFacts(append(text[:0], '{'), l.Next(), 1)
		text = line.Seal(table.AppendVerdict(text, &plan, nil, 1), 0)
	}
	for range 50 {
		tick()
	}
	if got := testing.AllocsPerRun(50, tick); got > 0 {
		t.Errorf("%v allocations a tick", got)
	}
}
