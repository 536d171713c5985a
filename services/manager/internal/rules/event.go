package rules

import "gestor.local/contract/policy2"

// Event is what happened to a step of a plan, or to a limit that was given back.
type Event struct {
	Kind EventKind `json:"kind"`
	Tick uint64    `json:"tick"`
	GUS  int64     `json:"g_us"`
	ID   string    `json:"id"`   // of the container
	Rule string    `json:"rule"` // hash of the rule, "" for a young one
	// Step is the StepIndex-th of the rule's, counted from 1.
	Step      policy2.Step `json:"step,omitempty"`
	StepIndex int          `json:"step_index,omitempty"`
	// Outcome is one of contract's Outcome constants, with EventOutcome and EventGivenBack.
	Outcome string `json:"outcome,omitempty"`
	// StartedAt is the container's start that the step was taken on.
	StartedAt string `json:"started_at,omitempty"`
	// Limits in billionths of a core, with a throttle: the one before and the one that is set. Equal: nothing is owed.
	OldNanoCPUs int64 `json:"old_nano_cpus,omitempty"`
	NanoCPUs    int64 `json:"nano_cpus,omitempty"`
}

// EventKind says what happened.
type EventKind string

// Kinds of events.
const (
	EventIntent    EventKind = "intent"     // a throttle, stop or removal begins
	EventOutcome   EventKind = "outcome"    // it ended
	EventDelivered EventKind = "delivered"  // the notice of a step warn has been delivered
	EventGivenBack EventKind = "given_back" // a limit: the outcome of giving it back
)
