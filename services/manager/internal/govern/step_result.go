package govern

import (
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// handleResult takes in the end of an action.
func (x *stepExecutor) handleResult(c stepCompletion) {
	x.active--
	if c.step.action == contract.ActionUnthrottle {
		x.restoring--
	}

	if c.result.Outcome != contract.OutcomeRefused {
		x.reporter.engineAnswered(x.breaker, c.result.EngineFault, c.result.Err)
	}
	x.applyResult(c.step, c.result)
	x.dispatch()
}

// applyResult takes in what became of a step, whether an action returned it or it was seen at the container.
func (x *stepExecutor) applyResult(s *step, r actuator.StepResult) {
	s.attempts += r.Attempts
	r.Attempts = s.attempts
	s.since, s.stopUntil = time.Now(), r.StopUntil

	// A reading that is older than this moment shows the host as it was before (GateUnsettled).
	if r.Attempts > 0 && s.ends() {
		x.lastActionUS = x.boottime()
	}

	x.memory.recheck(s.id())
	switch {
	// What of a removal has ended already waits to be deleted: the plans of the next ticks say whether it is.
	case r.Held && r.Ended && s.attempts > 0 && s.intent.Step == policy2.StepRemove:
		s.stage = stageRemains
		return

	case r.Outcome == contract.OutcomeUnknown:
		s.stage = stageUnverified
		x.recordOutcome(s, r, false)
		return

	case s.action == contract.ActionUnthrottle:
		x.onGivenBack(s, r)

	case s.action == contract.ActionThrottle:
		x.onThrottle(s, r)

	default:
		x.onEnded(s, r)
	}

	delete(x.inFlight, s.id())
	x.queue.Ended(s.id())
	x.recordOutcome(s, r, true)
	if r.Outcome == contract.OutcomeDone && s.intent.Step != "" {
		x.noticer.done(s.name(), s.id(), s.intent.Step, s.rule, s.why, s.intent.ActionID)
	}
}

// onEnded takes in the outcome of a stop or a removal.
func (x *stepExecutor) onEnded(s *step, r actuator.StepResult) {
	id := s.id()
	switch r.Outcome {
	case contract.OutcomeFailed:
		x.countFailure(s)

	case contract.OutcomeRefused:

	default:
		x.failures.reset(id)
		if r.Removes {
			delete(x.owed, id) // there is nothing left to give back to
			x.hooks.removed(s.key)
		}
	}
}

// onThrottle takes in the outcome of a throttle. What was written down as owed and was not set is not owed.
func (x *stepExecutor) onThrottle(s *step, r actuator.StepResult) {
	switch {
	case r.Unsupported:
		x.noLimit = r.Why
	case r.Outcome == contract.OutcomeDone:
		x.noLimit = ""
	case r.Outcome == contract.OutcomeFailed:
		x.countFailure(s)
	}

	if r.Outcome != contract.OutcomeDone && s.intent.Undo != nil {
		delete(x.owed, s.id())
		if s.replaced != nil { // what an earlier one has set is owed still
			x.owed[s.id()] = s.replaced
		}
	}
}

// onGivenBack takes in the outcome of giving a limit back. One that could not be given back stays owed.
func (x *stepExecutor) onGivenBack(s *step, r actuator.StepResult) {
	o := x.owed[s.id()]
	if r.Outcome != contract.OutcomeFailed {
		delete(x.owed, s.id())
		return
	}
	if o == nil || s.recovered { // that nothing has been done yet is no failure
		return
	}

	if o.failures++; o.failures == x.loop.policy.Act.StuckAfter {
		x.reporter.event("throttled", contract.LevelError,
			fmt.Sprintf("%s keeps a lowered CPU limit: %v; set it back with docker update", s.name(), r.Err),
			map[string]any{"container": s.id(), "before": o.Before})
	}
}

// countFailure counts a failure in a row; too many leave the container alone until it changes.
func (x *stepExecutor) countFailure(s *step) {
	id := s.id()
	if inRow, stuck := x.failures.add(id, x.loop.policy.Act.StuckAfter); stuck {
		x.reporter.event("stuck", contract.LevelError,
			fmt.Sprintf("%s failed %d times on %s: it is left alone until it changes", s.action, inRow, s.name()),
			map[string]any{"container": id})
	}
}

func (s *step) name() string { return nameOf(contract.Verdict{ID: s.id(), Name: s.intent.Name}) }

// recordOutcome writes an outcome down and calls the sinks. An unknown one leaves the intent open.
func (x *stepExecutor) recordOutcome(s *step, r actuator.StepResult, final bool) {
	if s.hasIntent() {
		x.writeOutcome(s, r)
	} else { // a throttle that came to nothing before its limits were known
		x.reporter.appendEvents(x.record(s, contract.PhaseOutcome, r))
	}

	i := &s.intent
	x.reporter.action(ActionResult{
		Verb: s.action, At: time.Now(), Final: final,
		Result: actuator.Result{
			Order: actuator.Order{
				ActionID: i.ActionID, Tick: i.Tick, Sequence: i.Sequence,
				Victim: contract.Verdict{ID: i.Container, Name: i.Name, Image: i.Image, Class: i.Class, Reason: i.Reason, StartedAt: i.StartedAt},
			},
			Outcome: r.Outcome, Rung: r.Rung, Attempts: r.Attempts, Took: r.Took, Why: r.Why, Err: r.Err, EngineFault: r.EngineFault,
		},
	})
}

// hasIntent says that the journal has, or was asked to take, its intent.
func (s *step) hasIntent() bool { return s.action != contract.ActionThrottle || s.intent.Undo != nil }

// writeOutcome writes down how a step ended: in the journal, in the memory of the rules, and then in the spool.
func (x *stepExecutor) writeOutcome(s *step, r actuator.StepResult) {
	at := x.memory.now()
	o := journal.Outcome{
		ActionID: s.intent.ActionID, Outcome: r.Outcome, Rung: r.Rung, Attempts: r.Attempts, LatencyUS: micros(r.Took),
		Error: r.ErrorText(), AnonymousVolumes: r.VolumesLeft, Recovered: s.recovered, Tick: at.tick, GUS: at.gUS,
	}
	intent := s.intent
	x.journaler.outcome(o, x.record(s, contract.PhaseOutcome, r), func() { x.happened(o.Event(intent)) })
}

// record is that of a step's intent or outcome.
func (x *stepExecutor) record(s *step, phase string, r actuator.StepResult) contract.Record {
	return stepRecord(x.reporter.source, &s.intent, s.rule, s.steps, phase, r)
}

func stepRecord(source string, i *journal.Intent, rule string, steps int, phase string, r actuator.StepResult) contract.Record {
	body := contract.ActionBody{
		Subject: i.Subject, ActionID: i.ActionID, Action: i.Action, Phase: phase, Outcome: r.Outcome, Rung: r.Rung, Reason: i.Reason,
		Attempts: r.Attempts, LatencyUS: micros(r.Took), Error: r.ErrorText(), StartedAt: i.StartedAt,
		Removes: r.Removes || i.Step == policy2.StepRemove, Rule: rule, StepIndex: i.StepIndex, Steps: steps,
	}
	if body.Removed() {
		body.AnonymousVolumes, body.VolumesRemoved = r.VolumesLeft, r.VolumesRemoved
	}
	return contract.NewRecord(time.Now(), i.Tick, source, body)
}
