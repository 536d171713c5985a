// SPDX-License-Identifier: GPL-2.0
/*
 * sysinfo_gestor: every container of the host, with its processes, as one JSON document in /proc.
 *
 * The document is specified in uapi/sysinfo_gestor.h. Nothing runs while nobody reads: no thread, no timer, no hook.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/proc_fs.h>
#include <linux/uidgid.h>

#include "pure/procname.h"
#include "report.h"
#include "snapshot.h"
#include "uapi/sysinfo_gestor.h"

static char *proc_name = GESTOR_PROC_NAME;
module_param(proc_name, charp, 0444);
MODULE_PARM_DESC(proc_name, "file in /proc, beginning with " PROCNAME_PREFIX " (default " GESTOR_PROC_NAME ")");

static unsigned int gid;
module_param(gid, uint, 0444);
MODULE_PARM_DESC(gid, "group that may read the files (default 0)");

static char totals_name[PROCNAME_MAX + sizeof(GESTOR_TOTALS_SUFFIX)];

/* Asked before, since proc_create() answers a name that exists with a warning. No /proc here: nothing is known. */
static bool exists(const char *name)
{
	char path[sizeof("/proc/") + sizeof(totals_name)];
	struct path found;

	scnprintf(path, sizeof(path), "/proc/%s", name);
	if (kern_path(path, 0, &found))
		return false;
	path_put(&found);

	return true;
}

static int add_file(const char *name, const struct proc_ops *ops)
{
	kgid_t group = make_kgid(&init_user_ns, gid);
	struct proc_dir_entry *entry;

	if (!gid_valid(group)) {
		pr_err("gid=%u is no group; give the number of the group that may read /proc/%s\n", gid, name);
		return -EINVAL;
	}

	if (exists(name)) {
		pr_err("/proc/%s exists; give another proc_name\n", name);
		return -EBUSY;
	}

	entry = proc_create(name, 0440, NULL, ops);
	if (!entry) {
		pr_err("cannot create /proc/%s\n", name);
		return -ENOMEM;
	}
	proc_set_user(entry, GLOBAL_ROOT_UID, group);

	return 0;
}

static int __init gestor_init(void)
{
	const char *fault = procname_fault(proc_name);
	int err;

	if (fault) {
		pr_err("proc_name must %s\n", fault);
		return -EINVAL;
	}
	scnprintf(totals_name, sizeof(totals_name), "%s%s", proc_name, GESTOR_TOTALS_SUFFIX);

	/* From the first file on readers come: what they need is ready before. */
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
