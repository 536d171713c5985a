/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_CPUTIME_H
#define GESTOR_CPUTIME_H

#include <linux/cgroup.h>

u64 cputime_read(struct cgroup *cgrp);

#endif
