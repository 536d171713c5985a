package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// memoryCgroup is a control group with a limit of memory, of either version.
type memoryCgroup struct {
	dir      string
	oomFile  string // holds a line "oom_kill N"
	peakFile string
}

// newMemoryCgroup skips the test where none can be made.
func newMemoryCgroup(t *testing.T, limit int64) memoryCgroup {
	t.Helper()
	g, limitFile := memoryCgroup{oomFile: "memory.oom_control", peakFile: "memory.max_usage_in_bytes"}, "memory.limit_in_bytes"
	parent := "/sys/fs/cgroup/memory"
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control"); err == nil && strings.Contains(string(controllers), "memory") {
		parent, limitFile = "/sys/fs/cgroup", "memory.max"
		g.oomFile, g.peakFile = "memory.events", "memory.peak"
	}
	g.dir = filepath.Join(parent, "gestor-e2e-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Skipf("a memory cgroup cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(g.dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	if err := os.WriteFile(filepath.Join(g.dir, limitFile), []byte(strconv.FormatInt(limit, 10)), 0o644); err != nil {
		t.Skipf("memory cannot be limited here: %v", err)
	}
	return g
}

// within makes a program that runs another in the group, from its first page on.
func (g memoryCgroup) within(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "within")
	text := fmt.Sprintf("#!/bin/sh\necho $$ >'%s' && exec '%s' \"$@\"\n", filepath.Join(g.dir, "cgroup.procs"), program)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// oomKills is how many processes of the group the kernel has killed for want of memory.
func (g memoryCgroup) oomKills(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, g.oomFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(count))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skipf("this kernel does not count what it kills in a cgroup: %s", text)
	return 0
}

// peakMB is the most memory that the group had, the files that it read and wrote among it.
func (g memoryCgroup) peakMB() int {
	text, err := os.ReadFile(filepath.Join(g.dir, g.peakFile)) // missing before Linux 5.19 on version 2
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n >> 20
}
