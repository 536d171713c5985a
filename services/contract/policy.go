package contract

import "time"

// PolicyVersion is the version of the policy document.
const PolicyVersion = 1

// Mode says what happens to a plan.
type Mode string

// Modes.
const (
	ModeObserve Mode = "observe" // plans are made and recorded, nothing else
	ModeShadow  Mode = "shadow"  // plans are executed on a shadow population that forgets the removed
	ModeEnforce Mode = "enforce" // plans are executed
)

// Classify says where a container's class comes from.
type Classify string

// Ways to classify.
const (
	ClassifyDeclared Classify = "declared" // label gestor.class, else the image map
	ClassifyRank     Classify = "rank"     // the original code: one list, first N low and last M high stay
)

// Key is one of the four measures that rank containers.
type Key string

// Ranking keys.
const (
	KeyCPU Key = "cpu"
	KeyRAM Key = "ram"
	KeyVSZ Key = "vsz"
	KeyRSS Key = "rss"
	KeyAge Key = "age" // tie-break only: older first
	KeyID  Key = "id"  // tie-break only: smaller id first
)

// Policy is the declared rule the population is held to. Zero values are not defaults: start from DefaultPolicy.
type Policy struct {
	Version  int      `json:"version" yaml:"version"`
	Mode     Mode     `json:"mode" yaml:"mode"`
	Tick     Duration `json:"tick" yaml:"tick"`
	Quota    Quota    `json:"quota" yaml:"quota"`
	Classify Classify `json:"classify" yaml:"classify"`
	// Rank is the order of the measures; each of cpu, ram, vsz, rss exactly once.
	Rank    []Key   `json:"rank" yaml:"rank"`
	Buckets Buckets `json:"buckets" yaml:"buckets"`
	// Warmup is the number of full ticks a container must have been seen before it counts (0: as the original code did).
	Warmup int `json:"warmup" yaml:"warmup"`
	// Images maps an image's repository (with or without tag) to a class, for containers without a class label.
	Images  map[string]Class `json:"images,omitempty" yaml:"images"`
	Protect Protect          `json:"protect" yaml:"protect"`
	Caps    Caps             `json:"caps" yaml:"caps"`
	Young   Young            `json:"young" yaml:"young"`
	Gates   Gates            `json:"gates" yaml:"gates"`
	Act     Act              `json:"act" yaml:"act"`
}

// Quota is how many containers of each class are kept.
type Quota struct {
	Low  int `json:"low" yaml:"low"`
	High int `json:"high" yaml:"high"`
}

// Buckets are the widths below which two values count as equal: the hysteresis of the ranking.
type Buckets struct {
	CPUMillicores uint64 `json:"cpu_millicores" yaml:"cpu_millicores"`
	RAMKB         uint64 `json:"ram_kb" yaml:"ram_kb"`
}

// Protect names containers that are never touched although they are owned.
type Protect struct {
	// Names are exact container names; Labels are "key" or "key=value".
	Names  []string `json:"names,omitempty" yaml:"names"`
	Labels []string `json:"labels,omitempty" yaml:"labels"`
}

// Caps bound what one plan, and one minute, may do.
type Caps struct {
	PerTick   int `json:"per_tick" yaml:"per_tick"`
	PerMinute int `json:"per_minute" yaml:"per_minute"`
	// MaxPlanPercent of the owned population: a plan beyond it and beyond PerTick is a surprise and runs in shadow once.
	MaxPlanPercent int `json:"max_plan_percent" yaml:"max_plan_percent"`
}

// Young bounds how many containers may live unjudged.
type Young struct {
	// Max is the number of young owned containers above which the newest may be removed.
	Max int `json:"max" yaml:"max"`
	// MemoryFloorKB of available host memory, below which the newest young ones may be removed; 0 turns it off.
	MemoryFloorKB uint64 `json:"memory_floor_kb" yaml:"memory_floor_kb"`
}

// Gates are the limits of what the manager trusts.
type Gates struct {
	MaxBadRowsPercent int `json:"max_bad_rows_percent" yaml:"max_bad_rows_percent"`
	// Interval between two snapshots in per cent of a tick.
	MinIntervalPercent int `json:"min_interval_percent" yaml:"min_interval_percent"`
	MaxIntervalPercent int `json:"max_interval_percent" yaml:"max_interval_percent"`
	// Settle is how long after the last finished action a snapshot is still considered disturbed.
	Settle Duration `json:"settle" yaml:"settle"`
	// DegradedAfter and AlarmAfter count gated ticks in a row.
	DegradedAfter int `json:"degraded_after" yaml:"degraded_after"`
	AlarmAfter    int `json:"alarm_after" yaml:"alarm_after"`
}

// Rung is one step of the ladder that ends a container's life.
type Rung string

// Rungs, in the order in which they may stand.
const (
	RungThrottle Rung = "throttle" // CPU quota lowered (docker update); undone when the container is kept after all
	RungStop     Rung = "stop"     // the image's stop signal, then SIGKILL after the container's own time
	RungKill     Rung = "kill"     // SIGKILL
	RungRemove   Rung = "remove"   // always last
)

// Act says how a removal is carried out.
type Act struct {
	Ladder []Rung `json:"ladder" yaml:"ladder"`
	// ThrottleMillicores is the CPU a container is held to on the throttle rung, ThrottleTicks for how many ticks.
	ThrottleMillicores uint64 `json:"throttle_millicores" yaml:"throttle_millicores"`
	ThrottleTicks      int    `json:"throttle_ticks" yaml:"throttle_ticks"`
	// Grace lengthens the time that a stop waits before SIGKILL; it never shortens a container's own.
	Grace    Duration `json:"grace" yaml:"grace"`
	Parallel int      `json:"parallel" yaml:"parallel"`
	// Deadline is for each engine call; what a stop waits comes on top.
	Deadline Duration `json:"deadline" yaml:"deadline"`
	// StuckAfter failures in a row a container is left alone; BreakerAfter engine errors in a row all acting pauses;
	// FutileAfter returns of the same name its removal pauses.
	StuckAfter   int `json:"stuck_after" yaml:"stuck_after"`
	BreakerAfter int `json:"breaker_after" yaml:"breaker_after"`
	FutileAfter  int `json:"futile_after" yaml:"futile_after"`
}

// DefaultPolicy is a policy of version 1 in which every key but version is left out. It is the original code's rule with its defects
// removed: every 10 s keep the 3 lightest low and the 2 heaviest high containers. Without a file policy2.Shipped is in force.
func DefaultPolicy() Policy {
	return Policy{
		Version:  PolicyVersion,
		Mode:     ModeEnforce,
		Tick:     Duration(10 * time.Second),
		Quota:    Quota{Low: 3, High: 2},
		Classify: ClassifyDeclared,
		Rank:     []Key{KeyCPU, KeyRAM, KeyVSZ, KeyRSS},
		Buckets:  Buckets{CPUMillicores: 10, RAMKB: 1024},
		Warmup:   1,

		Images: map[string]Class{
			"gestor/high-cpu": ClassHigh, "gestor/high-ram": ClassHigh,
			"gestor/low-idle": ClassLow, "gestor/low-pulse": ClassLow,

			// Those that the course uses.
			"alto_1": ClassHigh, "alto_2": ClassHigh, "bajo_1": ClassLow, "bajo_2": ClassLow,
		},

		Caps:  Caps{PerTick: 20, PerMinute: 60, MaxPlanPercent: 90},
		Young: Young{Max: 30},
		Gates: Gates{
			MaxBadRowsPercent: 10, MinIntervalPercent: 50, MaxIntervalPercent: 300,
			Settle: Duration(0), DegradedAfter: 3, AlarmAfter: 6,
		},
		Act: Act{
			Ladder:             []Rung{RungKill, RungRemove},
			ThrottleMillicores: 100, ThrottleTicks: 1,
			Grace: Duration(5 * time.Second), Parallel: 4, Deadline: Duration(20 * time.Second),
			StuckAfter: 3, BreakerAfter: 5, FutileAfter: 3,
		},
	}
}

// Duration is a time.Duration that reads and writes as text ("10s").
type Duration time.Duration

// MarshalText writes the duration as time.Duration prints it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

func (d Duration) String() string { return time.Duration(d).String() }
