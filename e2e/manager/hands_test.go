package manager

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// soon is what a population may take to settle on a busy machine: two ticks of 2 s by the policy, and the engine's time.
const soon = 90 * time.Second

func TestRestartPolicyAlwaysAndAutoRemove(t *testing.T) {
	h := enter(t)
	h.crowd(3)
	h.spawn("always", h.owned(contract.ClassLow), 40, func(c *container.HostConfig) { c.RestartPolicy.Name = "always" })
	h.spawn("auto", h.owned(contract.ClassLow), 50, func(c *container.HostConfig) { c.AutoRemove = true })
	stranger := h.spawn("stranger", map[string]string{"gestor.test": h.suite}, 60)
	p := h.govern("")
	h.becomes(soon, "low-0", "low-1", "low-2")
	scenario.Eventually(t, soon, "both outcomes are known", func() error {
		for _, name := range []string{"always", "auto"} {
			if got := p.outcome(name); got != contract.OutcomeDone {
				return fmt.Errorf("%s: %q", name, got)
			}
		}
		return nil
	})
	p.ticks(3) // nothing comes back
	h.becomes(time.Second, "low-0", "low-1", "low-2")
	if seen, err := h.engine.Inspect(t.Context(), stranger); err != nil || seen.State != "running" {
		t.Errorf("the unlabelled stranger: %+v, %v", seen, err)
	}
	p.stop()
	if report := h.tool("replay"); !strings.Contains(report, " 0 different") {
		t.Errorf("replay: %s", report)
	}
	if story := h.tool("explain", h.suite+"-always"); !strings.Contains(story, "over_quota") || !strings.Contains(story, "remove done") {
		t.Errorf("explain: %s", story)
	}
}

func TestPausedIsLeftAloneUntilItRunsAgain(t *testing.T) {
	h := enter(t)
	h.crowd(4)
	if err := h.engine.Client.ContainerPause(t.Context(), h.suite+"-low-3"); err != nil {
		t.Skipf("this engine cannot pause: %v", err)
	}
	p := h.govern("")
	p.ticks(5)
	h.becomes(time.Second, "low-0", "low-1", "low-2", "low-3")
	if err := h.engine.Client.ContainerUnpause(t.Context(), h.suite+"-low-3"); err != nil {
		t.Fatal(err)
	}
	h.becomes(soon, "low-0", "low-1", "low-2")
	p.stop()
}

func TestRemovedBySomebodyElseBetweenPlanAndAct(t *testing.T) {
	h := enter(t)
	ids := h.crowd(11)
	g := h.gate(ids[3])
	p := h.govern("", g.engine)
	g.reached()
	h.drop(ids[3])
	close(g.release)
	h.becomes(soon, "low-0", "low-1", "low-2")
	scenario.Eventually(t, soon, "it was found gone, and nobody was removed instead", func() error {
		if got := p.outcome("low-3"); got != contract.OutcomeAlreadyGone {
			return fmt.Errorf("low-3: %q", got)
		}
		return nil
	})
	p.ticks(2)
	h.becomes(time.Second, "low-0", "low-1", "low-2")
	p.stop()
}

func TestThirtyVictimsInOneTickUnderCaps(t *testing.T) {
	h := enter(t)
	for i := range 33 {
		h.spawn(fmt.Sprintf("low-%d", i), h.owned(contract.ClassLow), 0)
	}
	p := h.govern("young:\n  max: 100\ncaps:\n  per_tick: 20\n  per_minute: 60\n")
	scenario.Eventually(t, 2*soon, "three are left", func() error {
		switch n := len(h.present()); {
		case n < 3:
			t.Fatalf("%d are left: under the number", n)
		case n > 3:
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
	p.stop()
	done := 0
	for i, a := range p.actions() {
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

func TestThrottleIsUndoneByTheEngine(t *testing.T) {
	h := enter(t)
	h.crowd(4)
	p := h.govern("act:\n  ladder: [throttle, kill, remove]\n  throttle_millicores: 50\n  throttle_ticks: 60\n")
	limit := func() (int64, error) {
		c, err := h.engine.Client.ContainerInspect(t.Context(), h.suite+"-low-3")
		if err != nil {
			return 0, err
		}
		return c.HostConfig.NanoCPUs, nil
	}
	is := func(what string, want int64) {
		scenario.Eventually(t, soon, what, func() error {
			if got, err := limit(); err != nil || got != want {
				return fmt.Errorf("limit %d, %w", got, err)
			}
			return nil
		})
	}
	is("the victim is throttled", 50_000_000)
	p.kill() // no chance to undo
	again := h.govern("mode: observe\n")
	is("the next run gives the limit back", 500_000_000)
	again.stop()
}

func TestKillOfTheManagerInTheMiddleOfActing(t *testing.T) {
	h := enter(t)
	ids := h.crowd(9)
	third := h.gate(ids[6])
	first := h.govern("act:\n  parallel: 1\n", third.engine)
	third.reached()
	first.kill()
	if open := h.openIntents(); len(open) < 4 {
		t.Errorf("%d intents are without an outcome at the kill, want those for low-6 to low-3", len(open))
	}
	second := h.govern("")
	second.ticks(1) // only then does it listen to SIGTERM
	h.becomes(soon, "low-0", "low-1", "low-2")
	second.stop()
	if open := h.openIntents(); len(open) != 0 {
		t.Errorf("intents without an outcome: %v", open)
	}
}
