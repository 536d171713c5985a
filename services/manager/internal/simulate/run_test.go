package simulate

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/population"
)

func run(t *testing.T, change func(*Options)) Result {
	t.Helper()
	o := DefaultOptions()
	o.Hours = 2
	change(&o)
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSameSeedSameFigures(t *testing.T) {
	same := func(*Options) {}
	if diff := cmp.Diff(run(t, same), run(t, same)); diff != "" {
		t.Error(diff)
	}
	if other := run(t, func(o *Options) { o.Seed = 2 }); other == run(t, func(o *Options) { o.Seed = 3 }) {
		t.Error("two seeds, the same figures")
	}
}

func TestDefaultPolicyIsMetAndMisjudgesNobody(t *testing.T) {
	r := run(t, func(*Options) {})
	if r.MetPercent != 100 || r.WrongPlacesPercent > 0.1 || r.WrongRemovalsPercent > 0.1 {
		t.Errorf("%+v", r)
	}
	if r.Ticks < 700 || r.Removals < 2000 {
		t.Errorf("nothing much happened: %+v", r)
	}
}

func TestWarmupCostsOneTickOfOvershoot(t *testing.T) {
	with, without := run(t, func(*Options) {}), run(t, func(o *Options) { o.Policy.Warmup = 0 })
	if without.OvershootMax != 0 || with.OvershootMax == 0 || with.OvershootMax > 10 {
		t.Errorf("overshoot %d with and %d without warm-up, want at most a batch and none", with.OvershootMax, without.OvershootMax)
	}
	if gap := with.SettleMeanS - without.SettleMeanS; gap < 8 || gap > 15 {
		t.Errorf("warm-up delays settling by %.1f s, want about a tick", gap)
	}
}

// The original code's behaviour: rank, CPU since birth, no warm-up. A batch that starts just before a tick is judged by
// what it took to start.
func TestSeedBehaviourBreaksItsOwnRule(t *testing.T) {
	seed := func(o *Options) {
		o.Workload, o.CPUs, o.Phase = "seed", 16, 1e9
		o.Policy.Classify, o.CPU, o.Policy.Warmup = contract.ClassifyRank, CPULifetime, 0
	}

	if r := run(t, seed); r.MetPercent > 95 {
		t.Errorf("the original behaviour met its rule on %.1f %% of the ticks", r.MetPercent)
	}
	corrected := func(o *Options) {
		seed(o)
		o.CPU, o.Policy.Warmup = CPUInterval, 1
	}

	if r := run(t, corrected); r.MetPercent != 100 {
		t.Errorf("interval CPU and a warm-up met it on %.1f %%", r.MetPercent)
	}
}

func TestLifetimeCPUKeepsThoseWhoWentIdle(t *testing.T) {
	interval := run(t, func(o *Options) { o.Workload = "fading" })
	lifetime := run(t, func(o *Options) { o.Workload, o.CPU = "fading", CPULifetime })
	if lifetime.WrongPlacesPercent < 5+interval.WrongPlacesPercent {
		t.Errorf("wrong places: %.1f %% by interval, %.1f %% by lifetime", interval.WrongPlacesPercent, lifetime.WrongPlacesPercent)
	}
}

func TestSyntheticSnapshotsAreValid(t *testing.T) {
	o := DefaultOptions()
	kinds, err := workloads("gestor")
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{opts: o, kinds: kinds, host: &host{rng: newRand(1, 2), cpus: 4}, rng: newRand(1, 1), tickUS: 10_000_000}
	var state population.State

	for tick := uint64(1); tick <= 12; tick++ {
		s.scheduleBatches(tick * s.tickUS)
		s.host.advance(tick * s.tickUS)
		snap := s.host.snapshot()
		bad, err := snap.Validate()
		if err != nil || len(bad) > 0 {
			t.Fatalf("tick %d: %v %v", tick, err, bad)
		}

		var pop contract.Population
		if state, pop, _, err = state.Advance(snap, nil); err != nil {
			t.Fatal(err)
		}

		for _, m := range pop.Members {
			if m.Why == contract.UnmeasuredImpossible || m.Why == contract.UnmeasuredReset {
				t.Errorf("tick %d: %s is %s", tick, m.ID, m.Why)
			}
		}
	}

	if len(s.host.living) < 20 {
		t.Errorf("only %d containers after two minutes without removals", len(s.host.living))
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"workload": func(o *Options) { o.Workload = "none" },
		"cpu":      func(o *Options) { o.CPU = "guess" },
		"hours":    func(o *Options) { o.Hours = 0 },
		"interval": func(o *Options) { o.Interval = 0 },
	} {
		o := DefaultOptions()
		change(&o)
		if _, err := Run(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The default policy in the words of version 2 does what that of version 1 does, container by container.
func TestADefaultPolicyOfVersion2HasTheSameFigures(t *testing.T) {
	d, err := policyfile.Load("../../../../policy/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, workload := range []string{"gestor", "seed", "fading"} {
		with := func(o *Options) { o.Workload, o.Batch = workload, 30 }
		one := run(t, with)
		d.V2.Mode = contract.ModeObserve // which does not count
		two := run(t, func(o *Options) { with(o); o.Version2 = d.V2 })
		if diff := cmp.Diff(one, two); diff != "" || two.Removals < 2000 {
			t.Errorf("%s (- version 1, + version 2):\n%s", workload, diff)
		}
	}
}

// A rule that cannot be held against the truth is named, with what can be.
func TestRulesOfVersion2ThatASyntheticHostDoesNotKnow(t *testing.T) {
	for name, text := range map[string]string{
		"a condition": "{name: x, when: {age: 1h}, do: remove}",
		"a class":     "{name: x, match: {class: medium}, each: container, keep: {lightest: 3}, rest: remove}",
		"an end":      "{name: x, match: {class: low}, each: container, keep: {heaviest: 3}, rest: remove}",
		"a group":     "{name: x, match: {class: low}, each: container, keep: {lightest: 3, per: image}, rest: remove}",
		"a ladder":    "{name: x, match: {class: low}, each: container, keep: {lightest: 3}, rest: [warn, {after: 1m, do: remove}]}",
		"more names":  "{name: x, match: {class: low, name: a}, each: container, keep: {lightest: 3}, rest: remove}",
	} {
		d, err := policyfile.Parse([]byte("version: 2\nrules:\n  - " + text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		o := DefaultOptions()
		o.Version2 = d.V2
		if _, err := Run(o); !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), `rule "x"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
