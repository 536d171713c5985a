package govern

import (
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/ship"
)

// Report is the state of affairs at the end of one tick.
type Report struct {
	Tick   uint64
	At     time.Time
	Mode   contract.Mode
	Policy contract.Policy
	Source string // of the snapshot, "" when there was none
	// Population, Inventory and Plan are nil when this tick could not make them.
	Population *contract.Population
	Inventory  *contract.Inventory
	Plan       *contract.Plan
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

// OnAction is the end of one action.
type ActionResult struct {
	actuator.Result
	Verb  string // contract.ActionRemove …
	At    time.Time
	Final bool // false while the outcome is unknown and will be looked for
}
