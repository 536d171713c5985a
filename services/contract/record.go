package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// RecordVersion is the version of the record this package writes.
const RecordVersion = 1

// Kind says what a record is about and which body it has.
type Kind string

// Kinds of records.
const (
	KindHost      Kind = "host"      // one a tick: HostBody
	KindContainer Kind = "container" // one a container and tick: ContainerBody
	KindDecision  Kind = "decision"  // DecisionBody
	KindAction    Kind = "action"    // ActionBody
	KindLaunch    Kind = "launch"    // LaunchBody
	KindSystem    Kind = "system"    // SystemBody
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindHost, KindContainer, KindDecision, KindAction, KindLaunch, KindSystem}
}

// Observation says whether the kind is a measurement, which may be dropped when space runs out, and not an event,
// which may not.
func (k Kind) Observation() bool { return k == KindHost || k == KindContainer }

// Producers.
const (
	ProducerManager   = "manager"
	ProducerGenerator = "generator"
	ProducerLogs      = "logs"
)

// Record is one line of the log: an envelope and a body whose fields stand beside the envelope's in one JSON object.
//
// (Host, Boot, Producer, PSeq) identifies a record for ever: sent again it is a duplicate. Seq and Received are given by
// the log service; producers leave them empty.
type Record struct {
	V        int       `json:"v"`
	Seq      uint64    `json:"seq,omitempty"`
	Time     time.Time `json:"ts"`
	Received time.Time `json:"received,omitzero"`
	Kind     Kind      `json:"kind"`
	Host     string    `json:"host"`
	Boot     string    `json:"boot"`
	Source   string    `json:"source,omitempty"` // where the figures come from: module or procfs
	Producer string    `json:"producer"`
	PSeq     uint64    `json:"pseq"`
	Tick     uint64    `json:"tick,omitempty"`
	// JournalSeq is the line of the producer's own journal that the record is about, 0 where there is none.
	JournalSeq uint64 `json:"journal_seq,omitempty"`
	Body       Body   `json:"-"`
}

// Body is one of the body types below.
type Body interface{ kind() Kind }

// Subject names the container a record is about.
type Subject struct {
	Container string `json:"container"` // full id
	Name      string `json:"name,omitempty"`
	Image     string `json:"image,omitempty"`
	Class     Class  `json:"class,omitempty"`
}

// HostBody is the state of the host and of the governor on one tick.
type HostBody struct {
	Memory Memory `json:"memory"`
	CPUs   int    `json:"cpus"`
	// Classes is the population per class against the policy, as of this tick's plan (before its removals).
	Classes []ClassCount `json:"classes,omitempty"`
	// GovernedRAMKB is the sum of ram_kb over the owned containers.
	GovernedRAMKB uint64 `json:"governed_ram_kb"`
	Containers    int    `json:"containers"` // all containers of the host
	// Own is the number of own containers under a policy of version 2, which has no classes; nil without a plan of one. Groups
	// are those that compete for its places, at most MaxGroups and a last one that sums up the others; PolicyHash names it.
	Own        *int         `json:"own,omitempty"`
	Groups     []GroupCount `json:"groups,omitempty"`
	PolicyHash string       `json:"policy_hash,omitempty"`
	// Gates names what kept the manager from acting this tick; empty means it could act.
	Gates []string `json:"gates,omitempty"`
	Mode  Mode     `json:"mode,omitempty"`
	// Held says why nothing of this tick's plan is carried out, see DecisionBody.
	Held    string  `json:"held,omitempty"`
	Timings Timings `json:"timings"`
	// SpoolRecords is the number of records that wait for the log service.
	SpoolRecords int `json:"spool_records"`
	// SkippedTicks counts the points of the schedule that passed since the last tick without one.
	SkippedTicks uint64 `json:"skipped_ticks,omitempty"`
}

// Planned says that the tick had a plan, under a policy of either version.
func (b HostBody) Planned() bool { return len(b.Classes) > 0 || b.Own != nil }

// MaxGroups is how many groups a host record lists one by one.
const MaxGroups = 64

// GroupOther is the group that sums up those beyond MaxGroups; its Rule is "".
const GroupOther = "(other)"

// GroupCount is one group of those that compete for the places of one rule, counted in units: containers or projects.
type GroupCount struct {
	Rule   string `json:"rule"`
	Group  string `json:"group,omitempty"` // the value of the rule's per, "" without one
	Places int    `json:"places"`
	Held   int    `json:"held"` // that hold a place
	Over   int    `json:"over"` // that have none
	Young  int    `json:"young"`
}

// Ruling is what the rules of a policy of version 2 say of one container; it is empty under one of version 1.
type Ruling struct {
	// Rule is the name of the rule whose step it is, "" where none speaks.
	Rule string `json:"rule,omitempty"`
	// Place says that it holds one of the rule's places.
	Place bool `json:"place,omitempty"`
	// Step is what is due now: keep, warn, throttle, stop or remove.
	Step string `json:"step,omitempty"`
	// NextStep is what comes at NextAt if nothing else changes; "" and zero where nothing does.
	NextStep string    `json:"next_step,omitempty"`
	NextAt   time.Time `json:"next_at,omitzero"`
}

// Timings of one tick in microseconds.
type Timings struct {
	LateUS   uint64 `json:"late_us"` // start of the tick after its point of the schedule
	WalkUS   uint64 `json:"walk_us"`
	ReadUS   uint64 `json:"read_us"`
	ParseUS  uint64 `json:"parse_us"`
	DecideUS uint64 `json:"decide_us"`
	ActUS    uint64 `json:"act_us"`
	// DataAgeUS is the age of the snapshot when the plan was made.
	DataAgeUS uint64 `json:"data_age_us"`
	// SyncUS is how long the log service needed to bring the last records it took to stable storage, as of its last answer.
	SyncUS uint64 `json:"sync_us,omitempty"`
}

// ContainerBody is one container on one tick.
type ContainerBody struct {
	Subject
	Owned    bool   `json:"owned"`
	State    string `json:"state,omitempty"`
	Measured bool   `json:"measured"`
	Why      string `json:"why,omitempty"` // why it was not measured
	Measures
	MemoryKB     *uint64 `json:"memory_kb,omitempty"`
	WorkingSetKB *uint64 `json:"working_set_kb,omitempty"`
	MemoryMaxKB  *uint64 `json:"memory_max_kb,omitempty"`
	// MemoryPermille of the host's RAM, CPUPermille of one core.
	MemoryPermille uint64 `json:"memory_permille"`
	CPUPermille    uint64 `json:"cpu_permille"`
	Processes      int    `json:"processes"`
	Threads        int    `json:"threads"`
	AgeUS          uint64 `json:"age_us"`
	Rank           int    `json:"rank,omitempty"`
	Verdict        string `json:"verdict,omitempty"`
	Reason         string `json:"reason,omitempty"`
	// Held says why a verdict to remove, or a step, is shown and not carried out, see DecisionBody.
	Held string `json:"held,omitempty"`
	Ruling
	// The container's first process.
	PID     int    `json:"pid,omitempty"`
	Command string `json:"command,omitempty"` // its name
	Cmdline string `json:"cmdline,omitempty"`
}

// WhyHeld says why nothing of the tick's plan is carried out, "" when it is. Records of before the field Held tell the gates
// and the mode alone.
func (b HostBody) WhyHeld() string {
	if len(b.Gates) > 0 {
		return b.Gates[0]
	}
	return whyHeld(b.Held, b.Mode)
}

// DecisionBody is the verdict on one container and why.
type DecisionBody struct {
	Subject
	Sequence uint64 `json:"sequence"`
	// Mode is what was in force.
	Mode Mode `json:"mode"`
	// Held says why the verdict is shown and not carried out: a Held constant or the name of a gate, "" when it is carried
	// out.
	Held        string     `json:"held,omitempty"`
	PolicyHash  string     `json:"policy_hash"`
	Verdict     string     `json:"verdict"`
	Reason      string     `json:"reason"`
	Text        string     `json:"text"` // the reason in words, with the numbers
	Rank        int        `json:"rank,omitempty"`
	Cut         int        `json:"cut,omitempty"`
	DecidingKey Key        `json:"deciding_key,omitempty"`
	Neighbour   *Neighbour `json:"neighbour,omitempty"`
	Measures    *Measures  `json:"measures,omitempty"`
	AgeUS       uint64     `json:"age_us,omitempty"`
	DataAgeUS   uint64     `json:"data_age_us"`
	Ruling
}

// WhyHeld says why the verdict is only shown, "" when it is carried out, also of a record of before the field Held.
func (b DecisionBody) WhyHeld() string { return whyHeld(b.Held, b.Mode) }

func whyHeld(held string, mode Mode) string {
	switch {
	case held != "":
		return held
	case mode == ModeObserve || mode == ModeShadow:
		return string(mode)
	default:
		return ""
	}
}

// Why a plan is not carried out, beside the names of the gates.
const (
	HeldObserve  = "observe"  // the policy's mode
	HeldShadow   = "shadow"   // the policy's mode
	HeldSurprise = "surprise" // the plan is larger than the policy expects, or the first under another policy
)

// ActionBody is one action on a container: its intent, then its outcome under the same ActionID.
type ActionBody struct {
	Subject
	ActionID  string `json:"action_id"`
	Action    string `json:"action"` // remove, stop, throttle, unthrottle, shadow_remove
	Phase     string `json:"phase"`  // intent or outcome
	Outcome   string `json:"outcome,omitempty"`
	Rung      Rung   `json:"rung,omitempty"` // the last rung reached
	Reason    string `json:"reason,omitempty"`
	Attempts  int    `json:"attempts,omitempty"`
	LatencyUS uint64 `json:"latency_us,omitempty"`
	Error     string `json:"error,omitempty"`
	StartedAt string `json:"started_at,omitempty"`
	// Removes says that the action, when it is done, takes the container from the host. Records of before this field do not
	// carry it.
	Removes bool `json:"removes,omitempty"`
	// AnonymousVolumes counts the volumes without a name that a removal left behind: only the container knew of them.
	AnonymousVolumes int `json:"anonymous_volumes,omitempty"`

	// The following are of a policy of version 2: the rule that asked for the action, which of its steps it is, counted from 1, and
	// how many volumes without a name were given to the engine to be deleted with the container.
	Rule           string `json:"rule,omitempty"`
	StepIndex      int    `json:"step_index,omitempty"`
	Steps          int    `json:"steps,omitempty"`
	VolumesRemoved int    `json:"volumes_removed,omitempty"`
}

// Phases of an action.
const (
	PhaseIntent  = "intent"
	PhaseOutcome = "outcome"
)

// Actions.
const (
	ActionRemove       = "remove"
	ActionStop         = "stop" // under a policy of version 2
	ActionShadowRemove = "shadow_remove"
	ActionThrottle     = "throttle"
	ActionUnthrottle   = "unthrottle"
	ActionWarn         = "warn" // a notice: in the journal alone, its record is one of kind system
)

// LaunchBody is one start of the generator's plan.
type LaunchBody struct {
	Subject
	Run      string `json:"run"`
	Position uint64 `json:"position"`  // place in the plan, from 1
	OffsetUS uint64 `json:"offset_us"` // planned, since the start of the run
	LateUS   uint64 `json:"late_us,omitempty"`
	// LifetimeS is after how many seconds the container ends by itself, 0 for never.
	LifetimeS uint64 `json:"lifetime_s,omitempty"`
	Outcome   string `json:"outcome"` // started, failed, dropped
	Reason    string `json:"reason,omitempty"`
	TookUS    uint64 `json:"took_us,omitempty"`
}

// Outcomes of a launch.
const (
	LaunchStarted = "started"
	LaunchFailed  = "failed"
	LaunchDropped = "dropped"
)

// SystemBody is an event of a service.
type SystemBody struct {
	Event   string         `json:"event"` // start, stop, policy_changed, breaker, deficit, torn_tail, retention, disk_full …
	Level   string         `json:"level"` // one of the levels
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

func (HostBody) kind() Kind      { return KindHost }
func (ContainerBody) kind() Kind { return KindContainer }
func (DecisionBody) kind() Kind  { return KindDecision }
func (ActionBody) kind() Kind    { return KindAction }
func (LaunchBody) kind() Kind    { return KindLaunch }
func (SystemBody) kind() Kind    { return KindSystem }

// NewRecord makes a record of the body's kind. Producer, PSeq and the rest of the identity are set by the shipper.
func NewRecord(ts time.Time, tick uint64, source string, body Body) Record {
	return Record{V: RecordVersion, Time: ts.UTC(), Kind: body.kind(), Source: source, Tick: tick, Body: body}
}

// SubjectOf returns the container a body is about; ok is false for host and system records.
func SubjectOf(b Body) (s Subject, ok bool) {
	switch b := b.(type) {
	case ContainerBody:
		return b.Subject, true
	case DecisionBody:
		return b.Subject, true
	case ActionBody:
		return b.Subject, true
	case LaunchBody:
		return b.Subject, true
	default:
		return Subject{}, false
	}
}

// MarshalJSON writes envelope and body as one flat object, envelope first.
func (r Record) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(envelope(r))
	if err != nil || r.Body == nil {
		return head, err
	}

	// Two objects become one: the closing brace of the first and the opening one of the second are a comma.
	body, err := json.Marshal(r.Body)
	if err != nil || len(body) <= len("{}") {
		return head, err
	}
	head[len(head)-1] = ','
	return append(head, body[1:]...), nil
}

// UnmarshalJSON reads a flat record. It does not look for duplicate keys or check values: see ParseRecord.
func (r *Record) UnmarshalJSON(b []byte) error {
	// The kind stands near the beginning of what our producers write, so that one reading is enough nearly always. The
	// words "kind" may also stand inside a text before it: only what is read says so for certain.
	guess := likelyKind(b)
	if got, err := decodeAs(guess, b); err == nil && got.Kind == guess {
		*r = got
		return nil
	}

	var e struct{ Kind Kind }
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	got, err := decodeAs(e.Kind, b)
	if err != nil {
		return err
	}
	*r = got
	return nil
}

// likelyKind is the first that b seems to name.
func likelyKind(b []byte) Kind {
	_, rest, _ := bytes.Cut(b, []byte(`"kind":"`))
	kind, _, _ := bytes.Cut(rest, []byte{'"'})
	return Kind(kind)
}

// envelope is a Record without its methods, so that it can be read together with a body.
type envelope Record

func (e envelope) with(b Body) Record {
	e.Body = b
	return Record(e)
}

// A record of each kind, flat as it is written.
type (
	flatHost struct {
		envelope
		HostBody
	}
	flatContainer struct {
		envelope
		ContainerBody
	}
	flatDecision struct {
		envelope
		DecisionBody
	}
	flatAction struct {
		envelope
		ActionBody
	}
	flatLaunch struct {
		envelope
		LaunchBody
	}
	flatSystem struct {
		envelope
		SystemBody
	}
)

func (f flatHost) record() Record      { return f.with(f.HostBody) }
func (f flatContainer) record() Record { return f.with(f.ContainerBody) }
func (f flatDecision) record() Record  { return f.with(f.DecisionBody) }
func (f flatAction) record() Record    { return f.with(f.ActionBody) }
func (f flatLaunch) record() Record    { return f.with(f.LaunchBody) }
func (f flatSystem) record() Record    { return f.with(f.SystemBody) }

// decodeAs reads a record as one of a kind, whatever kind it names.
func decodeAs(k Kind, b []byte) (Record, error) {
	switch k {
	case KindHost:
		return decodeFlat[flatHost](b)
	case KindContainer:
		return decodeFlat[flatContainer](b)
	case KindDecision:
		return decodeFlat[flatDecision](b)
	case KindAction:
		return decodeFlat[flatAction](b)
	case KindLaunch:
		return decodeFlat[flatLaunch](b)
	case KindSystem:
		return decodeFlat[flatSystem](b)
	default:
		return Record{}, fmt.Errorf("record: unknown kind %q", k)
	}
}

func decodeFlat[T interface{ record() Record }](b []byte) (Record, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return Record{}, err
	}
	return v.record(), nil
}

// Validate returns everything that is wrong with a record a producer wants to store.
func (r *Record) Validate() Problems {
	var p Problems
	if r.V != RecordVersion {
		p.Add("v", fmt.Sprintf("version %d is not supported (this service writes %d)", r.V, RecordVersion))
	}
	if r.Time.IsZero() {
		p.Add("ts", "missing")
	}

	// Host, boot, producer and pseq name the record for ever: without them it could not be told from a duplicate.
	for _, f := range []struct{ name, value string }{{"host", r.Host}, {"boot", r.Boot}, {"producer", r.Producer}} {
		if f.value == "" {
			p.Add(f.name, "missing")
		}
	}
	if r.PSeq == 0 {
		p.Add("pseq", "missing")
	}

	if r.Body == nil {
		p.Add("kind", "missing or unknown")
		return p
	}

	// A launch that failed or was dropped has no container.
	if s, ok := SubjectOf(r.Body); ok && s.Container == "" && r.Kind != KindLaunch {
		p.Add("container", "missing")
	}
	if sys, ok := r.Body.(SystemBody); ok && sys.Event == "" {
		p.Add("event", "missing")
	}
	return p
}
