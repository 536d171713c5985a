// SPDX-License-Identifier: GPL-2.0
/*
 * sysinfo_gestor: every container of the host, with its processes, as one JSON document in /proc.
 *
 * The document is specified in uapi/sysinfo_gestor.h. Nothing runs while nobody reads: no thread, no timer, no hook.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#include "main.h"
#include "report.h"
#include "uapi/sysinfo_gestor.h"

/* Longest proc_name, so that the second name fits the buffer too. */
#define NAME_MAX_LEN 64

static char *proc_name = GESTOR_PROC_NAME;
module_param(proc_name, charp, 0444);
MODULE_PARM_DESC(proc_name, "name of the file in /proc (default " GESTOR_PROC_NAME ")");

static unsigned int gid;
module_param(gid, uint, 0444);
MODULE_PARM_DESC(gid, "group that may read the files (default 0)");

static unsigned int cmdline_max;
module_param(cmdline_max, uint, 0644);
MODULE_PARM_DESC(cmdline_max, "bytes of each command line to show, at most 4096 (default 0: none)");

static unsigned int max_procs = 65536;
module_param(max_procs, uint, 0644);
MODULE_PARM_DESC(max_procs, "most process rows, and most containers, in one document (default 65536)");

static unsigned int max_age_ms = 100;
module_param(max_age_ms, uint, 0644);
MODULE_PARM_DESC(max_age_ms, "readers within this time share one walk (default 100)");

static unsigned int batch = 256;
module_param(batch, uint, 0644);
MODULE_PARM_DESC(batch, "threads looked at in one RCU read section, 16 to 4096 (default 256)");

static char totals_name[NAME_MAX_LEN + sizeof(GESTOR_TOTALS_SUFFIX)];

/* What the administrator has set now, within what the code can bear. */
void gestor_limits_now(struct gestor_limits *limits)
{
	limits->batch = clamp(READ_ONCE(batch), 16U, 4096U);
	limits->max_procs = clamp(READ_ONCE(max_procs), 1U, 4U << 20);
	limits->max_age_ms = min(READ_ONCE(max_age_ms), 60000U);
	limits->cmdline_max = min(READ_ONCE(cmdline_max), 4096U);
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LEN && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static int add_file(const char *name, const struct proc_ops *ops)
{
	kgid_t group = make_kgid(&init_user_ns, gid);
	struct proc_dir_entry *entry;

	if (!gid_valid(group)) {
		pr_err("gid=%u is no group; give the number of the group that may read /proc/%s\n", gid, name);
		return -EINVAL;
	}
	entry = proc_create(name, 0440, NULL, ops);
	if (!entry) {
		pr_err("cannot create /proc/%s; give another proc_name if it exists\n", name);
		return -EEXIST;
	}
	proc_set_user(entry, GLOBAL_ROOT_UID, group);
	return 0;
}

static int __init gestor_init(void)
{
	int err;

	if (!name_ok(proc_name)) {
		pr_err("proc_name must be a file name of 1 to %d characters\n", NAME_MAX_LEN);
		return -EINVAL;
	}
	scnprintf(totals_name, sizeof(totals_name), "%s%s", proc_name, GESTOR_TOTALS_SUFFIX);
	snapshot_init();
	err = add_file(proc_name, &report_full_ops);
	if (err)
		return err;
	err = add_file(totals_name, &report_totals_ops);
	if (err)
		goto remove_full;
	pr_info("version %s: read /proc/%s\n", GESTOR_VERSION, proc_name);
	return 0;

remove_full:
	remove_proc_entry(proc_name, NULL);
	snapshot_drop_shared();
	return err;
}

/* remove_proc_entry waits for reads in progress and releases what is open; then nobody can reach the snapshot. */
static void __exit gestor_exit(void)
{
	remove_proc_entry(totals_name, NULL);
	remove_proc_entry(proc_name, NULL);
	snapshot_drop_shared();
}

module_init(gestor_init);
module_exit(gestor_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Gestor authors");
MODULE_DESCRIPTION("Containers of the host with their processes, as JSON in /proc");
MODULE_VERSION(GESTOR_VERSION);
