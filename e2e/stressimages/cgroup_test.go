package stressimages

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// group reads the counters of one container's cgroups, version 1 or 2.
type group struct {
	v2          bool
	cpu, memory string // folders
}

const cgroupRoot = "/sys/fs/cgroup"

// groupOf finds the cgroups of a process: lines of "number:controllers:path" (cgroups(7)).
func groupOf(t *testing.T, pid string) group {
	t.Helper()
	var g group
	for line := range strings.Lines(read(t, "/proc/"+pid+"/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		if f[0] == "0" && f[1] == "" && g.cpu == "" && exists(filepath.Join(cgroupRoot, f[2], "memory.stat")) {
			g = group{v2: true, cpu: filepath.Join(cgroupRoot, f[2]), memory: filepath.Join(cgroupRoot, f[2])}
		}
		for controller := range strings.SplitSeq(f[1], ",") {
			switch controller {
			case "cpuacct":
				g.cpu = filepath.Join(cgroupRoot, "cpuacct", f[2])
			case "memory":
				g.memory = filepath.Join(cgroupRoot, "memory", f[2])
			}
		}
	}
	if g.cpu == "" || g.memory == "" {
		t.Fatalf("no cgroup of process %s: %+v", pid, g)
	}
	return g
}

// cpuTime is what the container has used since it began.
func (g group) cpuTime(t *testing.T) time.Duration {
	if g.v2 {
		return time.Duration(field(t, filepath.Join(g.cpu, "cpu.stat"), "usage_usec")) * time.Microsecond
	}
	return time.Duration(number(t, filepath.Join(g.cpu, "cpuacct.usage")))
}

// ready is how long each thread of the container has run or was ready to: the first two numbers of schedstat
// (docs.kernel.org/scheduler/sched-stats.html). A thread that its group's limit stops counts as ready.
func (g group) ready(t *testing.T) map[string]time.Duration {
	t.Helper()
	times := make(map[string]time.Duration)
	for pid := range strings.FieldsSeq(read(t, filepath.Join(g.memory, "cgroup.procs"))) {
		threads, _ := filepath.Glob(filepath.Join("/proc", pid, "task", "*", "schedstat")) // the pattern is good
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended meanwhile
			}
			var ran, waited time.Duration
			if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			times[path] = ran + waited
		}
	}
	return times
}

// anonymous memory is what the container's processes hold and no file stands behind.
func (g group) anonymous(t *testing.T) uint64 {
	if g.v2 {
		return field(t, filepath.Join(g.memory, "memory.stat"), "anon")
	}
	return field(t, filepath.Join(g.memory, "memory.stat"), "total_rss")
}

// charged memory is all of it.
func (g group) charged(t *testing.T) uint64 {
	if g.v2 {
		return number(t, filepath.Join(g.memory, "memory.current"))
	}
	return number(t, filepath.Join(g.memory, "memory.usage_in_bytes"))
}

func (g group) limit(t *testing.T) uint64 {
	if g.v2 {
		return number(t, filepath.Join(g.memory, "memory.max"))
	}
	return number(t, filepath.Join(g.memory, "memory.limit_in_bytes"))
}

// oomKills is how often the kernel ended a process of the container at its limit.
func (g group) oomKills(t *testing.T) uint64 {
	if g.v2 {
		return field(t, filepath.Join(g.memory, "memory.events"), "oom_kill")
	}
	return field(t, filepath.Join(g.memory, "memory.oom_control"), "oom_kill")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func number(t *testing.T, path string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(read(t, path)), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}

func field(t *testing.T, path, name string) uint64 {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(read(t, path)))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return n
		}
	}
	t.Fatalf("%s has no %s", path, name)
	return 0
}
