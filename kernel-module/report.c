// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/memcontrol.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uio.h>
#include <linux/utsname.h>

#include "pure/text.h"
#include "report.h"
#include "snapshot.h"
#include "uapi/sysinfo_gestor.h"

/* One open file. */
struct reader {
	struct gestor_snapshot *snap; /* NULL until the first read */
	bool restart; /* a read from position 0 has begun, and no snapshot was taken for it yet */
	bool totals; /* containers without their processes */
};

static void text_bool(struct text *t, bool value)
{
	if (value)
		text_literal(t, "true");
	else
		text_literal(t, "false");
}

static u64 ns_to_us(u64 ns)
{
	return div_u64(ns, NSEC_PER_USEC);
}

/* Containers were found in v2, and in v2 only, or would have been. */
static bool all_on_v2(const struct gestor_snapshot *snap)
{
	if (snap->rows.containers)
		return !snap->walk.on_v1;
#ifdef CONFIG_MEMCG
	if (!mem_cgroup_disabled())
		return cgroup_subsys_on_dfl(memory_cgrp_subsys);
#endif
	return true;
}

static void show_capabilities(struct text *t, const struct gestor_snapshot *snap)
{
	if (all_on_v2(snap))
		text_literal(t, ",\n\"capabilities\":{\"cgroup\":2,\"cpu_source\":\"cgroup\",\"io\":");
	else
		text_literal(t, ",\n\"capabilities\":{\"cgroup\":1,\"cpu_source\":\"tasks\",\"io\":");
	text_bool(t, IS_ENABLED(CONFIG_TASK_IO_ACCOUNTING));
	text_literal(t, ",\"psi\":false,\"exact_rss\":true}");
}

static void show_self(struct text *t, const struct gestor_walk *walk)
{
	text_field(t, ",\n\"self\":{\"walk_us\":", ns_to_us(walk->ns));
	text_field(t, ",\"tasks_seen\":", walk->tasks_seen);
	text_field(t, ",\"batches\":", walk->batches);
	text_field(t, ",\"longest_rcu_us\":", ns_to_us(walk->longest_rcu_ns));
	text_literal(t, "}");
}

static void show_memory(struct text *t, const struct gestor_host *host)
{
	text_field(t, ",\n\"memory\":{\"total_kb\":", host->total_kb);
	text_field(t, ",\"free_kb\":", host->free_kb);
	text_field(t, ",\"available_kb\":", host->available_kb);
	text_field(t, ",\"used_kb\":", host->total_kb - min(host->available_kb, host->total_kb));
	text_field(t, ",\"shared_kb\":", host->shared_kb);
	if (host->has_cached)
		text_field(t, ",\"cached_kb\":", host->cached_kb);
	text_literal(t, "}");
}

static void show_instance(struct text *t)
{
	char hex[17];

	scnprintf(hex, sizeof(hex), "%016llx", snapshot_instance());
	text_literal(t, ",\"instance\":\"");
	text_bytes(t, hex, 16);
	text_literal(t, "\"");
}

static void show_head(struct text *t, const struct gestor_snapshot *snap)
{
	text_field(t, "{\"version\":", GESTOR_DOCUMENT_VERSION);
	text_literal(t, ",\"source\":\"module\",\"module\":\"" GESTOR_VERSION "\",\"kernel\":");
	text_string(t, init_uts_ns.name.release, strnlen(init_uts_ns.name.release, __NEW_UTS_LEN));
	show_instance(t);
	text_field(t, ",\"sequence\":", snap->sequence);
	text_field(t, ",\"monotonic_us\":", ns_to_us(snap->boottime_ns));
	text_field(t, ",\"realtime_us\":", ns_to_us(snap->realtime_ns));
	text_field(t, ",\"cpus\":", snap->host.cpus);
	text_field(t, ",\"page_size\":", PAGE_SIZE);

	show_capabilities(t, snap);
	show_self(t, &snap->walk);
	show_memory(t, &snap->host);
	text_literal(t, ",\n\"containers\":[");
}

/* The totals view says so, and that rows are missing: a reader that wants them must not take it for the whole. */
static void show_trailer(struct text *t, const struct gestor_snapshot *snap, bool totals)
{
	text_field(t, "],\n\"container_total\":", snap->rows.containers);
	text_field(t, ",\"process_total\":", snap->walk.in_containers);
	if (totals)
		text_literal(t, ",\"view\":\"totals\"");
	text_literal(t, ",\"truncated\":");
	text_bool(t, snap->walk.truncated || totals);
	text_literal(t, ",\"end\":true}\n");
}

static void show_cgroup_memory(struct text *t, const struct gestor_container *c)
{
	text_field(t, ",\"memory_kb\":", c->memory_kb);
	text_field(t, ",\"working_set_kb\":", c->working_set_kb);
	if (c->has & CONTAINER_HAS_LIMIT)
		text_field(t, ",\"memory_max_kb\":", c->limit_kb);
	text_field(t, ",\"memory_peak_kb\":", c->peak_kb);
	if (c->has & CONTAINER_HAS_SWAP)
		text_field(t, ",\"swap_kb\":", c->swap_kb);
	text_field(t, ",\"oom_kills\":", c->oom_kills);
}

/*
 * A container up to and with the bracket that opens its processes; the last process row closes it. Id and runtime are
 * of letters that need no escape: the path parser sees to it.
 */
static void show_container(struct text *t, const struct gestor_container *c)
{
	text_literal(t, "\n{\"id\":\"");
	text_bytes(t, c->path.id, sizeof(c->path.id));
	text_field(t, "\",\"cgroup_id\":", c->key.cgroup_id);
	if (c->path.runtime[0]) {
		text_literal(t, ",\"runtime\":\"");
		text_bytes(t, c->path.runtime, strlen(c->path.runtime));
		text_literal(t, "\"");
	}

	text_field(t, ",\"process_count\":", c->processes);
	text_field(t, ",\"thread_count\":", c->threads);
	text_field(t, ",\"cpu_us\":", ns_to_us(c->cpu_ns));
	text_field(t, ",\"rss_kb\":", c->rss_kb);
	text_field(t, ",\"vsz_kb\":", c->vsz_kb);

	if (c->has & CONTAINER_HAS_MEMORY)
		show_cgroup_memory(t, c);
	if (c->has & CONTAINER_HAS_FROZEN) {
		text_literal(t, ",\"frozen\":");
		text_bool(t, c->frozen);
	}

	text_field(t, ",\"start_us\":", ns_to_us(c->start_ns));
	text_literal(t, ",\"processes\":[");
}

/* CPU time per time of life: 1000 is one core all the time. */
static u64 cpu_permille(const struct gestor_process *p, u64 now_ns)
{
	u64 age_us = now_ns > p->start_ns ? ns_to_us(now_ns - p->start_ns) : 0;

	return age_us ? div64_u64(p->cpu_ns, age_us) : 0;
}

static u64 memory_permille(const struct gestor_process *p, const struct gestor_host *host)
{
	return div64_u64(p->rss_kb * 1000, max_t(u64, host->total_kb, 1));
}

static void show_name(struct text *t, const struct gestor_process *p)
{
	text_field(t, "\n{\"pid\":", p->pid);
	text_field(t, ",\"ppid\":", p->ppid);
	if (p->nspid)
		text_field(t, ",\"nspid\":", p->nspid);
	text_literal(t, ",\"name\":");
	text_string(t, p->name, strlen(p->name));
}

static void show_figures(struct text *t, const struct gestor_snapshot *snap, const struct gestor_process *p)
{
	text_literal(t, ",\"state\":\"");
	text_bytes(t, &p->state, 1);
	text_field(t, "\",\"threads\":", p->threads);
	text_field(t, ",\"start_us\":", ns_to_us(p->start_ns));
	text_field(t, ",\"cpu_us\":", ns_to_us(p->cpu_ns));
	text_field(t, ",\"vsz_kb\":", p->vsz_kb);
	text_field(t, ",\"rss_kb\":", p->rss_kb);

	if (IS_ENABLED(CONFIG_TASK_IO_ACCOUNTING)) {
		text_field(t, ",\"io_read_bytes\":", p->read_bytes);
		text_field(t, ",\"io_write_bytes\":", p->write_bytes);
	}

	text_field(t, ",\"memory_permille\":", memory_permille(p, &snap->host));
	text_field(t, ",\"cpu_permille\":", cpu_permille(p, snap->boottime_ns));
	text_literal(t, "}");
}

static void show_process(struct text *t, const struct gestor_snapshot *snap, const struct gestor_process *p)
{
	show_name(t, p);
	if (p->cmdline_len) {
		text_literal(t, ",\"cmdline\":");
		text_string(t, snap->rows.text + p->cmdline_at, p->cmdline_len);
	}
	show_figures(t, snap, p);
}

/*
 * Positions of the sequence: 0 is the head, then each container followed by its processes, then the trailer. In the
 * totals view a container has no processes after it.
 */
static u64 container_pos(const struct reader *r, size_t index)
{
	return 1 + index + (r->totals ? 0 : r->snap->rows.container[index].first_row);
}

static u64 trailer_pos(const struct reader *r)
{
	const struct gestor_rows *rows = &r->snap->rows;

	return 1 + rows->containers + (r->totals ? 0 : rows->processes);
}

/* The container at @pos, or the one whose process stands there. */
static size_t container_at(const struct reader *r, u64 pos)
{
	size_t low = 0, high = r->snap->rows.containers;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (container_pos(r, middle) <= pos)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void show_row(struct text *t, const struct reader *r, u64 pos)
{
	const struct gestor_rows *rows = &r->snap->rows;
	size_t index = container_at(r, pos);
	const struct gestor_container *c = &rows->container[index];
	u64 row = pos - container_pos(r, index);
	u32 row_count = r->totals ? 0 : c->row_count;

	if (!row) {
		if (index)
			text_literal(t, ",");
		show_container(t, c);
	} else {
		if (row > 1)
			text_literal(t, ",");
		show_process(t, r->snap, &rows->process[rows->order[c->first_row + row - 1]]);
	}

	if (row == row_count)
		text_literal(t, "]}");
}

/*
 * A record is put together in the sequence's own buffer. One that does not fit is made again when the reader has taken
 * what is there, or in a larger buffer.
 */
static int report_show(struct seq_file *m, void *v)
{
	struct reader *r = m->private;
	u64 pos = *(loff_t *)v;
	struct text t = {};

	t.cap = seq_get_buf(m, &t.at);

	if (!pos)
		show_head(&t, r->snap);
	else if (pos == trailer_pos(r))
		show_trailer(&t, r->snap, r->totals);
	else
		show_row(&t, r, pos);

	seq_commit(m, t.overflow ? -1 : (int)t.len);

	return 0;
}

/* Called with the sequence's lock held, as all of its operations are. */
static int take_snapshot(struct reader *r)
{
	struct gestor_snapshot *snap = snapshot_get();

	if (IS_ERR(snap))
		return PTR_ERR(snap);

	snapshot_put(r->snap);
	r->snap = snap;
	WRITE_ONCE(r->restart, false);

	return 0;
}

/*
 * A document begins with a read from position 0: opening and stat cost nothing. To get to any other position the
 * sequence is started at 0 too, and again when a record needs a larger buffer: those go on with the same snapshot.
 */
static void *report_start(struct seq_file *m, loff_t *pos)
{
	struct reader *r = m->private;
	int err;

	if (!r->snap || READ_ONCE(r->restart)) {
		err = take_snapshot(r);
		if (err)
			return ERR_PTR(err);
	}

	return *pos <= trailer_pos(r) ? pos : NULL;
}

static void *report_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return *pos <= trailer_pos(m->private) ? pos : NULL;
}

static void report_stop(struct seq_file *m, void *v)
{
}

static const struct seq_operations report_seq_ops = {
	.start = report_start,
	.next = report_next,
	.stop = report_stop,
	.show = report_show,
};

/*
 * The file shows up in every procfs, in those of containers too, and a container's root passes any mode bits. Only
 * the procfs of the host's own PID namespace may be read.
 */
static int report_open(struct file *file, bool totals)
{
	struct reader *r;

	if (proc_pid_ns(file_inode(file)->i_sb) != &init_pid_ns)
		return -EACCES;

	r = __seq_open_private(file, &report_seq_ops, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->totals = totals;

	return 0;
}

static int report_open_full(struct inode *inode, struct file *file)
{
	return report_open(file, false);
}

static int report_open_totals(struct inode *inode, struct file *file)
{
	return report_open(file, true);
}

/*
 * seq_read_iter gives at most one of its buffers, a page, per call. Going on until the reader's buffer is full makes a
 * whole document one system call for a reader that brings the room.
 */
static ssize_t report_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct seq_file *m = iocb->ki_filp->private_data;
	struct reader *r = m->private;
	ssize_t total = 0, got;

	if (!iocb->ki_pos)
		WRITE_ONCE(r->restart, true);

	while (iov_iter_count(to)) {
		got = seq_read_iter(iocb, to);
		if (got <= 0)
			return total ? total : got;

		total += got;
		cond_resched();
		if (fatal_signal_pending(current))
			break;
	}

	return total;
}

static int report_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct reader *r = m->private;

	snapshot_put(r->snap);
	return seq_release_private(inode, file);
}

const struct proc_ops report_full_ops = {
	.proc_open = report_open_full,
	.proc_read_iter = report_read_iter,
	.proc_lseek = seq_lseek,
	.proc_release = report_release,
};

const struct proc_ops report_totals_ops = {
	.proc_open = report_open_totals,
	.proc_read_iter = report_read_iter,
	.proc_lseek = seq_lseek,
	.proc_release = report_release,
};
