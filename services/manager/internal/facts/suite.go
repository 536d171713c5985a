package facts

import (
	"cmp"
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// SuiteOf says who the suite is: its name, its own containers, and the compose project that the manager's belongs to, else the first
// of the others that has one.
func SuiteOf(name, managerID string, ids []string, inv contract.Inventory) policy2.Suite {
	suite := policy2.Suite{Name: name, IDs: sorted(ids)}
	for _, id := range slices.Concat([]string{managerID}, suite.IDs) {
		if e := inv.Entry(id); e != nil && suite.Project == "" {
			suite.Project = (&policy2.Identity{Labels: e.Labels}).Project()
		}
	}
	return suite
}

// PartsOf are the full ids of the containers that are services of the suite by their labels, in the order of the list.
func PartsOf(suite string, inv contract.Inventory) []string {
	var ids []string
	for i := range inv.Entries {
		if contract.OfSuite(inv.Entries[i].Labels, suite) {
			ids = append(ids, inv.Entries[i].ID)
		}
	}
	return ids
}

// roleManager is the value of contract.LabelRole that a manager's container carries.
const roleManager = "manager"

// OtherSuites are the names of the suites whose managers run on this engine beside the one of the suite own. Sorted.
func OtherSuites(inv contract.Inventory, own string) (names []string) {
	for i := range inv.Entries {
		e := &inv.Entries[i]
		other := e.Labels[contract.LabelRole] == roleManager && !contract.OfSuite(e.Labels, own)
		if other && contract.StateAlive(e.State) {
			names = append(names, cmp.Or(e.Labels[contract.LabelProject], e.Name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
