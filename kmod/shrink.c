// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT tables are a cache, so they are given back when the host is short of memory: a slot of each context in turn.
 * Never waits for a lock: what it runs inside of may hold it.
 */
#include <linux/slab.h>
#include <linux/shrinker.h>
#include "kmod/compat.h"
#include "kmod/context.h"
#include "kmod/shrink.h"

/* Tables that a context needs to go on at all: its top levels, and those of private memory. */
#define TABLES_KEPT	8

static unsigned long shrink_count(struct shrinker *unused, struct shrink_control *control)
{
	s64 pages = atomic64_read(&dune_allocated.ept_pages) -
		    TABLES_KEPT * atomic64_read(&dune_allocated.contexts);

	return pages > 0 ? pages : SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *unused, struct shrink_control *control)
{
	static u64 hand;	/* id of the context that gave last; under the table's lock */
	s64 idle = 0, nr = atomic64_read(&dune_allocated.contexts);
	unsigned long freed = 0;

	if (!mutex_trylock(&contexts_lock))
		return SHRINK_STOP;
	/* One more than there are: the end of the table counts, too. */
	while (freed < control->nr_to_scan && idle++ <= nr) {
		struct dune_context *ctx = contexts_next(&hand);
		u64 given = ctx && !ctx->guest_released ? ept_give_back(ctx) : 0;

		freed += given;
		if (given)
			idle = 0;
	}
	mutex_unlock(&contexts_lock);
	return freed ?: SHRINK_STOP;
}

static struct shrinker *shrinker;

int shrink_init(void)
{
	int err;

	shrinker = shrinker_alloc(0, "dune");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	shrinker->seeks = DEFAULT_SEEKS;
	err = shrinker_register_compat(shrinker);
	if (err)
		kfree(shrinker);
	return err;
}

void shrink_done(void)
{
	shrinker_free_compat(shrinker);
}
