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
	// Suite is the value of contract.LabelSuite, or the compose project, that the suite's containers carry; "" for any.
	Suite string
}

// roleLogs is the value of contract.LabelRole that the log service's container carries.
const roleLogs = "logs"

// resolve returns the full ids of every container that is part of a suite, sorted, and why the suite is not resolved
// ("" when it is). Every container with a role is protected, of whichever suite: doubt keeps one more.
func (s Self) resolve(inv contract.Inventory) (ids []string, why string) {
	found, logs := false, false
	for _, e := range inv.Entries {
		role := e.Labels[contract.LabelRole]
		own := s.ID != "" && e.ID == s.ID
		if role != "" || own {
			ids = append(ids, e.ID)
		}
		found = found || own
		logs = logs || role == roleLogs && s.mine(e)
	}
	slices.Sort(ids)
	switch {
	case s.ID == "":
		return ids, ""
	case !found:
		return ids, fmt.Sprintf("the manager's own container (%.12s) is not among the engine's", s.ID)
	case !logs:
		return ids, fmt.Sprintf("no container of suite %q carries %s=%s", s.Suite, contract.LabelRole, roleLogs)
	default:
		return ids, ""
	}
}

func (s Self) mine(e contract.Entry) bool {
	return s.Suite == "" || e.Labels[contract.LabelSuite] == s.Suite || e.Labels[labelProject] == s.Suite
}
