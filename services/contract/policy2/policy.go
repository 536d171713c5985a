package policy2

import "gestor.local/contract"

// Version is the version of the document.
const Version = 2

// Policy is a whole document, defaults filled in. Zero values are not defaults: start from Default.
type Policy struct {
	Version int           `json:"version"`
	Mode    contract.Mode `json:"mode"` // observe or enforce
	Tick    Duration      `json:"tick"`

	// Own says whom the policy may touch: whoever any selector matches. Empty: nobody.
	Own []Selector `json:"own"`
	// Protect says whom it never touches: whoever any selector matches. It wins over Own.
	Protect []Selector `json:"protect"`
	// Rules are read from the top, once for each container.
	Rules []Rule `json:"rules"`

	// Budget bounds how many containers are stopped or removed; one rate a span, sorted by span, those not written by default.
	Budget []Rate `json:"budget"`
	// Surprise is the share of the own living ones, in whole percent, beyond which a plan is shown before it is carried out.
	Surprise int  `json:"surprise"`
	Idle     Idle `json:"idle"`

	// Rank is which figure counts first for lightest and heaviest; each of cpu, ram, vsz, rss exactly once.
	Rank    []contract.Key   `json:"rank"`
	Buckets contract.Buckets `json:"buckets"`
	// Warmup is the number of full ticks a container must have been seen before it is judged and counted.
	Warmup int                       `json:"warmup"`
	Gates  contract.Gates            `json:"gates"`
	Young  contract.Young            `json:"young"`
	Images map[string]contract.Class `json:"images"`
	Act    Act                       `json:"act"`
}

// Idle is what still counts as doing nothing.
type Idle struct {
	// CPU is the share of one core at or below which a container is idle over an interval; 0 = none at all.
	CPU Percent `json:"cpu"`
	// Net is its traffic in bytes a second, in and out.
	Net Size `json:"net"`
}

// Act says how a step is carried out.
type Act struct {
	// Calls are the engine calls of one removal: some of stop and kill, then remove.
	Calls []contract.Rung `json:"calls"`
	// Grace is the least time that a stop waits before the engine kills; it only lengthens the container's own.
	Grace Duration `json:"grace"`
	// ThrottleMillicores is what a throttle without a number leaves: 1000 = one core.
	ThrottleMillicores uint64 `json:"throttle_millicores"`
	Parallel           int    `json:"parallel"`
	// Deadline is how long a call may take, beyond the stop's own wait.
	Deadline Duration `json:"deadline"`
	// See contract.Act.
	StuckAfter   int `json:"stuck_after"`
	BreakerAfter int `json:"breaker_after"`
	FutileAfter  int `json:"futile_after"`
}

// Selector says who; all its keys must match. A list of selectors matches when any does, and within a selector every list
// but Labels means any. The zero Selector has no key and is no valid one.
type Selector struct {
	Label   *Label           `json:"label,omitempty"`
	Labels  []Label          `json:"labels,omitempty"`
	Network []string         `json:"network,omitempty"` // globs
	Image   []string         `json:"image,omitempty"`   // globs
	Name    []string         `json:"name,omitempty"`    // globs
	Project []string         `json:"project,omitempty"` // globs
	Class   []contract.Class `json:"class,omitempty"`
	// Socket owns containers that mount the engine's socket, which no other selector of Own does. It stands in Own only.
	Socket bool `json:"socket,omitempty"`
}

// Each is what a rule judges.
type Each string

// Units. EachUnset is what a rule without the key has: single containers, where the rule does not keep any.
const (
	EachUnset     Each = ""
	EachContainer Each = "container"
	EachProject   Each = "project" // all containers of the compose project on this host, own or not
)

// Rule says of whom it speaks, when it holds, and what becomes of them. It has exactly one of Do and Keep with Rest.
type Rule struct {
	Name  string     `json:"name"`
	Match []Selector `json:"match,omitempty"` // nil: every own one
	Each  Each       `json:"each,omitempty"`
	When  Conditions `json:"when,omitzero"`
	Do    Ladder     `json:"do,omitempty"`

	Keep     Keep       `json:"keep,omitzero"`
	RestWhen Conditions `json:"rest_when,omitzero"`
	Rest     Ladder     `json:"rest,omitempty"`

	// Calm is how long the reason must have been gone before a throttle is given back; 0 without a throttle.
	Calm Duration `json:"calm,omitempty"`
	// Volumes is VolumesAnonymous where a removal takes the anonymous volumes along, Rm is RmRemove where a stop may delete a
	// container that was started with --rm.
	Volumes string `json:"volumes,omitempty"`
	Rm      string `json:"rm,omitempty"`
}

// Values of Rule.Volumes and Rule.Rm.
const (
	VolumesAnonymous = "anonymous"
	RmRemove         = "remove"
)

// DefaultCalm is the Calm of a rule with a throttle that does not write it.
const DefaultCalm = 10 * Minute

// Conditions hold when all that are set hold; the zero value always does. Each value is a threshold, at least.
type Conditions struct {
	Age       Duration `json:"age,omitempty"`
	Idle      Duration `json:"idle,omitempty"`
	CPU       Percent  `json:"cpu,omitempty"` // of one core, over the last interval
	RAM       Memory   `json:"ram,omitzero"`
	Processes int      `json:"processes,omitempty"`
	Restarts  Restarts `json:"restarts,omitzero"`
	Ended     Duration `json:"ended,omitempty"`
	Expired   string   `json:"expired,omitempty"` // the key of a label that holds a duration since creation
	// For is how long all the others must have held on end.
	For Duration `json:"for,omitempty"`
}

// Memory is a size, or a share of the host's memory: one of the two.
type Memory struct {
	Size    Size
	Percent Percent
}

// Restarts is that many restarts within a time.
type Restarts struct {
	Count  int
	Within Duration
}

// Order is which of those that compete hold the places.
type Order string

// Orders.
const (
	Lightest Order = "lightest"
	Heaviest Order = "heaviest"
	Newest   Order = "newest"
	Oldest   Order = "oldest"
)

// Keep gives places. In a document it has one order, one of Lightest, Heaviest, Newest, Oldest with its number.
type Keep struct {
	Order  Order
	Places int
	// Per divides those who compete into groups, each with so many places; the zero value is one group for all.
	Per Per
}

// GroupBy is what containers of one group have in common.
type GroupBy string

// Groups.
const (
	ByAll     GroupBy = ""
	ByProject GroupBy = "project"
	ByImage   GroupBy = "image"
	ByClass   GroupBy = "class"
	ByLabel   GroupBy = "label" // the value of Per.Label
)

// Per is the grouping of a keep rule.
type Per struct {
	By    GroupBy
	Label string // the key, with ByLabel
}

// Step is what is done to a container, from gentle to harsh.
type Step string

// Steps in the order of their harshness.
const (
	StepKeep     Step = "keep"
	StepWarn     Step = "warn"
	StepThrottle Step = "throttle"
	StepStop     Step = "stop"
	StepRemove   Step = "remove"
)

// Ladder is a list of steps with waits, each harsher than the one before.
type Ladder []Rung

// Rung is one step of a ladder.
type Rung struct {
	Step Step
	// After is the wait since the step before was done; 0 for the first.
	After Duration
	// To is what a throttle leaves, of one core; 0 for Act.ThrottleMillicores.
	To Percent
}

// Rate is at most N within Span; Span 0 is one tick.
type Rate struct {
	N    int
	Span Duration
}
