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
#include "lookup.h"
#include "process.h"
#include "walk.h"

/* Process rows of one batch whose command lines are still to be read, with a reference to each task. */
struct cmdline_queue {
	struct task_struct **task;
	size_t first_row;
	size_t count;
};

/* Adds one process to its container, if it is in one; called under RCU. */
static void add_task(struct gestor_snapshot *snap, struct task_struct *task, pid_t pid, struct cmdline_queue *queue)
{
	struct gestor_rows *rows = &snap->rows;
	struct gestor_process *row;
	s32 container;

	snap->walk.tasks_seen++;
	container = lookup_container(snap, task);
	if (container < 0)
		return;

	/* The place past the last row is there (rows_reserve): past max_procs it is used for the sums, not kept. */
	row = &rows->process[rows->processes];
	if (!process_read(task, pid, row))
		return;
	row->container = container;

	snap->walk.in_containers++;
	container_add_process(&rows->container[container], row);
	if (rows->processes >= snap->limits.max_procs) {
		snap->walk.truncated = true;
		return;
	}

	rows->container[container].row_count++;
	rows->processes++;
	if (queue->task) {
		get_task_struct(task);
		queue->task[queue->count++] = task;
	}
}

/*
 * One RCU read section over the PIDs from *@nr on. A thread costs about as much as a process, so the batch is
 * counted in threads: what bounds it is the time that RCU is held. Returns false after the last PID.
 */
static bool walk_batch(struct gestor_snapshot *snap, int *nr, struct cmdline_queue *queue)
{
	u64 began = ktime_get_ns(), held;
	struct task_struct *task;
	u32 threads = 0;
	bool more = false;
	struct pid *pid;

	rcu_read_lock();
	while ((pid = idr_get_next(&init_pid_ns.idr, nr)) != NULL) {
		if (threads >= snap->limits.batch) {
			more = true;
			break;
		}

		threads++;
		task = pid_task(pid, PIDTYPE_TGID);
		if (task) {
			threads += max(READ_ONCE(task->signal->nr_threads), 1) - 1;
			add_task(snap, task, *nr, queue);
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
static int read_cmdlines(struct gestor_snapshot *snap, struct cmdline_queue *queue)
{
	int err = 0;
	size_t i;

	for (i = 0; i < queue->count; i++) {
		struct gestor_process *row = &snap->rows.process[queue->first_row + i];

		if (!err && !fatal_signal_pending(current))
			err = cmdline_read(&snap->rows, queue->task[i], row, snap->limits.cmdline_max);
		put_task_struct(queue->task[i]);
	}

	queue->count = 0;
	queue->first_row = snap->rows.processes;

	return err;
}

static int walk_all(struct gestor_snapshot *snap, struct cmdline_queue *queue)
{
	const size_t room = snap->limits.batch + 1;
	bool more = true;
	int nr = 1, err;

	if (snap->previous) {
		err = rows_reserve_like(&snap->rows, snap->previous, room);
		if (err)
			return err;
	}

	while (more) {
		err = rows_reserve(&snap->rows, room);
		if (err)
			return err;

		more = walk_batch(snap, &nr, queue);
		err = read_cmdlines(snap, queue);
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
	struct cmdline_queue queue = {};
	int err;

	if (snap->limits.cmdline_max) {
		queue.task = kvmalloc_array(snap->limits.batch, sizeof(*queue.task), ROWS_GFP);
		if (!queue.task)
			return -ENOMEM;
	}

	err = walk_all(snap, &queue);
	kvfree(queue.task);

	return err;
}
