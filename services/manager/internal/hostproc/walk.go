package hostproc

import (
	"context"
	"fmt"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
)

// walk gathers the processes of one reading by container.
type walk struct {
	reader *Reader
	snap   *contract.Snapshot
	found  map[string]*container // by id
}

// container is a row in the making.
type container struct {
	identity
	row contract.Container
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
	i, ok := w.reader.self.identify(cgroups)
	if !ok {
		return nil
	}
	row, reapedUS, err := w.reader.process(p, w.snap)
	if err != nil {
		return err
	}
	c := w.found[i.id]
	if c == nil {
		c = &container{identity: i, row: contract.Container{ID: i.id, StartUS: row.StartUS}}
		w.found[i.id] = c
	}
	c.add(row)
	c.row.CPUUS += row.CPUUS + reapedUS // replaced where the cgroup has a counter of its own
	return nil
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
	for _, c := range w.found {
		if w.reader.figures(c.identity, &c.row) {
			rows = append(rows, c.row)
			continue
		}
		w.reader.cost.Unlocated++
		w.reader.cgroups.drop(c.id) // it may come back elsewhere
	}
	for _, tree := range w.reader.cgroups.trees {
		tree.forget(w.found)
	}
	return rows
}
