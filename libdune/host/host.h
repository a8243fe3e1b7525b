/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entering Dune mode from the outside: binds a context to this process, maps the host area, fills
 * private memory with the runtime and its tables, locks it. After the jump nothing here runs again
 * but as guest code.
 */
#ifndef DUNE_HOST_H
#define DUNE_HOST_H

#include <stdint.h>
#include "libdune/guest/layout.h"

/* Where a step failed; for messages. */
enum host_step { HOST_ATTACH, HOST_MAP, HOST_WRITE, HOST_LOCK, HOST_CPU, HOST_NR_STEPS };
const char *host_step_text(enum host_step step);

/* Moves the fd out of the program's way: high, close-on-exec. The new fd, or -errno. */
int host_move_fd(int fd);

/*
 * ATTACH and the mappings of the host area. 0 or -errno, *ret_step tells where. Addresses of the
 * host area must be free.
 */
int host_attach(int fd, enum host_step *ret_step);

/*
 * Builds and writes private memory and locks it. boot: ring, regs, unmap, actions and sigmask are
 * the caller's; everything about memory and processor is filled in here. fs_base, gs_base: the
 * guest's.
 */
int host_load(int fd, struct runtime_boot *boot, uint64_t fs_base, uint64_t gs_base,
	      int (*before_lock)(void *), void *argument, enum host_step *ret_step);

/* glibc's registration of this thread's rseq area: taken back, or made again. 0 or -errno. */
int host_rseq(int on);

/* jump.S: copies size bytes to the new stack and starts the trampoline there. */
_Noreturn void host_jump(int fd, void *to, const void *from, uint64_t size, uint64_t rsp);

/*
 * jump.S: calls prepare(argument, rsp, rip) with the registers saved so that rsp and rip continue
 * there in the guest, and starts the trampoline if it returns an fd. Returns 0 in the guest, else
 * -errno.
 */
int host_enter(int (*prepare)(void *argument, uint64_t rsp, uint64_t rip), void *argument);

/* image.S: the runtime's image. */
extern const unsigned char host_image[], host_image_end[];

#endif /* DUNE_HOST_H */
