package oracle

import (
	"slices"

	"gestor.local/contract"
)

// Decide gives a verdict on every container of the population and the inventory.
func Decide(p contract.Policy, pop contract.Population, inv contract.Inventory, ctx contract.Context) contract.Plan {
	subjects := join(pop, inv)

	// Who is left alone does not compete, and only who has lost its place is held back by a cap.
	screen(p, ctx, subjects)
	rankings := rankAndCut(p, subjects)
	wanted := applyCaps(p, pop, ctx, subjects, rankings)

	counts := count(p, subjects)
	slices.SortFunc(subjects, byClassRankID)
	return contract.Plan{
		Tick:       ctx.Tick,
		Sequence:   pop.Sequence,
		PolicyHash: p.Hash(),
		Mode:       p.Mode,
		Classify:   p.Classify,
		Counts:     counts,
		Surprise:   surprise(p, ctx, wanted, counts),
		Verdicts:   verdicts(subjects),
	}
}

// surprise says whether the plan must run in shadow this once: it is the first one under another policy, or it wants
// more than the policy expects. A size that was announced one tick ago is no surprise. Whom no plan can remove does not make
// a plan look smaller.
func surprise(p contract.Policy, ctx contract.Context, wanted int, counts []contract.ClassCount) bool {
	if ctx.PolicyChanged {
		return true
	}

	owned := 0
	for _, c := range counts {
		owned += c.Owned - c.ManagedElsewhere
	}
	return !ctx.SurpriseSeen && wanted > p.Caps.PerTick && wanted*100 > p.Caps.MaxPlanPercent*owned
}

// count sums up the population of each class, in the order of the plan.
func count(p contract.Policy, subjects []*subject) []contract.ClassCount {
	counts := []contract.ClassCount{
		{Class: contract.ClassLow, Quota: p.Quota.Low},
		{Class: contract.ClassHigh, Quota: p.Quota.High},
		{Class: contract.ClassUnknown},
	}

	for _, s := range subjects {
		c := &counts[classOrder(s.class)]
		if s.owned && s.isAlive() {
			c.Owned++
		}
		if s.reason == contract.ReasonElsewhere && s.isAlive() {
			c.ManagedElsewhere++
		}
		if s.rank > 0 {
			c.Eligible++
		}
		if s.remove {
			c.Removals++
		}
		if s.reason == contract.ReasonCapped {
			c.OverCapped++
		}
	}

	for i := range counts {
		counts[i].Deficit = max(0, counts[i].Quota-counts[i].Eligible-counts[i].ManagedElsewhere)
	}
	return counts
}
