package govern

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
	"gestor.local/ship"
)

// HostReader reads the host once.
type HostReader interface {
	Read(ctx context.Context) (source.Reading, error)
}

// Engine is what the loop asks of the container engine.
type Engine interface {
	List(ctx context.Context) (contract.Inventory, error)
	actuator.Inspector
	actuator.Mutator
}

// Journal keeps intents and outcomes. An intent is on stable storage when Intent returns nil.
type Journal interface {
	// Check is asked before anything is done on a tick; an error closes the gate, for that tick at least.
	Check() error
	Tick(p contract.Policy, t journal.Tick, plan contract.Plan) (seq uint64, err error)
	NoPlan(t journal.NoPlan) error
	Intent(intents ...journal.Intent) (first uint64, err error)
	Outcome(outcomes ...journal.Outcome) (first uint64, err error)
	Size() int64
}

// Spool keeps records until the log service has them.
type Spool interface {
	// Check is asked as that of the journal is.
	Check() error
	Append(records ...contract.Record) error
	Stats() ship.Stats
}

// Sink hears what the loop does. Its methods are called by the loop: they must be quick and must not keep what they are
// given beyond reading it.
type Sink interface {
	OnTick(r *Report)
	OnAction(a ActionResult)
	// OnPolicy says that another policy is in force; the first report under it comes a tick of its own later.
	OnPolicy(p contract.Policy)
}

// PolicySource knows which policy is to be in force. It is asked by the loop alone.
type PolicySource interface {
	// Poll returns the policy, or why it is refused, when it may be another than at the last look, and always when it is to
	// look anew. It is asked before every tick: where nothing has changed it must be quick.
	Poll(anew bool) (r PolicyUpdate, changed bool)
}

// Options configure a Governor. Everything but Policies and Sinks is required.
type Options struct {
	// Policy is in force at the start, Policies tell of every later one; without them it stays.
	Policy   contract.Policy
	Policies PolicySource
	Suite    Suite
	// Host names the machine in the records and the inventory.
	Host    string
	Reader  HostReader
	Engine  Engine
	Journal Journal
	Spool   Spool
	// Recovered is what the journal held when it was opened.
	Recovered journal.Recovery
	// First are the first records of the run: what the start has to tell.
	First []contract.Record
	// Backlog is what the journal held and the spool did not.
	Backlog Backlog
	// Boottime reads CLOCK_BOOTTIME in microseconds: the clock of the snapshots.
	Boottime func() uint64
	// RecordAll records every container of the host, else only the owned ones and the suite's.
	RecordAll bool
	// Drain is how long victims in flight may take to end when the manager is told to stop.
	Drain time.Duration
	// RemoveOrphansAtStop removes, at the stop, containers whose generator does not run any more (policy.Orphans).
	RemoveOrphansAtStop bool
	Sinks               []Sink
	Log                 zerolog.Logger
}

// Reload is a changed policy, or why it was refused.
type PolicyUpdate struct {
	Policy contract.Policy
	Err    error
}

// ReloadResult is what came of a look for another policy.
type ReloadResult struct {
	// Policy is the hash of the policy in force, Changed whether it is another than before, Refused why what is there is not
	// taken, "" when it is.
	Policy  string        `json:"policy"`
	Mode    contract.Mode `json:"mode"`
	Changed bool          `json:"changed"`
	Refused string        `json:"refused,omitempty"`
}

// looker is the part of the engine that tells one container's state.
type looker interface {
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
}
