package rules

// Memory is what is known from earlier ticks. It is a value: Remember makes the next one and leaves this one as it is. The zero
// value is that of a first start, or of a lost journal.
//
// Times of the governed clock G and of CLOCK_BOOTTIME are microseconds, as in Facts.
type Memory struct {
	Tick   uint64 `json:"tick,omitempty"`
	BootID string `json:"boot_id,omitempty"`
	BootUS uint64 `json:"boot_us,omitempty"`
	GUS    int64  `json:"g_us,omitempty"`
	// EarlierBootGUS is G at the last tick of the boot before, 0 when there is none in memory.
	EarlierBootGUS int64 `json:"earlier_boot_g_us,omitempty"`

	// PolicyHash and ApprovedWallUS are those under which the last plan was made.
	PolicyHash     string `json:"policy_hash,omitempty"`
	ApprovedWallUS int64  `json:"approved_wall_us,omitempty"`
	// ApprovedGUS is the time of that approval in G, fixed when it was first seen; 0 without one.
	ApprovedGUS int64 `json:"approved_g_us,omitempty"`

	// Containers are those of the last tick, sorted by id: of who is gone nothing is kept.
	Containers []ContainerMemory `json:"containers,omitempty"`
	// Spent are the containers that were first stopped or removed, oldest first, as long as a span of the budget reaches.
	Spent []Spent `json:"spent,omitempty"`
	// Surprise is the hold of a plan larger than expected; nil without one.
	Surprise *Surprise `json:"surprise,omitempty"`

	// rulesOf is the program that the rules of Containers are sorted for; nil after a decoding.
	rulesOf *Program
}

// Spent is a number of containers that counted against the budget on one tick.
type Spent struct {
	Tick uint64 `json:"tick"`
	GUS  int64  `json:"g_us"`
	N    int    `json:"n"`
}

// Surprise is a plan that is shown before it is carried out.
type Surprise struct {
	SinceGUS int64 `json:"since_g_us"`
	// Count is the number of containers that the plan stopped or removed when the hold began.
	Count int `json:"count"`
	// Over says that the hold has run out: it does not come again before a tick without surprise.
	Over bool `json:"over,omitempty"`
}

// ContainerMemory is what is known of one container from earlier ticks.
type ContainerMemory struct {
	ID string `json:"id"`
	// Seen is the number of inventories in a row that had it.
	Seen int `json:"seen"`
	// Names are all that it had on this host, the one of now included, or the first policy2.MostPastNames and one more. Sorted.
	Names []string `json:"names,omitempty"`

	// BornGUS is G at its creation, fixed for its life; Born says so far it is known.
	Born    Birth `json:"born"`
	BornGUS int64 `json:"born_g_us,omitempty"`
	// OwnSinceGUS is when it came to be own, 0 when it is not or that is unknown.
	Own         bool  `json:"own,omitempty"`
	OwnSinceGUS int64 `json:"own_since_g_us,omitempty"`

	Start Start `json:"start,omitzero"`
	Idle  Idle  `json:"idle,omitzero"`
	End   End   `json:"end,omitzero"`
	// Restarts are the growths of the engine's count of the last 24 h, oldest first.
	Restarts []Growth `json:"restarts,omitempty"`

	// Rules are what the rules remember of it, in their order.
	Rules []RuleMemory `json:"rules,omitempty"`
}

// Birth says how far the creation of a container is known.
type Birth string

// Births.
const (
	BornUnknown Birth = ""         // not yet known
	BornKnown   Birth = "known"    // by the engine's time, or by the inventory that had it first
	BornNever   Birth = "never"    // the engine's time is nonsense: it stays unknown
	BornSight   Birth = "at_sight" // the engine's clock and the boot clock disagree: it counts from first sight
)

// Start is the present start of a container.
type Start struct {
	At string `json:"at,omitempty"` // StartedAt, "" when it was not known yet
	// GUS is G at the start, 0 when it was never started.
	GUS int64 `json:"g_us,omitempty"`
	// ByEngine says that a growth of RestartCount explains it; Grew that it has grown since.
	ByEngine bool `json:"by_engine,omitempty"`
	Grew     bool `json:"grew,omitempty"`
	// Count is the last RestartCount, Counted says that there was one.
	Count   int  `json:"count,omitempty"`
	Counted bool `json:"counted,omitempty"`
}

// Idle is for how long a container has done nothing.
type Idle struct {
	QuietUS int64 `json:"quiet_us,omitempty"`
	// BootUS is when what it did was last known, 0 for not yet on this start; CPUTotalUS and NetBytes are its counters then.
	BootUS     uint64 `json:"boot_us,omitempty"`
	CPUTotalUS uint64 `json:"cpu_total_us,omitempty"`
	CPUCounted bool   `json:"cpu_counted,omitempty"` // there was such a counter
	NetBytes   uint64 `json:"net_bytes,omitempty"`
	NetBootUS  uint64 `json:"net_boot_us,omitempty"` // when NetBytes was read
	// Known says that it is known on this tick.
	Known bool `json:"known,omitempty"`
}

// End is when a container ended.
type End struct {
	// WallUS is what the engine said, by which one end is told from another; 0 for one that was created and never started.
	WallUS int64 `json:"wall_us,omitempty"`
	GUS    int64 `json:"g_us,omitempty"`
	Known  bool  `json:"known,omitempty"`
}

// Growth is how much a container's count of restarts grew between two ticks.
type Growth struct {
	GUS int64 `json:"g_us"`
	N   int   `json:"n"`
}

// RuleMemory is what one rule remembers of one container.
type RuleMemory struct {
	Hash string `json:"hash"` // of the rule

	// For is how long the rule's conditions have held on end.
	For For `json:"for,omitzero"`

	// Done is the number of steps of the ladder that were done, DoneGUS when the last one was, StartedAt which start of the
	// container that was of. Stopped says that one of the steps stopped it.
	Done      int    `json:"done,omitempty"`
	DoneGUS   int64  `json:"done_g_us,omitempty"`
	StartedAt string `json:"started_at,omitempty"`
	Stopped   bool   `json:"stopped,omitempty"`
	// Counted says that its stop or removal has counted against the budget.
	Counted bool `json:"counted,omitempty"`

	// AskedGUS is when the step warn asked for its notice, 0 when none is under way; NoticeGUS is when the last one was
	// delivered.
	AskedGUS  int64 `json:"asked_g_us,omitempty"`
	NoticeGUS int64 `json:"notice_g_us,omitempty"`
	// Guard is the last guard that was told of, GuardGUS when.
	Guard    string `json:"guard,omitempty"`
	GuardGUS int64  `json:"guard_g_us,omitempty"`
	// PossibleGUS is since when the rule has been possible on end, 0 when it is not.
	PossibleGUS int64 `json:"possible_g_us,omitempty"`

	Throttle *Throttle `json:"throttle,omitempty"`

	rule int  // index of the rule in the program, -1 when it is not there
	mark mark // of this tick alone
}

// For is since when a rule's conditions have held on end.
type For struct {
	Holds bool `json:"holds,omitempty"`
	// SinceUS is the boot clock then, later by the time that does not count.
	SinceUS uint64 `json:"since_us,omitempty"`
	// Missed ticks in a row on which it could not be known.
	Missed int `json:"missed,omitempty"`
	// May says that they have not been false, MaySinceUS since when on the boot clock.
	May        bool   `json:"may,omitempty"`
	MaySinceUS uint64 `json:"may_since_us,omitempty"`
}

// Throttle is a limit that was lowered and is owed.
type Throttle struct {
	// Limits in billionths of a core, 0 for none: the one before and the one that was set.
	OldNanoCPUs int64 `json:"old_nano_cpus"`
	NanoCPUs    int64 `json:"nano_cpus"`
	SetGUS      int64 `json:"set_g_us"`
	// Done says that the engine has set it, Shown that a reading has shown it since.
	Done  bool `json:"done,omitempty"`
	Shown bool `json:"shown,omitempty"`
	// Gone says that the rule's reason is gone, for GoneUS by now.
	Gone   bool  `json:"gone,omitempty"`
	GoneUS int64 `json:"gone_us,omitempty"`
}
