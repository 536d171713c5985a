// Package console prints one table a tick for whoever watches the manager on a terminal: the memory, the high and the
// low containers, what was removed and why, and what keeps the manager from acting.
package console

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/reason"
)

// Console is a govern.Sink that prints. It belongs to the loop.
type Console struct {
	w io.Writer
}

// New makes a console that prints on w.
func New(w io.Writer) *Console { return &Console{w: w} }

// OnTick prints the table of one tick in one write, so that log lines never stand inside it.
func (c *Console) OnTick(r *govern.Report) {
	var b bytes.Buffer
	c.writeHeader(&b, r)
	// What is high stands first.
	owned := r.Owned()
	for _, count := range slices.Backward(r.Classes) {
		if count.Class != contract.ClassUnknown {
			writeClass(&b, r, count, owned)
		}
	}
	if r.Plan != nil {
		c.writeRemovals(&b, r)
	}
	if r.Rules != nil {
		writeRules(&b, r)
	}

	for _, cond := range r.Conditions {
		fmt.Fprintf(&b, "  ! %s (%d ticks): %s\n", cond.Title, cond.Ticks, contract.Printable(cond.Text))
	}

	_, _ = c.w.Write(b.Bytes())
}

func (c *Console) writeHeader(b *bytes.Buffer, r *govern.Report) {
	fmt.Fprintf(b, "\n── tick %d · %s · %s", r.Tick, r.At.Format(time.TimeOnly), r.Mode)
	if r.Source != "" {
		fmt.Fprintf(b, " · read through %s in %s", r.Source, formatUS(r.Timings.ReadUS+r.Timings.ParseUS))
	}
	if r.LogsElsewhere != "" {
		fmt.Fprintf(b, " · log service elsewhere, at %s", contract.Printable(r.LogsElsewhere))
	}

	if p := r.Population; p != nil {
		m := p.Memory
		fmt.Fprintf(b, "\n  memory  total %s  used %s  free %s  available %s · %d containers on %d CPUs",
			formatKB(m.TotalKB), formatKB(m.UsedKB), formatKB(m.FreeKB), formatKB(m.AvailableKB), len(p.Members), p.CPUs)
	}
	b.WriteByte('\n')
}

// writeClass prints the owned containers of one class in the order of their rank.
func writeClass(b *bytes.Buffer, r *govern.Report, count contract.ClassCount, owned []contract.Verdict) {
	verdicts, alive := ofClass(r, count.Class, owned)

	fmt.Fprintf(b, "  %s  %d owned, %d judged, %d places", strings.ToUpper(string(count.Class)), count.Owned, count.Eligible, count.Quota)
	if count.ManagedElsewhere > 0 {
		fmt.Fprintf(b, ", %d managed elsewhere", count.ManagedElsewhere)
	}
	if count.Deficit > 0 {
		fmt.Fprintf(b, ", %d empty", count.Deficit)
	}
	if alive > 0 {
		fmt.Fprintf(b, "; %d more run on, removed in shadow only", alive)
	}
	b.WriteByte('\n')

	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		fmt.Fprintf(t, "    %s\t%s\t%s\t%s\t%s\n", rankCell(v), textCell(v.Name), textCell(v.Image), measureCells(v.Measures), verdictCell(v, r.Held))
	}
	_ = t.Flush() // into memory: cannot fail
}

// ofClass are the verdicts of the owned containers of one class: of the plan, then of those that it was made without.
// alive counts the latter that are alive.
func ofClass(r *govern.Report, class contract.Class, owned []contract.Verdict) (verdicts []contract.Verdict, alive int) {
	for _, v := range owned {
		if v.Class == class {
			verdicts = append(verdicts, v)
		}
	}

	// Mode shadow has removed them: they are shown, because they are still there.
	for _, s := range r.Shadow {
		if s.Class != class {
			continue
		}

		verdicts = append(verdicts, s.Verdict())
		if contract.StateAlive(s.Entry.State) {
			alive++
		}
	}
	return verdicts, alive
}

// writeRemovals lists the removals of the plan with their reasons.
func (c *Console) writeRemovals(b *bytes.Buffer, r *govern.Report) {
	word := "REMOVE"
	if r.Held != "" {
		word = "WOULD REMOVE"
	}

	texts := reason.NewTexts(*r.Plan, reason.Inputs{Policy: &r.Policy, Inventory: r.Inventory})
	for _, v := range r.Plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			fmt.Fprintf(b, "  %s %s (%.12s): %s\n", word, contract.Printable(v.Name), v.ID, contract.Printable(texts.Of(v)))
		}
	}
}

// writeRules prints what a policy of version 2 does, or would do, rule by rule and then container by container.
func writeRules(b *bytes.Buffer, r *govern.Report) {
	p := &r.Rules.Plan
	fmt.Fprintf(b, "  RULES  %d own, %d of them living", p.Own, p.Living)
	if r.Held != "" {
		fmt.Fprintf(b, "; held back (%s)", r.Held)
	}
	b.WriteByte('\n')

	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i, rule := range p.Rules {
		fmt.Fprintf(t, "    %d.\t%s\tspeaks of %d\tholds for %d", i+1, textCell(rule.Name), rule.SpeaksOf, rule.Holds)
		if rule.Possible > 0 {
			fmt.Fprintf(t, "\tnot known of %d", rule.Possible)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory: cannot fail

	var steps bytes.Buffer
	_ = r.Rules.Steps(&steps)
	for line := range strings.Lines(steps.String()) {
		b.WriteString("  " + line)
	}
}

// OnAction prints the end of one action.
func (c *Console) OnAction(a govern.ActionResult) {
	line := fmt.Sprintf("  %s %s (%.12s): %s in %s", a.Verb, contract.Printable(a.Order.Victim.Name), a.Order.Victim.ID, a.Outcome, a.Took.Round(time.Millisecond))
	if text := a.ErrorText(); text != "" {
		line += " (" + contract.Printable(text) + ")"
	}
	_, _ = io.WriteString(c.w, line+"\n")
}

// OnPolicy prints nothing: the log has the event.
func (c *Console) OnPolicy(contract.Policy) {}

func rankCell(v contract.Verdict) string {
	if v.Rank == 0 {
		return "·"
	}
	return fmt.Sprintf("%d.", v.Rank)
}

func verdictCell(v contract.Verdict, held string) string {
	switch {
	case v.Verdict != contract.VerdictRemove:
		return v.Reason
	case held != "":
		return "would remove (" + held + "): " + v.Reason
	default:
		return "remove: " + v.Reason
	}
}

func measureCells(m *contract.Measures) string {
	if m == nil {
		return "-\t-\t-\t-"
	}
	return fmt.Sprintf("cpu %.1f %%\tram %s\tvsz %s\trss %s", float64(m.CPUMillicores)/10, formatKB(m.RAMKB), formatKB(m.VSZKB), formatKB(m.RSSKB))
}

// formatKB prints KiB as people read it.
func formatKB(kb uint64) string {
	const step = 1024
	switch {
	case kb >= step*step:
		return fmt.Sprintf("%.1f GiB", float64(kb)/(step*step))
	case kb >= step:
		return fmt.Sprintf("%.1f MiB", float64(kb)/step)
	default:
		return fmt.Sprintf("%d KiB", kb)
	}
}

func formatUS(us uint64) string {
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
} //nolint:gosec // a duration

// maxCell is the widest name of a table: a column is as wide as its widest cell, in every row.
const maxCell = 80

// textCell is a text that somebody else chose as a table shows it.
func textCell(s string) string { return contract.Shorten(contract.Printable(s), maxCell) }
