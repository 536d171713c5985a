package explain

import (
	"slices"
	"strconv"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// Ladder is where the container stands on the steps of one rule.
type Ladder struct {
	Rule  string       `json:"rule"`
	Steps []LadderStep `json:"steps"`
}

// States of a step.
const (
	stepDone  = "done"
	stepNow   = "now"   // it is taken on this tick
	stepDue   = "due"   // it comes at its time
	stepWaits = "waits" // something holds it up
	stepLater = "later" // after the step before it
)

// LadderStep is one step.
type LadderStep struct {
	Step  string           `json:"step"` // as the policy writes it
	State string           `json:"state"`
	At    time.Time        `json:"at,omitzero"`    // when it was done, or is due
	After policy2.Duration `json:"after,omitzero"` // how long after the one before
	Text  string           `json:"text,omitempty"` // why it waits, or what else is to say
}

// ladders are those of the rule that decides and of those that only warn or throttle, as far as they have begun.
func (t *ruledTick) ladders(v *rules.Verdict, trace rules.Trace, actions []Action) (out []Ladder) {
	for _, a := range trace.Answers {
		step := rules.Passing{Rule: v.Rule, Step: v.Step, Reason: v.Reason, StepIndex: v.StepIndex, Guard: v.Guard, Next: v.Next}
		if a.Rule != v.Rule {
			step = rules.Passing{Rule: a.Rule, Step: policy2.StepKeep}
			if p := passingOf(v, a.Rule); p != nil {
				step = *p
			}
		}

		if steps := t.policy.Rules[a.Rule].Steps(); step.StepIndex > 0 || a.Done > 0 && !steps.Has(policy2.StepKeep) {
			out = append(out, t.ladder(steps, step, a, memoryOf(trace, t.policy.Rules[a.Rule].Hash()), actions))
		}
	}
	return out
}

func memoryOf(trace rules.Trace, hash string) rules.RuleMemory {
	i := slices.IndexFunc(trace.Memory.Rules, func(m rules.RuleMemory) bool { return m.Hash == hash })
	if i < 0 {
		return rules.RuleMemory{}
	}
	return trace.Memory.Rules[i]
}

// ladder is that of one rule; now is what it says on this tick.
func (t *ruledTick) ladder(steps policy2.Ladder, now rules.Passing, a rules.Answer, m rules.RuleMemory, actions []Action) Ladder {
	out := Ladder{Rule: t.policy.RuleName(a.Rule)}
	for i, rung := range steps {
		s := LadderStep{Step: rung.String(), State: stepLater, After: rung.After}
		switch {
		case i < a.Done:
			s.State = stepDone
			s.At, s.Text = t.doneAt(rung, i, a.Done, m, actions)

		case i+1 != now.StepIndex:

		case now.Step == rung.Step:
			s.State = stepNow
			s.Text = t.notCarriedOut(rung.Step)
		case now.Reason == rules.ReasonWaits && now.Next != nil && now.Next.Step == rung.Step && now.Next.Rule == a.Rule:
			s.State, s.At = stepDue, t.at(now.Next.GUS)
		default:
			s.State, s.Text = stepWaits, planview.ReasonText(now.Reason)
			if now.Guard != "" {
				s.Text = "guard " + now.Guard
			}
		}
		out.Steps = append(out.Steps, s)
	}
	return out
}

// doneAt is when a step was done, as the journal or the memory of the rules knows it.
func (t *ruledTick) doneAt(rung policy2.Rung, i, done int, m rules.RuleMemory, actions []Action) (at time.Time, text string) {
	if rung.Step == policy2.StepWarn {
		text = "delivered"
	}
	switch {
	case i+1 == done && m.DoneGUS != 0:
		return t.at(m.DoneGUS), text
	case rung.Step == policy2.StepWarn && m.NoticeGUS != 0:
		return t.at(m.NoticeGUS), text
	}

	for _, action := range slices.Backward(actions) {
		if action.ruleHash == m.Hash && action.StepIndex == i+1 && rules.Succeeded(action.Outcome) && !action.EndedAt.After(t.ref().At) {
			return action.EndedAt.UTC().Truncate(time.Second), text
		}
	}
	return time.Time{}, text
}

// notCarriedOut says that the plan's step is only shown, "" when it is taken.
func (t *ruledTick) notCarriedOut(step policy2.Step) string {
	if t.plan.CarriesOut(step) {
		return ""
	}
	return "not carried out: " + t.plan.Held
}

func itoa(n int) string { return strconv.Itoa(n) }
