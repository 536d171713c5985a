package hostproc

import (
	"os"
	"path/filepath"

	"gestor.local/contract"
)

// figures fills what a container's own cgroup says. It is false when the cgroup is gone or was not found: then there is
// no row to make.
func (r *Reader) figures(c *container) bool {
	c.row.Runtime = c.runtime
	if r.cgroups.version == 2 {
		return r.figuresV2(c.dirs[v2], &c.row)
	}
	return r.figuresV1(c.dirs, &c.row)
}

// figuresV2 reads the files of kernel.org/doc/html/latest/admin-guide/cgroup-v2.html. A controller that is not enabled
// for the container has no files: its figures are absent. cpu.stat is always there.
func (r *Reader) figuresV2(dir string, c *contract.Container) bool {
	if dir == "" {
		return false
	}
	stat, err := r.files.Read(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return false
	}
	var user, system uint64
	found := false
	keyed(stat, func(key string, n uint64) {
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
	r.memoryV2(dir, c)
	if events, err := r.files.Read(filepath.Join(dir, "cgroup.events")); err == nil {
		keyed(events, func(key string, n uint64) {
			if key == "frozen" {
				frozen := n == 1
				c.Frozen = &frozen
			}
		})
	}
	return true
}

func (r *Reader) memoryV2(dir string, c *contract.Container) {
	current, ok := r.files.number(filepath.Join(dir, "memory.current"))
	if !ok {
		return
	}
	c.MemoryKB = kb(current)
	if stat, err := r.files.Read(filepath.Join(dir, "memory.stat")); err == nil {
		keyed(stat, func(key string, n uint64) {
			if key == "inactive_file" {
				c.WorkingSetKB = kb(current - min(n, current))
			}
		})
	}
	c.MemoryMaxKB = r.limitV2(dir)
	c.MemoryPeakKB = r.optionalKB(filepath.Join(dir, "memory.peak")) // since Linux 5.19
	c.SwapKB = r.optionalKB(filepath.Join(dir, "memory.swap.current"))
	if events, err := r.files.Read(filepath.Join(dir, "memory.events")); err == nil {
		keyed(events, func(key string, n uint64) {
			if key == "oom_kill" {
				c.OOMKills = &n
			}
		})
	}
}

// limitV2 is the smallest limit on the way up: an orchestrator may limit the slice and not the container.
func (r *Reader) limitV2(dir string) (least *uint64) {
	for root := r.cgroups.roots[v2]; len(dir) > len(root); dir = filepath.Dir(dir) {
		if limit := r.optionalKB(filepath.Join(dir, "memory.max")); limit != nil && (least == nil || *limit < *least) {
			least = limit
		}
	}
	return least
}

// figuresV1 reads the files of kernel.org/doc/html/latest/admin-guide/cgroup-v1/{cpuacct,memory,freezer-subsystem}.html.
func (r *Reader) figuresV1(dirs map[string]string, c *contract.Container) bool {
	for _, tree := range []string{v1CPU, v1Memory} {
		if r.cgroups.has(tree) && !isDir(dirs[tree]) {
			return false
		}
	}
	if dir := dirs[v1CPU]; dir != "" {
		ns, ok := r.files.number(filepath.Join(dir, "cpuacct.usage"))
		if !ok {
			return false
		}
		c.CPUUS = ns / 1000
		c.CPUUserUS = r.optional(filepath.Join(dir, "cpuacct.usage_user"), 1000)
		c.CPUSystemUS = r.optional(filepath.Join(dir, "cpuacct.usage_sys"), 1000)
		c.CgroupID = inode(dir)
	}
	if dir := dirs[v1Memory]; dir != "" {
		c.CgroupID = inode(dir) // the one the module names
		r.memoryV1(dir, c)
	}
	if dir := dirs[v1Freezer]; dir != "" {
		r.freezerV1(dir, c)
	}
	return true
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (r *Reader) memoryV1(dir string, c *contract.Container) {
	current, ok := r.files.number(filepath.Join(dir, "memory.usage_in_bytes"))
	if !ok {
		return
	}
	c.MemoryKB = kb(current)
	if stat, err := r.files.Read(filepath.Join(dir, "memory.stat")); err == nil {
		keyed(stat, func(key string, n uint64) {
			switch key {
			case "total_inactive_file":
				c.WorkingSetKB = kb(current - min(n, current))
			case "total_swap": // only where swap is accounted
				c.SwapKB = kb(n)
			case "hierarchical_memory_limit":
				if n < unlimitedV1 {
					c.MemoryMaxKB = kb(n)
				}
			}
		})
	}
	c.MemoryPeakKB = r.optionalKB(filepath.Join(dir, "memory.max_usage_in_bytes"))
	if oom, err := r.files.Read(filepath.Join(dir, "memory.oom_control")); err == nil {
		keyed(oom, func(key string, n uint64) {
			if key == "oom_kill" { // since Linux 4.13
				c.OOMKills = &n
			}
		})
	}
}

// unlimitedV1 is below what the v1 files show where there is no limit: the largest number of bytes, rounded to a page
// (9223372036854771712 with pages of 4 KiB, less with larger ones).
const unlimitedV1 = 1 << 62

func (r *Reader) freezerV1(dir string, c *contract.Container) {
	state, err := r.files.Read(filepath.Join(dir, "freezer.state"))
	if err != nil {
		return
	}
	frozen := string(state) == "FROZEN\n"
	c.Frozen = &frozen
}

// optional reads a number that not every kernel has, in units of unit.
func (r *Reader) optional(path string, unit uint64) *uint64 {
	n, ok := r.files.number(path)
	if !ok {
		return nil
	}
	n /= unit
	return &n
}

func (r *Reader) optionalKB(path string) *uint64 { return r.optional(path, 1024) }

func kb(bytes uint64) *uint64 {
	n := bytes / 1024
	return &n
}
