// Package actuator carries out one removal at a time: a check of what the plan took for granted, then the rungs of the
// policy's ladder, then a look at what became of the container.
//
// There are two actuators. [Enforcer] changes containers through a [Mutator]. [Shadow] has only an [Inspector]: it
// cannot change anything, whatever it is asked to do, and its records carry another verb.
package actuator

import (
	"context"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// Inspector reads the engine. None of its methods changes anything.
type Inspector interface {
	// Inspect returns the state of one container, an error of kind engine.KindGone when there is none.
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
	// ListOwned returns the containers that carry the ownership label.
	ListOwned(ctx context.Context) (contract.Inventory, error)
}

// Mutator changes the engine's containers. Each of its methods takes a full id.
type Mutator interface {
	Kill(ctx context.Context, id string) error
	// Stop asks the container to end, and kills it once wait has passed.
	Stop(ctx context.Context, id string, wait time.Duration) error
	Remove(ctx context.Context, id string) error
	SetCPU(ctx context.Context, id string, limit engine.CPULimit) error
}

// UndoLog writes down the intent to throttle and what it has to be undone with. Both are on stable storage when
// LogThrottle returns nil.
type UndoLog interface {
	LogThrottle(o Order, before engine.CPULimit) error
}

// Enforcer carries orders out on the engine. It is safe for concurrent use if its parts are.
type Enforcer struct {
	inspector Inspector
	mutator   Mutator
	undoLog   UndoLog
}

// NewEnforcer makes an actuator that acts.
func NewEnforcer(i Inspector, m Mutator, u UndoLog) *Enforcer {
	return &Enforcer{inspector: i, mutator: m, undoLog: u}
}

// Do carries one order out and returns when its outcome is known, or is known to be unknown. Every engine call has the
// policy's deadline; no call is tried again once the order as a whole has taken that long. Where a stop is asked for, what it
// has to wait (StopWait) comes on top of both.
func (e *Enforcer) Do(ctx context.Context, o Order) Result {
	began := time.Now()
	state, result := checkPreconditions(ctx, e.inspector, o)
	if result.Outcome == "" {
		run := &escalation{Enforcer: e, order: o, began: began, stopped: !state.Running}
		if state.Running && slices.Contains(o.Rungs, contract.RungStop) {
			run.stopWait = StopWait(state.StopTimeout, o.Act)
		}
		result = run.run(ctx)

		// The engine removes the anonymous volumes of a --rm container together with it.
		if !state.AutoRemove {
			result.AnonymousVolumes = state.AnonymousVolumes
		}
	}

	result.Order, result.Took = o, time.Since(began)
	return result
}

// Shadow does everything but act: it checks the same preconditions and then reports what would have been done.
type Shadow struct {
	inspector Inspector
}

// NewShadow makes an actuator that cannot act.
func NewShadow(i Inspector) *Shadow { return &Shadow{inspector: i} }

// Do checks the preconditions of an order; outcome done means that the victim would have been removed.
func (s *Shadow) Do(ctx context.Context, o Order) Result {
	began := time.Now()
	_, r := checkPreconditions(ctx, s.inspector, o)
	r.Order, r.Took = o, time.Since(began)
	if r.Outcome == "" {
		r.Outcome = contract.OutcomeDone
	}
	return r
}
