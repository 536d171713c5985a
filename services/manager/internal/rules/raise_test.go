package rules

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
)

// bootOf has the host boot ten minutes before the test begins, with nothing to remember.
func bootOf(h *host) {
	h.f.BootUS = uint64(10 * minuteUS)
	h.f.BootGUS = h.f.GUS - 10*minuteUS
}

// raise has G raised on the next tick.
func (h *host) raise(by policy2.Duration) {
	h.f.GUS += us(by)
	h.f.BootGUS += us(by)
	h.f.RaisedUS = us(by)
}

// done is the log with the boot clock.
func (h *host) done(seen int) []string {
	var lines []string
	for _, line := range h.log[seen:] {
		lines = append(lines, fmt.Sprint(h.f.BootUS/uint64(secondUS), " ", line))
	}
	return lines
}

// Waits, ages and spans of the budget that began within this boot are as long whether G is raised meanwhile or not.
func TestARaiseShortensNoWaitOfThisBoot(t *testing.T) {
	run := func(raiseAt int) (lines []string) {
		p := policyOf(
			policy2.Rule{Name: "hogs", When: policy2.Conditions{CPU: 5000, For: policy2.Minute}, Do: ladder(step(policy2.StepThrottle))},
			policy2.Rule{
				Name: "old", When: policy2.Conditions{Age: policy2.Hour},
				Do: ladder(step(policy2.StepWarn), after(2*policy2.Hour, policy2.StepStop), after(policy2.Hour, policy2.StepRemove)),
			},
		)
		p.Budget = policy2.Budget([]policy2.Rate{{N: 1}, {N: 1, Span: policy2.Minute}, {N: 1, Span: policy2.Hour}})
		h := newHost(t, p)
		bootOf(h)
		h.ticks(policy2.Minute)
		for n := range 3 { // an inventory had none of them: their age counts from here
			h.add(fmt.Sprint("c", n), 0).cpu = uint64(1000 * (n / 2))
		}

		for n := range 7 * 360 {
			if n == raiseAt {
				h.raise(20 * policy2.Hour)
			}
			seen := len(h.log)
			h.tick()
			h.f.RaisedUS = 0
			lines = append(lines, h.done(seen)...)
		}
		return lines
	}

	want := run(-1)
	if !slices.ContainsFunc(want, func(s string) bool { return len(s) > 6 && s[len(s)-6:] == "remove" }) {
		t.Fatalf("nothing is removed: %v", want)
	}
	for _, at := range []int{1, 100, 400, 1000, 1300, 1500} {
		if diff := cmp.Diff(want, run(at)); diff != "" {
			t.Errorf("raised on tick %d (-not raised +raised):\n%s", at, diff)
		}
	}
}

// What began on an earlier boot went on while the host was off.
func TestARaiseCountsForWhatIsOlderThanTheBoot(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{
		Name: "old", When: policy2.Conditions{Age: 10 * policy2.Hour},
		Do: ladder(step(policy2.StepWarn), after(20*policy2.Hour, policy2.StepStop)),
	}))
	h.add("c", 11*policy2.Hour)
	h.ticks(policy2.Minute)
	if !slices.Equal(h.log, []string{"c warn"}) {
		t.Fatalf("log %v", h.log)
	}

	h.f.BootID = "next"
	h.f.BootGUS, h.f.BootUS = h.f.GUS, 0
	h.box(id("c")).start(h) // the engine starts it again
	h.boxes[0].StartedAt = policy2.Known("start 0")
	h.ticks(11 * policy2.Minute)
	h.raise(20 * policy2.Hour)
	h.tick()
	if !slices.Equal(h.log, []string{"c warn", "c stop"}) {
		t.Errorf("log %v", h.log)
	}
}

func TestARaiseLeavesTheMemoryOfBeforeAlone(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{Name: "all", When: policy2.Conditions{Age: policy2.Minute}, Do: ladder(step(policy2.StepThrottle))}))
	bootOf(h)
	h.ticks(policy2.Minute)
	h.add("c", 0).NanoCPUs = policy2.Known(int64(2_000_000_000))
	h.ticks(5 * policy2.Minute)

	before := h.m
	before.Containers = slices.Clone(before.Containers)
	before.Containers[0].Rules = slices.Clone(before.Containers[0].Rules)
	if len(before.Containers[0].Rules) != 1 || before.Containers[0].Rules[0].Throttle == nil {
		t.Fatalf("no limit is owed: %+v", before.Containers)
	}
	limit := *before.Containers[0].Rules[0].Throttle
	before.Containers[0].Rules[0].Throttle = &limit

	f := h.f
	f.GUS, f.BootGUS, f.RaisedUS = f.GUS+hourUS, f.BootGUS+hourUS, hourUS
	after := h.m.raised(&f)
	if diff := cmp.Diff(before.Containers, h.m.Containers, cmp.AllowUnexported(RuleMemory{})); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
	was, is := h.m.Containers[0].Rules[0], after.Containers[0].Rules[0]
	if is.DoneGUS != was.DoneGUS+hourUS || is.Throttle.SetGUS != was.Throttle.SetGUS+hourUS || after.GUS != h.m.GUS+hourUS {
		t.Errorf("%+v became %+v", was, is)
	}
}
