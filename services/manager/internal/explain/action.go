package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
)

// Deed is an action and its end; Outcome is "" while it is open.
type Deed struct {
	ActionID  string        `json:"action_id"`
	Container string        `json:"container"`
	At        time.Time     `json:"at,omitzero"`
	Tick      uint64        `json:"tick"`
	Action    string        `json:"action"`
	Outcome   string        `json:"outcome,omitempty"`
	Rung      contract.Rung `json:"rung,omitempty"`
	Attempts  int           `json:"attempts,omitempty"`
	LatencyUS uint64        `json:"latency_us,omitempty"`
	Error     string        `json:"error,omitempty"`
	Recovered bool          `json:"recovered,omitempty"` // the outcome was found out at a later start
	EndedAt   time.Time     `json:"ended_at,omitzero"`
}

// newDeed makes the deed of the intent of one line and the outcome of another, which may be empty.
func newDeed(intent, outcome journal.Entry) Deed {
	i := intent.Intent
	d := Deed{ActionID: i.ActionID, Container: i.Container, At: intent.At, Tick: i.Tick, Action: i.Action}
	if o := outcome.Outcome; o != nil {
		d.EndedAt, d.Outcome, d.Rung, d.Attempts = outcome.At, o.Outcome, o.Rung, o.Attempts
		d.LatencyUS, d.Error, d.Recovered = o.LatencyUS, o.Error, o.Recovered
	}
	return d
}

// removed says that the deed was the container's end.
func (d Deed) removed() bool {
	return contract.ActionBody{Action: d.Action, Phase: contract.PhaseOutcome, Outcome: d.Outcome}.Removed()
}

func (d Deed) String() string {
	if d.Outcome == "" {
		return d.Action + " begun, no outcome yet"
	}
	text := fmt.Sprintf("%s %s after %s", d.Action, d.Outcome, micros(d.LatencyUS))
	if d.Error != "" {
		text += ": " + printable(d.Error)
	}
	return text
}

// deeds pairs intents with outcomes, in whatever order the segments are read. The last outcome of an action counts.
type deeds struct {
	intents  []journal.Entry
	outcomes map[string]journal.Entry
}

func (d *deeds) hear(e journal.Entry) {
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

// those returns the deeds whose intent is wanted, oldest first.
func (d *deeds) those(want func(journal.Intent) bool) []Deed {
	slices.SortFunc(d.intents, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	out := []Deed{}
	for _, e := range d.intents {
		if want(*e.Intent) {
			out = append(out, newDeed(e, d.outcomes[e.Intent.ActionID]))
		}
	}
	return out
}
