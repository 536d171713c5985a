package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"gestor.local/contract"
)

// JSON writes a report or a history for machines, indented, one document.
func JSON(w io.Writer, document any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false) // addresses are copied from it
	return out.Encode(document)
}

// Table writes the report for people: a head, then one line a container, those who leave marked.
func (report TickReport) Table(w io.Writer) error {
	if _, err := io.WriteString(w, report.header()); err != nil {
		return err
	}

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VERDICT\tCLASS\tRANK\tNAME\tID\tSTATE\tAGE\tCPU\tRAM\tVSZ\tRSS\tWHY\tDONE")
	for _, r := range report.Containers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.verdictCell(), r.Class, r.rankCell(), shortenName(quoteUnprintable(r.Name)), shortID(r.ID),
			orDash(r.State), ageCell(r.AgeUS), measureCells(r.Measures), r.reasonCell(), actionsCell(r.Actions))
	}

	return t.Flush()
}

func (report TickReport) header() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tick %d, snapshot %d", report.Tick, report.Sequence)
	if !report.At.IsZero() {
		fmt.Fprintf(&b, ", %s", report.At.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "\nmode %s, classify %s, policy %s\n", report.Mode, report.Classify, report.PolicyHash)
	fmt.Fprintf(&b, "data from %s over %s, %s old when it was decided on\n", orDash(report.Source), micros(report.IntervalUS), micros(report.DataAgeUS))

	switch {
	case len(report.Gates) > 0:
		fmt.Fprintf(&b, "nothing was done: %s\n", strings.Join(report.Gates, ", "))
	case report.Surprise:
		b.WriteString("nothing was done: a surprise (much more than usual, or the first plan of another policy) is only shown once\n")
	case report.Held != "":
		fmt.Fprintf(&b, "nothing was done: mode %s only shows what it would remove\n", report.Held)
	}

	alive := report.stillAlive()
	for _, c := range report.Counts {
		if c.Owned > 0 || c.Quota > 0 {
			report.writeCount(&b, c, alive[c.Class])
		}
	}

	b.WriteByte('\n')
	return b.String()
}

// writeCount is the line of one class; alive are those that run on though mode shadow has removed them.
func (report TickReport) writeCount(b *strings.Builder, c contract.ClassCount, alive int) {
	removed := "removed"
	if report.Held != "" {
		removed = "would be removed"
	}
	fmt.Fprintf(b, "%s: %d owned, %d compete for %d places, %d missing, %d %s, %d spared by a cap",
		c.Class, c.Owned, c.Eligible, c.Quota, c.Deficit, c.Removals, removed, c.OverCapped)

	if c.ManagedElsewhere > 0 {
		fmt.Fprintf(b, ", %d managed elsewhere", c.ManagedElsewhere)
	}
	if alive > 0 {
		fmt.Fprintf(b, "; %d more run on, removed in shadow only", alive)
	}
	b.WriteByte('\n')
}

// stillAlive counts those that are alive though mode shadow has removed them.
func (report TickReport) stillAlive() map[contract.Class]int {
	out := map[contract.Class]int{}
	for _, r := range report.Containers {
		if r.Reason == contract.ReasonShadowRemoved && contract.StateAlive(r.State) {
			out[r.Class]++
		}
	}
	return out
}

func (r Row) verdictCell() string {
	switch {
	case r.Verdict.Verdict != contract.VerdictRemove:
		return r.Verdict.Verdict
	case r.Held != "":
		return "WOULD REMOVE"
	default:
		return "REMOVE"
	}
}

// reasonCell is the reason in words, and what became of a removal that is only shown.
func (r Row) reasonCell() string {
	text := r.Reason + ": " + quoteUnprintable(r.Text)
	switch {
	case r.Held == "":
		return text
	case contract.StateAlive(r.State):
		return text + "; not carried out (" + r.Held + "): it runs on"
	default:
		return text + "; not carried out (" + r.Held + "): it stays"
	}
}

// rankCell is the rank and the cut: 4/3 is the fourth where three stay.
func (r Row) rankCell() string {
	if r.Rank == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", r.Rank, r.Cut)
}

func actionsCell(actions []Action) string {
	words := make([]string, len(actions))
	for i, a := range actions {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// measureCells are the four measures as table cells; a figure that was not had is a dash, never a zero.
func measureCells(m *contract.Measures) string {
	if m == nil {
		return "-\t-\t-\t-"
	}
	return fmt.Sprintf("%dm\t%d KB\t%d KB\t%d KB", m.CPUMillicores, m.RAMKB, m.VSZKB, m.RSSKB)
}

func ageCell(us uint64) string {
	if us == 0 {
		return "-"
	}
	return (time.Duration(min(us, 1<<53)) * time.Microsecond).Round(time.Second).String()
}

func micros(us uint64) string {
	return (time.Duration(min(us, 1<<53)) * time.Microsecond).Round(time.Millisecond).String()
}

// shortID is the 12 digits that docker ps shows.
func shortID(id string) string { return id[:min(12, len(id))] }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return quoteUnprintable(s)
}

// maxNameCell is the widest name of a table: a column is as wide as its widest cell, in every row.
const maxNameCell = 80

// shortenName is a name that fits into a table; the history of the container has all of it.
func shortenName(name string) string { return contract.Shorten(name, maxNameCell) }

// quoteUnprintable keeps control bytes of a hostile name off the terminal and out of the table. contract.Printable would
// too, but replaces them: here the name stays exact, written as Go writes it, so that whoever explains a container can
// search for that very name.
func quoteUnprintable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
