package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// firstV1 is the hierarchy by which containers are found on v1: that of the first controller there is.
func firstV1() string {
	for _, controller := range v1Controllers {
		dir := filepath.Join("/sys/fs/cgroup", controller)
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return ""
}

// makeNumbered makes a cgroup and returns its number, which is unique in its hierarchy only.
func (m *machine) makeNumbered(dir string) (uint64, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, fmt.Errorf("make cgroup: %w", err)
	}
	m.groups = append(m.groups, dir)
	info, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Ino, nil
}

// startIn runs a process that is in one cgroup of one hierarchy and in the root of all others.
func (m *machine) startIn(dir string) (*task, error) {
	t, err := m.start("/", "sleep")
	if err != nil {
		return nil, err
	}
	return t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(t.pid)), 0)
}

// checkSameNumbers looks for v2 groups that have the number of a container's v1 group, and starts a process in each:
// before the container's for one pair, after it for the next.
func checkSameNumbers(m *machine) error {
	v1 := firstV1()
	if v1 == "" {
		return skipped("this kernel has no v1 controller")
	}
	if err := os.Mkdir(filepath.Join(v1, "docker"), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	const most = 150
	containers := map[uint64]string{}
	for i := range most {
		id := containerID(fmt.Sprint("hybrid ", i))
		number, err := m.makeNumbered(filepath.Join(v1, "docker", id))
		if err != nil {
			return err
		}
		containers[number] = id
	}

	pids := map[string]int{}
	for i := 0; i < 4*most && len(pids) < 4; i++ {
		group := filepath.Join(unified, fmt.Sprint("session", i))
		number, err := m.makeNumbered(group)
		if err != nil {
			return err
		}
		id, same := containers[number]
		if !same {
			continue
		}
		dirs := []string{group, filepath.Join(v1, "docker", id)}
		if len(pids)%2 == 1 {
			dirs[0], dirs[1] = dirs[1], dirs[0]
		}
		for _, dir := range dirs {
			t, err := m.startIn(dir)
			if err != nil {
				return err
			}
			if dir != group {
				pids[id] = t.pid
			}
		}
	}
	if len(pids) < 2 {
		return fmt.Errorf("only %d groups with the number of a container's: nothing was tested", len(pids))
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}
	for range 2 {
		if err := wantOnly(pids); err != nil {
			return err
		}
	}
	return nil
}

// checkBothTrees: with the systemd driver a container is in the v2 tree and in every v1 tree. It has one row, with CPU
// time of the v2 group and memory of the v1 group.
func checkBothTrees(m *machine) error {
	id := containerID("both trees")
	t, err := m.start(dockerPath(id), "alloc", "10")
	if err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}
	if err := wantOnly(map[string]int{id: t.pid}); err != nil {
		return err
	}
	row, err := only(id)
	if err != nil {
		return err
	}
	if row.Frozen == nil {
		return errors.New("frozen is absent, though the v2 group has it")
	}
	usage, _, err := number(filepath.Join(m.dir(dockerPath(id), "memory"), "memory.usage_in_bytes"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // no v1 memory controller
	}
	if err != nil {
		return err
	}
	got, err := given("memory_kb", row.MemoryKB)
	if err != nil {
		return err
	}
	return within("memory_kb", got, usage/1024, 512)
}
