package govern

import (
	"slices"
	"strings"
	"time"
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

// board holds the conditions of now. It belongs to the loop.
type board struct {
	now map[string]Condition
	// raised are those of the current tick.
	raised map[string]bool
}

func newBoard() *board { return &board{now: make(map[string]Condition), raised: make(map[string]bool)} }

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
func (b *board) raise(c Condition, at time.Time, degraded, alarm int) (ch change, changed bool) {
	old, held := b.now[c.Name]
	c.Since, c.Ticks = at, 1
	if held {
		c.Since, c.Ticks = old.Since, old.Ticks
		if !b.raised[c.Name] {
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
	b.now[c.Name], b.raised[c.Name] = c, true
	switch {
	case !held:
		return change{c, changeBegan}, true
	case c.Severity == SeverityAlarm && old.Severity != SeverityAlarm:
		return change{c, changeAlarm}, true
	default:
		return change{}, false
	}
}

// sweep ends the conditions that were not raised since the last sweep and returns them, sorted by name.
func (b *board) sweep() (ended []change) {
	for name, c := range b.now {
		if !b.raised[name] {
			delete(b.now, name)
			ended = append(ended, change{c, changeEnded})
		}
	}
	clear(b.raised)
	slices.SortFunc(ended, func(x, y change) int { return strings.Compare(x.Name, y.Name) })
	return ended
}

// list returns the conditions sorted by name.
func (b *board) list() []Condition {
	out := make([]Condition, 0, len(b.now))
	for _, c := range b.now {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Condition) int { return strings.Compare(x.Name, y.Name) })
	return out
}
