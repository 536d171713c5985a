package planview

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// View is one plan and what it was made of.
type View struct {
	// Path is the policy's file, Host the engine's name of the machine, Source where the figures are from.
	Path, Host, Source string
	Policy             policy2.Policy
	Facts              *rules.Facts
	Plan               rules.Plan
}

// Due is for how many containers any step is due now.
func (v View) Due() (n int) {
	for i := range v.Plan.Verdicts {
		if len(stepsNow(&v.Plan.Verdicts[i])) > 0 {
			n++
		}
	}
	return n
}

// texts are those of the plan.
func (v View) texts() *Texts { return NewPlanTexts(v.Policy, v.Facts, &v.Plan) }

// step is one step of one rule.
type step struct {
	step policy2.Step
	rule int
	// untilGUS is that of the verdict, or of the rule that passes.
	untilGUS int64
}

// severity orders steps from gentle to harsh.
func severity(s policy2.Step) int { return slices.Index(policy2.Steps(), s) }

// stepsNow are the steps that are due: that of the rule that decides, and those of rules that only warn or throttle.
func stepsNow(v *rules.Verdict) []step {
	var out []step
	for _, p := range v.Passing {
		if p.Step != policy2.StepKeep {
			out = append(out, step{p.Step, p.Rule, p.UntilGUS})
		}
	}
	if v.Step != policy2.StepKeep {
		out = append(out, step{v.Step, v.Rule, v.UntilGUS})
	}
	return out
}

// Table writes the plan for people: what it is of, what would be done now, what comes next, and how many are left alone and why.
func (v View) Table(w io.Writer) error {
	texts := v.texts()
	out := &lines{w: w}
	v.writeHead(out)
	if err := v.writeSteps(out, texts); err != nil {
		return err
	}

	v.writeLeftAlone(out, texts)
	return out.err
}

// Steps writes the middle of the table alone: what would be done now, and what comes next. It writes nothing where nothing is to
// come.
func (v View) Steps(w io.Writer) error { return v.writeSteps(w, v.texts()) }

func (v View) writeSteps(w io.Writer, texts *Texts) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	now, next := v.sorted()
	if len(now) > 0 {
		fmt.Fprintln(table, "NOW\tCONTAINER\tRULE\tWHY")
	}
	for _, verdict := range now {
		for _, c := range v.due(verdict, texts) {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", strings.ToUpper(string(c.Step)), c.Container, c.rule(), c.Why)
		}
	}
	if len(next) > 0 {
		fmt.Fprintln(table, "NEXT\tCONTAINER\tRULE\tWHEN")
	}
	for _, verdict := range next {
		c := v.coming(verdict, following(verdict))
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Step, c.Container, c.rule(), c.When(v.at()))
	}
	return table.Flush()
}

// why is the reason of a step that is due: a rule that passes has one of its own.
func (t *Texts) why(verdict *rules.Verdict, s step) string {
	for _, p := range verdict.Passing {
		if p.Rule == s.rule && s.rule != verdict.Rule {
			return cmp.Or(p.Guard, ReasonText(p.Reason))
		}
	}
	return t.Of(verdict)
}

func (v View) writeHead(out *lines) {
	p := v.Plan
	out.printf("plan of %s, policy %s, on %s, %s\n", cmp.Or(v.Path, "the default policy"), p.PolicyHash, cmp.Or(v.Host, "this host"),
		time.UnixMicro(v.Facts.WallUS).UTC().Format("2006-01-02 15:04:05 UTC"))
	out.printf("%s, %d of them own, %d of these living; figures of %s over %s\n", plural(len(p.Verdicts), "container"), p.Own, p.Living,
		cmp.Or(v.Source, "no source"), (time.Duration(v.Facts.IntervalUS) * time.Microsecond).Round(100*time.Millisecond)) //nolint:gosec // of two readings
	if p.Held != "" {
		out.printf("held: %s\n", HeldText(p.Held))
	}
	out.printf("\n")
}

// HeldText is why nothing of a plan would be carried out.
func HeldText(held string) string {
	switch held {
	case rules.HeldUnapproved:
		return "unapproved: no person has seen this plan and said yes, so it is only shown"
	case rules.HeldChanged:
		return "changed: the first plan under another policy is only shown"
	case rules.HeldOtherSuite:
		return "other_suite: another suite's manager runs on this engine"
	case contract.HeldObserve:
		return "observe: the policy's mode, so it is only shown"
	case contract.HeldSurprise:
		return "surprise: it ends more of the own containers at once than the policy expects"
	default:
		return held
	}
}

// sorted are the verdicts with a step that is due, the harshest first, and those with one that comes, the earliest first.
func (v View) sorted() (now, next []*rules.Verdict) {
	for i := range v.Plan.Verdicts {
		verdict := &v.Plan.Verdicts[i]
		switch {
		case len(stepsNow(verdict)) > 0:
			now = append(now, verdict)
		case following(verdict) != nil:
			next = append(next, verdict)
		}
	}

	harshness := func(verdict *rules.Verdict) int {
		s, _ := harshest(verdict)
		return severity(s.step)
	}
	slices.SortStableFunc(now, func(a, b *rules.Verdict) int { return cmp.Compare(harshness(b), harshness(a)) })
	slices.SortStableFunc(next, func(a, b *rules.Verdict) int { return cmp.Compare(following(a).GUS, following(b).GUS) })
	return now, next
}

// writeLeftAlone sums up those for whom nothing is due: the own ones by name, the others by number.
func (v View) writeLeftAlone(out *lines, texts *Texts) {
	type kept struct {
		why   string
		names []string
	}
	var own []kept
	others := map[string]int{}

	for i := range v.Plan.Verdicts {
		verdict := &v.Plan.Verdicts[i]
		if len(stepsNow(verdict)) > 0 {
			continue
		}
		why := texts.Of(verdict)
		if _, ok := texts.own[verdict.ID]; !ok {
			others[why]++
			continue
		}
		if verdict.Rule >= 0 {
			why = fmt.Sprintf("rule %q: %s", contract.Printable(v.Policy.Rules[verdict.Rule].Name), why)
		}
		at := slices.IndexFunc(own, func(k kept) bool { return k.why == why })
		if at < 0 {
			own = append(own, kept{why: why})
			at = len(own) - 1
		}
		own[at].names = append(own[at].names, nameOf(verdict.Name, verdict.ID))
	}

	if len(own) > 0 {
		out.printf("\nown, and nothing to do now:\n")
	}
	for _, k := range own {
		out.printf("  %s: %s\n", someOf(k.names), k.why)
	}
	if len(others) > 0 {
		out.printf("\nnot own, never touched:\n")
	}
	for _, why := range sortedByCount(others) {
		out.printf("  %s: %s\n", plural(others[why], "container"), why)
	}
}

// mostNames is how many names one line lists.
const mostNames = 8

func someOf(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), len(names)-mostNames)
}

func sortedByCount(counts map[string]int) []string {
	words := make([]string, 0, len(counts))
	for why := range counts {
		words = append(words, why)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	return words
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// lines keeps the first error of writing.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) printf(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format, args...)
	}
}

func (l *lines) Write(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}
