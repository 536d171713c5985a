package approval

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// horizon is how far ahead a person is shown what comes.
const horizon = 7 * 24 * time.Hour

// Write writes all that a person is to see before he approves the policy, which is the plan's: what its rules say, who is own and what a
// remove of them would lose, what is protected, and what comes of it now and within 7 days.
func (r Review) Write(to io.Writer, p policy2.Policy) error {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "Policy %s, hash %s, on %s, as of %s.\n", contract.Printable(r.Path), r.PolicyHash,
		contract.Printable(cmp.Or(r.Host, "this host")), r.At.Format("2006-01-02 15:04:05 UTC"))

	writeRules(out, p)
	r.writeOwn(out)
	r.writeProtects(out)
	r.writeChanges(out, p)
	return out.Flush()
}

// WriteSizes writes who is own, what a remove of them would lose, and what protect covers.
func (r Review) WriteSizes(to io.Writer) error {
	out := bufio.NewWriter(to)
	r.writeOwn(out)
	r.writeProtects(out)
	return out.Flush()
}

func writeRules(out *bufio.Writer, p policy2.Policy) {
	fmt.Fprintf(out, "\nThe rules, read from the top:\n")
	if len(p.Rules) == 0 {
		fmt.Fprintf(out, "  none: everything is kept\n")
	}
	for i, rule := range p.Rules {
		wrap(out, fmt.Sprintf("  %d ", i+1), rule.Sentence(p))
		if step := rule.Steps()[0].Step; step == policy2.StepStop || step == policy2.StepRemove {
			wrap(out, "    ", fmt.Sprintf("ACTS WITHOUT NOTICE: its first step is %s", step))
		}
	}
}

func (r Review) writeOwn(out *bufio.Writer) {
	fmt.Fprintf(out, "\n%s", ownWords(r.Own, r.Containers))
	if len(r.OwnContainers) == 0 {
		fmt.Fprint(out, ".\n")
		return
	}
	fmt.Fprint(out, ":\n")

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  NAME\tIMAGE\tSTATE\tAGE\tA REMOVE WOULD LOSE")
	for _, c := range r.OwnContainers {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", c.nameOf(), contract.Printable(cmp.Or(c.Image, "unknown")), c.State, c.age(), c.loses())
	}
	_ = table.Flush() // its errors are out's
}

func ownWords(own, all int) string {
	if own == 1 {
		return fmt.Sprintf("1 of %d containers of this host is own", all)
	}
	return fmt.Sprintf("%d of %d containers of this host are own", own, all)
}

// age is to the two largest units: what is days old need not say its seconds.
func (c OwnContainer) age() string {
	if c.AgeS == nil {
		return "unknown"
	}

	seconds := *c.AgeS
	switch {
	case seconds >= int64(policy2.Day):
		seconds -= seconds % int64(policy2.Hour)
	case seconds >= int64(policy2.Hour):
		seconds -= seconds % int64(policy2.Minute)
	}
	return policy2.Duration(seconds).String()
}

// loses is what is gone with the container: "3.2 GiB own layer, 1 anonymous volume".
func (c OwnContainer) loses() string {
	words := c.layer() + c.volumes()
	if c.Protected {
		words += " (protected: stays)"
	}
	return words
}

func (c OwnContainer) layer() string {
	if c.OwnLayerBytes == nil {
		return "own layer: unknown"
	}
	return planview.Bytes(*c.OwnLayerBytes) + " own layer"
}

func (c OwnContainer) volumes() string {
	switch n := c.AnonymousVolumes; {
	case n == nil:
		return ", anonymous volumes: unknown"
	case *n == 0:
		return ""
	case *n == 1:
		return ", 1 anonymous volume"
	default:
		return fmt.Sprintf(", %d anonymous volumes", *n)
	}
}

func (r Review) writeProtects(out *bufio.Writer) {
	fmt.Fprintf(out, "\nProtected, of all containers of this host:\n")
	if len(r.Protects) == 0 {
		fmt.Fprintf(out, "  nothing by the policy (protect is empty); Gestor itself always is\n")
	}
	for _, s := range r.Protects {
		switch s.Containers {
		case 0:
			fmt.Fprintf(out, "  containers %s: PROTECTS NOTHING\n", contract.Printable(s.Selector))
		default:
			fmt.Fprintf(out, "  containers %s: %d\n", contract.Printable(s.Selector), s.Containers)
		}
	}
}

// writeChanges writes what comes once the policy is approved.
func (r Review) writeChanges(out *bufio.Writer, p policy2.Policy) {
	if p.Mode != contract.ModeEnforce {
		fmt.Fprintln(out)
		wrap(out, "", fmt.Sprintf("ITS MODE IS %s: nothing is done, approved or not. The mode is no part of the approval: with mode: enforce "+
			"what follows is done without another one.", strings.ToUpper(string(p.Mode))))
	}

	if p.Mode == contract.ModeEnforce && r.Held == contract.HeldObserve {
		fmt.Fprintln(out)
		wrap(out, "", "GESTOR_DRY_RUN IS SET: nothing is done, approved or not, until it is taken away.")
	}

	fmt.Fprintf(out, "\nOnce it is approved, now:\n")
	writeTable(out, r.Now, "WHY", func(c planview.Change) string { return c.Why })
	if rules.Surprises(&p, p.NeedsApproval(), r.Wanted, r.Living) {
		wrap(out, "  ", fmt.Sprintf("That ends %d of %d living own containers, more than surprise allows (%d%%): a notice says so, and stops and "+
			"removes begin 10 minutes later.", r.Wanted, r.Living, p.Surprise))
	}

	var soon []planview.Change
	for _, c := range r.Next {
		if c.At.Sub(r.At) <= horizon {
			soon = append(soon, c)
		}
	}
	fmt.Fprintf(out, "\nWithin 7 days, the next step of each, if nothing else changes:\n")
	writeTable(out, soon, "WHEN", func(c planview.Change) string { return c.When(r.At) })

	if !r.Remembered && asksTime(p) {
		fmt.Fprintln(out)
		wrap(out, "", "What idle and for ask is counted from this plan's first reading on: what they decide is not foreseen here.")
	}
}

// asksTime says that a rule asks what only time can tell.
func asksTime(p policy2.Policy) bool {
	for _, rule := range p.Rules {
		for _, c := range []policy2.Conditions{rule.When, rule.RestWhen} {
			if c.Idle != 0 || c.For != 0 {
				return true
			}
		}
	}
	return false
}

func writeTable(out *bufio.Writer, changes []planview.Change, head string, last func(planview.Change) string) {
	if len(changes) == 0 {
		fmt.Fprintf(out, "  nothing\n")
		return
	}

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  STEP\tCONTAINER\tRULE\t%s\n", head)
	for _, c := range changes {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", strings.ToUpper(string(c.Step)), contract.Printable(c.Container),
			contract.Printable(cmp.Or(c.Rule, "-")), contract.Printable(last(c)))
	}
	_ = table.Flush() // its errors are out's
}

func wrap(out io.Writer, mark, text string) { fmt.Fprint(out, planview.Wrap("", mark, text)) }
