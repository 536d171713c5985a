// SPDX-License-Identifier: GPL-2.0
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/mm_inline.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "identity.h"
#include "memory.h"

#ifdef CONFIG_MEMCG

static u64 pages_to_kb(unsigned long pages)
{
	return (u64)pages << (PAGE_SHIFT - 10);
}

/* Inactive file pages that the multi-generational LRU holds; the classic lists do not count those. */
static long generations_inactive_file(struct lruvec *lruvec)
{
	long pages = 0;
#ifdef CONFIG_LRU_GEN
	int gen, zone;

	for (gen = 0; gen < MAX_NR_GENS; gen++) {
		/* data_race: ageing may move on; a page counted in the wrong generation is right in the next reading */
		if (data_race(lru_gen_is_active(lruvec, gen)))
			continue;
		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			pages += READ_ONCE(lruvec->lrugen.nr_pages[gen][LRU_GEN_FILE][zone]);
	}
#endif

	return pages;
}

static long node_inactive_file(struct mem_cgroup_per_node *node)
{
	long pages = generations_inactive_file(&node->lruvec);
	int zone;

	for (zone = 0; zone < MAX_NR_ZONES; zone++)
		pages += READ_ONCE(node->lru_zone_size[zone][LRU_INACTIVE_FILE]);
	return pages;
}

/*
 * Inactive file pages of the whole subtree, from the lists themselves: memory.stat gives the same number only after
 * a flush, which modules cannot ask for.
 */
static u64 inactive_file_kb(struct mem_cgroup *memcg)
{
	struct cgroup_subsys_state *css;
	long pages = 0;

	css_for_each_descendant_pre(css, &memcg->css) {
		struct mem_cgroup *sub = mem_cgroup_from_css(css);
		int nid;

		for_each_node_state(nid, N_MEMORY)
			pages += node_inactive_file(sub->nodeinfo[nid]);
	}

	/* The lists are read without their locks: a sum of moving numbers may come out below zero. */
	return pages > 0 ? pages_to_kb(pages) : 0;
}

/* The tightest limit up the chain; false when nothing limits. */
static bool effective_limit(const struct page_counter *counter, unsigned long *pages)
{
	unsigned long limit = PAGE_COUNTER_MAX;

	for (; counter; counter = counter->parent)
		limit = min(limit, READ_ONCE(counter->max));

	*pages = limit;
	return limit < PAGE_COUNTER_MAX;
}

static void read_counters(struct mem_cgroup *memcg, struct gestor_container *c)
{
	unsigned long limit;
	u64 cache;

	cache = inactive_file_kb(memcg);
	c->memory_kb = pages_to_kb(page_counter_read(&memcg->memory));
	c->working_set_kb = c->memory_kb > cache ? c->memory_kb - cache : 0;
	c->peak_kb = pages_to_kb(READ_ONCE(memcg->memory.watermark));
	c->oom_kills = atomic_long_read(&memcg->memory_events[MEMCG_OOM_KILL]);
	c->has |= CONTAINER_HAS_MEMORY;

	if (effective_limit(&memcg->memory, &limit)) {
		c->limit_kb = pages_to_kb(limit);
		c->has |= CONTAINER_HAS_LIMIT;
	}

	/* v1 counts memory and swap together, which is another figure. */
	if (cgroup_subsys_on_dfl(memory_cgrp_subsys)) {
		c->swap_kb = pages_to_kb(page_counter_read(&memcg->swap));
		c->has |= CONTAINER_HAS_SWAP;
	}
}

/*
 * The memory controller's state for the container. In its own hierarchy (v1) the container's cgroup there is found
 * by the path of the task's, and has to be of the same container.
 */
static struct cgroup_subsys_state *memory_css(struct gestor_snapshot *snap, struct cgroup *cgrp,
					      struct task_struct *task, const struct gestor_container *c)
{
	struct cgpath path;
	struct cgroup *own;

	if (cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return cgrp->root == &cgrp_dfl_root ? rcu_dereference(cgrp->subsys[memory_cgrp_id]) : NULL;

	own = identity_cgroup(snap, task_css(task, memory_cgrp_id)->cgroup, &path);
	if (own && memcmp(path.id, c->path.id, sizeof(path.id)))
		return NULL;

	return own ? rcu_dereference(own->subsys[memory_cgrp_id]) : NULL;
}

/**
 * memory_read - what the memory controller knows of a container
 * @snap: lends its path buffer
 * @cgrp: the container's own cgroup; the caller holds rcu_read_lock
 * @task: a process in it
 * @c: path is set; the figures are written; without a memory controller nothing is, and the fields stay absent
 *
 * Every figure is a plain atomic read. Does not sleep.
 */
void memory_read(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task,
		 struct gestor_container *c)
{
	struct cgroup_subsys_state *css;

	if (mem_cgroup_disabled())
		return;

	css = memory_css(snap, cgrp, task, c);
	if (css)
		read_counters(mem_cgroup_from_css(css), c);
}

#else

void memory_read(struct gestor_snapshot *snap, struct cgroup *cgrp, struct task_struct *task,
		 struct gestor_container *c)
{
}

#endif
