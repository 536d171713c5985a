package hostproc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
)

// startSleepers makes n cgroups named like containers on this host, each with one sleeping process, in every hierarchy
// that is read. It needs root and a writable cgroup file system, as containers do.
func startSleepers(tb testing.TB, n int) (ids []string, pids []int) {
	tb.Helper()
	parents := hierarchies(tb, "gestor-test")
	for i := range n {
		id := fmt.Sprintf("%032x%032x", os.Getpid(), i)
		for _, parent := range parents {
			makeCgroup(tb, filepath.Join(parent, id))
		}
		pid := sleeper(tb) // ends before its cgroups are removed
		for _, parent := range parents {
			moveToCgroup(tb, filepath.Join(parent, id), pid)
		}
		ids, pids = append(ids, id), append(pids, pid)
	}
	return ids, pids
}

// awaitSleep waits until the process is the program that it is to be, and asleep.
func awaitSleep(tb testing.TB, pid int) {
	tb.Helper()
	stat := ""
	for range 1000 {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			tb.Fatal(err)
		}
		if stat = string(text); strings.Contains(stat, "(sleep) S ") {
			return
		}

		time.Sleep(10 * time.Millisecond)
	}

	tb.Fatalf("it does not sleep: %s", stat)
}

// hierarchies makes one parent cgroup of that name in each hierarchy.
func hierarchies(tb testing.TB, name string) (parents []string) {
	tb.Helper()
	roots := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		roots = []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/freezer"}
	}

	for _, root := range roots {
		parent := filepath.Join(root, name+"-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(parent, 0o755); err != nil {
			tb.Skipf("cgroups cannot be made here: %v", err)
		}
		tb.Cleanup(func() { remove(tb, parent) })
		parents = append(parents, parent)
	}
	return parents
}

// makeCgroup makes a cgroup, with what is above it.
func makeCgroup(tb testing.TB, dir string) {
	tb.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	if err := os.Mkdir(dir, 0o755); errors.Is(err, os.ErrNotExist) {
		makeCgroup(tb, filepath.Dir(dir))
		err = os.Mkdir(dir, 0o755)
		if err != nil {
			tb.Fatal(err)
		}
	} else if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { remove(tb, dir) })
}

// moveToCgroup puts a process into a cgroup.
func moveToCgroup(tb testing.TB, dir string, pid int) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		tb.Fatal(err)
	}
}

// remove deletes a cgroup. Its last process may still be on its way out.
func remove(tb testing.TB, dir string) {
	for range 500 {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Errorf("%s was not removed", dir)
}

func thisHost(tb testing.TB) *hostproc.Reader {
	tb.Helper()
	r, err := hostproc.New(hostproc.Options{Proc: "/proc", Cgroup: "/sys/fs/cgroup"})
	if err != nil {
		tb.Skipf("this host cannot be read: %v", err)
	}
	return r
}

// TestThisHost reads the running kernel, with rows it can name.
func TestThisHost(t *testing.T) {
	ids, pids := startSleepers(t, 3)
	r := thisHost(t)
	snap, _, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if bad, err := snap.Validate(); err != nil || bad != nil {
		t.Fatalf("error %v, rows %v", err, bad)
	}

	for i, id := range ids {
		c := find(snap, id)
		if c == nil {
			t.Fatalf("container %s has no row", id)
		}
		if c.ProcessCount != 1 || c.Processes[0].PID != pids[i] || c.Processes[0].PPID != os.Getpid() || c.Processes[0].Name != "sleep" {
			t.Errorf("row %+v, want process %d", c, pids[i])
		}

		if age := snap.MonotonicUS - c.StartUS; c.StartUS > snap.MonotonicUS || age > 60_000_000 {
			t.Errorf("started at %d, now it is %d: not the same clock", c.StartUS, snap.MonotonicUS)
		}
		if c.RSSKB == 0 || c.VSZKB < c.RSSKB || c.CgroupID == 0 {
			t.Errorf("sizes %+v", c)
		}
	}
}

func find(s *contract.Snapshot, id string) *contract.Container {
	for i := range s.Containers {
		if s.Containers[i].ID == id {
			return &s.Containers[i]
		}
	}
	return nil
}

// BenchmarkRead reads this host with n containers of one process.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 200} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			startSleepers(b, n)
			r := thisHost(b)
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				if _, _, err := r.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
			}

			b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
			_, cost, _ := r.Read(context.Background())
			b.ReportMetric(float64(cost.Syscalls), "syscalls/op")
		})
	}
}

// cpuTime is what this process has used: on a busy machine it says more than the time that passed.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
