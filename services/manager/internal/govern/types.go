package govern

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
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
	actuator.StepMutator
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

	// The following are asked under a policy of version 2. Decide returns 0 where there is no room for facts, which Short then says.
	Decide(d journal.Decision) (seq uint64, err error)
	Approve(document json.RawMessage) error
	Short() bool
}

// Spool keeps records until the log service has them.
type Spool interface {
	// Check is asked as that of the journal is.
	Check() error
	Append(records ...contract.Record) error
	Stats() ship.Stats
	Progress() ship.Progress
}

// Sink receives what the loop does. Its methods are called by the loop: they must be quick and must not keep what they
// are given beyond reading it.
type Sink interface {
	OnTick(r *Report)
	OnAction(a ActionResult)
	// OnPolicy says that another policy is in force; the first report under it comes a tick of its own later.
	OnPolicy(p contract.Policy)
}

// PolicySource knows which policy is to be in force. It is asked by the loop alone.
type PolicySource interface {
	// Poll returns the policy, or why it is refused, when it may be another than the last time, and always when it is
	// to be read anew. It is asked before every tick: where nothing has changed it must be quick.
	Poll(anew bool) (u PolicyUpdate, changed bool)
	// Stale says that Poll would find a change. Unlike Poll it may be asked by anybody: right before something is done.
	Stale() bool
}

// PolicyUpdate is a changed policy, or why it was refused.
type PolicyUpdate struct {
	Policy contract.Policy
	// Version2 is the policy instead of Policy, nil where that is of version 1. With Err it is the one in force with its approval
	// of now: a file that cannot be read must not keep an approval up that was taken back.
	Version2 *Version2
	Err      error
}

// ReloadResult is what came of reading the policy anew.
type ReloadResult struct {
	// Policy is the hash of the policy in force, Changed whether it is another than before, Refused why what is there
	// is not taken, "" when it is.
	Policy  string        `json:"policy"`
	Mode    contract.Mode `json:"mode"`
	Changed bool          `json:"changed"`
	Refused string        `json:"refused,omitempty"`
}

// Options configure a Governor. Everything but Version2, Policies, Network, Notifier, Once and Sinks is required.
type Options struct {
	// Policy is in force at the start, or Version2 where it is not nil; Policies have every later one, without them it stays.
	Policy   contract.Policy
	Version2 *Version2
	Policies PolicySource
	// Network counts traffic for policies of version 2; without it nobody's is known.
	Network NetworkCounter
	// Notifier passes notices on; nil where nobody outside of the suite is to be told.
	Notifier Notifier
	Suite    Suite
	// Socket is the path of the engine's socket on the host, "" where it is not known.
	Socket string
	// Host names the machine in the records and the inventory.
	Host    string
	Reader  HostReader
	Engine  Engine
	Journal Journal
	Spool   Spool
	// Recovered is what the journal held when it was opened.
	Recovered journal.Recovery
	// First are the first records of the run: what the start has to report.
	First []contract.Record
	// Backlog is what the journal held and the spool did not.
	Backlog Backlog
	// Boottime reads CLOCK_BOOTTIME in microseconds: the clock of the snapshots.
	Boottime func() uint64
	// RecordAll records every container of the host, else only the owned ones and the suite's.
	RecordAll bool
	// Drain is how long victims in flight may take to end when the manager is told to stop.
	Drain time.Duration
	// RemoveOrphansAtStop removes, at the stop, containers whose generator does not run any more (rules.Orphans, rules.OrphansV1).
	RemoveOrphansAtStop bool
	// Once ends the ticks with the first that has a plan and no closed gate. What it began comes to its end until Run is ended.
	Once  bool
	Sinks []Sink
	Log   zerolog.Logger
}

// Backlog is what the journal of an earlier run holds and its spool does not: that run was killed in between.
type Backlog struct {
	journal.Backlog
	// Observations is the journal's last line whose observations the spool has.
	Observations uint64
}

// Report is the state of affairs at the end of one tick.
type Report struct {
	Tick uint64
	At   time.Time
	Mode contract.Mode
	// Policy is that of version 1, or what one of version 2 says of the loop itself; PolicyHash names the one in force.
	Policy     contract.Policy
	PolicyHash string
	// Version2 is nil under a policy of version 1. Rules is then nil, too, and else the plan of the tick, if it has one; Plan is
	// that of version 1.
	Version2 *Version2
	Rules    *planview.View
	Source   string // of the snapshot, "" when there was none
	// Population, Inventory and Plan are nil when this tick could not make them.
	Population *contract.Population
	Inventory  *contract.Inventory
	Plan       *contract.Plan
	// Classes are those of the plan, nil where it has none. Rules of version 2 have classes where they do nothing but give each its
	// places.
	Classes []contract.ClassCount
	// Shadow is what the plan was made without (journal.Tick).
	Shadow []journal.Shadowed
	// Gates names what kept the manager from acting, in the order of GateNames.
	Gates []string
	// Held says why nothing of the plan is carried out, see contract.DecisionBody; "" when it is.
	Held       string
	Conditions []Condition
	Timings    contract.Timings
	Skipped    uint64
	// Orders were given on this tick; InFlight counts all victims whose end is not known yet.
	Orders   int
	InFlight int
	Stuck    int
	Breaker  string
	Spool    ship.Stats
	Journal  int64 // bytes
	// LogsElsewhere is the address of a log service on another host, see Suite.
	LogsElsewhere string
}

// ActionResult is the end of one action.
type ActionResult struct {
	actuator.Result
	Verb  string // contract.ActionRemove …
	At    time.Time
	Final bool // false while the outcome is unknown and will be looked for
}
