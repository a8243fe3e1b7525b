// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls about the process and the thread: new threads and processes are refused, prctl goes by a
 * list of what is known to be harmless, the segment bases are the guest's own.
 */
#include <errno.h>
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include "libdune/guest/hypercall.h"
#include "libdune/guest/range.h"

/* One thread, one process so far. */
long call_clone(struct dune_regs *regs)
{
	return regs->rdi & CLONE_THREAD ? -EAGAIN : -EPERM;
}

/*
 * What may go to the host; anything else is -EINVAL, as for an option that the kernel doesn't know.
 */
static int prctl_allowed(u32 option)
{
	switch (option) {
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_GET_DUMPABLE:
	case PR_SET_DUMPABLE:
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_GET_TIMING:
	case PR_SET_TIMING:
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_GET_SECCOMP:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_GET_TSC:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
	case PR_TASK_PERF_EVENTS_DISABLE:
	case PR_TASK_PERF_EVENTS_ENABLE:
	case PR_MCE_KILL:
	case PR_MCE_KILL_GET:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_CHILD_SUBREAPER:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_GET_TID_ADDRESS:
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
	case PR_CAP_AMBIENT:
	case PR_GET_SPECULATION_CTRL:
	case PR_SET_SPECULATION_CTRL:
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER:
	case PR_SCHED_CORE:
	case PR_SET_PTRACER:
	case PR_SET_VMA:
		return 1;
	default:
		return 0;
	}
}

long call_prctl(struct dune_regs *regs)
{
	u32 option = regs->rdi;

	if (option == PR_SET_MM || option == PR_SET_TSC)
		return -EPERM;
	if (!prctl_allowed(option))
		return -EINVAL;
	if (option == PR_SET_VMA && range_hits_area(regs->rdx, regs->r10))
		return -EPERM;
	return pass(regs);
}

static long base_out(u64 user, u64 base)
{
	memcpy(cpu->scratch, &base, sizeof(base));
	return copy_out(user, cpu->scratch, sizeof(base)) ? -EFAULT : 0;
}

/*
 * The guest's bases are not the host's: never passed on. No swapgs: GS is the program's at all
 * times.
 */
long call_arch_prctl(struct dune_regs *regs)
{
	u64 base;

	switch ((u32)regs->rdi) {
	case ARCH_SET_FS:
		if (regs->rsi >= USER_END)
			return -EPERM;
		__asm__ volatile("wrfsbase %0" : : "r"(regs->rsi));
		return 0;
	case ARCH_SET_GS:
		if (regs->rsi >= USER_END)
			return -EPERM;
		__asm__ volatile("wrgsbase %0" : : "r"(regs->rsi));
		return 0;
	case ARCH_GET_FS:
		__asm__ volatile("rdfsbase %0" : "=r"(base));
		return base_out(regs->rsi, base);
	case ARCH_GET_GS:
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		return base_out(regs->rsi, base);
	case ARCH_GET_CPUID:
		return 1; /* who came with CPUID forbidden was not let in */
	default:
		return -EINVAL;
	}
}
