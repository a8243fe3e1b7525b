/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For programs that enter Dune mode themselves and go on in guest ring 0, with their own address
 * space, libc and system calls as before (the idea is that of "Dune: Safe User-level Access to
 * Privileged CPU Features", OSDI 2012). Link with libdune.
 *
 * In Dune mode fork, exec and new threads fail (EPERM, EAGAIN); signals work, handlers run in ring
 * 0.
 */
#ifndef DUNE_DUNE_H
#define DUNE_DUNE_H

#include <dune/dune_abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with hidden symbols; what stands here is exported. */
#pragma GCC visibility push(default)

/*
 * What a trap handler gets, and may change: the changed registers are what the program resumes
 * with.
 */
struct dune_trap {
	struct dune_regs regs; /* cs and ss are not taken back */
	__u64 vector;
	__u64 error_code; /* 0 for vectors without one */
	__u64 fault_address; /* of a page fault, else 0 */
	__u64 reserved;
};
DUNE_ABI_ASSERT(sizeof(struct dune_trap) == 192);

/*
 * A handler runs in ring 0 on the interrupted stack, below its red zone. It may fault, longjmp
 * away, or return to resume at trap->regs.
 */
typedef void (*dune_trap_fn)(struct dune_trap *trap);

/*
 * Enters Dune mode with a context fd (from dune_client_create()); the calling thread must be the
 * only one. Returns 0 in guest ring 0. On failure the program goes on as it was: -EBUSY more than
 * one thread, -ENOTTY not a context fd, -ENOEXEC this build's runtime doesn't fit, other -errno of
 * DUNE_ATTACH and DUNE_LOCK. The fd belongs to the library from here on.
 */
int dune_enter(int context_fd);

/* Non-zero in Dune mode. */
int dune_entered(void);

/*
 * Handler for an exception or INT n; NULL removes it, and the vector is a signal again. -EINVAL a
 * vector that can't be had (NMI, #DF, #MC, the signal interrupt), -EFAULT handler not a program
 * address, -ENOSYS not in Dune mode.
 */
int dune_trap_set(unsigned int vector, dune_trap_fn handler);

/* This thread's run page, NULL outside of Dune mode: counters and registers at the last exit. */
const volatile struct dune_run *dune_run_page(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* DUNE_DUNE_H */
