package contract

// Plan is what the policy decided on one tick: a verdict for every container of that tick. It is a pure function of
// policy, population, inventory and the manager's memory (Context), so that it can be replayed byte for byte.
type Plan struct {
	Tick       uint64 `json:"tick"`
	Sequence   uint64 `json:"sequence"`
	PolicyHash string `json:"policy_hash"` // first 16 hex digits of the SHA-256 of the effective policy's JSON
	Mode       Mode   `json:"mode"`
	// Classify says what Rank counts: places in a class, or in the one list of rank mode.
	Classify Classify `json:"classify"`
	// Counts, one for each class in the order low, high, unknown.
	Counts []ClassCount `json:"counts"`
	// Surprise is true when the plan is larger than the policy expects: it is not executed this tick.
	Surprise bool `json:"surprise,omitempty"`
	// Verdicts on every container of the snapshot or the inventory, sorted by class (low, high, unknown), then rank
	// (unranked last), then ID.
	Verdicts []Verdict `json:"verdicts"`
}

// Held says why nothing of the plan is carried out, "" when it is: the first failing gate, else what its mode or its size
// keeps back.
func (p Plan) Held(gates []string) string {
	switch {
	case len(gates) > 0:
		return gates[0]
	case p.Mode == ModeObserve:
		return HeldObserve
	case p.Mode == ModeShadow:
		return HeldShadow
	case p.Surprise:
		return HeldSurprise
	default:
		return ""
	}
}

// ClassCount is the population of one class on one tick.
type ClassCount struct {
	Class      Class `json:"class"`
	Owned      int   `json:"owned"`      // all owned ones that live, young, unmeasured and paused included
	Eligible   int   `json:"eligible"`   // those that compete for the places
	Quota      int   `json:"quota"`      // places
	Deficit    int   `json:"deficit"`    // places nobody holds
	Removals   int   `json:"removals"`   // verdicts to remove
	OverCapped int   `json:"overcapped"` // over quota, kept by a cap
	// ManagedElsewhere are the living ones of an orchestrator. They take the places that the eligible leave, and are over the
	// quota beyond that: only their orchestrator can end them.
	ManagedElsewhere int `json:"managed_elsewhere,omitempty"`
}

// Verdict words.
const (
	VerdictKeep   = "keep"
	VerdictRemove = "remove"
)

// Reasons of a verdict. The text for people is ReasonText.
const (
	ReasonWithinQuota = "within_quota" // keep: holds a place
	ReasonNotOwned    = "not_owned"    // keep: no gestor.managed label
	ReasonSuite       = "suite"        // keep: part of Gestor itself
	ReasonProtected   = "protected"    // keep: named by the policy
	// keep: an orchestrator keeps it, and would start another
	ReasonElsewhere   = "managed_elsewhere"
	ReasonUnknown     = "unknown_class"
	ReasonYoung       = "young"      // keep: not seen for a full tick yet
	ReasonUnmeasured  = "unmeasured" // keep: no figure this time
	ReasonPaused      = "paused"
	ReasonLeaving     = "leaving" // keep: an earlier removal is in flight
	ReasonStuck       = "stuck"   // keep: removing failed too often
	ReasonFutile      = "futile"  // keep: comes back each time
	ReasonCapped      = "capped"  // keep: over quota, but the caps are reached
	ReasonNotRunning  = "not_running"
	ReasonNotInEngine = "not_in_engine" // keep: in the snapshot, unknown to this engine
	// ReasonShadowRemoved stands in no plan: mode shadow makes them without those that an earlier one would have removed.
	ReasonShadowRemoved = "shadow_removed" // keep: removed in shadow only, it runs on
	ReasonOverQuota     = "over_quota"     // remove
	ReasonYoungFlood    = "young_flood"    // remove: too many young ones, newest first
	ReasonMemoryFloor   = "memory_floor"   // remove: host memory under its floor, newest young ones first
	ReasonOrphaned      = "orphaned"       // remove: the suite ends and its generator is gone
)

// Verdict is the decision on one container, with everything that is needed to explain it.
type Verdict struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Image   string `json:"image,omitempty"`
	Class   Class  `json:"class"`
	Owned   bool   `json:"owned"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	// Rank counts from 1 among the eligible of its class, best first (low: lightest, high: heaviest); 0 = not ranked.
	// In rank mode all eligible containers share one list, lightest first.
	Rank int `json:"rank,omitempty"`
	// Cut is the last rank that stays; for the heaviest ones of rank mode, which stay at the other end of the list, the
	// first one.
	Cut     int    `json:"cut,omitempty"`
	Young   bool   `json:"young,omitempty"`
	AgeUS   uint64 `json:"age_us,omitempty"`
	StartUS uint64 `json:"start_us,omitempty"`
	// StartedAt is the engine's start time, compared again right before the act.
	StartedAt string    `json:"started_at,omitempty"`
	Measures  *Measures `json:"measures,omitempty"`
	// Neighbour is the container on the other side of the cut that came closest, DecidingKey the key that put it there.
	Neighbour   *Neighbour `json:"neighbour,omitempty"`
	DecidingKey Key        `json:"deciding_key,omitempty"`
}

// Neighbour is the nearest container with the opposite verdict.
type Neighbour struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Rank int    `json:"rank"`
	Measures
}

// Context is what the manager remembers between ticks and the policy needs. Lists of ids are sorted.
type Context struct {
	Tick uint64 `json:"tick"`
	// Suite is the value of LabelSuite that a container must carry to be owned; "" asks for LabelManaged alone.
	Suite string `json:"suite,omitempty"`
	// SuiteIDs are the full ids of the log service, the manager and the generator.
	SuiteIDs []string `json:"suite_ids,omitempty"`
	Leaving  []string `json:"leaving,omitempty"`
	Stuck    []string `json:"stuck,omitempty"`
	// FutileNames are container names whose removal is pointless because they return.
	FutileNames []string `json:"futile_names,omitempty"`
	// RemovedLastMinute counts removals begun in the last 60 s.
	RemovedLastMinute int `json:"removed_last_minute"`
	// PolicyChanged is true on the first plan after a reload that changed the policy (never on a first start).
	PolicyChanged bool `json:"policy_changed,omitempty"`
	// SurpriseSeen is true when the previous plan was a surprise and ran in shadow: this one is not held back for its
	// size again.
	SurpriseSeen bool `json:"surprise_seen,omitempty"`
}

// Outcomes of an action.
const (
	OutcomeDone           = "done"
	OutcomeAlreadyGone    = "already_gone"
	OutcomeAlreadyStopped = "already_stopped"
	OutcomeRefused        = "refused" // a precondition did not hold any more, or the engine has no such call
	OutcomeUnknown        = "unknown" // to be verified before anything else is tried
	OutcomeFailed         = "failed"
)
