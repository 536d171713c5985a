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

// Controllers of cgroup v1 that are read. Each may have a hierarchy of its own.
const (
	v2        = "" // the one hierarchy of cgroup v2
	v1Memory  = "memory"
	v1CPU     = "cpuacct"
	v1Freezer = "freezer"
)

// errNoCgroup says that the root holds neither kind of hierarchy.
var errNoCgroup = errors.New("no cgroup hierarchy with memory or CPU accounting found")

// hierarchies are the mounted cgroup trees that hold figures.
type hierarchies struct {
	version int // 1 or 2: where the figures are, not where the names are
	trees   map[string]*tree
}

// findHierarchies recognises the layout below root (see cgroups(7)): a file cgroup.controllers at the root means v2,
// otherwise each directory is a v1 hierarchy, named after its controllers.
func findHierarchies(root string) (hierarchies, error) {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return hierarchies{version: 2, trees: map[string]*tree{v2: newTree(root)}}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return hierarchies{}, fmt.Errorf("open cgroups: %w (mount the host's /sys/fs/cgroup and set GESTOR_CGROUP)", err)
	}
	h := hierarchies{version: 1, trees: map[string]*tree{}}
	for _, e := range entries {
		for controller := range strings.SplitSeq(e.Name(), ",") {
			if slices.Contains([]string{v1Memory, v1CPU, v1Freezer}, controller) && h.trees[controller] == nil {
				h.trees[controller] = newTree(filepath.Join(root, e.Name()))
			}
		}
	}
	if h.trees[v1Memory] == nil && h.trees[v1CPU] == nil {
		return hierarchies{}, fmt.Errorf("open cgroups: %s: %w (mount the host's /sys/fs/cgroup and set GESTOR_CGROUP)", root, errNoCgroup)
	}
	return h, nil
}

// cpuSource is cgroup where containers have a counter of their own.
func (h hierarchies) cpuSource() string {
	if h.version == 2 || h.trees[v1CPU] != nil {
		return contract.CPUSourceCgroup
	}
	return contract.CPUSourceTasks
}

// identifyProcess finds the container of a process: in its v2 path, else in its memory, pids, cpu, cpuset or freezer path,
// else in any other.
func identifyProcess(cgroups []procfs.Cgroup) (identity, bool) {
	slices.SortStableFunc(cgroups, func(a, b procfs.Cgroup) int { return preference(a) - preference(b) })
	for _, c := range cgroups {
		if i, ok := identify(c.Path); ok {
			return i, true
		}
	}
	return identity{}, false
}

func preference(c procfs.Cgroup) int {
	order := [...]string{"memory", "pids", "cpu", "cpuset", "freezer"}
	if c.HierarchyID == 0 {
		return 0
	}
	for i, controller := range order {
		if slices.Contains(c.Controllers, controller) {
			return 1 + i
		}
	}
	return 1 + len(order)
}

// tree is one hierarchy and what is known of the places of containers in it.
type tree struct {
	root    string
	dirs    map[string]string // container id → directory
	parents []string          // directories that held containers, the latest found last
	walked  uint64            // sequence of the reading that last walked the tree
}

func newTree(root string) *tree { return &tree{root: root, dirs: map[string]string{}} }

// find returns the container's directory. The path from /proc may be relative to another cgroup namespace (it begins with
// /..): then what follows the dots is tried below the root and below every directory that held a container before, and
// at last the whole tree is searched, once per reading.
func (t *tree) find(i identity, sequence uint64) (string, bool) {
	if dir, ok := t.dirs[i.id]; ok {
		return dir, true
	}
	rest := i.path
	for strings.HasPrefix(rest, "/..") {
		rest = rest[len("/.."):]
	}
	for _, parent := range append([]string{t.root}, t.parents...) {
		if dir := parent + rest; isDir(dir) {
			t.learn(i.id, dir)
			return dir, true
		}
	}
	if t.walked != sequence {
		t.walked = sequence
		t.walk()
	}
	dir, ok := t.dirs[i.id]
	return dir, ok
}

// runtime is what the container's directory says, which the host's tree shows whole where a path from /proc begins with dots.
func (t *tree) runtime(dir string) string {
	i, _ := identify(strings.TrimPrefix(dir, t.root))
	return i.runtime
}

func (t *tree) learn(id, dir string) {
	t.dirs[id] = dir
	if parent := filepath.Dir(dir); parent != t.root && !slices.Contains(t.parents, parent) {
		t.parents = append(t.parents, parent)
	}
}

// walk learns the place of every container in the tree. What cannot be listed is left out.
func (t *tree) walk() {
	_ = filepath.WalkDir(t.root, func(dir string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if !e.IsDir() {
			return nil
		}
		if i, ok := identify("/" + e.Name()); ok {
			t.learn(i.id, dir)
			return fs.SkipDir
		}
		return nil
	})
}

// drop forgets a container's place in every tree.
func (h hierarchies) drop(id string) {
	for _, t := range h.trees {
		delete(t.dirs, id)
	}
}

// forget drops the containers that are gone, so that the map does not grow with every container that ever lived.
func (t *tree) forget(alive map[string]*container) {
	for id := range t.dirs {
		if alive[id] == nil {
			delete(t.dirs, id)
		}
	}
	const most = 64 // slices of orchestrators come and go; the useful ones are found again
	if len(t.parents) > most {
		t.parents = t.parents[len(t.parents)-most:]
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
