// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * System calls that are not simply passed on by entry.S. Fails closed: what has no row in calls.h
 * is -ENOSYS without an exit, and counted. Owns the dispatch; the calls themselves are in
 * calls_*.c.
 */
#include <errno.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include "libdune/guest/calls.h"
#include "libdune/guest/hypercall.h"

enum call_class {
	CLASS_UNKNOWN,
	CLASS_PASS = CALL_PASS,
	CLASS_ABSENT,
	CLASS_DENIED,
	CLASS_INVALID,
	CLASS_NO_PKEYS,
	CLASS_CLONE,
	CLASS_SIGACTION,
	CLASS_SIGRETURN,
	CLASS_SIGALTSTACK,
	CLASS_ARCH_PRCTL,
	CLASS_PRCTL,
	CLASS_MMAP,
	CLASS_RANGE,
	CLASS_PKEY_MPROTECT,
	CLASS_MREMAP,
	CLASS_SHMAT,
	CLASS_FD,
	CLASS_DUP,
	CLASS_CLOSE_RANGE,
	NR_CLASSES,
};

#define CLASS_ROW(name, class) [__NR_##name] = CLASS_##class,
/* Read by entry.S too. */
extern const u8 call_class[NR_LINUX_CALLS];
const u8 call_class[NR_LINUX_CALLS] = { SYSTEM_CALLS(CLASS_ROW) };

static long call_unknown(struct dune_regs *regs)
{
	/* The host may look at this count; it says nothing that the program doesn't know. */
	cpu->unknown_calls++;
	*(volatile u64 *)(args_page + DUNE_ARGS_UNKNOWN_CALLS) = cpu->unknown_calls;
	return -ENOSYS;
}

/* Exists in the kernel, not for programs in Dune mode: as if the kernel were built without it. */
static long call_absent(struct dune_regs *regs)
{
	return -ENOSYS;
}

static long call_denied(struct dune_regs *regs)
{
	return -EPERM;
}

static long call_invalid(struct dune_regs *regs)
{
	return -EINVAL;
}

/* Protection keys are not enforced on guest accesses, so none is given out. */
static long call_no_pkeys(struct dune_regs *regs)
{
	return -ENOSPC;
}

static long (*const calls[NR_CLASSES])(struct dune_regs *) = {
	[CLASS_UNKNOWN] = call_unknown,
	[CLASS_PASS] = pass,
	[CLASS_ABSENT] = call_absent,
	[CLASS_DENIED] = call_denied,
	[CLASS_INVALID] = call_invalid,
	[CLASS_NO_PKEYS] = call_no_pkeys,
	[CLASS_CLONE] = call_clone,
	[CLASS_SIGACTION] = signal_sigaction,
	[CLASS_SIGALTSTACK] = signal_sigaltstack,
	[CLASS_ARCH_PRCTL] = call_arch_prctl,
	[CLASS_PRCTL] = call_prctl,
	[CLASS_MMAP] = call_mmap,
	[CLASS_RANGE] = call_range,
	[CLASS_PKEY_MPROTECT] = call_pkey_mprotect,
	[CLASS_MREMAP] = call_mremap,
	[CLASS_SHMAT] = call_shmat,
	[CLASS_FD] = call_fd,
	[CLASS_DUP] = call_dup,
	[CLASS_CLOSE_RANGE] = call_close_range,
};

/*
 * A system call on the program's behalf. The result is meaningless once cpu->restart is set. A
 * frame that is waiting already keeps its place: the next one goes below it.
 */
long host_call(struct dune_regs *regs, u64 number, const u64 *args)
{
	u64 stack = cpu->nr_frames ? cpu->frames[cpu->nr_frames - 1] : regs->rsp;
	struct host_result result = hc_syscall(number, args, stack);

	if (!result.frame)
		return result.value;
	return signal_taken(&result);
}

/* The program's own call with its own arguments. */
long pass(struct dune_regs *regs)
{
	const u64 args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };

	return host_call(regs, (u32)regs->rax, args);
}

/*
 * Result into RAX, or back to the SYSCALL instruction; then the handlers of frames taken meanwhile.
 */
static void finish(struct dune_regs *regs, long result)
{
	if (cpu->restart)
		regs->rip -= 2;
	else
		regs->rax = result;
	cpu->restart = 0;
	signal_enter_handlers(regs);
}

static void check_rip(struct dune_regs *regs)
{
	if (cpu->ring == 3 && regs->rip >= USER_END) {
		regs->rip = 0;
		raise_signal(SIGSEGV, SI_KERNEL, 0);
	}
}

void syscall_slow(struct dune_regs *regs)
{
	u32 number = regs->rax;
	u32 class = number < NR_LINUX_CALLS ? call_class[number] : CLASS_UNKNOWN;

	cpu->restart = 0;
	if (class == CLASS_SIGRETURN) {
		signal_sigreturn(regs);
		return;
	}
	if (cpu->ring == 0 && number == DUNE_CALL_TRAP_SET)
		regs->rax = trap_set(regs->rdi, regs->rsi);
	else
		finish(regs, calls[class](regs));
	check_rip(regs);
}

/* The common path met a return address or flags that SYSRET must not see. */
void syscall_odd_return(struct dune_regs *regs)
{
	check_rip(regs);
}

/* The common path came back with a signal frame. */
void syscall_interrupted(struct dune_regs *regs, u64 value, u64 frame, u64 kind)
{
	const struct host_result result = { .value = value, .frame = frame, .kind = kind };

	cpu->restart = 0;
	finish(regs, signal_taken(&result));
	check_rip(regs);
}
