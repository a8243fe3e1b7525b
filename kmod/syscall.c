// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: what guest ring 0 asks of the module, system calls by the return path among them. A number
 * without a row is -ENOSYS. Arguments are hostile; results never name kernel memory.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <asm/unistd.h>
#include "kmod/context.h"
#include "kmod/vcpu.h"

/* No kernel knows numbers this large; negative ones would look like errors to the trampoline. */
#define SYSCALL_NR_MAX	0x3fffffff

/*
 * Calls that would leave Dune mode. rt_sigreturn takes the host's RIP from user memory (the runtime emulates
 * it); a child or a new image would go on natively. The runtime answers these itself and with more care: this
 * is for guests that go around it.
 */
static int refused_call(u32 nr)
{
	switch (nr) {
	case __NR_clone:
	case __NR_fork:
	case __NR_vfork:
	case __NR_execve:
	case __NR_execveat:
		return -EPERM;
	case __NR_rt_sigreturn:
	case __NR_clone3:
		return -ENOSYS;
	default:
		return nr > SYSCALL_NR_MAX ? -ENOSYS : 0;
	}
}

static enum vcpu_next hc_syscall(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;
	u32 nr = regs->rax;
	int refused;

	if (vcpu->nr_frames) {
		/* A handler has to run first, and the call was not made. */
		regs->rcx = vcpu_pop_frame(vcpu);
		regs->rdx = 0;
		return VCPU_ENTER;
	}
	refused = refused_call(nr);
	if (unlikely(refused)) {
		vcpu_count(vcpu, refused == -ENOSYS ? DUNE_COUNT_UNKNOWN_CALLS : DUNE_COUNT_DENIED);
		regs->rax = refused;
		regs->rcx = 0;
		return VCPU_ENTER;
	}
	vcpu->await = true;
	return VCPU_SYSCALL;
}

static s64 hc_copy_in(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	return private_copy_in(vcpu->ctx, regs->rdi, regs->rsi, regs->rdx);
}

static s64 hc_copy_out(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	return private_copy_out(vcpu->ctx, regs->rdi, regs->rsi, regs->rdx);
}

static s64 hc_slice(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	s64 gpa = ept_slice(vcpu->ctx, regs->rdi);

	if (gpa > 0)
		vcpu_count(vcpu, DUNE_COUNT_SLICES);
	return gpa;
}

static s64 hc_slice_move(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	s64 gpa = ept_slice_move(vcpu->ctx, regs->rdi, regs->rsi);

	if (gpa > 0)
		vcpu_count(vcpu, DUNE_COUNT_SLICES);
	return gpa;
}

static s64 hc_raise(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	static const u32 allowed = BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) |
				   BIT(SIGTRAP);
	int code = (int)regs->rsi;

	if (regs->rdi > 31 || !(BIT(regs->rdi) & allowed))
		return -EINVAL;
	/* Codes of faults only: SI_KERNEL and small positive ones (siginfo layout _sigfault). */
	if (code != SI_KERNEL && (code <= 0 || code > 15))
		return -EINVAL;
	current->thread.trap_nr = regs->r8 & 0xff;
	current->thread.error_code = (u32)regs->r9;
	current->thread.cr2 = regs->r10;
	vcpu_raise(vcpu, regs->rdi, code, regs->rdx);
	return 0;
}

static s64 hc_private_alloc(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	return private_alloc(vcpu->ctx, regs->rdi);
}

static s64 hc_stat(struct dune_vcpu *vcpu, const struct dune_regs *regs)
{
	u64 index = regs->rdi;

	if (index >= DUNE_NR_COUNTERS)
		return -EINVAL;
	return context_counter(vcpu->ctx, array_index_nospec(index, DUNE_NR_COUNTERS));
}

static enum vcpu_next hc_panic(struct dune_vcpu *vcpu)
{
	const struct dune_regs *regs = &vcpu->run->regs;
	struct dune_regs at = *regs;

	/* A runtime in trouble may name nonsense: then its own registers have to do. */
	if (private_read(vcpu->ctx, &at, regs->rdi, sizeof(at)))
		at = *regs;
	return vcpu_panic(vcpu, &at, regs->rsi, regs->rdx, regs->r8);
}

typedef s64 (*simple_hypercall)(struct dune_vcpu *vcpu, const struct dune_regs *regs);

static const simple_hypercall simple_hypercalls[DUNE_NR_HC] = {
	[DUNE_HC_COPY_IN]	= hc_copy_in,
	[DUNE_HC_COPY_OUT]	= hc_copy_out,
	[DUNE_HC_SLICE]		= hc_slice,
	[DUNE_HC_RAISE]		= hc_raise,
	[DUNE_HC_PRIVATE_ALLOC]	= hc_private_alloc,
	[DUNE_HC_STAT]		= hc_stat,
	[DUNE_HC_SLICE_MOVE]	= hc_slice_move,
};

enum vcpu_next hypercall(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;
	u64 nr = regs->rcx;

	vcpu_count(vcpu, DUNE_COUNT_HYPERCALLS);
	vcpu_skip(vcpu);
	if (nr == DUNE_HC_SYSCALL)
		return hc_syscall(vcpu);
	if (nr == DUNE_HC_PANIC)
		return hc_panic(vcpu);
	if (nr >= DUNE_NR_HC || !simple_hypercalls[array_index_nospec(nr, DUNE_NR_HC)]) {
		regs->rax = -ENOSYS;
		return VCPU_ENTER;
	}
	regs->rax = simple_hypercalls[array_index_nospec(nr, DUNE_NR_HC)](vcpu, regs);
	return VCPU_ENTER;
}
