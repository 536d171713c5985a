package contract

// The schema of the snapshot, in the order in which writers put the members. Read only.

var snapshotSchema = []field[Snapshot]{
	{name: "version", read: func(d *decoder, s *Snapshot) { s.Version = d.int() }},
	{name: "source", read: func(d *decoder, s *Snapshot) { s.Source = d.text() }},
	{name: "module", optional: true, read: func(d *decoder, s *Snapshot) { s.Module = d.text() }},
	{name: "kernel", optional: true, read: func(d *decoder, s *Snapshot) { s.Kernel = d.text() }},
	{name: "instance", read: func(d *decoder, s *Snapshot) { s.Instance = d.text() }},
	{name: "boot_id", optional: true, read: func(d *decoder, s *Snapshot) { s.BootID = d.text() }},
	{name: "sequence", read: func(d *decoder, s *Snapshot) { s.Sequence = d.uint() }},
	{name: "monotonic_us", read: func(d *decoder, s *Snapshot) { s.MonotonicUS = d.uint() }},
	{name: "realtime_us", read: func(d *decoder, s *Snapshot) { s.RealtimeUS = d.uint() }},
	{name: "cpus", read: func(d *decoder, s *Snapshot) { s.CPUs = d.int() }},
	{name: "page_size", read: func(d *decoder, s *Snapshot) { s.PageSize = d.int() }},
	{name: "capabilities", read: func(d *decoder, s *Snapshot) { object(d, capabilitiesSchema, &s.Capabilities) }},
	{name: "self", read: func(d *decoder, s *Snapshot) { object(d, selfSchema, &s.Self) }},
	{name: "memory", read: func(d *decoder, s *Snapshot) { object(d, memorySchema, &s.Memory) }},
	{name: "containers", read: readContainers},
	{name: "container_total", read: func(d *decoder, s *Snapshot) { s.ContainerTotal = d.int() }},
	{name: "process_total", read: func(d *decoder, s *Snapshot) { s.ProcessTotal = d.int() }},
	{name: "truncated", read: func(d *decoder, s *Snapshot) { s.Truncated = d.bool() }},
	{name: "end", read: func(d *decoder, s *Snapshot) { s.End = d.bool() }},
}

var capabilitiesSchema = []field[Capabilities]{
	{name: "cgroup", read: func(d *decoder, c *Capabilities) { c.Cgroup = d.int() }},
	{name: "cpu_source", read: func(d *decoder, c *Capabilities) { c.CPUSource = d.text() }},
	{name: "io", read: func(d *decoder, c *Capabilities) { c.IO = d.bool() }},
	{name: "psi", read: func(d *decoder, c *Capabilities) { c.PSI = d.bool() }},
	{name: "exact_rss", read: func(d *decoder, c *Capabilities) { c.ExactRSS = d.bool() }},
}

var selfSchema = []field[Self]{
	{name: "walk_us", read: func(d *decoder, s *Self) { s.WalkUS = d.uint() }},
	{name: "tasks_seen", read: func(d *decoder, s *Self) { s.TasksSeen = d.uint() }},
	{name: "batches", optional: true, read: func(d *decoder, s *Self) { s.Batches = d.uint() }},
	{name: "longest_rcu_us", optional: true, read: func(d *decoder, s *Self) { s.LongestRCUUS = d.optionalUint() }},
}

var memorySchema = []field[Memory]{
	{name: "total_kb", read: func(d *decoder, m *Memory) { m.TotalKB = d.uint() }},
	{name: "free_kb", read: func(d *decoder, m *Memory) { m.FreeKB = d.uint() }},
	{name: "available_kb", read: func(d *decoder, m *Memory) { m.AvailableKB = d.uint() }},
	{name: "used_kb", read: func(d *decoder, m *Memory) { m.UsedKB = d.uint() }},
	{name: "shared_kb", read: func(d *decoder, m *Memory) { m.SharedKB = d.uint() }},
	{name: "cached_kb", optional: true, read: func(d *decoder, m *Memory) { m.CachedKB = d.optionalUint() }},
	{name: "swap_total_kb", optional: true, read: func(d *decoder, m *Memory) { m.SwapTotalKB = d.optionalUint() }},
	{name: "swap_free_kb", optional: true, read: func(d *decoder, m *Memory) { m.SwapFreeKB = d.optionalUint() }},
}

var containerSchema = []field[Container]{
	{name: "id", read: func(d *decoder, c *Container) { c.ID = d.text() }},
	{name: "cgroup_id", read: func(d *decoder, c *Container) { c.CgroupID = d.uint() }},
	{name: "runtime", optional: true, read: func(d *decoder, c *Container) { c.Runtime = d.text() }},
	{name: "process_count", read: func(d *decoder, c *Container) { c.ProcessCount = d.int() }},
	{name: "thread_count", read: func(d *decoder, c *Container) { c.ThreadCount = d.int() }},
	{name: "cpu_us", read: func(d *decoder, c *Container) { c.CPUUS = d.uint() }},
	{name: "cpu_user_us", optional: true, read: func(d *decoder, c *Container) { c.CPUUserUS = d.optionalUint() }},
	{name: "cpu_system_us", optional: true, read: func(d *decoder, c *Container) { c.CPUSystemUS = d.optionalUint() }},
	{name: "rss_kb", read: func(d *decoder, c *Container) { c.RSSKB = d.uint() }},
	{name: "vsz_kb", read: func(d *decoder, c *Container) { c.VSZKB = d.uint() }},
	{name: "memory_kb", optional: true, read: func(d *decoder, c *Container) { c.MemoryKB = d.optionalUint() }},
	{name: "working_set_kb", optional: true, read: func(d *decoder, c *Container) { c.WorkingSetKB = d.optionalUint() }},
	{name: "memory_max_kb", optional: true, read: func(d *decoder, c *Container) { c.MemoryMaxKB = d.optionalUint() }},
	{name: "memory_peak_kb", optional: true, read: func(d *decoder, c *Container) { c.MemoryPeakKB = d.optionalUint() }},
	{name: "swap_kb", optional: true, read: func(d *decoder, c *Container) { c.SwapKB = d.optionalUint() }},
	{name: "oom_kills", optional: true, read: func(d *decoder, c *Container) { c.OOMKills = d.optionalUint() }},
	{name: "frozen", optional: true, read: func(d *decoder, c *Container) { frozen := d.bool(); c.Frozen = &frozen }},
	{name: "start_us", read: func(d *decoder, c *Container) { c.StartUS = d.uint() }},
	{name: "processes", read: readProcesses},
}

var processSchema = []field[Process]{
	{name: "pid", read: func(d *decoder, p *Process) { p.PID = d.int() }},
	{name: "ppid", read: func(d *decoder, p *Process) { p.PPID = d.int() }},
	{name: "nspid", optional: true, read: func(d *decoder, p *Process) { p.NSPID = d.int() }},
	{name: "name", read: func(d *decoder, p *Process) { p.Name = d.text() }},
	{name: "cmdline", optional: true, read: func(d *decoder, p *Process) { p.Cmdline = d.text() }},
	{name: "state", read: func(d *decoder, p *Process) { p.State = d.text() }},
	{name: "threads", read: func(d *decoder, p *Process) { p.Threads = d.int() }},
	{name: "start_us", read: func(d *decoder, p *Process) { p.StartUS = d.uint() }},
	{name: "cpu_us", read: func(d *decoder, p *Process) { p.CPUUS = d.uint() }},
	{name: "vsz_kb", read: func(d *decoder, p *Process) { p.VSZKB = d.uint() }},
	{name: "rss_kb", read: func(d *decoder, p *Process) { p.RSSKB = d.uint() }},
	{name: "io_read_bytes", optional: true, read: func(d *decoder, p *Process) { p.IOReadBytes = d.optionalUint() }},
	{name: "io_write_bytes", optional: true, read: func(d *decoder, p *Process) { p.IOWriteBytes = d.optionalUint() }},
	{name: "memory_permille", read: func(d *decoder, p *Process) { p.MemoryPermille = d.uint() }},
	{name: "cpu_permille", read: func(d *decoder, p *Process) { p.CPUPermille = d.uint() }},
}
