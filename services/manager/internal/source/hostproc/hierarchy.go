package hostproc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
)

// Hierarchies that are read. Each controller of cgroup v1 may have one of its own.
const (
	v2        = "" // the one hierarchy of cgroup v2, also where the controllers are on v1
	v1Memory  = "memory"
	v1CPU     = "cpuacct"
	v1Freezer = "freezer"
)

// errNoCgroup says that the root holds neither kind of hierarchy.
var errNoCgroup = errors.New("no cgroup hierarchy with memory or CPU accounting found")

// hierarchies are the mounted cgroup trees.
type hierarchies struct {
	version int // 1 or 2: where the figures are, not where the names are
	roots   map[string]string
}

// findHierarchies recognises the layout below root (see cgroups(7)): a file cgroup.controllers at the root means v2,
// otherwise each directory is a v1 hierarchy, named after its controllers, and "unified" is v2 without any.
func findHierarchies(root string) (hierarchies, error) {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return hierarchies{version: 2, roots: map[string]string{v2: root}}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return hierarchies{}, fmt.Errorf("open cgroups: %w (mount the host's /sys/fs/cgroup and set GESTOR_CGROUP)", err)
	}
	h := hierarchies{version: 1, roots: map[string]string{}}
	for _, e := range entries {
		for name := range strings.SplitSeq(e.Name(), ",") {
			if name == "unified" {
				name = v2
			}
			if !h.has(name) {
				h.roots[name] = filepath.Join(root, e.Name())
			}
		}
	}
	if !h.has(v1Memory) && !h.has(v1CPU) {
		return hierarchies{}, fmt.Errorf("open cgroups: %s: %w (mount the host's /sys/fs/cgroup and set GESTOR_CGROUP)", root, errNoCgroup)
	}
	return h, nil
}

func (h hierarchies) has(name string) bool { return h.roots[name] != "" }

// cpuSource is cgroup where containers have a counter of their own.
func (h hierarchies) cpuSource() string {
	if h.version == 2 || h.has(v1CPU) {
		return contract.CPUSourceCgroup
	}
	return contract.CPUSourceTasks
}

// figureTrees are the hierarchies that hold figures, the one that names a container's cgroup first.
func (h hierarchies) figureTrees() []string {
	if h.version == 2 {
		return []string{v2}
	}
	return slices.DeleteFunc([]string{v1Memory, v1CPU, v1Freezer}, func(name string) bool { return !h.has(name) })
}

// search looks for a container's directory by its name. Of several that will do it returns the first by rank.
func (h hierarchies) search(will func(identity) bool) (best identity, ok bool) {
	for _, name := range h.figureTrees() {
		root := h.roots[name]
		_ = filepath.WalkDir(root, func(dir string, e fs.DirEntry, err error) error { // what cannot be listed is left out
			if err != nil || !e.IsDir() {
				return skip(e)
			}

			i, container := identify(strings.TrimPrefix(dir, root))
			if !container {
				return nil
			}
			if will(i) && (!ok || i.before(best, root)) {
				best, ok = i, true
			}
			return fs.SkipDir
		})

		if ok {
			return best, true
		}
	}
	return identity{}, false
}

// skip leaves out a directory that cannot be listed, and a file.
func skip(e fs.DirEntry) error {
	if e == nil || e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// namingControllers are those whose v1 hierarchy may tell what the v2 one does not: the first one that this kernel has.
var namingControllers = [...]string{v1Memory, "pids", "cpu", "cpuset", v1Freezer}

// naming returns the lines of /proc/PID/cgroup that tell a process's container, in the order in which they are asked, and
// the hierarchy of each: v2 first, also where the controllers are on v1, then v1.
func naming(cgroups []procfs.Cgroup) (lines [2]procfs.Cgroup, names []string) {
	if c, ok := lineOf(cgroups, v2); ok {
		lines[0], names = c, append(names, v2)
	}
	for _, controller := range namingControllers {
		if c, ok := lineOf(cgroups, controller); ok {
			lines[len(names)] = c
			return lines, append(names, controller)
		}
	}
	return lines, names
}

// lineOf is the line of one hierarchy.
func lineOf(cgroups []procfs.Cgroup, name string) (procfs.Cgroup, bool) {
	for _, c := range cgroups {
		if name == v2 && c.HierarchyID == 0 || name != v2 && slices.Contains(c.Controllers, name) {
			return c, true
		}
	}
	return procfs.Cgroup{}, false
}
