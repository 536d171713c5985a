// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>

#include "compat/compat.h"
#include "cputime.h"

/* How often the sum is taken again when a flush moved figures between two places meanwhile. */
#define CPUTIME_TRIES 8

/*
 * One pass over a subtree. Every figure that a flush moves grows: when two passes agree on their sum, nothing was
 * moved between them.
 */
struct pass {
	u64 used; /* nanoseconds */
	u64 moved; /* the sum of what only flushes change */
};

/* What the CPUs have counted for this cgroup and a flush has not yet added to its bstat. */
static void add_cpus(struct pass *pass, struct cgroup *cgrp)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		__auto_type base = compat_base_cpu(cgrp, cpu);
		u64 last = READ_ONCE(base->last_bstat.cputime.sum_exec_runtime);

		pass->moved += last;
		pass->used += READ_ONCE(base->bstat.cputime.sum_exec_runtime) - last;
	}
}

/* What a flush has added to this cgroup's bstat and not yet to its parent's. */
static void add_parents_share(struct pass *pass, struct cgroup *cgrp)
{
	u64 bstat = READ_ONCE(cgrp->bstat.cputime.sum_exec_runtime);
	u64 last = READ_ONCE(cgrp->last_bstat.cputime.sum_exec_runtime);

	pass->moved += bstat + last;
	pass->used += bstat - last;
}

static struct pass sum_pass(struct cgroup *cgrp)
{
	u64 bstat = READ_ONCE(cgrp->bstat.cputime.sum_exec_runtime);
	struct pass pass = { .used = bstat, .moved = bstat };
	struct cgroup_subsys_state *css;

	css_for_each_descendant_pre(css, &cgrp->self) {
		if (css->cgroup != cgrp)
			add_parents_share(&pass, css->cgroup);
		add_cpus(&pass, css->cgroup);
	}

	return pass;
}

/**
 * cputime_read - CPU time of a v2 cgroup and everything below it, in nanoseconds
 * @cgrp: the cgroup; the caller holds rcu_read_lock
 *
 * cpu.stat shows bstat after a flush, which modules cannot ask for, and which on many kernels nobody else does: bstat
 * alone stands still. A flush moves time from the CPUs to the cgroup, and from there to its parent; the flush of a
 * sub-cgroup (its cpu.stat is read, or it is removed) ends at *its* parent. So what is on the way is added here for
 * each descendant: what its CPUs hold, and what it holds for its parent.
 *
 * A cgroup that is being removed leaves the tree a moment before it is flushed. A reading in that moment lacks its
 * time: the caller keeps to the highest figure seen.
 */
u64 cputime_read(struct cgroup *cgrp)
{
	struct pass pass = sum_pass(cgrp);
	u64 moved;
	int try = 0;

	do {
		moved = pass.moved;
		pass = sum_pass(cgrp);
	} while (pass.moved != moved && ++try < CPUTIME_TRIES);

	return pass.used;
}
