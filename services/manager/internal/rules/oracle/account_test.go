package oracle

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
)

func TestEveryContainerGetsOneVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		var want, got []string
		for _, m := range in.pop.Members {
			want = append(want, m.ID)
		}
		for _, e := range in.inv.Entries {
			want = append(want, e.ID)
		}

		for _, v := range in.decide().Verdicts {
			got = append(got, v.ID)
			if v.Reason == "" || v.Verdict != contract.VerdictKeep && v.Verdict != contract.VerdictRemove {
				t.Fatalf("not a verdict: %+v", v)
			}
		}

		slices.Sort(want)
		want = slices.Compact(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("verdicts on %v, containers are %v", got, want)
		}
	})
}

// placeOf is the order in which a plan lists its verdicts, spelled out as text.
func placeOf(v contract.Verdict) string {
	class := map[contract.Class]string{contract.ClassLow: "0", contract.ClassHigh: "1", contract.ClassUnknown: "2"}[v.Class]
	rank := "~"
	if v.Rank > 0 {
		rank = string(rune('!' + v.Rank))
	}
	return class + rank + v.ID
}

func TestVerdictsStandInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawInput(t).decide()
		if !slices.IsSortedFunc(plan.Verdicts, func(a, b contract.Verdict) int { return strings.Compare(placeOf(a), placeOf(b)) }) {
			t.Fatalf("%+v", plan.Verdicts)
		}
	})
}

func TestCountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		plan := in.decide()
		alive := map[string]bool{}
		for _, e := range in.inv.Entries {
			alive[e.ID] = e.State == "running" || e.State == "paused" || e.State == "restarting"
		}
		want := []contract.ClassCount{
			{Class: contract.ClassLow, Quota: in.p.Quota.Low}, {Class: contract.ClassHigh, Quota: in.p.Quota.High}, {Class: contract.ClassUnknown},
		}

		for i := range want {
			for _, v := range plan.Verdicts {
				if v.Class != want[i].Class {
					continue
				}
				want[i].Owned += count01(v.Owned && alive[v.ID])
				want[i].Eligible += count01(v.Rank > 0)
				want[i].Removals += count01(v.Verdict == contract.VerdictRemove)
				want[i].OverCapped += count01(v.Reason == contract.ReasonCapped)
				want[i].ManagedElsewhere += count01(v.Reason == contract.ReasonElsewhere && alive[v.ID])
			}
			want[i].Deficit = max(0, want[i].Quota-want[i].Eligible-want[i].ManagedElsewhere)
		}

		if !slices.Equal(want, plan.Counts) {
			t.Fatalf("counts %+v, verdicts say %+v", plan.Counts, want)
		}
	})
}

// figure is the value that a key compares.
func figure(p contract.Policy, k contract.Key, m contract.Measures) uint64 {
	switch k {
	case contract.KeyCPU:
		return (m.CPUMillicores + p.Buckets.CPUMillicores/2) / p.Buckets.CPUMillicores
	case contract.KeyRAM:
		return (m.RAMKB + p.Buckets.RAMKB/2) / p.Buckets.RAMKB
	case contract.KeyVSZ:
		return m.VSZKB
	default:
		return m.RSSKB
	}
}

// The neighbour stands on the other side of the cut, next to it, and the deciding key is the first in which the two
// differ.
func TestNeighbourAndDecidingKeyExplainTheRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		plan := in.decide()
		byID := map[string]contract.Verdict{}
		for _, v := range plan.Verdicts {
			byID[v.ID] = v
		}

		for _, v := range plan.Verdicts {
			if v.Neighbour == nil {
				continue
			}
			n := byID[v.Neighbour.ID]
			if (v.Reason == contract.ReasonWithinQuota) == (n.Reason == contract.ReasonWithinQuota) {
				t.Fatalf("%s (%s) and its neighbour %s (%s) stand on the same side", v.Name, v.Reason, n.Name, n.Reason)
			}

			if n.Rank != v.Neighbour.Rank || *n.Measures != v.Neighbour.Measures {
				t.Fatalf("the neighbour of %s is written down as %+v and is %+v", v.Name, *v.Neighbour, n)
			}
			checkDecidingKey(t, in.p, v, n)
		}
	})
}

func checkDecidingKey(t *rapid.T, p contract.Policy, v, n contract.Verdict) {
	ahead := v.Rank < n.Rank
	for _, k := range p.Rank {
		mine, other := figure(p, k, *v.Measures), figure(p, k, *n.Measures)
		if mine == other {
			continue
		}
		lightFirst := p.Classify == contract.ClassifyRank || v.Class == contract.ClassLow
		if v.DecidingKey != k || ahead != ((mine < other) == lightFirst) {
			t.Fatalf("%s %d rank %d, neighbour %d rank %d: decided by %s", k, mine, v.Rank, other, n.Rank, v.DecidingKey)
		}
		return
	}

	switch {
	case v.StartUS != n.StartUS && (v.DecidingKey != contract.KeyAge || ahead != (v.StartUS < n.StartUS)):
		t.Fatalf("age should decide, %s does", v.DecidingKey)
	case v.StartUS == n.StartUS && (v.DecidingKey != contract.KeyID || ahead != (v.ID < n.ID)):
		t.Fatalf("the id should decide, %s does", v.DecidingKey)
	}
}
