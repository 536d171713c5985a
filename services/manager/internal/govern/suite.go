package govern

import (
	"fmt"
	"net/url"
	"slices"

	"gestor.local/contract"
)

// Suite says how the manager recognises its own container and those of its suite.
type Suite struct {
	// ManagerID is the full id of the manager's own container, "" when it does not run in one. In a container it must
	// find itself and the log service among the engine's containers before it removes any.
	ManagerID string
	// Name is the compose project of the suite's services, and the value of contract.LabelSuite that what it starts
	// carries; "" for any.
	Name string
	// LogsElsewhere is the address of a log service that runs on another host, "" when it runs on the engine of this
	// one: then the manager need not find it. Everything else holds as before.
	LogsElsewhere string
}

// roleLogs is the value of contract.LabelRole that the log service's container carries, and its name in compose.yaml.
const roleLogs = "logs"

// resolve returns the full ids of every container that is part of the suite, sorted, and what is missing of the suite
// or contradicts it, nil when it is resolved. Services of other suites carry no label of ownership.
func (s Suite) resolve(inv contract.Inventory) (ids []string, failure *gateFailure) {
	var self *contract.Entry
	logs := false
	for i := range inv.Entries {
		e := &inv.Entries[i]
		part := contract.OfSuite(e.Labels, s.Name)
		if s.ManagerID != "" && e.ID == s.ManagerID {
			self = e
		}
		if part || self == e {
			ids = append(ids, e.ID)
		}
		logs = logs || part && e.Labels[contract.LabelRole] == roleLogs
	}
	slices.Sort(ids)

	switch {
	case s.ManagerID == "":
		return ids, nil

	case self == nil:
		return ids, &gateFailure{gate: GateSuite, why: fmt.Sprintf("the manager's own container (%.12s) is not among the engine's", s.ManagerID)}

	case s.LogsElsewhere == "" && !logs:
		return ids, &gateFailure{
			gate: GateSuite,
			why:  fmt.Sprintf("no container that docker compose or a stack made for %q carries %s=%s", s.Name, contract.LabelRole, roleLogs),
			next: "start it (docker compose up -d logs); where it runs on another host, set GESTOR_LOGS_ELSEWHERE=true and GESTOR_LOGS_URL to its address",
		}

	// A log service of this project is on this engine: whoever does not look for it does not see that it is gone.
	case s.ofThisProject(self):
		return ids, &gateFailure{
			gate: GateSuite,
			why:  "GESTOR_LOGS_ELSEWHERE is true, and GESTOR_LOGS_URL is the log service of this compose project (" + s.LogsElsewhere + ")",
			next: "set GESTOR_LOGS_URL to the address of the log service on the other host, or take GESTOR_LOGS_ELSEWHERE away",
		}

	default:
		return ids, nil
	}
}

// advice is what to do about a condition of a log service that runs elsewhere, "" where the condition's own advice
// fits.
func (s Suite) advice(name string) string {
	switch {
	case s.LogsElsewhere == "":
		return ""
	case name == GateSpoolFull:
		return "see that " + s.LogsElsewhere + " answers from here and takes records, or make room on the volume of GESTOR_STATE"
	case name == ConditionRecordsWait:
		return "see that " + s.LogsElsewhere + " answers from here, that its service is well (/readyz), and that GESTOR_TOKEN_FILE holds a token that it takes"
	default:
		return ""
	}
}

// ofThisProject says that the address of the log service elsewhere is the one that compose.yaml has for its own. In a
// stack the same name is right: its network reaches over the hosts.
func (s Suite) ofThisProject(self *contract.Entry) bool {
	u, err := url.Parse(s.LogsElsewhere)
	return err == nil && u.Hostname() == roleLogs && self.Labels[contract.LabelConfigHash] != ""
}
