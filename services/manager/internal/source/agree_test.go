package source_test

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/kmod"
)

// TestSourcesAgree compares both readers on a host where the module is loaded: what stands still must be equal, and
// what grows must lie between a reading of /proc before and one after the module's.
func TestSourcesAgree(t *testing.T) {
	if _, err := os.Stat("/proc/" + kmod.DefaultName); err != nil {
		t.Skip("the module is not loaded here")
	}
	slow, err := hostproc.New(hostproc.Options{Proc: "/proc", Cgroup: "/sys/fs/cgroup"})
	if err != nil {
		t.Fatal(err)
	}

	fast := kmod.New(kmod.Options{Proc: "/proc"})
	for range 5 {
		before := readProcfs(t, slow)
		module := readModule(t, fast, now(t))
		after := readProcfs(t, slow)
		if module.BootID != before.BootID || module.CPUs != before.CPUs || module.PageSize != before.PageSize ||
			module.Kernel != before.Kernel || module.Memory.TotalKB != before.Memory.TotalKB {
			t.Errorf("heads differ: %+v and %+v", module, before)
		}

		checkBetween(t, "monotonic_us", before.MonotonicUS, module.MonotonicUS, after.MonotonicUS)
		compare(t, before, module, after)
	}
}

func readProcfs(t *testing.T, r *hostproc.Reader) *contract.Snapshot {
	t.Helper()
	snap, _, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if bad, err := snap.Validate(); err != nil || bad != nil {
		t.Fatalf("procfs: error %v, rows %v", err, bad)
	}
	return snap
}

// readModule takes a walk that began after sinceUS: readers that come close after each other share one (max_age_ms).
func readModule(t *testing.T, r *kmod.Reader, sinceUS uint64) *contract.Snapshot {
	t.Helper()
	for range 100 {
		snap, bad, _, err := r.Read()
		if err != nil || bad != nil {
			t.Fatalf("module: error %v, rows %v", err, bad)
		}
		if snap.MonotonicUS >= sinceUS {
			return snap
		}

		time.Sleep(20 * time.Millisecond)
	}

	t.Fatal("the module gives no new walk")
	return nil
}

// now is the time as the snapshots give it, in microseconds.
func now(t *testing.T) uint64 {
	t.Helper()
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &at); err != nil {
		t.Fatal(err)
	}
	return uint64(at.Nano() / 1000)
}

func checkBetween(t *testing.T, what string, low, value, high uint64) {
	t.Helper()
	if value < low || value > high {
		t.Errorf("%s: %d is not between %d and %d", what, value, low, high)
	}
}

// compare goes through the containers that live in all three snapshots.
func compare(t *testing.T, before, module, after *contract.Snapshot) {
	t.Helper()
	compared := 0
	for i := range before.Containers {
		low := &before.Containers[i]
		mid, high := rowOf(module, low.ID), rowOf(after, low.ID)
		if high == nil {
			continue // it ended
		}
		if mid == nil {
			t.Errorf("the module does not see %s", low.ID)
			continue
		}

		compared++
		if mid.Runtime != low.Runtime || !same(mid.MemoryMaxKB, low.MemoryMaxKB) || !same(mid.OOMKills, low.OOMKills) {
			t.Errorf("%.12s: module %+v, procfs %+v", low.ID, mid, low)
		}
		if module.Capabilities.CPUSource == contract.CPUSourceCgroup {
			checkBetween(t, "cpu_us of "+low.ID[:12], low.CPUUS, mid.CPUUS, high.CPUUS)
		}

		if module.Capabilities.Cgroup == 2 && (mid.CgroupID != low.CgroupID || *mid.Frozen != *low.Frozen) {
			t.Errorf("%.12s: cgroup %d and %d, frozen %v and %v", low.ID, mid.CgroupID, low.CgroupID, *mid.Frozen, *low.Frozen)
		}
		compareProcesses(t, module.Kernel, low, mid, high)
	}

	if compared == 0 || len(module.Containers) < compared {
		t.Errorf("%d containers compared, the module has %d", compared, len(module.Containers))
	}
}

func compareProcesses(t *testing.T, kernel string, low, mid, high *contract.Container) {
	t.Helper()
	for i := range low.Processes {
		p := &low.Processes[i]
		q, last := processOf(mid, p.PID), processOf(high, p.PID)
		if last == nil {
			continue // it ended
		}
		if q == nil {
			t.Errorf("the module does not see process %d (%s)", p.PID, p.Name)
			continue
		}

		const hz = 10_000 // /proc counts in ticks, rounded down
		seen := shapeOf(q)
		seen.start = q.StartUS / hz * hz
		if still := shapeOf(p); still == shapeOf(last) && seen != still {
			t.Errorf("process %d: module %+v, procfs %+v", p.PID, q, p)
		}
		// /proc divides the exact sum into user and system time and rounds each down.
		checkBetween(t, "cpu_us of "+p.Name, p.CPUUS, q.CPUUS, last.CPUUS+2*hz)
		lagKB := rssLagKB(kernel, p.Threads)
		low, high := min(p.RSSKB, last.RSSKB), max(p.RSSKB, last.RSSKB) // memory is given back too
		checkBetween(t, "rss_kb of "+p.Name, low-min(low, lagKB), q.RSSKB, high+lagKB)
	}
}

// shape is what of a process stands still for a while: until it calls exec or starts a thread.
type shape struct {
	ppid, nspid, threads int
	name                 string
	vszKB, start         uint64
}

func shapeOf(p *contract.Process) shape {
	return shape{p.PPID, p.NSPID, p.Threads, p.Name, p.VSZKB, p.StartUS}
}

// rssLagKB is how far /proc's RSS may be off. Before Linux 6.2 each thread keeps back up to 64 changes, of up to 16
// pages each when a file is mapped; since then each CPU keeps back up to 32 pages of each of three kinds.
func rssLagKB(kernel string, threads int) uint64 {
	const pageKB = 4
	if strings.HasPrefix(kernel, "5.") || strings.HasPrefix(kernel, "6.1.") {
		return uint64(64 * 16 * pageKB * threads)
	}
	return uint64(32 * 3 * pageKB * runtime.NumCPU())
}

func rowOf(s *contract.Snapshot, id string) *contract.Container {
	for i := range s.Containers {
		if s.Containers[i].ID == id {
			return &s.Containers[i]
		}
	}
	return nil
}

func processOf(c *contract.Container, pid int) *contract.Process {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return &c.Processes[i]
		}
	}
	return nil
}

func same(a, b *uint64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
