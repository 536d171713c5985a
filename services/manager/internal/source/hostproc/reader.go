// Package hostproc gives the document of the kernel module without the module: from /proc and the cgroup files of a
// host with cgroup v1 (also hybrid) or v2. It needs no privilege: every file it reads is world-readable (smaps_rollup
// and io, which are not, are left out).
//
// Differences from the module's document, by nature: RSS is what the kernel says in status, which is exact on some
// kernels only (so capabilities.exact_rss is false), process times are in ticks of 10 ms, the walk is not one instant
// but takes self.walk_us.
package hostproc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
)

// Options configure a Reader.
type Options struct {
	// Proc and Cgroup are the host's /proc and /sys/fs/cgroup as this process sees them.
	Proc, Cgroup string
	// CmdlineMax is how many bytes of each command line are kept, after secrets were taken out; 0 leaves them out.
	CmdlineMax int
	// Clock and Mounts are for tests with captured files; nil is the kernel's clocks and this process's mounts.
	Clock  func() (monotonicUS, realtimeUS uint64)
	Mounts func() ([]*procfs.MountInfo, error)
}

// Cost is what one Read took.
type Cost struct {
	Read     time.Duration
	Bytes    int
	Syscalls int
	// Vanished counts processes that ended while they were read, Unlocated containers whose cgroup was not found: they
	// are not in the snapshot.
	Vanished, Unlocated int
}

// Reader makes snapshots. It is not safe for concurrent use.
type Reader struct {
	opts     Options
	fs       procfs.FS
	host     host
	self     self
	cgroups  hierarchies
	instance string
	sequence uint64
	files    files
	cost     Cost // of the reading that is under way
}

// New finds out the host's layout. It fails when there is no proc file system or no cgroup hierarchy below the roots.
func New(o Options) (*Reader, error) {
	if o.Clock == nil {
		o.Clock = kernelClock
	}
	if o.Mounts == nil {
		o.Mounts = procfs.GetMounts
	}

	fs, err := procfs.NewFS(o.Proc)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w (mount the host's /proc and set GESTOR_PROC)", err)
	}
	r := &Reader{opts: o, fs: fs, instance: newInstance(), files: newFiles()}

	if r.host, err = r.readHost(); err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	// Hierarchies first: this process's own container is searched for in them.
	if r.cgroups, err = findHierarchies(o.Cgroup); err != nil {
		return nil, err
	}
	if r.self, err = findSelf(fs, o.Mounts, r.cgroups); err != nil {
		return nil, fmt.Errorf("read process 1: %w (mount the host's /proc, without hidepid)", err)
	}
	return r, nil
}

// newInstance draws the number that distinguishes this reader's sequence from any other's.
func newInstance() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, see its documentation
	return hex.EncodeToString(b[:])
}

// Read takes one snapshot. Processes and containers that end meanwhile are left out; that is no error.
func (r *Reader) Read(ctx context.Context) (*contract.Snapshot, Cost, error) {
	start := time.Now()
	r.cost, r.files.Syscalls, r.files.Bytes = Cost{}, 0, 0
	snap, err := r.read(ctx)
	r.cost.Read, r.cost.Syscalls, r.cost.Bytes = time.Since(start), r.files.Syscalls, r.files.Bytes
	if err != nil {
		return nil, r.cost, fmt.Errorf("read %s: %w", r.opts.Proc, err)
	}

	snap.Self.WalkUS = uint64(r.cost.Read.Microseconds())
	return snap, r.cost, nil
}

func (r *Reader) read(ctx context.Context) (*contract.Snapshot, error) {
	// The header's time and memory come before the walk, as in the module's document: ages are counted from that
	// moment.
	monotonicUS, realtimeUS := r.opts.Clock()
	memory, err := r.readMeminfo()
	if err != nil {
		return nil, err
	}
	cpus, err := r.onlineCPUs()
	if err != nil {
		return nil, err
	}

	r.sequence++
	snap := &contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceProcfs, Kernel: r.host.kernel,
		Instance: r.instance, BootID: r.host.bootID, Sequence: r.sequence,
		MonotonicUS: monotonicUS, RealtimeUS: realtimeUS, CPUs: cpus, PageSize: os.Getpagesize(),
		Capabilities: contract.Capabilities{Cgroup: r.cgroups.version, CPUSource: r.cgroups.cpuSource()},
		Memory:       memory, End: true,
	}

	b := snapshotBuilder{reader: r, snap: snap, rows: map[cgroupKey]*container{}, unlocated: map[string]bool{}}
	if err := b.readProcesses(ctx); err != nil {
		return nil, err
	}
	snap.Containers = b.finish()

	slices.SortFunc(snap.Containers, func(a, b contract.Container) int { return strings.Compare(a.ID, b.ID) })
	snap.ContainerTotal = len(snap.Containers)
	for i := range snap.Containers {
		snap.ProcessTotal += len(snap.Containers[i].Processes)
	}
	return snap, nil
}
