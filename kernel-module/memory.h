/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_MEMORY_H
#define GESTOR_MEMORY_H

#include <linux/cgroup.h>

#include "snapshot.h"

void memory_read(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task,
		 struct gestor_container *c);

#endif
