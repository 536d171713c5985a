package engines

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// patient keeps the manager waiting for its engine however long that takes on a busy machine.
const patient = "gates:\n  degraded_after: 3\n  alarm_after: 100\n"

func endsInOrder(t *testing.T, c *candidate) { c.outlived(t, c.engine.Stop, c.kind.Podman) }
func endsAtOnce(t *testing.T, c *candidate)  { c.outlived(t, c.engine.Kill, c.kind.Podman) }

// liveRestore has another engine of the kind, whose containers live on without it.
func liveRestore(t *testing.T, c *candidate) {
	kind := c.kind
	kind.LiveRestore = true
	other := *c
	other.kind, other.engine = kind, scenario.StartEngine(t, kind)
	other.client = other.engine.Engine(t)
	other.importImages(t, other.client)
	for name, end := range map[string]func(testing.TB){"stopped": other.engine.Stop, "killed": other.engine.Kill} {
		t.Run(name, func(t *testing.T) { other.outlived(t, end, true) })
	}
}

// outlived ends the engine under a manager that governs and starts it again. As long as there is no list of containers nothing is
// decided and the gate says so; then everything is as before, nobody was removed who had to stay, and whoever is too many goes.
func (c *candidate) outlived(t *testing.T, end func(testing.TB), survive bool) {
	h := c.suite(t)
	always := func(host *container.HostConfig) { host.RestartPolicy.Name = "always" }
	if c.kind.Podman {
		always = func(*container.HostConfig) {} // podman restarts nothing that its service did not end
	}

	stay := []string{"low-0", "low-1", "low-2"}
	before := map[string]int{}
	for i, name := range stay {
		h.Spawn(name, h.OwnedLabels(contract.ClassLow), 8*i, always)
		seen, err := h.Engine.Inspect(t.Context(), h.FullName(name))
		if err != nil {
			t.Fatal(err)
		}
		before[name] = seen.PID
	}

	p := h.StartManager(patient)
	p.WaitTicks(3)

	end(t)
	scenario.Eventually(t, scenario.Soon, "without the engine the gate inventory is closed", func() error { return gateIs(p, true) })
	c.engine.Start(t)
	scenario.Eventually(t, scenario.Soon, "with it the gate is open", func() error { return gateIs(p, false) })
	scenario.Eventually(t, scenario.Soon, "all three run", func() error { return c.allRun(t, h, stay) })
	if after := c.processes(t, h, stay); maps.Equal(before, after) != survive {
		t.Errorf("processes were %v and are %v, want the same: %t", before, after, survive)
	}

	p.WaitTicks(3)
	h.WaitForPopulation(time.Second, stay...)

	h.Spawn("low-3", h.OwnedLabels(contract.ClassLow), 40)
	h.WaitForPopulation(scenario.Soon, stay...)
	scenario.Eventually(t, scenario.Soon, "the removal is done", func() error {
		if got := p.Outcome("low-3"); got != contract.OutcomeDone {
			return fmt.Errorf("%q", got)
		}
		return nil
	})

	for _, a := range p.Actions() {
		if slices.Contains(stay, a.Name) {
			t.Errorf("%s of %s, which had to stay, ended %s", a.Action, a.Name, a.Outcome)
		}
	}
	p.Stop()
}

func gateIs(p *scenario.Manager, closed bool) error {
	r, err := p.Ready()
	if err == nil && slices.Contains(r.Gates, "inventory") != closed {
		err = fmt.Errorf("%+v", r)
	}
	return err
}

func (c *candidate) allRun(t *testing.T, h *scenario.Suite, names []string) error {
	for _, name := range names {
		if seen, err := h.Engine.Inspect(t.Context(), h.FullName(name)); err != nil || seen.State != "running" {
			return fmt.Errorf("%s: %q, %w", name, seen.State, err)
		}
	}
	return nil
}

func (c *candidate) processes(t *testing.T, h *scenario.Suite, names []string) map[string]int {
	t.Helper()
	pids := map[string]int{}
	for _, name := range names {
		seen, err := h.Engine.Inspect(t.Context(), h.FullName(name))
		if err != nil {
			t.Fatal(err)
		}
		pids[name] = seen.PID
	}
	return pids
}

// leavesNothing kills an engine of the kind while it starts containers, and looks for what is left after its end. What a start
// that was cut off leaves (a runc init) has no word of the engine in its command line: another such process is made for sure.
func leavesNothing(t *testing.T, c *candidate) {
	engine := scenario.StartEngine(t, c.kind)
	client := engine.Engine(t)
	c.importImages(t, client)

	orphan := engine.MountCommand("sleep", "1d")
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()

	var starts sync.WaitGroup
	for i := range 8 {
		starts.Go(func() {
			made, err := client.Client.ContainerCreate(t.Context(), &container.Config{Image: payloadImage}, &container.HostConfig{NetworkMode: "none"},
				nil, nil, fmt.Sprintf("cut-off-%d", i))
			if err == nil {
				_ = client.Client.ContainerStart(t.Context(), made.ID, container.StartOptions{}) // the engine ends meanwhile
			}
		})
	}
	scenario.Eventually(t, scenario.Soon, "one of eight runs", func() error {
		list, err := client.List(t.Context())
		if err == nil && !slices.ContainsFunc(list, func(s scenario.ContainerState) bool { return s.State == "running" }) {
			err = fmt.Errorf("%d are made", len(list))
		}
		return err
	})

	if c.kind.Podman {
		leaveGroup(t, client)
	}
	engine.Kill(t)
	starts.Wait()
	if left := engine.Leftovers(); len(left) < 3 { // the one that runs with its cgroups, the orphan
		t.Errorf("before the end only this is found: %q", left)
	}

	engine.Close(t)
	if left := engine.Leftovers(); len(left) > 0 {
		t.Errorf("after the end there is still: %q", left)
	}
	select {
	case err := <-ended:
		if _, killed := err.(*exec.ExitError); !killed {
			t.Errorf("the orphan ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the orphan lives on")
	}
}

// leaveGroup makes the cgroup of a container that is gone anew, in one hierarchy, as podman leaves it when two
// remove a container at the same moment.
func leaveGroup(t *testing.T, client *scenario.Engine) {
	t.Helper()
	made, err := client.Client.ContainerCreate(t.Context(), &container.Config{Image: payloadImage}, nil, nil, nil, "gone")
	if err == nil {
		err = client.Client.ContainerRemove(t.Context(), made.ID, container.RemoveOptions{Force: true})
	}
	if err != nil {
		t.Fatal(err)
	}

	parents, err := filepath.Glob("/sys/fs/cgroup/*/libpod_parent")
	if err != nil {
		t.Fatal(err)
	}
	parents = append(parents, "/sys/fs/cgroup/libpod_parent") // version 2

	group := filepath.Join(parents[0], "libpod-"+made.ID)
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if os.Remove(group) == nil {
			t.Errorf("after the end there was still %s", group)
		}
	})
}
