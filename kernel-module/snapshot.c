// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "duplicates.h"
#include "snapshot.h"
#include "walk.h"

/* Guards the two that follow, and makes walks wait for each other: readers that come meanwhile share the result. */
static DEFINE_MUTEX(snapshot_lock);
static struct gestor_snapshot *shared; /* the newest, at most one is kept; freed at unload */
static u64 sequence;

static u64 instance; /* written once, when the module is loaded */

static void snapshot_release(struct kref *ref)
{
	struct gestor_snapshot *snap = container_of(ref, struct gestor_snapshot, ref);

	rows_free(&snap->rows);
	kvfree(snap);
}

/* Gives up one reference; NULL is allowed. */
void snapshot_put(struct gestor_snapshot *snap)
{
	if (snap)
		kref_put(&snap->ref, snapshot_release);
}

/* A walk and its result. Called with snapshot_lock held, so that the last snapshot stays. */
static struct gestor_snapshot *snapshot_create(void)
{
	struct gestor_snapshot *snap = kvzalloc(sizeof(*snap), ROWS_GFP);
	int err;

	if (!snap)
		return ERR_PTR(-ENOMEM);

	kref_init(&snap->ref);
	limits_read(&snap->limits);
	snap->boottime_ns = ktime_get_boottime_ns();
	snap->realtime_ns = ktime_get_real_ns();
	host_read(&snap->host);

	snap->previous = shared ? &shared->rows : NULL;
	err = walk_tasks(snap);
	snap->previous = NULL;

	if (!err)
		err = duplicates_drop(snap);
	if (!err)
		err = rows_group(&snap->rows);
	if (err) {
		snapshot_put(snap);
		return ERR_PTR(err);
	}

	snap->walk.ns = ktime_get_boottime_ns() - snap->boottime_ns;
	snap->sequence = ++sequence;

	return snap;
}

/*
 * Is the kept snapshot good for a reader that asked at @asked_ns? What it shows is as old as the begin of its walk. A
 * walk that began while the reader waited for it is good for any reader: so those that come during a walk share the
 * next one, however long walks take.
 */
static bool shared_is_fresh(u64 asked_ns)
{
	struct gestor_limits now;

	if (!shared)
		return false;

	limits_read(&now);

	return (s64)(asked_ns - shared->boottime_ns) < (s64)now.max_age_ms * NSEC_PER_MSEC;
}

/**
 * snapshot_get - the snapshot for a reader that begins a document
 *
 * One walk at a time; a reader shares a snapshot whose walk began less than max_age_ms before it asked. May sleep, can
 * be killed.
 *
 * Return: a snapshot to be given back with snapshot_put(), or ERR_PTR: -EINTR, -ENOMEM.
 */
struct gestor_snapshot *snapshot_get(void)
{
	const u64 asked_ns = ktime_get_boottime_ns();
	struct gestor_snapshot *snap;

	if (mutex_lock_killable(&snapshot_lock))
		return ERR_PTR(-EINTR);

	if (!shared_is_fresh(asked_ns)) {
		snap = snapshot_create();
		if (IS_ERR(snap))
			goto unlock;
		snapshot_put(shared);
		shared = snap;
	}

	/* Under the lock: the next reader may replace it, and give up the module's own reference. */
	snap = shared;
	kref_get(&snap->ref);
unlock:
	mutex_unlock(&snapshot_lock);
	return snap;
}

/* Frees the kept snapshot once no reader can come any more. */
void snapshot_drop_shared(void)
{
	mutex_lock(&snapshot_lock);
	snapshot_put(shared);
	shared = NULL;
	mutex_unlock(&snapshot_lock);
}

/* The number drawn when the module was loaded: a reader sees by it that sequence began again. */
u64 snapshot_instance(void)
{
	return instance;
}

void snapshot_init(void)
{
	get_random_bytes(&instance, sizeof(instance));
}
