package actuator

import (
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

// StepOrder is one step of a plan of version 2 on one container: a throttle, a stop or a removal.
type StepOrder struct {
	ActionID string
	// Tick and Sequence name the plan and the snapshot it was decided on.
	Tick, Sequence uint64

	ID, Name string // the full id
	// PastNames are those that it ever had on this host, which protection is asked of too.
	PastNames []string
	// Step is throttle, stop or remove, the StepIndex-th of the rule with the hash RuleHash, counted from 1.
	Step      policy2.Step
	StepIndex int
	RuleHash  string
	// InForce is under which policy and approval it was decided.
	InForce InForce
	Act     policy2.Act

	// StartedAt is the start that was judged. Restarts is not nil where the rule asks for restarts, and has their number: then
	// only a start by the engine, which counts on, may have come since.
	StartedAt string
	Restarts  *int
	// Labels are those that the decision rests on, gestor.class among them; one that it did not have is "".
	Labels map[string]string

	// Volumes says that its anonymous volumes may go with it, MayDelete that a stop may delete one that was started with --rm.
	// AutoRemove and AnonymousVolumes are what the guards saw of it.
	Volumes, MayDelete bool
	AutoRemove         bool
	AnonymousVolumes   int

	// After are the ids of those that have to go first, Circle of those that the same plan ends and that need each other in a circle, itself
	// among them, in the order in which they go.
	After, Circle []string
	// NetworkModes are those of the host's containers by id, as far as they are known. Orders share it: it must not change.
	NetworkModes map[string]string
	Floor        Floor

	// NanoCPUs is the limit of a throttle, in billionths of a core. Replaces are the limits of an earlier throttle that is still
	// owed: this one takes its place.
	NanoCPUs int64
	Replaces *Limits
}

// removes says that the step, once it is done, takes the container from the host. state is nil while it was not seen.
func (o *StepOrder) removes(state *engine.ContainerState) bool {
	autoRemove := o.AutoRemove || state != nil && state.AutoRemove
	return o.Step == policy2.StepRemove || o.Step == policy2.StepStop && autoRemove
}

// noFullID is why an order is not followed: the engine would also resolve a name or the first digits of an id.
const noFullID = "the order has no full id"

// InForce names what allows to act: the policy, its mode, and the time of its approval, 0 without one (rules.InForce).
type InForce struct {
	PolicyHash     string
	Mode           contract.Mode
	ApprovedWallUS int64
}

// Floor is what must still run when a place is taken from the container: at least Need of the Keepers. The zero value always
// holds.
type Floor struct {
	// Keepers are the units that hold the places of its contest, each with the full ids of its containers: a project runs while
	// one of them does.
	Keepers [][]string
	Need    int
}

// Limits are what a throttle changes: the limit that it found, or that is owed since an earlier one, and the one it sets.
type Limits struct {
	Before engine.CPULimit
	Set    engine.CPULimit
}

// Owed says that there is something to give back.
func (l Limits) Owed() bool { return !l.Before.Same(l.Set) }

// GiveBackOrder gives one container the limit back that a throttle lowered.
type GiveBackOrder struct {
	ActionID string
	Tick     uint64
	ID, Name string // the full id
	Limits   Limits
	Act      policy2.Act
}

// StepResult is what became of a step, or of a limit that was to be given back.
type StepResult struct {
	// Outcome is one of the contract's outcomes.
	Outcome string
	// Rung is the last engine call that was made, "" when none was.
	Rung     contract.Rung
	Attempts int // engine calls that could change something
	Took     time.Duration
	// Why says what did not hold any more, Err what the engine said.
	Why string
	Err error

	// Held says that it was not gone on with since the plan of now is held, or another suite's manager runs: that may pass.
	Held bool
	// Removes says that the step, once it is done, takes the container from the host: a removal, and a stop of one that was
	// started with --rm.
	Removes bool
	// Of the anonymous volumes of a container that was removed, so many are left behind, and so many were given to the engine to
	// be deleted with it: it keeps those that another container uses.
	VolumesLeft, VolumesRemoved int
	// Limits are those of a throttle that was set, or may have been.
	Limits *Limits

	// Ended says that the container does not run any more, by us or before we came, although it may still exist. StopUntil is when
	// the wait of the last stop that was asked for is over, zero when none was: until then the engine ends the container also when
	// the order is over.
	Ended     bool
	StopUntil time.Time
	// Unsupported says that the engine has no such call, EngineFault that it was in trouble at some point, even when the order
	// succeeded in the end.
	Unsupported, EngineFault bool
}

// ErrorText says what kept the step from being done, "" when nothing did.
func (r StepResult) ErrorText() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Why
}

// Present is what holds at this moment: the policy in force, what allows to act, and whose containers are Gestor's.
type Present struct {
	InForce InForce
	// Policy is the one in force; nil where none is, under which nothing is done. It must not change.
	Policy *policy2.Policy
	Suite  policy2.Suite
	// Socket is the path of the engine's socket on the host, "" where it is not known.
	Socket string
	// Held says what holds the plan of now (rules.Plan), "" for nothing.
	Held string
}

// HostInspector reads the engine. None of its methods changes anything.
type HostInspector interface {
	// Inspect returns the state of one container, an error of kind engine.KindGone when there is none.
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
	// List returns every container of the host.
	List(ctx context.Context) (contract.Inventory, error)
}

// StepMutator changes the engine's containers. Each of its methods takes a full id.
type StepMutator interface {
	Kill(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, wait time.Duration) error
	Delete(ctx context.Context, id string, how engine.Removal) error
	SetCPU(ctx context.Context, id string, limit engine.CPULimit) error
}

// LimitLog writes down the intent to throttle with both limits. It is on stable storage when LogLimits returns nil.
type LimitLog interface {
	LogLimits(o StepOrder, limits Limits) error
}

// StepEnforcer carries steps of plans of version 2 out on the engine. It is safe for concurrent use if its parts are.
//
// Right before every call that changes something it looks at the container and its host once more, see lastLook: who cannot be
// inspected, or is not what was judged, is not touched.
type StepEnforcer struct {
	inspector HostInspector
	mutator   StepMutator
	limits    LimitLog
	present   func() Present
}

// NewStepEnforcer makes an actuator that acts. present is asked before every call, by several goroutines at a time.
func NewStepEnforcer(i HostInspector, m StepMutator, l LimitLog, present func() Present) *StepEnforcer {
	return &StepEnforcer{inspector: i, mutator: m, limits: l, present: present}
}

// Do carries one order out and returns when its outcome is known, or is known to be unknown. Every engine call has the policy's
// deadline, a stop its wait on top; no call is tried again once the order as a whole has taken that long. The intent of a stop or a
// removal must be on stable storage; that of a throttle is written by it.
func (e *StepEnforcer) Do(ctx context.Context, o StepOrder) StepResult {
	began := time.Now()
	var r StepResult
	switch {
	case !contract.IsContainerID(o.ID):
		r = StepResult{Outcome: contract.OutcomeRefused, Why: noFullID, Removes: o.removes(nil)}

	case o.Step == policy2.StepThrottle:
		r = e.throttle(ctx, &o)

	case o.Step == policy2.StepStop || o.Step == policy2.StepRemove:
		r = newEnding(e, &o, began).run(ctx)

	default:
		r = StepResult{Outcome: contract.OutcomeRefused, Why: "the engine has nothing to do with the step " + string(o.Step)}
	}

	r.Took = time.Since(began)
	return r
}
