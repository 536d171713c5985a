/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_REPORT_H
#define GESTOR_REPORT_H

#include <linux/proc_fs.h>

extern const struct proc_ops report_full_ops;
extern const struct proc_ops report_totals_ops;

#endif
