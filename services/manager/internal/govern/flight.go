package govern

import (
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
)

// stage is where a victim in flight is.
type stage int

const (
	stageQueued   stage = iota // waits for a free hand
	stageActing                // an actuator is at it
	stageHeld                  // throttled, or could not be: waits for its next rung
	stageDoubtful              // what became of it will be seen in the next inventory
)

// flight is one victim between its intent and its final outcome.
type flight struct {
	order actuator.Order
	stage stage
	// verb is the action that is under way, and that its records carry.
	verb string
	// due is the tick on which a held one takes its next rung.
	due uint64
	// ended says that it was seen or left not running: only its remains have to be removed.
	ended bool
	// tries counts how often its limit was tried to be given back.
	tries int
	// counted says that the caps have counted it.
	counted bool
	// replayed says that the intent is of an earlier run of the manager.
	replayed bool
	// since is when the engine was last asked to act on it, or may have been.
	since    time.Time
	attempts int
	volumes  int    // see actuator.Result.AnonymousVolumes
	key      string // see futility
}

// flights are all victims in flight by container id.
type flights map[string]*flight

func (f flights) ids() []string { return slices.Sorted(maps.Keys(f)) }

// leaving returns the ids that the policy must see as leaving, sorted. What only the shadow removes stays.
func (f flights) leaving() []string {
	return slices.DeleteFunc(f.ids(), func(id string) bool { return f[id].verb == contract.ActionShadowRemove })
}

func (f flights) in(s stage) []*flight {
	var out []*flight
	for _, id := range f.ids() {
		if f[id].stage == s {
			out = append(out, f[id])
		}
	}
	return out
}

// minAvailableOf is what must still run when a victim of the plan is removed: as many of those that stay in its contest as the
// policy gives places. A young one removed under the hard rule has no contest.
func minAvailableOf(p contract.Policy, plan contract.Plan, v contract.Verdict) actuator.MinAvailable {
	if v.Reason != contract.ReasonOverQuota {
		return actuator.MinAvailable{}
	}
	rank := p.Classify == contract.ClassifyRank
	var f actuator.MinAvailable
	for _, other := range plan.Verdicts {
		stays := other.Reason == contract.ReasonWithinQuota || other.Reason == contract.ReasonCapped
		if stays && (rank || other.Class == v.Class) {
			f.Survivors = append(f.Survivors, other.ID)
		}
	}
	slices.Sort(f.Survivors)
	switch {
	case rank:
		f.Need = p.Quota.Low + p.Quota.High
	case v.Class == contract.ClassHigh:
		f.Need = p.Quota.High
	default:
		f.Need = p.Quota.Low
	}
	return f
}
