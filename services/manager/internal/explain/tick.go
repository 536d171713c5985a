// Package explain shows decisions to people and to machines: why was this container removed, why was that one kept.
// Everything it says stands in the journal; it adds words and order, no judgement. What the journal no longer holds the
// log service may: an error says how to ask it.
package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/rules"
)

// TickReport explains one tick: every container of the snapshot and of the inventory, kept or removed.
type TickReport struct {
	Tick       uint64            `json:"tick"`
	Sequence   uint64            `json:"sequence"`
	At         time.Time         `json:"at,omitzero"` // when it was written down
	Mode       contract.Mode     `json:"mode"`
	Classify   contract.Classify `json:"classify"`
	PolicyHash string            `json:"policy_hash"`
	Source     string            `json:"source"`
	DataAgeUS  uint64            `json:"data_age_us"`
	IntervalUS uint64            `json:"interval_us"`
	Gates      []string          `json:"gates"` // what kept the manager from acting; empty: it could
	Surprise   bool              `json:"surprise"`

	// Held says why nothing of the plan was carried out (contract.DecisionBody), "" when it was.
	Held       string                `json:"held,omitempty"`
	Counts     []contract.ClassCount `json:"counts"` // of the plan, without those that shadow mode has removed
	Containers []Row                 `json:"containers"`
}

// Row is one container of a report.
type Row struct {
	contract.Verdict
	State string `json:"state,omitempty"` // the engine's word, "" when it does not know the container
	Text  string `json:"text"`
	// Held says why a removal is only shown, "" for what is kept.
	Held string `json:"held,omitempty"`
	// Actions is what was done to it because of this tick, oldest first.
	Actions []Action `json:"actions,omitempty"`
}

// NewTickReport reports a tick. t supplies what the plan was made from; p is nil where its policy is not known any
// more, and actions may be.
func NewTickReport(at time.Time, t journal.Tick, plan contract.Plan, p *contract.Policy, actions []Action) TickReport {
	byContainer := make(map[string][]Action, len(actions))
	for _, a := range actions {
		byContainer[a.Container] = append(byContainer[a.Container], a)
	}

	rows := newRows(t, plan, p, func(contract.Verdict) bool { return true })
	for i := range rows {
		rows[i].Actions = byContainer[rows[i].ID]
	}

	return TickReport{
		Tick: plan.Tick, Sequence: plan.Sequence, At: at, Mode: plan.Mode, Classify: plan.Classify,
		PolicyHash: plan.PolicyHash, Source: t.Population.Source, DataAgeUS: t.DataAgeUS,
		IntervalUS: t.Population.IntervalUS, Gates: append([]string{}, t.Gates...), Surprise: plan.Surprise,
		Held: plan.Held(t.Gates), Counts: plan.Counts, Containers: rows,
	}
}

// newRows are the containers of a tick that match, in the order of the plan; those that it was made without stand
// behind their class.
func newRows(t journal.Tick, plan contract.Plan, p *contract.Policy, match func(contract.Verdict) bool) []Row {
	states := make(map[string]string, len(t.Inventory.Entries))
	for _, e := range t.Inventory.Entries {
		states[e.ID] = e.State
	}
	texts := reason.NewTexts(plan, reason.Inputs{Policy: p, Inventory: &t.Inventory, Suite: t.Context.Suite})

	rows := []Row{}
	for _, v := range plan.Verdicts {
		if !match(v) {
			continue
		}

		r := Row{Verdict: v, State: states[v.ID], Text: texts.Of(v)}
		if v.Verdict == contract.VerdictRemove {
			r.Held = plan.Held(t.Gates)
		}
		rows = append(rows, r)
	}

	for _, s := range t.Shadow {
		if v := s.Verdict(); match(v) {
			rows = append(rows, Row{Verdict: v, State: s.Entry.State, Text: shadowText(s)})
		}
	}

	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(rules.ClassOrder(a.Class), rules.ClassOrder(b.Class)) })
	return rows
}

// shadowText says what became of a container that was to be removed on an earlier tick.
func shadowText(s journal.Shadowed) string {
	state := "it runs on"
	if !contract.StateAlive(s.Entry.State) {
		state = "it is there"
	}
	return fmt.Sprintf("mode shadow would have removed it on tick %d (%s): %s, and the plan is made without it", s.Tick, s.Reason, state)
}
