package journal_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// loads are those of docs/benchmarks/journal.md.
func loads() map[string]func() *journaltest.Load {
	load := func(containers, cpu, memory, churn int) func() *journaltest.Load {
		return func() *journaltest.Load {
			l := journaltest.NewLoad(containers)
			l.CPU, l.Memory, l.Churn = cpu, memory, churn
			return l
		}
	}
	return map[string]func() *journaltest.Load{
		"still":     load(200, 20, 5, 0),    // of 200 mostly still containers
		"moving":    load(200, 100, 50, 0),  // of 200 that all do something
		"generator": load(21, 100, 100, 10), // of the generator: 21 containers, each there for a hundred seconds
	}
}

// BenchmarkSize writes an hour of ticks, with GESTOR_SOAK a day, ten seconds apart, and says how many bytes a container-tick takes
// once all segments are sealed, and how long it takes to read the newest of them at a start.
func BenchmarkSize(b *testing.B) {
	for name, load := range loads() {
		b.Run(name+"/version=2", func(b *testing.B) {
			for b.Loop() {
				measure(b, journal.Options{Version: 2}, writeLoad(load(), writeFacts()))
			}
		})
		b.Run(name+"/version=1", func(b *testing.B) {
			for b.Loop() {
				measure(b, journal.Options{MaxBytes: 1 << 40}, writeLoad(load(), writeTicks))
			}
		})
	}

	b.Run("simulated/version=2", func(b *testing.B) {
		for b.Loop() {
			measure(b, journal.Options{Version: 2}, writeWorld)
		}
	})
}

// writeWorld writes the ticks of a simulated host on which a container is made every two minutes, runs for forty and is removed
// when it has ended; one in four needs more CPU than it gets. It gives the number of container-ticks.
func writeWorld(b *testing.B, j *journal.Journal, ticks int) (containers int) {
	b.Helper()
	p := hostPolicy()
	p.Rules = p.Rules[:2] // hogs and ended
	w := rulestest.New(p, 0)
	for i := range ticks / 12 {
		noise := func(at time.Duration, below uint64) uint64 {
			return rand.New(rand.NewPCG(uint64(at), uint64(i))).Uint64N(below)
		}
		w.Add(rulestest.Container{
			Name: fmt.Sprintf("preview-%d", i), Image: "registry.example/acme/web:1",
			Labels:  map[string]string{contract.LabelManaged: "true", "preview.branch": fmt.Sprint(i % 7)},
			Created: time.Duration(2*i) * time.Minute, Networks: []string{"front"},
			CPU:   func(at time.Duration) int64 { return int64(noise(at, 20)) + int64(i%4/3)*2000 },
			RAMKB: func(at time.Duration) uint64 { return 10_000 + 4*noise(at/30, 100) },
			Net:   func(at time.Duration) int64 { return int64(noise(at, 300)) },
			Run:   func(int) time.Duration { return 40 * time.Minute },
		})
	}

	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		containers += len(tick.Facts.Containers)
		if err := recorder.Tick(tick); err != nil {
			b.Fatal(err)
		}
	}
	w.Run(tickTime(ticks))
	return containers
}

func writeLoad(l *journaltest.Load, write writer) func(*testing.B, *journal.Journal, int) int {
	return func(b *testing.B, j *journal.Journal, ticks int) (containers int) {
		b.Helper()
		for range ticks {
			f := l.Next()
			containers += len(f.Containers)
			write(b, j, l, f)
		}
		return containers
	}
}

// writer writes a tick.
type writer func(*testing.B, *journal.Journal, *journaltest.Load, *rules.Facts)

func measure(b *testing.B, o journal.Options, write func(b *testing.B, j *journal.Journal, ticks int) (containers int)) {
	b.Helper()
	ticks := 360
	if os.Getenv("GESTOR_SOAK") == "1" {
		ticks = 8640
	}
	dir := b.TempDir()
	j, _, err := journal.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	containers := write(b, j, ticks)
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}

	start := cpuTime(b)
	if j, _, err = journal.Open(dir, o); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime(b) - start).Milliseconds()), "start-cpu-ms")
	if err := j.CleanUp(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(sealedSize(b, dir, j))/float64(containers), "B/container-tick")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// sealedSize is what the journal takes up, with what is not sealed yet as it is when it will be.
func sealedSize(b *testing.B, dir string, j *journal.Journal) int64 {
	b.Helper()
	size := j.Size()
	plain, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range plain {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		size += int64(gzipped(b, text)) - int64(len(text))
	}
	return size
}

func writeFacts() writer {
	var program *rules.Program
	var memory rules.Memory
	return func(b *testing.B, j *journal.Journal, l *journaltest.Load, f *rules.Facts) {
		b.Helper()
		if program == nil {
			program = rules.New(l.Policy)
		}
		plan := rules.Decide(program, memory, f)
		if _, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: f, Plan: &plan}); err != nil {
			b.Fatal(err)
		}
		memory = rules.Remember(program, memory, f, plan, nil)
	}
}

func writeTicks(b *testing.B, j *journal.Journal, _ *journaltest.Load, f *rules.Facts) {
	b.Helper()
	p := contract.DefaultPolicy()
	p.Quota.Low, p.Quota.High = 10_000, 10_000 // nobody is removed
	var t journal.Tick
	t.Population, t.Inventory, t.Context = journaltest.Version1(f)
	if _, err := j.Tick(p, t, rules.DecideV1(rules.Compile(p), t.Population, t.Inventory, t.Context)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDecide is what a tick of 1,000 mostly still containers costs to write, with its plan's hash, to a file.
func BenchmarkDecide(b *testing.B) {
	const ticks = 64
	l := loads()["still"]()
	*l = *journaltest.NewLoad(1000)
	l.CPU, l.Memory = 20, 5
	program := rules.New(l.Policy)

	// The plans are made beforehand: they are not what is measured.
	var decisions []journal.Decision
	var facts []rules.Facts
	var memory rules.Memory
	for range ticks {
		f := *l.Next()
		f.Containers = slices.Clone(f.Containers)
		facts = append(facts, f)
		plan := rules.Decide(program, memory, &facts[len(facts)-1])
		decisions = append(decisions, journal.Decision{Program: program, Plan: &plan})
		memory = rules.Remember(program, memory, &f, plan, nil)
	}
	for i := range decisions {
		decisions[i].Facts = &facts[i]
	}

	j, _, err := journal.Open(b.TempDir(), journal.Options{Version: 2, SegmentBytes: 1 << 40, MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	n := 0
	write := func() {
		if _, err := j.Decide(decisions[n%ticks]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	for range ticks {
		write()
	}

	b.ReportAllocs()
	before, size := cpuTime(b), j.Size()
	n = 0
	for b.Loop() {
		write()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(n)/1000, "cpu-µs/op")
	b.ReportMetric(float64(j.Size()-size)/float64(n), "line-B/op")
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

func gzipped(b *testing.B, text []byte) int {
	b.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Len()
}
