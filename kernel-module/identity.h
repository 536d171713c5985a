/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_IDENTITY_H
#define GESTOR_IDENTITY_H

#include <linux/cgroup.h>

#include "snapshot.h"

s32 identity_of(struct gestor_snapshot *snap, struct task_struct *task);
struct cgroup *identity_cgroup(struct gestor_snapshot *snap, struct cgroup *cgrp, struct cgpath *path);

#endif
