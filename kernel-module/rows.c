// SPDX-License-Identifier: GPL-2.0
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "rows.h"

/* Makes *@array hold at least @need elements of @size bytes; keeps the first @used. May sleep. */
static int grow(void **array, size_t *cap, size_t used, size_t need, size_t size)
{
	size_t want = max(need, 2 * *cap);
	void *bigger;

	if (need <= *cap)
		return 0;

	bigger = kvmalloc_array(want, size, ROWS_GFP);
	if (!bigger)
		return -ENOMEM;

	if (used)
		memcpy(bigger, *array, used * size);
	kvfree(*array);
	*array = bigger;
	*cap = want;
	return 0;
}

static bool is_slot_of(const struct gestor_slot *slot, struct gestor_key key)
{
	return slot->cgroup_id == key.cgroup_id && slot->hierarchy == key.hierarchy;
}

/* The slot of @key, or the free one where it belongs (its cgroup_id is 0). */
struct gestor_slot *rows_slot(const struct gestor_rows *rows, struct gestor_key key)
{
	size_t mask = rows->slot_cap - 1;
	size_t at = hash_64(key.cgroup_id + ((u64)key.hierarchy << 56), 32) & mask;

	while (rows->slot[at].cgroup_id && !is_slot_of(&rows->slot[at], key))
		at = (at + 1) & mask;
	return &rows->slot[at];
}

/* Keeps the map at most half full with @more entries to come. */
static int grow_slots(struct gestor_rows *rows, size_t more)
{
	size_t want = roundup_pow_of_two(2 * (rows->slots_used + more));
	struct gestor_slot *old = rows->slot;
	size_t old_cap = rows->slot_cap, i;

	if (want <= old_cap)
		return 0;

	/* On failure the old map stays: the caller's rows remain usable. */
	rows->slot = kvcalloc(want, sizeof(*rows->slot), ROWS_GFP);
	if (!rows->slot) {
		rows->slot = old;
		return -ENOMEM;
	}

	rows->slot_cap = want;
	for (i = 0; i < old_cap; i++) {
		const struct gestor_key key = { old[i].cgroup_id, old[i].hierarchy };

		if (key.cgroup_id)
			*rows_slot(rows, key) = old[i];
	}

	kvfree(old);
	return 0;
}

static int reserve(struct gestor_rows *rows, size_t containers, size_t processes, size_t slots)
{
	int err;

	err = grow((void **)&rows->container, &rows->container_cap, rows->containers,
		   rows->containers + containers, sizeof(*rows->container));
	if (err)
		return err;

	err = grow((void **)&rows->process, &rows->process_cap, rows->processes, rows->processes + processes,
		   sizeof(*rows->process));
	if (err)
		return err;

	return grow_slots(rows, slots);
}

/**
 * rows_reserve - make room before a batch, since nothing may be allocated inside it
 * @rows: the rows
 * @more: how many tasks the batch may look at; each can bring a process row, a container and two cgroups
 *
 * Return: 0, or -ENOMEM with the rows unchanged and usable.
 */
int rows_reserve(struct gestor_rows *rows, size_t more)
{
	return reserve(rows, more, more, 2 * more);
}

/* Hosts change a little between two readings: an eighth more seldom has to grow. */
static size_t with_headroom(size_t count)
{
	return count + count / 8;
}

/**
 * rows_reserve_like - make room for a whole walk that will find about what the last one found
 * @rows: the rows, empty
 * @like: what the last walk filled
 * @more: what rows_reserve() will be asked for
 *
 * An array that grows by doubling is allocated, cleared and copied several times over.
 *
 * Return: 0 or -ENOMEM.
 */
int rows_reserve_like(struct gestor_rows *rows, const struct gestor_rows *like, size_t more)
{
	return reserve(rows, with_headroom(like->containers) + more, with_headroom(like->processes) + more,
		       with_headroom(like->slots_used) + 2 * more);
}

/* Makes room for @more bytes of command lines. May sleep. */
int rows_reserve_text(struct gestor_rows *rows, size_t more)
{
	return grow((void **)&rows->text, &rows->text_cap, rows->text_len, rows->text_len + more, 1);
}

/**
 * rows_group - after the walk: order the process rows by container, keeping the order of PIDs
 * @rows: the rows
 *
 * Return: 0 or -ENOMEM.
 */
int rows_group(struct gestor_rows *rows)
{
	u32 at = 0;
	size_t i;

	rows->order = kvmalloc_array(max_t(size_t, rows->processes, 1), sizeof(*rows->order), ROWS_GFP);
	if (!rows->order)
		return -ENOMEM;

	/* The counts give each container its range; filling the ranges counts them anew. */
	for (i = 0; i < rows->containers; i++) {
		rows->container[i].first_row = at;
		at += rows->container[i].row_count;
		rows->container[i].row_count = 0;
	}

	for (i = 0; i < rows->processes; i++) {
		struct gestor_container *c = &rows->container[rows->process[i].container];

		rows->order[c->first_row + c->row_count++] = i;
	}

	return 0;
}

void rows_free(struct gestor_rows *rows)
{
	kvfree(rows->container);
	kvfree(rows->process);
	kvfree(rows->order);
	kvfree(rows->slot);
	kvfree(rows->text);
	memset(rows, 0, sizeof(*rows));
}
