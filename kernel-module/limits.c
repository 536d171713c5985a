// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>

#include "limits.h"

/* A parameter and its range. The value comes first: param_get_uint() reads it there. */
struct bounded {
	unsigned int value;
	unsigned int min, max;
};

static struct bounded cmdline_max = { 0, 0, 4096 };
static struct bounded max_procs = { 65536, 1, 4 << 20 };
static struct bounded max_age_ms = { 100, 0, 60000 };
static struct bounded batch = { 256, 16, 4096 };

/* Refuses what is out of range instead of bending it: who sets 2^31 means something else than the largest value. */
static int set_bounded(const char *text, const struct kernel_param *kp)
{
	struct bounded *b = kp->arg;
	unsigned int value;

	if (kstrtouint(text, 0, &value) || value < b->min || value > b->max) {
		pr_err("%s must be a number from %u to %u\n", kp->name, b->min, b->max);
		return -EINVAL;
	}

	WRITE_ONCE(b->value, value);
	return 0;
}

static const struct kernel_param_ops bounded_ops = {
	.set = set_bounded,
	.get = param_get_uint,
};

module_param_cb(cmdline_max, &bounded_ops, &cmdline_max, 0644);
__MODULE_PARM_TYPE(cmdline_max, "uint");
MODULE_PARM_DESC(cmdline_max, "bytes of each command line to show, at most 4096 (default 0: none)");

module_param_cb(max_procs, &bounded_ops, &max_procs, 0644);
__MODULE_PARM_TYPE(max_procs, "uint");
MODULE_PARM_DESC(max_procs, "most process rows, and most containers, in one document, 1 to 4194304 (default 65536)");

module_param_cb(max_age_ms, &bounded_ops, &max_age_ms, 0644);
__MODULE_PARM_TYPE(max_age_ms, "uint");
MODULE_PARM_DESC(max_age_ms, "readers within this time share one walk, at most 60000 (default 100)");

module_param_cb(batch, &bounded_ops, &batch, 0644);
__MODULE_PARM_TYPE(batch, "uint");
MODULE_PARM_DESC(batch, "threads looked at in one RCU read section, 16 to 4096 (default 256)");

/* What is set at this moment. */
void limits_read(struct gestor_limits *limits)
{
	limits->batch = READ_ONCE(batch.value);
	limits->max_procs = READ_ONCE(max_procs.value);
	limits->max_age_ms = READ_ONCE(max_age_ms.value);
	limits->cmdline_max = READ_ONCE(cmdline_max.value);
}
