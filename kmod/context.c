// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: creation, binding to an mm, limits, end. The struct lives as long as its fd or its mm; what it
 * allocated goes when the mm goes, whoever still holds the fd. Lock order: see context.h.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>
#include "kmod/area.h"
#include "kmod/compat.h"
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/event.h"
#include "kmod/trace.h"
#include "kmod/vcpu.h"

DEFINE_MUTEX(contexts_lock);
static DEFINE_XARRAY(contexts); /* id -> context; changed under contexts_lock */
static u64 next_id = 1; /* under contexts_lock */
static struct workqueue_struct *free_queue;

struct dune_allocated dune_allocated;

/* Host ceilings: root's, by module parameter. A compromised duned can't raise them. */
unsigned long dune_ceilings[DUNE_NR_LIMITS] = {
	[DUNE_LIMIT_CONTEXTS] = 10000,
	[DUNE_LIMIT_VCPUS] = DUNE_MAX_VCPUS,
	[DUNE_LIMIT_PRIVATE] = 65536,
	[DUNE_LIMIT_EPT] = 262144,
};

static unsigned long ceiling(unsigned int which)
{
	return READ_ONCE(dune_ceilings[which]);
}

/* Fills in ceilings for zeroes; -ERANGE above a ceiling unless it was so, or below DUNE_EPT_PAGES_MIN. */
static int limits_resolve(const u64 *wanted, u64 *ret_limits)
{
	unsigned int i;

	for (i = 0; i < DUNE_NR_LIMITS; i++)
		if ((wanted[i] > ceiling(i) && wanted[i] != ret_limits[i]) ||
		    (i == DUNE_LIMIT_EPT && wanted[i] && wanted[i] < DUNE_EPT_PAGES_MIN))
			return -ERANGE;
	for (i = 0; i < DUNE_NR_LIMITS; i++)
		WRITE_ONCE(ret_limits[i], wanted[i] ? wanted[i] : ceiling(i));
	return 0;
}

u64 context_limit(struct dune_context *ctx, unsigned int which)
{
	return min_t(u64, READ_ONCE(ctx->limits[which]), ceiling(which));
}

bool context_within(struct dune_context *ctx, unsigned int which, u64 used, u64 count)
{
	u64 limit = context_limit(ctx, which), hits;

	if (count <= limit && used <= limit - count)
		return true;
	atomic64_inc(&dune_allocated.refused);
	hits = atomic64_inc_return(&ctx->limit_hits);
	/* The 1st, 2nd, 4th, 8th ...: a tenant can't drown the others' events. */
	if (is_power_of_2(hits))
		event_post(ctx, DUNE_EVENT_LIMIT, which, limit);
	trace_dune_limit(ctx->id, which, limit);
	return false;
}

/* ---- end of life ---- */

/*
 * Everything of the guest. The mm is gone and so are its notifier's callbacks, and readers of statistics keep to
 * ctx->final: nobody else looks.
 */
static void context_release_guest(struct dune_context *ctx)
{
	unsigned int i;

	for (i = 0; i < ctx->nr_vcpus; i++)
		vcpu_free(ctx->vcpus[i]);
	private_done(&ctx->private);
	ept_done(&ctx->ept);
}

static void context_free_work(struct work_struct *work)
{
	struct dune_context *ctx = container_of(work, struct dune_context, free_work);

	mutex_lock(&contexts_lock);
	context_bury(ctx);
	ctx->guest_released = true;
	mutex_unlock(&contexts_lock);
	context_release_guest(ctx);
	hw_put();
	/* The mm's references. */
	context_put(ctx);
	module_put(THIS_MODULE);
}

static void context_free(struct kref *ref)
{
	struct dune_context *ctx = container_of(ref, struct dune_context, ref);
	bool never_attached = !ctx->guest_released;

	event_post(ctx, DUNE_EVENT_FREED, 0, 0);
	xa_erase(&contexts, ctx->id);
	if (never_attached) {
		context_bury(ctx);
		context_release_guest(ctx);
		hw_put();
	}
	put_pid(ctx->pid);
	kvfree(ctx);
	atomic64_dec(&dune_allocated.contexts);
}

void context_put(struct dune_context *ctx)
{
	/* Readers of the table hold contexts_lock, so they never meet a context on its way out. */
	if (kref_put_mutex(&ctx->ref, context_free, &contexts_lock))
		mutex_unlock(&contexts_lock);
}

bool context_end(struct dune_context *ctx, u32 cause)
{
	struct task_struct *process, *task;

	if (atomic_cmpxchg(&ctx->cause, DUNE_END_NONE, cause) != DUNE_END_NONE)
		return false;
	/*
	 * All that have the mm, also those who share it, natively made by clone or vfork; a leader may be gone. And nobody
	 * else: the process that attached may run another program by now, with other rights, while one that it made
	 * keeps the mm. The lock holds off exec. Once the context has ended the mm's address may be another's.
	 */
	rcu_read_lock();
	for_each_process_thread(process, task) {
		task_lock(task);
		if (ctx->mm && task->mm == ctx->mm && !(task->flags & PF_KTHREAD) &&
		    smp_load_acquire(&ctx->state) != DUNE_STATE_ENDED) /* notifier_release */
			send_sig(SIGKILL, task, 1);
		task_unlock(task);
	}
	rcu_read_unlock();
	return true;
}

void context_report_done(struct dune_context *ctx)
{
	ctx->report.cause = atomic_read(&ctx->cause);
	smp_store_release(&ctx->report_ready, true);	/* pairs with context_report */
	event_post(ctx, DUNE_EVENT_ENDED, ctx->report.cause, ctx->report.regs.rip);
	trace_dune_end(ctx->id, ctx->report.cause, ctx->report.regs.rip);
}

/* ---- the mm's notifier ---- */

static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct dune_context *ctx = container_of(mn, struct dune_context, notifier);

	/* No thread of this mm will enter again; the rest follows once no callback can run (free_notifier). */
	ept_invalidate_start(ctx, 0, ULONG_MAX);
	ept_invalidate_end(ctx);
	smp_store_release(&ctx->state, DUNE_STATE_ENDED);	/* pairs with who looks */
	if (atomic_cmpxchg(&ctx->cause, DUNE_END_NONE, DUNE_END_EXIT) == DUNE_END_NONE)
		context_report_done(ctx);
	mmu_notifier_put(mn);
}

static int notifier_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	ept_invalidate_start(container_of(mn, struct dune_context, notifier), range->start,
			     range->end);
	return 0;
}

static void notifier_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	ept_invalidate_end(container_of(mn, struct dune_context, notifier));
}

static int notifier_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start,
			  unsigned long end)
{
	return ept_zap_young(container_of(mn, struct dune_context, notifier), start, end);
}

static int notifier_test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long address)
{
	return ept_test_young(container_of(mn, struct dune_context, notifier), address);
}

static void notifier_free(struct mmu_notifier *mn)
{
	struct dune_context *ctx = container_of(mn, struct dune_context, notifier);

	queue_work(free_queue, &ctx->free_work);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = notifier_release,
	.invalidate_range_start = notifier_start,
	.invalidate_range_end = notifier_end,
	.clear_flush_young = notifier_young,
	.clear_young = notifier_young,
	.test_young = notifier_test_young,
	.free_notifier = notifier_free,
};

/* ---- create ---- */

static bool name_ok(const char *name, size_t size)
{
	size_t i, length = strnlen(name, size);

	if (length == size)
		return false;
	for (i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

static u64 owned_by(kuid_t owner)
{
	struct dune_context *ctx;
	unsigned long id;
	u64 count = 0;

	lockdep_assert_held(&contexts_lock);
	xa_for_each(&contexts, id, ctx)
		count += uid_eq(ctx->owner, owner);
	return count;
}

/* Puts the context into the table if the host's and the owner's limits allow it. */
static int context_admit(struct dune_context *ctx)
{
	u64 limit = ctx->limits[DUNE_LIMIT_CONTEXTS];
	int err;

	mutex_lock(&contexts_lock);
	if (atomic64_read(&dune_allocated.contexts) >= ceiling(DUNE_LIMIT_CONTEXTS)) {
		err = -ENOSPC;
	} else if (owned_by(ctx->owner) >= limit) {
		err = -EDQUOT;
	} else {
		ctx->id = next_id;
		err = xa_err(xa_store(&contexts, ctx->id, ctx, GFP_KERNEL_ACCOUNT));
	}
	if (!err) {
		next_id++;
		atomic64_inc(&dune_allocated.contexts);
		atomic64_inc(&dune_allocated.created);
	} else if (err != -ENOMEM) {
		atomic64_inc(&dune_allocated.refused);
	}
	mutex_unlock(&contexts_lock);
	return err;
}

static struct dune_context *context_alloc(const struct dune_create *arg)
{
	struct dune_context *ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	int err;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	kref_init(&ctx->ref);
	mutex_init(&ctx->lock);
	INIT_WORK(&ctx->free_work, context_free_work);
	xa_init(&ctx->private.pages);
	ctx->created_ns = ktime_get_ns();
	ctx->owner = make_kuid(current_user_ns(), arg->owner);
	memcpy(ctx->name, arg->name, sizeof(ctx->name));
	ctx->labels = arg->labels;
	err = uid_valid(ctx->owner) ? limits_resolve(arg->limits, ctx->limits) : -EINVAL;
	if (!err)
		err = ept_init(&ctx->ept);
	if (!err)
		return ctx;
	kvfree(ctx);
	return ERR_PTR(err);
}

struct dune_context *context_create(const struct dune_create *arg)
{
	struct dune_context *ctx;
	int err;

	if (!name_ok(arg->name, sizeof(arg->name)) || arg->pad ||
	    !name_ok(arg->labels.cgroup, sizeof(arg->labels.cgroup)) ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return ERR_PTR(-EINVAL);
	ctx = context_alloc(arg);
	if (IS_ERR(ctx))
		return ctx;
	err = hw_get(arg->kvm_fd);
	if (err)
		goto free_context;
	err = context_admit(ctx);
	if (err)
		goto put_cpu;
	event_post(ctx, DUNE_EVENT_CREATED, 0, 0);
	return ctx;

put_cpu:
	hw_put();
free_context:
	ept_done(&ctx->ept);
	kvfree(ctx);
	return ERR_PTR(err);
}

/* ---- attach and lock ---- */

/* Binds context and mm to each other, if neither is bound: from here on nobody else gets in between. */
static int attach_reserve(struct dune_context *ctx)
{
	struct dune_context *other;
	unsigned long id;
	int err = 0;

	mutex_lock(&contexts_lock);
	if (ctx->mm)
		err = -EEXIST;
	xa_for_each(&contexts, id, other)
		if (other->mm == current->mm && READ_ONCE(other->state) != DUNE_STATE_ENDED)
			err = -EEXIST;
	if (!err)
		ctx->mm = current->mm;
	mutex_unlock(&contexts_lock);
	return err;
}

static void attach_unreserve(struct dune_context *ctx)
{
	mutex_lock(&contexts_lock);
	ctx->mm = NULL;
	mutex_unlock(&contexts_lock);
}

/*
 * Does another process share the mm (vfork, CLONE_VM)? Its count of users can't tell: whoever reads the
 * process's /proc files is one for a moment.
 */
static bool mm_shared(void)
{
	struct task_struct *process, *task;
	bool shared = false;

	/* Threads one by one: a group whose leader has exited still has the mm. */
	rcu_read_lock();
	for_each_process_thread(process, task)
		if (!same_thread_group(task, current) && !(task->flags & PF_KTHREAD) &&
		    READ_ONCE(task->mm) == current->mm)
			shared = true;
	rcu_read_unlock();
	return shared;
}

static int attach_allowed(struct dune_context *ctx)
{
	if (!uid_eq(current_euid(), ctx->owner))
		return -EPERM;
	if (get_dumpable(current->mm) != SUID_DUMP_USER)
		return -EACCES;
	if (!thread_group_empty(current) || mm_shared())
		return -EBUSY;
	/* Whoever forbade these would be got around: the guest has RDTSC, CPUID, and private memory to write and run. */
	if (test_thread_flag(TIF_NOTSC) || test_thread_flag(TIF_NOCPUID) ||
	    mm_has_mdwe(current->mm))
		return -EOPNOTSUPP;
	return 0;
}

/* No lock of others' is held here: allocation and the mmap lock may take as long as the caller likes. */
static int attach_bind(struct dune_context *ctx)
{
	struct dune_vcpu *vcpu;
	int err;

	err = vcpu_create(ctx, &vcpu);
	if (err)
		return err;
	ctx->notifier.ops = &notifier_ops;
	err = mmu_notifier_register(&ctx->notifier, current->mm);
	if (err) {
		vcpu_free(vcpu);
		return err;
	}
	/* The mm's references, given back by context_free_work: the fd may be closed long before. */
	kref_get(&ctx->ref);
	__module_get(THIS_MODULE);
	ctx->pid = get_pid(task_tgid(current));
	get_task_comm(ctx->comm, current);
	ctx->vcpus[0] = vcpu;
	smp_store_release(&ctx->nr_vcpus, 1);	/* the vcpu is whole */
	smp_store_release(&ctx->state, DUNE_STATE_ATTACHED);	/* as is all of the above */
	return 0;
}

int context_attach(struct dune_context *ctx, struct dune_attach *arg)
{
	int err;

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	err = attach_allowed(ctx) ?: attach_reserve(ctx);
	if (err)
		return err;
	mutex_lock(&ctx->lock);
	err = attach_bind(ctx);
	mutex_unlock(&ctx->lock);
	if (err) {
		attach_unreserve(ctx);
		return err;
	}
	event_post(ctx, DUNE_EVENT_ATTACHED, 0, 0);
	arg->ret_id = ctx->id;
	return 0;
}

static bool canonical(u64 address)
{
	return __is_canonical_address(address, DUNE_ADDRESS_BITS);
}

static bool upper(u64 address)
{
	return canonical(address) && (s64)address < 0;
}

/* clang-format off */
/* One rule a line, for what VM entry checks (SDM 3C 27.3.1) and what private state requires. */
static bool state_ok(const struct dune_vcpu_state *s)
{
	return upper(s->rip) && canonical(s->rsp) &&
	       !(s->cr3 & ~PAGE_MASK) && s->cr3 < DUNE_PRIVATE_END &&
	       upper(s->gdt_base) && s->gdt_limit <= 0xffff &&
	       upper(s->idt_base) && s->idt_limit <= 0xffff &&
	       upper(s->tr_base) && s->tr_limit >= 0x67 && s->tr_limit <= 0xffff &&
	       s->tr_selector && !(s->tr_selector & 7) &&
	       s->cs_selector && !(s->cs_selector & 7) &&
	       s->ss_selector && !(s->ss_selector & 7) &&
	       !s->pad[0] && !s->pad[1] && !s->pad[2] &&
	       upper(s->lstar) && !(s->fmask >> 32) &&
	       canonical(s->fs_base) && canonical(s->gs_base);
}
/* clang-format on */

int context_lock(struct dune_context *ctx, const struct dune_lock *arg)
{
	int err = 0;

	if (arg->pad || arg->signal_vector < 32 || arg->signal_vector > 255 ||
	    !state_ok(&arg->state))
		return -EINVAL;
	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	if (ctx->state != DUNE_STATE_ATTACHED)
		err = -EBUSY;
	else if (!area_complete(ctx))
		err = -ENXIO;
	if (!err) {
		ctx->signal_vector = arg->signal_vector;
		ctx->vcpus[0]->start = arg->state;
		ctx->vcpus[0]->run->regs.rip = arg->state.rip;
		ctx->vcpus[0]->run->regs.rsp = arg->state.rsp;
		/* start and registers are there */
		smp_store_release(&ctx->state, DUNE_STATE_RUNNING);
	}
	mutex_unlock(&ctx->lock);
	if (!err)
		event_post(ctx, DUNE_EVENT_RUNNING, 0, 0);
	return err;
}

struct dune_vcpu *context_vcpu(struct dune_context *ctx)
{
	unsigned int i, nr = smp_load_acquire(&ctx->nr_vcpus);	/* pairs with attach_bind */

	for (i = 0; i < nr; i++)
		if (ctx->vcpus[i]->task == current)
			return ctx->vcpus[i];
	return NULL;
}

/* ---- operations by id ---- */

struct dune_context *contexts_next(u64 *id)
{
	unsigned long index = *id;
	struct dune_context *ctx = NULL;

	lockdep_assert_held(&contexts_lock);
	if (index < ULONG_MAX)
		ctx = xa_find_after(&contexts, &index, ULONG_MAX, XA_PRESENT);
	*id = ctx ? index : 0;
	return ctx;
}

int context_set_limits(const struct dune_set_limits *arg)
{
	struct dune_context *ctx;
	int err = -ENOENT;

	mutex_lock(&contexts_lock);
	ctx = xa_load(&contexts, arg->id);
	if (ctx)
		err = limits_resolve(arg->limits, ctx->limits);
	mutex_unlock(&contexts_lock);
	return err;
}

int context_kill(const struct dune_kill *arg)
{
	struct dune_context *ctx;
	int err = 0;

	mutex_lock(&contexts_lock);
	ctx = xa_load(&contexts, arg->id);
	if (!ctx)
		err = -ENOENT;
	else if (!READ_ONCE(ctx->pid) ||
		 smp_load_acquire(&ctx->state) == DUNE_STATE_ENDED) /* pairs with who sets it */
		err = -ESRCH;
	else if (context_end(ctx, DUNE_END_KILL))
		context_report_done(ctx);
	mutex_unlock(&contexts_lock);
	return err;
}

int context_report(struct dune_report *arg)
{
	struct dune_context *ctx;
	int err = 0;

	mutex_lock(&contexts_lock);
	ctx = xa_load(&contexts, arg->id);
	if (!ctx) {
		err = -ENOENT;
	} else if (smp_load_acquire(&ctx->report_ready)) {	/* pairs with context_report_done */
		u64 id = arg->id;

		*arg = ctx->report;
		arg->abi = DUNE_ABI_VERSION;
		arg->id = id;
	} else {
		arg->cause = DUNE_END_NONE;
	}
	mutex_unlock(&contexts_lock);
	return err;
}

int context_init(void)
{
	free_queue = alloc_workqueue("dune", 0, 0);
	return free_queue ? 0 : -ENOMEM;
}

void context_done(void)
{
	/* Files pin the module, so no context is left but those on their way out. */
	mmu_notifier_synchronize();
	destroy_workqueue(free_queue);
	xa_destroy(&contexts);
}
