// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/rcupdate.h>

#include "container.h"
#include "identity.h"
#include "lookup.h"

/* Container of @cgrp as an index, ROW_NONE or ROW_OMITTED. The map has room (rows_reserve). */
static s32 lookup(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task)
{
	struct gestor_rows *rows = &snap->rows;
	struct gestor_key key = identity_key(cgrp);
	struct gestor_slot *slot = rows_slot(rows, key);
	struct cgroup *own;
	struct cgpath path;
	s32 container = ROW_NONE;

	if (slot->cgroup_id)
		return slot->container;

	/* The id stands in the name of one cgroup; those below it are asked for through it, so that it gets one row. */
	own = identity_cgroup(snap, cgrp, &path);
	if (own && own != cgrp)
		container = lookup(snap, own, task);
	else if (own)
		container = container_add(snap, own, task, &path);

	/* The recursion may have taken the free slot that was found before. */
	slot = rows_slot(rows, key);
	slot->cgroup_id = key.cgroup_id;
	slot->hierarchy = key.hierarchy;
	slot->container = container;
	rows->slots_used++;

	return container;
}

static struct cgroup *task_v1_cgroup(struct task_struct *task, int subsys)
{
	return task_css(task, subsys)->cgroup;
}

/*
 * On cgroup v1 each controller has a hierarchy of its own. Runtimes put a container into all of them; the first
 * controller that this kernel has and that v1 holds decides.
 */
static struct cgroup *v1_cgroup(struct task_struct *task)
{
#ifdef CONFIG_MEMCG
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return task_v1_cgroup(task, memory_cgrp_id);
#endif
#ifdef CONFIG_CGROUP_PIDS
	if (!cgroup_subsys_on_dfl(pids_cgrp_subsys))
		return task_v1_cgroup(task, pids_cgrp_id);
#endif
#ifdef CONFIG_CGROUP_SCHED
	if (!cgroup_subsys_on_dfl(cpu_cgrp_subsys))
		return task_v1_cgroup(task, cpu_cgrp_id);
#endif
#ifdef CONFIG_CPUSETS
	if (!cgroup_subsys_on_dfl(cpuset_cgrp_subsys))
		return task_v1_cgroup(task, cpuset_cgrp_id);
#endif
#ifdef CONFIG_CGROUP_FREEZER
	if (!cgroup_subsys_on_dfl(freezer_cgrp_subsys))
		return task_v1_cgroup(task, freezer_cgrp_id);
#endif
	return NULL;
}

/**
 * lookup_container - the container that a process runs in
 * @snap: a container seen for the first time is added to its rows, with its counters
 * @task: the thread group leader; the caller holds rcu_read_lock
 *
 * The v2 hierarchy is asked first, also where controllers are on v1 (hybrid layouts put containers into both).
 *
 * Return: index of the container, ROW_NONE or ROW_OMITTED.
 */
s32 lookup_container(struct gestor_snapshot *snap, struct task_struct *task)
{
	struct cgroup *legacy;
	s32 container;

	container = lookup(snap, task_dfl_cgroup(task), task);
	if (container != ROW_NONE)
		return container;

	legacy = v1_cgroup(task);
	return legacy ? lookup(snap, legacy, task) : ROW_NONE;
}
