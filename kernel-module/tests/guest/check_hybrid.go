package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// sameNumbers makes v1 groups of containers and v2 groups, the next always in the hierarchy whose numbers are behind, and hands
// on each pair of one number until want are found. A hierarchy's numbers go up by one for each file of a new group. Where
// both steps have a common divisor the two may never meet: then the v2 groups get the files of one more controller.
func (m *machine) sameNumbers(v1 string, want int, found func(id, container, group string) error) error {
	const most, maxWithoutPair = 2000, 60
	text, err := os.ReadFile(filepath.Join(unified, "cgroup.controllers"))
	if err != nil {
		return err
	}
	controllers := strings.Fields(string(text))

	var id, container, group string
	var inV1, inV2 uint64
	pairs, since := 0, 0
	for i := 0; i < most && pairs < want; i++ {
		if since++; since > maxWithoutPair && len(controllers) > 0 {
			last := len(controllers) - 1
			if err := os.WriteFile(filepath.Join(unified, "cgroup.subtree_control"), []byte("+"+controllers[last]), 0); err != nil {
				return err
			}
			controllers, since = controllers[:last], 0
		}

		if inV1 <= inV2 {
			id = containerID(fmt.Sprint("hybrid ", i))
			container = filepath.Join(v1, "docker", id)
			inV1, err = m.makeNumbered(container)
		} else {
			group = filepath.Join(unified, fmt.Sprint("session", i))
			inV2, err = m.makeNumbered(group)
		}
		if err != nil {
			return err
		}

		if inV1 == inV2 {
			pairs++
			since = 0
			if err := found(id, container, group); err != nil {
				return err
			}
		}
	}
	if pairs < want {
		return fmt.Errorf("only %d groups with the number of a container's: nothing was tested", pairs)
	}
	return nil
}

// checkSameNumbers starts a process in a container's v1 group and one in a v2 group of the same number: before the
// container's for one pair, after it for the next.
func checkSameNumbers(m *machine) error {
	v1 := firstV1()
	if v1 == "" {
		return skipped("this kernel has no v1 controller")
	}
	if err := os.Mkdir(filepath.Join(v1, "docker"), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}

	pids := map[string]int{}
	err := m.sameNumbers(v1, 4, func(id, container, group string) error {
		dirs := []string{group, container}
		if len(pids)%2 == 1 {
			dirs[0], dirs[1] = dirs[1], dirs[0]
		}
		for _, dir := range dirs {
			t, err := m.startIn(dir)
			if err != nil {
				return err
			}
			if dir == container {
				pids[id] = t.pid
			}
		}
		return nil
	})
	if err != nil {
		return err
	}

	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	for range 2 {
		if err := expectOnly(pids); err != nil {
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

	if err := expectOnly(map[string]int{id: t.pid}); err != nil {
		return err
	}
	row, err := readContainer(id)
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
	got, err := required("memory_kb", row.MemoryKB)
	if err != nil {
		return err
	}
	return within("memory_kb", got, usage/1024, 512)
}
