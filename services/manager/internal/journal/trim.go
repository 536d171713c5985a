package journal

import (
	"slices"
	"strings"

	"gestor.local/contract"
)

// trim returns the inventory with only those labels that a decision under the policy of version 1 and its words read: both are the
// same, and a journal neither grows by nor gives away what strangers wrote on their containers.
func trim(p contract.Policy, inv contract.Inventory) contract.Inventory {
	ofAll := []string{
		contract.LabelManaged, contract.LabelClass, contract.LabelRole, contract.LabelSuite, contract.LabelProject, contract.LabelConfigHash,
		contract.LabelStack,
	}
	for _, label := range p.Protect.Labels {
		key, _, _ := strings.Cut(label, "=")
		ofAll = append(ofAll, key)
	}
	ofManaged := slices.Concat(ofAll, contract.WorkloadLabels())
	out := contract.Inventory{Host: inv.Host, Entries: make([]contract.Entry, len(inv.Entries))}
	for i, e := range inv.Entries {
		labels := e.Labels
		e.Labels = nil
		read := ofAll
		if _, managed := labels[contract.LabelManaged]; managed {
			read = ofManaged
		}
		for _, key := range read {
			value, ok := labels[key]
			if !ok {
				continue
			}
			if e.Labels == nil {
				e.Labels = make(map[string]string, len(read))
			}
			e.Labels[key] = value
		}
		out.Entries[i] = e
	}
	return out
}
