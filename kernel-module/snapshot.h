/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One reading of the host, shared by every reader that asks within max_age_ms.
 */
#ifndef GESTOR_SNAPSHOT_H
#define GESTOR_SNAPSHOT_H

#include <linux/kref.h>
#include <linux/types.h>

#include "host.h"
#include "limits.h"
#include "rows.h"

/* What the walk did and cost. */
struct gestor_walk {
	u64 ns;
	u64 longest_rcu_ns;
	u64 batches;
	u64 tasks_seen;
	u64 in_containers; /* processes of containers, also past a limit */
	u32 on_v1; /* containers found only through a v1 hierarchy */
	bool truncated;
};

struct gestor_snapshot {
	struct kref ref;
	u64 sequence;
	u64 boottime_ns;
	u64 realtime_ns;
	struct gestor_limits limits;
	struct gestor_walk walk;
	struct gestor_host host;
	struct gestor_rows rows;
	const struct gestor_rows *previous; /* the last snapshot's, while the walk lasts; NULL: none to build on */
	char path[4096]; /* room for one cgroup path: too large for the stack */
};

struct gestor_snapshot *snapshot_get(void);
void snapshot_put(struct gestor_snapshot *snap);
void snapshot_drop_shared(void);
u64 snapshot_instance(void);
void snapshot_init(void);

#endif
