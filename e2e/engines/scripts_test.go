package engines

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// scriptsWork has the generator's scripts speak with the engine through the docker command.
func scriptsWork(t *testing.T, c *candidate) {
	h := c.suite(t)
	root := scenario.Root(t)
	script := func(name string, arguments ...string) (string, string, int) {
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

	name := h.Full("started")
	launch := []string{"--name", name, "--suite", h.Name, "--run", h.Name, "low-idle"}
	id, words, code := script("launch-container.sh", launch...)
	if code != 0 || len(id) != 64 {
		t.Fatalf("start: %q, code %d: %s", id, code, words)
	}
	defer h.Drop(id)
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
