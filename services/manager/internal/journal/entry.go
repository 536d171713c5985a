package journal

import (
	"encoding/json"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// Versions of the lines. What version 2 has beside version 1 is in facts.go and history.go.
const (
	version1 = 1
	version2 = line.Version
	// entryVersion is the version that is written unless Options say otherwise.
	entryVersion = version1
	// Version is the newest.
	Version = version2
)

// Entry is one line. Exactly one of the pointers is set.
type Entry struct {
	V   int       `json:"v"`
	Seq uint64    `json:"seq"` // dense within a journal
	At  time.Time `json:"at"`  // wall clock, for people
	// Carried marks a line that repeats an earlier one at the head of a segment.
	Carried bool     `json:"carried,omitempty"`
	Head    *Head    `json:"head,omitempty"`
	Policy  *Policy  `json:"policy,omitempty"`
	Tick    *Tick    `json:"tick,omitempty"`
	NoPlan  *NoPlan  `json:"no_plan,omitempty"`
	Intent  *Intent  `json:"intent,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`

	// The following are of version 2. Facts and Verdict are the tick of such a line, Look is 2 on a second look at it; Text is the
	// whole line as it was read.
	Approve *Approve `json:"approve,omitempty"`
	Facts   *uint64  `json:"facts,omitempty"`
	Verdict *uint64  `json:"verdict,omitempty"`
	Look    int      `json:"look,omitempty"`
	Since   uint64   `json:"since,omitempty"` // the line that facts or a policy follow
	// Memory is that before the tick of a facts line, under a policy of version 1: the lines before do not come to it.
	Memory *rules.Memory `json:"memory,omitempty"`
	Text   []byte        `json:"-"`
}

// Head begins a segment: what the earlier ones said and is still needed, beside the carried lines that follow.
type Head struct {
	LastTick       uint64      `json:"last_tick"`
	RecentRemovals []time.Time `json:"recent_removals,omitempty"`

	// The following are of version 2, whose line also has the facts of the last tick. Memory is that after it, Policy and Approve
	// are those in force; Carried is the number of carried lines that follow, Missed that of the ticks before it that were not
	// written.
	Memory  *rules.Memory `json:"memory,omitempty"`
	Policy  *Policy       `json:"policy,omitempty"`
	Approve *Approve      `json:"approve,omitempty"`
	Carried int           `json:"carried,omitempty"`
	Missed  int           `json:"missed,omitempty"`
}

// Policy is a policy under its hash; the ticks that follow refer to it. It is of version 1 or of version 2.
type Policy struct {
	Hash    string          `json:"hash"`
	Policy  contract.Policy `json:"policy,omitzero"`
	Policy2 *policy2.Policy `json:"policy2,omitempty"`
}

// Program compiles it.
func (p *Policy) Program() *rules.Program {
	if p.Policy2 == nil {
		return rules.Compile(p.Policy)
	}
	return rules.New(*p.Policy2)
}

// Approve is the approval that is in force from here on.
type Approve struct {
	// Document is approved.json as it was read, Withdrawn says that there is none any more.
	Document  json.RawMessage `json:"document,omitempty"`
	Withdrawn bool            `json:"withdrawn,omitempty"`
}

// Tick is everything that one decision was made from, and the decision.
type Tick struct {
	PolicyHash string              `json:"policy_hash"`
	Population contract.Population `json:"population"`
	// Inventory carries only the labels that the policy reads.
	Inventory contract.Inventory `json:"inventory"`
	Context   contract.Context   `json:"context"`
	// Shadow is what mode shadow removed on earlier ticks and what is there all the same: it stands neither in Population nor
	// in Inventory, since the plan is made without it. Sorted by id.
	Shadow []Shadowed `json:"shadow,omitempty"`
	// Gates names what kept the manager from acting on the plan; DataAgeUS is how old the snapshot was when it was made.
	Gates     []string `json:"gates,omitempty"`
	DataAgeUS uint64   `json:"data_age_us"`
	// Plan is kept as it was written: a replay compares bytes.
	Plan json.RawMessage `json:"plan"`
}

// Shadowed is a container that mode shadow has removed, as it is on this tick.
type Shadowed struct {
	Tick   uint64           `json:"tick"` // on which it was to be removed
	Reason string           `json:"reason"`
	Class  contract.Class   `json:"class"` // on that tick
	Entry  contract.Entry   `json:"entry"`
	Member *contract.Member `json:"member,omitempty"` // nil when the snapshot did not have it
}

// Verdict is what becomes of it.
func (s Shadowed) Verdict() contract.Verdict {
	v := contract.Verdict{
		ID: s.Entry.ID, Name: s.Entry.Name, Image: s.Entry.Image, Class: s.Class, Owned: true,
		Verdict: contract.VerdictKeep, Reason: contract.ReasonShadowRemoved, StartedAt: s.Entry.StartedAt,
	}
	if m := s.Member; m != nil {
		v.AgeUS, v.StartUS = m.AgeUS, m.StartUS
		if m.Measured {
			v.Measures = &m.Measures
		}
	}
	return v
}

// NoPlan is a tick on which there was nothing to decide on. It keeps the number from being given twice:
// records of that tick were sent.
type NoPlan struct {
	Tick  uint64   `json:"tick"`
	Gates []string `json:"gates"`
	// Version2 is the hash of the policy in force where that is of version 2, else "".
	Version2 string `json:"version_2,omitempty"`
}

// Decoded is the plan as a value.
func (t *Tick) Decoded() (contract.Plan, error) {
	var plan contract.Plan
	if err := json.Unmarshal(t.Plan, &plan); err != nil {
		return contract.Plan{}, fmt.Errorf("read plan of tick %d: %w", t.Context.Tick, err)
	}
	return plan, nil
}

// Intent is an action that is about to be taken.
type Intent struct {
	ActionID string `json:"action_id"` // unique for ever
	contract.Subject
	Tick     uint64 `json:"tick"`
	Sequence uint64 `json:"sequence"` // of the snapshot it was decided on
	Action   string `json:"action"`   // one of the contract.Action words
	Reason   string `json:"reason,omitempty"`
	// StartedAt is the engine's start time of the container that is meant.
	StartedAt string `json:"started_at,omitempty"`
	// Undo is what a throttle has to put back.
	Undo *Undo `json:"undo,omitempty"`

	// The following are of version 2: the hash of the rule, "" for a young one, which of its steps it is, counted from 1, G, and
	// with a throttle the limits, in billionths of a core, the one to give back and the one that is set.
	Rule        string       `json:"rule,omitempty"`
	Step        policy2.Step `json:"step,omitempty"`
	StepIndex   int          `json:"step_index,omitempty"`
	GUS         int64        `json:"g_us,omitempty"`
	OldNanoCPUs int64        `json:"old_nano_cpus,omitempty"`
	NanoCPUs    int64        `json:"nano_cpus,omitempty"`
	// Notice is what is told, with contract.ActionWarn; Step is the ladder's then, "" where the notice is none of its steps.
	Notice *Notice `json:"notice,omitempty"`
}

// Undo holds the CPU limits that a container had before it was throttled.
type Undo struct {
	NanoCPUs  int64 `json:"nano_cpus"`
	CPUQuota  int64 `json:"cpu_quota"`
	CPUPeriod int64 `json:"cpu_period"`
}

// Outcome is how an action ended. contract.OutcomeUnknown leaves its intent open.
type Outcome struct {
	ActionID  string        `json:"action_id"`
	Outcome   string        `json:"outcome"`
	Rung      contract.Rung `json:"rung,omitempty"`
	Attempts  int           `json:"attempts,omitempty"`
	LatencyUS uint64        `json:"latency_us,omitempty"`
	Error     string        `json:"error,omitempty"`
	// AnonymousVolumes counts the volumes without a name that a removal left behind.
	AnonymousVolumes int `json:"anonymous_volumes,omitempty"`
	// Recovered is true when the outcome was found out at a later start.
	Recovered bool `json:"recovered,omitempty"`

	// The following are of version 2: when it ended, as a tick and in G.
	Tick uint64 `json:"tick,omitempty"`
	GUS  int64  `json:"g_us,omitempty"`
}
