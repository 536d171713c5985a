package page

import (
	"cmp"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
)

// rowNow is one owned container: as the newest tick that saw the containers has it, or started since.
type rowNow struct {
	contract.ContainerBody
	standing
	// Fate says in words what awaits it, FateClass how it is drawn.
	Fate, FateClass string
	BarCPU, BarRAM  int // per cent of the greatest in the table
	// Error is what the engine said when its removal failed.
	Error string
	// since says that it was started since the tick.
	since bool
}

// standing is how a container stands against the policy.
type standing int

const (
	standsElse   standing = iota // no place is meant for it: paused, protected, its class unknown
	standsKept                   // judged, and stays
	standsNew                    // waits for its judgement
	standsLeaves                 // its removal is under way
	standsShown                  // the plan removes it, and nothing is carried out
	standsFailed                 // its removal was tried, and failed
	standsEnded                  // does not run
)

// lives says whether the engine runs it.
func (r rowNow) lives() bool { return r.standing != standsEnded }

// judged says whether it counts against the places of its class once the tick's removals are done.
func (r rowNow) judged() bool {
	return chart.Judged(r.ContainerBody) && r.standing != standsLeaves && r.standing != standsEnded
}

// classNow is the population of one class at this moment.
type classNow struct {
	Class   contract.Class
	Quota   int
	Alive   int // all that live: what `docker ps` shows
	Judged  int // that count against the places after what is under way
	Kept    int // of these, those that hold a place
	Fixed   int // of these, those that no round removes
	Tasks   int // of these, those of an orchestrator
	New     int // wait for their judgement
	Unseen  int // of these, started since the newest tick: judged a round later
	Leaving int
	Shown   int // the plan removes them, but nothing is carried out
	Failed  int
	Capped  int  // above the places, spared by a cap for this round
	Remains int  // everything else
	Places  bool // the policy has places for the class, be it none
}

// Above is how many judged ones stand above the places.
func (c classNow) Above() int { return c.over(c.Judged) }

// tasksOver is how many of an orchestrator's have no place: they take those that nobody competes for.
func (c classNow) tasksOver() int { return max(0, c.Tasks-max(0, c.Quota-(c.Judged-c.Fixed))) }

func (c classNow) over(n int) int {
	if !c.Places {
		return 0
	}
	return max(0, n-c.Quota)
}

// next is how many leave in the next round if nothing changes: who is new and was seen by a tick is judged there, with those
// that can leave.
func (c classNow) next() int { return c.over(c.Judged - c.Fixed + c.New - c.Unseen) }

// live makes the rows of this moment: those of the newest tick that saw the containers, less who was removed since or
// has come to its planned end, with who was started since. As of is the time of the newest of these.
func (t *ticks) live(now time.Time, ends map[string]time.Time) (rows []rowNow, asOf time.Time) {
	seen := t.seen()
	if seen == nil {
		return nil, asOf
	}
	asOf = seen.Time
	later := func(at time.Time) { asOf = latest(asOf, at) }
	began := func(b contract.ContainerBody) bool { // the tick saw it made, and its start came after
		r, ok := t.started[b.Container]
		return ok && b.State == contract.StateCreated && !r.Time.Before(seen.Time)
	}

	for _, b := range seen.Rows {
		if began(b) {
			continue
		}
		e, acted := t.ends[b.Container]
		planned, ending := ends[b.Container]
		switch {
		case acted && e.Gone():
			later(e.at)
		case ending && planned.After(seen.Time) && !planned.After(now):
			later(planned)
		default:
			rows = append(rows, t.row(b, e))
		}
	}

	for id, r := range t.started {
		b, _ := r.Body.(contract.LaunchBody)
		planned, ending := ends[id]
		known := slices.ContainsFunc(seen.Rows, func(one contract.ContainerBody) bool { return one.Container == id && !began(one) })
		if known || r.Time.Before(seen.Time) || t.ends[id].Gone() {
			continue
		}
		later(r.Time)
		if ending && !planned.After(now) {
			later(planned)
			continue
		}
		rows = append(rows, rowNow{standing: standsNew, since: true, ContainerBody: contract.ContainerBody{
			Subject: b.Subject, Owned: true, State: "started", Reason: contract.ReasonYoung, Verdict: contract.VerdictKeep,
			AgeUS: uint64(max(0, now.Sub(r.Time)).Microseconds()), //nolint:gosec // not negative
		}})
	}
	return rows, asOf
}

// seen is the tick whose rows are shown, nil when none saw the containers.
func (t *ticks) seen() *tickNow {
	if t.counted == nil && t.newest == nil {
		return t.alone
	}
	return t.counted
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// row says how a container of the tick stands; e is the newest word on an action on it.
func (t *ticks) row(b contract.ContainerBody, e end) rowNow {
	r := rowNow{ContainerBody: b, standing: standsElse}
	switch {
	case contract.StateEnded(b.State) || b.State == contract.StateCreated:
		r.standing = standsEnded
	case e.failed():
		r.standing, r.Error = standsFailed, e.Error
	case b.Reason == contract.ReasonLeaving:
		r.standing = standsLeaves
	case b.Verdict == contract.VerdictRemove && t.acts() && t.decided[b.Container].WhyHeld() == "" && e.Outcome != contract.OutcomeRefused:
		r.standing = standsLeaves
	case b.Verdict == contract.VerdictRemove, b.Reason == contract.ReasonShadowRemoved:
		r.standing = standsShown
	case chart.Waits(b):
		r.standing = standsNew
	case chart.Judged(b):
		r.standing = standsKept
	}
	return r
}

// count sums the rows up by class: those of the policy in its order, then what else there is.
func count(rows []rowNow, h contract.HostBody) []classNow {
	var out []classNow
	at := func(class contract.Class) *classNow {
		i := slices.IndexFunc(out, func(c classNow) bool { return c.Class == class })
		if i < 0 {
			i, out = len(out), append(out, classNow{Class: class})
		}
		return &out[i]
	}

	for _, c := range h.Classes {
		if c.Class == contract.ClassUnknown {
			continue
		}
		k := at(c.Class)
		k.Quota, k.Places = c.Quota, true
	}
	for _, r := range rows {
		if r.lives() {
			at(cmp.Or(r.Class, contract.ClassUnknown)).add(r)
		}
	}
	return out
}

func (c *classNow) add(r rowNow) {
	c.Alive++
	if r.judged() {
		c.Judged++
		if chart.Fixed(r.ContainerBody) {
			c.Fixed++
		}
		if r.Reason == contract.ReasonElsewhere {
			c.Tasks++
		}
	}
	switch r.standing {
	case standsKept:
		c.Kept++
	case standsNew:
		c.New++
	case standsLeaves:
		c.Leaving++
	case standsShown:
		c.Shown++
	case standsFailed:
		c.Failed++
	default:
		c.Remains++
	}
	if r.since {
		c.Unseen++
	}
	if r.Reason == contract.ReasonCapped {
		c.Capped++
	}
}
