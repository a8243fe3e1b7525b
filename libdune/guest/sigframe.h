/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's x86-64 signal frame as it lies in user memory, and the pure rules for what may be
 * taken from one. Everything in a frame is untrusted. No hypercalls here: unit tests include this.
 */
#ifndef DUNE_GUEST_SIGFRAME_H
#define DUNE_GUEST_SIGFRAME_H

#include <stddef.h>
#include "libdune/guest/layout.h"

struct frame_registers {
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	__u16 cs, gs, fs, ss;
};

struct frame_stack {
	__u64 sp;
	__u32 flags;
	__u32 pad;
	__u64 size;
};

struct frame_context {
	__u64 flags;
	__u64 link;
	struct frame_stack stack;
	struct frame_registers regs;
	__u64 error, trap, oldmask, cr2;
	__u64 fpstate;
	__u64 reserved[8];
	__u64 sigmask;
};

#define FRAME_CONTEXT 8 /* after the return address */
#define FRAME_REGS    (FRAME_CONTEXT + offsetof(struct frame_context, regs))
#define FRAME_STACK   (FRAME_CONTEXT + offsetof(struct frame_context, stack))
#define FRAME_SIGMASK (FRAME_CONTEXT + offsetof(struct frame_context, sigmask))
#define FRAME_SIGINFO (FRAME_CONTEXT + sizeof(struct frame_context))

/* From the registers to the signal's number: what is read of a frame that arrives. */
#define FRAME_HEAD_SIZE	  (FRAME_SIGINFO + sizeof(__s32) - FRAME_REGS)
#define FRAME_HEAD_SIGNAL (FRAME_SIGINFO - FRAME_REGS)

#define FRAME_STACK_DISABLE    2u
#define FRAME_STACK_AUTODISARM (1u << 31)

_Static_assert(sizeof(struct frame_context) == 304, "kernel's format");
_Static_assert(FRAME_REGS == 48 && FRAME_SIGINFO == 312, "kernel's format");

/* Flags that a program may set through rt_sigreturn: Linux's FIX_EFLAGS. */
#define FRAME_FLAGS 0x50dd5ull

static inline void frame_from_regs(struct frame_registers *f, const struct dune_regs *r)
{
	*f = (struct frame_registers){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.di = r->rdi,
		.si = r->rsi,
		.bp = r->rbp,
		.bx = r->rbx,
		.dx = r->rdx,
		.ax = r->rax,
		.cx = r->rcx,
		.sp = r->rsp,
		.ip = r->rip,
		.flags = r->rflags,
		.cs = r->cs,
		.ss = r->ss,
	};
}

/*
 * cs and ss stay what they are, whatever the frame says; rflags keeps what no program may change.
 */
static inline void regs_from_frame(struct dune_regs *r, const struct frame_registers *f)
{
	*r = (struct dune_regs){
		.rax = f->ax,
		.rcx = f->cx,
		.rdx = f->dx,
		.rbx = f->bx,
		.rsp = f->sp,
		.rbp = f->bp,
		.rsi = f->si,
		.rdi = f->di,
		.r8 = f->r8,
		.r9 = f->r9,
		.r10 = f->r10,
		.r11 = f->r11,
		.r12 = f->r12,
		.r13 = f->r13,
		.r14 = f->r14,
		.r15 = f->r15,
		.rip = f->ip,
		.cs = r->cs,
		.ss = r->ss,
		.rflags = (r->rflags & ~FRAME_FLAGS & ~0x3000ull) | (f->flags & FRAME_FLAGS) |
			  FLAG_IF | FLAG_FIXED,
	};
}

/* Ring 3 may be entered anywhere below the top user page; ring 0 wherever IRET can go. */
static inline int rip_allowed(__u64 rip, __u32 ring)
{
	if (ring == 3)
		return rip < USER_END;
	return (__s64)(rip << 16) >> 16 == (__s64)rip;
}

/* Linux refuses a code segment that IRET refuses; the compatibility mode's one isn't there. */
static inline int cs_allowed(__u16 cs, __u32 ring)
{
	return ring == 0 || (cs | 3) == SEL_USER_CODE;
}

/* What the frame's RIP says about the system call of the trampoline. */
enum frame_phase { PHASE_RESTART, PHASE_RESULT_RAX, PHASE_RESULT_RSI, PHASE_CHAINED, PHASE_OTHER };

static inline enum frame_phase frame_phase(__u64 ip)
{
	__u64 at = ip - DUNE_TRAMPOLINE_ADDR;

	if (at >= 0x1000)
		return PHASE_OTHER;
	if (at >= DUNE_TRAMPOLINE_SIGNAL && at <= DUNE_TRAMPOLINE_SIGNAL_SYSCALL)
		return PHASE_CHAINED;
	if (at == DUNE_TRAMPOLINE_CALL)
		return PHASE_RESTART;
	if (at == DUNE_TRAMPOLINE_CALLED || at == DUNE_TRAMPOLINE_RUN)
		return PHASE_RESULT_RAX;
	if (at > DUNE_TRAMPOLINE_RUN && at <= DUNE_TRAMPOLINE_RUN_SYSCALL)
		return PHASE_RESULT_RSI;
	return PHASE_OTHER;
}

#endif /* DUNE_GUEST_SIGFRAME_H */
