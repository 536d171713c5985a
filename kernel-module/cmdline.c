// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>

#include "cmdline.h"
#include "pure/json.h"

/* Start and length of the arguments; false for a process without memory of its own. May sleep in mmput. */
static bool argument_range(struct task_struct *task, unsigned long *start, unsigned long *len)
{
	struct mm_struct *mm = get_task_mm(task);

	if (!mm)
		return false;

	spin_lock(&mm->arg_lock);
	*start = mm->arg_start;
	*len = mm->arg_end - mm->arg_start;
	spin_unlock(&mm->arg_lock);
	mmput(mm);

	return *len > 0;
}

/* Arguments stand one after the other, each ended by NUL: joined by spaces, without the last NULs. */
static size_t join_arguments(char *text, size_t len)
{
	size_t i;

	while (len && !text[len - 1])
		len--;

	for (i = 0; i < len; i++) {
		if (!text[i])
			text[i] = ' ';
	}

	return len;
}

/**
 * cmdline_read - the command line of one process
 * @rows: its text gets the bytes
 * @task: the caller holds a reference, and no lock: this sleeps, and waits for the memory of @task
 * @row: the process's row
 * @max: most bytes to take; a cut never splits a UTF-8 sequence
 *
 * FOLL_ANON, as /proc does: a file mapped over the arguments (by a process that means ill) is not read, since that
 * could wait for ever.
 *
 * Return: 0 also when there is no command line; -ENOMEM.
 */
int cmdline_read(struct gestor_rows *rows, struct task_struct *task, struct gestor_process *row, u32 max)
{
	unsigned long start, len;
	char *text;
	int err, got;

	if (!argument_range(task, &start, &len))
		return 0;

	err = rows_reserve_text(rows, max);
	if (err)
		return err;

	text = rows->text + rows->text_len;
	got = access_process_vm(task, start, text, min_t(unsigned long, len, max), FOLL_ANON);
	if (got <= 0)
		return 0;
	if (len > max)
		got = json_whole_utf8(text, got);

	row->cmdline_at = rows->text_len;
	row->cmdline_len = join_arguments(text, got);
	rows->text_len += row->cmdline_len;

	return 0;
}
