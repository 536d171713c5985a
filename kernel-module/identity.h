/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_IDENTITY_H
#define GESTOR_IDENTITY_H

#include <linux/cgroup.h>

#include "snapshot.h"

/* By what rows know @cgrp. Ids are unique in their hierarchy only. */
static inline struct gestor_key identity_key(struct cgroup *cgrp)
{
	return (struct gestor_key){ .cgroup_id = cgroup_id(cgrp), .hierarchy = cgrp->root->hierarchy_id };
}

struct cgroup *identity_cgroup(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path);

#endif
