package chart

import "gestor.local/contract"

// Acts says whether what the tick decided is carried out. A closed gate, a mode that only watches or a plan that is held
// back leaves everybody where they are.
func Acts(h contract.HostBody) bool {
	return len(h.Gates) == 0 && h.Held == "" && (h.Mode == contract.ModeEnforce || h.Mode == "")
}

// Waits says whether the container waits for its judgement: it is new, or was not measured this time.
func Waits(b contract.ContainerBody) bool {
	return b.Verdict != contract.VerdictRemove && (b.Reason == contract.ReasonYoung || b.Reason == contract.ReasonUnmeasured)
}

// Judged says whether the container counts against the places of its class: it was compared with the others, or is one of
// those that cannot be got rid of.
func Judged(b contract.ContainerBody) bool {
	switch b.Reason {
	case contract.ReasonWithinQuota, contract.ReasonCapped, contract.ReasonStuck, contract.ReasonFutile:
		return true
	default:
		return b.Verdict == contract.VerdictRemove
	}
}
