package page

import (
	"cmp"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
)

// containerRow is one owned container: as the newest tick that saw the containers has it, or started since.
type containerRow struct {
	contract.ContainerBody
	status containerStatus
	// NextAction says in words what awaits it, NextClass how it is drawn.
	NextAction, NextClass string
	BarCPU, BarRAM        int // per cent of the greatest in the table
	// Error is what the engine said when its removal failed.
	Error string
	// sinceTick says that it was started since the tick.
	sinceTick bool
}

// containerStatus is how a container stands against the policy.
type containerStatus int

const (
	statusOther   containerStatus = iota // no place is meant for it: paused, protected, its class unknown
	statusKept                           // judged, and stays
	statusNew                            // waits for its judgement
	statusLeaving                        // its removal is under way
	statusShadow                         // the plan removes it, and nothing is carried out
	statusFailed                         // its removal was tried, and failed
	statusEnded                          // does not run
)

// alive says whether the engine runs it.
func (r containerRow) alive() bool { return r.status != statusEnded }

// countsAgainstQuota says whether it counts against the places of its class once the tick's removals are done.
func (r containerRow) countsAgainstQuota() bool {
	return chart.CountsAgainstQuota(r.ContainerBody) && r.status != statusLeaving && r.status != statusEnded
}

// classSummary is the population of one class at this moment.
type classSummary struct {
	Class        contract.Class
	Quota        int
	Alive        int // all that live: what `docker ps` shows
	Counted      int // that count against the places after what is under way
	Kept         int // of these, those that hold a place
	Fixed        int // of these, those that no round removes
	Orchestrated int // of these, those of an orchestrator
	New          int // wait for their judgement
	SinceTick    int // of these, started since the newest tick: judged a round later
	Leaving      int
	Shadow       int // the plan removes them, but nothing is carried out
	Failed       int
	Capped       int  // above the places, spared by a cap for this round
	Others       int  // everything else
	Places       bool // the policy has places for the class, be it none
}

// Over is how many judged ones stand above the places.
func (c classSummary) Over() int { return c.overQuota(c.Counted) }

// orchestratedOver is how many of an orchestrator's have no place: they take those that nobody competes for.
func (c classSummary) orchestratedOver() int {
	return max(0, c.Orchestrated-max(0, c.Quota-(c.Counted-c.Fixed)))
}

func (c classSummary) overQuota(n int) int {
	if !c.Places {
		return 0
	}
	return max(0, n-c.Quota)
}

// nextRemovals is how many leave in the next round if nothing changes: who is new and was seen by a tick is judged
// there, with those that can leave.
func (c classSummary) nextRemovals() int {
	return c.overQuota(c.Counted - c.Fixed + c.New - c.SinceTick)
}

// liveRows makes the rows of this moment: those of the newest tick that saw the containers, less who was removed since or
// has come to its planned end, with who was started since. asOf is the time of the newest of these.
func (t *tickReader) liveRows(now time.Time, ends map[string]time.Time) (rows []containerRow, asOf time.Time) {
	seen := t.shownTick()
	if seen == nil {
		return nil, asOf
	}

	// asOf moves to the newest of what changed since.
	asOf = seen.Time
	advance := func(at time.Time) { asOf = latest(asOf, at) }
	startedSince := func(b contract.ContainerBody) bool { // the tick saw it made, and its start came after
		r, ok := t.launches[b.Container]
		return ok && b.State == contract.StateCreated && !r.Time.Before(seen.Time)
	}

	for _, b := range seen.Rows {
		if startedSince(b) {
			continue
		}

		last, hasAction := t.actions[b.Container]
		planned, isPlanned := ends[b.Container]
		switch {
		case hasAction && last.Gone():
			advance(last.time)
		case isPlanned && planned.After(seen.Time) && !planned.After(now):
			advance(planned)
		default:
			rows = append(rows, t.rowOf(b, last))
		}
	}

	// Started since: the next tick will have them.
	for id, r := range t.launches {
		b, _ := r.Body.(contract.LaunchBody)
		planned, isPlanned := ends[id]
		known := slices.ContainsFunc(seen.Rows, func(one contract.ContainerBody) bool { return one.Container == id && !startedSince(one) })
		if known || r.Time.Before(seen.Time) || t.actions[id].Gone() {
			continue
		}

		advance(r.Time)
		if isPlanned && !planned.After(now) {
			advance(planned)
			continue
		}

		// No tick has read it yet: what its launch says of it is all that is known.
		rows = append(rows, containerRow{status: statusNew, sinceTick: true, ContainerBody: contract.ContainerBody{
			Subject: b.Subject, Owned: true, State: "started", Reason: contract.ReasonYoung, Verdict: contract.VerdictKeep,
			AgeUS: uint64(max(0, now.Sub(r.Time)).Microseconds()), //nolint:gosec // not negative
		}})
	}
	return rows, asOf
}

// shownTick is the tick whose rows are shown, nil when none saw the containers.
func (t *tickReader) shownTick() *tickRecords {
	if t.lastCounted == nil && t.newest == nil {
		return t.withoutHost
	}
	return t.lastCounted
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// rowOf says how a container of the tick stands; e is the newest word on an action on it.
func (t *tickReader) rowOf(b contract.ContainerBody, last lastAction) containerRow {
	r := containerRow{ContainerBody: b, status: statusOther}
	switch {
	case contract.StateEnded(b.State) || b.State == contract.StateCreated:
		r.status = statusEnded
	case last.failed():
		r.status, r.Error = statusFailed, last.Error
	case b.Reason == contract.ReasonLeaving:
		r.status = statusLeaving
	case b.Verdict == contract.VerdictRemove && t.enforces() && t.decisions[b.Container].WhyHeld() == "" && last.Outcome != contract.OutcomeRefused:
		r.status = statusLeaving
	case b.Verdict == contract.VerdictRemove, b.Reason == contract.ReasonShadowRemoved:
		r.status = statusShadow
	case chart.AwaitsVerdict(b):
		r.status = statusNew
	case chart.CountsAgainstQuota(b):
		r.status = statusKept
	}

	return r
}

// summarize sums the rows up by class: those of the policy in its order, then what else there is.
func summarize(rows []containerRow, h contract.HostBody) []classSummary {
	var out []classSummary
	at := func(class contract.Class) *classSummary {
		i := slices.IndexFunc(out, func(c classSummary) bool { return c.Class == class })
		if i < 0 {
			i, out = len(out), append(out, classSummary{Class: class})
		}
		return &out[i]
	}

	// The policy's classes stand there even when they are empty: their places are nobody's.
	for _, c := range h.Classes {
		if c.Class == contract.ClassUnknown {
			continue
		}
		k := at(c.Class)
		k.Quota, k.Places = c.Quota, true
	}

	// Who does not run holds no place.
	for _, r := range rows {
		if r.alive() {
			at(cmp.Or(r.Class, contract.ClassUnknown)).addRow(r)
		}
	}

	return out
}

func (c *classSummary) addRow(r containerRow) {
	c.Alive++
	if r.countsAgainstQuota() {
		c.Counted++
		if chart.Unremovable(r.ContainerBody) {
			c.Fixed++
		}
		if r.Reason == contract.ReasonElsewhere {
			c.Orchestrated++
		}
	}

	switch r.status {
	case statusKept:
		c.Kept++
	case statusNew:
		c.New++
	case statusLeaving:
		c.Leaving++
	case statusShadow:
		c.Shadow++
	case statusFailed:
		c.Failed++
	default:
		c.Others++
	}

	if r.sinceTick {
		c.SinceTick++
	}

	if r.Reason == contract.ReasonCapped {
		c.Capped++
	}
}
