package notify

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Notice is one message: that something is going to be done, or was done.
type Notice struct {
	// Text is one line for people: see Announcement, Report and Warning.
	Text string `json:"text"`
	// Host names the machine; Rule the rule; Container the full id and Name the name of the container. Of a project Container
	// is empty and Name the project's.
	Host      string `json:"host"`
	Rule      string `json:"rule,omitempty"`
	Container string `json:"container,omitempty"`
	Name      string `json:"name,omitempty"`
	// Step is what the notice is of: warn before something is done, else what was done. Next comes after it, nil for nothing.
	Step policy2.Step `json:"step,omitempty"`
	Next *Next        `json:"next,omitempty"`
	// ActionID is unique for ever. The same in two calls is the same notice.
	ActionID string `json:"action_id"`
	// Awaited says that a ladder goes on only once the notice is delivered.
	Awaited bool `json:"-"`
}

// Next is the step that follows, and from when on it is due.
type Next struct {
	Step policy2.Step `json:"step"`
	At   time.Time    `json:"at"`
}

// Announcement is the line that says what is going to become of a container or project: "preview-a-1 will be stopped on Tue 09:00
// UTC (rule stale: age 3d 2h)". why are the values that the rule was held against.
func Announcement(name string, next Next, rule, why string, now time.Time) string {
	return fmt.Sprintf("%s will be %s on %s%s", name, next.Step.Participle(), dayAndTime(next.At, now), reason(rule, why))
}

// Report is the line that says what was done: "preview-a-1 was stopped (rule stale: age 3d 2h)".
func Report(name string, step policy2.Step, rule, why string) string {
	return fmt.Sprintf("%s was %s%s", name, step.Participle(), reason(rule, why))
}

// Warning is the line of a rule that does nothing else: "preview-a-1 is only warned (rule stale: age 3d 2h)".
func Warning(name, rule, why string) string {
	return fmt.Sprintf("%s is only warned%s", name, reason(rule, why))
}

// reason is the end of a line. Without a rule it is of one that is too new for the rules.
func reason(rule, why string) string {
	switch {
	case rule == "" && why == "":
		return ""
	case rule == "":
		return " (" + why + ")"
	case why == "":
		return " (rule " + rule + ")"
	default:
		return " (rule " + rule + ": " + why + ")"
	}
}

// dayAndTime is a time to the minute that is not before it: with the day of the week alone where that can only be one day.
func dayAndTime(at, now time.Time) string {
	if rounded := at.Truncate(time.Minute); rounded.Before(at) {
		at = rounded.Add(time.Minute)
	}

	const week = 7 * 24 * time.Hour
	at = at.UTC()
	if left := at.Sub(now); left > 0 && left < week-24*time.Hour {
		return at.Format("Mon 15:04 UTC")
	}
	return at.Format("Mon 2 Jan 2006 15:04 UTC")
}

// messageOf is one call for the notices, of which there is at least one.
func messageOf(notices []Notice) any {
	lines := make([]string, len(notices))
	for i := range notices {
		lines[i] = line(notices[i].Text)
	}
	text := strings.Join(lines, "\n")

	if len(notices) == 1 {
		one := notices[0]
		one.Text = text
		return one
	}

	// No rule, container or step is that of all.
	return joined{Text: text, Host: notices[0].Host, Notices: notices}
}

// joined is the body of a call with several notices.
type joined struct {
	Text    string   `json:"text"`
	Host    string   `json:"host"`
	Notices []Notice `json:"notices"`
}

// maxLine bounds one line of the text: twenty of them are below what Mattermost takes, 16,383 characters.
const maxLine = 600

// calls are the words by which a text calls everybody who is in a channel.
var calls = regexp.MustCompile(`(?i)@(channel|here|everyone|all)\b`)

// line is a text that may hold names of others, as one line that shows and does nothing.
func line(text string) string {
	text = contract.Shorten(contract.Printable(text), maxLine)
	text = calls.ReplaceAllString(text, "@\u200b$1")

	// What Slack and Mattermost read as more than text stands in angle brackets: links, and calls such as <!channel>.
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
