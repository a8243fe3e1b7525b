// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The context fd does not exist for the program: closing, copying or replacing it by number is
 * EBADF. The fd is no authority (the module checks mm, vcpu and caller's address), so this only
 * keeps a program from ending itself by accident.
 */
#include <errno.h>
#include <asm/unistd.h>
#include "libdune/guest/hypercall.h"
#include "libdune/guest/range.h"

#define CLOSE_RANGE_FLAGS (2 | 4) /* UNSHARE, CLOEXEC */

/* Calls whose first argument is an fd. */
long call_fd(struct dune_regs *regs)
{
	if ((u32)regs->rdi == boot.context_fd)
		return -EBADF;
	return pass(regs);
}

long call_dup(struct dune_regs *regs)
{
	if ((u32)regs->rsi == boot.context_fd)
		return -EBADF;
	return call_fd(regs);
}

long call_close_range(struct dune_regs *regs)
{
	u32 first = regs->rdi, last = regs->rsi;
	struct fd_range parts[2];
	long error = 0;
	int n;

	if ((u32)regs->rdx & ~CLOSE_RANGE_FLAGS || first > last)
		return -EINVAL;
	n = fd_range_split(first, last, boot.context_fd, parts);
	for (int i = 0; i < n && !error && !cpu->restart; i++) {
		const u64 args[6] = { parts[i].first, parts[i].last, regs->rdx };

		error = host_call(regs, __NR_close_range, args);
	}
	return error;
}
