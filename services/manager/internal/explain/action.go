package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
)

// Action is an action and its end; Outcome is "" while it is open.
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

// newAction makes the deed of the intent of one line and the outcome of another, which may be empty.
func newAction(intent, outcome journal.Entry) Action {
	i := intent.Intent
	d := Action{ActionID: i.ActionID, Container: i.Container, At: intent.At, Tick: i.Tick, Verb: i.Action}
	if o := outcome.Outcome; o != nil {
		d.EndedAt, d.Outcome, d.Rung, d.Attempts = outcome.At, o.Outcome, o.Rung, o.Attempts
		d.LatencyUS, d.Error, d.Recovered = o.LatencyUS, o.Error, o.Recovered
	}
	return d
}

// removed says that the deed was the container's end.
func (d Action) removed() bool {
	return contract.ActionBody{Action: d.Verb, Phase: contract.PhaseOutcome, Outcome: d.Outcome}.Removed()
}

func (d Action) String() string {
	if d.Outcome == "" {
		return d.Verb + " begun, no outcome yet"
	}
	text := fmt.Sprintf("%s %s after %s", d.Verb, d.Outcome, micros(d.LatencyUS))
	if d.Error != "" {
		text += ": " + quoteUnprintable(d.Error)
	}
	return text
}

// actionLog pairs intents with outcomes, in whatever order the segments are read. The last outcome of an action counts.
type actionLog struct {
	intents  []journal.Entry
	outcomes map[string]journal.Entry
}

func (d *actionLog) add(e journal.Entry) {
	switch {
	case e.Carried:
		return
	case e.Intent != nil:
		d.intents = append(d.intents, e)
	case e.Outcome != nil:
		if d.outcomes == nil {
			d.outcomes = map[string]journal.Entry{}
		}
		if e.Seq > d.outcomes[e.Outcome.ActionID].Seq {
			d.outcomes[e.Outcome.ActionID] = e
		}
	}
}

// filter returns the deeds whose intent is wanted, oldest first.
func (d *actionLog) filter(want func(journal.Intent) bool) []Action {
	slices.SortFunc(d.intents, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	out := []Action{}
	for _, e := range d.intents {
		if want(*e.Intent) {
			out = append(out, newAction(e, d.outcomes[e.Intent.ActionID]))
		}
	}
	return out
}
