/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_CONTAINER_H
#define GESTOR_CONTAINER_H

#include <linux/cgroup.h>

#include "snapshot.h"

s32 container_add(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task,
		  const struct cgpath *path);
void container_add_process(struct gestor_container *container, const struct gestor_process *process);

#endif
