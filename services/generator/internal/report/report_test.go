package report

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/generator/internal/plan"
)

func start(position uint64) plan.Start { return plan.Start{Position: position, Image: "low-idle"} }

func TestFingerprintDependsOnWhatHappenedAndNotOnWhen(t *testing.T) {
	play := func(order []int, outcome func(counter *Counter, s plan.Start)) string {
		counter := NewCounter("r", 1, "p", time.Now())
		for _, i := range order {
			counter.Due(start(uint64(i)))
			outcome(counter, start(uint64(i)))
		}
		return counter.Report(0).Fingerprint
	}
	started := func(counter *Counter, s plan.Start) {
		counter.Started(s, time.Duration(rand.Int64N(1e9)), time.Duration(rand.Int64N(1e9)))
	}
	a := play([]int{1, 2, 3}, started)
	if b := play([]int{3, 1, 2}, started); a != b {
		t.Errorf("the order matters: %s and %s", a, b)
	}
	if b := play([]int{1, 2, 4}, started); a == b {
		t.Error("another position is not told apart")
	}
	if b := play([]int{1, 2, 3}, func(counter *Counter, s plan.Start) { counter.Dropped(s, "late") }); a == b {
		t.Error("another outcome is not told apart")
	}
}

func TestReportCountsAndReadsBack(t *testing.T) {
	counter := NewCounter("r", 7, "seed", time.Unix(1000, 0))
	for i := range uint64(6) {
		counter.Due(start(i + 1))
	}
	counter.Started(start(1), time.Second, 2*time.Second)
	counter.Started(start(2), 3*time.Second, 4*time.Second)
	counter.Failed(start(3), "engine")
	counter.Dropped(start(4), "late")
	counter.Dropped(start(5), "late")
	counter.Exited("killed", 10*time.Second)
	counter.Exited("unseen", 0)
	counter.SetGate("memory")
	counter.SetEnd("stopped")
	r := counter.Report(3)
	want := Report{
		Run: "r", Seed: 7, Profile: "seed", Began: time.Unix(1000, 0).UTC(), Until: r.Until, Ended: "stopped",
		Planned: 6, Started: 2, Failed: map[string]uint64{"engine": 1}, Dropped: map[string]uint64{"late": 2}, UnderWay: 1,
		Images: map[string]Image{"low-idle": {Planned: 6, Started: 2}}, Fingerprint: r.Fingerprint,
		Lateness: Times{Count: 2, P50US: 1e6, P95US: 1e6, MaxUS: 3e6, MeanUS: 2e6},
		Took:     Times{Count: 2, P50US: 2e6, P95US: 2e6, MaxUS: 4e6, MeanUS: 3e6},
		Life:     Times{Count: 1, P50US: 10e6, P95US: 10e6, MaxUS: 10e6, MeanUS: 10e6},
		Deaths:   map[string]uint64{"killed": 1, "unseen": 1}, Alive: 3, Gate: "memory",
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(text, &again); err != nil || !cmp.Equal(r, again) {
		t.Errorf("read back: %v", cmp.Diff(r, again))
	}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"planned 6", "started 2", "failed 1", "engine 1", "dropped 2", "held back memory", "died 2", "low-idle 2 of 6"} {
		if !strings.Contains(strings.Join(strings.Fields(table.String()), " "), line) {
			t.Errorf("%q is missing in\n%s", line, table.String())
		}
	}
}

func TestQuantilesAreOfTheLastSamples(t *testing.T) {
	var s samples
	for i := range 2 * samplesKept {
		s.add(time.Duration(i) * time.Microsecond)
	}
	got := s.times()
	if got.Count != 2*samplesKept || got.MaxUS != 2*samplesKept-1 || got.P50US != samplesKept+(samplesKept-1)/2 {
		t.Errorf("%+v", got)
	}
}
