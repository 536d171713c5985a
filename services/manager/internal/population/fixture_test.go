package population_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"gestor.local/contract"
)

// fixture is a host whose history is drawn: containers come, work, fork, restart and go, the module is loaded again,
// the host boots. It knows what the snapshots of it must show.
type fixture struct {
	t        *rapid.T
	source   string // of cpu_us
	nowUS    uint64
	sequence uint64
	boot     int
	instance int
	nextPID  int
	live     map[string]*living
}

type living struct {
	startUS uint64
	cpuUS   uint64 // with the time of processes that ended
	reapUS  uint64 // of those that ended, what a process inside has waited for
	tasks   []contract.Process
}

func newFixture(t *rapid.T) *fixture {
	return &fixture{
		t: t, nowUS: 1000 * tickUS, nextPID: 100, live: map[string]*living{},
		source: rapid.SampledFrom([]string{contract.CPUSourceCgroup, contract.CPUSourceTasks}).Draw(t, "cpu_source"),
	}
}

const cpus = 4

// step lets time pass: between half a tick and three.
func (w *fixture) step() {
	intervalUS := rapid.Uint64Range(tickUS/2, 3*tickUS).Draw(w.t, "interval")
	w.nowUS += intervalUS
	w.sequence += rapid.Uint64Range(1, 3).Draw(w.t, "walks")
	switch rapid.IntRange(0, 40).Draw(w.t, "upheaval") {
	case 0:
		w.boot++
		w.instance++
		w.sequence, w.live = 1, map[string]*living{}
	case 1:
		w.instance++
		w.sequence = 1
	}

	for i := range 8 {
		w.stepOne(fmt.Sprintf("%064x", i), intervalUS)
	}
}

func (w *fixture) stepOne(id string, intervalUS uint64) {
	c := w.live[id]
	action := rapid.SampledFrom([]string{"work", "work", "work", "fork", "exit", "stop", "restart", "idle"}).Draw(w.t, "action")
	switch {
	case c == nil && action == "fork":
		w.live[id] = w.addContainer(intervalUS)
	case c == nil:
	case action == "stop":
		delete(w.live, id)
	case action == "restart":
		w.live[id] = w.addContainer(intervalUS)
	default:
		w.burnCPU(c, action, intervalUS)
	}
}

// addContainer is a container that began within the interval.
func (w *fixture) addContainer(intervalUS uint64) *living {
	c := &living{startUS: w.nowUS - rapid.Uint64Range(0, intervalUS-1).Draw(w.t, "age")}
	w.fork(c, c.startUS, rapid.Uint64Range(0, w.nowUS-c.startUS).Draw(w.t, "first work"))
	return c
}

func (w *fixture) fork(c *living, startUS, cpuUS uint64) {
	w.nextPID++
	c.tasks = append(c.tasks, contract.Process{PID: w.nextPID, State: "R", Threads: 1, StartUS: startUS, CPUUS: cpuUS})
	c.cpuUS += cpuUS
}

// burnCPU gives CPU time to the processes, at most what the host has for eight containers.
func (w *fixture) burnCPU(c *living, action string, intervalUS uint64) {
	if action != "idle" {
		for i := range c.tasks {
			used := rapid.Uint64Range(0, intervalUS/64).Draw(w.t, "used")
			c.tasks[i].CPUUS += used
			c.cpuUS += used
		}
	}

	if action == "fork" && len(c.tasks) < 4 {
		w.fork(c, w.nowUS-intervalUS/2, intervalUS/64)
	}
	if action == "exit" && len(c.tasks) > 1 {
		last := len(c.tasks) - 1 // the first one, which gives the container its start, stays
		if rapid.Bool().Draw(w.t, "waited for") {
			c.reapUS += c.tasks[last].CPUUS
		}
		c.tasks = c.tasks[:last]
	}
}

// snapshot is the snapshot of the host, with the rows in a drawn order.
func (w *fixture) snapshot() *contract.Snapshot {
	var rows []contract.Container
	for id, c := range w.live {
		row := contract.Container{ID: id, StartUS: c.startUS, CPUUS: c.cpuUS, ProcessCount: len(c.tasks), ThreadCount: len(c.tasks)}
		row.Processes = slices.Clone(c.tasks)
		if w.source == contract.CPUSourceTasks {
			row.CPUUS = c.reapUS
			for _, p := range c.tasks {
				row.CPUUS += p.CPUUS
			}
		}

		rows = append(rows, row)
	}

	slices.SortFunc(rows, func(a, b contract.Container) int { return int(a.StartUS) - int(b.StartUS) })
	rows = rapid.Permutation(rows).Draw(w.t, "order")
	s := snapshot(1, rows...)
	s.Sequence, s.MonotonicUS, s.CPUs = w.sequence, w.nowUS, cpus
	s.BootID = fmt.Sprintf("00000000-0000-0000-0000-%012d", w.boot)
	s.Instance = fmt.Sprintf("%016x", w.instance)
	s.Capabilities.CPUSource = w.source
	return s
}
