package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/stdcopy"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// A manager in a container, as compose starts it, on an engine without a log service: it governs once it is told that the log
// service is elsewhere, and until then says how.
func TestAManagerWhoseLogServiceIsElsewhere(t *testing.T) {
	h := newFixture(t)
	h.StartContainers(4)
	name := payloadImage + "-manager"
	if err := scenario.ImportImage(t.Context(), h.Engine.Client, h.Programs.Manager, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = h.Engine.Client.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true})
	})

	id := h.contain("without", name)
	scenario.Eventually(t, scenario.Soon, "the gate's advice names the setting", func() error {
		if said := h.said(id); !strings.Contains(said, "set GESTOR_LOGS_ELSEWHERE=true and GESTOR_LOGS_URL") {
			return fmt.Errorf("it said\n%s", said)
		}
		return nil
	})
	h.Remove(id)
	if n := len(h.ContainerNames()); n != 4 {
		t.Fatalf("%d of 4 are left, and the suite was not resolved", n)
	}

	id = h.contain("with", name, "GESTOR_LOGS_ELSEWHERE=true", "GESTOR_LOGS_URL=http://192.0.2.1:8080") // TEST-NET-1: nobody answers
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	if seen, err := h.Engine.Inspect(t.Context(), id); err != nil || seen.State != "running" {
		t.Errorf("the manager itself: %+v, %v", seen, err)
	}
	if said := h.said(id); !strings.Contains(said, "the log service runs elsewhere") {
		t.Errorf("its log does not say so:\n%s", said)
	}
}

// contain starts the manager in a container with the labels that compose gives it, and returns its id.
func (h suite) contain(name, image string, settings ...string) string {
	h.Helper()
	socket, local := strings.CutPrefix(h.Engine.Client.DaemonHost(), "unix://")
	if !local {
		h.Skip("the engine's socket is not on this host")
	}
	policy := filepath.Join(h.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("version: 1\ntick: 2s\nrank: [ram, cpu, vsz, rss]\n"), 0o600); err != nil {
		h.Fatal(err)
	}
	return h.Run(name, &container.Config{
		Image: image, Cmd: []string{"run"},
		Env: append([]string{
			"GESTOR_SUITE=" + h.Name, "GESTOR_POLICY=/policy.yaml", "GESTOR_PROC=/host/proc", "GESTOR_CGROUP=/host/sys/fs/cgroup",
			"GESTOR_SOURCE=procfs", "GESTOR_LOGS_WAIT=0s", "GESTOR_FLUSH=100ms",
		}, settings...),
		Labels: map[string]string{
			scenario.LabelTest: h.Name, contract.LabelRole: "manager", contract.LabelProject: h.Name, contract.LabelConfigHash: "1",
		},
	}, &container.HostConfig{
		NetworkMode: "none", Tmpfs: map[string]string{"/var/lib/gestor": ""}, ReadonlyRootfs: true,
		Binds: []string{
			"/proc:/host/proc:ro", "/sys/fs/cgroup:/host/sys/fs/cgroup:ro", socket + ":/var/run/docker.sock", policy + ":/policy.yaml:ro",
		},
	})
}

// said is the log of a container so far.
func (h suite) said(id string) string {
	h.Helper()
	raw, err := h.Engine.Client.ContainerLogs(h.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		h.Fatal(err)
	}
	defer raw.Close()
	var out strings.Builder
	if _, err := stdcopy.StdCopy(&out, &out, raw); err != nil {
		h.Fatal(err)
	}
	return out.String()
}
