// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mapping calls: none may touch the host area (trampoline, run and argument pages). The module's
 * vm_operations refuse what gets past this; here it becomes a plain EPERM.
 */
#include <errno.h>
#include <asm/mman.h>
#include <linux/mman.h>
#include <linux/shm.h>
#include <asm/unistd.h>
#include "libdune/guest/hypercall.h"
#include "libdune/guest/range.h"

long call_mmap(struct dune_regs *regs)
{
	u64 args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };

	if (range_hits_area(args[0], args[1])) {
		if (args[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE))
			return -EPERM;
		args[0] = 0; /* only a hint */
	}
	return host_call(regs, __NR_mmap, args);
}

/* Calls whose first two arguments are a range. */
long call_range(struct dune_regs *regs)
{
	if (range_hits_area(regs->rdi, regs->rsi))
		return -EPERM;
	return pass(regs);
}

long call_pkey_mprotect(struct dune_regs *regs)
{
	if ((s32)regs->r10 != -1)
		return -EINVAL;
	return call_range(regs);
}

/*
 * mremap(old, old size, new size, flags, new): old size 0 means another mapping of old's pages; with
 * DONTUNMAP alone, new is only a hint.
 */
long call_mremap(struct dune_regs *regs)
{
	u64 old_size = regs->rsi ? regs->rsi : 1;

	if (range_hits_area(regs->rdi, old_size))
		return -EPERM;
	if (regs->r10 & (MREMAP_FIXED | MREMAP_DONTUNMAP) && range_hits_area(regs->r8, regs->rdx)) {
		u64 args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10 };

		return regs->r10 & MREMAP_FIXED ? -EPERM : host_call(regs, __NR_mremap, args);
	}
	return pass(regs);
}

/* The segment's size is not known here: no fixed address from which it could reach the area. */
long call_shmat(struct dune_regs *regs)
{
	if (regs->rsi && (regs->rsi & ~4095ull) < DUNE_AREA_END)
		return -EPERM;
	return pass(regs);
}
