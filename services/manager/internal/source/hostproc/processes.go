package hostproc

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
	"gestor.local/manager/internal/scrub"
)

// snapshotBuilder gathers the processes of one reading by container.
type snapshotBuilder struct {
	reader *Reader
	snap   *contract.Snapshot
	rows   map[cgroupKey]*container
	// unlocated are the ids of containers whose cgroup was not found; searched says that the hierarchies were searched.
	unlocated map[string]bool
	searched  bool
}

// cgroupKey identifies a cgroup: two of them may carry the same id.
type cgroupKey struct {
	v1   bool // in a v1 hierarchy
	path string
}

// container is a row in the making.
type container struct {
	identity
	cgroupKey
	row       contract.Container
	hierarchy string            // that named it
	dirs      map[string]string // by hierarchy with accounting files
}

// readProcesses reads every process of the host. The cgroup file says whether it belongs to a container; only then is
// the rest read.
func (b *snapshotBuilder) readProcesses(ctx context.Context) error {
	procs, err := b.reader.fs.AllProcs()
	if err != nil {
		return err
	}
	b.reader.files.Syscalls += 4 // open, two getdents at least, close

	for _, p := range procs {
		if err := ctx.Err(); err != nil {
			return err
		}

		b.snap.Self.TasksSeen++
		switch err := b.addProcess(p); {
		case err == nil:
		case vanished(err):
			b.reader.cost.Vanished++
		default:
			return fmt.Errorf("process %d: %w (is /proc mounted with hidepid?)", p.PID, err)
		}
	}
	return nil
}

// addProcess adds one process to its container.
func (b *snapshotBuilder) addProcess(p procfs.Proc) error {
	cgroups, err := p.Cgroups()
	b.reader.files.Syscalls += 4 // open, read, read of the end, close
	if err != nil {
		return err
	}

	i, hierarchy, ok := b.identify(cgroups)
	if !ok {
		return nil
	}
	row, reapedUS, err := b.reader.readProcess(p, b.snap)
	if err != nil {
		return err
	}

	key := cgroupKey{v1: hierarchy != v2, path: i.path}
	c := b.rows[key]
	if c == nil {
		c = &container{identity: i, cgroupKey: key, hierarchy: hierarchy, dirs: b.accountingDirs(i.id, cgroups), row: contract.Container{ID: i.id, StartUS: row.StartUS}}
		b.rows[key] = c
	}
	c.addProcess(row)

	// The CPU time counts with that of the children it has waited for, which no other process carries.
	c.row.CPUUS += row.CPUUS + reapedUS // replaced where the cgroup has a counter of its own
	return nil
}

// identify finds the container of a process, this process's own included, and the hierarchy that names it.
func (b *snapshotBuilder) identify(cgroups []procfs.Cgroup) (identity, string, bool) {
	lines, hierarchies := namingLines(cgroups)
	for n, hierarchy := range hierarchies {
		if i, ok := b.locate(lines[n]); ok {
			return i, hierarchy, true
		}
	}
	return identity{}, "", false
}

// locate finds the container in a path of /proc. Where the path's beginning is not known it is searched for, once in a
// reading: what is found for one path holds for the others.
func (b *snapshotBuilder) locate(c procfs.Cgroup) (identity, bool) {
	self := &b.reader.self
	path, unknown := self.absolute(c)
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

	// The search walks whole hierarchies. It is not made again in this reading, unless it found something: then the
	// prefix is longer, and another path may need the rest of it.
	if !b.searched && ok {
		b.searched = true
		whole, found := b.reader.cgroups.search(func(o identity) bool {
			return o.id == i.id && o.level == unknown+i.level && strings.HasSuffix(o.path, i.path)
		})
		if found {
			self.extendPrefix(whole.path, i.path)
			b.searched = false
			return b.locate(c)
		}
	}

	b.unlocated[i.id] = true
	return identity{}, false
}

// accountingDirs are the container's directories in the hierarchies with accounting files.
func (b *snapshotBuilder) accountingDirs(id string, cgroups []procfs.Cgroup) map[string]string {
	h := b.reader.cgroups
	dirs := make(map[string]string, 3)
	for _, name := range h.accounting() {
		c, ok := cgroupLine(cgroups, name)
		if !ok {
			continue
		}

		// A process may be in another group of each v1 hierarchy: only one of the same container is its directory
		// there.
		if i, ok := b.locate(c); ok && i.id == id {
			dirs[name] = h.roots[name] + i.path
		}
	}
	return dirs
}

func (c *container) addProcess(p contract.Process) {
	c.row.Processes = append(c.row.Processes, p)
	c.row.ProcessCount++
	c.row.ThreadCount += p.Threads
	c.row.RSSKB += p.RSSKB
	c.row.VSZKB += p.VSZKB
	c.row.StartUS = min(c.row.StartUS, p.StartUS)
}

// finish completes the rows with the cgroups' own accounting, and returns them.
func (b *snapshotBuilder) finish() []contract.Container {
	rows := make([]contract.Container, 0, len(b.rows))
	for _, c := range b.onePerID() {
		if b.reader.readCgroup(c) {
			rows = append(rows, c.row)
			continue
		}
		b.unlocated[c.id] = true
	}
	b.reader.cost.Unlocated = len(b.unlocated)
	return rows
}

// onePerID keeps one cgroup for each id. A cgroup is a directory, and whoever was given one can make another in it that
// is named like somebody's container.
func (b *snapshotBuilder) onePerID() map[string]*container {
	kept := make(map[string]*container, len(b.rows))
	for _, c := range b.rows {
		if other := kept[c.id]; other == nil || c.less(other, b.reader.cgroups) {
			kept[c.id] = c
		}
	}
	return kept
}

// less is identity.less for cgroups of any hierarchies: v2 before v1 where neither place nor depth decides.
func (c *container) less(other *container, h hierarchies) bool {
	if c.v1 != other.v1 && c.compare(other.identity) == 0 {
		return other.v1
	}
	return c.identity.less(other.identity, h.roots[c.hierarchy])
}

// tickUS is one tick of the times in /proc/PID/stat: USER_HZ is 100 on every Linux that Go supports.
const tickUS = 10_000

// readProcess reads one process: proc(5) pid/stat, pid/status for its RSS and the PID in its own namespace, pid/cmdline
// when asked for. reapedUS is the CPU time of the children it has waited for.
//
// RSS is not taken from stat: there it is what the kernel has at hand without what each CPU has counted since
// (get_mm_counter in include/linux/mm.h), a fifth less for a small process. VmRSS of status is the number that is the
// second field of statm; newer kernels sum it up in full (get_mm_counter_sum; task_mem and task_statm in
// fs/proc/task_mmu.c). Status is read anyway.
func (r *Reader) readProcess(p procfs.Proc, snap *contract.Snapshot) (row contract.Process, reapedUS uint64, err error) {
	stat, err := p.Stat()
	r.files.Syscalls += 4
	if err != nil {
		return row, 0, err
	}

	row = contract.Process{
		PID: p.PID, PPID: stat.PPID, Name: validUTF8(stat.Comm), State: stat.State, Threads: stat.NumThreads,
		StartUS: stat.Starttime * tickUS, CPUUS: uint64(stat.UTime+stat.STime) * tickUS,
		VSZKB: uint64(stat.VSize) / 1024,
	}
	if row.NSPID, row.RSSKB, err = r.readStatus(p.PID); err != nil {
		return row, 0, err
	}

	row.MemoryPermille = row.RSSKB * 1000 / snap.Memory.TotalKB
	if age := snap.MonotonicUS - min(row.StartUS, snap.MonotonicUS); age > 0 {
		row.CPUPermille = row.CPUUS * 1000 / age
	}

	if r.opts.CmdlineMax > 0 {
		row.Cmdline, err = r.readCmdline(p)
	}
	return row, uint64(stat.CUTime+stat.CSTime) * tickUS, err
}

// readStatus reads two lines of the file status: the last number of NSpid, the PID in the innermost namespace, 0 on
// kernels without it (< 4.1); and VmRSS, which a process that has ended and waits for its parent has no more.
func (r *Reader) readStatus(pid int) (nspid int, rssKB uint64, err error) {
	b, err := r.files.Read(filepath.Join(r.opts.Proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, 0, err
	}
	if ids := statusFields(b, "NSpid"); len(ids) > 0 {
		n, _ := parseNumber(ids[len(ids)-1])
		nspid = int(n)
	}

	if size := statusFields(b, "VmRSS"); len(size) > 0 {
		rssKB, _ = parseNumber(size[0])
	}
	return nspid, rssKB, nil
}

// statusFields are the words of one line of a file status, nil when it is not there. The name of the process, which is
// the first line, cannot pass for another: its newlines are escaped.
func statusFields(b []byte, key string) [][]byte {
	_, rest, ok := bytes.Cut(b, []byte("\n"+key+":"))
	if !ok {
		return nil
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return bytes.Fields(line)
}

// readCmdline reads the arguments, joined by spaces, without secrets, of at most CmdlineMax bytes.
func (r *Reader) readCmdline(p procfs.Proc) (string, error) {
	args, err := p.CmdLine()
	r.files.Syscalls += 4
	if err != nil {
		return "", err
	}

	for i := range args {
		args[i] = validUTF8(args[i])
	}

	// Secrets are replaced before the text is cut: half of one would not be recognised.
	return truncate(strings.Join(scrub.Args(args), " "), r.opts.CmdlineMax), nil
}

// validUTF8 makes each byte that is not part of a valid sequence a U+FFFD, as the module does. A process name is any 15
// bytes, and a name that is cut there may end inside a character.
func validUTF8(s string) string { return string([]rune(s)) }

// truncate cuts to at most n bytes, never inside a character.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
