package rules

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// spending is what has been taken in each span of the budget.
type spending struct {
	rates []policy2.Rate
	used  []int
}

// spending is what was taken before this tick.
func (t *tick) spending() spending {
	s := spending{rates: t.p.policy.Budget, used: make([]int, len(t.p.policy.Budget))}
	for k, rate := range s.rates {
		for _, e := range t.m.Spent {
			if rate.Span == 0 && e.Tick == t.f.Tick || rate.Span != 0 && e.GUS > t.f.GUS-us(rate.Span) {
				s.used[k] += e.N
			}
		}
	}
	return s
}

// take takes n more, if they fit into every span. A project that is larger than a whole rate is taken alone, when nothing else was
// taken in that span.
func (s *spending) take(n int) bool {
	for k, rate := range s.rates {
		if s.used[k]+n > rate.N && !(n > 1 && n > rate.N && s.used[k] == 0) {
			return false
		}
	}
	for k := range s.used {
		s.used[k] += n
	}
	return true
}

// applyBudget lets wait what the budget does not allow. Who waits does not hold up those behind that still fit. Who depends on another
// goes before it, and those that need each other in a circle are taken as one: the others could not go without them.
func (t *tick) applyBudget() {
	slices.SortFunc(t.acts, t.compareActs)
	neededBy := t.actsThatNeed()
	budget, capped := t.spending(), false
	stays := make([]bool, len(t.acts))
	for _, set := range dependantsFirst(len(t.acts), func(k int) []int { return neededBy[k] }) {
		n, waits := 0, false
		for _, k := range set {
			t.wanted += len(t.acts[k].members)
			n += t.uncounted(t.acts[k])
			waits = waits || slices.ContainsFunc(neededBy[k], func(by int) bool { return stays[by] })
		}
		takes := !waits && (n == 0 || budget.take(n))
		for _, k := range set {
			if stays[k] = !takes; !takes && !waits {
				t.capAct(t.acts[k])
				capped = true
			}
		}
	}

	// Whom a capped one needs stays with it, and so does the project of which it is a member.
	for capped {
		capped = false
		for _, a := range t.acts {
			capped = t.isKeptForOthers(a) || capped
		}
	}
	t.giveUpYoung(&budget)
}

// actsThatNeed lists, for each act, those that end a container which needs one that it ends.
func (t *tick) actsThatNeed() [][]int {
	of := map[int]int{}
	for k, a := range t.acts {
		for _, i := range a.members {
			of[i] = k
		}
	}

	needs := make([][]int, len(t.acts))
	for k, a := range t.acts {
		for _, i := range a.members {
			for _, by := range t.dependants(&t.all[i]) {
				if other, ok := of[by]; ok && other != k {
					needs[k] = append(needs[k], other)
				}
			}
		}
	}
	return needs
}

// compareActs says who goes first when the budget bites: those of rules without places in the order of the file, the oldest
// first; then those without a place, the farthest from one first.
func (t *tick) compareActs(a, b *act) int {
	if a.kept != b.kept {
		if a.kept {
			return 1
		}
		return -1
	}

	c := cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.created, b.created))
	if a.kept {
		c = cmp.Or(cmp.Compare(b.distance, a.distance), cmp.Compare(a.rule, b.rule), cmp.Compare(a.rank, b.rank))
	}
	if c != 0 {
		return c
	}
	return strings.Compare(t.all[a.members[0]].c.ID, t.all[b.members[0]].c.ID)
}

// uncounted is how many of the unit's containers have not counted on this ladder yet.
func (t *tick) uncounted(a *act) int {
	n := 0
	for _, i := range a.members {
		if m := t.all[i].memory(&t.p.rules[a.rule]); m == nil || !m.Counted {
			n++
		}
	}
	return n
}

func (t *tick) capAct(a *act) {
	for _, i := range a.members {
		d := &t.all[i].d
		d.step, d.reason, d.next = policy2.StepKeep, contract.ReasonCapped, Next{} // its step has to be taken first
		t.counts[a.rule].Capped++
	}
}

// isKeptForOthers lets a unit wait that is needed by a container which stays for the budget, or whose project has one that does. It
// says whether there was one.
func (t *tick) isKeptForOthers(a *act) bool {
	if !t.isLeaving(a.members[0]) {
		return false
	}

	for _, i := range a.members {
		if by := t.staysBeside(a, i); by != nobody {
			for _, j := range a.members {
				d := &t.all[j].d
				d.step, d.reason, d.guard, d.by, d.next = policy2.StepKeep, ReasonNeeded, ReasonNeeded, t.all[by].c.ID, Next{}
			}
			return true
		}
	}
	return false
}

// staysBeside is a container that stays and keeps the member of a unit with it, nobody where there is none.
func (t *tick) staysBeside(a *act, i int) int {
	for _, by := range t.neededBy(&t.all[i]) {
		if !t.isLeaving(by) {
			return by
		}
	}

	s := &t.all[i]
	if !t.p.rules[a.rule].project || s.unit < 0 {
		return nobody
	}
	for _, j := range t.projects[s.unit].members {
		if d := &t.all[j].d; d.reason == contract.ReasonCapped || d.reason == ReasonNeeded && !t.isLeaving(j) {
			return j
		}
	}
	return nobody
}

// giveUpYoung gives what is left of the budget to the hard rule on young ones.
func (t *tick) giveUpYoung(budget *spending) {
	for _, i := range t.surplusYoung() {
		t.wanted++
		d := &t.all[i].d
		if !budget.take(1) {
			d.reason = contract.ReasonYoung
			continue
		}
		d.step = policy2.StepRemove
	}
}
