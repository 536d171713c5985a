// Package actuator carries out one removal at a time: a last look at the container, then the rungs of the policy's
// ladder, then a look at what became of it.
//
// There are two actuators. [Enforcer] changes containers through a [Mutator]. [Shadow] has only an [Inspector]: it cannot change anything,
// whatever it is asked to do, and its records carry another verb.
package actuator

import (
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// Order is one container to be removed.
type Order struct {
	ActionID string
	// Tick and Sequence name the plan and the snapshot it was decided on.
	Tick, Sequence uint64
	Victim         contract.Verdict
	// Suite is the value of the suite label that the victim must carry to be owned, "" for any.
	Suite string
	// ClassLabel is the victim's gestor.class label at the time of the plan ("" = none).
	ClassLabel   string
	MinAvailable MinAvailable
	Act          contract.Act
	// Rungs to be taken, RungRemove last; the throttle rung is an action of its own (Enforcer.Throttle).
	Rungs []contract.Rung
	// Before is the CPU limit that a throttle replaced; nil when none did.
	Before *engine.CPULimit
	// Lowered is the limit that the throttle set; nil where that is not known, as after a restart.
	Lowered *engine.CPULimit
}

// MinAvailable is what must still stand when the order is carried out: at least Need of the Survivors run. The zero value always
// holds.
type MinAvailable struct {
	Survivors []string // full ids, sorted
	Need      int
}

// Result is what became of an order.
type Result struct {
	Order Order
	// Outcome is one of the contract's outcomes.
	Outcome string
	// Rung is the last one that was tried, "" when the last look ended it.
	Rung     contract.Rung
	Attempts int // engine calls that could change something
	Took     time.Duration
	// Why says what the last look refused, Err what the engine said.
	Why string
	Err error
	// Ended says that the container does not run any more, by us or before we came, although it may still exist.
	Ended bool
	// AnonymousVolumes counts the volumes that the container leaves behind when it is removed, as of the last look.
	AnonymousVolumes int
	// Unsupported says that the engine has no such call: the next rung is to be taken.
	Unsupported bool
	// EngineFault says that the engine itself was in trouble at some point, even when the order succeeded in the end.
	EngineFault bool
}

// ErrorText says what kept the order from being done, "" when nothing did.
func (r Result) ErrorText() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Why
}

// Inspector reads the engine. None of them changes anything.
type Inspector interface {
	// Inspect returns the state of one container, an error of kind engine.KindGone when there is none.
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
	// ListOwned returns the containers that carry the ownership label.
	ListOwned(ctx context.Context) (contract.Inventory, error)
}

// Mutator changes the engine's containers. Each takes a full id.
type Mutator interface {
	Kill(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Remove(ctx context.Context, id string) error
	SetCPU(ctx context.Context, id string, limit engine.CPULimit) error
}

// UndoLog writes down the intent to throttle and what it has to be undone with. Both are on stable storage when Throttling
// returns nil.
type UndoLog interface {
	Throttling(o Order, before engine.CPULimit) error
}
