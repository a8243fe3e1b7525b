/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where everything lies in a guest's upper half, and what the loader tells the runtime. Shared by
 * the runtime (libdune/guest), by the loader that builds private memory (libdune/host) and by
 * assembly. It describes; it owns nothing. Both sides come from one build, so it has no version.
 */
#ifndef DUNE_GUEST_LAYOUT_H
#define DUNE_GUEST_LAYOUT_H

#include "proto/dune_abi.h"

/*
 * Ordinary private memory, linear: gva = RUNTIME_BASE + gpa. The first 2 MB are mapped page by
 * page.
 */
#define RUNTIME_BASE	  0xffffffff80000000
#define RUNTIME_IMAGE_GPA 0x1000
#define RUNTIME_SMALL_END 0x200000

/*
 * The same addresses on every vcpu, other memory: PDPT entry 511 of a vcpu's own top-level tables.
 */
#define PERCPU_BASE	       0xffffffffc0000000
#define PERCPU_DATA	       0x0000
#define PERCPU_TABLES	       0x1000 /* GDT and TSS, read-only */
#define PERCPU_TSS	       0x1100
#define PERCPU_IDT	       0x2000 /* read-only */
#define PERCPU_STACK	       0x4000 /* a guard page below every stack */
#define PERCPU_STACK_TOP       0x8000
#define PERCPU_TRAP_STACK      0x9000
#define PERCPU_TRAP_STACK_TOP  0xa000
#define PERCPU_PANIC_STACK     0xb000
#define PERCPU_PANIC_STACK_TOP 0xc000
#define PERCPU_DEBUG_STACK     0xd000
#define PERCPU_DEBUG_STACK_TOP 0xe000
#define PERCPU_FPU	       0xf000
#define PERCPU_FPU_MAX	       0x8000 /* largest XSAVE area that a signal frame may hold */
#define PERCPU_RUN	       0x18000 /* run page, read-only */
#define PERCPU_ARGS	       0x19000 /* argument page */
#define PERCPU_END	       0x1a000

/* Offsets in struct dune_regs, and where the frame of the interrupted program lies. */
#define R_RAX	 0
#define R_RCX	 8
#define R_RDX	 16
#define R_RBX	 24
#define R_RSP	 32
#define R_RBP	 40
#define R_RSI	 48
#define R_RDI	 56
#define R_R8	 64
#define R_R9	 72
#define R_R10	 80
#define R_R11	 88
#define R_R12	 96
#define R_R13	 104
#define R_R14	 112
#define R_R15	 120
#define R_RIP	 128
#define R_RFLAGS 136
#define R_CS	 144
#define R_SS	 152
#define R_SIZE	 160
#define FRAME	 (PERCPU_BASE + PERCPU_STACK_TOP - R_SIZE)
#define IRETF	 (FRAME - 48) /* what IRET pops: rip, cs, rflags, rsp, ss */

/* Words of the per-vcpu page that assembly uses; struct percpu asserts them. */
#define CPU_RING   (PERCPU_BASE + 0) /* ring the program runs in: 0 or 3 */
#define CPU_VECTOR (PERCPU_BASE + 8)
#define CPU_ERROR  (PERCPU_BASE + 16)

/* Selectors. Those of ring 3 are Linux's own; 0x7b is what the vdso reads the CPU number from. */
#define SEL_CODE      0x08
#define SEL_DATA      0x10
#define SEL_SYSRET    0x23
#define SEL_USER_DATA 0x2b
#define SEL_USER_CODE 0x33
#define SEL_TSS	      0x40
#define SEL_CPU	      0x7b
#define GDT_ENTRIES   16

#define IST_TRAP  1
#define IST_PANIC 2
#define IST_DEBUG 3

#define FLAG_CF	     0x1
#define FLAG_TF	     0x100
#define FLAG_IF	     0x200
#define FLAG_DF	     0x400
#define FLAG_RF	     0x10000
#define FLAG_AC	     0x40000
#define FLAG_FIXED   0x2
/* What SYSCALL clears: all that a program can set and the runtime must not inherit. */
#define SYSCALL_MASK 0x257fd5

/* First address that no user page can have: Linux's TASK_SIZE_MAX with four-level tables. */
#define USER_END 0x7ffffffff000

/* The interrupt that announces a signal frame. */
#define SIGNAL_VECTOR 0xf0

/* #PF and bits of its error code */
#define TRAP_PF	   14
#define PF_PRESENT 1
#define PF_USER	   4
#define PF_FETCH   16

/* System calls of ring-0 programs to the runtime itself; see dune.h. */
#define DUNE_CALL_FIRST	   0x44550000
#define DUNE_CALL_TRAP_SET 0x44550000
#define DUNE_NR_CALLS	   1

/* System call numbers that the table covers: those of Linux 6.1. */
#define NR_LINUX_CALLS 451
#define CALL_PASS      1 /* class of a call that goes to the host as it is */

#define RUNTIME_MAGIC 0x656e7564746e7572 /* "runtdune" */

#ifndef __ASSEMBLY__
#include <linux/types.h>

#define RUNTIME_MAX_UNMAP  4
#define RUNTIME_NR_SIGNALS 64

/* First bytes of the runtime's image. Addresses are guest-virtual. */
struct runtime_header {
	__u64 magic;
	__u64 entry;
	__u64 syscall_entry;
	__u64 trap_stubs; /* 256 stubs, 16 bytes each */
	__u64 boot; /* struct runtime_boot, to be filled before LOCK */
	__u64 text_start, text_end;
	__u64 data_start;
	__u64 image_end; /* end of what is in the file; zeroes up to bss_end */
	__u64 bss_end;
};

/* A program's own view of a signal's action, as the kernel's struct sigaction has it. */
struct runtime_action {
	__u64 handler;
	__u64 flags;
	__u64 restorer;
	__u64 mask;
};

/* What the loader decides; read once by the runtime. */
struct runtime_boot {
	__u32 ring; /* 0 or 3 */
	__u32 context_fd;
	struct dune_regs regs; /* the program's first registers; cs, ss, rflags are the runtime's */
	__u64 percpu_gpa; /* of PERCPU_DATA */
	__u64 fpu_gpa; /* of PERCPU_FPU, contiguous */
	__u64 fpu_size_bytes; /* of the XSAVE area in a signal frame; 512: no XSAVE */
	__u64 fpu_features; /* XCR0 */
	__u64 pml4_gpa;
	__u64 pool_gpa; /* zeroed pages for page tables */
	__u32 pool_pages;
	__u32 page_1g; /* 1 GB pages in page tables */
	__u32 nr_unmap; /* the loader's own mappings, to be removed first */
	__u32 set_sigmask; /* sigmask is to be installed after entry */
	__u64 sigmask;
	struct {
		__u64 start;
		__u64 size_bytes;
	} unmap[RUNTIME_MAX_UNMAP];
	struct runtime_action actions[RUNTIME_NR_SIGNALS]; /* of signal n: [n - 1] */
};

#endif /* !__ASSEMBLY__ */
#endif /* DUNE_GUEST_LAYOUT_H */
