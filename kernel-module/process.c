// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seqlock.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "process.h"

/* How often the counters are read without the lock before it is taken. */
#define STATS_TRIES 3

/* What the threads of a process, dead and alive, have used. */
struct usage {
	u64 cpu_ns;
	u64 reaped_ns;
	u64 read_bytes;
	u64 write_bytes;
};

/* I/O counters that the process and its reaped threads gathered; kernels without the accounting have none. */
static void add_io(struct usage *sum, const struct task_io_accounting *io)
{
#ifdef CONFIG_TASK_IO_ACCOUNTING
	/* data_race: each thread counts for itself without a lock; a count that is being made may be missed */
	sum->read_bytes += data_race(io->read_bytes);
	/* data_race: as above */
	sum->write_bytes += data_race(io->write_bytes);
#endif
}

/*
 * An exiting thread moves its figures from the task to signal_struct under stats_lock: the sum is right only when
 * no thread did so meanwhile, which the callers see to.
 */
static void sum_usage(struct signal_struct *sig, struct usage *sum)
{
	struct task_struct *t;

	memset(sum, 0, sizeof(*sum));
	/* data_race: the sequence lock tells afterwards whether it was one */
	sum->cpu_ns = data_race(sig->sum_sched_runtime);
	/* data_race: as above */
	sum->reaped_ns = data_race(sig->cutime + sig->cstime);
	add_io(sum, &sig->ioac);

	__for_each_thread(sig, t) {
		sum->cpu_ns += READ_ONCE(t->se.sum_exec_runtime);
		add_io(sum, &t->ioac);
	}
}

static void read_usage(struct signal_struct *sig, struct usage *sum)
{
	unsigned long flags;
	unsigned int seq;
	int try;

	for (try = 0; try < STATS_TRIES; try++) {
		seq = read_seqbegin(&sig->stats_lock);
		sum_usage(sig, sum);
		if (!read_seqretry(&sig->stats_lock, seq))
			return;
	}

	/* Threads end all the time: wait for a moment in which none does. */
	read_seqlock_excl_irqsave(&sig->stats_lock, flags);
	sum_usage(sig, sum);
	read_sequnlock_excl_irqrestore(&sig->stats_lock, flags);
}

static u64 pages_to_kb(long pages)
{
	return pages > 0 ? (u64)pages << (PAGE_SHIFT - 10) : 0;
}

/*
 * Resident pages, exactly: what the kernel keeps in per-CPU or per-thread caches is summed too (compat.h). Called
 * with the task_lock of a thread that has @mm, so that @mm stays.
 */
static u64 resident_kb(struct mm_struct *mm, struct signal_struct *sig)
{
	static const int kinds[] = { MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES };
	struct task_struct *t;
	long pages = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		pages += compat_mm_pages(mm, kinds[i]);
	if (!COMPAT_THREAD_PAGES)
		return pages_to_kb(pages);

	__for_each_thread(sig, t) {
		/* data_race: a thread that is exiting has given its pages back already or is about to */
		if (data_race(t->mm) != mm)
			continue;
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			pages += compat_thread_pages(t, kinds[i]);
	}

	return pages_to_kb(pages);
}

/*
 * Memory and name. When the leader has exited and other threads live on, they still hold the memory: /proc shows
 * none then, this does. task_lock keeps mm, so no reference has to be taken, whose release could sleep.
 */
static void read_memory(struct task_struct *leader, struct gestor_process *row)
{
	struct signal_struct *sig = leader->signal;
	struct task_struct *t;

	if (READ_ONCE(leader->flags) & PF_KTHREAD)
		return;

	__for_each_thread(sig, t) {
		struct mm_struct *mm;

		task_lock(t);
		mm = t->mm;
		if (mm) {
			/* data_race: mmap_lock may sleep; the size of this moment is as good */
			row->vsz_kb = pages_to_kb(data_race(mm->total_vm));
			row->rss_kb = resident_kb(mm, sig);
		}
		task_unlock(t);

		if (mm)
			return;
	}
}

static void read_name(struct task_struct *leader, struct gestor_process *row)
{
	task_lock(leader);
	memcpy(row->name, leader->comm, sizeof(row->name));
	task_unlock(leader);
	row->name[sizeof(row->name) - 1] = '\0';
}

/* The PID in the innermost namespace, where 1 is a container's init; 0 when the process has just gone. */
static pid_t innermost_pid(struct task_struct *leader)
{
	struct pid *pid = task_tgid(leader);

	return pid ? pid->numbers[pid->level].nr : 0;
}

/**
 * process_read - fill the row of one process
 * @leader: its thread group leader; the caller holds rcu_read_lock
 * @pid: its number in the host's PID namespace
 * @row: everything but container and command line is written
 *
 * Does not sleep. Takes task_lock, and rarely stats_lock, each for one process.
 *
 * Return: false when the process has been reaped meanwhile; then @row says nothing.
 */
bool process_read(struct task_struct *leader, pid_t pid, struct gestor_process *row)
{
	int threads = READ_ONCE(leader->signal->nr_threads);
	struct usage used;

	if (threads < 1)
		return false;

	memset(row, 0, sizeof(*row));
	row->pid = pid;
	row->ppid = task_tgid_nr_ns(rcu_dereference(leader->real_parent), &init_pid_ns);
	row->nspid = innermost_pid(leader);
	row->state = task_state_to_char(leader);
	row->threads = threads;
	row->start_ns = leader->start_boottime;

	read_name(leader, row);
	read_memory(leader, row);

	read_usage(leader->signal, &used);
	row->cpu_ns = used.cpu_ns;
	row->reaped_ns = used.reaped_ns;
	row->read_bytes = used.read_bytes;
	row->write_bytes = used.write_bytes;

	return true;
}
