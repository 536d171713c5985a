package engines

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// scriptsWork has the generator's scripts speak with the engine through the docker command.
func scriptsWork(t *testing.T, c *candidate) {
	h := c.suite(t)
	script := c.script(t)

	name := h.FullName("started")
	launch := []string{"--name", name, "--suite", h.Name, "--run", h.Name, "low-idle"}
	id, words, code := script("launch-container.sh", launch...)
	if code != 0 || len(id) != 64 {
		t.Fatalf("start: %q, code %d: %s", id, code, words)
	}
	defer h.Remove(id)
	full, err := h.Engine.Client.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	host := full.HostConfig
	if !full.State.Running || host.Memory != 32<<20 || host.NanoCPUs != 250_000_000 || host.PidsLimit == nil || *host.PidsLimit != 16 ||
		host.NetworkMode != "none" || !host.ReadonlyRootfs || full.Config.Labels[contract.LabelClass] != "low" {
		t.Errorf("it is not what was asked for: running %t, %+v, labels %v", full.State.Running, host.Resources, full.Config.Labels)
	}

	for what, want := range map[string]struct {
		arguments []string
		code      int
	}{
		"a taken name":    {launch, 7},
		"a missing image": {[]string{"--suite", h.Name, "--image", "gestor/there-is-none", "--class", "low"}, 3},
	} {
		if id, words, code := script("launch-container.sh", want.arguments...); code != want.code {
			t.Errorf("%s: code %d, want %d: %s %s", what, code, want.code, id, words)
		}
	}

	if list, words, code := script("managed-containers.sh", "list", "--run", h.Name); code != 0 || !strings.HasPrefix(list, id+"\t"+h.Name+"\t") {
		t.Errorf("list: code %d, %q: %s", code, list, words)
	}
	if names, words, code := script("managed-containers.sh", "engine"); code != 0 || strings.Count(names, "\t") != 1 {
		t.Errorf("engine: code %d, %q: %s", code, names, words)
	}
	if count, words, code := script("managed-containers.sh", "remove", "--run", h.Name); code != 0 || count != "1" {
		t.Errorf("remove: code %d, %q: %s", code, count, words)
	}
	if _, err := h.Engine.Inspect(t.Context(), id); err == nil {
		t.Error("it is still there")
	}
}

// script runs one of the generator's scripts and returns what it printed, its words and its exit code.
func (c *candidate) script(t *testing.T) func(name string, arguments ...string) (string, string, int) {
	root := scenario.Root(t)
	return func(name string, arguments ...string) (string, string, int) {
		t.Helper()
		cmd := exec.Command(filepath.Join(root, "scripts", name), arguments...)
		cmd.Env = c.engine.Environment()
		var out, words bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &words
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String()), words.String(), cmd.ProcessState.ExitCode()
	}
}

// scriptsWatch has a start fail, and looks at the events of those that did not. An event that came before the watch began is not
// told: one container after the other is started and removed until all events of one were.
func scriptsWatch(t *testing.T, c *candidate) {
	h := c.suite(t)
	script := c.script(t)
	failed := h.FullName("failed")
	if id, words, code := script("launch-container.sh", "--name", failed, "--suite", h.Name, "--run", h.Name, "--memory", "4k", "low-idle"); code != 5 {
		t.Errorf("a limit that nothing fits in: code %d, want 5: %s %s", code, id, words)
	}
	if seen, err := h.Engine.Inspect(t.Context(), failed); err == nil {
		t.Errorf("a start that failed left a container, %s", seen.State)
	}

	watch := exec.Command(filepath.Join(scenario.Root(t), "scripts", "managed-containers.sh"), "watch", "--run", h.Name)
	watch.Env = c.engine.Environment()
	events, err := os.Create(filepath.Join(t.TempDir(), "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	watch.Stdout = events
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = watch.Process.Kill() // it has become the docker command
		_ = watch.Wait()
	}()
	scenario.Eventually(t, scenario.Soon, "the start, the kill, the end and the removal of a container are told", func() error {
		id, words, code := script("launch-container.sh", "--suite", h.Name, "--run", h.Name, "low-idle")
		if code != 0 {
			return fmt.Errorf("start: %s", words)
		}
		if err := h.Engine.Client.ContainerKill(t.Context(), id, "KILL"); err != nil {
			return err
		}
		h.Remove(id)

		told, err := os.ReadFile(events.Name()) // what is on its way counts on the next try
		if err != nil {
			return err
		}
		for _, one := range []string{"start", "kill", "(die|died)", "(destroy|remove)"} {
			if !regexp.MustCompile(`(?m)^[0-9]+\t` + one + `\t[0-9a-f]{64}\t`).Match(told) {
				return fmt.Errorf("no %s in %q", one, told)
			}
		}
		return nil
	})
}
