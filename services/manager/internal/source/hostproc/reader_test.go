package hostproc_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
)

// byArgs finds the container one of whose processes has the words in its command line.
func byArgs(t *testing.T, snap *contract.Snapshot, words string) *contract.Container {
	t.Helper()
	for i := range snap.Containers {
		for _, p := range snap.Containers[i].Processes {
			if strings.Contains(p.Cmdline, words) {
				return &snap.Containers[i]
			}
		}
	}

	t.Fatalf("no container runs %q", words)
	return nil
}

// TestFiguresAgreeWithTheFiles checks by name what the golden documents hold in bulk.
func TestFiguresAgreeWithTheFiles(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			o := captured(t, name)
			o.CmdlineMax = 256
			snap, cost := read(t, o)
			if cost.Vanished != 0 || cost.Unlocated != 0 || cost.Bytes == 0 || cost.Syscalls == 0 {
				t.Errorf("cost %+v", cost)
			}
			oom := byArgs(t, snap, "sleep 100000")
			for i := range snap.Containers {
				if n := snap.Containers[i].OOMKills; n != nil && *n > 0 {
					oom = &snap.Containers[i]
				}
			}

			if *oom.OOMKills != 1 || *oom.MemoryMaxKB != 16*1024 {
				t.Errorf("the container that met its limit of 16 MiB: %d kills, limit %v kB", *oom.OOMKills, *oom.MemoryMaxKB)
			}
			paused := byArgs(t, snap, "sleep 200000")
			for i := range snap.Containers {
				if f := snap.Containers[i].Frozen; f != nil && *f {
					paused = &snap.Containers[i]
				}
			}

			if !*paused.Frozen || paused.ProcessCount != 2 {
				t.Errorf("the paused container: frozen %v, %d processes", *paused.Frozen, paused.ProcessCount)
			}
			secret := byArgs(t, snap, "API_KEY")
			for _, p := range secret.Processes {
				if strings.Contains(p.Cmdline, "hunter2") || strings.Contains(p.Cmdline, "s3cr3t") || strings.Contains(p.Cmdline, ":pw@") {
					t.Errorf("a secret is in %q", p.Cmdline)
				}
			}
		})
	}
}

func TestLimitOfTheSliceIsTheContainersLimit(t *testing.T) {
	snap, _ := read(t, captured(t, "cgroup2"))
	for i := range snap.Containers {
		if c := &snap.Containers[i]; c.Runtime == "cri-containerd" {
			if c.MemoryMaxKB == nil || *c.MemoryMaxKB != 200*1024 {
				t.Errorf("limit %v, want the 200 MiB of kubepods.slice", c.MemoryMaxKB)
			}
			return
		}
	}

	t.Error("no containerd container in the capture")
}

func TestMonitorIsNotTheContainer(t *testing.T) {
	snap, _ := read(t, captured(t, "cgroup2"))
	for i := range snap.Containers {
		if c := &snap.Containers[i]; c.Runtime == "libpod" && c.ProcessCount != 2 {
			t.Errorf("podman's container has %d processes, want 2: conmon is outside", c.ProcessCount)
		}
	}
}

func TestAFigureThatTheKernelLacksIsAbsent(t *testing.T) {
	snap, _ := read(t, captured(t, "cgroup2-5.10"))
	for i := range snap.Containers {
		if peak := snap.Containers[i].MemoryPeakKB; peak != nil {
			t.Errorf("Linux 5.10 has no memory.peak, yet there is %d", *peak)
		}
	}

	o := captured(t, "cgroup2-5.10")
	snap, _ = read(t, o)
	if snap.Containers[0].Processes[0].Cmdline != "" {
		t.Error("a command line that nobody asked for")
	}
}

// captureCopy copies a captured host, so that a test can change it.
func captureCopy(t *testing.T, name string) (hostproc.Options, string) {
	t.Helper()
	o, dir := captured(t, name), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	o.Proc, o.Cgroup = filepath.Join(dir, "proc"), filepath.Join(dir, "cgroup")
	return o, dir
}

// rewrite applies change to the named file of every process.
func rewrite(t *testing.T, proc, file string, change func(string) string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(proc, "[0-9]*", file))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", file, err)
	}

	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(change(string(b))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// setOwnNamespace changes a captured host to what a process in a cgroup namespace of its own sees, whose root is the
// cgroup own: all paths are relative to it and begin with dots unless they are below it (cgroup_namespaces(7)).
func setOwnNamespace(t *testing.T, proc, own string) {
	t.Helper()
	rewrite(t, proc, "cgroup", func(s string) string {
		var b strings.Builder
		for line := range strings.Lines(s) {
			head, path, _ := strings.Cut(line, ":/")
			rel, err := filepath.Rel(own, "/"+strings.TrimSpace(path))
			if err != nil {
				t.Fatal(err)
			}
			if rel == "." {
				rel = ""
			}

			b.WriteString(head + ":/" + rel + "\n")
		}
		return b.String()
	})
}

// TestPrivateCgroupNamespace reads the hosts from a container. The containers must be the same, its own among them.
func TestPrivateCgroupNamespace(t *testing.T) {
	for name, prefix := range map[string]string{
		"cgroup1": "/docker/", "cgroup2": "/system.slice/docker-", "cgroup2-5.10": "/docker/",
	} {
		for _, inside := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, own container seen %v", name, inside), func(t *testing.T) {
				want, _ := read(t, captured(t, name))
				id := strings.Repeat("f", 64)
				if inside {
					id = ownerOf(want, prefix)
				}
				own := prefix + id
				if strings.HasSuffix(prefix, "-") {
					own += ".scope"
				}

				o, _ := captureCopy(t, name)
				setOwnNamespace(t, o.Proc, own)
				o.Mounts = func() ([]*procfs.MountInfo, error) {
					return []*procfs.MountInfo{{MountPoint: "/etc/hosts", Root: "/var/lib/docker/containers/" + id + "/hosts"}}, nil
				}
				got, cost := read(t, o)
				if cost.Unlocated != 0 {
					t.Errorf("%d containers were not located", cost.Unlocated)
				}

				if want, got := figuresByID(want), figuresByID(got); !maps.Equal(want, got) {
					t.Errorf("other containers or figures:\nwant %v\ngot  %v", want, got)
				}
			})
		}
	}
}

// ownerOf picks a container whose cgroup begins with the prefix: one of docker's, of the driver that the prefix names.
func ownerOf(s *contract.Snapshot, prefix string) string {
	for i := range s.Containers {
		c := &s.Containers[i]
		if frozen := c.Frozen != nil && *c.Frozen; c.Runtime == "docker" && frozen == (prefix == "/docker/") {
			return c.ID
		}
	}
	return ""
}

// figuresByID sums up what the cgroup files say of each container.
func figuresByID(snap *contract.Snapshot) map[string]string {
	figures := map[string]string{}
	for i := range snap.Containers {
		c := &snap.Containers[i]
		figures[c.ID] = fmt.Sprintf("%s %d µs %d kB", c.Runtime, c.CPUUS, *c.MemoryKB)
	}
	return figures
}

func TestVanishedProcessIsNoError(t *testing.T) {
	o, dir := captureCopy(t, "cgroup1")
	before, _ := read(t, o)
	victim := before.Containers[0]
	for _, p := range victim.Processes {
		if err := os.Remove(filepath.Join(dir, "proc", itoa(p.PID), "stat")); err != nil {
			t.Fatal(err)
		}
	}

	after, cost := read(t, o)
	if cost.Vanished != len(victim.Processes) {
		t.Errorf("%d vanished, want %d", cost.Vanished, len(victim.Processes))
	}
	if slices.ContainsFunc(after.Containers, func(c contract.Container) bool { return c.ID == victim.ID }) {
		t.Error("a container without processes has a row")
	}

	if len(after.Containers) != len(before.Containers)-1 {
		t.Errorf("%d rows, want %d", len(after.Containers), len(before.Containers)-1)
	}
}

func TestContainerWhoseCgroupIsGoneHasNoRow(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			o, _ := captureCopy(t, name)
			before, _ := read(t, o)
			id := before.Containers[0].ID
			err := filepath.WalkDir(o.Cgroup, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.IsDir() || !strings.Contains(d.Name(), id) {
					return err
				}
				if err := os.RemoveAll(path); err != nil {
					return err
				}
				return fs.SkipDir
			})
			if err != nil {
				t.Fatal(err)
			}

			after, cost := read(t, o)
			if cost.Unlocated != 1 || len(after.Containers) != len(before.Containers)-1 {
				t.Errorf("unlocated %d, %d rows of %d", cost.Unlocated, len(after.Containers), len(before.Containers))
			}
		})
	}
}

func TestWithoutCPUAccountingTheTasksAreTheSource(t *testing.T) {
	o, dir := captureCopy(t, "cgroup1")
	if err := os.RemoveAll(filepath.Join(dir, "cgroup", "cpuacct")); err != nil {
		t.Fatal(err)
	}

	rewrite(t, o.Proc, "stat", func(s string) string { // 7 s of waited-for children: fields 16 and 17 (proc(5))
		at := strings.LastIndexByte(s, ')') + 2
		fields := strings.Fields(s[at:])
		fields[13], fields[14] = "300", "400"
		return s[:at] + strings.Join(fields, " ") + "\n"
	})

	snap, _ := read(t, o)
	if snap.Capabilities.CPUSource != contract.CPUSourceTasks {
		t.Errorf("cpu_source %q", snap.Capabilities.CPUSource)
	}

	for i := range snap.Containers {
		var sum uint64
		for _, p := range snap.Containers[i].Processes {
			sum += p.CPUUS + 7_000_000
		}
		if c := &snap.Containers[i]; c.CPUUS != sum || c.CPUUserUS != nil {
			t.Errorf("cpu_us %d, the processes and their children have %d", c.CPUUS, sum)
		}
	}
}

func TestNewRefusesWhatIsNoHost(t *testing.T) {
	for name, test := range map[string]struct {
		remove string
		says   string
	}{
		"no proc":           {"proc", "GESTOR_PROC"},
		"no boot id":        {"proc/sys/kernel/random/boot_id", "boot_id"},
		"process 1 hidden":  {"proc/1", "hidepid"},
		"no cgroup":         {"cgroup", "GESTOR_CGROUP"},
		"cgroup, but empty": {"cgroup/*", "GESTOR_CGROUP"},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := captureCopy(t, "cgroup1")
			paths, err := filepath.Glob(filepath.Join(dir, test.remove))
			if err != nil || len(paths) == 0 {
				t.Fatalf("nothing to remove: %v", err)
			}

			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}

			if _, err := hostproc.New(o); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %s", err, test.says)
			}
		})
	}
}

// TestReadRefusesWhatItCannotUnderstand damages one file each.
func TestReadRefusesWhatItCannotUnderstand(t *testing.T) {
	for file, content := range map[string]string{
		"meminfo": "MemTotal: 5 kB\n", "stat": "intr 5\n",
	} {
		o, dir := captureCopy(t, "cgroup1")
		if err := os.WriteFile(filepath.Join(dir, "proc", file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := hostproc.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if snap, _, err := r.Read(context.Background()); err == nil || snap != nil {
			t.Errorf("%s that says %q: %v", file, content, snap)
		}
	}
}

func TestReadFailsWhenProcIsClosed(t *testing.T) {
	o, dir := captureCopy(t, "cgroup1")
	r, err := hostproc.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "proc", "meminfo")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Read(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that meminfo does not exist", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err = hostproc.New(captured(t, "cgroup1")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

func TestSequenceAndInstance(t *testing.T) {
	r, err := hostproc.New(captured(t, "cgroup1"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}

	second, _, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if second.Sequence != first.Sequence+1 || second.Instance != first.Instance {
		t.Errorf("sequence %d then %d of instances %s and %s", first.Sequence, second.Sequence, first.Instance, second.Instance)
	}

	other, err := hostproc.New(captured(t, "cgroup1"))
	if err != nil {
		t.Fatal(err)
	}
	third, _, err := other.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if third.Instance == first.Instance || third.Sequence != 1 {
		t.Errorf("another reader is instance %s with sequence %d", third.Instance, third.Sequence)
	}
}
