/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows that one walk fills: containers and processes, and the map from cgroup ids to containers.
 */
#ifndef GESTOR_ROWS_H
#define GESTOR_ROWS_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "pure/cgpath.h"

/* Optional fields of a container that could be had. */
#define CONTAINER_HAS_MEMORY BIT(0)
#define CONTAINER_HAS_LIMIT BIT(1)
#define CONTAINER_HAS_SWAP BIT(2)
#define CONTAINER_HAS_FROZEN BIT(3)
#define CONTAINER_HAS_CPU BIT(4) /* the cgroup's own counter, not the sum over its tasks */

/*
 * Not charged to the reader's memory cgroup: the last snapshot is kept for the next reader, and would stay charged to
 * this one, and keep its cgroup from being freed, long after it has closed the file.
 */
#define ROWS_GFP GFP_KERNEL

/* Instead of the index of a container: the cgroup is in no container. */
#define ROW_NONE (-1)
/* It is in one, which this document has no row for. The next walk asks again. */
#define ROW_OMITTED (-2)

/* Names a cgroup: each hierarchy counts its ids by itself. */
struct gestor_key {
	u64 cgroup_id;
	s32 hierarchy; /* 0 is cgroup v2 */
};

struct gestor_container {
	struct cgpath path; /* id and runtime */
	struct gestor_key key;
	u64 cpu_ns;
	u64 rss_kb;
	u64 vsz_kb;
	u64 memory_kb;
	u64 working_set_kb;
	u64 limit_kb;
	u64 peak_kb;
	u64 swap_kb;
	u64 oom_kills;
	u64 start_ns;
	u32 processes; /* seen; rows may be fewer */
	u32 threads;
	u32 first_row; /* of its processes, in gestor_rows.order */
	u32 row_count;
	u32 has;
	bool frozen;
	bool duplicate; /* another row of this id is the container (duplicates_drop) */
};

struct gestor_process {
	s32 container; /* index in gestor_rows.container */
	pid_t pid;
	pid_t ppid;
	pid_t nspid;
	u32 threads;
	u32 cmdline_at; /* in gestor_rows.text */
	u32 cmdline_len;
	char state;
	char name[TASK_COMM_LEN];
	u64 start_ns;
	u64 cpu_ns;
	u64 reaped_ns; /* CPU time of the children it has waited for */
	u64 vsz_kb;
	u64 rss_kb;
	u64 read_bytes;
	u64 write_bytes;
};

/* One entry of the open-addressing map; cgroup_id 0 is no cgroup's. */
struct gestor_slot {
	u64 cgroup_id;
	s32 hierarchy;
	s32 container;
};

struct gestor_rows {
	struct gestor_container *container;
	struct gestor_process *process;
	u32 *order; /* process rows grouped by container */
	struct gestor_slot *slot;
	char *text;
	size_t containers, container_cap;
	size_t processes, process_cap;
	size_t slots_used, slot_cap; /* slot_cap is a power of two */
	size_t text_len, text_cap;
};

int rows_reserve_like(struct gestor_rows *rows, const struct gestor_rows *like, size_t more);
int rows_reserve(struct gestor_rows *rows, size_t more);
int rows_reserve_text(struct gestor_rows *rows, size_t more);
struct gestor_slot *rows_slot(const struct gestor_rows *rows, struct gestor_key key);
int rows_group(struct gestor_rows *rows);
void rows_free(struct gestor_rows *rows);

#endif
