package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// Explanation says of one container how the rules of version 2 came to their verdict on one tick, and what comes next.
type Explanation struct {
	TickRef
	Sequence   uint64        `json:"sequence"`
	PolicyHash string        `json:"policy_hash"`
	Mode       contract.Mode `json:"mode"`
	// Held says why no stop and no removal of the plan is carried out, "" when they are; HeldText says that in words.
	Held     string `json:"held,omitempty"`
	HeldText string `json:"held_text,omitempty"`

	Project string `json:"project,omitempty"`
	State   string `json:"state,omitempty"` // the engine's word, "" when it does not know the container
	// Summary is what becomes of it, as one sentence; Text the reason of what is due now.
	Summary string `json:"summary"`
	Text    string `json:"text"`
	// Verdict stands in the plan like this; Ruling is what it comes to.
	Verdict rules.Verdict   `json:"verdict"`
	Ruling  contract.Ruling `json:"ruling"`

	// Change is the next one, if no other fact changes; nil when none comes.
	Change *Change `json:"next_change,omitempty"`
	// Own says by which of its values it is own, "" when it is not.
	Own string `json:"own,omitempty"`
	// Rules are the answers of those that were read; none where it cannot be judged.
	Rules   []RuleAnswer `json:"rules"`
	Ladders []Ladder     `json:"ladders,omitempty"`
	Limits  []Limit      `json:"limits,omitempty"`
	Guard   string       `json:"guard,omitempty"`
	Budget  []Rate       `json:"budget"`

	// Unknown is what a rule asked for and could not be had, Withheld the labels of which the journal keeps the keys alone; Notes is
	// what else is particular about it.
	Unknown  []string `json:"unknown,omitempty"`
	Withheld []string `json:"withheld,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

// Change is the next step, and what would undo it.
type Change struct {
	Step   policy2.Step `json:"step"`
	At     time.Time    `json:"at"`
	Rule   string       `json:"rule"`
	Index  int          `json:"step_index,omitempty"` // which of the rule's Steps it is, 0 for a notice of a guard
	Steps  int          `json:"steps,omitempty"`
	Unless []string     `json:"unless,omitempty"`

	wait time.Duration
}

// Answers of a rule.
const (
	answerYes     = "yes"     // it holds: its step is due, or waits
	answerNo      = "no"      // it does not speak of the container, or does not hold
	answerDone    = "done"    // it holds, and all its steps are done
	answerUnknown = "unknown" // that cannot be known
)

// RuleAnswer is what one rule says of the container.
type RuleAnswer struct {
	Index  int       `json:"index"` // of the rule in the policy, from 1
	Rule   string    `json:"rule"`
	Answer string    `json:"answer"` // yes, no, done or unknown
	Text   string    `json:"text"`
	Holds  time.Time `json:"holds_at,omitzero"` // when it will hold if what does not follow from time alone stays
}

// Rate is one rate of the budget, and what of it was taken before the tick.
type Rate struct {
	Rate policy2.Rate `json:"rate"`
	Used int          `json:"used"`
}

func ratesOf(all []rules.Spending) []Rate {
	out := make([]Rate, len(all))
	for i, s := range all {
		out[i] = Rate{s.Rate, s.Used}
	}
	return out
}

func budgetText(rates []Rate) string {
	words := make([]string, len(rates))
	for i, r := range rates {
		words[i] = fmt.Sprintf("%d of %s", r.Used, r.Rate)
	}
	return strings.Join(words, ", ")
}

// Limit is a CPU limit that a rule has lowered and owes.
type Limit struct {
	Rule string `json:"rule"`
	// NanoCPUs is the limit in billionths of a core, OldNanoCPUs the one before, 0 for none.
	NanoCPUs    int64     `json:"nano_cpus"`
	OldNanoCPUs int64     `json:"old_nano_cpus"`
	Since       time.Time `json:"since"`
	Latest      time.Time `json:"given_back_at_the_latest"`
}

// ruledTick is one tick of version 2 as the journal brings it back.
type ruledTick struct {
	*journal.History
	policy *policy2.Policy
	facts  *rules.Facts
	plan   *rules.Plan
	texts  *planview.Texts
}

// ruledTick makes the plan of the tick with this number, whose facts, or whose verdict, stand on the line.
func (j Journal) ruledTick(number, seq uint64) (*ruledTick, error) {
	h, err := journal.HistoryTo(j.Path, seq)
	if err != nil {
		return nil, err
	}
	if !h.Whole() || h.Program() == nil || h.Tick() != number {
		return nil, notFoundError(fmt.Sprintf("tick %d: a line of the journal that its facts depend on is missing or damaged; "+
			"next: explain a tick of another file of the journal, or ask the log service", number))
	}

	t := &ruledTick{History: h, policy: h.Program().Policy(), facts: h.Facts(), plan: h.Plan()}
	t.texts = planview.NewPlanTexts(*t.policy, t.facts, t.plan)
	return t, nil
}

func (t *ruledTick) ref() TickRef { return TickRef{t.facts.Tick, wallTime(t.facts.WallUS)} }

// at is a time of G on the clock on the wall.
func (t *ruledTick) at(gUS int64) time.Time { return wallTime(t.facts.WallUS + gUS - t.facts.GUS) }

func wallTime(us int64) time.Time { return time.UnixMicro(us).UTC().Truncate(time.Second) }

// heldText is why the plan is held back, and until when where that is known.
func (t *ruledTick) heldText() string {
	switch {
	case t.plan.Held == "":
		return ""
	case slices.Contains(t.facts.InForce.Gates, t.plan.Held):
		return "the gate " + strings.Join(t.facts.InForce.Gates, ", ") + " is closed"
	}

	text := planview.HeldText(t.plan.Held)
	if until, ok := t.texts.HeldUntil(); ok && t.plan.Held == contract.HeldSurprise {
		text += ", until " + clock(t.at(until), t.ref().At)
	}
	return text
}

// explain explains the verdict on one container; nil for one that the plan does not have.
func (t *ruledTick) explain(id string, actions []Action) *Explanation {
	c := t.texts.Container(id)
	at := slices.IndexFunc(t.plan.Verdicts, func(v rules.Verdict) bool { return v.ID == id })
	explained := rules.Explain(t.Program(), t.Before(), t.facts)
	trace, ok := explained.Of(id)
	if c == nil || at < 0 || !ok {
		return nil
	}

	v := &t.plan.Verdicts[at]
	x := &Explanation{
		TickRef: t.ref(), Sequence: t.plan.Sequence, PolicyHash: t.plan.PolicyHash, Mode: t.plan.Mode,
		Held: t.plan.Held, HeldText: t.heldText(),
		Project: c.Project(), State: c.State, Text: t.texts.OfRuling(v), Verdict: *v, Ruling: t.texts.Ruling(v),
		Rules: []RuleAnswer{}, Budget: ratesOf(explained.Spending), Withheld: t.Withheld(id), Guard: t.guard(v),
	}
	if selector, own := t.texts.OwnBy(id); own {
		x.Own = matchText(t.policy.Own[selector:selector+1], c.Identity, t.policy)
	}

	for _, a := range trace.Answers {
		x.answer(t, c, v, a)
	}
	x.Change = t.change(c, v, trace)
	x.Ladders, x.Limits = t.ladders(v, trace, actions), t.limits(trace)
	x.Notes = t.notes(trace)
	x.Summary = t.summary(v, x)
	return x
}

// change is the next one, with what would undo it.
func (t *ruledTick) change(c *rules.Container, v *rules.Verdict, trace rules.Trace) *Change {
	next := t.texts.Next(v)
	if next == nil {
		return nil
	}

	change := &Change{Step: next.Step, At: t.at(next.GUS), Rule: t.policy.RuleName(next.Rule)}
	change.wait = time.Duration(max(0, next.GUS-t.facts.GUS)) * time.Microsecond
	if next.Rule < 0 || next.Rule >= len(t.policy.Rules) {
		return change
	}

	r := &t.policy.Rules[next.Rule]
	steps := r.Steps()
	if i := slices.IndexFunc(steps, func(rung policy2.Rung) bool { return rung.Step == next.Step }); i >= 0 {
		change.Index, change.Steps = i+1, len(steps)
	}
	change.Unless = t.unless(r, c, v, trace, next.Rule)
	return change
}

// guard is what softened the step, and who stands behind it.
func (t *ruledTick) guard(v *rules.Verdict) string {
	guard, by := v.Guard, v.By
	for _, p := range v.Passing {
		if guard == "" {
			guard = p.Guard
		}
	}
	if guard == "" {
		return ""
	}

	text := guard + ": " + planview.ReasonText(guard)
	if guard == rules.ReasonNeeded {
		text = guard + ": by " + t.nameOf(by)
	}
	return text
}

// nameOf is a container's name as it can be shown, else the beginning of its id.
func (t *ruledTick) nameOf(id string) string {
	if c := t.texts.Container(id); c != nil && c.Name != "" {
		return quoteUnprintable(c.Name)
	}
	if id == "" {
		return "another container"
	}
	return shortID(id)
}

// limits are those that are owed.
func (t *ruledTick) limits(trace rules.Trace) (out []Limit) {
	for _, m := range trace.Memory.Rules {
		if m.Throttle == nil {
			continue
		}
		i := slices.IndexFunc(t.policy.Rules, func(r policy2.Rule) bool { return r.Hash() == m.Hash })
		out = append(out, Limit{
			Rule: t.policy.RuleName(i), NanoCPUs: m.Throttle.NanoCPUs, OldNanoCPUs: m.Throttle.OldNanoCPUs, Since: t.at(m.Throttle.SetGUS),
			Latest: t.at(m.Throttle.SetGUS + int64(policy2.LongestThrottle)*1e6),
		})
	}
	return out
}

// notes is what is particular about a container.
func (t *ruledTick) notes(trace rules.Trace) (out []string) {
	if trace.Memory.Born == rules.BornSight {
		out = append(out, "its age counts from when it was first seen: the engine's clock and the boot clock did not agree then")
	}
	if t.facts.ClockInDoubt {
		out = append(out, "the clock is in doubt: age, ended and expired are not known")
	}
	return out
}
