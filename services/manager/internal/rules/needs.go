package rules

import (
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Needs says that container a, of which the network mode is given, surely needs b: it depends on b's service within their compose
// project, or it shares b's network namespace. It is what the guard needed asks, for the moment of an act.
func Needs(a *policy2.Identity, networkMode string, b *policy2.Identity) bool {
	if sharesNetwork(networkMode, b) {
		return true
	}
	project, service := b.Project(), b.Labels[contract.LabelService]
	return project != "" && service != "" && a.Project() == project && has(dependencies(a.Labels[labelDependsOn]), service)
}

// sharesNetwork says that a container with the network mode uses b's network namespace, which is named by id, the first digits of
// it, or name.
func sharesNetwork(mode string, b *policy2.Identity) bool {
	of, ok := strings.CutPrefix(mode, "container:")
	return ok && of != "" && (of == b.ID || of == b.Name || len(of) == idDigits && strings.HasPrefix(b.ID, of))
}
