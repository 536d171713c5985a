package explain

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// summary is what becomes of the container, as one sentence.
func (t *ruledTick) summary(v *rules.Verdict, x *Explanation) string {
	var parts []string
	for _, s := range dueNow(v) {
		parts = append(parts, t.now(v, s))
	}

	switch change := x.Change; {
	case change != nil && len(parts) > 0:
		return strings.Join(parts, "; ") + "; then " + t.coming(change)
	case change != nil:
		return t.willBe(change) + t.coming(change)
	case len(parts) > 0:
		return strings.Join(parts, "; ")
	}

	text := "stays"
	if len(x.Limits) > 0 {
		text += ", throttled to " + cpuText(x.Limits[0].NanoCPUs) + " of a core"
	}
	if v.Rule >= 0 {
		text += " by rule " + strconv.Quote(t.policy.RuleName(v.Rule))
	}
	return text + ": " + t.texts.Of(v)
}

// dueNow are the steps that are due on the tick: those of rules that only warn or throttle, and that of the rule that decides.
func dueNow(v *rules.Verdict) (out []rules.Passing) {
	for _, p := range v.Passing {
		if p.Step != policy2.StepKeep {
			out = append(out, p)
		}
	}
	if v.Step != policy2.StepKeep {
		out = append(out, rules.Passing{Rule: v.Rule, Step: v.Step, Reason: v.Reason, StepIndex: v.StepIndex, Steps: v.Steps, Guard: v.Guard})
	}
	return out
}

// now says which step is due on this tick, and whether it is taken.
func (t *ruledTick) now(v *rules.Verdict, s rules.Passing) string {
	text := "is " + participle(s.Step) + " now"
	if !t.plan.CarriesOut(s.Step) {
		text = "would be " + participle(s.Step) + " now"
	}

	switch {
	case s.Guard != "" && s.Step == policy2.StepWarn && s.StepIndex > 0:
		text += fmt.Sprintf(" instead of step %d of %d of rule %s (guard %s)", s.StepIndex, s.Steps, strconv.Quote(t.policy.RuleName(s.Rule)), s.Guard)
	case s.Rule >= 0:
		text += ", " + ofRule(s.StepIndex, s.Steps, t.policy.RuleName(s.Rule))
	default:
		text += ": " + t.texts.Of(v)
	}
	return text
}

// willBe says whether the change will be carried out.
func (t *ruledTick) willBe(c *Change) string {
	if !t.plan.CarriesOut(c.Step) && t.plan.Observes() {
		return "would be "
	}
	return "will be "
}

// coming says what comes, when, and what would undo it.
func (t *ruledTick) coming(c *Change) string {
	text := participle(c.Step) + " in " + waitText(c.wait) + " (" + clock(c.At, t.ref().At) + "), " + ofRule(c.Index, c.Steps, c.Rule)
	if len(c.Unless) > 0 {
		text += ", unless " + strings.Join(c.Unless, ", or ")
	}
	return text
}

// ofRule names a step: step 2 of 3 of rule "stale".
func ofRule(index, steps int, rule string) string {
	if index == 0 || steps <= 1 {
		return "rule " + strconv.Quote(rule)
	}
	return fmt.Sprintf("step %d of %d of rule %s", index, steps, strconv.Quote(rule))
}

// participle is what is done with a step, as it stands out in a sentence.
func participle(s policy2.Step) string { return strings.ToUpper(s.Participle()) }

// waitText is a wait in the policy's form of a duration: of an hour and more without seconds.
func waitText(wait time.Duration) string {
	const minute = 60
	seconds := int64((wait + time.Second - 1) / time.Second)
	if seconds >= 60*minute {
		seconds -= seconds % minute
	}
	return policy2.Duration(seconds).String()
}

// clock is a time as people say it, in UTC: with the day of the week where it is within six days, else with the date.
func clock(at, now time.Time) string {
	const near = 6 * 24 * time.Hour
	switch distance := at.Sub(now).Abs(); {
	case distance < near:
		return at.UTC().Format("Mon 15:04")
	case at.UTC().Year() == now.UTC().Year():
		return at.UTC().Format("2 Jan 15:04")
	default:
		return at.UTC().Format("2 Jan 2006 15:04")
	}
}

// when is a time to come and how long until then.
func when(at, now time.Time) string {
	return "in " + waitText(max(0, at.Sub(now))) + " (" + clock(at, now) + ")"
}
