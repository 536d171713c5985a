package oracle

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
)

func text(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameInputSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		first := text(t, in.decide())
		var copied input

		for from, to := range map[string]any{
			text(t, in.p): &copied.p, text(t, in.pop): &copied.pop, text(t, in.inv): &copied.inv, text(t, in.ctx): &copied.ctx,
		} {
			if err := json.Unmarshal([]byte(from), to); err != nil {
				t.Fatal(err)
			}
		}

		if again := text(t, copied.decide()); again != first {
			t.Fatalf("after a round trip through JSON:\n%s\nwas\n%s", again, first)
		}
	})
}

func TestOrderOfTheInputIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		if diff := cmp.Diff(text(t, in.decide()), text(t, shuffled(t, in).decide())); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestInputIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before := text(t, []any{in.p, in.pop, in.inv, in.ctx})
		in.decide()
		if after := text(t, []any{in.p, in.pop, in.inv, in.ctx}); after != before {
			t.Fatalf("Decide changed its input: %s", cmp.Diff(before, after))
		}
	})
}

// untouchable says in the plainest words why a container must not be removed, "" when it may be. It shares no code with
// the decision.
func untouchable(in input, v contract.Verdict) string {
	entries := slices.DeleteFunc(slices.Clone(in.inv.Entries), func(e contract.Entry) bool { return e.ID != v.ID })
	members := slices.DeleteFunc(slices.Clone(in.pop.Members), func(m contract.Member) bool { return m.ID != v.ID })
	if len(entries) != 1 || len(members) != 1 {
		return "not in both lists"
	}
	e, m := entries[0], members[0]
	_, kept := e.Labels["keep"]
	_, task := e.Labels["com.docker.swarm.service.name"]
	_, unit := e.Labels["PODMAN_SYSTEMD_UNIT"]

	role := e.Labels["gestor.role"] != "" && e.Labels["com.docker.compose.config-hash"] != "" &&
		(in.ctx.Suite == "" || e.Labels["com.docker.compose.project"] == in.ctx.Suite)
	young := m.SeenTicks < 1+in.p.Warmup || m.AgeUS < uint64(in.p.Warmup)*10*second
	hard := v.Reason == contract.ReasonYoungFlood || v.Reason == contract.ReasonMemoryFloor
	switch {
	case e.Labels["gestor.managed"] != "true", in.ctx.Suite != "" && e.Labels["gestor.suite"] != in.ctx.Suite:
		return "not owned"
	case role || slices.Contains(in.ctx.SuiteIDs, e.ID):
		return "part of the suite"
	case e.Name == "c3" || kept || e.Labels["team"] == "db":
		return "protected"
	case task, unit:
		return "an orchestrator's"
	case e.State != "running" || m.Frozen:
		return "not running"
	case slices.Contains(in.ctx.Leaving, e.ID), slices.Contains(in.ctx.Stuck, e.ID), slices.Contains(in.ctx.FutileNames, e.Name):
		return "leaving, stuck or futile"
	case young && !hard:
		return "young"
	case hard && !young:
		return "not young, but under the rule for the young"
	case !m.Measured && !young && (in.p.Warmup > 0 || m.Why != contract.UnmeasuredBaseline):
		return "unmeasured"
	case m.Why == contract.UnmeasuredBadRow || m.Why == contract.UnmeasuredUnlocated || m.Why == contract.UnmeasuredImpossible:
		return "unmeasured"
	case in.p.Classify == contract.ClassifyDeclared && !classByLabelOrImage(e):
		return "of unknown class"
	}
	return ""
}

func classByLabelOrImage(e contract.Entry) bool {
	if label, ok := e.Labels["gestor.class"]; ok {
		return label == "low" || label == "high"
	}
	return e.Image != "r:5000/x"
}

func TestNothingUntouchableIsChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		for _, v := range in.decide().Verdicts {
			if v.Verdict == contract.VerdictRemove {
				if why := untouchable(in, v); why != "" {
					t.Fatalf("removes %s (%s) although it is %s", v.Name, v.Reason, why)
				}
			}
		}
	})
}

// A class keeps its number: by what competes for the places, and by all that live when the young are counted too.
func TestFloorsAreNeverBroken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		plan := in.decide()
		type classSum struct{ places, competing, after, before int }
		got := map[contract.Class]*classSum{"low": {}, "high": {}, "unknown": {}}
		for _, v := range plan.Verdicts {
			c := got[v.Class]
			kept := v.Verdict == contract.VerdictKeep
			switch {
			case v.Rank > 0:
				c.competing++
				c.places += count01(kept)
			case !v.Young:
				continue
			}

			c.before++
			c.after += count01(kept)
		}

		low, high := got["low"], got["high"]
		if low.places < min(in.p.Quota.Low, low.competing) || high.places < min(in.p.Quota.High, high.competing) {
			t.Fatalf("places: low %+v, high %+v, quota %+v", *low, *high, in.p.Quota)
		}
		if in.p.Classify == contract.ClassifyRank {
			all := classSum{after: low.after + high.after + got["unknown"].after, before: low.before + high.before + got["unknown"].before}
			if all.after < min(in.p.Quota.Low+in.p.Quota.High, all.before) {
				t.Fatalf("all %+v, quota %+v", all, in.p.Quota)
			}
			return
		}

		if low.after < min(in.p.Quota.Low, low.before) || high.after < min(in.p.Quota.High, high.before) {
			t.Fatalf("alive: low %+v, high %+v, quota %+v", *low, *high, in.p.Quota)
		}
	})
}

func count01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func TestCapsAreNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		removals := len(removed(in.decide()))
		if removals > in.p.Caps.PerTick || removals > 0 && removals+in.ctx.RemovedLastMinute > in.p.Caps.PerMinute {
			t.Fatalf("%d removals, caps %+v, %d in the last minute", removals, in.p.Caps, in.ctx.RemovedLastMinute)
		}
	})
}

// A cap keeps those that are nearest to a place.
func TestCapsSpareTheLeastExcessive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.p.Classify = contract.ClassifyDeclared
		spared := map[contract.Class]int{}
		for _, v := range in.decide().Verdicts {
			if v.Reason == contract.ReasonCapped {
				spared[v.Class] = max(spared[v.Class], v.Rank)
			}
		}

		for _, v := range in.decide().Verdicts {
			if v.Reason == contract.ReasonOverQuota && v.Rank < spared[v.Class] {
				t.Fatalf("rank %d of %s is removed, rank %d is spared", v.Rank, v.Class, spared[v.Class])
			}
		}
	})
}

// carriedOut is the input after the plan: the removed are gone from both lists and their memory is free.
func carriedOut(in input, plan contract.Plan) input {
	gone := map[string]bool{}
	for _, v := range plan.Verdicts {
		gone[v.ID] = v.Verdict == contract.VerdictRemove
	}

	for _, m := range in.pop.Members {
		if gone[m.ID] {
			in.pop.Memory.AvailableKB += m.RAMKB
		}
	}

	in.pop.Members = slices.DeleteFunc(slices.Clone(in.pop.Members), func(m contract.Member) bool { return gone[m.ID] })
	in.inv.Entries = slices.DeleteFunc(slices.Clone(in.inv.Entries), func(e contract.Entry) bool { return gone[e.ID] })
	return in
}

func TestIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.ctx.RemovedLastMinute, in.p.Caps.PerTick, in.p.Caps.PerMinute = 0, 100, 100 // a capped plan has to go on
		after := carriedOut(in, in.decide())
		if again := removed(after.decide()); len(again) > 0 {
			t.Fatalf("the plan was carried out and the next one removes %v", again)
		}
	})
}

// Capped plans come to an end too, and to the same one.
func TestCappedPlansConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.ctx.RemovedLastMinute = 0
		in.p.Young.MemoryFloorKB = 0 // how much memory is short depends on the steps
		free := in
		free.p.Caps.PerTick, free.p.Caps.PerMinute = 100, 100
		want := carriedOut(free, free.decide())
		for range 40 {
			plan := in.decide()
			if len(removed(plan)) == 0 {
				break
			}
			in = carriedOut(in, plan)
		}

		if diff := cmp.Diff(want.inv, in.inv); diff != "" {
			t.Fatalf("in steps another population remains: %s", diff)
		}
	})
}

func TestModesPlanAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		var plans []string
		for _, mode := range []contract.Mode{contract.ModeObserve, contract.ModeShadow, contract.ModeEnforce} {
			in.p.Mode = mode
			plan := in.decide()
			plan.Mode, plan.PolicyHash = "", ""
			plans = append(plans, text(t, plan))
		}

		if plans[0] != plans[1] || plans[1] != plans[2] {
			t.Fatal("the mode changes the plan")
		}
	})
}

// Raising only the CPU of a removed low one never gets it kept, lowering that of a kept one never gets it removed; for
// high ones the other way round.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.p.Classify = contract.ClassifyDeclared
		in.p.Caps.PerTick, in.p.Caps.PerMinute = 100, 200
		plan := in.decide()
		if len(plan.Verdicts) == 0 {
			return
		}

		v := plan.Verdicts[rapid.IntRange(0, len(plan.Verdicts)-1).Draw(t, "who")]
		if v.Rank == 0 {
			return
		}
		worse := (v.Class == contract.ClassLow) == (v.Verdict == contract.VerdictRemove)
		in.pop.Members = slices.Clone(in.pop.Members)
		for i := range in.pop.Members {
			m := &in.pop.Members[i]
			if m.ID == v.ID && worse {
				m.CPUMillicores += rapid.Uint64Range(0, 500).Draw(t, "more")
			} else if m.ID == v.ID {
				m.CPUMillicores -= rapid.Uint64Range(0, m.CPUMillicores).Draw(t, "less")
			}
		}

		for _, w := range in.decide().Verdicts {
			if w.ID == v.ID && w.Verdict != v.Verdict {
				t.Fatalf("%s %s was %s and is %s with %+v instead of %+v", v.Class, v.Name, v.Verdict, w.Verdict, w.Measures, v.Measures)
			}
		}
	})
}

// Noise that stays within its bucket changes no verdict.
func TestNoiseBelowABucketChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before := in.decide()
		b := in.p.Buckets
		in.pop.Members = slices.Clone(in.pop.Members)
		for i := range in.pop.Members {
			m := &in.pop.Members[i]
			m.CPUMillicores = noisy(t, m.CPUMillicores, b.CPUMillicores)
			if in.p.Young.MemoryFloorKB == 0 { // which counts every KB
				m.RAMKB = noisy(t, m.RAMKB, b.RAMKB)
			}
		}

		after := in.decide()
		for i, v := range before.Verdicts {
			w := after.Verdicts[i]
			if v.ID != w.ID || v.Verdict != w.Verdict || v.Rank != w.Rank || v.DecidingKey != w.DecidingKey {
				t.Fatalf("%+v became %+v", v, w)
			}
		}
	})
}

// noisy draws a value that is nearest to the same multiple of the width: up to half a width below and just less above.
func noisy(t *rapid.T, v, width uint64) uint64 {
	nearest := (v + width/2) / width * width
	return rapid.Uint64Range(max(nearest, width/2)-width/2, nearest+max(1, (width+1)/2)-1).Draw(t, "noise")
}
