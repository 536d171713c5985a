package actuator

import (
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
	// Rungs to be tried, RungRemove last; the throttle rung is an action of its own (Enforcer.Throttle).
	Rungs []contract.Rung
	// Before is the CPU limit that a throttle replaced; nil when none did.
	Before *engine.CPULimit
	// Lowered is the limit that the throttle set; nil where that is not known, as after a restart.
	Lowered *engine.CPULimit
}

// MinAvailable is what must still run when the order is carried out: at least Need of the Survivors. The zero value
// always holds.
type MinAvailable struct {
	Survivors []string // full ids, sorted
	Need      int
}

// Result is what became of an order.
type Result struct {
	Order Order
	// Outcome is one of the contract's outcomes.
	Outcome string
	// Rung is the last one that was tried, "" when the check of the preconditions ended it.
	Rung     contract.Rung
	Attempts int // engine calls that could change something
	Took     time.Duration
	// Why says which precondition did not hold, Err what the engine said.
	Why string
	Err error
	// StopUntil is when the wait of the last stop that was asked for is over, zero when none was. Until then the engine ends
	// the container also when the order is over.
	StopUntil time.Time
	// Ended says that the container does not run any more, by us or before we came, although it may still exist.
	Ended bool
	// AnonymousVolumes counts the volumes that the container leaves behind when it is removed, as of the last
	// inspection.
	AnonymousVolumes int
	// Unsupported says that the engine has no such call: the next rung is to be tried.
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
