package facts

import (
	"cmp"
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// row is what the snapshot and the population made of it say of one container.
type row struct {
	member *contract.Member
	read   *contract.Container // nil where its row was bad
	cgroup bool                // its CPU time is counted by its cgroup
}

func rowsOf(snap *contract.Snapshot, pop *contract.Population) map[string]row {
	rows := make(map[string]row)
	if snap == nil || pop == nil {
		return rows
	}

	for i := range pop.Members {
		rows[pop.Members[i].ID] = row{member: &pop.Members[i]}
	}

	cgroup := snap.Capabilities.CPUSource == contract.CPUSourceCgroup
	for i := range snap.Containers {
		read := &snap.Containers[i]
		if r, ok := rows[read.ID]; ok {
			r.read, r.cgroup = read, cgroup
			rows[read.ID] = r
		}
	}
	return rows
}

// untrusted says that nothing in the row can be believed.
func (r row) untrusted() bool {
	if r.member == nil || r.read == nil {
		return true
	}

	switch r.member.Why {
	case contract.UnmeasuredBadRow, contract.UnmeasuredUnlocated, contract.UnmeasuredImpossible:
		return true
	default:
		return false
	}
}

// runs says whether the row has this process.
func (r row) runs(pid int) bool {
	return pid > 0 && slices.ContainsFunc(r.read.Processes, func(p contract.Process) bool { return p.PID == pid })
}

// oldest is the process that gives the row its start: of several of one age that with the smallest number.
func (r row) oldest() netdev.Process {
	oldest := slices.MinFunc(r.read.Processes, func(a, b contract.Process) int {
		return cmp.Or(cmp.Compare(a.StartUS, b.StartUS), cmp.Compare(a.PID, b.PID))
	})
	return netdev.Process{PID: oldest.PID, StartUS: oldest.StartUS}
}

// owns says whether the row is surely the container's own. An id is only a name, and whoever was given a cgroup can name another
// in it after somebody's container; which process is the container's first one the engine alone knows, and no user can move it
// into a group of his own (docs/adr/0083).
func (k *known) owns(r row) bool { return k.fresh && !r.untrusted() && r.runs(k.inspected.pid) }

// addRow adds what the row says. Sizes are as they were read, CPU time needs two readings to compare.
func addRow(c *rules.Container, r row) {
	m := r.member
	c.HasRow, c.Frozen = true, m.Frozen
	c.StartBootUS = policy2.Known(m.StartUS)
	c.Processes = policy2.Known(m.Processes)

	if m.Measured {
		c.CPUUS = policy2.Known(m.CPUUS)
	}
	if r.cgroup {
		c.CPUTotalUS = policy2.Known(r.read.CPUUS)
	}

	c.RAMKB, c.VSZKB, c.RSSKB = policy2.Known(m.RAMKB), policy2.Known(m.VSZKB), policy2.Known(m.RSSKB)
	if m.WorkingSetKB != nil {
		c.WorkingSetKB = policy2.Known(*m.WorkingSetKB)
	}
}
