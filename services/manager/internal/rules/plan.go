package rules

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// PlanVersion is the version of the plan document.
const PlanVersion = 2

// Plan is what the policy decided on one tick: a verdict on every container, what is told and which limits are given back. It
// is a pure function of program, memory and facts.
type Plan struct {
	V          int           `json:"v"`
	Tick       uint64        `json:"tick"`
	Sequence   uint64        `json:"sequence"`
	PolicyHash string        `json:"policy_hash"`
	Mode       contract.Mode `json:"mode"`
	// Held says why no stop and no removal is carried out: a closed gate, or one of the Held constants; "" when they are.
	Held string `json:"held,omitempty"`
	// Own is the number of own containers, Living how many of them live; Wanted is how many the plan stops or removes before
	// the budget.
	Own    int `json:"own"`
	Living int `json:"living"`
	Wanted int `json:"wanted"`

	Rules []RuleCount `json:"rules"`
	// Groups are those that compete for places, by rule and then by group.
	Groups []GroupCount `json:"groups,omitempty"`
	// Verdicts on every container of the facts, sorted by rule (those without one last), rank (unranked last) and id.
	Verdicts []Verdict `json:"verdicts"`

	// Notices are to be sent, or to be sent on until they are delivered, where CarriesOut says so of a warning; one that is asked
	// for again has the same SinceGUS. GiveBack are limits that are owed and due, whatever holds the plan back.
	Notices  []Notice   `json:"notices,omitempty"`
	GiveBack []GiveBack `json:"give_back,omitempty"`
	// Changed are the ids of those whose limit somebody else changed: it is theirs now. Sorted.
	Changed []string `json:"changed,omitempty"`

	tick *tick // what Remember takes over
}

// What holds a plan back, beside contract's.
const (
	HeldUnapproved = "unapproved"  // no person has seen the policy yet
	HeldOtherSuite = "other_suite" // another suite's manager runs on this engine
	HeldChanged    = "changed"     // the first plan under another policy or approval is only shown
)

// Observes says that nothing of the plan is carried out, and no ladder moves; limits are given back all the same. A plan that is
// held as a surprise or since the policy changed does not observe: its notices and throttles are carried out.
func (p *Plan) Observes() bool {
	return p.Held != "" && p.Held != contract.HeldSurprise && p.Held != HeldChanged
}

// CarriesOut says whether the step is taken on this tick.
func (p *Plan) CarriesOut(step policy2.Step) bool {
	switch step {
	case policy2.StepStop, policy2.StepRemove:
		return p.Held == ""
	case policy2.StepWarn, policy2.StepThrottle:
		return !p.Observes() && p.Held != HeldChanged
	default:
		return false
	}
}

// RuleCount is what one rule did on one tick, counted in containers.
type RuleCount struct {
	Name     string `json:"name"`
	Hash     string `json:"hash"`
	SpeaksOf int    `json:"speaks_of"` // its match matches, and nothing above decided
	Holds    int    `json:"holds"`     // it decides, or its step is noted
	Possible int    `json:"possible"`
	Capped   int    `json:"capped"`
}

// GroupCount is one group of a keep rule.
type GroupCount struct {
	Rule   int    `json:"rule"`  // index in Rules
	Group  string `json:"group"` // "" without per
	Places int    `json:"places"`
	Held   int    `json:"held"` // units that hold one
	Over   int    `json:"over"` // units without one
	Young  int    `json:"young"`
}

// Verdict is the decision on one container, with all that explains it.
type Verdict struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Image   string `json:"image,omitempty"`
	Project string `json:"project,omitempty"`
	// Standing is why it cannot be judged, StandingReady when it can.
	Standing string `json:"standing"`

	// Rule is the index of the rule that decided, -1 when none did; Step is what is done now: keep, warn, throttle, stop
	// or remove.
	Rule   int          `json:"rule"`
	Step   policy2.Step `json:"step"`
	Reason string       `json:"reason"`
	// Which of the rule's Steps the step is, or is next: from 1, 0 for none.
	StepIndex int `json:"step_index,omitempty"`
	Steps     int `json:"steps,omitempty"`
	// Doubt are the rules that may decide and of which that cannot be known.
	Doubt []int `json:"doubt,omitempty"`
	// Passing are the steps of rules that only warn or throttle.
	Passing []Passing `json:"passing,omitempty"`
	// Read are the figures that the rule's conditions read.
	Read []Reading `json:"facts,omitempty"`

	// Rank in the order of its group, from 1; Cut the last rank that has a place; Neighbour is the nearest on the other side of
	// the cut, and DecidingKey what put it there.
	Rank        int        `json:"rank,omitempty"`
	Cut         int        `json:"cut,omitempty"`
	Group       string     `json:"group,omitempty"`
	Neighbour   *Neighbour `json:"neighbour,omitempty"`
	DecidingKey string     `json:"deciding_key,omitempty"`

	// Guard is what softened the step, By who stands behind it: the container that needs this one, or that spares its project.
	Guard string `json:"guard,omitempty"`
	By    string `json:"by,omitempty"`
	// After are the ids of those whose step must be done first: they depend on this one, or on another of its circle. Circle are those
	// that go as well and need each other in a circle, itself among them, in the order in which they go.
	After  []string `json:"after,omitempty"`
	Circle []string `json:"circle,omitempty"`
	// Limits with a throttle, as in Passing.
	NanoCPUs    int64  `json:"nano_cpus,omitempty"`
	OldNanoCPUs *int64 `json:"old_nano_cpus,omitempty"`
	// StartedAt is the start that the decision is about.
	StartedAt string `json:"started_at,omitempty"`
	// Next is what comes if nothing else changes.
	Next *Next `json:"next,omitempty"`
	// UntilGUS is when a rule above will have come to decide, in G, 0 for never: what is to come later than that does not. It is no part
	// of the document.
	UntilGUS int64 `json:"-"`
}

// Passing is a step of a rule that does not decide over life.
type Passing struct {
	Rule      int          `json:"rule"`
	Step      policy2.Step `json:"step"` // what is done now: keep, warn or throttle
	Reason    string       `json:"reason"`
	StepIndex int          `json:"step_index,omitempty"`
	Steps     int          `json:"steps,omitempty"`
	// NanoCPUs is the limit to set, with a throttle, in billionths of a core. OldNanoCPUs is the one to give back later, where
	// the limit of now is another rule's.
	NanoCPUs    int64  `json:"nano_cpus,omitempty"`
	OldNanoCPUs *int64 `json:"old_nano_cpus,omitempty"`
	Guard       string `json:"guard,omitempty"`
	Next        *Next  `json:"next,omitempty"`
	UntilGUS    int64  `json:"-"` // as in Verdict
}

// Reading is one figure that a condition compared.
type Reading struct {
	Key   string `json:"key"` // of the condition
	Value int64  `json:"value"`
	Known bool   `json:"known"`
	// Needs is the threshold, in the unit of the value: seconds, hundredths of a percent of a core, KiB, or a number.
	Needs int64 `json:"needs"`
}

// Neighbour is the nearest container with the opposite verdict.
type Neighbour struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Rank int    `json:"rank"`
}

// Next is the next change of a verdict, if every other fact stays.
type Next struct {
	Step policy2.Step `json:"step"`
	GUS  int64        `json:"at_us"` // in G
	Rule int          `json:"rule"`
}

// Notice is told to people.
type Notice struct {
	Kind NoticeKind `json:"kind"`
	// Rule is the index of the rule, -1 for the hold of a surprise; Hash is the rule's.
	Rule int    `json:"rule"`
	Hash string `json:"hash,omitempty"`
	// StepIndex is the step that the notice is, with NoticeStep.
	StepIndex int    `json:"step_index,omitempty"`
	Project   string `json:"project,omitempty"`
	// Containers are the ids of the unit's, sorted: one notice for all.
	Containers []string `json:"containers,omitempty"`
	Guard      string   `json:"guard,omitempty"`
	Next       *Next    `json:"next,omitempty"`
	// Since is G when it was first asked for.
	SinceGUS int64 `json:"since_us"`
}

// NoticeKind says what is told.
type NoticeKind string

// Kinds of notices.
const (
	NoticeStep     NoticeKind = "step"     // the step warn: the ladder waits for its delivery
	NoticeGuard    NoticeKind = "guard"    // a guard softened a step
	NoticeSurprise NoticeKind = "surprise" // a plan is held
)

// GiveBack is a limit that is owed and due.
type GiveBack struct {
	ID       string `json:"id"`
	Rule     string `json:"rule"` // hash
	NanoCPUs int64  `json:"nano_cpus"`
	Why      string `json:"why"` // one of the Back constants
}

// Why a limit is given back.
const (
	BackCalm     = "calm"     // the reason has been gone for calm
	BackLongest  = "longest"  // 6 h have passed
	BackNotOwn   = "not_own"  // it is not own any more, or protected
	BackStopped  = "stopped"  // it does not run any more
	BackNoRule   = "no_rule"  // the rule is not there any more
	BackObserves = "observes" // nothing is done under this policy now
)

// IsOwn says whether the verdict is of an own container, protected or not, that the engine knows.
func (v *Verdict) IsOwn() bool {
	return v.Standing != contract.ReasonSuite && v.Standing != contract.ReasonNotInEngine && v.Standing != contract.ReasonNotOwned
}

// StandingReady is the standing of one that is judged; all others, why it cannot be on this tick, are contract's reasons.
const StandingReady = "ready"

// Reasons of a verdict beside contract's.
const (
	ReasonNoRule      = "no_rule"      // keep: no rule decided
	ReasonKeepRule    = "keep_rule"    // keep: a rule says so
	ReasonHolds       = "holds"        // the rule's conditions hold
	ReasonDoubt       = "doubt"        // keep: a gentler rule above may hold
	ReasonWaits       = "waits"        // keep: the wait of the next step has not passed
	ReasonWarnWaits   = "warn_waits"   // keep: the notice is not delivered yet
	ReasonFinished    = "finished"     // the last step is done
	ReasonUnitSpared  = "unit_spared"  // keep: one container of the project may not be touched
	ReasonNeeded      = "needed"       // keep: another that stays needs it
	ReasonOwnGrew     = "own_grew"     // warn: it came to be own after the approval
	ReasonRmStop      = "rm_stop"      // warn: the stop would delete it
	ReasonRmVolumes   = "rm_volumes"   // warn: its anonymous volumes would go with it
	ReasonJustStarted = "just_started" // keep: somebody started it less than ten minutes ago
)
