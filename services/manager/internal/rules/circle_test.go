package rules

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract/policy2"
)

// In any graph a set is what needs each other both ways, and nobody comes before who needs it.
func TestDependantsComeFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "nodes")
		neededBy, reaches := make([][]int, n), make([][]bool, n)
		for i := range n {
			neededBy[i] = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 3), rapid.ID).Draw(t, fmt.Sprint("of ", i))
			reaches[i] = make([]bool, n)
			reaches[i][i] = true
			for _, by := range neededBy[i] {
				reaches[i][by] = true
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reaches[i][j] = reaches[i][j] || reaches[i][k] && reaches[k][j]
				}
			}
		}

		set, all := map[int]int{}, []int(nil)
		for k, one := range dependantsFirst(n, func(i int) []int { return neededBy[i] }) {
			if !slices.IsSorted(one) {
				t.Fatalf("%v is in no order", one)
			}
			for _, i := range one {
				set[i], all = k, append(all, i)
			}
		}
		if len(all) != n || len(set) != n {
			t.Fatalf("%v of %d", all, n)
		}
		for i := range n {
			for j := range n {
				if (set[i] == set[j]) != (reaches[i][j] && reaches[j][i]) || reaches[i][j] && set[j] > set[i] {
					t.Fatalf("%d is in set %d and %d in %d", i, set[i], j, set[j])
				}
			}
		}
	})
}

// circleHost has three containers of a project that depend on each other in a circle, and one that depends on one of them.
func circleHost(t *testing.T, p policy2.Policy) *host {
	h := newHost(t, p)
	h.add("a", 3*hour).inProject("p", "a", "b")
	h.add("b", 4*hour).inProject("p", "b", "c")
	h.add("c", 5*hour).inProject("p", "c", "a")
	h.add("web", 2*hour).inProject("p", "web", "b")
	return h
}

func TestACircleGoesInOrderBehindWhoNeedsIt(t *testing.T) {
	h := circleHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(stopStep)}))
	h.idle = true
	h.ticks(20 * second)
	for name, want := range map[string][]string{"web": nil, "a": {"web"}, "b": {"a", "web"}, "c": {"a", "b", "web"}} {
		var ids, circle []string
		for _, one := range want {
			ids = append(ids, id(one))
		}
		if name != "web" {
			circle = []string{id("a"), id("b"), id("c")}
		}
		v := h.verdict(name)
		if v.Step != policy2.StepStop || !slices.Equal(v.After, ids) || !slices.Equal(v.Circle, circle) {
			t.Errorf("%s: %s after %q in %q", name, v.Step, v.After, v.Circle)
		}
	}
}

// What the budget has room for goes: who depends before whom it needs, and a circle as one, alone where it is larger than a whole rate.
func TestTheBudgetTakesACircleAsOne(t *testing.T) {
	p := policyOf(policy2.Rule{Name: "all", Do: ladder(stopStep)})
	p.Surprise, p.Budget = 100, []policy2.Rate{{N: 2}}
	h := circleHost(t, p)
	h.ticks(20 * second)
	h.expect("web stop")
	h.ticks(10 * second)
	h.expect("web stop", "a stop", "b stop", "c stop")
}

// One that is older than those that depend on it, and a budget of one a tick: they go one after the other.
func TestTheBudgetDoesNotWaitForWhoIsNeeded(t *testing.T) {
	p := policyOf(policy2.Rule{Name: "all", Do: ladder(stopStep)})
	p.Surprise, p.Budget = 100, []policy2.Rate{{N: 1}}
	h := newHost(t, p)
	h.add("db", 3*hour).inProject("p", "db")
	h.add("web", hour).inProject("p", "web", "db")
	h.ticks(20 * second)
	h.expect("web stop")
	h.ticks(10 * second)
	h.expect("web stop", "db stop")
}
