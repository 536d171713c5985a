package hostproc

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
)

// host is what does not change while this process runs.
type host struct {
	kernel, bootID string
}

func (r *Reader) readHost() (h host, err error) {
	if h.bootID, err = r.line("sys/kernel/random/boot_id"); err != nil {
		return h, err
	}
	h.kernel, err = r.line("sys/kernel/osrelease")
	return h, err
}

// line reads a file of one line below proc.
func (r *Reader) line(name string) (string, error) {
	b, err := r.files.Read(filepath.Join(r.opts.Proc, name))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// cpus counts the online CPUs: the lines cpu0, cpu1 … of proc(5) stat. The process's own count would be that of its CPU
// set, and CPUs come and go.
func (r *Reader) cpus() (n int, err error) {
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

// memory reads proc(5) meminfo.
func (r *Reader) memory() (contract.Memory, error) {
	m, err := r.fs.Meminfo()
	if err != nil {
		return contract.Memory{}, err
	}
	if m.MemTotal == nil || m.MemFree == nil || m.MemAvailable == nil {
		return contract.Memory{}, errors.New("meminfo: MemTotal, MemFree or MemAvailable is missing (Linux 3.14 or later is needed)")
	}
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
