package govern_test

import (
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// forgeRow gives the container a row that is another cgroup's: it uses nothing, and has none of the container's
// processes.
func forgeRow(victim string) func(*contract.Snapshot) {
	return func(s *contract.Snapshot) {
		row := contract.Container{
			ID: victim, CgroupID: 666, ProcessCount: 1, ThreadCount: 1, RSSKB: 1, VSZKB: 1, StartUS: 100_000_000,
			Processes: []contract.Process{{PID: 4711, NSPID: 4711, Name: "forged", State: "S", Threads: 1, StartUS: 100_000_000}},
		}
		s.Containers = append(slices.DeleteFunc(s.Containers, func(c contract.Container) bool { return c.ID == victim }), row)
		s.ContainerTotal, s.ProcessTotal = len(s.Containers), len(s.Containers)
	}
}

// withoutRow takes the container's row away.
func withoutRow(victim string) func(*contract.Snapshot) {
	return func(s *contract.Snapshot) {
		s.Containers = slices.DeleteFunc(s.Containers, func(c contract.Container) bool { return c.ID == victim })
		s.ContainerTotal, s.ProcessTotal = len(s.Containers), len(s.Containers)
	}
}

// lastOf is the last record of a container.
func (w *fixture) lastOf(one string) (last contract.ContainerBody) {
	for _, b := range bodies[contract.ContainerBody](w.spool) {
		if b.Container == one {
			last = b
		}
	}
	return last
}

func (w *fixture) wantUnlocated(want bool) {
	w.t.Helper()
	c, ok := w.reports.condition(govern.ConditionUnlocated)
	if ok != want || ok && !strings.Contains(c.Text, "low-0") {
		w.t.Errorf("condition %+v, %t; want %t", c, ok, want)
	}
}

// low-0 uses least of four low ones and low-3 most; without forgery low-3 goes.
func TestARowOfAnotherCgroupIsNotTheContainers(t *testing.T) {
	victim := id("low", 0)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.reader.change(forgeRow(victim))
		w.atTicks(noop, noop, noop, func() { w.wantUnlocated(true) })
		// The forged row uses less than any other: it would keep its place, and low-3 would go for it.
		w.wantAlive("low-0", "low-1", "low-2", "low-3", "high-0", "high-1")
		last := w.lastOf(victim)
		if last.Measured || last.Why != contract.UnmeasuredUnlocated || last.Reason != contract.ReasonUnmeasured || last.Processes != 0 || last.PID != 0 {
			t.Errorf("recorded as %+v", last)
		}
		if n := w.engine.Inspections()[victim]; n != 1 {
			t.Errorf("inspected %d times, want once: the row is the same all the time", n)
		}
	})
}

func TestARowOfAnotherCgroupDoesNotRemoveTheContainer(t *testing.T) {
	victim := id("low", 0)
	runSynctest(t, 4, 2, func(w *fixture) {
		busy := forgeRow(victim)
		w.reader.change(func(s *contract.Snapshot) {
			busy(s)
			s.Containers[len(s.Containers)-1].CPUUS = s.MonotonicUS // a whole core
			s.Containers[len(s.Containers)-1].RSSKB = 1 << 20
		})
		w.atTicks(noop, noop, noop)
		w.wantAlive("low-0", "low-1", "low-2", "low-3", "high-0", "high-1")
	})
}

func TestARowOfAStoppedContainerIsNotItsOwn(t *testing.T) {
	victim := id("low", 0)
	runSynctest(t, 3, 2, func(w *fixture) {
		w.engine.Change(victim, func(c *enginetest.Container) { c.State = "exited" })
		w.reader.change(forgeRow(victim))
		w.atTicks(noop, noop, noop, func() { w.wantUnlocated(true) })
		if last := w.lastOf(victim); last.Why != contract.UnmeasuredUnlocated {
			t.Errorf("recorded as %+v", last)
		}
	})
}

func TestTheOwnRowIsJudgedAgain(t *testing.T) {
	victim := id("low", 0)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.reader.change(forgeRow(victim))
		w.atTicks(noop, noop, noop, func() { w.reader.change(nil) }, noop, noop, func() { w.wantUnlocated(false) })
		w.wantAlive(settled(2)...)
	})
}

func TestAContainerThatRunsWithoutARowIsTold(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.reader.change(withoutRow(id("low", 0)))
		w.atTicks(noop, func() { w.wantUnlocated(false) }, noop, func() { w.wantUnlocated(true) },
			func() { w.reader.change(nil) }, func() { w.wantUnlocated(false) })
	})
}

// A container that is being made has a process in its cgroup before the engine names it, and it is the same one
// afterwards: its start does not change, so that the engine has to be asked again although nothing has started since.
func TestWhoWasSeenWhileItWasMadeIsJudged(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		const never = "0001-01-01T00:00:00Z"
		began := ""
		w.engine.Change(victim, func(c *enginetest.Container) { c.State, c.StartedAt, began = contract.StateCreated, never, c.StartedAt })
		w.reader.change(func(s *contract.Snapshot) {
			if !slices.ContainsFunc(s.Containers, func(c contract.Container) bool { return c.ID == victim }) {
				s.Containers = append(s.Containers, w.reader.row(victim))
				s.ContainerTotal, s.ProcessTotal = len(s.Containers), len(s.Containers)
			}
		})
		made := func() {
			w.reader.change(nil)
			w.engine.Change(victim, func(c *enginetest.Container) { c.State, c.StartedAt = contract.StateRunning, began })
		}
		w.atTicks(noop, made, noop, noop, func() { w.wantUnlocated(false) })
		w.wantAlive(settled(2)...)
		if n := w.engine.Inspections()[victim]; n > 4 {
			t.Errorf("inspected %d times", n)
		}
	})
}

// A container that the engine does not tell about is neither judged nor told to be somewhere else.
func TestWhoIsNotToldOfKeepsItsPlace(t *testing.T) {
	victim := id("low", 0)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "look", ID: victim, Kind: engine.KindServer})
		w.atTicks(noop, noop, noop, func() { w.wantUnlocated(false) })
		w.wantAlive("low-0", "low-1", "low-2", "low-3", "high-0", "high-1")
	})
}
