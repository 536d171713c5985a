package whatif_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/whatif"
)

// agents is policy/examples/agents.yaml, which owns the containers of a made-up host, too.
func agents(tb testing.TB) policy2.Policy {
	tb.Helper()
	d, err := policyfile.Load("../../../../policy/examples/agents.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	d.V2.Own = append(d.V2.Own, policy2.Selector{Label: &policy2.Label{Key: contract.LabelManaged, Value: "true"}})
	return *d.V2
}

// BenchmarkWhatIf asks a day, with GESTOR_SOAK a week, of 200 mostly still containers, a tick each 10 s, what policy/examples/agents.yaml
// would have done: docs/benchmarks/whatif.md has what it costs.
func BenchmarkWhatIf(b *testing.B) {
	ticks := 8_640
	if os.Getenv("GESTOR_SOAK") == "1" {
		ticks *= 7
	}
	dir := b.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: journal.Version})
	if err != nil {
		b.Fatal(err)
	}

	load := journaltest.NewLoad(200)
	load.CPU, load.Memory = 20, 5
	program, memory := rules.New(load.Policy), rules.Memory{}
	for range ticks {
		f := load.Next()
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

	policy := agents(b)
	runtime.GC()
	before := cpuTime(b)
	for b.Loop() {
		r, err := whatif.Run(dir, whatif.Options{Policy: policy})
		if err != nil || r.Ticks != ticks {
			b.Fatal(err, r.Ticks)
		}
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
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
