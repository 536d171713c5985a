package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
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
}

// newAction joins the intent of one entry and the outcome of another, which may be empty.
func newAction(intent, outcome journal.Entry) Action {
	i := intent.Intent
	a := Action{ActionID: i.ActionID, Container: i.Container, At: intent.At, Tick: i.Tick, Verb: i.Action}

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
	if a.Outcome == "" {
		return a.Verb + " begun, no outcome yet"
	}
	text := fmt.Sprintf("%s %s after %s", a.Verb, a.Outcome, micros(a.LatencyUS))
	if a.Error != "" {
		text += ": " + quoteUnprintable(a.Error)
	}
	return text
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

// filter returns the actions whose intent matches, oldest first.
func (l *actionLog) filter(match func(journal.Intent) bool) []Action {
	slices.SortFunc(l.intents, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })

	out := []Action{}
	for _, e := range l.intents {
		if match(*e.Intent) {
			out = append(out, newAction(e, l.outcomes[e.Intent.ActionID]))
		}
	}
	return out
}
