package line

import (
	"slices"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// host is what the facts say beside the containers, with the clocks as distances that stay: G from the boot clock, and the wall
// clock from G.
type host struct {
	tick, sequence, bootUS     uint64
	bootID                     string
	gLessBootUS, wallLessGUS   int64
	bootGUS, raisedUS          int64
	clockInDoubt               bool
	intervalUS                 uint64
	cpus                       int
	memoryTotal, memoryFree    policy2.Fact[uint64]
	suite                      policy2.Suite
	inForce                    rules.InForce // without gates
	gates, leaving, stuck, fut []string
}

func hostOf(f *rules.Facts) host {
	h := host{
		tick: f.Tick, sequence: f.Sequence, bootUS: f.BootUS, bootID: f.BootID,
		gLessBootUS: f.GUS - int64(f.BootUS), wallLessGUS: f.WallUS - f.GUS,
		bootGUS: f.BootGUS, raisedUS: f.RaisedUS, clockInDoubt: f.ClockInDoubt,
		intervalUS: f.IntervalUS, cpus: f.CPUs, memoryTotal: f.MemoryTotalKB, memoryFree: f.MemoryAvailableKB,
		suite: f.Suite, inForce: f.InForce,
		gates: f.InForce.Gates, leaving: f.Leaving, stuck: f.Stuck, fut: f.Futile,
	}

	h.inForce.Gates = nil
	return h
}

// facts are those of the host, without containers.
func (h *host) facts() rules.Facts {
	g := h.gLessBootUS + int64(h.bootUS)
	f := rules.Facts{
		Tick: h.tick, Sequence: h.sequence, BootID: h.bootID, BootUS: h.bootUS,
		GUS: g, BootGUS: h.bootGUS, RaisedUS: h.raisedUS, WallUS: h.wallLessGUS + g, ClockInDoubt: h.clockInDoubt,
		IntervalUS: h.intervalUS, CPUs: h.cpus, MemoryTotalKB: h.memoryTotal, MemoryAvailableKB: h.memoryFree,
		Suite: h.suite, InForce: h.inForce, Leaving: h.leaving, Stuck: h.stuck, Futile: h.fut,
	}
	f.InForce.Gates = h.gates
	return f
}

// keep makes the lists the host's own, as those of before where they are the same.
func (h *host) keep(before *host) {
	own := func(list *[]string, old []string) {
		if slices.Equal(*list, old) {
			*list = old
			return
		}
		*list = slices.Clone(*list)
	}

	own(&h.suite.IDs, before.suite.IDs)
	own(&h.gates, before.gates)
	own(&h.leaving, before.leaving)
	own(&h.stuck, before.stuck)
	own(&h.fut, before.fut)
}

// hostFields are those that are written when they change; tick, sequence and boot clock always are.
func hostFields() fields[host] {
	return newFields([]field[host]{
		plain("boot_id", func(h *host) *string { return &h.bootID }, appendText),
		plain("interval_us", func(h *host) *uint64 { return &h.intervalUS }, appendUint),
		plain("g_less_boot_us", func(h *host) *int64 { return &h.gLessBootUS }, appendInt),
		plain("wall_less_g_us", func(h *host) *int64 { return &h.wallLessGUS }, appendInt),
		plain("boot_g_us", func(h *host) *int64 { return &h.bootGUS }, appendInt),
		plain("raised_us", func(h *host) *int64 { return &h.raisedUS }, appendInt),
		plain("clock_in_doubt", func(h *host) *bool { return &h.clockInDoubt }, appendBool),

		plain("cpus", func(h *host) *int { return &h.cpus }, appendInt),
		fact("memory_total_kb", func(h *host) *policy2.Fact[uint64] { return &h.memoryTotal }, appendUint),
		fact("memory_available_kb", func(h *host) *policy2.Fact[uint64] { return &h.memoryFree }, appendUint),

		plain("suite", func(h *host) *string { return &h.suite.Name }, appendText),
		texts("suite_ids", func(h *host) *[]string { return &h.suite.IDs }),
		plain("suite_project", func(h *host) *string { return &h.suite.Project }, appendText),

		plain("needs_approval", func(h *host) *bool { return &h.inForce.NeedsApproval }, appendBool),
		plain("approved", func(h *host) *bool { return &h.inForce.Approved }, appendBool),
		plain("own_count", func(h *host) *int { return &h.inForce.OwnCount }, appendInt),
		plain("approved_g_us", func(h *host) *int64 { return &h.inForce.ApprovedGUS }, appendInt),
		plain("approved_wall_us", func(h *host) *int64 { return &h.inForce.ApprovedWallUS }, appendInt),
		plain("other_suite", func(h *host) *bool { return &h.inForce.OtherSuite }, appendBool),
		plain("dry_run", func(h *host) *bool { return &h.inForce.DryRun }, appendBool),

		texts("gates", func(h *host) *[]string { return &h.gates }),
		texts("leaving", func(h *host) *[]string { return &h.leaving }),
		texts("stuck", func(h *host) *[]string { return &h.stuck }),
		texts("futile", func(h *host) *[]string { return &h.fut }),
	})
}
