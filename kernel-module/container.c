// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "container.h"
#include "cputime.h"
#include "identity.h"
#include "memory.h"

/* Is the cgroup part of the v2 hierarchy? */
static bool is_on_v2(const struct cgroup *cgrp)
{
	return cgrp->root == &cgrp_dfl_root;
}

/* Removed cgroups live on for RCU readers, and zombies still point at them; they are no containers any more. */
static bool is_removed(const struct cgroup *cgrp)
{
	return !(READ_ONCE(cgrp->self.flags) & CSS_ONLINE);
}

/* What the last snapshot said, 0 when it did not have the cgroup. The id of a v2 cgroup is never given again. */
static u64 previous_cpu_ns(const struct gestor_snapshot *snap, struct cgroup *cgrp)
{
	const struct gestor_slot *slot;

	if (!snap->previous)
		return 0;

	slot = rows_slot(snap->previous, identity_key(cgrp));
	if (!slot->cgroup_id || slot->container < 0)
		return 0;
	return snap->previous->container[slot->container].cpu_ns;
}

/* CPU time never goes back: a reading that lacks what is being moved shows what the last one had. */
static void read_v2(const struct gestor_snapshot *snap, struct gestor_container *c, struct cgroup *cgrp)
{
	c->cpu_ns = max(cputime_read(cgrp), previous_cpu_ns(snap, cgrp));
	c->frozen = test_bit(CGRP_FROZEN, &cgrp->flags);
	c->has |= CONTAINER_HAS_CPU | CONTAINER_HAS_FROZEN;
}

/**
 * container_add - a row for a container seen for the first time, with the cgroup's own counters of this instant
 * @snap: the snapshot; it has room (rows_reserve)
 * @cgrp: the container's own cgroup; the caller holds rcu_read_lock
 * @task: a process in it, which leads to its memory cgroup where that is in another hierarchy
 * @path: id and runtime
 *
 * Return: index of the row, ROW_NONE when the cgroup has been removed, or ROW_OMITTED when max_procs containers are
 * known.
 */
s32 container_add(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task,
		  const struct cgpath *path)
{
	struct gestor_rows *rows = &snap->rows;
	struct gestor_container *c = &rows->container[rows->containers];

	if (is_removed(cgrp))
		return ROW_NONE;
	if (rows->containers >= snap->limits.max_procs) {
		snap->walk.truncated = true;
		return ROW_OMITTED;
	}

	memset(c, 0, sizeof(*c));
	c->path = *path;
	c->key = identity_key(cgrp);

	/* Only a v2 cgroup counts CPU time itself; on v1 it is summed over the tasks (container_add_process). */
	if (is_on_v2(cgrp))
		read_v2(snap, c, cgrp);
	else
		snap->walk.on_v1++;
	memory_read(snap, cgrp, task, c);

	return rows->containers++;
}

/* Adds one of its processes to a container's sums. Without a counter of the cgroup, CPU time is the tasks' sum. */
void container_add_process(struct gestor_container *c, const struct gestor_process *p)
{
	if (!c->processes || p->start_ns < c->start_ns)
		c->start_ns = p->start_ns;

	c->processes++;
	c->threads += p->threads;
	c->rss_kb += p->rss_kb;
	c->vsz_kb += p->vsz_kb;

	if (!(c->has & CONTAINER_HAS_CPU))
		c->cpu_ns += p->cpu_ns + p->reaped_ns;
}
