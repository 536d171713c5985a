package page

import (
	"fmt"
	"strings"
	"time"

	"gestor.local/logs/internal/chart"
)

// policyLine is what the page says of the policy of version 2 in force: which one, in which mode, how many are own, and what is held.
type policyLine struct {
	Text string
	// Command is what ends the hold, "" where no command does.
	Command string
}

// policyLineOf is the zero line where the newest tick has no plan of such a policy. Of a past moment it says what was in force then: what
// is held now, and what helps, is not known.
func policyLineOf(p pageData) (l policyLine) {
	if p.Host.Own == nil {
		return l
	}

	l.Text = "Policy"
	if hash := p.Host.PolicyHash; hash != "" {
		l.Text += " " + chart.Sanitize(hash)
	}
	if mode := p.Host.Mode; mode != "" {
		l.Text += ", mode " + chart.Sanitize(string(mode))
	}
	l.Text += ", " + ownText(p)
	if !p.Verdict.Known() {
		l.Text += ", as of " + p.Last.UTC().Format(time.TimeOnly) + "."
		return l
	}

	held := p.Host.WhyHeld()
	if held == "" {
		l.Text += ". Nothing of its plan is held."
		return l
	}
	l.Text += ". Held" + heldReasonText(held) + ": " + heldStepsText(p.Rows) + "."
	if held == heldUnapproved {
		l.Command = "make approve"
	}
	return l
}

// heldUnapproved is why a plan is held that nobody has approved (docs/policy.md, Why nothing is done).
const heldUnapproved = "unapproved"

// heldStepsText is for how many of those that live each step is due, the most severe first. Of who has ended the page has no rows.
func heldStepsText(rows []containerRow) string {
	var parts []string
	for _, step := range []string{"remove", "stop", "throttle", "warn"} {
		n := 0
		for _, r := range rows {
			if r.alive() && r.Step == step {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, step))
		}
	}
	if len(parts) == 0 {
		return "nothing is due for those that run"
	}
	return strings.Join(parts, ", ") + " of those that run"
}
