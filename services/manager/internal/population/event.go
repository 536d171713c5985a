package population

import (
	"cmp"
	"fmt"
	"strings"
)

// EventKind says what happened to a container, or to the comparison as a whole.
type EventKind string

// Kinds of events.
const (
	EventBaseline   EventKind = "baseline"         // nothing to compare with: everybody is young
	EventBirth      EventKind = "birth"            // not there last time
	EventDeath      EventKind = "death"            // seen last time, gone now
	EventRestart    EventKind = "restart"          // the same id began again
	EventReset      EventKind = "counter_reset"    // its CPU counter went back
	EventImpossible EventKind = "impossible_delta" // more CPU time than the host could give
	EventBadRow     EventKind = "bad_row"          // its row could not be believed
)

// Cause says why there is a new baseline.
type Cause string

// Causes of a baseline.
const (
	CauseFirst    Cause = "first"    // the first accepted snapshot
	CauseBoot     Cause = "boot"     // the host was started again
	CauseSource   Cause = "source"   // the other reader took over
	CauseInstance Cause = "instance" // the module was loaded again
)

// Event is one thing worth recording.
type Event struct {
	Kind  EventKind
	ID    string // "" for EventBaseline, and for a bad row whose id could not be read
	Cause Cause  // of EventBaseline
	What  string // of EventBadRow: the first thing that is wrong with it
	// The container's CPU counter before and after, and the time between them as counted, where the kind is about CPU.
	BeforeUS, AfterUS, DeltaUS uint64
}

func (e Event) String() string {
	switch e.Kind {
	case EventBaseline:
		return fmt.Sprintf("new baseline (%s)", e.Cause)
	case EventReset:
		return fmt.Sprintf("%.12s: CPU counter went back from %d µs to %d µs", e.ID, e.BeforeUS, e.AfterUS)
	case EventImpossible:
		return fmt.Sprintf("%.12s: %d µs of CPU time are more than the host could give", e.ID, e.DeltaUS)
	case EventBadRow:
		return fmt.Sprintf("%.12s: a row that cannot be believed: %s", cmp.Or(e.ID, "unknown id"), e.What)
	default:
		return fmt.Sprintf("%.12s: %s", e.ID, e.Kind)
	}
}

func compareEvents(a, b Event) int {
	return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.What, b.What))
}
