// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "container.h"
#include "identity.h"

/*
 * cgroup_path() gives the path from the root of the hierarchy, whatever the reader's namespace, and may be called
 * under RCU. kernfs nodes are not touched: their fields changed in 6.15.
 */
static bool parse(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path)
{
	int len = cgroup_path(cgrp, snap->path, sizeof(snap->path));

	return len >= 0 && cgpath_parse(snap->path, strnlen(snap->path, sizeof(snap->path)), path);
}

/*
 * What the last snapshot knew of the cgroup, or NULL. It stays true for the life of a v2 cgroup: its path cannot change
 * and its id is never given again. A v1 cgroup can be renamed.
 */
static const struct gestor_slot *remembered(const struct gestor_snapshot *snap, struct cgroup *cgrp)
{
	const struct gestor_slot *slot;

	if (!snap->before || cgrp->root != &cgrp_dfl_root)
		return NULL;
	slot = rows_slot(snap->before, identity_key(cgrp));
	return slot->cgroup_id && slot->container != ROW_LEFT_OUT ? slot : NULL;
}

/* Formatting and parsing a path costs as much as all the rest of a container, so it is done once for each cgroup. */
static bool identify(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path)
{
	const struct gestor_slot *slot = remembered(snap, cgrp);

	if (!slot)
		return parse(snap, cgrp, path);
	if (slot->container == ROW_NONE)
		return false;
	*path = snap->before->container[slot->container].path;
	return true;
}

/**
 * identity_cgroup - the container's own cgroup above a cgroup
 * @snap: lends its path buffer
 * @cgrp: any cgroup; the caller holds rcu_read_lock
 * @path: out: what the path says
 *
 * Return: the cgroup whose name carries the id, or NULL when @cgrp lies in no container.
 */
struct cgroup *identity_cgroup(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path)
{
	return identify(snap, cgrp, path) ? cgroup_ancestor(cgrp, path->level) : NULL;
}

/* Container of @cgrp as an index, ROW_NONE or ROW_LEFT_OUT. The map has room (rows_reserve). */
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
	own = identity_cgroup(snap, cgrp, &path);
	if (own && own != cgrp)
		container = lookup(snap, own, task);
	else if (own)
		container = container_add(snap, own, task, &path);
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
 * identity_of - the container that a process runs in
 * @snap: a container seen for the first time is added to its rows, with its counters
 * @task: the thread group leader; the caller holds rcu_read_lock
 *
 * The v2 hierarchy is asked first, also where controllers are on v1 (hybrid layouts put containers into both).
 *
 * Return: index of the container, ROW_NONE or ROW_LEFT_OUT.
 */
s32 identity_of(struct gestor_snapshot *snap, struct task_struct *task)
{
	struct cgroup *legacy;
	s32 container;

	container = lookup(snap, task_dfl_cgroup(task), task);
	if (container != ROW_NONE)
		return container;
	legacy = v1_cgroup(task);
	return legacy ? lookup(snap, legacy, task) : ROW_NONE;
}
