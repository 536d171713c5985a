package rules

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// benchmarkWorld is 1,000 containers under 100 rules: each rule speaks of a tenth of them, and only the last ones of all.
func benchmarkWorld() (*Program, Facts) {
	var list []policy2.Rule
	for i := range 100 {
		r := policy2.Rule{Name: fmt.Sprintf("rule %d", i), Match: []policy2.Selector{label("tenth", fmt.Sprint(i%10))}}
		switch i % 5 {
		case 0:
			r.When, r.Do = policy2.Conditions{Age: 30 * policy2.Day}, ladder(step(policy2.StepRemove))
		case 1:
			r.When = policy2.Conditions{CPU: 20_000, For: 5 * policy2.Minute}
			r.Do = ladder(policy2.Rung{Step: policy2.StepThrottle})
		case 2:
			r.When = policy2.Conditions{Idle: policy2.Day}
			r.Do = ladder(step(policy2.StepWarn), after(policy2.Day, policy2.StepStop))
		case 3:
			r.When, r.Do = policy2.Conditions{Ended: policy2.Hour}, ladder(step(policy2.StepRemove))
		case 4:
			r.When = policy2.Conditions{Processes: 500, For: policy2.Minute}
			r.Do = ladder(step(policy2.StepStop))
		}
		list = append(list, r)
	}
	list[97].Match, list[97].Do, list[97].When = nil, nil, policy2.Conditions{}
	list[97].Each = policy2.EachContainer
	list[97].Keep = policy2.Keep{Order: policy2.Newest, Places: 20, Per: policy2.Per{By: policy2.ByLabel, Label: "group"}}
	list[97].Rest = ladder(step(policy2.StepWarn), after(policy2.Day, policy2.StepStop))

	p := policyOf(list...)
	h := newHost(nil, p)
	for i := range 1000 {
		b := h.add(fmt.Sprintf("c%04d", i), policy2.Duration(i)*policy2.Hour/2, "tenth", fmt.Sprint(i%10), "group", fmt.Sprint(i%37))
		if i%10 == 9 {
			b.end(h, policy2.Minute)
		}
		if i%3 == 0 {
			b.Labels[contract.LabelProject], b.Labels[contract.LabelConfigHash] = fmt.Sprint("project ", i/12), "hash"
		}
	}
	for _, b := range h.boxes {
		h.f.Containers = append(h.f.Containers, b.Container)
	}
	return h.p, h.f
}

// benchmarkTicks lets one tick of that host pass with each call.
func benchmarkTicks() (tick func()) {
	p, f := benchmarkWorld()
	var m Memory
	return func() {
		f.Tick++
		f.GUS, f.WallUS, f.BootUS, f.IntervalUS = f.GUS+p.tickUS, f.WallUS+p.tickUS, f.BootUS+uint64(p.tickUS), uint64(p.tickUS)
		facts := f
		m = Remember(p, m, &facts, Decide(p, m, &facts), nil)
	}
}

// TestTicksDoNotGrow: a later tick allocates no more than an early one, which is its plan and its memory, and leaves no more behind.
func TestTicksDoNotGrow(t *testing.T) {
	tick := benchmarkTicks()
	measure := func(ticks int) (allocated, kept int64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range ticks {
			tick()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc-before.TotalAlloc) / int64(ticks), int64(after.HeapAlloc) - int64(before.HeapAlloc)
	}
	for range 20 {
		tick()
	}

	const ticks = 100
	early, _ := measure(ticks)
	late, kept := measure(ticks)
	if late > early+early/50 {
		t.Errorf("%d bytes a tick, before %d", late, early)
	}
	if least := int64(100_000); kept > least {
		t.Errorf("%d ticks leave %d bytes behind", ticks, kept)
	}

	const containers = 1000
	if own := int64(unsafe.Sizeof(Verdict{}) + unsafe.Sizeof(ContainerMemory{})); late > containers*own*3/2 {
		t.Errorf("%d bytes a tick, of which verdicts and memories are %d", late, containers*own)
	}
}

func BenchmarkTick(b *testing.B) {
	tick := benchmarkTicks()
	for range 5 {
		tick()
	}

	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		tick()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}

// CPUTimeOf is what the process uses while something is done.
func CPUTimeOf(b *testing.B, do func()) time.Duration {
	before := cpuTime(b)
	do()
	return cpuTime(b) - before
}

// cpuTime is what the process has used: the machine may have other work.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
