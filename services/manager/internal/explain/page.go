// Package explain shows decisions to people and to machines: why was this container removed, why was that one kept.
// Everything it says stands in the journal; it adds words and order, no judgement.
package explain

import (
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policy"
)

// Page is one tick: every container of the snapshot and of the inventory, kept or removed.
type Page struct {
	Tick       uint64                `json:"tick"`
	Sequence   uint64                `json:"sequence"`
	At         time.Time             `json:"at,omitzero"` // when it was written down
	Mode       contract.Mode         `json:"mode"`
	Classify   contract.Classify     `json:"classify"`
	PolicyHash string                `json:"policy_hash"`
	Source     string                `json:"source"`
	DataAgeUS  uint64                `json:"data_age_us"`
	IntervalUS uint64                `json:"interval_us"`
	Gates      []string              `json:"gates"` // what kept the manager from acting; empty: it could
	Surprise   bool                  `json:"surprise"`
	Counts     []contract.ClassCount `json:"counts"`
	Containers []Row                 `json:"containers"`
}

// Row is one container on a page.
type Row struct {
	contract.Verdict
	State string `json:"state,omitempty"` // the engine's word, "" when it does not know the container
	Text  string `json:"text"`
	// Actions is what was done to it because of this tick, oldest first.
	Actions []Deed `json:"actions,omitempty"`
}

// New makes the page of a tick. t supplies what the plan was made from; deeds may be nil.
func New(at time.Time, t journal.Tick, plan contract.Plan, deeds []Deed) Page {
	states := make(map[string]string, len(t.Inventory.Entries))
	for _, e := range t.Inventory.Entries {
		states[e.ID] = e.State
	}
	done := make(map[string][]Deed, len(deeds))
	for _, d := range deeds {
		done[d.Container] = append(done[d.Container], d)
	}
	page := Page{
		Tick: plan.Tick, Sequence: plan.Sequence, At: at, Mode: plan.Mode, Classify: plan.Classify,
		PolicyHash: plan.PolicyHash, Source: t.Population.Source, DataAgeUS: t.DataAgeUS,
		IntervalUS: t.Population.IntervalUS, Gates: append([]string{}, t.Gates...), Surprise: plan.Surprise,
		Counts: plan.Counts, Containers: make([]Row, len(plan.Verdicts)),
	}
	texts := policy.NewTexts(plan, &t.Inventory)
	for i, v := range plan.Verdicts {
		page.Containers[i] = Row{Verdict: v, State: states[v.ID], Text: texts.Of(v), Actions: done[v.ID]}
	}
	return page
}
