package explain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// RulingSpan is a run of ticks on which the rules of version 2 said the same of a container.
type RulingSpan struct {
	FromTick uint64    `json:"from_tick"`
	ToTick   uint64    `json:"to_tick"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Ticks    int       `json:"ticks"`

	// Standing is why it could not be judged, "" where it was. Rule is the one that decided, "" for none.
	Standing  string        `json:"standing,omitempty"`
	Rule      string        `json:"rule,omitempty"`
	Step      policy2.Step  `json:"step"`
	Reason    string        `json:"reason"`
	StepIndex int           `json:"step_index,omitempty"`
	Guard     string        `json:"guard,omitempty"`
	Passing   []PassingStep `json:"passing,omitempty"`
	// Held says why no stop and no removal was carried out, "" when they were, or where no step was due.
	Held string `json:"held,omitempty"`
}

// PassingStep is a step of a rule that only warns or throttles.
type PassingStep struct {
	Rule   string       `json:"rule"`
	Step   policy2.Step `json:"step"`
	Reason string       `json:"reason"`
}

// same says that the rules say the same in both.
func (s *RulingSpan) same(o *RulingSpan) bool {
	if len(s.Passing) != len(o.Passing) {
		return false
	}
	for i := range s.Passing {
		if s.Passing[i] != o.Passing[i] {
			return false
		}
	}
	return s.Standing == o.Standing && s.Rule == o.Rule && s.Step == o.Step && s.Reason == o.Reason && s.StepIndex == o.StepIndex &&
		s.Guard == o.Guard && s.Held == o.Held
}

// ruledHistory is what is known of a container from lines of version 2 while they are read.
type ruledHistory struct {
	last, tick uint64      // the line and the tick of the last verdict on it, 0 where its newest tick is of version 1
	pending    *RulingSpan // of the last tick, on which a second look may follow
	apart      bool        // ticks of version 1 lie between the last of Rulings and the next
	autoRemove bool        // --rm
}

// commit takes over what the last look at a tick said.
func (h *ContainerHistory) commit() {
	p := h.ruled.pending
	h.ruled.pending = nil
	if p == nil {
		return
	}

	apart := h.ruled.apart
	h.ruled.apart = false
	if n := len(h.Rulings); n > 0 && !apart && h.Rulings[n-1].same(p) {
		last := &h.Rulings[n-1]
		last.ToTick, last.To = p.ToTick, p.To
		last.Ticks++
		return
	}
	h.Rulings = append(h.Rulings, *p)
}

// addFacts looks for the container among those that a line names: a head and births name theirs, and so does a change of name.
func (b *historyBuilder) addFacts(e journal.Entry, facts *journal.History) {
	if !facts.Whole() || !bytes.Contains(e.Text, []byte(`"name":`)) && !bytes.Contains(e.Text, []byte(`"births":`)) {
		return
	}

	all := facts.Facts().Containers
	for i := range all {
		c := &all[i]
		if b.match(c.ID, c.Name) < max(b.bestMatch, matchPartOfName) {
			continue
		}
		h := b.history(c.ID, c.Name)
		if h == nil {
			continue
		}

		h.Name, h.Image, h.Class = c.Name, c.Image, contract.ClassUnknown
		if class, known := facts.Program().Policy().ClassOf(c.Identity); known == policy2.True {
			h.Class = class
		}
		h.ruled.autoRemove = c.AutoRemove.Value
	}
}

// addVerdict notes what a tick says of those that are looked for.
func (b *historyBuilder) addVerdict(e journal.Entry, facts *journal.History) error {
	v, err := journal.VerdictOf(e)
	if err != nil || b.said == nil {
		return err
	}
	b.said.Add(&v)
	if !facts.Whole() || facts.Tick() != v.Tick || facts.Program() == nil {
		return nil
	}

	at := wallTime(facts.WallUS())
	for _, h := range b.histories {
		row, ok := b.said[facts.Number(h.ID)]
		if !ok {
			continue
		}

		h.lastSeen, h.ruled.last, h.ruled.tick = TickRef{v.Tick, at}, e.Seq, v.Tick
		if len(b.histories) > 1 { // of several none is explained
			continue
		}
		if h.ruled.pending != nil && (v.Look <= 1 || h.ruled.pending.ToTick != v.Tick) {
			h.commit()
		}
		h.ruled.pending = rulingOf(row, &v, facts.Program(), at)
	}
	return nil
}

// rulingOf is what a row says, with the names of the rules.
func rulingOf(row line.VerdictRow, v *line.Verdict, p *rules.Program, at time.Time) *RulingSpan {
	name := p.Policy().RuleName
	s := &RulingSpan{
		FromTick: v.Tick, ToTick: v.Tick, From: at, To: at, Ticks: 1, Standing: row.Standing, Step: row.Step, Reason: row.Reason,
		StepIndex: row.Index, Guard: row.Guard, Held: v.Held,
	}
	if row.Rule != nil {
		s.Rule = name(*row.Rule)
	}
	for _, passing := range row.Passing {
		s.Passing = append(s.Passing, PassingStep{name(passing.Rule), passing.Step, passing.Reason})
	}

	// Nothing of it is held where nothing is due.
	if s.stepCell() == string(policy2.StepKeep) {
		s.Held = ""
	}
	return s
}

// explainLast adds how the rules came to their last verdict on the container, where its newest tick is of version 2.
func (j Journal) explainLast(h *ContainerHistory) error {
	h.commit()
	if h.ruled.last == 0 {
		return nil
	}

	t, err := j.ruledTick(h.ruled.tick, h.ruled.last)
	if err != nil {
		return err
	}
	h.Explanation = t.explain(h.ID, h.Actions)
	return nil
}

// ruledTable writes the history of a container that rules of version 2 judged.
func (h ContainerHistory) ruledTable(w io.Writer) error {
	if h.Explanation != nil {
		if err := h.Explanation.table(w, h); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}

	fmt.Fprintf(w, "%s, %s, image %s\n%s\n", quoteUnprintable(h.Name), h.ID, orDash(h.Image), h.status())
	if len(h.Spans) > 0 {
		fmt.Fprintln(w, "\nunder policies of version 1:")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		h.writeSpans(t)
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "\nunder policies of version 2:")
	} else {
		fmt.Fprintln(w)
	}

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TICKS\tSINCE\tSTEP\tRULE\tWHY")
	for i := range h.Rulings {
		s := &h.Rulings[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", ticksOf(s.FromTick, s.ToTick), s.From.UTC().Format(time.RFC3339), s.stepCell(), orDash(s.Rule), s.why())
	}
	if err := t.Flush(); err != nil {
		return err
	}

	if len(h.Actions) > 0 {
		fmt.Fprintln(w, "\nwhat was done:")
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	h.writeActions(t)
	if err := t.Flush(); err != nil {
		return err
	}
	return h.writeSources(w)
}

// stepCell is the step that was due, in capitals where it was one that acts.
func (s *RulingSpan) stepCell() string {
	words := []string{}
	for _, p := range s.Passing {
		if p.Step != policy2.StepKeep {
			words = append(words, strings.ToUpper(string(p.Step)))
		}
	}

	switch {
	case s.Step != policy2.StepKeep:
		words = append(words, strings.ToUpper(string(s.Step)))
	case len(words) == 0:
		return string(policy2.StepKeep)
	}
	return strings.Join(words, ", ")
}

func (s *RulingSpan) why() string {
	words := []string{planview.ReasonText(s.Reason)}
	if s.StepIndex > 0 {
		words[0] = fmt.Sprintf("step %d: %s", s.StepIndex, words[0])
	}
	if s.Guard != "" && s.Guard != s.Reason {
		words = append(words, "guard "+s.Guard)
	}
	for _, p := range s.Passing {
		words = append(words, fmt.Sprintf("rule %q: %s", contract.Printable(p.Rule), planview.ReasonText(p.Reason)))
	}
	if s.Held != "" {
		words = append(words, "not carried out ("+s.Held+")")
	}
	return strings.Join(words, "; ")
}
