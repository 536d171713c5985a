package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
)

// Action is what was done to a container and how it ended; Outcome is "" while it is open.
type Action struct {
	ActionID  string        `json:"action_id"`
	Container string        `json:"container"`
	At        time.Time     `json:"at,omitzero"`
	Tick      uint64        `json:"tick"`
	Verb      string        `json:"action"`
	Outcome   string        `json:"outcome,omitempty"`
	Rung      contract.Rung `json:"rung,omitempty"`
	Attempts  int           `json:"attempts,omitempty"`
	LatencyUS uint64        `json:"latency_us,omitempty"`
	Error     string        `json:"error,omitempty"`
	Recovered bool          `json:"recovered,omitempty"` // the outcome was found out at a later start
	EndedAt   time.Time     `json:"ended_at,omitzero"`

	// The following are of version 2: the rule, which of its steps the action is, why it is none of them (a guard that is told of, or why
	// a limit is given back), and with a throttle the limits in billionths of a core, the one that is set and the one to give back, 0
	// for none.
	Rule        string       `json:"rule,omitempty"`
	Reason      string       `json:"reason,omitempty"`
	Step        policy2.Step `json:"step,omitempty"`
	StepIndex   int          `json:"step_index,omitempty"`
	NanoCPUs    int64        `json:"nano_cpus,omitempty"`
	OldNanoCPUs int64        `json:"old_nano_cpus,omitempty"`

	ruleHash string
}

// newAction joins the intent of one entry and the outcome of another, which may be empty.
func newAction(intent, outcome journal.Entry) Action {
	i := intent.Intent
	a := Action{
		ActionID: i.ActionID, Container: i.Container, At: intent.At, Tick: i.Tick, Verb: i.Action,
		Step: i.Step, StepIndex: i.StepIndex, NanoCPUs: i.NanoCPUs, OldNanoCPUs: i.OldNanoCPUs, ruleHash: i.Rule,
	}

	if i.Step == "" && (i.Rule != "" || i.Notice != nil) {
		a.Reason = i.Reason
	}

	if o := outcome.Outcome; o != nil {
		a.EndedAt, a.Outcome, a.Rung, a.Attempts = outcome.At, o.Outcome, o.Rung, o.Attempts
		a.LatencyUS, a.Error, a.Recovered = o.LatencyUS, o.Error, o.Recovered
	}
	return a
}

// removed says that the action was the container's end.
func (a Action) removed() bool {
	return contract.ActionBody{Action: a.Verb, Phase: contract.PhaseOutcome, Outcome: a.Outcome}.Removed()
}

func (a Action) String() string {
	what := a.what()
	if a.Outcome == "" {
		if a.isNotice() {
			return what + " waits for its delivery"
		}
		return what + " begun, no outcome yet"
	}

	text := what + " " + a.Outcome
	if a.isNotice() && a.Outcome == contract.OutcomeDone {
		text = what + " delivered"
	}
	if a.ruleHash == "" || a.LatencyUS > 0 {
		text += " after " + micros(a.LatencyUS)
	}
	if a.Error != "" {
		text += ": " + quoteUnprintable(a.Error)
	}
	return text
}

// isNotice says that the action tells people something, and changes nothing.
func (a Action) isNotice() bool { return a.Verb == string(policy2.StepWarn) }

// what names the action, with its rule where it is of one: throttle to 50% by step 1 of rule "hogs".
func (a Action) what() string {
	text := a.Verb
	switch a.Verb {
	case contract.ActionUnthrottle:
		if a.ruleHash != "" {
			text = "give back of the CPU limit"
		}
	case contract.ActionThrottle:
		if a.NanoCPUs > 0 {
			text += " to " + cpuText(a.NanoCPUs)
		}
	}

	switch {
	case a.Rule != "" && a.StepIndex > 0:
		return fmt.Sprintf("%s by step %d of rule %s", text, a.StepIndex, strconv.Quote(a.Rule))
	case a.Rule != "":
		text += " by rule " + strconv.Quote(a.Rule)
	}
	if a.Reason != "" {
		text += " (" + a.Reason + ")"
	}
	return text
}

// cpuText is a CPU limit as a policy writes it, in percent of a core.
func cpuText(nano int64) string {
	const nanoPerHundredth = 100_000 // of a percent
	return policy2.Percent(nano / nanoPerHundredth).String()
}

// actionLog pairs intents with outcomes, in whatever order the segments are read. The last outcome of an action counts.
type actionLog struct {
	intents  []journal.Entry
	outcomes map[string]journal.Entry
}

// add takes one entry of the journal. A checkpoint repeats entries of an earlier segment: those count where they stand.
func (l *actionLog) add(e journal.Entry) {
	switch {
	case e.Carried:
		return
	case e.Intent != nil:
		l.intents = append(l.intents, e)
	case e.Outcome != nil:
		if l.outcomes == nil {
			l.outcomes = map[string]journal.Entry{}
		}

		// A scan may go backwards: the order is that of the numbers.
		if e.Seq > l.outcomes[e.Outcome.ActionID].Seq {
			l.outcomes[e.Outcome.ActionID] = e
		}
	}
}

// filter returns the actions whose intent matches, oldest first. names are those of rules of version 2 by their hash.
func (l *actionLog) filter(names map[string]string, match func(journal.Entry) bool) []Action {
	slices.SortFunc(l.intents, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })

	out := []Action{}
	for _, e := range l.intents {
		if match(e) {
			a := newAction(e, l.outcomes[e.Intent.ActionID])
			a.Rule = names[a.ruleHash]
			out = append(out, a)
		}
	}
	return out
}
