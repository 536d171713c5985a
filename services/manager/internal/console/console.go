// Package console prints one table a tick for whoever watches the manager on a terminal: the memory, the high and the low
// containers, what was removed and why, and what keeps the manager from acting.
package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/policy"
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
	c.head(&b, r)
	if r.Plan != nil {
		c.class(&b, r, contract.ClassHigh)
		c.class(&b, r, contract.ClassLow)
		c.removals(&b, r)
	}
	for _, cond := range r.Conditions {
		fmt.Fprintf(&b, "  ! %s (%d ticks): %s\n", cond.Title, cond.Ticks, contract.Printable(cond.Text))
	}
	_, _ = c.w.Write(b.Bytes())
}

func (c *Console) head(b *bytes.Buffer, r *govern.Report) {
	fmt.Fprintf(b, "\n── tick %d · %s · %s", r.Tick, r.At.Format(time.TimeOnly), r.Mode)
	if r.Source != "" {
		fmt.Fprintf(b, " · read through %s in %s", r.Source, ms(r.Timings.ReadUS+r.Timings.ParseUS))
	}
	if r.LogsElsewhere != "" {
		fmt.Fprintf(b, " · log service elsewhere, at %s", contract.Printable(r.LogsElsewhere))
	}
	if p := r.Population; p != nil {
		m := p.Memory
		fmt.Fprintf(b, "\n  memory  total %s  used %s  free %s  available %s · %d containers on %d CPUs",
			size(m.TotalKB), size(m.UsedKB), size(m.FreeKB), size(m.AvailableKB), len(p.Members), p.CPUs)
	}
	b.WriteByte('\n')
}

// class prints the owned containers of one class in the order of their rank.
func (c *Console) class(b *bytes.Buffer, r *govern.Report, class contract.Class) {
	count := countOf(r.Plan, class)
	verdicts, runOn := ownedOf(r, class)
	fmt.Fprintf(b, "  %s  %d owned, %d judged, %d places", strings.ToUpper(string(class)), count.Owned, count.Eligible, count.Quota)
	if count.ManagedElsewhere > 0 {
		fmt.Fprintf(b, ", %d managed elsewhere", count.ManagedElsewhere)
	}
	if count.Deficit > 0 {
		fmt.Fprintf(b, ", %d empty", count.Deficit)
	}
	if runOn > 0 {
		fmt.Fprintf(b, "; %d more run on, removed in shadow only", runOn)
	}
	b.WriteByte('\n')

	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		fmt.Fprintf(t, "    %s\t%s\t%s\t%s\t%s\n", rank(v), cell(v.Name), cell(v.Image), figures(v.Measures), verdict(v, r.Held))
	}
	_ = t.Flush() // into memory: cannot fail
}

// ownedOf are the owned containers of one class: those of the plan, then those that it was made without. runOn counts the
// living of the latter.
func ownedOf(r *govern.Report, class contract.Class) (verdicts []contract.Verdict, runOn int) {
	for _, v := range r.Plan.Verdicts {
		if v.Owned && v.Class == class {
			verdicts = append(verdicts, v)
		}
	}
	for _, s := range r.Shadow {
		if s.Class != class {
			continue
		}
		verdicts = append(verdicts, s.Verdict())
		if contract.StateAlive(s.Entry.State) {
			runOn++
		}
	}
	return verdicts, runOn
}

// removals lists the removals of the plan with their reasons.
func (c *Console) removals(b *bytes.Buffer, r *govern.Report) {
	word := "REMOVE"
	if r.Held != "" {
		word = "WOULD REMOVE"
	}
	texts := policy.NewTexts(*r.Plan, policy.Inputs{Policy: &r.Policy, Inventory: r.Inventory})
	for _, v := range r.Plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			fmt.Fprintf(b, "  %s %s (%.12s): %s\n", word, contract.Printable(v.Name), v.ID, contract.Printable(texts.Of(v)))
		}
	}
}

// OnAction prints the end of one action.
func (c *Console) OnAction(a govern.ActionResult) {
	line := fmt.Sprintf("  %s %s (%.12s): %s in %s", a.Verb, contract.Printable(a.Order.Victim.Name), a.Order.Victim.ID, a.Outcome, a.Took.Round(time.Millisecond))
	if trouble := a.ErrorText(); trouble != "" {
		line += " (" + contract.Printable(trouble) + ")"
	}
	_, _ = io.WriteString(c.w, line+"\n")
}

// OnPolicy prints nothing: the log has the event.
func (c *Console) OnPolicy(contract.Policy) {}

func countOf(p *contract.Plan, class contract.Class) contract.ClassCount {
	for _, c := range p.Counts {
		if c.Class == class {
			return c
		}
	}
	return contract.ClassCount{Class: class}
}

func rank(v contract.Verdict) string {
	if v.Rank == 0 {
		return "·"
	}
	return fmt.Sprintf("%d.", v.Rank)
}

func verdict(v contract.Verdict, held string) string {
	switch {
	case v.Verdict != contract.VerdictRemove:
		return v.Reason
	case held != "":
		return "would remove (" + held + "): " + v.Reason
	default:
		return "remove: " + v.Reason
	}
}

func figures(m *contract.Measures) string {
	if m == nil {
		return "-\t-\t-\t-"
	}
	return fmt.Sprintf("cpu %.1f %%\tram %s\tvsz %s\trss %s", float64(m.CPUMillicores)/10, size(m.RAMKB), size(m.VSZKB), size(m.RSSKB))
}
