/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runtime's side of every hypercall of dune_abi.h. Only the calling convention lives here.
 */
#ifndef DUNE_GUEST_HYPERCALL_H
#define DUNE_GUEST_HYPERCALL_H

#include "libdune/guest/runtime.h"

static inline s64 hypercall3(u64 number, u64 a, u64 b, u64 c)
{
	u64 ret;

	__asm__ volatile("vmcall"
			 : "=a"(ret), "+c"(number), "+d"(c)
			 : "a"(0), "D"(a), "S"(b)
			 : "r11", "memory", "cc");
	return ret;
}

/* A Linux system call. user_rsp is where the kernel may build a signal frame. */
static inline struct host_result hc_syscall(u64 number, const u64 *args, u64 user_rsp)
{
	register u64 r10 __asm__("r10") = args[3];
	register u64 r8 __asm__("r8") = args[4];
	register u64 r9 __asm__("r9") = args[5];
	register u64 r11 __asm__("r11") = user_rsp;
	u64 rax = number, rcx = DUNE_HC_SYSCALL, rdx = args[2];

	__asm__ volatile("vmcall"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), "+r"(r11)
			 : "D"(args[0]), "S"(args[1]), "r"(r10), "r"(r8), "r"(r9)
			 : "memory", "cc");
	return (struct host_result){ .value = rax, .frame = rcx, .kind = rdx };
}

/* Both: 0 or -EFAULT. The private side is named by its guest-physical address. */
static inline int hc_copy_in(u64 gpa_to, u64 user_from, u64 bytes)
{
	return hypercall3(DUNE_HC_COPY_IN, gpa_to, user_from, bytes);
}

static inline int hc_copy_out(u64 user_to, u64 gpa_from, u64 bytes)
{
	return hypercall3(DUNE_HC_COPY_OUT, user_to, gpa_from, bytes);
}

static inline s64 hc_slice(u64 user)
{
	return hypercall3(DUNE_HC_SLICE, user, 0, 0);
}

static inline s64 hc_slice_move(u64 user, u64 from)
{
	return hypercall3(DUNE_HC_SLICE_MOVE, user, from, 0);
}

static inline s64 hc_private_alloc(u64 pages)
{
	return hypercall3(DUNE_HC_PRIVATE_ALLOC, pages, 0, 0);
}

/* A fault as the kernel would report it; the signal comes before the program's next instruction. */
static inline void hc_raise(u64 signal, u64 code, u64 address, u64 trap, u64 error,
			    u64 fault_address)
{
	register u64 r8 __asm__("r8") = trap;
	register u64 r9 __asm__("r9") = error;
	register u64 r10 __asm__("r10") = fault_address;
	u64 rax, rcx = DUNE_HC_RAISE;

	__asm__ volatile("vmcall"
			 : "=a"(rax), "+c"(rcx), "+d"(address)
			 : "a"(0), "D"(signal), "S"(code), "r"(r8), "r"(r9), "r"(r10)
			 : "r11", "memory", "cc");
}

_Noreturn static inline void hc_panic(u64 regs_gpa, u64 vector, u64 error, u64 fault_address)
{
	register u64 r8 __asm__("r8") = fault_address;

	for (;;)
		__asm__ volatile("vmcall"
				 :
				 : "a"(0), "c"(DUNE_HC_PANIC), "D"(regs_gpa), "S"(vector),
				   "d"(error), "r"(r8)
				 : "r11", "memory", "cc");
}

/* The per-vcpu scratch bytes are the private side of small copies. */
static inline int copy_in(void *scratch, u64 user, u64 bytes)
{
	return hc_copy_in(cpu->gpa + ((u64)scratch - PERCPU_BASE), user, bytes);
}

static inline int copy_out(u64 user, const void *scratch, u64 bytes)
{
	return hc_copy_out(user, cpu->gpa + ((u64)scratch - PERCPU_BASE), bytes);
}

#endif /* DUNE_GUEST_HYPERCALL_H */
