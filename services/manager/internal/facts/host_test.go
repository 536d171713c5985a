package facts_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// id is a full id that begins with the word.
func id(n int) string { return fmt.Sprintf("%064x", n) }

// host is what the engine, the snapshot and the network counters tell on a tick, and a builder that is told it.
type host struct {
	*facts.Builder
	clocks *clocks
	tick   uint64

	list map[string]contract.Entry
	// states are answers to inspections; who is not among them is not answered for. rows are those of the snapshot, counts
	// the network's.
	states map[string]engine.ContainerState
	rows   map[string]contract.Container
	why    map[string]string // of a row that is not measured
	counts map[string]netdev.Count
	suite  policy2.Suite

	asked   []string
	counted map[string]netdev.Process
}

func newHost() *host {
	return &host{
		Builder: facts.New(facts.Options{Socket: "/srv/engine.sock"}), clocks: newClocks(time.Hour),
		list: map[string]contract.Entry{}, states: map[string]engine.ContainerState{}, rows: map[string]contract.Container{},
		why: map[string]string{}, counts: map[string]netdev.Count{},
	}
}

// add makes a container that runs, of which everything is told.
func (h *host) add(n int, edit ...func(e *contract.Entry, s *engine.ContainerState, row *contract.Container)) string {
	e := contract.Entry{ID: id(n), Name: fmt.Sprintf("web-%d", n), Image: "acme/web:3", State: contract.StateRunning}
	e.Labels = map[string]string{"tier": "web"}
	s := engine.ContainerState{
		ID: e.ID, Name: e.Name, Image: "acme/web:3", Reference: "docker.io/acme/web:3", Labels: e.Labels, State: e.State, Running: true,
		CreatedAt: "2026-11-29T10:00:00.5Z", StartedAt: "2026-11-29T10:00:01Z", FinishedAt: "0001-01-01T00:00:00Z", PID: 100 * n,
		RestartPolicy: "no", NetworkMode: "bridge", Networks: []string{"bridge"}, StopTimeout: 10 * time.Second, Mounts: []policy2.Mount{},
	}
	row := contract.Container{
		ID: e.ID, StartUS: 5_000_000, CPUUS: 7000, RSSKB: 900, VSZKB: 5000, ProcessCount: 2, ThreadCount: 2,
		Processes: []contract.Process{{PID: 100*n + 1, StartUS: 6_000_000}, {PID: 100 * n, StartUS: 5_000_000}},
	}
	for _, change := range edit {
		change(&e, &s, &row)
	}

	h.list[e.ID], h.states[e.ID] = e, s
	if s.PID > 0 {
		h.rows[e.ID] = row
	}
	return e.ID
}

// change edits the entry of a list.
func (h *host) change(id string, edit func(*contract.Entry)) {
	e := h.list[id]
	edit(&e)
	h.list[id] = e
}

func (h *host) inventory() contract.Inventory {
	entries := slices.SortedFunc(maps.Values(h.list), func(a, b contract.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return contract.Inventory{Entries: entries}
}

// reading is the snapshot and the population of it, in which every row is measured that has no reason not to be.
func (h *host) reading() (*contract.Snapshot, *contract.Population) {
	snap := &contract.Snapshot{Capabilities: contract.Capabilities{CPUSource: contract.CPUSourceCgroup}}
	pop := &contract.Population{Sequence: 70 + h.tick, IntervalUS: 10_000_000, CPUs: 4}
	pop.Memory = contract.Memory{TotalKB: 8000, AvailableKB: 5000}
	for _, id := range slices.Sorted(maps.Keys(h.rows)) {
		row := h.rows[id]
		snap.Containers = append(snap.Containers, row)
		m := contract.Member{
			ID: id, StartUS: row.StartUS, Measured: h.why[id] == "", Why: h.why[id], CPUUS: row.CPUUS / 10, WorkingSetKB: row.WorkingSetKB,
			Measures: contract.Measures{RAMKB: row.RSSKB, VSZKB: row.VSZKB, RSSKB: row.RSSKB}, Processes: row.ProcessCount,
		}
		if row.WorkingSetKB != nil {
			m.RAMKB = *row.WorkingSetKB
		}
		pop.Members = append(pop.Members, m)
	}
	return snap, pop
}

// next is one tick, 10 s after the last one.
func (h *host) next() rules.Facts {
	h.tick++
	snap, pop := h.reading()
	h.clocks.now += us(10 * time.Second)
	h.asked = h.Observe(h.inventory(), snap)
	answers := map[string]engine.ContainerState{}
	for _, id := range h.asked {
		if s, ok := h.states[id]; ok {
			answers[id] = s
		}
	}

	h.Inspected(answers)
	h.counted = h.Counted(snap, pop, func(*policy2.Identity) bool { return true })
	return h.Facts(facts.Tick{
		Number: h.tick, Clocks: h.read(), Population: pop, Snapshot: snap, Inventory: h.inventory(), Network: h.counts,
		Suite: h.suite, Leaving: []string{"b", "a"},
	})
}

// read is what the clocks say now.
func (h *host) read() facts.Reading {
	return facts.Reading{BootID: h.clocks.boot, BootUS: uint64(h.clocks.now - h.clocks.bootAt), WallUS: h.clocks.now + h.clocks.wrong}
}

// of is the container's facts.
func of(t *testing.T, f rules.Facts, id string) rules.Container {
	t.Helper()
	for _, c := range f.Containers {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no facts of %.12s…", id)
	return rules.Container{}
}
