package journal

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/rules"
)

// Event is what the intent is to the memory of the rules; ok is false where it is nothing to it. Whoever carries out a step takes
// it from here, and a reader of the journal does too: so both come to the same memory.
func (i Intent) Event() (e rules.Event, ok bool) {
	switch i.Step {
	case policy2.StepThrottle, policy2.StepStop, policy2.StepRemove:
		return i.event(rules.EventIntent), true
	default:
		return rules.Event{}, false
	}
}

func (i Intent) event(kind rules.EventKind) rules.Event {
	return rules.Event{
		Kind: kind, Tick: i.Tick, GUS: i.GUS, ID: i.Container, Rule: i.Rule, Step: i.Step, StepIndex: i.StepIndex,
		StartedAt: i.StartedAt, OldNanoCPUs: i.OldNanoCPUs, NanoCPUs: i.NanoCPUs,
	}
}

// Event is what the outcome of the intent is to the memory of the rules, as Intent.Event.
func (o Outcome) Event(i Intent) (e rules.Event, ok bool) {
	var kind rules.EventKind
	switch {
	case i.Step == policy2.StepWarn && o.Outcome == contract.OutcomeDone:
		kind = rules.EventDelivered
	case i.Action == contract.ActionUnthrottle:
		kind = rules.EventGivenBack

	default:
		if _, ok := i.Event(); !ok {
			return rules.Event{}, false
		}
		kind = rules.EventOutcome
	}

	e = i.event(kind)
	e.Tick, e.GUS, e.Outcome = o.Tick, o.GUS, o.Outcome
	return e, true
}
