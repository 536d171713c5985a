package contract

// SnapshotVersion is the version of the snapshot document this package reads and writes.
const SnapshotVersion = 1

// Sources of a snapshot.
const (
	SourceModule = "module" // the kernel module's proc file
	SourceProcfs = "procfs" // /proc and the cgroup files, read by the manager itself
)

// CPU sources of a container's cpu_us.
const (
	CPUSourceCgroup = "cgroup" // the cgroup's own counter: keeps the time of exited processes
	CPUSourceTasks  = "tasks"  // sum over the live processes: loses the time of exited ones
)

// Snapshot is one complete reading of a host: memory, and every container with its processes.
//
// Counters are cumulative, sizes are in KiB (suffix _kb), times in microseconds (suffix _us: nanoseconds leave the
// range that JSON readers keep exactly, 2^53, after 104 days). A field that could not be had is absent (nil), never zero.
// The document spans Self.WalkUS; each process row and each container's own counters are of one instant.
type Snapshot struct {
	Version int    `json:"version"`
	Source  string `json:"source"`
	// Module is the kernel module's version; Kernel the release of the kernel that was read (uname -r).
	Module string `json:"module,omitempty"`
	Kernel string `json:"kernel,omitempty"`
	// Instance changes whenever Sequence starts again: 16 hex digits drawn when the module is loaded (or the reader is
	// made). BootID is /proc/sys/kernel/random/boot_id; the module cannot read it and leaves it to the reader.
	Instance string `json:"instance"`
	BootID   string `json:"boot_id,omitempty"`
	// Sequence numbers the walks of one Instance from 1; two readers that shared a walk see the same number.
	Sequence uint64 `json:"sequence"`
	// MonotonicUS is CLOCK_BOOTTIME at the start of the walk: start_us of every row is on this clock. RealtimeUS is the
	// wall clock at the same moment (Unix epoch), only ever written down, never used to decide.
	MonotonicUS  uint64       `json:"monotonic_us"`
	RealtimeUS   uint64       `json:"realtime_us"`
	CPUs         int          `json:"cpus"`
	PageSize     int          `json:"page_size"`
	Capabilities Capabilities `json:"capabilities"`
	Self         Self         `json:"self"`
	Memory       Memory       `json:"memory"`
	Containers   []Container  `json:"containers"`
	// The trailer. ContainerTotal and ProcessTotal count what was seen, also past a limit; Truncated says that rows
	// are missing. End is true in every complete document: without it the text is not a snapshot.
	ContainerTotal int  `json:"container_total"`
	ProcessTotal   int  `json:"process_total"`
	Truncated      bool `json:"truncated"`
	End            bool `json:"end"`
}

// Capabilities says what this source on this kernel can tell.
type Capabilities struct {
	Cgroup    int    `json:"cgroup"`     // 1 or 2: the hierarchy containers were found in
	CPUSource string `json:"cpu_source"` // CPUSourceCgroup or CPUSourceTasks
	IO        bool   `json:"io"`         // process rows carry I/O counters
	PSI       bool   `json:"psi"`        // pressure totals are present
	ExactRSS  bool   `json:"exact_rss"`  // rss_kb is summed over per-CPU or per-thread caches
}

// Self is what the reading cost.
type Self struct {
	WalkUS       uint64  `json:"walk_us"`
	TasksSeen    uint64  `json:"tasks_seen"`               // processes (thread groups) looked at, containers or not
	Batches      uint64  `json:"batches,omitempty"`        // module: RCU read sections of the walk
	LongestRCUUS *uint64 `json:"longest_rcu_us,omitempty"` // module: the longest of them
}

// Memory is the host's memory in KiB, as /proc/meminfo names it. UsedKB is TotalKB - AvailableKB.
type Memory struct {
	TotalKB     uint64 `json:"total_kb"`
	FreeKB      uint64 `json:"free_kb"`
	AvailableKB uint64 `json:"available_kb"`
	UsedKB      uint64 `json:"used_kb"`
	SharedKB    uint64 `json:"shared_kb"`
	// CachedKB is page cache and buffers where the source can tell.
	CachedKB    *uint64 `json:"cached_kb,omitempty"`
	SwapTotalKB *uint64 `json:"swap_total_kb,omitempty"`
	SwapFreeKB  *uint64 `json:"swap_free_kb,omitempty"`
}

// Container is one container: the outermost cgroup whose name carries a 64-digit id, with everything below it.
type Container struct {
	ID           string `json:"id"`        // 64 lower-case hex digits
	CgroupID     uint64 `json:"cgroup_id"` // kernfs id of the container's cgroup (its directory's inode number)
	Runtime      string `json:"runtime,omitempty"`
	ProcessCount int    `json:"process_count"`
	ThreadCount  int    `json:"thread_count"`
	// CPUUS is CPU time used since the container began (see Capabilities.CPUSource); user and system where exact.
	CPUUS       uint64  `json:"cpu_us"`
	CPUUserUS   *uint64 `json:"cpu_user_us,omitempty"`
	CPUSystemUS *uint64 `json:"cpu_system_us,omitempty"`
	// RSSKB and VSZKB are sums over its processes: shared pages count once for each.
	RSSKB uint64 `json:"rss_kb"`
	VSZKB uint64 `json:"vsz_kb"`
	// The cgroup's own figures: charged memory, the same without inactive file pages, limit (absent = none).
	MemoryKB     *uint64 `json:"memory_kb,omitempty"`
	WorkingSetKB *uint64 `json:"working_set_kb,omitempty"`
	MemoryMaxKB  *uint64 `json:"memory_max_kb,omitempty"`
	MemoryPeakKB *uint64 `json:"memory_peak_kb,omitempty"`
	SwapKB       *uint64 `json:"swap_kb,omitempty"`
	OOMKills     *uint64 `json:"oom_kills,omitempty"`
	Frozen       *bool   `json:"frozen,omitempty"`
	// StartUS is the start of its oldest live process.
	StartUS   uint64    `json:"start_us"`
	Processes []Process `json:"processes"`
}

// Process is one thread group. (PID, StartUS) identifies it until the next boot. PIDs are the host's.
type Process struct {
	PID     int    `json:"pid"`
	PPID    int    `json:"ppid"`
	NSPID   int    `json:"nspid,omitempty"` // its PID in the innermost namespace: 1 is the container's init
	Name    string `json:"name"`
	Cmdline string `json:"cmdline,omitempty"` // arguments joined by spaces; only when asked for
	State   string `json:"state"`             // the letter of /proc/PID/stat
	Threads int    `json:"threads"`
	StartUS uint64 `json:"start_us"`
	CPUUS   uint64 `json:"cpu_us"`
	VSZKB   uint64 `json:"vsz_kb"`
	RSSKB   uint64 `json:"rss_kb"`
	// Bytes read from and written to storage, where Capabilities.IO.
	IOReadBytes  *uint64 `json:"io_read_bytes,omitempty"`
	IOWriteBytes *uint64 `json:"io_write_bytes,omitempty"`
	// Averages over the process's life, as ps shows them: RSS per RAM, CPU time per age (1000 = one core).
	MemoryPermille uint64 `json:"memory_permille"`
	CPUPermille    uint64 `json:"cpu_permille"`
}
