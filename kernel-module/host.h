/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_HOST_H
#define GESTOR_HOST_H

#include <linux/types.h>

/* Memory of the host in KiB, by the names of /proc/meminfo. */
struct gestor_host {
	u64 total_kb;
	u64 free_kb;
	u64 available_kb;
	u64 shared_kb;
	u64 cached_kb;
	bool has_cached;
	u32 cpus;
};

void host_read(struct gestor_host *host);

#endif
