package explain

import (
	"syscall"
	"testing"
	"time"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
)

// BenchmarkExplain reads what a day of 200 mostly still containers has left, a tick each 10 s: docs/benchmarks has what it costs.
func BenchmarkExplain(b *testing.B) {
	dir := b.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: journal.Version})
	if err != nil {
		b.Fatal(err)
	}

	load := journaltest.NewLoad(200)
	load.CPU, load.Memory = 20, 5
	program, memory := rules.New(load.Policy), rules.Memory{}
	name := ""
	const day = 8640
	for range day {
		f := load.Next()
		name = f.Containers[0].Name
		plan := rules.Decide(program, memory, f)
		if _, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: f, Plan: &plan}); err != nil {
			b.Fatal(err)
		}
		memory = rules.Remember(program, memory, f, plan, nil)
	}
	if err := j.CleanUp(); err != nil {
		b.Fatal(err)
	}
	b.Logf("the journal has %.1f MB", float64(j.Size())/1e6)

	for what, explain := range map[string]func() error{
		"container":     func() error { _, err := at(dir).Container(name); return err },
		"the last tick": func() error { _, err := at(dir).Last(); return err },
		"a tick":        func() error { _, err := at(dir).Tick(day / 2); return err },
	} {
		b.Run(what, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				if err := explain(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
	_ = j.Close()
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
