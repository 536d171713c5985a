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

// hierarchies are the mounted cgroup hierarchies, by controller.
type hierarchies struct {
	version int // 1 or 2: where the accounting is, not where the names are
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

// accounting lists the hierarchies with accounting files, the one that names a container's cgroup first.
func (h hierarchies) accounting() []string {
	if h.version == 2 {
		return []string{v2}
	}
	return slices.DeleteFunc([]string{v1Memory, v1CPU, v1Freezer}, func(name string) bool { return !h.has(name) })
}

// search looks for a container's directory by its name. Of several that match it returns the first by identity.less.
func (h hierarchies) search(match func(identity) bool) (best identity, ok bool) {
	for _, name := range h.accounting() {
		root := h.roots[name]
		_ = filepath.WalkDir(root, func(dir string, e fs.DirEntry, err error) error { // what cannot be listed is left out
			if err != nil || !e.IsDir() {
				return skipEntry(e)
			}

			i, container := identify(strings.TrimPrefix(dir, root))
			if !container {
				return nil
			}

			// Nothing below a container is one: the walk does not go deeper.
			if match(i) && (!ok || i.less(best, root)) {
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

// skipEntry leaves out a directory that cannot be listed, and a file.
func skipEntry(e fs.DirEntry) error {
	if e == nil || e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// namingControllers are those whose v1 hierarchy may name the container where the v2 one does not: the first one that
// this kernel has.
var namingControllers = [...]string{v1Memory, "pids", "cpu", "cpuset", v1Freezer}

// namingLines returns the lines of /proc/PID/cgroup that name a process's container, in the order in which they are
// parsed, and the hierarchy of each: v2 first, also where the controllers are on v1, then v1.
func namingLines(cgroups []procfs.Cgroup) (lines [2]procfs.Cgroup, names []string) {
	if c, ok := cgroupLine(cgroups, v2); ok {
		lines[0], names = c, append(names, v2)
	}

	for _, controller := range namingControllers {
		if c, ok := cgroupLine(cgroups, controller); ok {
			lines[len(names)] = c
			return lines, append(names, controller)
		}
	}
	return lines, names
}

// cgroupLine is the line of one hierarchy.
func cgroupLine(cgroups []procfs.Cgroup, name string) (procfs.Cgroup, bool) {
	for _, c := range cgroups {
		if name == v2 && c.HierarchyID == 0 || name != v2 && slices.Contains(c.Controllers, name) {
			return c, true
		}
	}
	return procfs.Cgroup{}, false
}

// readCgroup fills in what a container's own cgroup says. It is false when the cgroup is gone or was not found: then
// there is no row to make.
func (r *Reader) readCgroup(c *container) bool {
	c.row.Runtime = c.runtime
	if r.cgroups.version == 2 {
		return r.readCgroupV2(c.dirs[v2], &c.row)
	}
	return r.readCgroupV1(c.dirs, &c.row)
}

// readCgroupV2 reads the files of kernel.org/doc/html/latest/admin-guide/cgroup-v2.html. A controller that is not
// enabled for the container has no files: its fields are absent. cpu.stat is always there.
func (r *Reader) readCgroupV2(dir string, c *contract.Container) bool {
	if dir == "" {
		return false
	}

	stat, err := r.files.Read(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return false
	}

	var user, system uint64
	found := false
	parseFlatKeyed(stat, func(key string, n uint64) {
		switch key {
		case "usage_usec":
			c.CPUUS, found = n, true
		case "user_usec":
			user = n
		case "system_usec":
			system = n
		}
	})

	if !found {
		return false
	}

	c.CPUUserUS, c.CPUSystemUS = &user, &system
	c.CgroupID = inode(dir)
	r.readMemoryV2(dir, c)

	if events, err := r.files.Read(filepath.Join(dir, "cgroup.events")); err == nil {
		parseFlatKeyed(events, func(key string, n uint64) {
			if key == "frozen" {
				frozen := n == 1
				c.Frozen = &frozen
			}
		})
	}
	return true
}

// readMemoryV2 reads the files of the memory controller. The working set is what the kernel cannot give back at once:
// everything but the inactive page cache, as kubelet and docker stats count it.
func (r *Reader) readMemoryV2(dir string, c *contract.Container) {
	current, ok := r.files.readNumber(filepath.Join(dir, "memory.current"))
	if !ok {
		return
	}
	c.MemoryKB = inKB(current)

	if stat, err := r.files.Read(filepath.Join(dir, "memory.stat")); err == nil {
		parseFlatKeyed(stat, func(key string, n uint64) {
			if key == "inactive_file" {
				c.WorkingSetKB = inKB(current - min(n, current))
			}
		})
	}

	c.MemoryMaxKB = r.memoryLimitV2(dir)
	c.MemoryPeakKB = r.readOptionalKB(filepath.Join(dir, "memory.peak")) // since Linux 5.19
	c.SwapKB = r.readOptionalKB(filepath.Join(dir, "memory.swap.current"))

	if events, err := r.files.Read(filepath.Join(dir, "memory.events")); err == nil {
		parseFlatKeyed(events, func(key string, n uint64) {
			if key == "oom_kill" {
				c.OOMKills = &n
			}
		})
	}
}

// memoryLimitV2 is the smallest limit on the way up: an orchestrator may limit the slice and not the container.
func (r *Reader) memoryLimitV2(dir string) (least *uint64) {
	for root := r.cgroups.roots[v2]; len(dir) > len(root); dir = filepath.Dir(dir) {
		if limit := r.readOptionalKB(filepath.Join(dir, "memory.max")); limit != nil && (least == nil || *limit < *least) {
			least = limit
		}
	}
	return least
}

// readCgroupV1 reads the files of
// kernel.org/doc/html/latest/admin-guide/cgroup-v1/{cpuacct,memory,freezer-subsystem}.html.
func (r *Reader) readCgroupV1(dirs map[string]string, c *contract.Container) bool {
	// A directory that is gone from one hierarchy is on its way out of the others: half a row would look like a
	// container that uses nothing.
	for _, tree := range []string{v1CPU, v1Memory} {
		if r.cgroups.has(tree) && !isDir(dirs[tree]) {
			return false
		}
	}

	if dir := dirs[v1CPU]; dir != "" {
		ns, ok := r.files.readNumber(filepath.Join(dir, "cpuacct.usage"))
		if !ok {
			return false
		}

		c.CPUUS = ns / 1000
		c.CPUUserUS = r.readOptional(filepath.Join(dir, "cpuacct.usage_user"), 1000)
		c.CPUSystemUS = r.readOptional(filepath.Join(dir, "cpuacct.usage_sys"), 1000)
		c.CgroupID = inode(dir)
	}

	if dir := dirs[v1Memory]; dir != "" {
		c.CgroupID = inode(dir) // the one the module names
		r.readMemoryV1(dir, c)
	}

	if dir := dirs[v1Freezer]; dir != "" {
		r.readFreezerV1(dir, c)
	}

	return true
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readMemoryV1 reads the files of the memory controller; the total_ fields are those with the groups below.
func (r *Reader) readMemoryV1(dir string, c *contract.Container) {
	current, ok := r.files.readNumber(filepath.Join(dir, "memory.usage_in_bytes"))
	if !ok {
		return
	}
	c.MemoryKB = inKB(current)

	if stat, err := r.files.Read(filepath.Join(dir, "memory.stat")); err == nil {
		parseFlatKeyed(stat, func(key string, n uint64) {
			switch key {
			case "total_inactive_file":
				c.WorkingSetKB = inKB(current - min(n, current))
			case "total_swap": // only where swap is accounted
				c.SwapKB = inKB(n)
			case "hierarchical_memory_limit":
				if n < unlimitedV1 {
					c.MemoryMaxKB = inKB(n)
				}
			}
		})
	}

	c.MemoryPeakKB = r.readOptionalKB(filepath.Join(dir, "memory.max_usage_in_bytes"))
	if oom, err := r.files.Read(filepath.Join(dir, "memory.oom_control")); err == nil {
		parseFlatKeyed(oom, func(key string, n uint64) {
			if key == "oom_kill" { // since Linux 4.13
				c.OOMKills = &n
			}
		})
	}
}

// unlimitedV1 is below what the v1 files show where there is no limit: the largest number of bytes, rounded to a page
// (9223372036854771712 with pages of 4 KiB, less with larger ones).
const unlimitedV1 = 1 << 62

func (r *Reader) readFreezerV1(dir string, c *contract.Container) {
	state, err := r.files.Read(filepath.Join(dir, "freezer.state"))
	if err != nil {
		return
	}
	frozen := string(state) == "FROZEN\n"
	c.Frozen = &frozen
}

// readOptional reads a number that not every kernel has, divided by unit.
func (r *Reader) readOptional(path string, unit uint64) *uint64 {
	n, ok := r.files.readNumber(path)
	if !ok {
		return nil
	}
	n /= unit
	return &n
}

func (r *Reader) readOptionalKB(path string) *uint64 { return r.readOptional(path, 1024) }

func inKB(bytes uint64) *uint64 {
	n := bytes / 1024
	return &n
}
