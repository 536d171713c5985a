package whatif

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// tableTime is how a table writes a moment; the head says that it is UTC.
const tableTime = "2006-01-02 15:04:05"

// Table writes the report for people: what it is of, a line for each step that differs, and the sums.
func (report Report) Table(w io.Writer) error {
	out := &strings.Builder{}
	report.writeHead(out)
	if _, err := io.WriteString(w, out.String()); err != nil {
		return err
	}

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(report.Containers) > 0 {
		fmt.Fprintln(t, "CONTAINER\tSTEP\tRECORDED\tWITH THE POLICY\tDIFFERENCE")
	}
	for i := range report.Containers {
		report.Containers[i].writeRows(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}

	out.Reset()
	report.writeSums(out)
	_, err := io.WriteString(w, out.String())
	return err
}

// writeHead says what was replayed, what is missing, and how far the answer is to be trusted.
func (report *Report) writeHead(out *strings.Builder) {
	fmt.Fprintf(out, "policy %s from %s to %s UTC: %d ticks", report.PolicyHash, report.From.Format(tableTime), report.To.Format(tableTime), report.Ticks)
	if n := report.NotOnRecordSeconds; n > 0 {
		fmt.Fprintf(out, ", %s not on record", durationText(n))
	}
	out.WriteString("\n")

	for _, p := range report.Recorded {
		same := ""
		if p.PolicyHash == report.PolicyHash {
			same = ", which is the same"
		}
		fmt.Fprintf(out, "recorded under policy %s since %s%s\n", p.PolicyHash, p.From.Format(tableTime), same)
	}
	if report.Version1Ticks > 0 {
		fmt.Fprintf(out, "%d ticks under a policy of version 1 are left out: their facts are not those that rules read\n", report.Version1Ticks)
	}
	if report.BadLines > 0 {
		fmt.Fprintf(out, "%d lines of the journal are damaged (scripts/gestor replay says more)\n", report.BadLines)
	}

	fmt.Fprintf(out, "%s\n", strings.ReplaceAll(report.Head, ". ", ".\n"))
	for _, held := range slices.Sorted(maps.Keys(report.Held)) {
		fmt.Fprintf(out, "on %d ticks the plan was held: %s\n", report.Held[held], held)
	}
	if report.CappedTicks > 0 {
		fmt.Fprintf(out, "on %d ticks the budget let somebody wait\n", report.CappedTicks)
	}
	for _, d := range report.InDoubt {
		fmt.Fprintf(out, "rule %q could not be known to hold on %d ticks, for up to %d containers: no step was taken by it there\n", d.Rule, d.Ticks, d.Most)
	}
	if report.IdleAnew {
		out.WriteString("idle is measured otherwise than on record: it is counted from the first tick on\n")
	}
	out.WriteString("\n")
}

// writeRows writes the steps of a container that differ.
func (c *Container) writeRows(w io.Writer) {
	name := contract.Printable(c.Name)
	if name == "" {
		name = c.ID[:min(len(c.ID), shortID)]
	}
	for i := range c.Steps {
		p := &c.Steps[i]
		if !p.differs() {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, p.Step, p.Recorded.cell(), p.Policy.cell(), p.difference(c))
	}
}

// shortID is how many digits of an id tell a container.
const shortID = 12

func (s *Step) cell() string {
	switch {
	case s == nil:
		return "-"
	case s.Rule == "":
		return s.At.Format(tableTime)
	default:
		return s.At.Format(tableTime) + " " + contract.Printable(s.Rule)
	}
}

// difference is the last cell of a row.
func (p *Pair) difference(c *Container) string {
	var text string
	switch {
	case p.Policy == nil && c.KeptLonger && (p.Step == policy2.StepStop || p.Step == policy2.StepRemove):
		text = "kept longer"
	case p.Policy == nil:
		text = "only recorded"
	case p.Recorded == nil:
		text = "only the policy"
	case *p.DifferenceSeconds < 0:
		text = durationText(-*p.DifferenceSeconds) + " earlier"
	default:
		text = durationText(*p.DifferenceSeconds) + " later"
	}
	if p.Exact {
		text += " (exact)"
	}
	return text
}

func (report *Report) writeSums(out *strings.Builder) {
	if more := report.Different - len(report.Containers); more > 0 {
		fmt.Fprintf(out, "and %d containers more with a difference\n", more)
	}
	if report.Different > 0 {
		out.WriteString("\n")
	}

	for _, s := range report.Sums {
		fmt.Fprintf(out, "%s: by both %d, only recorded %d, only the policy %d\n", s.Step, s.Both, s.OnlyRecorded, s.OnlyPolicy)
	}
	fmt.Fprintf(out, "%d of %d containers with a step differ; %d kept longer; %.1f container-hours saved\n",
		report.Different, report.Compared, report.KeptLonger, float64(report.SavedSeconds)/time.Hour.Seconds())
}

// durationText writes seconds as a policy does, by its two greatest units: 2d 3h.
func durationText(seconds int64) string {
	var parts []string
	for _, u := range []struct {
		word string
		of   int64
	}{{"d", 86_400}, {"h", 3_600}, {"min", 60}, {"s", 1}} {
		if n := seconds / u.of; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.word))
		}
		seconds %= u.of
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
