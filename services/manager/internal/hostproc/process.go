package hostproc

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
	"gestor.local/manager/internal/scrub"
)

// tickUS is one tick of the times in /proc/PID/stat: USER_HZ is 100 on every Linux that Go supports.
const tickUS = 10_000

// process reads one process: proc(5) pid/stat, pid/status for the PID in its own namespace, pid/cmdline when asked for.
// reapedUS is the CPU time of the children it has waited for.
func (r *Reader) process(p procfs.Proc, snap *contract.Snapshot) (row contract.Process, reapedUS uint64, err error) {
	stat, err := p.Stat()
	r.files.Syscalls += 4
	if err != nil {
		return row, 0, err
	}
	row = contract.Process{
		PID: p.PID, PPID: stat.PPID, Name: validUTF8(stat.Comm), State: stat.State, Threads: stat.NumThreads,
		StartUS: stat.Starttime * tickUS, CPUUS: uint64(stat.UTime+stat.STime) * tickUS,
		VSZKB: uint64(stat.VSize) / 1024, RSSKB: uint64(max(stat.RSS, 0)) * uint64(snap.PageSize) / 1024,
	}
	row.MemoryPermille = row.RSSKB * 1000 / snap.Memory.TotalKB
	if age := snap.MonotonicUS - min(row.StartUS, snap.MonotonicUS); age > 0 {
		row.CPUPermille = row.CPUUS * 1000 / age
	}
	if row.NSPID, err = r.nspid(p.PID); err == nil && r.opts.CmdlineMax > 0 {
		row.Cmdline, err = r.cmdline(p)
	}
	return row, uint64(stat.CUTime+stat.CSTime) * tickUS, err
}

// nspid reads the last number of the line NSpid, the PID in the innermost namespace; 0 on kernels without it (< 4.1).
func (r *Reader) nspid(pid int) (int, error) {
	b, err := r.files.Read(filepath.Join(r.opts.Proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	const key = "\nNSpid:"
	at := bytes.Index(b, []byte(key))
	if at < 0 {
		return 0, nil
	}
	line, _, _ := bytes.Cut(b[at+len(key):], []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return 0, nil
	}
	n, _ := parseNumber(fields[len(fields)-1])
	return int(n), nil
}

// cmdline reads the arguments, joined by spaces, without secrets, of at most CmdlineMax bytes.
func (r *Reader) cmdline(p procfs.Proc) (string, error) {
	args, err := p.CmdLine()
	r.files.Syscalls += 4
	if err != nil {
		return "", err
	}
	for i := range args {
		args[i] = validUTF8(args[i])
	}
	return clip(strings.Join(scrub.Args(args), " "), r.opts.CmdlineMax), nil
}

// validUTF8 makes each byte that is not part of a valid sequence a U+FFFD, as the module does. A process name is any 15
// bytes, and a name that is cut there may end inside a character.
func validUTF8(s string) string { return string([]rune(s)) }

// clip cuts to at most n bytes, never inside a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
