package rulestest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// facts are what the manager reads on a tick, and what it needs of them to read the next.
func (w *World) facts() rules.Facts {
	interval := time.Duration(0)
	if w.looked {
		interval = w.now - w.last
	}

	f := rules.Facts{
		Tick: w.ticks, Sequence: w.ticks,
		BootID: w.clock.BootID, BootUS: w.clock.bootUS(w.now),
		GUS: w.clock.LastGUS, BootGUS: w.clock.BootGUS, RaisedUS: w.clock.raisedUS,
		WallUS: micros(w.clock.wall(w.now)), ClockInDoubt: w.clock.InDoubt,
		IntervalUS: uint64(interval.Microseconds()), CPUs: w.CPUs,
		MemoryTotalKB: policy2.Known(w.MemoryKB), MemoryAvailableKB: policy2.Known(w.MemoryKB / 2),
		Suite: w.Suite,
	}

	slices.SortFunc(w.members, func(a, b *member) int { return cmp.Compare(a.id, b.id) })
	f.Containers = make([]rules.Container, 0, len(w.members))
	for _, m := range w.members {
		if m.present {
			f.Containers = append(f.Containers, w.container(m, interval))
		}
	}
	f.InForce = w.inForce(&f)
	if w.BlurFacts != nil {
		w.BlurFacts(w.now, &f)
	}
	return f
}

// container reads one container, and remembers of which run it had a row.
func (w *World) container(m *member, interval time.Duration) rules.Container {
	// The engine's inspection: it tells of every container, whatever its state.
	c := rules.Container{
		Identity: m.identity, InEngine: true, State: m.state,
		CreatedWallUS: policy2.Known(w.stamp(m.spec.Created)),
		Restarts:      policy2.Known(m.restarts),
		AutoRemove:    policy2.Known(m.spec.Rm), AnonymousVolumes: policy2.Known(m.spec.Anonymous),
		RestartPolicy: policy2.Known(cmp.Or(m.spec.Restart, "no")),
		NetworkMode:   policy2.Known(cmp.Or(m.spec.Network, "bridge")), NanoCPUs: policy2.Known(m.nanoCPUs),
		StartedAt: policy2.Known(""), StartedWallUS: policy2.Known(int64(0)), FinishedWallUS: policy2.Known(int64(0)),
		Frozen: m.state == contract.StatePaused,
	}

	if m.state != contract.StateCreated {
		c.StartedAt = policy2.Known(w.startedAt(m))
		c.StartedWallUS = policy2.Known(w.stamp(m.started))
	}
	if m.finished != nil {
		c.FinishedWallUS = policy2.Known(w.stamp(*m.finished))
	}

	hadRow := m.rowStart
	m.rowStart = nil
	if (m.state == contract.StateRunning || c.Frozen) && (m.spec.BadRow == nil || !m.spec.BadRow(w.now)) {
		w.row(m, &c, interval, hadRow)
	}

	if m.spec.Blur != nil {
		m.spec.Blur(w.now, &c)
	}
	return c
}

// row reads the snapshot's row of one that runs. CPU is the difference of two rows of one run.
func (w *World) row(m *member, c *rules.Container, interval time.Duration, hadRow *time.Duration) {
	started := m.started
	m.rowStart = &started
	c.HasRow = true
	c.StartBootUS = policy2.Known(uint64((m.started - w.clock.bootedAt).Microseconds()))

	processes, ram := m.spec.Sizes(w.now)
	c.Processes = policy2.Known(processes)
	c.RAMKB, c.WorkingSetKB, c.RSSKB = policy2.Known(ram), policy2.Known(ram), policy2.Known(ram)
	c.VSZKB = policy2.Known(4 * ram)

	cpu := uint64(0)
	if !c.Frozen {
		cpu = uint64(m.uses(w.now)) * uint64(interval.Microseconds()) / 1000
	}
	m.cpuUS += cpu
	c.CPUTotalUS = policy2.Known(m.cpuUS)
	if interval > 0 && hadRow != nil && *hadRow == m.started {
		c.CPUUS = policy2.Known(cpu)
	}

	c.NetBytes, c.NetBootUS = w.network(m, interval), w.clock.bootUS(w.now)
}

// network reads the counters of its network namespace, which it may share with another container.
func (w *World) network(m *member, interval time.Duration) policy2.Fact[uint64] {
	if m.spec.Net != nil && interval > 0 {
		m.netBytes += uint64(m.spec.Net(w.now) * int64(interval/second))
	}

	switch other, shared := strings.CutPrefix(m.spec.Network, "container:"); {
	// The manager does not read the host's own counters.
	case m.spec.Network == "host":
		return policy2.Fact[uint64]{}
	case m.spec.Network == "none":
		return policy2.Known(uint64(0))

	case shared:
		if o := w.find(other); o != nil {
			return policy2.Known(o.netBytes)
		}
		return policy2.Fact[uint64]{}

	default:
		return policy2.Known(m.netBytes)
	}
}

// stamp is what the engine wrote down as the time of an event: the wall clock's of then.
func (w *World) stamp(at time.Duration) int64 {
	off := w.clock.wallOff
	for i := len(w.wallJumps) - 1; i >= 0 && w.wallJumps[i].at > at; i-- {
		off -= w.wallJumps[i].by
	}
	return micros(at + off)
}

// startedAt is the text in which the engine tells the start of its run, "" before its first.
func (w *World) startedAt(m *member) string {
	if m.state == contract.StateCreated {
		return ""
	}

	if at := w.stamp(m.started); m.startedAt == "" || at != m.startedUS {
		m.startedUS = at
		m.startedAt = time.UnixMicro(at).UTC().Format(time.RFC3339Nano)
	}
	return m.startedAt
}
