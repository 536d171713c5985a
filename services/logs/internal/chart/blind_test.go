package chart

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/logs/internal/chart/charttest"
)

// The stretches of blind runs: three ticks in the middle and the last three.
func blindSpans() []charttest.Span {
	return []charttest.Span{
		{From: 2 * time.Minute, To: 2*time.Minute + 30*time.Second},
		{From: 4*time.Minute + 30*time.Second, To: 5 * time.Minute},
	}
}

// blindRun is five minutes of which some ticks saw nothing: the host (Blind) or the engine (Mute) could not be read.
func blindRun(change func(*charttest.Run)) []contract.Record {
	run := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 10}
	change(&run)
	return run.Records()
}

func TestATickWithoutAReadingIsAGap(t *testing.T) {
	blind := blindRun(func(r *charttest.Run) { r.Blind = blindSpans() })
	mute := blindRun(func(r *charttest.Run) { r.Mute = blindSpans() })
	for _, tt := range []struct {
		name          string
		records       []contract.Record
		chart, series string
		gaps          int
	}{
		{"blind", blind, "memory", "used", 1},
		{"blind", blind, "memory", "governed containers", 1},
		{"blind", blind, "population", "low", 1},
		{"blind", blind, "control", "read", 1},
		{"blind", blind, "control", "parse", 1},
		{"blind", blind, "control", "decide", 1},
		{"mute", mute, "memory", "used", 0}, // the host was read
		{"mute", mute, "memory", "governed containers", 1},
		{"mute", mute, "population", "low", 1},
		{"mute", mute, "control", "parse", 0},
		{"mute", mute, "control", "decide", 1},
	} {
		least, gaps := math.Inf(1), 0
		s := find(t, one(t, hour(tt.records), tt.records, tt.chart), tt.series)
		for _, p := range s.Points {
			if p.Gap {
				gaps++
			} else {
				least = min(least, p.Y)
			}
		}
		floor := -1.0
		if tt.chart == "control" || tt.series == "used" { // the first tick has no containers, but nothing costs nothing
			floor = 0
		}
		if gaps != tt.gaps || least <= floor {
			t.Errorf("%s: %s, %s: %d gaps, want %d; least value %v", tt.name, tt.chart, tt.series, gaps, tt.gaps, least)
		}
		if last := timeAt(s.Points[len(s.Points)-1].X); tt.gaps > 0 && !last.Before(epoch().Add(blindSpans()[1].From)) {
			t.Errorf("%s: %s, %s: a value at %s, when nothing was seen", tt.name, tt.chart, tt.series, last)
		}
	}
}

// TestNobodyLeavesWhileNobodyLooks compares a run whose last ticks saw nothing with the same one cut off before them.
func TestNobodyLeavesWhileNobodyLooks(t *testing.T) {
	for name, change := range map[string]func(*charttest.Run){
		"blind": func(r *charttest.Run) { r.Blind = blindSpans()[1:] },
		"mute":  func(r *charttest.Run) { r.Mute = blindSpans()[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			records := withoutLaunches(blindRun(change))
			seen := before(records, epoch().Add(blindSpans()[1].From))
			for _, name := range []string{"lives", "lifetimes", "top"} {
				got, want := one(t, hour(records), records, name), one(t, hour(records), seen, name)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s differs after three ticks that saw nothing:\n%s", name, d)
				}
			}
		})
	}
}

// withoutLaunches leaves out what the generator tells also while the manager is blind.
func withoutLaunches(records []contract.Record) (out []contract.Record) {
	for _, r := range records {
		if r.Kind != contract.KindLaunch {
			out = append(out, r)
		}
	}
	return out
}

func before(records []contract.Record, end time.Time) (out []contract.Record) {
	for _, r := range records {
		if r.Time.Before(end) {
			out = append(out, r)
		}
	}
	return out
}

// TestAnEmptyPopulationIsNoBlindness: a plan that counts nobody says that everyone has left.
func TestAnEmptyPopulationIsNoBlindness(t *testing.T) {
	records := blindRun(func(r *charttest.Run) { r.Blind = blindSpans()[1:] })
	for i, r := range records {
		if b, ok := r.Body.(contract.HostBody); ok && len(b.Gates) > 0 {
			b.Classes = []contract.ClassCount{{Class: contract.ClassLow, Quota: 3}, {Class: contract.ClassHigh, Quota: 2}}
			records[i].Body = b
		}
	}
	records = withoutLaunches(records)
	if now := one(t, hour(records), records, "top").Panes[0].Y.Categories; len(now) != 0 {
		t.Errorf("top shows %v as alive", now)
	}
	if text := one(t, hour(records), records, "lives").Summary; !strings.HasSuffix(text, " 0 alive.") {
		t.Errorf("lives: %s", text)
	}
}

// TestRowsAloneTellWhoLives: of single containers over a long range the host's records are left out.
func TestRowsAloneTellWhoLives(t *testing.T) {
	records := withoutLaunches(blindRun(func(*charttest.Run) {}))
	var rows []contract.Record
	for _, r := range records {
		if r.Kind != contract.KindHost {
			rows = append(rows, r)
		}
	}
	for _, name := range []string{"lives", "lifetimes", "top"} {
		if d := cmp.Diff(one(t, hour(records), records, name), one(t, hour(records), rows, name)); d != "" {
			t.Errorf("%s differs without host records:\n%s", name, d)
		}
	}
}

// ticksWithPlan is a run of ticks of one class with quota 3; -1 is a tick without a plan.
func ticksWithPlan(eligible ...int) (out []contract.Record) {
	for i, n := range eligible {
		b := contract.HostBody{Memory: contract.Memory{TotalKB: 8_000_000, UsedKB: 2_000_000}, Timings: contract.Timings{ReadUS: 1000, ParseUS: 100}}
		if n >= 0 {
			b.Classes = []contract.ClassCount{{Class: contract.ClassLow, Owned: n, Eligible: n, Quota: 3}}
			b.Timings.DecideUS = 40
		}
		r := contract.NewRecord(epoch().Add(time.Duration(i)*10*time.Second), uint64(i+1), "", b)
		r.Host, r.Boot, r.Producer, r.PSeq = "node1", "b007", contract.ProducerManager, uint64(i+1)
		out = append(out, r)
	}
	return out
}

func TestEpisodesOverThePolicy(t *testing.T) {
	const cost = " Reading took 1 ms, parsing 100 µs, deciding 40.0 µs on average."
	for _, tt := range []struct {
		name     string
		eligible []int
		settled  []float64 // seconds
		summary  string
	}{
		{"never over", []int{3, 2, 3}, nil, "The judged population never stood over the policy." + cost},
		{"over and settled", []int{3, 5, 5, 3}, []float64{20}, "1 episode over the policy, settled after 20 s on average and 20 s at most." + cost},
		{
			"over on every tick",
			[]int{5, 5, 5, 5},
			nil,
			"The judged population never settled: it still stands over the policy, since 2026-05-04 10:00:00." + cost,
		},
		{
			"over again at the end",
			[]int{5, 3, 5},
			[]float64{10},
			"1 episode over the policy, settled after 10 s on average and 10 s at most. It stands over it again since 2026-05-04 10:00:20." + cost,
		},
		{"a tick without a plan settles nothing", []int{5, -1, 5, 3}, []float64{30}, "1 episode over the policy, settled after 30 s on average and 30 s at most." + cost},
		{
			"no plan at the end",
			[]int{5, -1, -1},
			nil,
			"The judged population never settled: it still stands over the policy, since 2026-05-04 10:00:00 (the newest ticks had no plan)." + cost,
		},
		{"no plan at all", []int{-1, -1}, nil, "Reading took 1 ms, parsing 100 µs on average."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records := ticksWithPlan(tt.eligible...)
			m := one(t, hour(records), records, "control")
			var settled []float64
			for _, p := range find(t, m, "settle time").Points {
				settled = append(settled, p.Y)
			}
			if d := cmp.Diff(tt.settled, settled); d != "" {
				t.Errorf("settle times (-want +got):\n%s", d)
			}
			if m.Summary != tt.summary {
				t.Errorf("got  %s\nwant %s", m.Summary, tt.summary)
			}
		})
	}
}

// TestAnEpisodeOutlivesABoot: the host was started again in the middle of an episode, which then settled.
func TestAnEpisodeOutlivesABoot(t *testing.T) {
	records := ticksWithPlan(5, 5, 3)
	records[2].Boot = "b008"
	if text := one(t, hour(records), records, "control").Summary; !strings.HasPrefix(text, "1 episode over the policy, settled") {
		t.Error(text)
	}
}

// TestOnlyTheGovernedAreDrawn: the manager records the suite's own containers too, as not owned.
func TestOnlyTheGovernedAreDrawn(t *testing.T) {
	records := blindRun(func(*charttest.Run) {})
	var all []contract.Record
	for _, r := range records {
		all = append(all, r)
		if r.Kind == contract.KindHost {
			r.Kind, r.Body = contract.KindContainer, contract.ContainerBody{
				Subject: contract.Subject{Container: strings.Repeat("a", 64), Name: "gestor-logs", Image: "gestor/logs", Class: contract.ClassUnknown},
				State:   "running", Measured: true, Measures: contract.Measures{CPUMillicores: 5000, RAMKB: 900_000}, Reason: contract.ReasonSuite,
			}
			all = append(all, r)
		}
	}
	want := build(t, hour(records), records)
	for i, got := range build(t, hour(records), all) {
		if got.Name == "health" { // counts every record
			continue
		}
		if d := cmp.Diff(want[i], got); d != "" {
			t.Errorf("%s draws a container that is not governed:\n%s", got.Name, d)
		}
	}
}
