package hostproc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/pseudofile"
)

// host is what does not change while this process runs.
type host struct {
	kernel, bootID string
}

func (r *Reader) readHost() (h host, err error) {
	if h.bootID, err = r.readLine("sys/kernel/random/boot_id"); err != nil {
		return h, err
	}
	h.kernel, err = r.readLine("sys/kernel/osrelease")
	return h, err
}

// readLine reads a file of one line below proc.
func (r *Reader) readLine(name string) (string, error) {
	b, err := r.files.Read(filepath.Join(r.opts.Proc, name))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// onlineCPUs counts the online CPUs: the lines cpu0, cpu1 … of proc(5) stat. The process's own count would be that of
// its CPU set, and CPUs come and go.
func (r *Reader) onlineCPUs() (n int, err error) {
	b, err := r.files.Read(filepath.Join(r.opts.Proc, "stat"))
	if err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	for line := range bytes.Lines(b) {
		if !bytes.HasPrefix(line, []byte("cpu")) {
			break // they stand first
		}
		n++
	}

	if n--; n < 1 { // the first line is their sum
		return 0, errors.New("no CPU in stat")
	}
	return n, nil
}

// readMeminfo reads proc(5) meminfo.
func (r *Reader) readMeminfo() (contract.Memory, error) {
	m, err := r.fs.Meminfo()
	if err != nil {
		return contract.Memory{}, err
	}
	if m.MemTotal == nil || m.MemFree == nil || m.MemAvailable == nil {
		return contract.Memory{}, errors.New("meminfo: MemTotal, MemFree or MemAvailable is missing (Linux 3.14 or later is needed)")
	}

	// MemAvailable is an estimate of the kernel's and may pass the total.
	available := min(*m.MemAvailable, *m.MemTotal)
	memory := contract.Memory{
		TotalKB: *m.MemTotal, FreeKB: *m.MemFree, AvailableKB: available, UsedKB: *m.MemTotal - available,
		SwapTotalKB: m.SwapTotal, SwapFreeKB: m.SwapFree,
	}

	if m.Shmem != nil {
		memory.SharedKB = *m.Shmem
	}

	if m.Cached != nil && m.Buffers != nil {
		cached := *m.Cached + *m.Buffers
		memory.CachedKB = &cached
	}
	return memory, nil
}

// kernelClock reads both clocks. CLOCK_BOOTTIME is the clock of the start times in /proc/PID/stat and of /proc/uptime:
// all three are shifted alike in a time namespace, so that ages are right in any.
func kernelClock() (monotonicUS, realtimeUS uint64) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, 0 // not on any Linux that Go supports; a snapshot without a time is refused
	}
	return uint64(now.Nano()) / 1000, uint64(time.Now().UnixMicro())
}

// inode is the kernfs id of a cgroup, by which the module names it too; 0 when it is gone.
func inode(dir string) uint64 {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0
	}
	return st.Ino
}

// fileLimit is far above any file that is read here (memory.stat of a host with many NUMA nodes has some 10 kB).
const fileLimit = 256 << 10

// files reads the small files that procfs has no parser for.
type files struct{ *pseudofile.Reader }

func newFiles() files { return files{pseudofile.New(4096, fileLimit)} }

// readNumber reads a file that holds one number. ok is false where there is none: the file does not exist on this
// kernel, or says "max".
func (f files) readNumber(path string) (n uint64, ok bool) {
	b, err := f.Read(path)
	if err != nil {
		return 0, false
	}
	return parseNumber(bytes.TrimSpace(b))
}

func parseNumber(b []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil
}

// parseFlatKeyed calls visit for each line "key value" of a flat keyed file.
func parseFlatKeyed(b []byte, visit func(key string, value uint64)) {
	for line := range bytes.Lines(b) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if n, ok := parseNumber(value); ok {
			visit(string(key), n)
		}
	}
}

// vanished reports whether the error only says that a process or cgroup ended meanwhile.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV)
}
