package actuator

import (
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// Throttle lowers the CPU limit of a container that is going to be removed. Order.Before of the result is what it was.
func (e *Enforcer) Throttle(ctx context.Context, o Order) Result {
	began := time.Now()
	state, r := checkPreconditions(ctx, e.inspector, o)
	if r.Outcome == "" && !state.Running {
		r = Result{Outcome: contract.OutcomeAlreadyStopped, Ended: true}
	}
	if r.Outcome == "" {
		o.Before = &state.CPU
		r = e.throttle(ctx, o)
	}

	switch {
	case r.Unsupported:
		o.Before = nil // nothing was changed, so that nothing is to be given back
	case r.Outcome == contract.OutcomeDone:
		lowered := o.Before.Throttled(o.Act.ThrottleMillicores)
		o.Lowered = &lowered
	}
	r.Order, r.Rung, r.Took = o, contract.RungThrottle, time.Since(began)
	return r
}

// throttle lowers the limit once what it has to be undone with is on stable storage.
func (e *Enforcer) throttle(ctx context.Context, o Order) Result {
	if err := e.undoLog.LogThrottle(o, *o.Before); err != nil {
		return Result{Outcome: contract.OutcomeFailed, Err: fmt.Errorf("throttle %.12s: %w", o.Victim.ID, err)}
	}

	r := e.setLimit(ctx, o, o.Before.Throttled(o.Act.ThrottleMillicores))
	if engine.KindOf(r.Err) == engine.KindUnsupported {
		return Result{Outcome: contract.OutcomeRefused, Attempts: 1, Unsupported: true, Why: r.Err.Error()}
	}
	return r
}

// Unthrottle gives a container the CPU limit back that it had before. One that is gone needs no limit, and one whose
// limit somebody else has changed since keeps that.
func (e *Enforcer) Unthrottle(ctx context.Context, o Order) Result {
	began := time.Now()
	var r Result
	if e.changedMeanwhile(ctx, o) {
		r = Result{Outcome: contract.OutcomeRefused, Why: "somebody else has changed its CPU limit since it was throttled: it stays as it is"}
	} else {
		r = e.setLimit(ctx, o, *o.Before)
	}
	r.Order, r.Rung, r.Took = o, contract.RungThrottle, time.Since(began)
	return r
}

// changedMeanwhile says whether the limit is known to be another than the one that the throttle set. An undo that is
// tried again may find the old one: that is its own doing.
func (e *Enforcer) changedMeanwhile(ctx context.Context, o Order) bool {
	if o.Lowered == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Act.Deadline))
	defer cancel()
	state, err := e.inspector.Inspect(ctx, o.Victim.ID)
	return err == nil && !state.CPU.Equal(*o.Lowered) && !state.CPU.Equal(*o.Before)
}

func (e *Enforcer) setLimit(ctx context.Context, o Order, limit engine.CPULimit) Result {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Act.Deadline))
	defer cancel()

	err := e.mutator.SetCPU(ctx, o.Victim.ID, limit)
	switch kind := engine.KindOf(err); kind {
	case engine.KindNone:
		return Result{Outcome: contract.OutcomeDone, Attempts: 1}
	case engine.KindGone, engine.KindRemoving, engine.KindVanished:
		return Result{Outcome: contract.OutcomeAlreadyGone, Attempts: 1}
	default: // the limit may have been set: who asked has to count with both
		return Result{Outcome: contract.OutcomeFailed, Attempts: 1, Err: err, EngineFault: kind.EngineFault()}
	}
}
