package govern

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// Severity says how much a condition matters.
type Severity string

// Severities.
const (
	SeverityNotice   Severity = "notice"   // worth knowing
	SeverityDegraded Severity = "degraded" // the population is not governed at the moment
	SeverityAlarm    Severity = "alarm"    // it has not been for long: somebody should look
)

// Condition is something that is wrong and stays wrong until it is put right.
type Condition struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Text says what is the matter this time and ends with the next step.
	Text     string    `json:"text"`
	Severity Severity  `json:"severity"`
	Since    time.Time `json:"since"`
	// Ticks counts the ticks in a row on which it held.
	Ticks int `json:"ticks"`
	// Gate says that nothing is removed while the condition holds.
	Gate bool `json:"gate"`
}

// conditionSet holds the conditions of now.
type conditionSet struct {
	active map[string]Condition
	raised map[string]bool // on the current tick
}

func newConditionSet() *conditionSet {
	return &conditionSet{active: make(map[string]Condition), raised: make(map[string]bool)}
}

// change is what happened to one condition on a tick.
type change struct {
	Condition
	kind changeKind
}

type changeKind string

const (
	changeBegan changeKind = "begin"
	changeAlarm changeKind = "alarm"
	changeEnded changeKind = "end"
)

// raise says that the condition holds on this tick. degraded and alarm are numbers of ticks in a row, 0 for never.
func (s *conditionSet) raise(c Condition, at time.Time, degraded, alarm int) (ch change, changed bool) {
	old, held := s.active[c.Name]
	c.Since, c.Ticks = at, 1
	if held {
		c.Since, c.Ticks = old.Since, old.Ticks
		if !s.raised[c.Name] { // several failures of one gate on a tick count once
			c.Ticks++
		}
	}

	c.Severity = SeverityNotice
	if degraded > 0 && c.Ticks >= degraded {
		c.Severity = SeverityDegraded
	}
	if alarm > 0 && c.Ticks >= alarm {
		c.Severity = SeverityAlarm
	}
	s.active[c.Name], s.raised[c.Name] = c, true

	switch {
	case !held:
		return change{c, changeBegan}, true
	case c.Severity == SeverityAlarm && old.Severity != SeverityAlarm:
		return change{c, changeAlarm}, true
	default:
		return change{}, false
	}
}

// clearStale ends the conditions that were not raised since it was last called and returns them, sorted by name.
func (s *conditionSet) clearStale() (ended []change) {
	for name, c := range s.active {
		if !s.raised[name] {
			delete(s.active, name)
			ended = append(ended, change{c, changeEnded})
		}
	}
	clear(s.raised)
	slices.SortFunc(ended, func(x, y change) int { return strings.Compare(x.Name, y.Name) })
	return ended
}

// list returns the conditions sorted by name.
func (s *conditionSet) list() []Condition {
	out := make([]Condition, 0, len(s.active))
	for _, c := range s.active {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Condition) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// conflictShown is long enough for somebody who looks now and then.
const conflictShown = time.Hour

// standingConditions are the conditions of this tick that do not keep the manager from acting. Their order is that of
// the records of those that begin together.
func (r *reporter) standingConditions(t *tick, s status) (out []Condition) {
	if s.policyProblem != "" {
		out = append(out, condition(ConditionPolicy, s.policyProblem, false))
	}

	out = append(out, r.ruledConditions(t, s)...)

	spool := r.spool.Stats()
	if spool.LastError != "" && spool.OldestAge > time.Duration(r.loop.policy.Tick) {
		why := fmt.Sprintf("%d of them, the oldest for %s: %s", spool.Records, spool.OldestAge.Round(time.Second), spool.LastError)
		out = append(out, advised(condition(ConditionRecordsWait, why, false), why, r.suite.advice(ConditionRecordsWait)))
	}
	if !spool.LastConflict.IsZero() && t.at.Sub(spool.LastConflict) < conflictShown {
		out = append(out, condition(ConditionConflict, fmt.Sprintf("%d records were sent again under a new identity, the last at %s",
			spool.Conflicts, spool.LastConflict.UTC().Format(time.RFC3339)), false))
	}

	if s.noThrottle != "" && r.loop.throttles() {
		out = append(out, condition(ConditionNoThrottle, s.noThrottle, false))
	}

	if len(s.stuck) > 0 {
		out = append(out, condition(ConditionStuck, namesOf(t.inv, s.stuck), false))
	}
	if s.crashLoops != "" {
		out = append(out, condition(ConditionCrashLoop, s.crashLoops, false))
	}
	if len(t.futile) > 0 {
		out = append(out, condition(ConditionFutile, strings.Join(t.futile, ", "), false))
	}

	// Of what comes and goes by itself only what lasts is worth a condition.
	if paused := r.lasting(s.paused); len(paused) > 0 {
		out = append(out, condition(ConditionPaused, namesOf(t.inv, paused), false))
	}
	if over := r.overElsewhere(t); len(over) > 0 {
		out = append(out, condition(ConditionManagedElsewhere, shortened(over), false))
	}
	if unlocated := r.lasting(s.unlocated); len(unlocated) > 0 {
		out = append(out, condition(ConditionUnlocated, fmt.Sprintf("%d: %s", len(unlocated), namesOf(t.inv, unlocated)), false))
	}
	if len(s.ended) > 0 {
		out = append(out, condition(ConditionEnded, fmt.Sprintf("%d: %s", len(s.ended), namesOf(t.inv, s.ended)), false))
	}
	return out
}

// lasting lists the containers that have been counted on so many ticks in a row that it is worth a condition.
func (r *reporter) lasting(ticks map[string]int) (ids []string) {
	for id, n := range ticks {
		if n >= r.loop.policy.Gates.DegradedAfter {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// overElsewhere are the words on each workload of an orchestrator that has more containers than places, the largest
// first.
func (r *reporter) overElsewhere(t *tick) (words []string) {
	for _, s := range slices.Backward(r.texts(t).Shares) {
		if s.Over() {
			words = append(words, s.String())
		}
	}
	return words
}

// namesOf names the first of the containers and says how many more there are.
func namesOf(inv *contract.Inventory, ids []string) string {
	var names []string
	for _, id := range ids {
		v := contract.Verdict{ID: id}
		if e := inv.Entry(id); e != nil {
			v.Name = e.Name
		}
		names = append(names, nameOf(v))
	}
	return shortened(names)
}

// nameOf is the name of a container, or the beginning of its id where it has none.
func nameOf(v contract.Verdict) string {
	const short = 12
	if v.Name != "" {
		return v.Name
	}
	return v.ID[:min(short, len(v.ID))]
}

// shortened names the first of many and says how many more there are.
func shortened(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(slices.Clip(names[:most]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
