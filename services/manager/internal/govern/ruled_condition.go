package govern

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// ruledConditions are the conditions that the plan of a policy of version 2 gives cause for.
func (r *reporter) ruledConditions(t *tick, s status) (out []Condition) {
	if s.short {
		out = append(out, condition(ConditionJournalShort, "facts are left out since "+r.sinceOf(ConditionJournalShort, t).UTC().Format(time.RFC3339), false))
	}
	if len(s.unrestored) > 0 {
		out = append(out, condition(ConditionThrottled, namesOf(t.inv, s.unrestored), false))
	}

	if s.warnWaits != "" {
		out = append(out, condition(ConditionWarnWaits, s.warnWaits, false))
	}

	v := r.loop.version2
	if v != nil && v.Missing != "" {
		out = append(out, condition(ConditionNoPolicy, "GESTOR_POLICY is "+v.Missing+", and no such file is there", false))
	}
	if v == nil || t.ruled == nil {
		return out
	}

	plan, f := &t.ruled.Plan, t.ruled.Facts
	in := &f.InForce
	switch {
	case in.NeedsApproval && !in.Approved:
		out = append(out, condition(ConditionUnapproved, v.whyUnapproved(plan), false))
	case in.NeedsApproval && in.OtherSuite:
		out = append(out, condition(ConditionOtherSuite, strings.Join(facts.OtherSuites(*t.inv, r.suite.Name), ", "), false))
	}
	if in.HasGrown(plan.Own) {
		why := fmt.Sprintf("%d are own, %d were at the approval", plan.Own, in.OwnCount)
		if warned := guardedBy(plan, rules.ReasonOwnGrew); len(warned) > 0 {
			why += ": " + namesOf(t.inv, warned)
		}
		out = append(out, condition(ConditionOwnGrew, why, false))
	}
	if f.ClockInDoubt {
		out = append(out, condition(ConditionClock, whyInDoubt(f), false))
	}
	if words := t.ruled.inDoubt(); len(words) > 0 {
		out = append(out, condition(ConditionDoubt, shortened(words), false))
	}
	return out
}

// sinceOf is since when the condition holds, this tick where it begins.
func (r *reporter) sinceOf(name string, t *tick) time.Time {
	if c, ok := r.conditions.active[name]; ok {
		return c.Since
	}
	return t.at
}

// whyUnapproved says what is held back, and what is the matter with the approval that is there.
func (v *Version2) whyUnapproved(p *rules.Plan) string {
	due := planview.Due(p)
	text := fmt.Sprintf("this policy would now stop %d and remove %d of %d containers", due[policy2.StepStop], due[policy2.StepRemove], p.Own)
	switch {
	case v.ApprovalError != "":
		return text + "; " + v.ApprovalError
	case v.Approved != nil:
		return text + "; the approval beside it is of another policy"
	default:
		return text
	}
}

// guardedBy are the ids of those whose step the guard softens. Sorted.
func guardedBy(p *rules.Plan, guard string) (ids []string) {
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		passing := slices.ContainsFunc(v.Passing, func(n rules.Passing) bool { return n.Guard == guard })
		if v.Guard == guard || passing {
			ids = append(ids, v.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func whyInDoubt(f *rules.Facts) string {
	const settled = 10 * time.Minute
	if up := durationOf(f.BootUS); up < settled {
		return fmt.Sprintf("the host was started %s ago", up.Round(time.Second))
	}
	apart := time.Duration(f.WallUS-f.GUS) * time.Microsecond
	return fmt.Sprintf("it was set while the host ran: it is %s from where it was", apart.Round(time.Second))
}

// longDoubt is how long a rule may be possible before somebody is told.
const longDoubt = time.Hour

// inDoubt are the words on each container of which a rule has been possible for long, sorted by id.
func (r *ruled) inDoubt() (words []string) {
	for i := range r.memory.Containers {
		c := &r.memory.Containers[i]
		for k := range c.Rules {
			m := &c.Rules[k]
			if m.PossibleGUS == 0 || r.Facts.GUS-m.PossibleGUS < longDoubt.Microseconds() {
				continue
			}
			at := slices.IndexFunc(r.Plan.Rules, func(one rules.RuleCount) bool { return one.Hash == m.Hash })
			if at >= 0 {
				words = append(words, fmt.Sprintf("%q of %s", r.Plan.Rules[at].Name, r.nameOf(c.ID)))
			}
		}
	}
	return words
}

// nameOf is the container's name, or the beginning of its id.
func (r *ruled) nameOf(id string) string {
	if who := r.identity(id); who != nil && who.Name != "" {
		return who.Name
	}
	return id[:min(len(id), idDigits)]
}

// idDigits are as many of an id as people are shown.
const idDigits = 12
