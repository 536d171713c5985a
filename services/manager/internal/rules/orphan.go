package rules

import (
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// ownerContainer begins the owner label of what was started from inside a container; the container's full id follows.
const ownerContainer = "container:"

// isOrphaned says that the labels name an owner which is a container that does not live on this engine any more, so that nobody will
// drain what it started. An owner that is paused or between two restarts will.
func isOrphaned(labels map[string]string, living map[string]bool) bool {
	owner, inContainer := strings.CutPrefix(labels[contract.LabelOwner], ownerContainer)
	return inContainer && contract.IsContainerID(owner) && !living[owner]
}

// Orphans is the plan for the end of the suite under a policy of version 2. It has verdicts on those alone that go: containers that
// Gestor's generator started and nobody will drain (isOrphaned), that are own and not protected, and that no guard keeps. No rule asks
// for it and the budget does not apply, but what keeps the policy from acting holds this plan too. memory is that of the last tick.
func Orphans(p *Program, memory Memory, facts *Facts) Plan {
	t := newTick(p, memory.raised(facts), facts, nil, &p.scratch)
	t.countOwn()

	living := make(map[string]bool, len(t.all))
	for i := range t.all {
		if c := t.all[i].c; c.InEngine && c.Alive() {
			living[c.ID] = true
		}
	}

	plan := Plan{
		V: PlanVersion, Tick: facts.Tick, Sequence: facts.Sequence, PolicyHash: p.hash, Mode: p.policy.Mode, Held: t.whyObserves(),
		Own: t.own, Living: t.living,
	}
	for i := range t.all {
		s := &t.all[i]
		if !isOrphaned(s.c.Labels, living) || !contract.Owned(s.c.Labels, facts.Suite.Name) || !t.mayGoUnjudged(s) {
			continue
		}
		plan.Wanted++
		plan.Verdicts = append(plan.Verdicts, Verdict{
			ID: s.c.ID, Name: s.c.Name, Image: s.c.Image, Project: s.who.project, Standing: StandingReady,
			Rule: noRule, Step: policy2.StepRemove, Reason: contract.ReasonOrphaned, StartedAt: s.c.StartedAt.Value,
		})
	}
	return plan
}

// mayGoUnjudged says that nothing but its age, or that it comes back, keeps the container from being judged, and that no guard stands
// before its removal.
func (t *tick) mayGoUnjudged(s *subject) bool {
	switch s.standing {
	case StandingReady, contract.ReasonYoung, contract.ReasonFutile:
		return t.mayGiveUp(s)
	default:
		return false
	}
}

// OrphansV1 is the plan for the end of the suite under a policy of version 1: the owned containers go that nobody will drain (isOrphaned).
// What is protected, paused, stuck or being removed stays, and so does what names an owner that this engine cannot see. Consumption
// plays no part: without a population there are no measures.
func OrphansV1(p *Program, inv contract.Inventory, ctx contract.Context) contract.Plan {
	plan := DecideV1(p, contract.Population{}, inv, ctx)
	plan.Surprise = false // nothing is judged

	labels, living := make(map[string]map[string]string, len(inv.Entries)), make(map[string]bool)
	for i := range inv.Entries {
		e := &inv.Entries[i]
		labels[e.ID] = e.Labels
		if contract.StateAlive(e.State) {
			living[e.ID] = true
		}
	}

	for i := range plan.Verdicts {
		if v := &plan.Verdicts[i]; isJudgedByStateOnly(v) && isOrphaned(labels[v.ID], living) {
			v.Verdict, v.Reason = contract.VerdictRemove, contract.ReasonOrphaned
			plan.Counts[ClassOrder(v.Class)].Removals++
		}
	}
	return plan
}

// isJudgedByStateOnly says that nothing but its state or a lack of figures keeps an owned container out of the competition.
func isJudgedByStateOnly(v *contract.Verdict) bool {
	switch v.Reason {
	case contract.ReasonNotRunning, contract.ReasonUnmeasured, contract.ReasonUnknown, contract.ReasonFutile:
		return v.Owned
	default:
		return false
	}
}
