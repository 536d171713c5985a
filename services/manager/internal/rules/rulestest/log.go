package rulestest

import (
	"fmt"
	"strings"
	"time"

	"gestor.local/contract/policy2"
)

// Events that a log tells, as they were done; a notice when it was delivered.
const (
	EventWarn        = "warn"
	EventThrottle    = "throttle"
	EventGiveBack    = "give back"
	EventStop        = "stop"
	EventStopped     = "was stopped already" // a stop that found nothing to end
	EventFailed      = "failed"              // a stop or removal that the engine did not do
	EventRemove      = "remove"
	EventVolumesGone = "volumes gone"
	EventStarted     = "started by a person"
	EventBooted      = "started at the boot"
)

// Event is one thing that was done to one container, by a rule or by itself.
type Event struct {
	At time.Duration
	// G is the governed clock, as a distance from T too; Boot and raised say of which boot it is a time, and how far that one's
	// was raised by then.
	G      time.Duration
	Boot   int
	raised time.Duration
	ID     string
	Name   string // it had at first
	// Project is its compose project, "" for none.
	Project string
	What    string // one of the constants
	Rule    string
	Why     string // the guard that softened a step, "" without one
}

// String is the event without its container: T+15m warn: idle, rm_volumes.
func (e Event) String() string {
	text := Moment(e.At) + " " + e.What
	if e.Rule != "" {
		text += ": " + e.Rule
	}
	if e.Why != "" {
		text += ", " + e.Why
	}
	return text
}

// Moment writes a distance from T: T+6h6m10s.
func Moment(at time.Duration) string {
	if at == 0 {
		return "T"
	}

	var b strings.Builder
	b.WriteString("T+")

	if at < 0 {
		b.Reset()
		b.WriteString("T-")
		at = -at
	}

	for _, u := range []struct {
		word string
		unit time.Duration
	}{{"d", day}, {"h", hour}, {"m", minute}, {"s", second}, {"ms", time.Millisecond}} {
		if n := at / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.word)
		}

		at %= u.unit
	}
	return b.String()
}

// GOf is G at an event as it is told now: what was noted in a boot is raised with the clock of that boot.
func (w *World) GOf(e Event) time.Duration { return e.G + w.clock.raisedIn[e.Boot] - e.raised }

// Log are all events in their order.
func (w *World) Log() []Event { return w.events }

// History are the events of the containers of a name, as their texts; without those that changed nothing.
func (w *World) History(name string) []string {
	var out []string
	for _, e := range w.events {
		if e.Name == name && e.What != EventStopped && e.What != EventFailed {
			out = append(out, e.String())
		}
	}
	return out
}

func (w *World) log(m *member, what, rule, why string) {
	w.events = append(w.events, Event{
		At: w.now, G: w.clock.g(), Boot: w.clock.boots, raised: w.clock.raisedIn[w.clock.boots],
		ID: m.id, Name: m.spec.Name, Project: m.spec.Project, What: what, Rule: rule, Why: why,
	})
}

// ParseMoment reads what Moment writes.
func ParseMoment(text string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(text, "T")
	if !ok {
		return 0, fmt.Errorf("%q is no moment: it begins with T", text)
	}
	if rest == "" {
		return 0, nil
	}

	d, err := policy2.ParseDuration(strings.TrimLeft(rest, "+-"))
	if err != nil {
		return 0, err
	}
	at := time.Duration(d) * second
	if strings.HasPrefix(rest, "-") {
		at = -at
	}
	return at, nil
}

// Limit is the CPU limit of a container that is there.
type Limit struct {
	ID, Name string
	// NanoCPUs is in billionths of a core, 0 for none; Owed says that it was lowered and not given back yet.
	NanoCPUs int64
	Owed     bool
}

// Limits are those of all containers, sorted by id.
func (w *World) Limits() []Limit {
	var out []Limit
	for _, m := range w.members {
		if m.present {
			out = append(out, Limit{ID: m.id, Name: m.name, NanoCPUs: m.nanoCPUs, Owed: m.owed})
		}
	}
	return out
}
