/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_CMDLINE_H
#define GESTOR_CMDLINE_H

#include <linux/sched.h>

#include "rows.h"

int cmdline_read(struct gestor_rows *rows, struct task_struct *task, struct gestor_process *row, u32 max);

#endif
