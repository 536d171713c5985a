package govern

import (
	"fmt"
	"slices"

	"gestor.local/contract"
)

// Self says how the manager recognises its own container and those of its suite.
type Self struct {
	// ID is the full id of the manager's own container, "" when it does not run in one. In a container it must find itself
	// and the log service among the engine's containers before it removes any.
	ID string
	// Suite is the compose project of the suite's services, and the value of contract.LabelSuite that what it starts carries;
	// "" for any.
	Suite string
}

// roleLogs is the value of contract.LabelRole that the log service's container carries.
const roleLogs = "logs"

// resolve returns the full ids of every container that is part of the suite, sorted, and why the suite is not resolved
// ("" when it is). Services of other suites carry no label of ownership.
func (s Self) resolve(inv contract.Inventory) (ids []string, why string) {
	found, logs := false, false
	for _, e := range inv.Entries {
		own := s.ID != "" && e.ID == s.ID
		part := contract.OfSuite(e.Labels, s.Suite)
		if part || own {
			ids = append(ids, e.ID)
		}
		found = found || own
		logs = logs || part && e.Labels[contract.LabelRole] == roleLogs
	}
	slices.Sort(ids)
	switch {
	case s.ID == "":
		return ids, ""
	case !found:
		return ids, fmt.Sprintf("the manager's own container (%.12s) is not among the engine's", s.ID)
	case !logs:
		return ids, fmt.Sprintf("no container that compose made for the project %q carries %s=%s", s.Suite, contract.LabelRole, roleLogs)
	default:
		return ids, ""
	}
}
