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

// process reads one process: proc(5) pid/stat, pid/status for its RSS and the PID in its own namespace, pid/cmdline when
// asked for. reapedUS is the CPU time of the children it has waited for.
//
// RSS is not taken from stat: there it is what the kernel has at hand without what each CPU has counted since (get_mm_counter
// in include/linux/mm.h), a fifth less for a small process. VmRSS of status is the number that is the second field of statm;
// newer kernels sum it up in full (get_mm_counter_sum; task_mem and task_statm in fs/proc/task_mmu.c). Status is read anyway.
func (r *Reader) process(p procfs.Proc, snap *contract.Snapshot) (row contract.Process, reapedUS uint64, err error) {
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
	if row.NSPID, row.RSSKB, err = r.status(p.PID); err != nil {
		return row, 0, err
	}
	row.MemoryPermille = row.RSSKB * 1000 / snap.Memory.TotalKB
	if age := snap.MonotonicUS - min(row.StartUS, snap.MonotonicUS); age > 0 {
		row.CPUPermille = row.CPUUS * 1000 / age
	}
	if r.opts.CmdlineMax > 0 {
		row.Cmdline, err = r.cmdline(p)
	}
	return row, uint64(stat.CUTime+stat.CSTime) * tickUS, err
}

// status reads two lines of the file status: the last number of NSpid, the PID in the innermost namespace, 0 on kernels
// without it (< 4.1); and VmRSS, which a process that has ended and waits for its parent has no more.
func (r *Reader) status(pid int) (nspid int, rssKB uint64, err error) {
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

// statusFields are the words of one line of a file status, nil when it is not there. The name of the process, which is the
// first line, cannot pass for another: its newlines are escaped.
func statusFields(b []byte, key string) [][]byte {
	_, rest, ok := bytes.Cut(b, []byte("\n"+key+":"))
	if !ok {
		return nil
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return bytes.Fields(line)
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
