package chart

import (
	"cmp"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/history"
)

// Ends of a life.
const (
	endAlive   = "alive"
	endRemoved = "removed"
	endGone    = "gone" // not seen any more; nobody recorded a removal
)

// containerLife is one container from its first to its last sign, as a chart draws it: times are milliseconds.
type containerLife struct {
	*history.Container
	end string
}

func (l *containerLife) born() float64 { return float64(l.Born.UnixMicro()) / 1000 }

// seen is its last sign of life: the newest tick that listed it, or the record that named it first.
func (l *containerLife) seen() float64 {
	if l.Seen.After(l.First) {
		return Millis(l.Seen)
	}
	return Millis(l.First)
}

// until is where the life's bar ends.
func (l *containerLife) until(now float64) float64 {
	switch l.end {
	case endAlive:
		return now
	case endRemoved:
		return Millis(l.Removed)
	default:
		return l.seen()
	}
}

// lifeTracker follows every container that the records name.
type lifeTracker struct {
	q   Query
	all map[string]*history.Container
	now float64 // the newest tick that knows who lives
}

func newLifeTracker(q Query) *lifeTracker {
	return &lifeTracker{q: q, all: map[string]*history.Container{}}
}

func (t *lifeTracker) get(s contract.Subject, host string, at time.Time) *history.Container {
	c := t.all[s.Container]
	if c == nil {
		c = history.New(s, host, at)
		t.all[s.Container] = c
	}

	if c.Name == "" { // the record before did not know it
		c.Subject = s
	}
	return c
}

func (t *lifeTracker) addTick(f *tickFrame) {
	if !f.knowsLiving() { // without a reading nobody is known to have left
		return
	}

	t.now = max(t.now, f.at)
	at := timeAt(f.at)
	for _, row := range f.rows {
		if row.Owned && t.q.matches(row.Subject) {
			t.get(row.Subject, f.hostName, at).See(at, row.AgeUS)
		}
	}
}

func (t *lifeTracker) addRecord(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.LaunchBody:
		if b.Outcome == contract.LaunchStarted && b.Container != "" && t.q.matches(b.Subject) {
			t.get(b.Subject, r.Host, r.Time)
		}

	case contract.DecisionBody:
		// One that is only shown under a policy of version 2 may be of a container that does not live.
		shown := b.Step != "" && b.WhyHeld() != ""
		if b.Verdict == contract.VerdictRemove && !shown && t.q.matches(b.Subject) {
			t.get(b.Subject, r.Host, r.Time).Decide(b)
		}

	case contract.ActionBody:
		if b.Removed() && t.q.matches(b.Subject) {
			t.get(b.Subject, r.Host, r.Time).Act(r.Time, b)
		}
	}
}

// inOrderOfBirth returns all in order of birth; gone is whoever was not in the newest ticks that know who lives. One
// tick may have missed it: interval is the time between two.
func (t *lifeTracker) inOrderOfBirth(interval time.Duration) []*containerLife {
	out := make([]*containerLife, 0, len(t.all))
	for _, c := range t.all {
		l := &containerLife{Container: c, end: endAlive}
		switch {
		case !c.Removed.IsZero():
			l.end = endRemoved
		case t.now-l.seen() > 1.5*float64(interval.Milliseconds()):
			l.end = endGone
		}
		out = append(out, l)
	}

	slices.SortFunc(out, func(a, b *containerLife) int {
		return cmp.Or(a.Born.Compare(b.Born), cmp.Compare(a.Container.Container, b.Container.Container))
	})

	return out
}
