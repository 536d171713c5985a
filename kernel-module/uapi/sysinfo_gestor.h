/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The document of /proc/sysinfo_gestor, version 1.
 *
 * One JSON object (RFC 8259), UTF-8, ended by a newline. A reader ignores fields it does not know; a field that could
 * not be had is absent, never zero. Integers only. Sizes are in KiB (suffix _kb), times in microseconds (suffix _us:
 * nanoseconds leave the range that JSON readers keep exactly, 2^53, after 104 days). Counters are cumulative.
 *
 * Names and command lines may hold any bytes. Valid UTF-8 comes back unchanged; control characters, DEL, quote and
 * backslash are escaped; each byte that belongs to no valid sequence is U+FFFD.
 *
 * A process row is of one instant, and so are a container's own counters; the document spans self.walk_us. A read from
 * position 0 begins a document; any other read of that open file, of any size and in any order (pread, lseek), is of
 * the same one. Readers that ask within max_age_ms of the begin of a walk, or before it began, share it. When the
 * module is unloaded, an open file says EIO and a new open ENOENT: open again.
 *
 * In the lists below a line "@ NAME TYPE" is a field: u64, bool, string, or {WHAT}, described under its heading. A
 * question mark after the type marks a field that may be absent. Tests hold this list against the program that reads
 * the document.
 *
 * document
 * @ version u64              GESTOR_DOCUMENT_VERSION
 * @ source string            "module"
 * @ module string?           version of the module
 * @ kernel string?           release of the kernel, as uname -r
 * @ instance string          16 hex digits drawn when the module was loaded; sequence begins again when it changes
 * @ sequence u64             number of the walk, from 1; readers that shared a walk see the same
 * @ monotonic_us u64         CLOCK_BOOTTIME when the walk began; every start_us is on this clock
 * @ realtime_us u64          the wall clock at that moment, since 1970
 * @ cpus u64                 CPUs that are online
 * @ page_size u64            bytes
 * @ capabilities {capabilities}
 * @ self {self}
 * @ memory {memory}
 * @ containers {container}[]
 * @ container_total u64      containers found
 * @ process_total u64        processes found in containers; past max_procs more than there are rows
 * @ truncated bool           rows are missing: past max_procs, or in the totals view
 * @ end bool                 true, and last: a text without it is not a document
 *
 * The totals view (the file whose name ends in GESTOR_TOTALS_SUFFIX) is the same document with every processes list
 * empty, "truncated":true and "view":"totals" before it.
 *
 * capabilities
 * @ cgroup u64               1 or 2: the hierarchy in which containers were found
 * @ cpu_source string        "cgroup": the cgroup's own counter; "tasks": the sum over its live processes and the
 *                            children that these have waited for (cgroup v1 has no counter that a module may read)
 * @ io bool                  process rows carry I/O counters (CONFIG_TASK_IO_ACCOUNTING)
 * @ psi bool                 false: the kernel brings pressure totals up to date only every two seconds
 * @ exact_rss bool           true: per-CPU or per-thread caches are summed; /proc/PID/stat is not exact on all kernels
 *
 * self: what the walk did and cost
 * @ walk_us u64
 * @ tasks_seen u64           processes looked at, in containers or not
 * @ batches u64?             RCU read sections
 * @ longest_rcu_us u64?      the longest of them
 *
 * memory: of the host, as /proc/meminfo; used_kb is total_kb - available_kb
 * @ total_kb u64
 * @ free_kb u64
 * @ available_kb u64
 * @ used_kb u64
 * @ shared_kb u64
 * @ cached_kb u64?           page cache and buffers; absent before Linux 5.12
 *
 * container: the outermost cgroup whose name carries an id, with everything below it. Below a service or a scope of
 * systemd names are their owner's and say nothing. Of several cgroups with one id there is one row: that of the place
 * where only engines make groups, then the higher, then the older.
 * @ id string                64 lower-case hex digits; no two rows have the same
 * @ cgroup_id u64            inode of the cgroup's directory; never used twice in its hierarchy
 * @ runtime string?          the name's prefix: docker, libpod, crio, cri-containerd; absent when the name has none
 * @ process_count u64        zombies included
 * @ thread_count u64
 * @ cpu_us u64               see cpu_source; the cgroup's own counter never goes back, whatever is removed below it
 * @ rss_kb u64               sum over its processes: a shared page counts once for each
 * @ vsz_kb u64
 * @ memory_kb u64?           charged to the cgroup (memory.current); this and the next ones only with the controller
 * @ working_set_kb u64?      without inactive file pages, as docker stats shows it
 * @ memory_max_kb u64?       the tightest limit up to the root; absent when there is none
 * @ memory_peak_kb u64?
 * @ swap_kb u64?             cgroup v2
 * @ oom_kills u64?
 * @ frozen bool?             cgroup v2
 * @ start_us u64             start of its oldest live process
 * @ processes {process}[]      by PID
 *
 * process: a thread group; (pid, start_us) names it until the next boot
 * @ pid u64                  the host's
 * @ ppid u64                 the host's; 0 when the parent is outside
 * @ nspid u64?               its PID in the innermost namespace; 1 is a container's first process
 * @ name string              at most 15 bytes before escaping
 * @ cmdline string?          arguments joined by spaces, at most cmdline_max bytes; absent when that is 0
 * @ state string             the letter of /proc/PID/stat
 * @ threads u64
 * @ start_us u64
 * @ cpu_us u64               user and system, of all its threads, also those that have exited
 * @ vsz_kb u64
 * @ rss_kb u64
 * @ io_read_bytes u64?       from and to storage
 * @ io_write_bytes u64?
 * @ memory_permille u64      rss_kb per total_kb
 * @ cpu_permille u64         cpu_us per microsecond of life: 1000 is one CPU all the time
 */
#ifndef _UAPI_SYSINFO_GESTOR_H
#define _UAPI_SYSINFO_GESTOR_H

#define GESTOR_DOCUMENT_VERSION 1

/* Default of the parameter proc_name; every name begins with sysinfo_. */
#define GESTOR_PROC_NAME "sysinfo_gestor"

/* What is added to proc_name for the view without process rows. */
#define GESTOR_TOTALS_SUFFIX "_totals"

#endif
