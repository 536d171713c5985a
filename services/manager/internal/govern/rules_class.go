package govern

import (
	"reflect"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

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
		c := r.container(v.ID)
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

// container is what the facts have of the container, nil without one.
func (r *ruled) container(id string) *rules.Container {
	i, ok := slices.BinarySearchFunc(r.Facts.Containers, id, func(c rules.Container, id string) int { return strings.Compare(c.ID, id) })
	if !ok {
		return nil
	}
	return &r.Facts.Containers[i]
}
