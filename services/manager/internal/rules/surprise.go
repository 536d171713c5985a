package rules

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// surpriseUS is how long a surprise is held.
const surpriseUS = 10 * minuteUS

// hasChanged says that this is the first plan under another policy or another approval.
func (t *tick) hasChanged() bool {
	return t.m.PolicyHash != "" && (t.m.PolicyHash != t.p.hash || t.m.ApprovedWallUS != t.f.InForce.ApprovedWallUS)
}

// judgesNobody says that there are own containers, and that all of them have been seen for too short a time to be judged.
func (t *tick) judgesNobody() bool {
	young := false
	for i := range t.all {
		s := &t.all[i]
		if s.who.own && s.standing != contract.ReasonYoung {
			return false
		}
		young = young || s.who.own
	}
	return young
}

// restrain says what holds the plan back, and follows the hold of a surprise.
func (t *tick) restrain() {
	holds := Surprises(&t.p.policy, t.f.InForce.NeedsApproval, t.wanted, t.living) && t.holdsSurprise()
	if t.hasChanged() && t.hold == nil && !t.f.InForce.NeedsApproval {
		t.hold = &Surprise{SinceGUS: t.f.GUS, Count: t.wanted, Over: true}
	}

	observes := t.whyObserves()
	switch {
	case len(t.f.InForce.Gates) > 0:
		t.held = t.f.InForce.Gates[0]
	case observes != "":
		t.held = observes
	case t.hasChanged():
		t.held = HeldChanged
	case holds:
		t.held = contract.HeldSurprise
	}
}

// whyObserves says why nothing is done under the policy now, "" when it may be.
func (t *tick) whyObserves() string {
	in := &t.f.InForce
	switch {
	case t.p.policy.Mode != contract.ModeEnforce || in.DryRun:
		return contract.HeldObserve
	case in.NeedsApproval && !in.Approved:
		return HeldUnapproved
	case in.NeedsApproval && in.OtherSuite:
		return HeldOtherSuite
	default:
		return ""
	}
}

// Surprises says that a plan which ends wanted of the living own containers is larger than the policy expects: with other people's
// containers, for which it needs approval, by its share alone, else also by its number, as under version 1.
func Surprises(p *policy2.Policy, needsApproval bool, wanted, living int) bool {
	const hundred = 100
	if wanted*hundred <= p.Surprise*living {
		return false
	}
	if needsApproval {
		return wanted > 1
	}
	return wanted > perTick(p)
}

// perTick is the budget of one tick.
func perTick(p *policy2.Policy) int {
	for _, rate := range p.Budget {
		if rate.Span == 0 {
			return rate.N
		}
	}
	return 0
}

// holdsSurprise follows the hold of a surprise, and says whether it lasts.
func (t *tick) holdsSurprise() bool {
	before := t.m.Surprise
	const hundred = 100
	switch {
	case before == nil:
		t.hold = &Surprise{SinceGUS: t.f.GUS, Count: t.wanted, Over: !t.f.InForce.NeedsApproval}
		return true

	case before.Over:
		if t.f.InForce.NeedsApproval {
			t.hold = before
		}
		return false

	case (t.wanted-before.Count)*hundred > t.p.policy.Surprise*t.living:
		t.hold = &Surprise{SinceGUS: t.f.GUS, Count: t.wanted}
		return true

	case t.f.GUS-before.SinceGUS < surpriseUS:
		t.hold = before
		return true

	default:
		t.hold = &Surprise{SinceGUS: before.SinceGUS, Count: before.Count, Over: true}
		return false
	}
}

// givesAllBack says that nothing is done under this policy now: limits of before are given back.
func (t *tick) givesAllBack() bool { return t.f.InForce.Observes(t.p.policy.Mode) }

// moves says whether ladders move on this tick.
func (t *tick) moves() bool {
	return !t.givesAllBack() && len(t.f.InForce.Gates) == 0 && !t.hasChanged()
}
