// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/mm.h>

#include "compat/compat.h"
#include "host.h"

static u64 pages_to_kb(unsigned long pages)
{
	return (u64)pages << (PAGE_SHIFT - 10);
}

/* Fills @host with the figures that /proc/meminfo shows at this moment. Swap is not exported to modules. */
void host_read(struct gestor_host *host)
{
	unsigned long cached = 0;
	struct sysinfo info;
	long available;

	si_meminfo(&info);
	available = si_mem_available();

	host->total_kb = pages_to_kb(info.totalram);
	host->free_kb = pages_to_kb(info.freeram);
	host->shared_kb = pages_to_kb(info.sharedram);
	host->available_kb = available > 0 ? pages_to_kb(available) : 0;

	host->has_cached = compat_cached_pages(&cached);
	host->cached_kb = pages_to_kb(cached);
	host->cpus = num_online_cpus();
}
