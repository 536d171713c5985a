package oracle

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/population"
)

// modelContainer is one container of the model.
type modelContainer struct {
	id, name        string
	class           contract.Class
	owned           bool
	startUS, cpuUS  uint64
	paused, rowless bool
	failures        int
	leavingTicks    int // > 0: a removal is in flight and takes effect when it has counted down
	lastSeen        observation
}

// observation is what the model keeps of the accepted snapshots.
type observation struct {
	startUS, cpuUS uint64
	ticks          int
}

// fixture lives through births, deaths, pauses, resets, restarts, missing rows, label changes, new boots and an engine
// that answers as it likes, while the real code reads and decides.
type fixture struct {
	t          *rapid.T
	nowUS      uint64
	boot       int
	born       int
	walks      uint64
	containers []*modelContainer
	state      population.State
	began      []uint64 // times of the removals of the last minute
	policy     contract.Policy
	surprise   bool
}

func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &fixture{t: t, nowUS: now, policy: contract.DefaultPolicy()}
		w.policy.Young.Max = rapid.IntRange(5, 30).Draw(t, "max young")
		w.policy.Caps.PerTick = rapid.IntRange(2, 20).Draw(t, "cap")
		for range rapid.IntRange(1, 12).Draw(t, "ticks") {
			for range rapid.IntRange(0, 6).Draw(t, "events") {
				w.step()
			}
			w.tick(true)
		}

		w.checkConverges()
	})
}

// step is one thing that happens between two ticks.
func (w *fixture) step() {
	what := rapid.SampledFrom([]string{"birth", "birth", "birth", "batch", "death", "pause", "reset", "restart", "row", "label", "boot"}).Draw(w.t, "event")
	if what == "birth" || what == "batch" || len(w.containers) == 0 {
		n := 1
		if what == "batch" {
			n = 10
		}
		for range n {
			w.birth()
		}
		return
	}

	l := w.containers[rapid.IntRange(0, len(w.containers)-1).Draw(w.t, "who")]
	switch what {
	case "death":
		w.drop(l)
	case "pause":
		l.paused = !l.paused
	case "reset":
		l.cpuUS /= 3
	case "restart":
		l.startUS, l.cpuUS = w.nowUS, 0
	case "row":
		l.rowless = !l.rowless
	case "label":
		l.owned = !l.owned
	case "boot":
		w.boot++
	}
}

func (w *fixture) birth() {
	w.born++
	class := rapid.SampledFrom([]contract.Class{contract.ClassLow, contract.ClassHigh}).Draw(w.t, "class")
	name := fmt.Sprintf("w%d", w.born)
	w.containers = append(w.containers, &modelContainer{id: id(name), name: name, class: class, owned: true, startUS: w.nowUS})
}

func (w *fixture) drop(l *modelContainer) {
	w.containers = slices.DeleteFunc(w.containers, func(other *modelContainer) bool { return other == l })
}

// tick lets an interval pass, reads, decides, checks and acts. lively draws how much CPU everyone takes and what the
// engine answers; otherwise nothing changes.
func (w *fixture) tick(lively bool) contract.Plan {
	w.advance(lively)
	snap := w.snapshot()
	state, pop, _, err := w.state.Advance(snap, nil)
	if err != nil {
		w.t.Fatal(err)
	}

	w.state = state
	plan := Decide(w.policy, pop, w.inventory(), w.context())
	w.check(plan, pop)
	w.observe(pop.Baseline)
	w.surprise = plan.Surprise
	if !pop.Baseline && !plan.Surprise {
		w.act(plan, lively)
	}
	return plan
}

func (w *fixture) advance(lively bool) {
	interval, weather := uint64(10*second), uint64(0)
	if lively {
		interval = rapid.Uint64Range(9*second, 12*second).Draw(w.t, "interval")
		weather = rapid.Uint64().Draw(w.t, "weather")
	}

	for i, l := range w.containers {
		share := uint64(5)
		if lively && !l.paused {
			share = weather >> (i % 60) % 26 // one draw for all: draws are what a case costs
		}
		if began := max(l.startUS, w.nowUS); began < w.nowUS+interval {
			l.cpuUS += (w.nowUS + interval - began) * share / 100
		}
	}

	w.nowUS += interval
	for _, l := range slices.Clone(w.containers) {
		if l.leavingTicks > 0 {
			if l.leavingTicks--; l.leavingTicks == 0 {
				w.drop(l)
			}
		}
	}
}

func (w *fixture) snapshot() *contract.Snapshot {
	w.walks++
	s := &contract.Snapshot{
		Version: 1, Source: contract.SourceModule, Instance: "1", BootID: fmt.Sprint("boot ", w.boot),
		Sequence: w.walks, MonotonicUS: w.nowUS, CPUs: 64, PageSize: 4096, End: true,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 1 << 20, AvailableKB: 1 << 19},
	}

	for _, l := range w.containers {
		if !l.rowless {
			paused := l.paused
			s.Containers = append(s.Containers, contract.Container{ID: l.id, StartUS: l.startUS, CPUUS: l.cpuUS, RSSKB: 700, VSZKB: 2000, Frozen: &paused})
		}
	}

	s.ContainerTotal = len(s.Containers)
	return s
}

func (w *fixture) inventory() contract.Inventory {
	var inv contract.Inventory
	for _, l := range w.containers {
		e := contract.Entry{ID: l.id, Name: l.name, Labels: map[string]string{contract.LabelClass: string(l.class)}, State: contract.StateRunning}
		if l.owned {
			e.Labels[contract.LabelManaged] = "true"
		}
		if l.paused {
			e.State = contract.StatePaused
		}

		inv.Entries = append(inv.Entries, e)
	}
	return inv
}

func (w *fixture) context() contract.Context {
	w.began = slices.DeleteFunc(w.began, func(at uint64) bool { return at+60*second <= w.nowUS })
	ctx := contract.Context{RemovedLastMinute: len(w.began), SurpriseSeen: w.surprise}
	for _, l := range w.containers {
		if l.leavingTicks > 0 {
			ctx.Leaving = append(ctx.Leaving, l.id)
		}
		if l.failures >= w.policy.Act.StuckAfter {
			ctx.Stuck = append(ctx.Stuck, l.id)
		}
	}
	return ctx
}

// check holds the plan against what the test itself has seen.
func (w *fixture) check(plan contract.Plan, pop contract.Population) {
	for _, m := range pop.Members {
		if m.CPUMillicores > 64*1050 {
			w.t.Fatalf("%s runs at %d milli-cores", m.ID, m.CPUMillicores)
		}
	}

	places := map[contract.Class]int{}
	competing := map[contract.Class]int{}
	removals := 0
	for _, v := range plan.Verdicts {
		l := w.of(v.ID)
		if v.Rank > 0 {
			competing[l.class]++
			places[l.class] += count01(v.Verdict == contract.VerdictKeep)
		}
		if v.Verdict == contract.VerdictRemove {
			removals++
			w.checkRemoval(l, v, pop.Baseline)
		}
	}

	for class, quota := range map[contract.Class]int{contract.ClassLow: 3, contract.ClassHigh: 2} {
		if places[class] < min(quota, competing[class]) {
			w.t.Fatalf("%s: %d of %d keep a place", class, places[class], competing[class])
		}
	}

	if removals > w.policy.Caps.PerTick || removals+len(w.began) > max(w.policy.Caps.PerMinute, len(w.began)) {
		w.t.Fatalf("%d removals after %d in the last minute", removals, len(w.began))
	}
}

func (w *fixture) of(id string) *modelContainer {
	i := slices.IndexFunc(w.containers, func(l *modelContainer) bool { return l.id == id })
	return w.containers[i]
}

// checkRemoval fails when the container has not been seen twice, a tick apart, as the same one, counting upwards.
func (w *fixture) checkRemoval(l *modelContainer, v contract.Verdict, baseline bool) {
	hard := v.Reason == contract.ReasonYoungFlood
	known := l.lastSeen.ticks > 0 && l.lastSeen.startUS == l.startUS && l.lastSeen.cpuUS <= l.cpuUS+10_000 && !baseline
	switch {
	case !l.owned, l.paused, l.leavingTicks > 0, l.rowless, l.failures >= w.policy.Act.StuckAfter:
		w.t.Fatalf("removes %+v", *l)
	case !hard && (!known || w.nowUS-l.startUS < 10*second):
		w.t.Fatalf("removes %+v after %s (%s)", *l, time.Duration(w.nowUS-l.startUS)*time.Microsecond, v.Reason)
	}
}

// observe notes what this snapshot showed.
func (w *fixture) observe(baseline bool) {
	for _, l := range w.containers {
		if l.rowless {
			l.lastSeen = observation{}
			continue
		}
		l.lastSeen = observation{l.startUS, l.cpuUS, l.lastSeen.ticks + 1}
		if baseline {
			l.lastSeen.ticks = 1
		}
	}
}

// act removes, and the engine answers.
func (w *fixture) act(plan contract.Plan, lively bool) {
	answers := []string{contract.OutcomeDone, contract.OutcomeAlreadyGone, contract.OutcomeUnknown, contract.OutcomeRefused, contract.OutcomeFailed}
	mood := 0
	if lively {
		mood = rapid.IntRange(0, len(answers)-1).Draw(w.t, "mood of the engine")
	}

	for i, v := range plan.Verdicts {
		if v.Verdict != contract.VerdictRemove {
			continue
		}
		w.began = append(w.began, w.nowUS)
		l, answer := w.of(v.ID), contract.OutcomeDone
		if lively {
			answer = answers[(i+mood)%len(answers)]
		}

		switch answer {
		case contract.OutcomeUnknown:
			l.leavingTicks = 2
		case contract.OutcomeRefused:
		case contract.OutcomeFailed:
			l.failures++
		default:
			w.drop(l)
		}
	}
}

// checkConverges: when nothing happens any more, the population settles and then stays as it is.
func (w *fixture) checkConverges() {
	for _, l := range w.containers {
		l.rowless = false
	}
	const warmup, emptyMinute = 2, 7 // ticks
	for range warmup + emptyMinute + 2*len(w.containers)/w.policy.Caps.PerTick {
		w.tick(false)
	}

	if plan := w.tick(false); len(removed(plan)) > 0 || plan.Counts[0].Removals > 0 {
		w.t.Fatalf("when all is quiet it still removes %v", removed(plan))
	}

	for _, c := range w.tick(false).Counts {
		if c.Eligible > c.Quota {
			w.t.Fatalf("at rest: %+v", c)
		}
	}
}
