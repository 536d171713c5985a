package explain

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gestor.local/contract"
)

// table writes the explanation for people.
func (x *Explanation) table(w io.Writer, h ContainerHistory) error {
	var b strings.Builder
	about := []string{shortID(h.ID)}
	if x.Project != "" {
		about = append(about, "project "+quoteUnprintable(x.Project))
	}
	about = append(about, orDash(h.Image))
	fmt.Fprintf(&b, "%s (%s)     tick %d, %s\n", orDash(h.Name), strings.Join(about, ", "), x.Tick, x.At.UTC().Format("2 Jan 15:04:05 UTC"))

	fmt.Fprintf(&b, "  %s\n", x.Summary)
	if x.HeldText != "" {
		fmt.Fprintf(&b, "  %s %s\n", label("held"), x.HeldText)
	}

	own := x.Own
	if own == "" {
		own = "no"
	}
	fmt.Fprintf(&b, "  %s %s\n", label("own"), own)
	x.writeRules(&b)
	for _, l := range x.Limits {
		fmt.Fprintf(&b, "  %s %s\n", label("limit"), l)
	}

	guard := x.Guard
	if guard == "" {
		guard = "none"
	}
	fmt.Fprintf(&b, "  %s %s      budget %s\n", label("guards"), guard, budgetText(x.Budget))
	for _, list := range []struct {
		what  string
		words []string
	}{{"unknown", x.Unknown}, {"notes", x.Notes}} {
		for _, word := range list.words {
			fmt.Fprintf(&b, "  %s %s\n", label(list.what), word)
		}
	}
	if len(x.Withheld) > 0 {
		fmt.Fprintf(&b, "  %s the values of labels %s: the journal keeps their keys alone\n", label("withheld"), contract.Printable(strings.Join(x.Withheld, ", ")))
	}

	_, err := io.WriteString(w, b.String())
	return err
}

// label is the first word of a line, as wide as the widest.
func label(word string) string { return fmt.Sprintf("%-10s", word) }

// writeRules writes what each rule says, and the steps of those that hold.
func (x *Explanation) writeRules(b *strings.Builder) {
	width := 0
	for _, r := range x.Rules {
		width = max(width, utf8.RuneCountInString(r.Rule))
	}
	width = min(width, maxNameCell)

	for _, r := range x.Rules {
		answer := r.Answer
		if answer == answerYes {
			answer = strings.ToUpper(answer)
		}
		fmt.Fprintf(b, "  %d %-*s  %-7s  %s\n", r.Index, width, contract.Printable(r.Rule), answer, r.Text)
		for _, l := range x.Ladders {
			if l.Rule == r.Rule && len(l.Steps) > 0 {
				fmt.Fprintf(b, "       %s\n", x.ladder(l))
			}
		}
	}
}

// ladder is the steps of a rule on one line.
func (x *Explanation) ladder(l Ladder) string {
	words := make([]string, len(l.Steps))
	for i, s := range l.Steps {
		text := s.Step + "  "
		switch s.State {
		case stepLater:
			text += "now"
			if s.After > 0 {
				text = s.Step + "  " + s.After.String() + " after"
			}
		default:
			text += s.State
		}

		if !s.At.IsZero() {
			text += " " + clock(s.At, x.At)
		}
		if s.Text != "" {
			text += " (" + s.Text + ")"
		}
		words[i] = text
	}
	return strings.Join(words, "      ")
}

// String is the limit for people.
func (l Limit) String() string {
	before := "none"
	if l.OldNanoCPUs > 0 {
		before = cpuText(l.OldNanoCPUs)
	}
	return fmt.Sprintf("%s of a core by rule %q since %s, given back at the latest %s (before: %s)", cpuText(l.NanoCPUs), contract.Printable(l.Rule),
		clock(l.Since, l.Since), clock(l.Latest, l.Since), before)
}
