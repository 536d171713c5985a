package hostproc_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
)

// forgeries are where a user who was given a group can make one with the name of a container.
func forgeries(id string) []string {
	return []string{
		"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + id + ".scope",
		"/system.slice/mine.service/docker/" + id,
		"/alice/" + id,
		"/alice/deep/docker-" + id + ".scope",
	}
}

// forge gives the captured host a process in a group of that path, with figures that are nobody's.
func forge(t *testing.T, o hostproc.Options, pid int, path string) {
	t.Helper()
	proc := filepath.Join(o.Proc, strconv.Itoa(pid))
	own, err := os.ReadFile(filepath.Join(o.Proc, "1", "cgroup"))
	if err != nil {
		t.Fatal(err)
	}

	var lines strings.Builder
	for line := range strings.Lines(string(own)) {
		head, _, _ := strings.Cut(line, ":/")
		lines.WriteString(head + ":" + path + "\n")
	}

	files := map[string]string{
		filepath.Join(proc, "cgroup"):  lines.String(),
		filepath.Join(proc, "stat"):    fmt.Sprintf("%d (forged) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 1 4096000 50 %s\n", pid, strings.Repeat("0 ", 28)),
		filepath.Join(proc, "status"):  "Name:\tforged\nVmRSS:\t1 kB\nNSpid:\t" + strconv.Itoa(pid) + "\n",
		filepath.Join(proc, "cmdline"): "forged",
	}

	trees := []string{""}
	if _, err := os.Stat(filepath.Join(o.Cgroup, "cgroup.controllers")); err != nil {
		trees = []string{"memory", "cpuacct", "freezer"}
	}

	for _, tree := range trees {
		dir := filepath.Join(o.Cgroup, tree, path)
		files[filepath.Join(dir, "cpu.stat")] = "usage_usec 999\nuser_usec 0\nsystem_usec 0\n"
		files[filepath.Join(dir, "memory.current")] = "999424\n"
		files[filepath.Join(dir, "cpuacct.usage")] = "999000\n"
		files[filepath.Join(dir, "memory.usage_in_bytes")] = "999424\n"
		files[filepath.Join(dir, "freezer.state")] = "FROZEN\n"
	}

	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The rows of a host do not change when somebody names groups after its containers: neither to a reader on the host nor
// to one in a container, whose cgroup namespace hides where a path begins.
func TestForgedGroupsChangeNothing(t *testing.T) {
	for name, own := range map[string]string{"cgroup1": "/docker/", "cgroup2": "/system.slice/docker-", "cgroup2-5.10": "/system.slice/docker-"} {
		for _, view := range []string{"host", "container", "container that knows not its own id"} {
			t.Run(name+", "+view, func(t *testing.T) {
				o, _ := captureCopy(t, name)
				want, _ := read(t, captured(t, name))
				id := ownerOf(want, own)
				if strings.HasSuffix(view, "own id") {
					want.Containers = deleteID(want.Containers, id)
				}

				// The numbers of half the forged processes come before the victims', of the others after them.
				pid := 2
				for i, c := range want.Containers {
					for n, path := range forgeries(c.ID) {
						forge(t, o, pid+100_000*(n%2), path)
						pid++
					}
					if i == 0 {
						forge(t, o, 200_000, "/user.slice/user-1000.slice/user@1000.service/docker-"+strings.Repeat("9", 64)+".scope")
					}
				}

				if view != "host" {
					path := own + id
					if strings.HasSuffix(own, "-") {
						path += ".scope"
					}
					setOwnNamespace(t, o.Proc, path)
					if view == "container" {
						o.Mounts = func() ([]*procfs.MountInfo, error) {
							return []*procfs.MountInfo{{MountPoint: "/etc/hosts", Root: "/var/lib/docker/containers/" + id + "/hosts"}}, nil
						}
					} else {
						o.Mounts = func() ([]*procfs.MountInfo, error) { return nil, nil }
					}
				}

				got, cost := read(t, o)
				for _, s := range []*contract.Snapshot{want, got} {
					for i := range s.Containers {
						s.Containers[i].CgroupID = 0 // of a captured folder
					}
				}

				if diff := cmp.Diff(want.Containers, got.Containers); diff != "" {
					t.Errorf("other rows (-want +got):\n%s", diff)
				}
				if cost.Unlocated != 0 {
					t.Errorf("%d unlocated", cost.Unlocated)
				}
			})
		}
	}
}

func deleteID(rows []contract.Container, id string) (left []contract.Container) {
	for _, c := range rows {
		if c.ID != id {
			left = append(left, c)
		}
	}
	return left
}

// While a container is stopped a group below a service cannot speak for it either.
func TestAForgedGroupIsNoContainerOfItsOwn(t *testing.T) {
	o, _ := captureCopy(t, "cgroup2")
	id := strings.Repeat("9", 64)
	for n, path := range forgeries(id)[:2] {
		forge(t, o, 2+n, path)
	}
	if snap, _ := read(t, o); find(snap, id) != nil {
		t.Error("a group below a service has a row")
	}
}

// TestPodmanWithCgroupfs lays the captured host of Docker out as podman 4.3 does without systemd: /libpod_parent with a
// group libpod-<id> for each container, and the monitors beside them.
func TestPodmanWithCgroupfs(t *testing.T) {
	want, _ := read(t, captured(t, "cgroup1"))
	o, dir := captureCopy(t, "cgroup1")
	rewrite(t, o.Proc, "cgroup", func(s string) string { return strings.ReplaceAll(s, ":/docker/", ":/libpod_parent/libpod-") })

	for _, tree := range []string{"memory", "cpuacct", "freezer"} {
		parent := filepath.Join(dir, "cgroup", tree, "libpod_parent")
		if err := os.Rename(filepath.Join(dir, "cgroup", tree, "docker"), parent); err != nil {
			t.Fatal(err)
		}
		groups, err := filepath.Glob(filepath.Join(parent, "*"))
		if err != nil || len(groups) == 0 {
			t.Fatal(groups, err)
		}

		for _, group := range groups {
			if err := os.Rename(group, filepath.Join(parent, "libpod-"+filepath.Base(group))); err != nil {
				t.Fatal(err)
			}
		}
	}

	forge(t, o, 2, "/libpod_parent/conmon")
	forge(t, o, 3, "/libpod_parent/libpod-conmon-"+want.Containers[0].ID)

	got, _ := read(t, o)
	clearVolatile(want)
	clearVolatile(got)
	for i := range want.Containers {
		want.Containers[i].Runtime = "libpod"
	}

	if diff := cmp.Diff(want.Containers, got.Containers); diff != "" {
		t.Errorf("other rows than of the same containers below /docker (-want +got):\n%s", diff)
	}
}

// TestForgedGroupsOnThisHost makes real groups: the victims' first, as an engine does, then those of users, with
// processes that are older than the victims' and some that are younger.
func TestForgedGroupsOnThisHost(t *testing.T) {
	old := sleeper(t)
	ids, pids := startSleepers(t, 2)
	young := sleeper(t)
	for n, parent := range hierarchies(t, "gestor-forger") {
		for i, id := range ids {
			for _, pid := range []int{old, young} {
				path := []string{id, "docker-" + id + ".scope"}[i]
				if pid == young {
					path = filepath.Join("mine.service", id)
				}
				makeCgroup(t, filepath.Join(parent, path))
				if i == n%len(ids) { // a process is in one group of a hierarchy only
					moveToCgroup(t, filepath.Join(parent, path), pid)
				}
			}
		}
	}

	t.Cleanup(func() { // before the groups are removed
		for _, pid := range []int{old, young} {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})

	for range 2 {
		snap, _, err := thisHost(t).Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}

		for i, id := range ids {
			c := find(snap, id)
			if c == nil {
				t.Fatalf("container %d has no row", i)
			}
			if c.ProcessCount != 1 || c.Processes[0].PID != pids[i] {
				t.Errorf("container %d has %d processes, the first is %d; want only %d", i, c.ProcessCount, c.Processes[0].PID, pids[i])
			}

			if want := inodeOf(t, victimDir(id)); c.CgroupID != want {
				t.Errorf("container %d: cgroup %d, want %d", i, c.CgroupID, want)
			}
		}
	}
}

// sleeper starts a process that sleeps until the test is over.
func sleeper(tb testing.TB) int {
	tb.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		tb.Skipf("no sleep: %v", err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	awaitSleep(tb, cmd.Process.Pid)
	return cmd.Process.Pid
}

// victimDir is the directory that names a pretended container's row.
func victimDir(id string) string {
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
		root = filepath.Join(root, "memory")
	}
	return filepath.Join(root, "gestor-test-"+strconv.Itoa(os.Getpid()), id)
}

func inodeOf(t *testing.T, dir string) uint64 {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}
