package actuator

import (
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// theirs is why a limit is not touched that is not the one that was set.
const theirs = "somebody else has changed its CPU limit since it was throttled: it stays as it is"

// throttle lowers the CPU limit of a container, once what it has to be undone with is on stable storage. A limit that is low enough
// stays: nothing is called then, and nothing is owed.
func (e *StepEnforcer) throttle(ctx context.Context, o *StepOrder) StepResult {
	l := e.lastLook(ctx, o)
	if l.outcome != "" || !l.state.Running {
		return notThrottled(&l)
	}

	// The limit of an earlier throttle is replaced, and what was before it stays what is owed.
	before := l.state.CPU
	if o.Replaces != nil {
		if !before.Same(o.Replaces.Set) && !before.Same(o.Replaces.Before) {
			return StepResult{Outcome: contract.OutcomeRefused, Why: theirs}
		}
		before = o.Replaces.Before
	}
	limits := Limits{Before: before, Set: before.LoweredTo(o.NanoCPUs)}

	if err := e.limits.LogLimits(*o, limits); err != nil {
		return StepResult{Outcome: contract.OutcomeFailed, Err: fmt.Errorf("throttle %.12s: %w", o.ID, err)}
	}

	// The loop writes it between two ticks, which takes as long as the one of now does.
	if again := e.lastLook(ctx, o); again.outcome != "" || !again.state.Running || !again.state.CPU.Same(l.state.CPU) {
		return notThrottled(&again)
	}

	r := StepResult{Outcome: contract.OutcomeDone}
	if !l.state.CPU.Same(limits.Set) {
		r = e.setLimit(ctx, o.ID, limits.Set, l.state.CPU, time.Duration(o.Act.Deadline)*time.Second)
	}
	if r.Outcome == contract.OutcomeDone || r.Outcome == contract.OutcomeUnknown {
		r.Limits = &limits
	}
	return r
}

// notThrottled is the end of a throttle that a last look forbids.
func notThrottled(l *look) StepResult {
	switch {
	case l.outcome != "":
		return StepResult{Outcome: l.outcome, Why: l.why, Err: l.err, EngineFault: engine.KindOf(l.err).EngineFault()}
	case !l.state.Running:
		return StepResult{Outcome: contract.OutcomeRefused, Why: "it does not run", Ended: true}
	default:
		return StepResult{Outcome: contract.OutcomeRefused, Why: "its CPU limit changed while the throttle was written down"}
	}
}

// GiveBack gives a container the limit back that it had before a throttle. Neither policy nor approval is asked: what was taken is
// owed, also to one that is not own any more. A limit that somebody else has set since stays, and so does that of one that cannot
// be inspected, until it can be.
func (e *StepEnforcer) GiveBack(ctx context.Context, o GiveBackOrder) StepResult {
	began := time.Now()
	r := e.giveBack(ctx, &o)
	r.Took = time.Since(began)
	return r
}

func (e *StepEnforcer) giveBack(ctx context.Context, o *GiveBackOrder) StepResult {
	if !contract.IsContainerID(o.ID) {
		return StepResult{Outcome: contract.OutcomeRefused, Why: noFullID}
	}

	state, err := inspect(ctx, e.inspector, o.ID)
	switch kind := engine.KindOf(err); {
	case kind == engine.KindGone, err == nil && state.Removing():
		return StepResult{Outcome: contract.OutcomeAlreadyGone, Ended: true}
	case err != nil:
		return StepResult{Outcome: contract.OutcomeFailed, Err: err, EngineFault: kind.EngineFault()}
	case state.ID != o.ID:
		return StepResult{Outcome: contract.OutcomeRefused, Why: fmt.Sprintf("the engine answered for another id (%.12s)", state.ID)}
	case state.NetworkMode == "": // its configuration was left out, and its limit with it
		return StepResult{Outcome: contract.OutcomeFailed, Err: fmt.Errorf("look %.12s: the engine did not tell its CPU limit", o.ID)}

	case state.CPU.Same(o.Limits.Before):
		return StepResult{Outcome: contract.OutcomeDone}
	case !state.CPU.Same(o.Limits.Set):
		return StepResult{Outcome: contract.OutcomeRefused, Why: theirs}
	default:
		return e.setLimit(ctx, o.ID, o.Limits.Before, state.CPU, time.Duration(o.Act.Deadline)*time.Second)
	}
}

// setLimit makes the call. What one that failed has come to is read from the container, of which from is the limit before.
func (e *StepEnforcer) setLimit(ctx context.Context, id string, limit, from engine.CPULimit, deadline time.Duration) StepResult {
	call, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := e.mutator.SetCPU(call, id, limit)

	kind := engine.KindOf(err)
	r := StepResult{Outcome: contract.OutcomeDone, Rung: contract.RungThrottle, Attempts: 1, EngineFault: kind.EngineFault()}
	switch kind {
	case engine.KindNone:
		return r
	case engine.KindGone, engine.KindRemoving:
		r.Outcome, r.Ended = contract.OutcomeAlreadyGone, true
		return r
	case engine.KindUnsupported:
		r.Outcome, r.Unsupported, r.Why = contract.OutcomeRefused, true, err.Error()
		return r
	}

	r.Outcome, r.Err = contract.OutcomeFailed, err
	if kind.Indeterminate() {
		r.Outcome = contract.OutcomeUnknown
	}

	state, seen := inspect(ctx, e.inspector, id)
	switch {
	case engine.KindOf(seen) == engine.KindGone:
		r.Outcome, r.Err, r.Ended = contract.OutcomeAlreadyGone, nil, true
	case seen == nil && state.CPU.Same(limit):
		r.Outcome, r.Err = contract.OutcomeDone, nil
	case seen == nil && !state.CPU.Same(from):
		r.Outcome, r.Err, r.Why = contract.OutcomeRefused, nil, theirs
	}
	return r
}
