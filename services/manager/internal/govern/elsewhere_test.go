package govern_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/ship"
)

// task makes a container of the fixture one of a swarm service.
func (w *fixture) task(id string) {
	w.engine.Change(id, func(c *enginetest.Container) {
		c.Labels[contract.LabelSwarmService], c.Labels[contract.LabelSwarmTask] = "web", c.Name
	})
}

// textsOn are the words of the decision records on a container, in order.
func (w *fixture) textsOn(name string) (texts []string) {
	for _, b := range bodies[contract.DecisionBody](w.spool) {
		if b.Name == name {
			texts = append(texts, b.Text)
		}
	}
	return texts
}

func TestTasksAreLeftAloneWithTheSentenceThatHelps(t *testing.T) {
	runSynctest(t, 7, 3, func(w *fixture) {
		for n := 2; n < 7; n++ {
			w.task(id("low", n))
		}
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungStop, contract.RungKill, contract.RungRemove}
		err := w.runWith(95*time.Second, func(*govern.Governor) {
			time.Sleep(45 * time.Second)
			w.add("low", 7, 90) // takes the place that was left
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive("low-0", "low-1", "low-2", "low-3", "low-4", "low-5", "low-6", "low-7", "high-1", "high-2")
		for n := 2; n < 7; n++ {
			if calls := w.calls(id("low", n)); len(calls) != 0 {
				t.Errorf("low-%d: calls %v", n, calls)
			}
		}
		texts := w.textsOn("low-2")
		if len(texts) != 2 || !strings.HasPrefix(texts[0], "web has 5 replicas for 1 place: docker service scale web=1") ||
			!strings.HasPrefix(texts[1], "web has 5 replicas for 0 places: docker service scale web=0") {
			t.Errorf("decisions: %q, want one as often as the numbers change", texts)
		}
		c, ok := w.reports.condition(govern.ConditionManagedElsewhere)
		if !ok || c.Gate || !strings.Contains(c.Text, "docker service scale web=0") || !strings.Contains(c.Text, "; next: ") {
			t.Errorf("condition %+v", c)
		}
		if c := w.reports.last().Plan.Counts[0]; c.ManagedElsewhere != 5 || c.Eligible != 3 {
			t.Errorf("%+v", c)
		}
	})
}

func TestTasksWithinThePlacesAreNoNews(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.task(id("low", 2))
		if err := w.run(45 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, ok := w.reports.condition(govern.ConditionManagedElsewhere); ok {
			t.Errorf("condition %+v", c)
		}
		for _, e := range w.spool.events() {
			if strings.HasPrefix(e, "deficit") {
				t.Errorf("%s, and a task holds the third place", e)
			}
		}
		if texts := w.textsOn("low-2"); len(texts) == 0 || !strings.HasPrefix(texts[len(texts)-1], "web has 1 replica and 1 place") {
			t.Errorf("decisions: %q", texts)
		}
	})
}

// An orchestrator keeps what ended for a while, and pauses or restarts by its own rules: no condition tells people to
// see to it.
func TestTheEndOfATaskIsItsOrchestratorsBusiness(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		for n := range 3 {
			w.task(id("low", n))
		}
		w.engine.Change(id("low", 0), func(c *enginetest.Container) { c.State = contract.StateExited })
		w.engine.Change(id("low", 1), func(c *enginetest.Container) { c.State = contract.StatePaused })
		var steps []func()
		for range 8 {
			steps = append(steps, func() { w.crash(id("low", 2)) })
		}
		w.atTicks(steps...)
		for _, name := range []string{govern.ConditionEnded, govern.ConditionPaused, govern.ConditionCrashLoop} {
			if c, ok := w.reports.condition(name); ok {
				t.Errorf("condition %+v", c)
			}
		}
	})
}

func TestTheLogServiceElsewhereIsNotLookedFor(t *testing.T) {
	self := strings.Repeat("d", 64)
	const far = "https://logs.example:8443"
	for name, tt := range map[string]struct {
		elsewhere string
		governs   bool
	}{"here": {"", false}, "elsewhere": {far, true}} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 6, 4, func(w *fixture) {
				w.options.Suite = govern.Suite{ManagerID: self, LogsElsewhere: tt.elsewhere}
				w.engine.Add(enginetest.Container{ID: self, Name: "manager", Labels: map[string]string{
					contract.LabelRole: "manager", contract.LabelManaged: "true", contract.LabelConfigHash: "1",
				}})
				w.spool.wait(ship.Stats{Records: 7, OldestAge: time.Hour, LastError: "connection refused"})
				if err := w.run(65 * time.Second); err != nil {
					t.Fatal(err)
				}

				c, gated := w.reports.condition(govern.GateSuite)
				if gated == tt.governs || gated && !strings.Contains(c.Text, "GESTOR_LOGS_ELSEWHERE") {
					t.Errorf("gated %t: %+v", gated, c)
				}
				if tt.governs {
					w.wantAlive(append(settled(4), "manager")...)
				}
				waits, _ := w.reports.condition(govern.ConditionRecordsWait)
				if strings.Contains(waits.Text, far) != tt.governs || strings.Contains(waits.Text, "docker compose") == tt.governs {
					t.Errorf("records wait: %s", waits.Text)
				}
				if got := w.reports.last().LogsElsewhere; got != tt.elsewhere {
					t.Errorf("the report says %q", got)
				}
			})
		})
	}
}

func TestAFullSpoolForALogServiceElsewhere(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.options.Suite.LogsElsewhere = "https://logs.example:8443"
		w.spool.fill(errors.Join(&ship.FullError{Bytes: 1, Need: 2, Max: 3}))
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, ok := w.reports.condition(govern.GateSpoolFull); !ok || !strings.Contains(c.Text, "https://logs.example:8443") || strings.Contains(c.Text, "docker compose") {
			t.Errorf("condition %+v", c)
		}
	})
}
