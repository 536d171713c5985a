package journaltest

import (
	"fmt"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// Recorder writes the ticks of a simulated host into a journal of version 2, in the order in which a manager does: what was verified
// after a crash, the tick, and the intent and the outcome of each step.
type Recorder struct {
	Journal *journal.Journal
	// Begun and Ended are told what the journal has acknowledged; they may be nil.
	Begun, Ended func(action string)

	open    map[string]string           // the last action of a step, by container, rule and step
	known   map[string]contract.Subject // by id
	actions int
}

// Tick writes one tick.
func (r *Recorder) Tick(t *rulestest.Tick) error {
	r.known = make(map[string]contract.Subject, len(t.Facts.Containers))
	for _, c := range t.Facts.Containers {
		r.known[c.ID] = contract.Subject{Container: c.ID, Name: c.Name, Image: c.Image}
	}

	for _, e := range t.Verified {
		if err := r.event(e); err != nil {
			return err
		}
	}

	_, err := r.Journal.Decide(journal.Decision{
		Program: t.Program, Memory: t.Before, Facts: &t.Facts, Plan: &t.Plan, Gates: t.Facts.InForce.Gates,
	})
	for i := 0; err == nil && i < len(t.Events); i++ {
		err = r.event(t.Events[i])
	}

	return err
}

func (r *Recorder) event(e rules.Event) error {
	step := e.ID + e.Rule + string(e.Step)
	if e.Kind != rules.EventOutcome {
		if r.open == nil {
			r.open = map[string]string{}
		}
		r.actions++
		r.open[step] = fmt.Sprintf("action-%d", r.actions)
		intent := intentOf(r.open[step], e)
		if subject, ok := r.known[e.ID]; ok {
			intent.Subject = subject
		}
		if _, err := r.Journal.Intent(intent); err != nil {
			return err
		}
		if r.Begun != nil {
			r.Begun(r.open[step])
		}
	}

	if e.Kind == rules.EventIntent {
		return nil
	}

	// Of a notice and of a limit that is given back the event is one, and the lines are two.
	outcome := journal.Outcome{ActionID: r.open[step], Outcome: e.Outcome, Tick: e.Tick, GUS: e.GUS}
	if e.Kind == rules.EventDelivered {
		outcome.Outcome = contract.OutcomeDone
	}

	_, err := r.Journal.Outcome(outcome)
	if err == nil && r.Ended != nil && outcome.Outcome != contract.OutcomeUnknown {
		r.Ended(outcome.ActionID)
	}

	return err
}

func intentOf(id string, e rules.Event) journal.Intent {
	i := journal.Intent{
		ActionID: id, Subject: contract.Subject{Container: e.ID}, Tick: e.Tick, GUS: e.GUS, Action: string(e.Step),
		StartedAt: e.StartedAt, Rule: e.Rule, Step: e.Step, StepIndex: e.StepIndex, OldNanoCPUs: e.OldNanoCPUs, NanoCPUs: e.NanoCPUs,
	}

	switch e.Kind {
	case rules.EventGivenBack:
		i.Action, i.Step = contract.ActionUnthrottle, ""
	case rules.EventDelivered:
		i.Step = policy2.StepWarn
	}

	return i
}
