package rules

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// applyBudget lets wait what the budget does not allow. Who waits does not hold up those behind that still fit.
func (t *tick) applyBudget() {
	slices.SortFunc(t.acts, t.compareActs)
	taken, capped := 0, false
	for _, a := range t.acts {
		n := t.uncounted(&a)
		if n > 0 && !t.fits(n, taken) {
			t.capAct(&a)
			capped = true
			continue
		}
		taken += n
	}

	// Whom a capped one needs stays with it.
	for capped {
		capped = false
		for _, a := range t.acts {
			if t.isKeptForOthers(&a) {
				capped = true
			}
		}
	}
	t.spend(taken)
}

// compareActs says who goes first when the budget bites: those of rules without places in the order of the file, the oldest
// first; then those without a place, the farthest from one first.
func (t *tick) compareActs(a, b act) int {
	if a.kept != b.kept {
		if a.kept {
			return 1
		}
		return -1
	}

	id := strings.Compare(t.all[a.members[0]].c.ID, t.all[b.members[0]].c.ID)
	if a.kept {
		return cmp.Or(cmp.Compare(b.distance, a.distance), cmp.Compare(a.rule, b.rule), cmp.Compare(a.rank, b.rank), id)
	}
	return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.created, b.created), id)
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

// fits says whether n more fit into every span, beside those taken on this tick. A project that is larger than a whole rate is
// taken alone, when nothing else was taken in that span.
func (t *tick) fits(n, taken int) bool {
	for _, rate := range t.p.policy.Budget {
		used := taken + t.spent(rate)
		if used+n > rate.N && !(n > 1 && n > rate.N && used == 0) {
			return false
		}
	}
	return true
}

// spent is how many were taken in the span of the rate before this tick.
func (t *tick) spent(rate policy2.Rate) int {
	n := 0
	for _, e := range t.m.Spent {
		if rate.Span == 0 && e.Tick == t.f.Tick || rate.Span != 0 && e.GUS > t.f.GUS-us(rate.Span) {
			n += e.N
		}
	}
	return n
}

func (t *tick) capAct(a *act) {
	for _, i := range a.members {
		d := &t.all[i].d
		d.step, d.reason = policy2.StepKeep, contract.ReasonCapped
		t.counts[a.rule].Capped++
	}
}

// isKeptForOthers lets a unit wait that is needed by one which stays for the budget. It says whether there was one.
func (t *tick) isKeptForOthers(a *act) bool {
	if !t.isLeaving(a.members[0]) {
		return false
	}
	for _, i := range a.members {
		for _, by := range t.neededBy(&t.all[i]) {
			if t.isLeaving(by) {
				continue
			}
			for _, j := range a.members {
				d := &t.all[j].d
				d.step, d.reason, d.guard, d.by = policy2.StepKeep, ReasonNeeded, ReasonNeeded, t.all[by].c.ID
			}
			return true
		}
	}
	return false
}

// spend gives what is left of the budget to the hard rule on young ones.
func (t *tick) spend(taken int) {
	for _, a := range t.acts {
		t.wanted += len(a.members)
	}
	for _, i := range t.surplusYoung() {
		t.wanted++
		d := &t.all[i].d
		if !t.fits(1, taken) {
			d.reason = contract.ReasonYoung
			continue
		}
		taken++
		d.step = policy2.StepRemove
	}
}
