// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "duplicates.h"

/*
 * Which of two cgroups with the same id is the container: where the paths do not tell, v2 before v1, and the older
 * before the younger. An id is drawn by the engine, so nobody else can make a cgroup of that name before it has.
 */
static bool takes_precedence(const struct gestor_container *a, const struct gestor_container *b)
{
	int order = cgpath_order(&a->path, &b->path);

	if (order)
		return order < 0;
	if (a->key.hierarchy != b->key.hierarchy)
		return a->key.hierarchy < b->key.hierarchy;
	return a->key.cgroup_id < b->key.cgroup_id;
}

static bool has_same_id(const struct gestor_container *a, const struct gestor_container *b)
{
	return !memcmp(a->path.id, b->path.id, sizeof(a->path.id));
}

/* Marks all but one row of each id. @table has room for twice the rows, is empty, and gets indexes + 1. */
static u32 mark_duplicates(struct gestor_rows *rows, u32 *table, size_t mask)
{
	u32 duplicates = 0;
	size_t i, at;

	for (i = 0; i < rows->containers; i++) {
		struct gestor_container *c = &rows->container[i], *other = NULL;

		/* Ids are chosen by whoever makes the cgroup: without a secret they could be made to collide. */
		at = jhash(c->path.id, sizeof(c->path.id), (u32)snapshot_instance()) & mask;
		for (; table[at]; at = (at + 1) & mask) {
			other = &rows->container[table[at] - 1];
			if (has_same_id(other, c))
				break;
		}

		if (table[at]) {
			duplicates++;
			if (takes_precedence(other, c)) {
				c->duplicate = true;
				continue;
			}
			other->duplicate = true;
		}
		table[at] = i + 1;
	}

	return duplicates;
}

/* Moves the rows that stay together, and everything that points at them with it. */
static void compact(struct gestor_snapshot *snap)
{
	struct gestor_rows *rows = &snap->rows;
	size_t i, kept = 0;

	/* Until the rows are grouped, first_row is free: it holds the new place of each container. */
	for (i = 0; i < rows->containers; i++) {
		struct gestor_container *c = &rows->container[i];

		c->first_row = kept;
		if (!c->duplicate) {
			kept++;
			continue;
		}

		snap->walk.in_containers -= c->processes;
		if (!(c->has & CONTAINER_HAS_CPU))
			snap->walk.on_v1--;
	}

	for (i = 0; i < rows->slot_cap; i++) {
		struct gestor_slot *slot = &rows->slot[i];
		const struct gestor_container *c;

		if (!slot->cgroup_id || slot->container < 0)
			continue;
		c = &rows->container[slot->container];
		slot->container = c->duplicate ? ROW_OMITTED : (s32)c->first_row;
	}

	for (i = 0, kept = 0; i < rows->processes; i++) {
		const struct gestor_container *c = &rows->container[rows->process[i].container];

		if (c->duplicate)
			continue;
		rows->process[kept] = rows->process[i];
		rows->process[kept++].container = c->first_row;
	}
	rows->processes = kept;

	for (i = 0, kept = 0; i < rows->containers; i++) {
		if (!rows->container[i].duplicate)
			rows->container[kept++] = rows->container[i];
	}
	rows->containers = kept;
}

/**
 * duplicates_drop - after the walk: one row for each container id
 * @snap: its rows are not grouped yet
 *
 * A cgroup is a directory, and whoever was given one can make another in it that is named like somebody's container.
 * A document with two rows of one id would be bad for both.
 *
 * Return: 0 or -ENOMEM.
 */
int duplicates_drop(struct gestor_snapshot *snap)
{
	size_t cap = roundup_pow_of_two(2 * snap->rows.containers + 2);
	u32 *table = kvcalloc(cap, sizeof(*table), ROWS_GFP);

	if (!table)
		return -ENOMEM;

	if (mark_duplicates(&snap->rows, table, cap - 1))
		compact(snap);

	kvfree(table);
	return 0;
}
