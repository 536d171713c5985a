/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_LOOKUP_H
#define GESTOR_LOOKUP_H

#include <linux/sched.h>

#include "snapshot.h"

s32 lookup_container(struct gestor_snapshot *snap, struct task_struct *task);

#endif
