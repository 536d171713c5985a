package actuator

import (
	"context"
	"time"

	"gestor.local/contract"
)

// Enforcer carries orders out on the engine. It is safe for concurrent use if its parts are.
type Enforcer struct {
	inspector Inspector
	mutator   Mutator
	undo      UndoLog
}

// NewEnforcer makes an actuator that acts.
func NewEnforcer(inspector Inspector, mutator Mutator, undo UndoLog) *Enforcer {
	return &Enforcer{inspector: inspector, mutator: mutator, undo: undo}
}

// Verb is the action its records carry.
func (e *Enforcer) Verb() string { return contract.ActionRemove }

// Do carries one order out and returns when its outcome is known, or is known to be unknown. Every engine call has the
// policy's deadline; no call is tried again once the order as a whole has taken that long.
func (e *Enforcer) Do(ctx context.Context, o Order) Result {
	began := time.Now()
	view, result := lastLook(ctx, e.inspector, o)
	if result.Outcome == "" {
		c := &climb{Enforcer: e, order: o, began: began, stopped: !view.Running}
		result = c.run(ctx)
		if !view.AutoRemove { // the engine removes those of a --rm container with it
			result.AnonymousVolumes = view.AnonymousVolumes
		}
	}
	result.Order, result.Took = o, time.Since(began)
	return result
}
