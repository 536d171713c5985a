package govern

import "gestor.local/contract"

// join keeps from each governed container the figures of a row that is not its own. An id is only a name, and whoever was given
// a cgroup can name another in it after somebody's container; which process is the container's first one the engine alone
// knows, and no user can move it into a group of his own (docs/adr/0083).
//
// Nothing is known then of the container: it stays, and takes no place from another.
func (g *Governor) join(t *tick) {
	if t.pop == nil {
		return // who was not located stays so
	}

	now := make(map[string]int)
	rows := rowsOf(t)
	for i := range t.inv.Entries {
		e := &t.inv.Entries[i]
		if !contract.Governed(e.Labels, g.Suite.Name) {
			continue
		}

		who, m := g.identities[e.ID], t.pop.Member(e.ID)
		switch {
		case m == nil:
			if e.State == contract.StateRunning {
				now[e.ID] = g.unlocated[e.ID] + 1
			}
		case m.Why == contract.UnmeasuredBadRow || who.runsIn(rows[e.ID]):
		default:
			*m = contract.Member{ID: e.ID, Why: contract.UnmeasuredUnlocated}
			if who.startedAt != "" { // else it is the engine that has not told yet
				now[e.ID] = g.unlocated[e.ID] + 1
			}
		}
	}

	g.unlocated = now
}

// runsIn says whether the row has the process that the engine names as the container's first.
func (i identity) runsIn(row *contract.Container) bool {
	if row == nil || i.pid == 0 {
		return false
	}
	for n := range row.Processes {
		if row.Processes[n].PID == i.pid {
			return true
		}
	}
	return false
}
