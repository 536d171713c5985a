package manager

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

func TestRestartPolicyAlwaysAndAutoRemove(t *testing.T) {
	RestartPolicyAlwaysAndAutoRemove(newFixture(t).Suite)
}

func TestPausedIsLeftAloneUntilItRunsAgain(t *testing.T) {
	PausedIsLeftAloneUntilItRunsAgain(newFixture(t).Suite)
}

func TestRemovedBySomebodyElseBetweenPlanAndAct(t *testing.T) {
	RemovedBySomebodyElseBetweenPlanAndAct(newFixture(t).Suite)
}

func TestEndedBySomebodyElseBetweenPlanAndAct(t *testing.T) {
	EndedBySomebodyElseBetweenPlanAndAct(newFixture(t).Suite)
}

func TestRemovedBySomebodyElseAtTheSameMoment(t *testing.T) {
	RemovedBySomebodyElseAtTheSameMoment(newFixture(t).Suite)
}

func TestThirtyVictimsInOneTickUnderCaps(t *testing.T) {
	h := newFixture(t)
	for i := range 33 {
		h.Spawn(fmt.Sprintf("low-%d", i), h.OwnedLabels(contract.ClassLow), 0)
	}
	p := h.StartManager("young:\n  max: 100\ncaps:\n  per_tick: 20\n  per_minute: 60\n")
	scenario.Eventually(t, 2*scenario.Soon, "three are left", func() error {
		switch n := len(h.ContainerNames()); {
		case n < 3:
			t.Fatalf("%d are left: under the number", n)
		case n > 3:
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
	p.Stop()

	done := 0
	for i, a := range p.Actions() {
		// More than nine in ten is a surprise: the first plan, capped, runs in shadow.
		if shadow := a.Action == contract.ActionShadowRemove; i < 20 && !shadow {
			t.Errorf("action %d is %s, want the first 20 in shadow", i+1, a.Action)
		} else if !shadow && a.Outcome == contract.OutcomeDone {
			done++
		}

		// On a slow machine a look may come too late; what still waits is called off and ordered again.
		if a.Outcome != contract.OutcomeDone && !strings.HasPrefix(a.Why, "the tick is gated") {
			t.Errorf("%s of %s ended %s: %s", a.Action, a.Name, a.Outcome, a.Why)
		}
	}

	if done != 30 {
		t.Errorf("%d removals are done, want 30", done)
	}
	if most := slices.Max(h.removalsPerTick()); most > 20 {
		t.Errorf("%d removals in one tick, the cap is 20", most)
	}
}

func TestThrottleIsUndoneByTheEngine(t *testing.T) { ThrottleIsUndone(newFixture(t).Suite) }

func TestKillOfTheManagerInTheMiddleOfActing(t *testing.T) {
	h := newFixture(t)
	ids := h.StartContainers(9)

	third := h.PausingProxy(ids[6])
	first := h.StartManager("act:\n  parallel: 1\n", third.Setting)
	third.WaitPaused()
	first.Kill()
	if open := h.openIntents(); len(open) < 4 {
		t.Errorf("%d intents are without an outcome at the kill, want those for low-6 to low-3", len(open))
	}

	second := h.StartManager("")
	second.WaitTicks(1) // only then does it listen to SIGTERM
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	second.Stop()
	if open := h.openIntents(); len(open) != 0 {
		t.Errorf("intents without an outcome: %v", open)
	}
}
