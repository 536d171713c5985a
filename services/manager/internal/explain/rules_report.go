package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// RulesReport explains one tick under a policy of version 2: the plan document with the reasons in words, and what was done.
type RulesReport struct {
	V int `json:"v"` // of the plan document
	TickRef
	Sequence   uint64        `json:"sequence"`
	PolicyHash string        `json:"policy_hash"`
	Mode       contract.Mode `json:"mode"`
	// Held says why no stop and no removal of the plan is carried out, "" when they are; HeldText says that in words. Gates are the
	// closed ones.
	Held       string   `json:"held,omitempty"`
	HeldText   string   `json:"held_text,omitempty"`
	Gates      []string `json:"gates"`
	IntervalUS uint64   `json:"interval_us"`

	// Own, Living, Wanted, Rules and Groups are those of the plan.
	Own      int                `json:"own"`
	Living   int                `json:"living"`
	Wanted   int                `json:"wanted"`
	Rules    []rules.RuleCount  `json:"rules"`
	Groups   []rules.GroupCount `json:"groups,omitempty"`
	Budget   []Rate             `json:"budget"`
	Verdicts []RulesRow         `json:"verdicts"` // by rule

	// Notices, GiveBack and Changed are those of the plan; Actions is what was done because of it, oldest first.
	Notices  []rules.Notice   `json:"notices,omitempty"`
	GiveBack []rules.GiveBack `json:"give_back,omitempty"`
	Changed  []string         `json:"changed,omitempty"`
	Actions  []Action         `json:"actions"`

	tick *ruledTick
}

// RulesRow is one container of such a report.
type RulesRow struct {
	rules.Verdict
	State  string          `json:"state,omitempty"` // the engine's word, "" when it does not know the container
	Text   string          `json:"text"`
	Ruling contract.Ruling `json:"ruling"`
	// Unknown is what the rules asked for and could not be had, Withheld the labels of which the journal keeps the keys alone.
	Unknown  []string `json:"unknown,omitempty"`
	Withheld []string `json:"withheld,omitempty"`
	Actions  []Action `json:"actions,omitempty"`

	next *rules.Next
}

func newRulesReport(t *ruledTick, actions []Action) RulesReport {
	byContainer := make(map[string][]Action, len(actions))
	for _, a := range actions {
		byContainer[a.Container] = append(byContainer[a.Container], a)
	}

	r := RulesReport{
		V: t.plan.V, TickRef: t.ref(), Sequence: t.plan.Sequence, PolicyHash: t.plan.PolicyHash, Mode: t.plan.Mode,
		Held: t.plan.Held, HeldText: t.heldText(), Gates: append([]string{}, t.facts.InForce.Gates...), IntervalUS: t.facts.IntervalUS,
		Own: t.plan.Own, Living: t.plan.Living, Wanted: t.plan.Wanted, Rules: t.plan.Rules, Groups: t.plan.Groups,
		Verdicts: make([]RulesRow, len(t.plan.Verdicts)),
		Notices:  t.plan.Notices, GiveBack: t.plan.GiveBack, Changed: t.plan.Changed, Actions: actions, tick: t,
	}

	explained := rules.Explain(t.Program(), t.Before(), t.facts)
	r.Budget = ratesOf(explained.Spending)
	for i := range t.plan.Verdicts {
		v := &t.plan.Verdicts[i]
		trace, _ := explained.Of(v.ID)
		row := RulesRow{
			Verdict: *v, Text: t.texts.OfRuling(v), Ruling: t.texts.Ruling(v), Withheld: t.Withheld(v.ID), Actions: byContainer[v.ID],
			next: t.texts.Next(v),
		}
		if c := t.texts.Container(v.ID); c != nil {
			row.State, row.Unknown = c.State, t.unknownOf(c, v, trace)
		}
		r.Verdicts[i] = row
	}
	return r
}

// Table writes the report for people: a head, the rules and the groups that compete, then one line a container by rule, and what was
// done.
func (r RulesReport) Table(w io.Writer) error {
	if _, err := io.WriteString(w, r.header()); err != nil {
		return err
	}

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tSPEAKS OF\tHOLDS\tPOSSIBLE\tCAPPED")
	for i, c := range r.Rules {
		fmt.Fprintf(t, "%d %s\t%d\t%d\t%d\t%d\n", i+1, contract.Printable(c.Name), c.SpeaksOf, c.Holds, c.Possible, c.Capped)
	}
	if len(r.Groups) > 0 {
		fmt.Fprintln(t, "\nRULE\tGROUP\tPLACES\tHELD\tWITHOUT\tYOUNG")
	}
	for _, g := range r.Groups {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\n", r.rule(g.Rule), shortenName(orDash(g.Group)), g.Places, g.Held, g.Over, g.Young)
	}
	if err := t.Flush(); err != nil {
		return err
	}

	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nRULE\tSTEP\tRANK\tNAME\tID\tSTATE\tWHY\tNEXT\tDONE")
	for _, row := range r.Verdicts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", orDash(row.Ruling.Rule), r.stepCell(row), row.rankCell(),
			shortenName(orDash(row.Name)), shortID(row.ID), orDash(row.State), row.whyCell(), r.nextCell(row), orDash(actionsCell(row.Actions)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.footer())
	return err
}

func (r RulesReport) header() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tick %d, snapshot %d, %s\n", r.Tick, r.Sequence, r.At.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "mode %s, version 2, policy %s\n", r.Mode, r.PolicyHash)
	fmt.Fprintf(&b, "%d containers, %d of them own, %d of these living; figures over %s; budget %s\n", len(r.Verdicts), r.Own, r.Living,
		micros(r.IntervalUS), budgetText(r.Budget))

	if r.Wanted > 0 {
		fmt.Fprintf(&b, "%d to be stopped or removed before the budget\n", r.Wanted)
	}
	switch plan := r.tick.plan; {
	case r.Held == "":
	case plan.Observes():
		fmt.Fprintf(&b, "nothing was done: %s\n", r.HeldText)
	case !plan.CarriesOut(policy2.StepWarn):
		fmt.Fprintf(&b, "nothing was begun: %s\n", r.HeldText)
	default:
		fmt.Fprintf(&b, "nothing was stopped or removed: %s\n", r.HeldText)
	}
	b.WriteByte('\n')
	return b.String()
}

// footer lists what is told, which limits are given back, and what was done to those that are not in the plan any more.
func (r RulesReport) footer() string {
	var b strings.Builder
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "\nnotice     %s", r.notice(n))
	}
	for _, back := range r.GiveBack {
		fmt.Fprintf(&b, "\ngive back  %s: %s", r.tick.nameOf(back.ID), giveBackText(back.Why))
	}
	for _, id := range r.Changed {
		fmt.Fprintf(&b, "\nlimit      %s: somebody else has changed it, it is theirs now", r.tick.nameOf(id))
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// notice is one notice for people.
func (r RulesReport) notice(n rules.Notice) string {
	if n.Kind == rules.NoticeSurprise {
		text := fmt.Sprintf("surprise: %d of %d own ones would be stopped or removed", len(n.Containers), r.Living)
		if n.Next != nil {
			text += "; held until " + clock(r.tick.at(n.Next.GUS), r.At)
		}
		return text
	}

	names := make([]string, len(n.Containers))
	for i, id := range n.Containers {
		names[i] = r.tick.nameOf(id)
	}
	text := fmt.Sprintf("rule %q: %s", r.rule(n.Rule), strings.Join(names, ", "))
	if n.Guard != "" {
		text += ", guard " + n.Guard
	}
	text += ", asked for " + clock(r.tick.at(n.SinceGUS), r.At)
	if n.Next != nil {
		text += fmt.Sprintf("; next %s %s", n.Next.Step, when(r.tick.at(n.Next.GUS), r.At))
	}
	return text
}

// giveBackText is why a limit is given back.
func giveBackText(why string) string {
	texts := map[string]string{
		rules.BackCalm:     "the reason of its throttle has been gone for long enough",
		rules.BackLongest:  "a throttle lasts 6h at the latest",
		rules.BackNotOwn:   "it is not own any more, or protected",
		rules.BackStopped:  "it does not run any more",
		rules.BackNoRule:   "the rule that throttled it is not there any more",
		rules.BackObserves: "nothing is done under this policy now",
	}
	if text, ok := texts[why]; ok {
		return text
	}
	return why
}

func (r RulesReport) rule(i int) string {
	if i < 0 || i >= len(r.Rules) {
		return "-"
	}
	return contract.Printable(r.Rules[i].Name)
}

// stepCell is the step that is due, in capitals where it acts, and which of the rule's it is.
func (r RulesReport) stepCell(row RulesRow) string {
	due := dueNow(&row.Verdict)
	if len(due) == 0 {
		return string(policy2.StepKeep)
	}

	words := make([]string, len(due))
	for i, s := range due {
		words[i] = strings.ToUpper(string(s.Step))
		if s.Steps > 1 {
			words[i] += fmt.Sprintf(" %d/%d", s.StepIndex, s.Steps)
		}
		if !r.tick.plan.CarriesOut(s.Step) {
			words[i] = "WOULD " + words[i]
		}
	}
	return strings.Join(words, ", ")
}

func (row RulesRow) rankCell() string {
	if row.Rank == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", row.Rank, row.Cut)
}

// whyCell is the reason in words, and what was not known.
func (row RulesRow) whyCell() string {
	text := row.Text
	if !strings.HasPrefix(text, row.Reason) {
		text = row.Reason + ": " + text
	}
	if len(row.Unknown) > 0 {
		text += "; unknown: " + strings.Join(row.Unknown, ", ")
	}
	return text
}

func (r RulesReport) nextCell(row RulesRow) string {
	next := row.next
	if next == nil {
		return "-"
	}
	text := fmt.Sprintf("%s %s", next.Step, when(r.tick.at(next.GUS), r.At))
	if name := r.rule(next.Rule); name != row.Ruling.Rule {
		text += ", rule " + name
	}
	return text
}

// unknownOf is what the rules asked for of a container and could not be had.
func (t *ruledTick) unknownOf(c *rules.Container, v *rules.Verdict, trace rules.Trace) []string {
	var x Explanation
	for _, a := range trace.Answers {
		x.answer(t, c, v, a)
	}
	return x.Unknown
}
