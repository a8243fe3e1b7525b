// SPDX-License-Identifier: GPL-2.0-only
/*
 * The run loop of a vcpu: when to enter, when to go back to user space, and how a signal frame finds its way
 * into the guest. The loop holds no lock. Whatever state it leaves behind when it returns can be taken up by
 * another RUN: RUN never sleeps over a result or a frame it has consumed.
 */
#include <linux/entry-common.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vtime.h>
#include <asm/fpu/api.h>
#include <asm/vmx.h>
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/trace.h"
#include "kmod/vcpu.h"

/* ---- life ---- */

static int vcpu_alloc_pages(struct dune_context *ctx, struct dune_vcpu *vcpu)
{
	int err;

	vcpu->run_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run_page)
		return -ENOMEM;
	atomic64_inc(&dune_allocated.run_pages);
	vcpu->run = page_address(vcpu->run_page);
	vcpu->run->context_id = ctx->id;
	vcpu->run->vcpu = vcpu->index;
	vcpu->args_page = private_page_new(ctx);
	if (IS_ERR(vcpu->args_page)) {
		err = PTR_ERR(vcpu->args_page);
		vcpu->args_page = NULL;
		return err;
	}
	err = ept_map_private(ctx, DUNE_GPA_RUN + vcpu->index * PAGE_SIZE,
			      page_to_pfn(vcpu->run_page), EPT_READ);
	if (err)
		return err;
	return ept_map_private(ctx, DUNE_GPA_ARGS + vcpu->index * PAGE_SIZE,
			       page_to_pfn(vcpu->args_page), EPT_READ | EPT_WRITE);
}

int vcpu_create(struct dune_context *ctx, struct dune_vcpu **ret_vcpu)
{
	struct dune_vcpu *vcpu;
	int err;

	lockdep_assert_held(&ctx->lock);
	if (!context_within(ctx, DUNE_LIMIT_VCPUS, ctx->nr_vcpus, 1))
		return -EDQUOT;
	/* A power of two keeps the MSR areas aligned and within one page. */
	BUILD_BUG_ON(offsetof(struct dune_vcpu, vmx));
	vcpu = kzalloc(roundup_pow_of_two(sizeof(*vcpu)), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return -ENOMEM;
	vcpu->ctx = ctx;
	vcpu->index = ctx->nr_vcpus;
	vcpu->task = get_task_struct(current);
	vcpu->guest_cpu = -1;
	atomic64_inc(&dune_allocated.vcpus);
	err = hw_vcpu_init(vcpu);
	if (!err)
		err = vcpu_alloc_pages(ctx, vcpu);
	if (err) {
		vcpu_free(vcpu);
		return err;
	}
	*ret_vcpu = vcpu;
	return 0;
}

void vcpu_free(struct dune_vcpu *vcpu)
{
	hw_vcpu_done(vcpu);
	if (vcpu->args_page)
		private_page_free(vcpu->ctx, vcpu->args_page);
	if (vcpu->run_page) {
		put_page(vcpu->run_page);
		atomic64_dec(&dune_allocated.run_pages);
	}
	put_task_struct(vcpu->task);
	atomic64_dec(&dune_allocated.vcpus);
	kfree(vcpu);
}

static void report_fill(struct dune_vcpu *vcpu)
{
	struct dune_report *report = &vcpu->ctx->report;

	report->exit_reason = vcpu->exit.reason;
	report->cpl = vcpu->exit.cpl;
	report->exit_qualification = vcpu->exit.qualification;
	report->guest_physical = vcpu->exit.guest_physical;
	report->guest_linear = vcpu->exit.guest_linear;
	report->regs = vcpu->run->regs;
	preempt_disable();
	hw_vcpu_load(vcpu);
	local_irq_disable();
	if (this_cpu_read(hw_current_vcpu) == vcpu) {
		hw_claim(vcpu);
		hw_read_cr(vcpu, report);
		hw_yield(vcpu);
	}
	local_irq_enable();
	preempt_enable();
}

static const char *const end_texts[DUNE_NR_ENDS] = {
	[DUNE_END_TRIPLE_FAULT] = "triple fault",
	[DUNE_END_ENTRY_FAILED] = "guest state refused by VM entry",
	[DUNE_END_BAD_EXIT] = "exit without a handler",
	[DUNE_END_BAD_GPA] = "access to no memory",
	[DUNE_END_STUCK] = "the same EPT violation over and over",
	[DUNE_END_PANIC] = "fault in the runtime",
	[DUNE_END_SIGNALS] = "too many signals while not interruptible",
	[DUNE_END_EVENT_LOOP] = "endless exceptions",
};

/* As the kernel does for a deadly fault: who, why, where. */
static void report_log(struct dune_vcpu *vcpu, u32 cause)
{
	const struct dune_report *r = &vcpu->ctx->report;

	pr_info_ratelimited("%s[%d] context %llu ended: %s (exit reason %u, vector %u) at rip %llx "
			    "rsp %llx cr2 %llx gpa %llx\n",
			    current->comm, task_tgid_nr(current), vcpu->ctx->id,
			    end_texts[cause] ?: "?", r->exit_reason, r->vector, r->regs.rip,
			    r->regs.rsp, r->cr2, r->guest_physical);
}

enum vcpu_next vcpu_end(struct dune_vcpu *vcpu, u32 cause)
{
	if (context_end(vcpu->ctx, cause)) {
		report_fill(vcpu);
		report_log(vcpu, cause);
		context_report_done(vcpu->ctx);
	}
	return VCPU_ENDED;
}

enum vcpu_next vcpu_panic(struct dune_vcpu *vcpu, const struct dune_regs *at, u32 vector,
			  u64 error_code, u64 cr2)
{
	struct dune_report *report = &vcpu->ctx->report;

	if (context_end(vcpu->ctx, DUNE_END_PANIC)) {
		report_fill(vcpu);
		report->regs = *at;
		report->cpl = at->cs & 3;
		report->vector = vector;
		report->error_code = error_code;
		report->cr2 = cr2;
		report_log(vcpu, DUNE_END_PANIC);
		context_report_done(vcpu->ctx);
	}
	return VCPU_ENDED;
}

/* ---- faults as signals ---- */

void vcpu_raise(struct dune_vcpu *vcpu, int sig, int code, unsigned long address)
{
	/* A thread's own sighand goes only with the thread. */
	struct sighand_struct *sighand = rcu_dereference_protected(current->sighand, true);
	struct kernel_siginfo info;
	__sighandler_t handler;

	vcpu_count(vcpu, DUNE_COUNT_FAULTS);
	trace_dune_fault(vcpu->ctx->id, sig, address);
	spin_lock_irq(&sighand->siglock);
	handler = sighand->action[sig - 1].sa.sa_handler;
	spin_unlock_irq(&sighand->siglock);
	if (handler == SIG_IGN || sigismember(&current->blocked, sig) ||
	    (handler == SIG_DFL && (current->signal->flags & SIGNAL_UNKILLABLE))) {
		/* Nobody can handle it: the kernel makes it deadly, as for any fault, also of a container's init. */
		force_sig(sig);
		return;
	}
	clear_siginfo(&info);
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void __user *)address;
	send_sig_info(sig, &info, current);
}

/* ---- entry ---- */

/* In the runtime, and not at a place where it waits for the host. */
static bool in_runtime(const struct dune_vcpu *vcpu)
{
	return !vcpu->await && (s64)vcpu->run->regs.rip < 0 &&
	       !(vcpu->run->regs.rflags & X86_EFLAGS_IF) && vcpu->counters[DUNE_COUNT_ENTRIES];
}

/*
 * A signal frame can't be built while the runtime is on its own stack: the user's stack pointer is in its
 * hands. It is out again soon, and the interrupt window tells; a guest that only pretends gets a bounded
 * number of re-entries.
 */
static bool may_defer(struct dune_vcpu *vcpu)
{
	if (!in_runtime(vcpu) || vcpu->nr_deferred >= VCPU_DEFER_MAX ||
	    fatal_signal_pending(current))
		return false;
	vcpu->nr_deferred++;
	vcpu_count(vcpu, DUNE_COUNT_DEFERRED);
	return true;
}

/* The argument of RUN or RUN_SIGNAL becomes guest state; only right before an entry. */
static void consume_argument(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;

	if (vcpu->result_given && vcpu->await) {
		regs->rax = vcpu->given;
		regs->rcx = 0;
		vcpu->await = false;
	}
	vcpu->result_given = false;
	if (!vcpu->frame_given)
		return;
	vcpu->frame_given = false;
	if (vcpu->await) {
		regs->rcx = vcpu->given;
		regs->rdx = 1;
		vcpu->await = false;
		vcpu_count(vcpu, DUNE_COUNT_SIGNALS);
	} else {
		vcpu->frames[vcpu->nr_frames++] = vcpu->given;
	}
}

u64 vcpu_pop_frame(struct dune_vcpu *vcpu)
{
	u64 frame = vcpu->frames[0];

	vcpu->nr_frames--;
	memmove(vcpu->frames, vcpu->frames + 1, vcpu->nr_frames * sizeof(frame));
	vcpu_count(vcpu, DUNE_COUNT_SIGNALS);
	return frame;
}

/* The oldest waiting frame is announced by an interrupt as soon as the guest takes one. */
static void offer_frames(struct dune_vcpu *vcpu, bool window)
{
	if (vcpu->nr_frames && !vcpu->inject.info && hw_interruptible(vcpu)) {
		vcpu->run->signal_frame = vcpu_pop_frame(vcpu);
		vcpu->inject.info = INTR_INFO_VALID_MASK | INTR_TYPE_EXT_INTR |
				    vcpu->ctx->signal_vector;
	}
	if (unlikely((window || vcpu->nr_frames) != vcpu->vmx.window))
		hw_interrupt_window(vcpu, !vcpu->vmx.window);
}

/* Interrupts off. VCPU_READY, or what to do instead: to go round, or back to user space. */
static enum vcpu_next prepare_entry(struct dune_vcpu *vcpu)
{
	/* KVM's values in MSRs that exits load go with the return to user space, too (trap 13). */
	unsigned long work = read_thread_flags() &
			     (EXIT_TO_USER_MODE_WORK | _TIF_USER_RETURN_NOTIFY);
	bool window = false;

	/* Not loaded all the same: this CPU is going down, and threads will be moved off it. */
	if (unlikely(this_cpu_read(hw_current_vcpu) != vcpu))
		return VCPU_WORK;
	/* First of all, whatever else there is: a guest that is being waited for holds up nobody. */
	if (work & _TIF_NEED_RESCHED)
		return VCPU_ENTER;
	/* Trap 6: nothing but rescheduling is handled here. */
	if (work) {
		window = may_defer(vcpu);
		if (!window)
			return VCPU_WORK;
	} else {
		vcpu->nr_deferred = 0;
	}
	/* The guest runs on the thread's own FPU registers. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD)) {
		vcpu_count(vcpu, DUNE_COUNT_WORK_FPU);
		switch_fpu_return();
	}
	consume_argument(vcpu);
	hw_claim(vcpu);
	offer_frames(vcpu, window);
	return VCPU_READY;
}

static enum vcpu_next enter_once(struct dune_vcpu *vcpu)
{
	enum vcpu_next next;

	if (unlikely(atomic_read(&vcpu->ctx->cause)))
		return VCPU_ENDED;
	preempt_disable();
	if (unlikely(this_cpu_read(hw_current_vcpu) != vcpu))
		hw_vcpu_load(vcpu);
	local_irq_disable();
	next = prepare_entry(vcpu);
	if (unlikely(next != VCPU_READY)) {
		local_irq_enable();
		preempt_enable();
		cond_resched();
		return next;
	}
	WRITE_ONCE(vcpu->guest_cpu, smp_processor_id());
	smp_mb();	/* pairs with ept_kick */
	vtime_account_guest_enter();
	next = hw_run(vcpu);
	hw_yield(vcpu);
	smp_store_release(&vcpu->guest_cpu, -1);	/* pairs with ept_kick */
	/* A tick that ended the guest's time is the guest's. */
	local_irq_enable();
	local_irq_disable();
	vtime_account_guest_exit();
	local_irq_enable();
	preempt_enable();
	return next == VCPU_HANDLE ? exit_handle(vcpu) : next;
}

/* ---- back to user space ---- */

static void go_to(struct pt_regs *regs, unsigned long offset)
{
	/* RCX as SYSRET wants it, or the kernel would take the slow way out. */
	regs->ip = DUNE_TRAMPOLINE_ADDR + offset;
	regs->cx = regs->ip;
}

/*
 * Where the kernel may build a signal frame: below a frame that still waits, else where the program's stack
 * is. While the runtime is on its own stack that is where it was at the last return.
 */
static void set_stack(struct dune_vcpu *vcpu, struct pt_regs *regs)
{
	if (vcpu->nr_frames)
		regs->sp = vcpu->frames[vcpu->nr_frames - 1];
	else if ((s64)vcpu->run->regs.rsp >= 0)
		regs->sp = vcpu->run->regs.rsp;
}

/* The same call again, once the kernel has done what is pending. */
static long return_again(struct dune_vcpu *vcpu, struct pt_regs *regs)
{
	vcpu_count(vcpu, DUNE_COUNT_WORK);
	if (vcpu->frame_given) {
		go_to(regs, DUNE_TRAMPOLINE_SIGNAL_SYSCALL);
		return __NR_lseek;
	}
	if (!vcpu->await && vcpu->counters[DUNE_COUNT_ENTRIES])
		set_stack(vcpu, regs);
	regs->di = regs->bx;
	regs->si = vcpu->given;
	regs->dx = DUNE_RUN;
	go_to(regs, DUNE_TRAMPOLINE_RUN_SYSCALL);
	return __NR_lseek;
}

static long return_syscall(struct dune_vcpu *vcpu, struct pt_regs *regs)
{
	const struct dune_regs *guest = &vcpu->run->regs;

	vcpu_count(vcpu, DUNE_COUNT_SYSCALLS);
	regs->di = guest->rdi;
	regs->si = guest->rsi;
	regs->dx = guest->rdx;
	regs->r10 = guest->r10;
	regs->r8 = guest->r8;
	regs->r9 = guest->r9;
	regs->sp = guest->r11;
	go_to(regs, DUNE_TRAMPOLINE_CALL);
	return (u32)guest->rax;
}

static long return_touch(struct dune_vcpu *vcpu, struct pt_regs *regs, bool write)
{
	vcpu_count(vcpu, DUNE_COUNT_TOUCHES);
	set_stack(vcpu, regs);
	go_to(regs, write ? DUNE_TRAMPOLINE_TOUCH_WRITE : DUNE_TRAMPOLINE_TOUCH_READ);
	regs->di = vcpu->exit.guest_linear;
	return 0;
}

long vcpu_run(struct dune_vcpu *vcpu, struct pt_regs *regs, bool is_signal, u64 argument)
{
	enum vcpu_next next;

	vcpu_count(vcpu, DUNE_COUNT_RUNS);
	vcpu->given = argument;
	vcpu->result_given = !is_signal;
	vcpu->frame_given = is_signal;
	if (is_signal && vcpu->nr_frames == VCPU_FRAMES_MAX)
		vcpu_end(vcpu, DUNE_END_SIGNALS);
	do {
		next = enter_once(vcpu);
	} while (next == VCPU_ENTER);
	switch (next) {
	case VCPU_SYSCALL:
		return return_syscall(vcpu, regs);
	case VCPU_TOUCH_READ:
	case VCPU_TOUCH_WRITE:
		return return_touch(vcpu, regs, next == VCPU_TOUCH_WRITE);
	case VCPU_WORK:
		return return_again(vcpu, regs);
	case VCPU_FAILED:
		vcpu_end(vcpu, DUNE_END_ENTRY_FAILED);
		return -EIO;
	default:
		/* SIGKILL is on its way; the trampoline's UD2 would do the same. */
		return -EIO;
	}
}
