package hostproc

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
)

// walk gathers the processes of one reading by container.
type walk struct {
	reader *Reader
	snap   *contract.Snapshot
	found  map[place]*container
	// unlocated are the ids of containers whose cgroup was not found; searched says that the trees were looked through.
	unlocated map[string]bool
	searched  bool
}

// place tells a cgroup from any other: two of them may carry the same id.
type place struct {
	legacy bool // in a v1 hierarchy
	path   string
}

// container is a row in the making.
type container struct {
	identity
	place
	row  contract.Container
	tree string            // the hierarchy that named it
	dirs map[string]string // by hierarchy that holds figures
}

// processes reads every process of the host. The cgroup file tells whether it belongs to a container; only then is the
// rest read.
func (w *walk) processes(ctx context.Context) error {
	procs, err := w.reader.fs.AllProcs()
	if err != nil {
		return err
	}
	w.reader.files.Syscalls += 4 // open, two getdents at least, close
	for _, p := range procs {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.snap.Self.TasksSeen++
		switch err := w.process(p); {
		case err == nil:
		case vanished(err):
			w.reader.cost.Vanished++
		default:
			return fmt.Errorf("process %d: %w (is /proc mounted with hidepid?)", p.PID, err)
		}
	}
	return nil
}

// process adds one process to its container.
func (w *walk) process(p procfs.Proc) error {
	cgroups, err := p.Cgroups()
	w.reader.files.Syscalls += 4 // open, read, read of the end, close
	if err != nil {
		return err
	}
	i, tree, ok := w.identify(cgroups)
	if !ok {
		return nil
	}
	row, reapedUS, err := w.reader.process(p, w.snap)
	if err != nil {
		return err
	}
	at := place{legacy: tree != v2, path: i.path}
	c := w.found[at]
	if c == nil {
		c = &container{identity: i, place: at, tree: tree, dirs: w.dirs(i.id, cgroups), row: contract.Container{ID: i.id, StartUS: row.StartUS}}
		w.found[at] = c
	}
	c.add(row)
	c.row.CPUUS += row.CPUUS + reapedUS // replaced where the cgroup has a counter of its own
	return nil
}

// identify finds the container of a process, this process's own included, and the hierarchy that names it.
func (w *walk) identify(cgroups []procfs.Cgroup) (identity, string, bool) {
	lines, trees := naming(cgroups)
	for n, tree := range trees {
		if i, ok := w.locate(lines[n]); ok {
			return i, tree, true
		}
	}
	return identity{}, "", false
}

// locate finds the container in a path of /proc. Where the path's beginning is not known it is searched for, once in a
// reading: what is found for one path holds for the others.
func (w *walk) locate(c procfs.Cgroup) (identity, bool) {
	self := &w.reader.self
	path, unknown := self.whole(c)
	i, ok := identify(path)
	if unknown == 0 {
		return i, ok
	}

	if !ok && self.id != "" && !strings.HasPrefix(c.Path, "/..") { // below this process's own cgroup
		i = identity{id: self.id}
	}
	if i.id == "" {
		return identity{}, false
	}

	if !w.searched && ok {
		w.searched = true
		whole, found := w.reader.cgroups.search(func(o identity) bool {
			return o.id == i.id && o.level == unknown+i.level && strings.HasSuffix(o.path, i.path)
		})
		if found {
			self.learn(whole.path, i.path)
			w.searched = false
			return w.locate(c)
		}
	}

	w.unlocated[i.id] = true
	return identity{}, false
}

// dirs are the container's directories in the hierarchies that hold figures.
func (w *walk) dirs(id string, cgroups []procfs.Cgroup) map[string]string {
	h := w.reader.cgroups
	dirs := make(map[string]string, 3)
	for _, tree := range h.figureTrees() {
		c, ok := lineOf(cgroups, tree)
		if !ok {
			continue
		}
		if i, ok := w.locate(c); ok && i.id == id {
			dirs[tree] = h.roots[tree] + i.path
		}
	}
	return dirs
}

func (c *container) add(p contract.Process) {
	c.row.Processes = append(c.row.Processes, p)
	c.row.ProcessCount++
	c.row.ThreadCount += p.Threads
	c.row.RSSKB += p.RSSKB
	c.row.VSZKB += p.VSZKB
	c.row.StartUS = min(c.row.StartUS, p.StartUS)
}

// containers completes the rows with the cgroups' own figures.
func (w *walk) containers() []contract.Container {
	rows := make([]contract.Container, 0, len(w.found))
	for _, c := range w.one() {
		if w.reader.figures(c) {
			rows = append(rows, c.row)
			continue
		}
		w.unlocated[c.id] = true
	}
	w.reader.cost.Unlocated = len(w.unlocated)
	return rows
}

// one keeps one cgroup for each id. A cgroup is a directory, and whoever was given one can make another in it that is named
// like somebody's container.
func (w *walk) one() map[string]*container {
	kept := make(map[string]*container, len(w.found))
	for _, c := range w.found {
		if other := kept[c.id]; other == nil || c.before(other, w.reader.cgroups) {
			kept[c.id] = c
		}
	}
	return kept
}

// before is identity.before for cgroups of any hierarchies: v2 before v1 where neither place nor depth decides.
func (c *container) before(other *container, h hierarchies) bool {
	if c.legacy != other.legacy && c.order(other.identity) == 0 {
		return other.legacy
	}
	return c.identity.before(other.identity, h.roots[c.tree])
}
