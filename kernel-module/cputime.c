// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>

#include "compat/compat.h"
#include "cputime.h"

/* How often the sum is taken again when a flush moved figures between the two places meanwhile. */
#define CPUTIME_TRIES 4

static u64 flushed(struct cgroup *cgrp)
{
	return READ_ONCE(cgrp->bstat.cputime.sum_exec_runtime);
}

/* What this cgroup's CPUs have counted since the last flush. */
static u64 pending(struct cgroup *cgrp)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		__auto_type base = compat_base_cpu(cgrp, cpu);

		sum += READ_ONCE(base->bstat.cputime.sum_exec_runtime) -
		       READ_ONCE(base->last_bstat.cputime.sum_exec_runtime);
	}
	return sum;
}

static u64 subtree_pending(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css;
	u64 sum = 0;

	css_for_each_descendant_pre(css, &cgrp->self)
		sum += pending(css->cgroup);
	return sum;
}

/**
 * cputime_read - CPU time of a v2 cgroup and everything below it, in nanoseconds
 * @cgrp: the cgroup; the caller holds rcu_read_lock
 *
 * cpu.stat shows bstat after a flush, which modules cannot ask for, and which on many kernels nobody else does: bstat
 * alone stands still. The pending part of every CPU is added here. A removed sub-cgroup was flushed into its parent,
 * so its time is kept. A flush in between moves time from pending to flushed; then the sum is taken again.
 */
u64 cputime_read(struct cgroup *cgrp)
{
	u64 before, sum;
	int try = 0;

	do {
		before = flushed(cgrp);
		sum = before + subtree_pending(cgrp);
	} while (flushed(cgrp) != before && ++try < CPUTIME_TRIES);
	return sum;
}
