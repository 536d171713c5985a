package planview

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// following is the earliest change that comes if nothing else changes and the steps that are due are taken; nil when none does. It is
// for those who show what a plan would do.
func following(v *rules.Verdict) *rules.Next {
	next := v.Next
	for _, p := range v.Passing {
		if p.Next != nil && (next == nil || p.Next.GUS < next.GUS) {
			next = p.Next
		}
	}
	return next
}

// Next is the next change that comes if nothing else changes: the earliest of what the plan says, but for what follows a step that is
// due and not carried out, and of when that will be; nil when none does. Of two on one tick the rule that decides comes first, a rule
// above it before it.
func (t *Texts) Next(v *rules.Verdict) (next *rules.Next) {
	due := stepsNow(v)
	isHeld := func(rule int) bool {
		return slices.ContainsFunc(due, func(s step) bool { return s.rule == rule && !t.plan.CarriesOut(s.step) })
	}
	consider := func(n *rules.Next) {
		if n != nil && (next == nil || t.ticksUntil(n.GUS) < t.ticksUntil(next.GUS)) {
			next = n
		}
	}

	if v.Next != nil && !isHeld(v.Next.Rule) {
		consider(v.Next)
	}
	for _, s := range slices.Backward(due) { // the one of the rule that decides stands last
		consider(t.whenHeldNoMore(s))
	}
	for _, p := range v.Passing {
		if !isHeld(p.Rule) {
			consider(p.Next)
		}
	}
	return next
}

// whenHeldNoMore is a step that is due and held now, when it will be carried out; nil where that does not follow from time alone, or a
// rule above will have come to decide by then.
func (t *Texts) whenHeldNoMore(s step) *rules.Next {
	held := t.plan.Held
	if t.plan.CarriesOut(s.step) || held != rules.HeldChanged && held != contract.HeldSurprise {
		return nil
	}

	// The first plan alone is only shown, and so is a surprise where no approval is needed; else that has a time.
	next := &rules.Next{Step: s.step, GUS: t.facts.GUS + int64(t.policy.Tick)*1e6, Rule: s.rule}
	endsLife := s.step == policy2.StepStop || s.step == policy2.StepRemove
	if until, ok := t.HeldUntil(); ok && endsLife {
		next.GUS = max(next.GUS, until)
	}
	if s.untilGUS != 0 && t.ticksUntil(s.untilGUS) <= t.ticksUntil(next.GUS) {
		return nil
	}
	return next
}

// HeldUntil is when the hold of a surprise runs out, in G.
func (t *Texts) HeldUntil() (gUS int64, ok bool) {
	for _, n := range t.plan.Notices {
		if n.Kind == rules.NoticeSurprise && n.Next != nil {
			return n.Next.GUS, true
		}
	}
	return 0, false
}

// ticksUntil is how many ticks there are until the first one at or after a time in G.
func (t *Texts) ticksUntil(gUS int64) int64 {
	tick := int64(t.policy.Tick) * 1e6
	return max(0, gUS-t.facts.GUS+tick-1) / tick
}
