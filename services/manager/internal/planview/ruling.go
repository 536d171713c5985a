package planview

import (
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Ruling is what a verdict comes to in the records: the harshest step that is due now, of a rule that decides or of one that only
// warns or throttles, and the earliest change.
func (t *Texts) Ruling(v *rules.Verdict) contract.Ruling {
	r := contract.Ruling{Step: string(policy2.StepKeep), Rule: t.policy.RuleName(v.Rule), Place: v.Reason == contract.ReasonWithinQuota}
	if s, due := harshest(v); due {
		r.Step, r.Rule = string(s.step), t.policy.RuleName(s.rule)
	}
	if next := t.Next(v); next != nil {
		r.NextStep, r.NextAt = string(next.Step), t.wall(next.GUS)
	}
	return r
}

// OfRuling is the reason of what Ruling says.
func (t *Texts) OfRuling(v *rules.Verdict) string {
	if s, due := harshest(v); due {
		return t.why(v, s)
	}
	return t.Of(v)
}

// Grounds are what a rule, by its index, negative for none, has to say of a container beside its name: the guard that softens its
// step, "" for none, the place, and the figures that were compared. Those of a rule that only warns or throttles are not in a plan.
func (t *Texts) Grounds(v *rules.Verdict, rule int, guard string) string {
	var grounds []string
	if guard != "" {
		grounds = append(grounds, ReasonText(guard))
	}
	if rule < 0 { // too new for the rules
		grounds = append(grounds, ReasonText(v.Reason))
	}
	if v.Rule == rule && v.Rank > 0 {
		grounds = append(grounds, t.place(v))
	}
	if figures := Readings(v.Read); v.Rule == rule && figures != "" {
		grounds = append(grounds, figures)
	}
	return strings.Join(grounds, "; ")
}

// harshest is the last of the steps that are due: those of rules that pass stand above the one that decides.
func harshest(v *rules.Verdict) (s step, due bool) {
	for _, one := range stepsNow(v) {
		if !due || severity(one.step) >= severity(s.step) {
			s, due = one, true
		}
	}
	return s, due
}

// IsOwn says whether a selector of own matches the container.
func (t *Texts) IsOwn(id string) bool {
	_, own := t.own[id]
	return own
}

// wall is a time of G on the clock on the wall, to the second.
func (t *Texts) wall(gUS int64) time.Time {
	return time.UnixMicro(t.facts.WallUS + gUS - t.facts.GUS).UTC().Truncate(time.Second)
}

// Due counts the containers by the harshest step that is due for them.
func Due(p *rules.Plan) map[policy2.Step]int {
	counts := make(map[policy2.Step]int)
	for i := range p.Verdicts {
		if s, due := harshest(&p.Verdicts[i]); due {
			counts[s.step]++
		}
	}
	return counts
}

// One is the verdict on one container, in words and as it stands in the plan.
type One struct {
	Verdict *rules.Verdict  `json:"verdict"`
	Ruling  contract.Ruling `json:"ruling"`
	Text    string          `json:"text"`
}

// Find is the verdict on the container with this id or name, or the only one whose id begins like that; not ok without one.
func (v View) Find(who string) (one One, ok bool) {
	verdicts := v.Plan.Verdicts
	at := slices.IndexFunc(verdicts, func(v rules.Verdict) bool { return v.ID == who || v.Name == who && who != "" })

	const fewest = 4 // digits of an id: fewer are easily part of a name
	begins := func(v rules.Verdict) bool { return strings.HasPrefix(v.ID, who) }
	if at < 0 && len(who) >= fewest {
		at = slices.IndexFunc(verdicts, begins)
		if at >= 0 && slices.ContainsFunc(verdicts[at+1:], begins) {
			at = -1
		}
	}
	if at < 0 {
		return One{}, false
	}

	texts := v.texts()
	return One{Verdict: &verdicts[at], Ruling: texts.Ruling(&verdicts[at]), Text: texts.OfRuling(&verdicts[at])}, true
}
