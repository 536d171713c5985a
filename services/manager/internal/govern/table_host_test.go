package govern_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/source"
	"gestor.local/manager/internal/source/netdev"
)

// tableT is T of the tables. Nothing of a host happens within tickPhase before a tick: what is at one moment is there on its tick.
const tickPhase = time.Millisecond

func tableT() time.Time { return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) }

// hostUpFor is how long the host of a table is up at T: longer than its containers.
const hostUpFor = 730 * 24 * time.Hour

// engineSocket is where the engine of a table listens.
const engineSocket = "/var/run/docker.sock"

// tableHost is a host on which containers of tables live: they are born in the engine in memory, run, end and are started again as the
// table says, and the host is read as if from the kernel. Moments are distances from T.
type tableHost struct {
	t      *testing.T
	engine *enginetest.Engine
	tick   time.Duration
	ended  bool

	mu       sync.Mutex // guards all following fields
	lives    []*life
	sequence uint64
	counted  time.Duration // the tick up to which what containers use is counted
}

// life is one container of a host.
type life struct {
	spec    rulestest.Container
	id      string
	run     int
	started time.Duration // of this run
	backoff time.Duration // the last wait of the engine before it started the container again

	cpuUS, netBytes uint64 // of this run
}

func newTableHost(t *testing.T, tick, from time.Duration) *tableHost {
	return &tableHost{t: t, engine: enginetest.New(), tick: tick, counted: from}
}

func sinceT() time.Duration { return time.Since(tableT()) }

// stamp is how the engine writes a moment.
func stamp(at time.Duration) string { return tableT().Add(at).UTC().Format(time.RFC3339Nano) }

// add puts containers on the host, those of later once their time has come.
func (h *tableHost) add(containers ...rulestest.Container) {
	for _, c := range containers {
		time.AfterFunc(c.Created-sinceT(), func() { h.appear(c) })
	}
}

func (h *tableHost) appear(c rulestest.Container) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &life{spec: c, id: c.ID(), started: c.Begins()}
	h.lives = append(h.lives, l)

	in := enginetest.Container{
		ID: l.id, Name: c.Name, Image: c.Image, Labels: c.AllLabels(), State: c.State, CreatedAt: stamp(c.Created),
		StartedAt: stamp(l.started), AutoRemove: c.Rm, RestartPolicy: c.Restart, AnonymousVolumes: c.Anonymous,
		NetworkMode: c.Network, Networks: c.Networks, CPU: engine.CPULimit{NanoCPUs: c.NanoCPUs},
	}
	switch {
	case c.State == contract.StateCreated:
		in.StartedAt = enginetest.NeverFinished
	case contract.StateEnded(c.State):
		in.FinishedAt = stamp(c.Finished)
	}
	if c.Socket {
		in.Mounts = []policy2.Mount{{Type: "bind", Source: engineSocket, Writable: true}}
	}
	h.engine.Add(in)
	h.begin(l)
}

// begin lets the run that has begun end by itself, if it does.
func (h *tableHost) begin(l *life) {
	if l.spec.Run == nil {
		return
	}
	if length := l.spec.Run(l.run); length > 0 {
		run := l.run
		time.AfterFunc(l.started+length-sinceT(), func() { h.exit(l, run) })
	}
}

// exit ends a run as a failure, and the engine does what it was told for that. Whoever was stopped before stays as he is.
func (h *tableHost) exit(l *life, run int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, there := h.engine.Get(l.id); !there || c.State != contract.StateRunning || l.run != run || h.ended {
		return
	}
	if l.spec.Rm {
		h.engine.Drop(l.id)
		return
	}

	state := contract.StateExited
	if l.spec.ComesBack() {
		state = contract.StateRestarting
		l.backoff = rulestest.NextBackoff(l.backoff, sinceT()-l.started)
		time.AfterFunc(l.backoff, func() { h.restart(l) })
	}
	h.engine.Change(l.id, func(c *enginetest.Container) { c.State, c.FinishedAt, c.ExitCode = state, stamp(sinceT()), 1 })
}

func (h *tableHost) restart(l *life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, there := h.engine.Get(l.id); there && c.State == contract.StateRestarting && !h.ended {
		h.engine.Change(l.id, func(c *enginetest.Container) { c.RestartCount++ })
		h.start(l)
	}
}

// start begins another run.
func (h *tableHost) start(l *life) {
	l.run, l.started, l.cpuUS, l.netBytes = l.run+1, sinceT(), 0, 0
	h.engine.Change(l.id, func(c *enginetest.Container) { c.State, c.StartedAt = contract.StateRunning, stamp(l.started) })
	h.begin(l)
}

// startByHand starts containers as a person would, and says which did not run before.
func (h *tableHost) startByHand(names ...string) (started []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lives {
		c, there := h.engine.Get(l.id)
		if there && c.State == contract.StateExited && slices.Contains(names, l.spec.Name) {
			h.start(l)
			started = append(started, l.spec.Name)
		}
	}
	return started
}

// end keeps what was planned from happening.
func (h *tableHost) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// lifeOf is the container of an id.
func (h *tableHost) lifeOf(id string) *life {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lives {
		if l.id == id {
			return l
		}
	}
	return nil
}

func (h *tableHost) boottime() uint64 { return bootUS(sinceT()) }

// bootUS is CLOCK_BOOTTIME at a moment, in microseconds.
func bootUS(at time.Duration) uint64 { return uint64((at + hostUpFor).Microseconds()) }

// Read reads the host. What containers use goes on whether they are looked at or not.
func (h *tableHost) Read(context.Context) (source.Reading, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.use()

	h.sequence++
	s := &contract.Snapshot{
		Version: 1, Source: contract.SourceProcfs, Instance: "0123456789abcdef", BootID: "boot", Sequence: h.sequence,
		MonotonicUS: h.boottime(), CPUs: 8, PageSize: 4096, End: true,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 16 << 20, FreeKB: 8 << 20, AvailableKB: 10 << 20, UsedKB: 6 << 20},
	}
	r := source.Reading{Snapshot: s, Source: s.Source}
	slices.SortFunc(h.lives, func(a, b *life) int { return cmp.Compare(a.id, b.id) })
	for _, l := range h.lives {
		state := h.stateOf(l)
		if state != contract.StateRunning && state != contract.StatePaused {
			continue
		}
		if l.spec.BadRow != nil && l.spec.BadRow(h.counted) {
			r.Bad = append(r.Bad, contract.RowProblem{Index: len(s.Containers), ID: l.id})
		}
		s.Containers = append(s.Containers, l.row(h.counted, state == contract.StatePaused))
		s.ProcessTotal += s.Containers[len(s.Containers)-1].ProcessCount
	}
	s.ContainerTotal = len(s.Containers)
	return r, nil
}

func (h *tableHost) stateOf(l *life) string {
	c, _ := h.engine.Get(l.id)
	return c.State
}

// use counts what is used on each tick until now, by those who run now.
func (h *tableHost) use() {
	for h.counted+h.tick <= sinceT() {
		h.counted += h.tick
		for _, l := range h.lives {
			c, there := h.engine.Get(l.id)
			if !there || c.State != contract.StateRunning {
				continue
			}
			// A run that began within the tick has had a part of it.
			within := max(0, min(h.tick, h.counted-l.started))
			l.cpuUS += uint64(l.spec.Uses(h.counted, c.CPU.Share()) * within.Microseconds() / 1000)
			if l.spec.Net != nil {
				l.netBytes += uint64(l.spec.Net(h.counted) * int64(within/time.Second))
			}
		}
	}
}

// row is what the kernel has of one that runs.
func (l *life) row(at time.Duration, frozen bool) contract.Container {
	processes, ramKB := l.spec.Sizes(at)
	startUS := bootUS(l.started)
	return contract.Container{
		ID: l.id, CgroupID: 7, ProcessCount: processes, ThreadCount: processes, CPUUS: l.cpuUS, RSSKB: ramKB, VSZKB: 4 * ramKB,
		MemoryKB: &ramKB, WorkingSetKB: &ramKB, Frozen: &frozen, StartUS: startUS,
		Processes: []contract.Process{{PID: enginetest.FirstPID, NSPID: 1, Name: "p", State: "S", Threads: 1, StartUS: startUS}},
	}
}

// tableNetwork has the counters of a host's containers.
type tableNetwork struct{ *tableHost }

func (n tableNetwork) Read(wanted map[string]netdev.Process) map[string]netdev.Count {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]netdev.Count, len(wanted))
	for _, l := range n.lives {
		if _, is := wanted[l.id]; is {
			out[l.id] = netdev.Count{Bytes: l.netBytes, BootUS: n.boottime()}
		}
	}
	return out
}
