package oracle

import (
	"slices"
	"strings"

	"gestor.local/contract"
)

// ownerContainer begins the owner label of what was started from inside a container; the container's full id follows.
const ownerContainer = "container:"

// Orphans is the plan for the end of the suite: the owned containers go whose owner is a container that has ended or is
// gone, so that nobody will drain them. An owner that is paused or between two restarts will. What is protected, paused, stuck or being removed stays, and so does what names an
// owner that this engine cannot see. Consumption plays no part: without a population there are no measures.
func Orphans(p contract.Policy, inv contract.Inventory, ctx contract.Context) contract.Plan {
	alive := make(map[string]bool)
	for _, e := range inv.Entries {
		if contract.StateAlive(e.State) {
			alive[e.ID] = true
		}
	}
	subjects := join(contract.Population{}, inv)
	screen(p, ctx, subjects)
	for _, s := range subjects {
		if s.judgedByStateOnly() && orphaned(s.entry, alive) {
			s.reason, s.remove = contract.ReasonOrphaned, true
		}
	}
	counts := count(p, subjects)
	slices.SortFunc(subjects, byClassRankID)
	return contract.Plan{
		Tick: ctx.Tick, PolicyHash: p.Hash(), Mode: p.Mode, Classify: p.Classify, Counts: counts, Verdicts: verdicts(subjects),
	}
}

// judgedByStateOnly says that nothing but its state or a lack of figures keeps the subject out of the competition.
func (s *subject) judgedByStateOnly() bool {
	switch s.reason {
	case contract.ReasonNotRunning, contract.ReasonUnmeasured, contract.ReasonUnknown, contract.ReasonFutile:
		return s.owned
	default:
		return false
	}
}

func orphaned(e *contract.Entry, alive map[string]bool) bool {
	owner, inContainer := strings.CutPrefix(e.Labels[contract.LabelOwner], ownerContainer)
	return inContainer && contract.IsContainerID(owner) && !alive[owner]
}
