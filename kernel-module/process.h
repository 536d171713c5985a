/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_PROCESS_H
#define GESTOR_PROCESS_H

#include <linux/sched.h>

#include "rows.h"

bool process_read(struct task_struct *leader, pid_t pid, struct gestor_process *row);

#endif
