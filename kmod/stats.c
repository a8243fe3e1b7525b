// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics: sums over vcpus on reading, so that counting needs no lock and no shared cache line.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include "kmod/context.h"
#include "kmod/vcpu.h"

#define STATS_CALL_MAX 65536

/* What the context counts itself, as u64; the others are the sums over its vcpus. */
static const u32 context_counted[DUNE_NR_COUNTERS] = {
	[DUNE_COUNT_EPT_FILLS] = offsetof(struct dune_context, ept.fills),
	[DUNE_COUNT_EPT_LARGE] = offsetof(struct dune_context, ept.large_fills),
	[DUNE_COUNT_EPT_ZAPS] = offsetof(struct dune_context, ept.zaps),
	[DUNE_COUNT_EPT_RETRIES] = offsetof(struct dune_context, ept.retries),
	[DUNE_COUNT_SLOTS_NOW] = offsetof(struct dune_context, ept.nr_slots),
	[DUNE_COUNT_EPT_NOW] = offsetof(struct dune_context, ept.nr_pages),
	[DUNE_COUNT_IPIS] = offsetof(struct dune_context, ept.ipis),
	[DUNE_COUNT_LIMIT_HITS] = offsetof(struct dune_context, limit_hits),
	[DUNE_COUNT_PRIVATE_NOW] = offsetof(struct dune_context, private.nr_pages),
};

u64 context_counter(struct dune_context *ctx, unsigned int counter)
{
	unsigned int v, nr = smp_load_acquire(&ctx->nr_vcpus);	/* pairs with attach_bind */
	u64 sum = 0;

	if (context_counted[counter])
		return READ_ONCE(*(u64 *)((void *)ctx + context_counted[counter]));
	if (counter == DUNE_COUNT_VCPUS_NOW)
		return nr;
	for (v = 0; v < nr; v++) {
		sum += READ_ONCE(ctx->vcpus[v]->counters[counter]);
		/* The runtime answers these without an exit, and keeps its own count. */
		if (counter == DUNE_COUNT_UNKNOWN_CALLS)
			sum += READ_ONCE(*(u64 *)(page_address(ctx->vcpus[v]->args_page) +
						  DUNE_ARGS_UNKNOWN_CALLS));
	}
	return sum;
}

/* While there is a guest. */
static void collect_now(struct dune_context *ctx, struct dune_final *now)
{
	unsigned int v, i, nr = smp_load_acquire(&ctx->nr_vcpus);	/* pairs with attach_bind */

	memset(now, 0, sizeof(*now));
	for (v = 0; v < nr; v++)
		for (i = 0; i < DUNE_NR_EXITS; i++)
			now->exits[i] += READ_ONCE(ctx->vcpus[v]->exits[i]);
	for (i = 0; i < DUNE_NR_COUNTERS; i++)
		now->counters[i] = context_counter(ctx, i);
	/* What the reader adds up has to be the sum it reads, also while the guest runs. */
	now->counters[DUNE_COUNT_EXITS] = 0;
	for (i = 0; i < DUNE_NR_EXITS; i++)
		now->counters[DUNE_COUNT_EXITS] += now->exits[i];
}

/* For ever: nothing is in use any more. */
static void collect_final(struct dune_context *ctx, struct dune_final *final)
{
	collect_now(ctx, final);
	final->counters[DUNE_COUNT_VCPUS_NOW] = 0;
	final->counters[DUNE_COUNT_PRIVATE_NOW] = 0;
	final->counters[DUNE_COUNT_EPT_NOW] = 0;
	final->counters[DUNE_COUNT_SLOTS_NOW] = 0;
}

/* The process may have changed its name since it attached: dune-exec takes its program's. */
static void fill_comm(struct dune_context *ctx, struct dune_stats *stats)
{
	struct task_struct *task = get_pid_task(READ_ONCE(ctx->pid), PIDTYPE_TGID);

	/* pairs with notifier_release */
	if (task && smp_load_acquire(&ctx->state) != DUNE_STATE_ENDED)
		get_task_comm(ctx->comm, task);
	if (task)
		put_task_struct(task);
	memcpy(stats->comm, ctx->comm, sizeof(stats->comm));
}

static void stats_fill(struct dune_context *ctx, struct dune_stats *stats)
{
	const struct dune_final *counts = &ctx->final;
	struct dune_final now;
	unsigned int i;

	memset(stats, 0, sizeof(*stats));
	stats->id = ctx->id;
	stats->owner = from_kuid_munged(current_user_ns(), ctx->owner);
	stats->state = smp_load_acquire(&ctx->state);	/* pairs with who sets it */
	stats->pid = pid_vnr(READ_ONCE(ctx->pid));
	stats->cause = atomic_read(&ctx->cause);
	stats->created_ns = ctx->created_ns;
	for (i = 0; i < DUNE_NR_LIMITS; i++)
		stats->limits[i] = READ_ONCE(ctx->limits[i]);
	memcpy(stats->name, ctx->name, sizeof(stats->name));
	stats->labels = ctx->labels;
	fill_comm(ctx, stats);
	if (!ctx->guest_released) {
		collect_now(ctx, &now);
		counts = &now;
	}
	memcpy(stats->counters, counts->counters, sizeof(stats->counters));
	memcpy(stats->exits, counts->exits, sizeof(stats->exits));
}

/* Contexts are found by id again for each struct: nothing is held while user memory is written. */
int context_stats(struct dune_stats_call *call)
{
	struct dune_stats __user *buffer = u64_to_user_ptr(call->buffer);
	struct dune_context *ctx;
	struct dune_stats *stats;
	u64 id = call->after_id;
	int err = 0;

	if (!call->capacity || call->capacity > STATS_CALL_MAX)
		return -EINVAL;
	call->ret_count = 0;
	stats = kmalloc(sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return -ENOMEM;
	while (!err && call->ret_count < call->capacity) {
		mutex_lock(&contexts_lock);
		ctx = contexts_next(&id);
		if (ctx)
			stats_fill(ctx, stats);
		mutex_unlock(&contexts_lock);
		if (!ctx)
			break;
		if (copy_to_user(&buffer[call->ret_count++], stats, sizeof(*stats)))
			err = -EFAULT;
		else if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kfree(stats);
	return err;
}

/* ---- DUNE_TOTALS ---- */

static struct dune_totals buried; /* under contexts_lock: contexts without a guest */

static void totals_add(struct dune_totals *totals, const struct dune_final *final)
{
	unsigned int i;

	for (i = 0; i < DUNE_NR_COUNTERS; i++)
		totals->counters[i] += final->counters[i];
	for (i = 0; i < DUNE_NR_EXITS; i++)
		totals->exits[i] += final->exits[i];
}

void context_bury(struct dune_context *ctx)
{
	collect_final(ctx, &ctx->final);
	totals_add(&buried, &ctx->final);
	buried.ended[atomic_read(&ctx->cause)]++;
}

int context_totals(const struct dune_totals_call *call)
{
	struct dune_totals *totals;
	struct dune_context *ctx;
	struct dune_final now;
	int err;
	u64 id = 0;

	totals = kmalloc(sizeof(*totals), GFP_KERNEL);
	if (!totals)
		return -ENOMEM;
	err = mutex_lock_killable(&contexts_lock);
	if (err)
		goto out;
	*totals = buried;
	totals->created = atomic64_read(&dune_allocated.created);
	while ((ctx = contexts_next(&id))) {
		if (ctx->guest_released)
			continue;
		collect_now(ctx, &now);
		totals_add(totals, &now);
		if (atomic_read(&ctx->cause) != DUNE_END_NONE)
			totals->ended[atomic_read(&ctx->cause)]++;
	}
	mutex_unlock(&contexts_lock);
	if (copy_to_user(u64_to_user_ptr(call->buffer), totals, sizeof(*totals)))
		err = -EFAULT;
out:
	kfree(totals);
	return err;
}
