// SPDX-License-Identifier: GPL-2.0
#include <linux/idr.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "cmdline.h"
#include "container.h"
#include "identity.h"
#include "process.h"
#include "walk.h"

/* Process rows of one batch whose command lines are still to be read, with a reference to each task. */
struct wanted {
	struct task_struct **task;
	size_t first_row;
	size_t count;
};

/* Looks at one process; called under RCU. */
static void see(struct gestor_snapshot *snap, struct task_struct *task, pid_t pid, struct wanted *wanted)
{
	struct gestor_rows *rows = &snap->rows;
	struct gestor_process *row;
	s32 container;

	snap->walk.tasks_seen++;
	container = identity_of(snap, task);
	if (container < 0)
		return;
	/* The place past the last row is there (rows_reserve): past max_procs it is used for the sums, not kept. */
	row = &rows->process[rows->processes];
	if (!process_read(task, pid, row))
		return;
	row->container = container;
	snap->walk.in_containers++;
	container_count(&rows->container[container], row);
	if (rows->processes >= snap->limits.max_procs) {
		snap->walk.truncated = true;
		return;
	}
	rows->container[container].row_count++;
	rows->processes++;
	if (wanted->task) {
		get_task_struct(task);
		wanted->task[wanted->count++] = task;
	}
}

/*
 * One RCU read section over the PIDs from *@nr on. A thread costs about as much as a process, so the batch is
 * counted in threads: what bounds it is the time that RCU is held. Returns false after the last PID.
 */
static bool batch(struct gestor_snapshot *snap, int *nr, struct wanted *wanted)
{
	u64 began = ktime_get_ns(), held;
	struct task_struct *task;
	u32 looked = 0;
	bool more = false;
	struct pid *pid;

	rcu_read_lock();
	while ((pid = idr_get_next(&init_pid_ns.idr, nr)) != NULL) {
		if (looked >= snap->limits.batch) {
			more = true;
			break;
		}
		looked++;
		task = pid_task(pid, PIDTYPE_TGID);
		if (task) {
			looked += max(READ_ONCE(task->signal->nr_threads), 1) - 1;
			see(snap, task, *nr, wanted);
		}
		++*nr;
	}
	rcu_read_unlock();
	held = ktime_get_ns() - began;
	snap->walk.longest_rcu_ns = max(snap->walk.longest_rcu_ns, held);
	snap->walk.batches++;
	return more;
}

/* Reads the command lines of the batch's rows, if any, and gives the tasks back. May sleep. */
static int read_cmdlines(struct gestor_snapshot *snap, struct wanted *wanted)
{
	int err = 0;
	size_t i;

	for (i = 0; i < wanted->count; i++) {
		struct gestor_process *row = &snap->rows.process[wanted->first_row + i];

		if (!err && !fatal_signal_pending(current))
			err = cmdline_read(&snap->rows, wanted->task[i], row, snap->limits.cmdline_max);
		put_task_struct(wanted->task[i]);
	}
	wanted->count = 0;
	wanted->first_row = snap->rows.processes;
	return err;
}

static int walk(struct gestor_snapshot *snap, struct wanted *wanted)
{
	const size_t room = snap->limits.batch + 1;
	bool more = true;
	int nr = 1, err;

	if (snap->before) {
		err = rows_expect(&snap->rows, snap->before, room);
		if (err)
			return err;
	}
	while (more) {
		err = rows_reserve(&snap->rows, room);
		if (err)
			return err;
		more = batch(snap, &nr, wanted);
		err = read_cmdlines(snap, wanted);
		if (err)
			return err;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * walk_tasks - look at every process of the host once and fill the snapshot's rows
 * @snap: limits are set, rows are empty
 *
 * tasklist_lock and the iteration of a cgroup's tasks are not exported; the host's table of PIDs is, and a walk over
 * it can be resumed at a number. So the walk goes in batches: RCU is never held longer than one batch takes, whatever
 * the number of processes, and memory is got between batches only.
 *
 * Return: 0, -ENOMEM, or -EINTR when the reader is being killed.
 */
int walk_tasks(struct gestor_snapshot *snap)
{
	struct wanted wanted = {};
	int err;

	if (snap->limits.cmdline_max) {
		wanted.task = kvmalloc_array(snap->limits.batch, sizeof(*wanted.task), ROWS_GFP);
		if (!wanted.task)
			return -ENOMEM;
	}
	err = walk(snap, &wanted);
	kvfree(wanted.task);
	return err;
}
