// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "identity.h"

/*
 * cgroup_path() gives the path from the root of the hierarchy, whatever the reader's namespace, and may be called
 * under RCU. kernfs nodes are not touched: their fields changed in 6.15.
 */
static bool parse_path(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path)
{
	int len = cgroup_path(cgrp, snap->path, sizeof(snap->path));

	return len >= 0 && cgpath_parse(snap->path, strnlen(snap->path, sizeof(snap->path)), path);
}

/*
 * What the last snapshot knew of the cgroup, or NULL. It stays true for the life of a v2 cgroup: its path cannot change
 * and its id is never given again. A v1 cgroup can be renamed.
 */
static const struct gestor_slot *cached_slot(const struct gestor_snapshot *snap, struct cgroup *cgrp)
{
	const struct gestor_slot *slot;

	if (!snap->previous || cgrp->root != &cgrp_dfl_root)
		return NULL;

	slot = rows_slot(snap->previous, identity_key(cgrp));

	return slot->cgroup_id && slot->container != ROW_OMITTED ? slot : NULL;
}

/* Formatting and parsing a path costs as much as all the rest of a container, so it is done once for each cgroup. */
static bool cached_path(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path)
{
	const struct gestor_slot *slot = cached_slot(snap, cgrp);

	if (!slot)
		return parse_path(snap, cgrp, path);

	if (slot->container == ROW_NONE)
		return false;

	*path = snap->previous->container[slot->container].path;
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
	return cached_path(snap, cgrp, path) ? cgroup_ancestor(cgrp, path->level) : NULL;
}
