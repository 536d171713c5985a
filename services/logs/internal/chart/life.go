package chart

import (
	"cmp"
	"slices"

	"gestor.local/contract"
)

// Ends of a life.
const (
	endAlive   = "alive"
	endRemoved = "removed"
	endGone    = "gone" // not seen any more; nobody recorded a removal
)

// life is one container from its first to its last sign.
type life struct {
	contract.Subject
	born, seen float64 // milliseconds
	end        string
	died       float64
	reason     string // of the decision that ended it
}

// until is where the life's bar ends.
func (l *life) until(now float64) float64 {
	switch l.end {
	case endAlive:
		return now
	case endRemoved:
		return l.died
	default:
		return l.seen
	}
}

// lives follows every container that the records name.
type lives struct {
	q   Query
	all map[string]*life
	now float64 // the newest tick that knows who lives
}

func newLives(q Query) *lives { return &lives{q: q, all: map[string]*life{}} }

func (ls *lives) of(s contract.Subject, at float64) *life {
	l := ls.all[s.Container]
	if l == nil {
		l = &life{Subject: s, born: at, seen: at, end: endAlive}
		ls.all[s.Container] = l
	}
	if l.Name == "" {
		l.Subject = s
	}
	return l
}

func (ls *lives) frame(f *frame) {
	if !f.counted() { // nobody looked, so nobody has left
		return
	}
	ls.now = max(ls.now, f.at)
	for _, row := range f.rows {
		if !row.Owned || !ls.q.wants(row.Subject) {
			continue
		}
		l := ls.of(row.Subject, f.at)
		l.seen = max(l.seen, f.at)
		l.born = min(l.born, f.at-float64(row.AgeUS)/1000)
	}
}

func (ls *lives) event(r contract.Record) {
	at := Millis(r.Time)
	switch b := r.Body.(type) {
	case contract.LaunchBody:
		if b.Outcome == contract.LaunchStarted && b.Container != "" && ls.q.wants(b.Subject) {
			ls.of(b.Subject, at)
		}
	case contract.DecisionBody:
		if b.Verdict == contract.VerdictRemove && ls.q.wants(b.Subject) {
			ls.of(b.Subject, at).reason = b.Reason
		}
	case contract.ActionBody:
		if b.Removed() && ls.q.wants(b.Subject) {
			l := ls.of(b.Subject, at)
			l.end, l.died = endRemoved, at
			if b.Reason != "" {
				l.reason = b.Reason
			}
		}
	}
}

// close marks as gone whoever was not in the newest ticks that know who lives, and returns all in order of birth.
func (ls *lives) close(rhythm float64) []*life {
	out := make([]*life, 0, len(ls.all))
	for _, l := range ls.all {
		if l.end == endAlive && ls.now-l.seen > 1.5*rhythm {
			l.end = endGone
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *life) int {
		return cmp.Or(cmp.Compare(a.born, b.born), cmp.Compare(a.Container, b.Container))
	})
	return out
}
