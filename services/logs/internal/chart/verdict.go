package chart

import "gestor.local/contract"

// AwaitsVerdict says whether the container waits for its judgement: it is new, or was not measured this time.
func AwaitsVerdict(b contract.ContainerBody) bool {
	return b.Verdict != contract.VerdictRemove && (b.Reason == contract.ReasonYoung || b.Reason == contract.ReasonUnmeasured)
}

// CountsAgainstQuota says whether the container counts against the places of its class: it was compared with the
// others, or is one of those that cannot be got rid of, or that mode shadow only seems to have got rid of.
func CountsAgainstQuota(b contract.ContainerBody) bool {
	return b.Reason == contract.ReasonWithinQuota || b.Reason == contract.ReasonCapped || b.Verdict == contract.VerdictRemove || Unremovable(b)
}

// Unremovable says whether the container counts against the places of its class and no plan removes it: others leave
// for the places that they compete for, never for its own.
func Unremovable(b contract.ContainerBody) bool {
	switch b.Reason {
	case contract.ReasonStuck, contract.ReasonFutile, contract.ReasonElsewhere, contract.ReasonShadowRemoved:
		return true
	default:
		return false
	}
}
