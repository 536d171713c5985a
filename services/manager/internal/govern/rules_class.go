package govern

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// classCounts are the classes of the plan of either version, nil where it has none.
func (t *tick) classCounts() []contract.ClassCount {
	switch {
	case t.plan != nil:
		return t.plan.Counts
	case t.classes == nil && t.ruled != nil:
		t.classes = t.ruled.classCounts()
	}
	return t.classes
}

// classCounts are the classes that the policy's rules give places to, in the order of the rules, nil where a rule does anything else: what
// readers of version 1 know. A rule gives a class its places when the class is all that it asks of a container.
func (r *ruled) classCounts() (counts []contract.ClassCount) {
	at := make(map[contract.Class]int)
	rule := make(map[int]contract.Class)
	for i := range r.Policy.Rules {
		class, ok := placesOfClass(&r.Policy.Rules[i])
		if _, known := at[class]; !ok || known {
			return nil
		}
		at[class], rule[i] = len(counts), class
		counts = append(counts, contract.ClassCount{Class: class, Quota: r.Policy.Rules[i].Keep.Places})
	}

	held := make(map[contract.Class]int)
	for i := range r.Plan.Verdicts {
		v := &r.Plan.Verdicts[i]
		c := containerOf(r.Facts, v.ID)
		if c == nil || !r.texts.IsOwn(v.ID) {
			continue
		}

		class, _ := r.Policy.ClassOf(c.Identity)
		if k, ok := at[class]; ok && c.Alive() {
			counts[k].Owned++
			if _, elsewhere := contract.WorkloadOf(c.Labels); elsewhere {
				counts[k].ManagedElsewhere++
			}
		}

		// Who stands in no contest takes no place.
		class, contest := rule[v.Rule]
		if !contest || v.Rank == 0 {
			continue
		}
		k := at[class]
		counts[k].Eligible++
		switch {
		case v.Reason == contract.ReasonWithinQuota:
			held[class]++
		case v.Step == policy2.StepRemove:
			counts[k].Removals++
		case v.Reason == contract.ReasonCapped:
			counts[k].OverCapped++
		}
	}

	for class, k := range at {
		counts[k].Deficit = max(0, counts[k].Quota-held[class]-counts[k].ManagedElsewhere)
	}
	return counts
}

// Owned are the verdicts of the own containers of the classes, in the words of version 1, class by class and each in the order of its
// ranks.
func (r *Report) Owned() (owned []contract.Verdict) {
	if r.Plan != nil {
		return slices.DeleteFunc(slices.Clone(r.Plan.Verdicts), func(v contract.Verdict) bool { return !v.Owned })
	}
	if r.Rules == nil || r.Classes == nil {
		return nil
	}

	verdicts := r.Rules.Plan.Verdicts
	for i := range verdicts {
		v := &verdicts[i]
		c := containerOf(r.Rules.Facts, v.ID)
		if c == nil || !v.IsOwn() {
			continue
		}

		class, _ := r.Rules.Policy.ClassOf(c.Identity)
		one := contract.Verdict{
			ID: v.ID, Name: v.Name, Image: v.Image, Class: class, Owned: true, Verdict: verdictOfStep(v.Step), Reason: v.Reason, Rank: v.Rank, Cut: v.Cut,
		}
		if r.Population != nil {
			if m := r.Population.Member(v.ID); m != nil && m.Measured {
				one.Measures = &m.Measures
			}
		}
		owned = append(owned, one)
	}

	slices.SortStableFunc(owned, func(a, b contract.Verdict) int {
		return cmp.Or(strings.Compare(string(a.Class), string(b.Class)), cmp.Compare(uint(a.Rank-1), uint(b.Rank-1))) //nolint:gosec // rank 0, which is none, comes last
	})
	return owned
}

// placesOfClass is the class that the rule gives places to, as single containers in one group, ok false where it does not.
func placesOfClass(r *policy2.Rule) (class contract.Class, ok bool) {
	if r.Keep.IsZero() || r.Keep.Per != (policy2.Per{}) || r.Each == policy2.EachProject || len(r.Match) != 1 {
		return "", false
	}
	only := &r.Match[0]
	if len(only.Class) != 1 {
		return "", false
	}
	class = only.Class[0]
	return class, reflect.DeepEqual(*only, policy2.Selector{Class: only.Class})
}

// containerOf is what the facts have of the container, nil without one.
func containerOf(f *rules.Facts, id string) *rules.Container {
	i, ok := slices.BinarySearchFunc(f.Containers, id, func(c rules.Container, id string) int { return strings.Compare(c.ID, id) })
	if !ok {
		return nil
	}
	return &f.Containers[i]
}
