/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only file that knows how kernels differ. Kbuild asks the headers and defines the GESTOR_… macros.
 */
#ifndef GESTOR_COMPAT_H
#define GESTOR_COMPAT_H

#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

/* The per-CPU part of a cgroup's CPU time got a structure of its own in 6.16. */
#ifdef GESTOR_RSTAT_BASE_CPU
#define compat_base_cpu(cgrp, cpu) per_cpu_ptr((cgrp)->rstat_base_cpu, cpu)
#else
#define compat_base_cpu(cgrp, cpu) per_cpu_ptr((cgrp)->rstat_cpu, cpu)
#endif

/*
 * Resident pages of one kind, with what per-CPU counters (since 6.2) have not folded in yet. Older kernels cache up to
 * 64 pages in each thread instead: compat_thread_pages() gives those, to be summed over the threads.
 */
#ifdef GESTOR_RSS_PERCPU
#define COMPAT_THREAD_PAGES 0

static inline long compat_mm_pages(struct mm_struct *mm, int kind)
{
	return percpu_counter_sum(&mm->rss_stat[kind]);
}

static inline long compat_thread_pages(const struct task_struct *t, int kind)
{
	return 0;
}
#else
#define COMPAT_THREAD_PAGES 1

static inline long compat_mm_pages(struct mm_struct *mm, int kind)
{
	return atomic_long_read(&mm->rss_stat.count[kind]);
}

static inline long compat_thread_pages(const struct task_struct *t, int kind)
{
#ifdef SPLIT_RSS_COUNTING
	return READ_ONCE(t->rss_stat.count[kind]);
#else
	return 0;
#endif
}
#endif

/* Page cache and buffers in pages; false where swap cache cannot be told from it (before 5.12). */
static inline bool compat_cached_pages(unsigned long *pages)
{
#if defined(GESTOR_NR_SWAPCACHE) && defined(CONFIG_SWAP)
	unsigned long file = global_node_page_state(NR_FILE_PAGES);
	unsigned long swap = global_node_page_state(NR_SWAPCACHE);

	*pages = file > swap ? file - swap : 0;
	return true;
#else
	return false;
#endif
}

#endif
