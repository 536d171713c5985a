/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the administrator may set while the module is loaded: numbers, each within what the code can bear.
 */
#ifndef GESTOR_LIMITS_H
#define GESTOR_LIMITS_H

#include <linux/types.h>

/* Taken once per walk so that a change in between cannot tear it. */
struct gestor_limits {
	u32 batch;
	u32 max_procs;
	u32 max_age_ms;
	u32 cmdline_max;
};

void limits_read(struct gestor_limits *limits);

#endif
