package engines

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"gestor.local/contract"
	"gestor.local/e2e/manager"
	"gestor.local/e2e/scenario"
)

// agreesOnAVersion has the manager's client agree on a version, and one that is fixed to the oldest of today's be served or told
// that it is too old.
func agreesOnAVersion(t *testing.T, c *candidate) {
	says, err := c.client.Client.ServerVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	agreed := c.client.Client.ClientVersion()
	if versions.LessThan(agreed, says.MinAPIVersion) || versions.GreaterThan(agreed, says.APIVersion) {
		t.Errorf("agreed on %s, the engine speaks %s to %s", agreed, says.MinAPIVersion, says.APIVersion)
	}
	if c.name == strict && says.MinAPIVersion != strictVersion {
		t.Errorf("the oldest version is %s, want %s", says.MinAPIVersion, strictVersion)
	}

	const oldest = "1.41"
	old, err := client.NewClientWithOpts(client.WithHost(c.engine.Host), client.WithVersion(oldest))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	_, err = old.ContainerList(t.Context(), container.ListOptions{})
	if refused := versions.LessThan(oldest, says.MinAPIVersion); refused != (err != nil) || refused && !strings.Contains(err.Error(), "too old") {
		t.Errorf("a client of version %s: %v, and the oldest that is served is %s", oldest, err, says.MinAPIVersion)
	}
}

// governs is the whole way: the log service as a container, the manager beside it, two classes over their numbers.
func governs(t *testing.T, c *candidate) {
	h := c.suite(t)
	logs, url := c.withLogs(t, h)
	service, err := h.Engine.Inspect(t.Context(), h.FullName("logs"))
	if err != nil {
		t.Fatal(err)
	}
	stranger := h.Spawn("stranger", map[string]string{scenario.LabelTest: h.Name}, 60)
	h.StartContainers(5)
	for i := range 3 {
		busy(h, "high-"+strconv.Itoa(i), 16*(i+1))
	}

	p := h.StartManager("", url, "GESTOR_LOGS_WAIT=30s", "GESTOR_FLUSH=15s")
	kept := []string{"logs", "low-0", "low-1", "low-2", "high-1", "high-2"}
	h.WaitForPopulation(2*scenario.Soon, kept...)
	p.WaitTicks(3)
	h.WaitForPopulation(time.Second, kept...)

	if now, err := h.Engine.Inspect(t.Context(), service.ID); err != nil || now.PID != service.PID || now.State != "running" {
		t.Errorf("the log service was process %d and is %+v, %v", service.PID, now, err)
	}
	if seen, err := h.Engine.Inspect(t.Context(), stranger); err != nil || seen.State != "running" {
		t.Errorf("the unlabelled stranger: %+v, %v", seen, err)
	}

	scenario.Eventually(t, scenario.Soon, "the log service has each removal with its reason", func() error {
		records, err := logs.Records(contract.KindDecision, contract.KindAction)
		if err != nil {
			return err
		}
		return removalsAreRecorded(records, h.FullName("low-3"), h.FullName("low-4"), h.FullName("high-0"))
	})
	p.Stop()
}

// removalsAreRecorded says whether exactly the named were removed, each with a decision that gives the reason.
func removalsAreRecorded(records []contract.Record, names ...string) error {
	why, done := map[string]string{}, map[string]bool{}
	for _, r := range records {
		switch b := r.Body.(type) {
		case contract.DecisionBody:
			if b.Verdict == contract.VerdictRemove {
				why[b.Name] = b.Reason
			}
		case contract.ActionBody:
			if b.Phase == contract.PhaseOutcome && b.Outcome == contract.OutcomeDone {
				done[b.Name] = true
			}
		}
	}

	for _, name := range names {
		if why[name] != contract.ReasonOverQuota || !done[name] {
			return fmt.Errorf("%s: reason %q, done %t", name, why[name], done[name])
		}
	}
	if len(done) != len(names) {
		return fmt.Errorf("removed are %v, want %v", done, names)
	}
	return nil
}

// measures compares what is recorded of a container with what the engine and the kernel say of its process.
func measures(t *testing.T, c *candidate) {
	h := c.suite(t)
	logs, url := c.withLogs(t, h)
	const mib = 24
	id := busy(h, "high-0", mib)
	seen, err := h.Engine.Inspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}

	p := h.StartManager("mode: observe\n", url, "GESTOR_LOGS_WAIT=30s", "GESTOR_FLUSH=15s")
	scenario.Eventually(t, scenario.Soon, "its records have its figures", func() error {
		records, err := logs.Records(contract.KindContainer)
		if err != nil {
			return err
		}
		err = errors.New("no record of it yet")
		for _, r := range records {
			if b, ok := r.Body.(contract.ContainerBody); ok && b.Container == id {
				if err = figuresAre(b, seen.PID, mib<<10); err == nil {
					return nil
				}
			}
		}
		return err
	})
	p.Stop()
}

// figuresAre says whether a record is that of a busy process that holds so much memory, and of nothing else.
func figuresAre(b contract.ContainerBody, pid int, atLeastKB uint64) error {
	const muchKB = 64 << 10 // besides what it was told to hold: a shim or monitor counted in would be less, a wrong group more
	switch {
	case !b.Measured || !b.Owned || b.State != "running":
		return fmt.Errorf("measured %t (%s), owned %t, state %q", b.Measured, b.Why, b.Owned, b.State)
	case b.PID != pid || b.Processes != 1 || b.Command != "payload":
		return fmt.Errorf("process %d %q of %d, the engine says %d", b.PID, b.Command, b.Processes, pid)
	case b.CPUMillicores == 0 || b.CPUMillicores > 400: // its limit is 100
		return fmt.Errorf("%d thousandths of a core", b.CPUMillicores)
	case b.MemoryKB == nil || *b.MemoryKB < atLeastKB || b.MemoryMaxKB == nil || *b.MemoryMaxKB != 128<<10:
		return fmt.Errorf("memory of its cgroup %v, limit %v", b.MemoryKB, b.MemoryMaxKB)
	case b.RSSKB < atLeastKB || b.RSSKB > atLeastKB+muchKB || b.RAMKB < atLeastKB || b.VSZKB < b.RSSKB:
		return fmt.Errorf("RAM %d, RSS %d, VSZ %d kB", b.RAMKB, b.RSSKB, b.VSZKB)
	}
	return nil
}

// refusesWithoutForce has the engine refuse to remove what runs: the answer is neither taken for success nor for gone.
func refusesWithoutForce(t *testing.T, c *candidate) {
	h := c.suite(t)
	id := h.Spawn("runs", h.OwnedLabels(contract.ClassLow), 1)
	err := h.Engine.Client.ContainerRemove(t.Context(), id, container.RemoveOptions{})
	if err == nil || errdefs.IsNotFound(err) {
		t.Errorf("removal of a running container: %v", err)
	}
	t.Logf("the engine's words: %v", err)
	if seen, err := h.Engine.Inspect(t.Context(), id); err != nil || seen.State != "running" {
		t.Errorf("it is %+v, %v", seen, err)
	}
}

// lacksUpdate has the engine refuse a limit, and the manager go on to the next step of its ladder.
func lacksUpdate(t *testing.T, c *candidate) {
	h := c.suite(t)
	ids := h.StartContainers(4)
	if _, err := h.Engine.Client.ContainerUpdate(t.Context(), ids[0], container.UpdateConfig{Resources: container.Resources{NanoCPUs: 50_000_000}}); err == nil {
		t.Fatal("the engine has an update now: strike it from what it is known to lack")
	}

	p := h.StartManager("act:\n  ladder: [throttle, kill, remove]\n  throttle_millicores: 50\n  throttle_ticks: 1\n")
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	scenario.Eventually(t, scenario.Soon, "the condition no_throttle is logged", func() error {
		if said := p.Output(); !strings.Contains(said, `"condition":"no_throttle"`) && !strings.Contains(said, "The engine cannot throttle containers") {
			return errors.New("not yet")
		}
		return nil
	})

	for _, a := range p.Actions() {
		want := contract.OutcomeDone
		if a.Action == contract.ActionThrottle {
			want = contract.OutcomeRefused
		}
		if a.Outcome != want {
			t.Errorf("%s of %s ended %s, want %s: %s", a.Action, a.Name, a.Outcome, want, a.Why)
		}
	}
	p.Stop()
}

// lacksRuleThrottle is the same of a policy of version 2.
func lacksRuleThrottle(t *testing.T, c *candidate) { manager.ThrottleIsNotThere(c.suite(t)) }

// countsNoFault has four victims end before they are killed, where one fault of the engine would make acting pause.
func countsNoFault(t *testing.T, c *candidate) {
	h := c.suite(t)
	ids := h.StartContainers(7)

	proxy := h.PausingProxy(ids[3:]...)
	p := h.StartManager("act:\n  ladder: [kill, remove]\n  parallel: 4\n  breaker_after: 1\n", proxy.Setting)
	proxy.WaitPaused()
	for _, id := range ids[3:] {
		if err := h.Engine.Client.ContainerKill(t.Context(), id, "KILL"); err != nil {
			t.Fatal(err)
		}
	}
	scenario.Eventually(t, scenario.Soon, "all four have ended", func() error {
		for _, id := range ids[3:] {
			if seen, err := h.Engine.Inspect(t.Context(), id); err != nil || seen.State == "running" {
				return fmt.Errorf("state %q, %w", seen.State, err)
			}
		}
		return nil
	})
	proxy.Release()

	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	p.WaitTicks(2)
	if said := p.Output(); strings.Contains(said, `"event":"breaker"`) {
		t.Error("acting paused as if the engine had failed")
	}
	p.Stop()
}

// classByImage has containers without the label of a class, and a policy that names their image as it was named to the engine.
func classByImage(t *testing.T, c *candidate) {
	h := c.suite(t)
	labels := h.OwnedLabels(contract.ClassLow)
	delete(labels, contract.LabelClass)
	for i := range 4 {
		h.Spawn("low-"+strconv.Itoa(i), labels, 8*i)
	}
	p := h.StartManager("images:\n  " + strings.TrimSuffix(payloadImage, ":latest") + ": low\n")
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	p.Stop()
}

// runsUntilItHasStopped has one of those that stay be told to stop, which it does not heed: until it is killed it holds its place, so
// that there is one too many.
func runsUntilItHasStopped(t *testing.T, c *candidate) {
	h := c.suite(t)
	slow := h.Run("low-0", &container.Config{Image: payloadImage, Cmd: []string{"1"}, Labels: h.OwnedLabels(contract.ClassLow), StopSignal: "SIGWINCH"},
		&container.HostConfig{NetworkMode: "none"})
	for i := 1; i < 4; i++ {
		h.Spawn("low-"+strconv.Itoa(i), h.OwnedLabels(contract.ClassLow), 8*i)
	}

	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	stopped := make(chan error, 1)
	go func() {
		seconds := 300
		stopped <- h.Engine.Client.ContainerStop(ctx, slow, container.StopOptions{Timeout: &seconds})
	}()

	p := h.StartManager("")
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")

	seen, err := h.Engine.Inspect(t.Context(), slow)
	t.Logf("the engine's word: %s", seen.State)
	if err != nil || seen.PID == 0 {
		t.Errorf("it does not run any more: %+v, %v", seen, err)
	}
	select {
	case err := <-stopped:
		t.Errorf("the stop has ended: %v", err)
	default:
	}

	// podman waits for its time to be over although the container is gone.
	p.Stop()
	h.Remove(slow)
	giveUp()
	<-stopped
}
