package hostproc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/containertest"
	"gestor.local/manager/internal/source/hostproc"
)

// TestMain is the program in that container: it writes one snapshot to its output.
func TestMain(m *testing.M) {
	if !containertest.Inside() {
		os.Exit(m.Run())
	}
	if err := inside(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func inside() error {
	r, err := hostproc.New(hostproc.Options{Proc: "/host/proc", Cgroup: "/host/sys/fs/cgroup", CmdlineMax: 1000})
	if err != nil {
		return err
	}
	snap, _, err := r.Read(context.Background())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(snap)
}

// TestUnprivilegedContainer reads this host from a container as the suite's manager does: an ordinary user without
// capabilities, in a PID and a cgroup namespace of its own, with read-only mounts. It must see itself.
func TestUnprivilegedContainer(t *testing.T) {
	image := containertest.Image(t)
	for _, namespace := range []string{"private", "host"} {
		t.Run(namespace, func(t *testing.T) {
			cid := filepath.Join(t.TempDir(), "cid")
			run := exec.Command("docker", "run", "--rm", "--cidfile", cid, "--label", "gestor.test=source", "--network", "none",
				"--user", "65532:65532", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only",
				"--cgroupns", namespace, "--memory", "256m", "--env", containertest.InsideKey+"=1",
				"--volume", "/proc:/host/proc:ro", "--volume", "/sys/fs/cgroup:/host/sys/fs/cgroup:ro",
				image, "one argument")

			out, err := run.Output()
			if err != nil {
				t.Fatalf("docker run: %v\n%s", err, out)
			}
			snap, bad, err := contract.ParseSnapshot(out)
			if err != nil || bad != nil {
				t.Fatalf("error %v, rows %v in\n%s", err, bad, out)
			}

			id, err := os.ReadFile(cid)
			if err != nil {
				t.Fatal(err)
			}
			checkOwnRow(t, snap, string(id))
		})
	}
}

func checkOwnRow(t *testing.T, snap *contract.Snapshot, id string) {
	t.Helper()
	own := find(snap, id)
	if own == nil {
		t.Fatalf("the reader's own container %s has no row", id)
	}
	if own.ProcessCount != 1 || own.Processes[0].NSPID != 1 || own.Processes[0].PID == 1 || !strings.Contains(own.Processes[0].Cmdline, "one argument") {
		t.Errorf("own row %+v: want the one process, with the host's PID", own)
	}

	if own.MemoryMaxKB == nil || *own.MemoryMaxKB != 256*1024 || own.CPUUS == 0 || own.WorkingSetKB == nil {
		t.Errorf("own figures %+v: want the limit of 256 MiB", own)
	}
}
