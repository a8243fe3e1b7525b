/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A context: one process's EPT, private memory, limits and counters. One per mm.
 */
#ifndef DUNE_CONTEXT_H
#define DUNE_CONTEXT_H

#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include "proto/dune_abi.h"
#include "kmod/ept.h"
#include "kmod/private.h"

struct dune_vcpu;

/* Counters as they were when the guest was released. */
struct dune_final {
	u64 counters[DUNE_NR_COUNTERS];
	u64 exits[DUNE_NR_EXITS];
};

/*
 * Locks, in order:
 *	C  contexts_lock (context.c): the table of contexts
 *	m  ctx->lock: attach, lock, vcpu creation
 *	e  ctx->ept.lock: EPT, slots, private pages' EPT leaves (never sleeps; taken by the notifier)
 * I: immutable once the context is published.  o: written once, under m, read after an acquire.
 * a: atomic.
 */
struct dune_context {
	struct kref ref;
	u64 id;				/* [I] */
	kuid_t owner;			/* [I] */
	u64 created_ns;			/* [I] */
	char name[DUNE_NAME_MAX];	/* [I] */
	struct dune_labels labels;	/* [I] the service's */
	struct mutex lock;
	u64 limits[DUNE_NR_LIMITS];	/* WRITE_ONCE under C */

	struct mm_struct *mm;		/* [C] identity only; set first of all at attach */
	struct mmu_notifier notifier;
	struct pid *pid;		/* [o] thread group */
	char comm[TASK_COMM_LEN];	/* [C] last name known */
	unsigned int state;		/* DUNE_STATE_*; stored with release */
	atomic_t cause;			/* [a] DUNE_END_*, set once */
	struct dune_report report;	/* filled by whoever set cause, see report_ready */
	bool report_ready;		/* stored with release */
	unsigned long area_mapped;	/* [a] bit per page of vcpu 0's host area */

	struct dune_ept ept;
	struct dune_private private;
	u32 signal_vector;		/* [o] */

	unsigned int nr_vcpus;		/* [m] stored with release */
	struct dune_vcpu *vcpus[DUNE_MAX_VCPUS];	/* [m] slots below nr_vcpus are stable */

	atomic64_t limit_hits;		/* [a] */
	struct work_struct free_work;
	bool guest_released;		/* [C] vcpus, EPT and private memory are gone; final is valid */
	struct dune_final final;	/* [C] */
};

/* Allocations of the whole module, for DUNE_INFO. */
struct dune_allocated {
	atomic64_t contexts, vcpus, ept_pages, private_pages, run_pages, vmcs_pages;
	atomic64_t created, refused, assertions;
};
extern struct dune_allocated dune_allocated;

/* By DUNE_LIMIT_*. */
extern unsigned long dune_ceilings[DUNE_NR_LIMITS];

/* An internal invariant: reported once in the log, counted always, never fatal to the host. */
#define dune_assert(cond)                                                    \
	({                                                                   \
		bool __ok = (cond);                                          \
		if (unlikely(!__ok)) {                                       \
			atomic64_inc(&dune_allocated.assertions);               \
			WARN_ONCE(1, "dune: assertion failed: %s\n", #cond); \
		}                                                            \
		__ok;                                                        \
	})

int context_init(void);
void context_done(void);

/* A new context with one reference. -EDQUOT, -ENOSPC, -EBUSY, -ERANGE, -EINVAL, -ENOMEM. */
struct dune_context *context_create(const struct dune_create *arg);
int context_attach(struct dune_context *ctx, struct dune_attach *arg);
int context_lock(struct dune_context *ctx, const struct dune_lock *arg);
int context_set_limits(const struct dune_set_limits *arg);
int context_kill(const struct dune_kill *arg);
int context_report(struct dune_report *arg);

/* stats.c: DUNE_STATS, DUNE_TOTALS. */
int context_stats(struct dune_stats_call *call);
/* One of its counters; counter < DUNE_NR_COUNTERS. Takes no lock. */
u64 context_counter(struct dune_context *ctx, unsigned int counter);
int context_totals(const struct dune_totals_call *call);
/* Under C: the sums over the context's vcpus become ctx->final, and count for ever. */
void context_bury(struct dune_context *ctx);

void context_put(struct dune_context *ctx);

/* For who goes through the table of contexts; contexts_next goes round and is NULL at its end. */
extern struct mutex contexts_lock;
struct dune_context *contexts_next(u64 *id);

/*
 * Ends the context for `cause`: the process gets SIGKILL. The first caller wins and returns true; it
 * then fills ctx->report and calls context_report_done.
 */
bool context_end(struct dune_context *ctx, u32 cause);
void context_report_done(struct dune_context *ctx);

/* Is `count` more allowed by limit `which`, with `used` in use? Counts and reports a refusal. */
u64 context_limit(struct dune_context *ctx, unsigned int which);
bool context_within(struct dune_context *ctx, unsigned int which, u64 used, u64 count);

/* The vcpu of the calling thread, or NULL. */
struct dune_vcpu *context_vcpu(struct dune_context *ctx);

#endif
