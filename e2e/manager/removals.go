package manager

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// RestartPolicyAlwaysAndAutoRemove has the manager remove one that the engine restarts and one that it removes when it ends,
// and leave alone what orchestrators keep.
func RestartPolicyAlwaysAndAutoRemove(h *scenario.Suite) {
	h.Helper()

	// Three that stay, two over the number that the engine has its own ideas about, and three that are not the manager's to
	// remove.
	h.StartContainers(3)
	h.Spawn("always", h.OwnedLabels(contract.ClassLow), 40, func(c *container.HostConfig) { c.RestartPolicy.Name = "always" })
	h.Spawn("auto", h.OwnedLabels(contract.ClassLow), 50, func(c *container.HostConfig) { c.AutoRemove = true })
	stranger := h.Spawn("stranger", map[string]string{"gestor.test": h.Name}, 60)
	h.Spawn("task", orchestrated(h, contract.LabelSwarmService, "web"), 70)
	h.Spawn("unit", orchestrated(h, contract.LabelSystemdUnit, "db.service"), 80)

	p := h.StartManager("")
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2", "task", "unit")
	scenario.Eventually(h.TB, scenario.Soon, "both outcomes are known", func() error {
		for _, name := range []string{"always", "auto"} {
			if got := p.Outcome(name); got != contract.OutcomeDone {
				return fmt.Errorf("%s: %q", name, got)
			}
		}
		return nil
	})

	// Nothing comes back: the engine would have started it again by then.
	p.WaitTicks(3)
	h.WaitForPopulation(time.Second, "low-0", "low-1", "low-2", "task", "unit")

	for _, name := range []string{"task", "unit"} {
		if got := p.Outcome(name); got != "" {
			h.Errorf("%s, which an orchestrator keeps: an action ended %s", name, got)
		}
	}
	if seen, err := h.Engine.Inspect(h.Context(), stranger); err != nil || seen.State != "running" {
		h.Errorf("the unlabelled stranger: %+v, %v", seen, err)
	}

	// What was decided is explained afterwards from the journal, with the command that ends what an orchestrator keeps.
	p.Stop()
	if report := h.RunManager("replay"); !strings.Contains(report, " 0 different") {
		h.Errorf("replay: %s", report)
	}
	if story := h.RunManager("explain", h.Name+"-always"); !strings.Contains(story, "over_quota") || !strings.Contains(story, "remove done") {
		h.Errorf("explain: %s", story)
	}
	for name, command := range map[string]string{"task": "docker service scale web=0", "unit": "systemctl stop db.service"} {
		if story := h.RunManager("explain", h.FullName(name)); !strings.Contains(story, "managed_elsewhere") || !strings.Contains(story, command) {
			h.Errorf("explain: %s", story)
		}
	}
}

// orchestrated are the labels of an owned low container with one of an orchestrator.
func orchestrated(h *scenario.Suite, label, value string) map[string]string {
	labels := h.OwnedLabels(contract.ClassLow)
	labels[label] = value
	return labels
}

// pause asks more than once: runc gives up when the kernel does not freeze all threads in time, as on a busy host.
func pause(h *scenario.Suite, name string) (err error) {
	for range 5 {
		if err = h.Engine.Client.ContainerPause(h.Context(), name); err == nil {
			return nil
		}
	}
	return err
}

// PausedIsLeftAloneUntilItRunsAgain has one over the number that is paused.
func PausedIsLeftAloneUntilItRunsAgain(h *scenario.Suite) {
	h.Helper()
	h.StartContainers(4)
	if err := pause(h, h.Name+"-low-3"); err != nil {
		h.Skipf("this engine cannot pause: %v", err)
	}

	p := h.StartManager("")
	p.WaitTicks(5)
	h.WaitForPopulation(time.Second, "low-0", "low-1", "low-2", "low-3")

	if err := h.Engine.Client.ContainerUnpause(h.Context(), h.Name+"-low-3"); err != nil {
		h.Fatal(err)
	}
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	p.Stop()
}

// RemovedBySomebodyElseBetweenPlanAndAct has a container that is gone when the manager comes to it.
func RemovedBySomebodyElseBetweenPlanAndAct(h *scenario.Suite) {
	h.Helper()
	ids := h.StartContainers(11)

	proxy := h.PausingProxy(ids[3])
	p := h.StartManager("", proxy.Setting)
	proxy.WaitPaused()
	h.Remove(ids[3])
	proxy.Release()

	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	scenario.Eventually(h.TB, scenario.Soon, "it was found gone, and nobody was removed instead", func() error {
		if got := p.Outcome("low-3"); got != contract.OutcomeAlreadyGone {
			return fmt.Errorf("low-3: %q", got)
		}
		return nil
	})

	p.WaitTicks(2)
	h.WaitForPopulation(time.Second, "low-0", "low-1", "low-2")
	p.Stop()
}

// ThrottleIsUndone has the manager limit a container's CPU and the next run give the limit back.
func ThrottleIsUndone(h *scenario.Suite) {
	h.Helper()
	h.StartContainers(3)
	retries := container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 4}
	h.Spawn("low-3", h.OwnedLabels(contract.ClassLow), 24, func(host *container.HostConfig) { host.RestartPolicy = retries })

	// The next rung comes after two minutes: what is seen meanwhile is the throttle alone.
	p := h.StartManager("act:\n  ladder: [throttle, kill, remove]\n  throttle_millicores: 50\n  throttle_ticks: 60\n")
	limit := func() (int64, error) {
		c, err := h.Engine.Client.ContainerInspect(h.Context(), h.Name+"-low-3")
		if err != nil {
			return 0, err
		}
		if got := c.HostConfig.RestartPolicy; got != retries {
			h.Errorf("its restart policy is %+v, was %+v", got, retries)
		}
		return c.HostConfig.NanoCPUs, nil
	}
	waitForLimit := func(what string, want int64) {
		scenario.Eventually(h.TB, scenario.Soon, what, func() error {
			if got, err := limit(); err != nil || got != want {
				return fmt.Errorf("limit %d, %w", got, err)
			}
			return nil
		})
	}

	waitForLimit("the victim is throttled", 50_000_000)
	p.Kill() // no chance to undo

	again := h.StartManager("mode: observe\n")
	waitForLimit("the next run gives the limit back", 500_000_000)
	again.Stop()
}

// EndedBySomebodyElseBetweenPlanAndAct has a container that has ended when the manager comes to kill it. That is the container's
// state, not the engine's fault: one of those would keep the manager from acting.
func EndedBySomebodyElseBetweenPlanAndAct(h *scenario.Suite) {
	h.Helper()
	ids := h.StartContainers(4)

	proxy := h.PausingProxy(ids[3])
	p := h.StartManager("act:\n  ladder: [kill, remove]\n  breaker_after: 1\n", proxy.Setting)
	proxy.WaitPaused()
	if err := h.Engine.Client.ContainerKill(h.Context(), ids[3], "KILL"); err != nil {
		h.Fatal(err)
	}
	scenario.Eventually(h.TB, scenario.Soon, "the container has ended", func() error {
		if c, err := h.Engine.Inspect(h.Context(), ids[3]); err != nil || c.State == "running" {
			return fmt.Errorf("state %q, %w", c.State, err)
		}
		return nil
	})
	proxy.Release()

	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	scenario.Eventually(h.TB, scenario.Soon, "its end is known", func() error {
		if got := p.Outcome("low-3"); got != contract.OutcomeDone && got != contract.OutcomeAlreadyStopped {
			return fmt.Errorf("low-3: %q", got)
		}
		return nil
	})

	p.WaitTicks(1)
	for _, a := range p.Actions() {
		if a.Outcome == contract.OutcomeFailed || a.Outcome == contract.OutcomeUnknown {
			h.Errorf("%s of %s ended %s: %s", a.Action, a.Name, a.Outcome, a.Why)
		}
	}
	checkNoEngineFault(h, p)
	p.Stop()
}

// checkNoEngineFault fails the test when the manager, with a policy that asks for one fault only, found the engine faulty.
func checkNoEngineFault(h *scenario.Suite, p *scenario.Manager) {
	h.Helper()
	if strings.Contains(p.Output(), "The engine failed too often") {
		h.Error("the engine was found faulty")
	}
}

// RemovedBySomebodyElseAtTheSameMoment has two that remove the same containers: one of them is refused or finds them gone.
func RemovedBySomebodyElseAtTheSameMoment(h *scenario.Suite) {
	h.Helper()
	ids := h.StartContainers(7)

	proxy := h.PausingProxy(ids[3:]...)
	p := h.StartManager("act:\n  parallel: 4\n  breaker_after: 1\n", proxy.Setting)
	proxy.WaitPaused()
	var others sync.WaitGroup
	for _, id := range ids[3:] {
		others.Go(func() { h.Remove(id) })
	}
	proxy.Release()
	others.Wait()

	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	scenario.Eventually(h.TB, scenario.Soon, "the manager knows that they are gone", func() error {
		for _, name := range []string{"low-3", "low-4", "low-5", "low-6"} {
			switch got := p.Outcome(name); got {
			case contract.OutcomeDone, contract.OutcomeAlreadyGone, contract.OutcomeAlreadyStopped:
			default:
				return fmt.Errorf("%s: %q", name, got)
			}
		}
		return nil
	})

	p.WaitTicks(1)
	checkNoEngineFault(h, p)
	p.Stop()
}
