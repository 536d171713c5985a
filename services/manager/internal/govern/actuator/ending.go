package actuator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

// ending is the way of one order that stops or removes. Between two calls the container is looked at anew, and what it is then says
// what is called next: an answer of the engine alone is never the ground to go on.
type ending struct {
	*StepEnforcer
	order *StepOrder
	began time.Time

	state engine.ContainerState // as it was last seen, the zero value while it was not
	// rungs are the calls that are still to be made while it runs; tries counts those of each, attempts all.
	rungs    []contract.Rung
	tries    map[contract.Rung]int
	attempts int
	last     contract.Rung // the last that was called

	// ended says that a call of ours ended it, or may have; doubt that the last call may still take effect.
	ended, doubt bool
	fault        bool
	lastErr      error // of the last call
	stopWait     time.Duration
	stopUntil    time.Time
}

func newEnding(e *StepEnforcer, o *StepOrder, began time.Time) *ending {
	rungs := slices.DeleteFunc(slices.Clone(o.Act.Calls), func(r contract.Rung) bool { return r == contract.RungRemove })
	if o.Step == policy2.StepStop {
		rungs = []contract.Rung{contract.RungStop}
	}
	return &ending{StepEnforcer: e, order: o, began: began, rungs: rungs, tries: make(map[contract.Rung]int)}
}

// run looks and calls until the order is over.
func (x *ending) run(ctx context.Context) StepResult {
	for {
		l := x.lastLook(ctx, x.order)
		if l.state.ID != "" {
			x.state = l.state
		}
		if l.outcome != "" {
			return x.notFurther(ctx, &l)
		}
		if !x.state.Running && x.order.Step == policy2.StepStop {
			return x.stopped(ctx)
		}

		// One that ended is deleted without force, so that nobody is killed who was started since the look.
		rung := contract.RungRemove
		if x.state.Running && len(x.rungs) > 0 {
			rung = x.rungs[0]
		}
		if n := x.tries[rung]; n > 0 && (n >= maxAttempts || ctx.Err() != nil || time.Since(x.began) >= x.deadline()) {
			return x.givenUp()
		}
		if r, over := x.take(ctx, rung); over {
			return r
		}
	}
}

// take makes one call and says whether the order is over.
func (x *ending) take(ctx context.Context, rung contract.Rung) (r StepResult, over bool) {
	ran := x.state.Running
	err := x.call(ctx, rung)
	x.lastErr, x.doubt = err, false
	if err == nil {
		x.ended, x.state.Running = x.ended || ran, false // as the engine says; the next look tells
		return x.worked(ctx, rung)
	}

	kind := engine.KindOf(err)
	x.fault, x.doubt = x.fault || kind.EngineFault(), kind.Indeterminate()
	x.ended = x.ended || x.doubt && ran
	switch kind {
	case engine.KindGone:
		return x.gone(), true
	case engine.KindRemoving:
		return x.awaitGone(ctx), true

	case engine.KindUnsupported:
		return x.lacks(rung)

	case engine.KindNotRunning, engine.KindTimeout, engine.KindServer, engine.KindVanished, engine.KindUnreachable:
		return StepResult{}, false

	default:
		// Without force the engine refuses to delete one that was started meanwhile: the next look tells.
		if rung == contract.RungRemove && !ran {
			return StepResult{}, false
		}
		return x.failed(contract.OutcomeFailed), true
	}
}

// lacks goes on after a call that the engine does not have: a removal does without it.
func (x *ending) lacks(rung contract.Rung) (r StepResult, over bool) {
	switch {
	case rung == contract.RungRemove:
		return x.failed(contract.OutcomeFailed), true

	case x.order.Step == policy2.StepRemove:
		x.rungs = x.rungs[1:]
		return StepResult{}, false

	default:
		r = x.result(contract.OutcomeRefused)
		r.Unsupported, r.Why = true, x.lastErr.Error()
		return r, true
	}
}

// call makes the engine call of one rung under the policy's deadline. A stop also gets the time that it has to wait.
func (x *ending) call(ctx context.Context, rung contract.Rung) error {
	deadline := time.Duration(x.order.Act.Deadline) * time.Second
	if rung == contract.RungStop {
		x.stopWait = stopWait(x.state.StopTimeout, x.order.Act)
		x.stopUntil = time.Now().Add(x.stopWait)
		deadline = x.deadline()
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	x.tries[rung]++
	x.attempts++
	x.last = rung
	switch rung {
	case contract.RungStop:
		return x.mutator.Stop(ctx, x.order.ID, x.stopWait)
	case contract.RungKill:
		return x.mutator.Kill(ctx, x.order.ID)
	case contract.RungRemove:
		return x.mutator.Delete(ctx, x.order.ID, engine.Removal{Force: x.state.Running, Volumes: x.order.Volumes})
	default:
		return fmt.Errorf("act on %.12s: unknown call %q", x.order.ID, rung)
	}
}

// deadline is how long the order as a whole may take before nothing of it is tried again.
func (x *ending) deadline() time.Duration {
	return time.Duration(x.order.Act.Deadline)*time.Second + x.stopWait
}

// stopWait is StopWait under an act of version 2.
func stopWait(own time.Duration, act policy2.Act) time.Duration {
	return StopWait(own, contract.Act{Grace: contract.Duration(time.Duration(act.Grace) * time.Second)})
}

// worked goes on after a call that the engine carried out.
func (x *ending) worked(ctx context.Context, rung contract.Rung) (r StepResult, over bool) {
	if x.order.Step == policy2.StepRemove && rung != contract.RungRemove {
		x.rungs = x.rungs[1:]
		return StepResult{}, false
	}

	// The engine's word counts, unless an inspection says otherwise.
	state, err := inspect(ctx, x.inspector, x.order.ID)
	switch {
	case rung == contract.RungRemove && err == nil:
		return x.awaitGone(ctx), true
	case rung == contract.RungRemove:
		return x.gone(), true

	case err == nil && state.Running && state.StartedAt == x.state.StartedAt:
		x.state = state
		x.lastErr = fmt.Errorf("stop %.12s: the engine says that it is stopped, and it runs", x.order.ID)
		return x.failed(contract.OutcomeFailed), true
	default:
		return x.stopped(ctx), true
	}
}

// stopped is the end of a stop: of a container with --rm once the engine has deleted it.
func (x *ending) stopped(ctx context.Context) StepResult {
	if x.state.AutoRemove {
		return x.awaitGone(ctx)
	}
	return x.done()
}

// notFurther is the end of an order that a last look forbids to go on with. What may still take effect is not known to have failed.
func (x *ending) notFurther(ctx context.Context, l *look) StepResult {
	x.fault = x.fault || engine.KindOf(l.err).EngineFault()
	switch {
	case l.outcome == contract.OutcomeAlreadyGone && l.kind == engine.KindGone:
		return x.gone()

	case l.outcome == contract.OutcomeAlreadyGone && x.last != "":
		return x.awaitGone(ctx)

	case l.outcome == contract.OutcomeAlreadyGone:
		return x.gone()

	case x.last != "" && (x.doubt || x.ended && l.outcome == contract.OutcomeFailed):
		if x.lastErr == nil {
			x.lastErr = l.err
		}
		r := x.failed(contract.OutcomeUnknown)
		r.Why = l.why
		return r
	}

	r := x.result(l.outcome)
	r.Why, r.Err, r.Held = l.why, l.err, l.held
	return r
}

// givenUp is the end of an order whose last call failed too often, or for too long.
func (x *ending) givenUp() StepResult {
	if x.doubt {
		return x.failed(contract.OutcomeUnknown)
	}
	return x.failed(contract.OutcomeFailed)
}

// awaitGone waits for a removal that the engine has begun, or has said to be done.
func (x *ending) awaitGone(ctx context.Context) StepResult {
	if err := awaitGone(ctx, x.inspector, x.order.ID, time.Duration(x.order.Act.Deadline)*time.Second); err != nil {
		x.lastErr = err
		return x.failed(contract.OutcomeUnknown)
	}
	return x.gone()
}

// gone is the end of an order whose container is no more: ours only if we acted on it.
func (x *ending) gone() StepResult {
	deleted := x.last == contract.RungRemove && (x.lastErr == nil || x.doubt)
	if x.ended || deleted {
		return x.done()
	}
	return x.result(contract.OutcomeAlreadyGone)
}

// done is the end of an order that came to what it was for.
func (x *ending) done() StepResult {
	outcome := contract.OutcomeAlreadyStopped
	if x.ended {
		outcome = contract.OutcomeDone
	}

	r := x.result(outcome)
	r.Ended = true
	if r.Removes && x.order.Volumes || x.state.AutoRemove {
		r.VolumesRemoved = x.state.AnonymousVolumes
	} else if r.Removes {
		r.VolumesLeft = x.state.AnonymousVolumes
	}
	return r
}

func (x *ending) failed(outcome string) StepResult {
	r := x.result(outcome)
	r.Err = x.lastErr
	return r
}

func (x *ending) result(outcome string) StepResult {
	return StepResult{
		Outcome: outcome, Rung: x.last, Attempts: x.attempts, StopUntil: x.stopUntil, EngineFault: x.fault,
		Removes: x.order.removes(&x.state),
		Ended:   outcome == contract.OutcomeAlreadyGone || x.state.ID != "" && !x.state.Running,
	}
}
