/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR LGPL-2.1-or-later */
/*
 * The contract between dune.ko and everybody else: ioctls of /dev/dune and of a context fd, the
 * run page, hypercalls, statistics and events. Included by the module, by user space and by
 * assembly (which sees only the constants). A shipped struct is never edited: it gets a successor
 * and DUNE_ABI_VERSION goes up.
 *
 * Every reserved or padding field must be zero (-EINVAL), every unknown flag is refused (-EINVAL),
 * a struct that starts with `abi` is refused with -EPROTONOSUPPORT when it names another version.
 */
#ifndef DUNE_ABI_H
#define DUNE_ABI_H

#define DUNE_ABI_VERSION	2

/*
 * The host area: fixed user addresses of the trampoline and of each vcpu's two pages. It lies above
 * the usual mmap_min_addr and below every linker's default image base. A program in Dune mode can
 * neither unmap nor cover it.
 */
#define DUNE_AREA_START		0x10000
#define DUNE_AREA_END		0x200000
#define DUNE_TRAMPOLINE_ADDR	0x10000
#define DUNE_RUN_ADDR		0x20000	/* run page of vcpu n: + n * 0x2000 */
#define DUNE_ARGS_ADDR		0x21000	/* argument page of vcpu n: + n * 0x2000 */
#define DUNE_ARGS_UNKNOWN_CALLS	4088	/* in the argument page: __u64, the runtime's own count */
#define DUNE_VCPU_STRIDE	0x2000
#define DUNE_MAX_VCPUS		240

/*
 * mmap offsets of a context fd. All three are MAP_SHARED, read-only for user space and accepted only
 * at the fixed address named above; the trampoline is PROT_READ | PROT_EXEC, the others PROT_READ.
 */
#define DUNE_MMAP_TRAMPOLINE	0x0
#define DUNE_MMAP_RUN		0x10000	/* + n * 0x2000 */
#define DUNE_MMAP_ARGS		0x11000	/* + n * 0x2000 */

/*
 * Guest-physical memory. Slot 0 (the first gigabyte) is private memory: pages that only EPT maps.
 * Every other gigabyte is a slot for a 1 GB slice of the host address space (DUNE_HC_SLICE).
 */
#define DUNE_SLOT_SHIFT		30
#define DUNE_PRIVATE_END	0x20000000	/* ordinary private pages: gpa 0 .. 512 MB */
#define DUNE_GPA_RUN		0x30000000	/* run page of vcpu n: + n * 4096, EPT: read */
#define DUNE_GPA_ARGS		0x31000000	/* argument page of vcpu n: + n * 4096, EPT: read, write */

/*
 * Trampoline entry points, as offsets into its page. To start the loop, jump to RUN with
 *   rbx = context fd, rax = 0. No stack is used; every other register is ignored.
 * SIGNAL is what a mirrored sigaction names as its handler.
 */
#define DUNE_TRAMPOLINE_RUN	0x00
#define DUNE_TRAMPOLINE_SIGNAL	0x40

/*
 * RUN and RUN_SIGNAL are lseek(context fd, argument, whence): the file operation with the least code
 * around it, and with a 64-bit result. From the trampoline only (-EPERM); another whence is -EINVAL.
 */
#define DUNE_RUN		0	/* argument: result of the previous system call */
#define DUNE_RUN_SIGNAL		1	/* argument: address of a signal frame */

/*
 * Where the host's RIP can be when a signal frame is built, for DUNE_HC_SYSCALL's caller (see there):
 * offsets into the trampoline page.
 */
#define DUNE_TRAMPOLINE_RUN_SYSCALL	0x0f	/* the SYSCALL that is RUN; rsi = previous result */
#define DUNE_TRAMPOLINE_CALL		0x13	/* the SYSCALL made for the guest: not executed */
#define DUNE_TRAMPOLINE_CALLED		0x15	/* it was executed: rax = result */
#define DUNE_TRAMPOLINE_SIGNAL_SYSCALL	0x4f	/* the SYSCALL that is RUN_SIGNAL */
#define DUNE_TRAMPOLINE_TOUCH_READ	0x80	/* a native load from (rdi), then RUN */
#define DUNE_TRAMPOLINE_TOUCH_WRITE	0xa0	/* lock orb $0, (rdi), then RUN */

/*
 * Hypercalls: VMCALL at CPL 0 with the number in RCX (VMCALL at another CPL is #UD). The result is in
 * RAX, 0 or -errno where nothing else is said. Registers that are not named are preserved.
 * "gpa" arguments name ordinary private memory, "user" arguments host user addresses.
 */

/*
 * A Linux system call: RAX = number, RDI RSI RDX R10 R8 R9 = arguments, R11 = the user stack pointer at
 * which the kernel may build a signal frame. Returns RAX = result, RCX = 0.
 *
 * When a handler of the program must run first or the call was interrupted, RCX is instead the address
 * of the signal frame (struct rt_sigframe of the kernel's ABI, in user memory: untrusted), and RDX tells
 * whether the frame's RIP speaks of this call: 0 = the call was not given to the host, restart it;
 * 1 = read the RIP in the frame: at DUNE_TRAMPOLINE_CALL the call is to be restarted, at
 * DUNE_TRAMPOLINE_CALLED or _RUN its result is the frame's RAX, after that up to _RUN_SYSCALL the frame's
 * RSI. A frame whose RIP lies between _SIGNAL and _SIGNAL_SYSCALL was built before the frame at its RSP
 * was handed over: that older frame is to be handled first, by the same rules.
 */
#define DUNE_HC_SYSCALL		0
#define DUNE_HC_COPY_IN		1	/* rdi = gpa to, rsi = user from, rdx = bytes; -EFAULT */
#define DUNE_HC_COPY_OUT	2	/* rdi = user to, rsi = gpa from, rdx = bytes; -EFAULT */
#define DUNE_HC_SLICE		3	/* rdi = user address; returns gpa of its slot, -ENOSPC */
#define DUNE_HC_RAISE		4	/* rdi = signal, rsi = si_code, rdx = si_addr, r8 = trapno, */
/* r9 = error code, r10 = cr2: as the kernel does for a fault */
#define DUNE_HC_PANIC		5	/* rdi = gpa of struct dune_regs, rsi = vector, rdx = error */
/* code, r8 = cr2: ends the context with a report */
#define DUNE_HC_PRIVATE_ALLOC	6	/* rdi = pages; returns the gpa of that many contiguous zeroed */
/* pages; -EDQUOT over the limit, -ENOMEM */
#define DUNE_HC_STAT		7	/* rdi = DUNE_COUNT_*; returns this context's counter */
#define DUNE_HC_SLICE_MOVE	8	/* rdi = user address, rsi = another one that has a slot: takes the */
/* slot over from it; -ENOENT. The guest's own tables must not name it any more. */
#define DUNE_NR_HC		9

/* Longest DUNE_HC_COPY_*, in bytes. */
#define DUNE_COPY_MAX		65536

/* Limits of a context, index of dune_create.limits. */
#define DUNE_LIMIT_VCPUS	0	/* vcpus */
#define DUNE_LIMIT_PRIVATE	1	/* private pages */
#define DUNE_LIMIT_EPT		2	/* EPT table pages: counted; enforced by reclaim */
#define DUNE_LIMIT_CONTEXTS	3	/* contexts of this owner, this one included */
#define DUNE_NR_LIMITS		4

/*
 * The least limit of EPT table pages: private memory and the vcpu's own pages (261, however they are spread),
 * the upper tables of all slots (7 more), and one instruction with all its pages.
 */
#define DUNE_EPT_PAGES_MIN	320

/* Counters, index of dune_stats.counters. They only grow, but for the four DUNE_COUNT_*_NOW. */
#define DUNE_COUNT_ENTRIES	0	/* VM entries that succeeded */
#define DUNE_COUNT_EXITS	1	/* VM exits: the sum of dune_stats.exits */
#define DUNE_COUNT_RUNS		2	/* RUN and RUN_SIGNAL calls */
#define DUNE_COUNT_SYSCALLS	3	/* system calls handed to the trampoline */
#define DUNE_COUNT_HYPERCALLS	4	/* VMCALLs at CPL 0, system calls included */
#define DUNE_COUNT_EPT_READ	5	/* EPT violations by access */
#define DUNE_COUNT_EPT_WRITE	6
#define DUNE_COUNT_EPT_EXEC	7
#define DUNE_COUNT_EPT_FILLS	8	/* EPT leaves installed */
#define DUNE_COUNT_EPT_ZAPS	9	/* EPT leaves removed by invalidation */
#define DUNE_COUNT_EPT_RETRIES	10	/* fills given up because of a concurrent invalidation */
#define DUNE_COUNT_TOUCHES	11	/* native touches by the trampoline */
#define DUNE_COUNT_INVEPT	12
#define DUNE_COUNT_IPIS		13	/* sent by invalidations to CPUs in guest mode */
#define DUNE_COUNT_MIGRATIONS	14	/* a vcpu moved to another CPU */
#define DUNE_COUNT_SIGNALS	15	/* signal frames delivered to the runtime */
#define DUNE_COUNT_WORK		16	/* returns to user because of pending work */
#define DUNE_COUNT_WORK_FPU	17	/* of these, only to reload the FPU */
#define DUNE_COUNT_DEFERRED	18	/* re-entries while work waits for the runtime to be interruptible */
#define DUNE_COUNT_DENIED	19	/* forbidden instructions, MSRs and control register values */
#define DUNE_COUNT_FAULTS	20	/* faults raised as signals (DUNE_HC_RAISE, execute of NX) */
#define DUNE_COUNT_UNKNOWN_CALLS 21	/* system call numbers that no kernel knows (-ENOSYS) */
#define DUNE_COUNT_SLICES	22	/* slices of the address space given a slot */
#define DUNE_COUNT_LIMIT_HITS	23	/* allocations refused by a limit of this context */
#define DUNE_COUNT_REINJECTED	24	/* events whose delivery an exit interrupted */
#define DUNE_COUNT_VCPUS_NOW	25
#define DUNE_COUNT_PRIVATE_NOW	26	/* private pages */
#define DUNE_COUNT_EPT_NOW	27	/* EPT table pages */
#define DUNE_COUNT_SLOTS_NOW	28	/* slots in use */
#define DUNE_COUNT_DIRECT	29	/* system calls made by the module itself (parameter direct_calls) */
#define DUNE_COUNT_EPT_LARGE	30	/* of the leaves installed, those of 2M and 1G */
#define DUNE_NR_COUNTERS	32

#define DUNE_NR_EXITS		80	/* basic exit reasons counted; larger ones in the last */

/* State of a context. */
#define DUNE_STATE_NEW		0	/* created, not attached */
#define DUNE_STATE_ATTACHED	1	/* bound to a process, being filled */
#define DUNE_STATE_RUNNING	2	/* locked */
#define DUNE_STATE_ENDED	3	/* process gone or context ended; the fd is still open */

/* Why a context ended (dune_report.cause). */
#define DUNE_END_NONE		0	/* still there */
#define DUNE_END_EXIT		1	/* the process exited, or replaced its program */
#define DUNE_END_KILL		2	/* DUNE_KILL */
#define DUNE_END_TRIPLE_FAULT	3
#define DUNE_END_ENTRY_FAILED	4	/* VM entry refused the guest state */
#define DUNE_END_BAD_EXIT	5	/* an exit reason without a handler */
#define DUNE_END_BAD_GPA	6	/* guest-physical address that names no memory */
#define DUNE_END_STUCK		7	/* the same EPT violation over and over with nothing in its way */
#define DUNE_END_PANIC		8	/* the runtime met a fault of its own (DUNE_HC_PANIC) */
#define DUNE_END_TRAMPOLINE	9	/* trampoline, run page or argument page was unmapped */
#define DUNE_END_SIGNALS	10	/* more signal frames than can wait for an uninterruptible guest */
#define DUNE_END_EVENT_LOOP	11	/* endless exception delivery (#AC, #DB) */
#define DUNE_NR_ENDS		12

/* Events read from /dev/dune (dune_event.type). */
#define DUNE_EVENT_CREATED	1
#define DUNE_EVENT_ATTACHED	2
#define DUNE_EVENT_RUNNING	3
#define DUNE_EVENT_ENDED	4	/* value = DUNE_END_*, detail = guest RIP */
#define DUNE_EVENT_FREED	5
#define DUNE_EVENT_LIMIT	6	/* value = DUNE_LIMIT_*, detail = the limit */
#define DUNE_EVENT_LOST		7	/* detail = events this reader lost by reading too slowly */

#define DUNE_NAME_MAX		64	/* bytes of a context's name, the NUL included */
#define DUNE_CGROUP_MAX		128	/* bytes of a context's cgroup path, the NUL included */

#ifndef __ASSEMBLY__
#include <linux/types.h>
#include <linux/ioctl.h>

/* General registers in the processor's order. */
struct dune_regs {
	__u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 rip, rflags, cs, ss;
};

/*
 * The run page of a vcpu: written by the module at every exit, readable by user space (debuggers and
 * core dumps find the guest's registers here) and by the runtime at DUNE_GPA_RUN.
 */
struct dune_run {
	struct dune_regs regs;
	__u64 exit_reason;
	__u64 exit_qualification;
	__u64 guest_physical;
	__u64 guest_linear;
	__u64 signal_frame;	/* of the signal_vector interrupt being delivered */
	__u64 exits;		/* VM exits of this vcpu so far */
	__u64 context_id;
	__u64 vcpu;
	__u64 reserved[32];
};

/* State in which a vcpu first enters the guest; all of it is validated. */
struct dune_vcpu_state {
	__u64 rip, rsp;			/* canonical; rip in the upper half */
	__u64 cr3;			/* page aligned, in ordinary private memory */
	__u64 gdt_base, idt_base;	/* canonical, upper half */
	__u64 tr_base;
	__u32 gdt_limit, idt_limit;	/* bytes - 1, at most 0xffff */
	__u32 tr_limit;
	__u16 tr_selector;		/* TI and RPL zero, not null */
	__u16 cs_selector;		/* 64-bit code, DPL 0 */
	__u16 ss_selector;		/* data, DPL 0 */
	__u16 pad[3];
	__u64 lstar, star, fmask;	/* lstar canonical, upper half */
	__u64 fs_base, gs_base;		/* canonical */
};

/* DUNE_INFO: for anybody who can open the device. No input but the flags. */
struct dune_info {
	__u32 abi;		/* out: the module's version, whatever the caller's */
	__u32 flags;		/* in: 0 */
	__u64 features;		/* DUNE_FEATURE_* of this CPU that the module uses */
	__u32 gpa_bits;		/* guest-physical address width used */
	__u32 nr_slots;		/* slots per context, slot 0 excluded */
	__u64 max_contexts;	/* host ceilings (module parameters) */
	__u64 max_vcpus;
	__u64 max_private;
	/* What is allocated now; all zero when nobody uses the module. */
	__u64 contexts;
	__u64 vcpus;
	__u64 ept_pages;
	__u64 private_pages;
	__u64 run_pages;
	__u64 vmcs_pages;
	__u64 created;		/* contexts ever created */
	__u64 refused;		/* creates and attaches refused by a limit or ceiling */
	__u64 assertions;	/* internal assertions that failed: always 0, else a bug */
	char version[32];	/* of the module */
	__u64 max_ept;		/* a host ceiling, too: EPT table pages of a context */
	__u64 vmx_holder;	/* DUNE_VMX_* */
	__u64 bugs;		/* DUNE_BUG_*: bugs of this CPU that Linux knows of */
	__u64 measures;		/* DUNE_MEASURE_* against them; proto/bugs.c tells which serves which */
	__u64 reserved[12];
};

/* Who has turned VMX on for the contexts that exist. */
#define DUNE_VMX_OFF	0	/* no context, so nobody on their account */
#define DUNE_VMX_OWN	1	/* the module: KVM can't run a machine meanwhile */
#define DUNE_VMX_KVM	2	/* KVM: dune_create.kvm_fd */

#define DUNE_FEATURE_PREEMPTION_TIMER	(1ull << 0)
#define DUNE_FEATURE_EPT_EXEC_ONLY	(1ull << 1)
#define DUNE_FEATURE_EPT_2M		(1ull << 2)
#define DUNE_FEATURE_EPT_1G		(1ull << 3)
#define DUNE_FEATURE_EPT_AD		(1ull << 4)
#define DUNE_FEATURE_INVPCID		(1ull << 5)
#define DUNE_FEATURE_RDTSCP		(1ull << 6)
#define DUNE_FEATURE_UMIP		(1ull << 7)
#define DUNE_FEATURE_PAGE_1G		(1ull << 8)	/* 1 GB pages in guest page tables */

/* Named as in /proc/cpuinfo. */
#define DUNE_BUG_MELTDOWN		(1ull << 0)
#define DUNE_BUG_SPECTRE_V1		(1ull << 1)
#define DUNE_BUG_SPECTRE_V2		(1ull << 2)
#define DUNE_BUG_SPEC_STORE_BYPASS	(1ull << 3)
#define DUNE_BUG_L1TF			(1ull << 4)
#define DUNE_BUG_MDS			(1ull << 5)
#define DUNE_BUG_SWAPGS			(1ull << 6)
#define DUNE_BUG_TAA			(1ull << 7)
#define DUNE_BUG_ITLB_MULTIHIT		(1ull << 8)
#define DUNE_BUG_SRBDS			(1ull << 9)
#define DUNE_BUG_MMIO_STALE_DATA	(1ull << 10)
#define DUNE_BUG_MMIO_UNKNOWN		(1ull << 11)
#define DUNE_BUG_RETBLEED		(1ull << 12)
#define DUNE_BUG_EIBRS_PBRSB		(1ull << 13)
#define DUNE_BUG_GDS			(1ull << 14)
#define DUNE_BUG_RFDS			(1ull << 15)
#define DUNE_BUG_BHI			(1ull << 16)
#define DUNE_BUG_ITS			(1ull << 17)
#define DUNE_BUG_VMSCAPE		(1ull << 18)

#define DUNE_MEASURE_OFF		(1ull << 0)	/* the kernel runs with mitigations=off */
#define DUNE_MEASURE_VERW		(1ull << 1)	/* executed before every entry */
#define DUNE_MEASURE_MD_CLEAR		(1ull << 2)	/* it clears buffers; microcode */
#define DUNE_MEASURE_FB_CLEAR		(1ull << 3)	/* it clears fill buffers; microcode */
#define DUNE_MEASURE_RFDS_CLEAR		(1ull << 4)	/* it clears register files; microcode */
#define DUNE_MEASURE_L1D_FLUSH		(1ull << 5)	/* before every entry */
#define DUNE_MEASURE_NO_SMT		(1ull << 6)	/* one thread a core runs */
#define DUNE_MEASURE_NO_TSX		(1ull << 7)
#define DUNE_MEASURE_NO_EXEC_HUGE	(1ull << 8)	/* large EPT pages are not executable */
#define DUNE_MEASURE_RETPOLINE		(1ull << 9)
#define DUNE_MEASURE_IBRS		(1ull << 10)	/* written after every exit */
#define DUNE_MEASURE_EIBRS		(1ull << 11)	/* always on */
#define DUNE_MEASURE_RSB_FILL		(1ull << 12)	/* the return stack, after every exit */
#define DUNE_MEASURE_RSB_ONE		(1ull << 13)	/* one call and LFENCE, after every exit */
#define DUNE_MEASURE_IBPB		(1ull << 14)	/* after every exit */
#define DUNE_MEASURE_CALL_DEPTH		(1ull << 15)	/* calls counted, the return stack refilled */
#define DUNE_MEASURE_BHB_LOOP		(1ull << 16)	/* branch history cleared, after every exit */
#define DUNE_MEASURE_BHI_DIS		(1ull << 17)	/* BHI_DIS_S always on */
#define DUNE_MEASURE_ITS_THUNKS		(1ull << 18)	/* branches and returns by safe thunks */
#define DUNE_MEASURE_ITS_NATIVE_ONLY	(1ull << 19)	/* a kind of ITS that guests can't use */

/*
 * Whom the service charges a context to besides its owner. The module keeps it and gives it back in
 * DUNE_STATS, so that it outlives the service; it means nothing to the module.
 */
struct dune_labels {
	__u32 gid;
	__s32 creator_pid;	/* of the process that asked the service */
	__u64 creator_start;	/* when that process began: pids are used again */
	char cgroup[DUNE_CGROUP_MAX];	/* printable ASCII, NUL-terminated, may be empty */
};

/* DUNE_CREATE: a new context, charged to owner. */
struct dune_create {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u32 owner;		/* uid; only a process with this euid can attach */
	__s32 ret_fd;		/* out: the context fd, close-on-exec */
	/* 0 = the host ceiling; above a ceiling, or of EPT tables below DUNE_EPT_PAGES_MIN: -ERANGE */
	__u64 limits[DUNE_NR_LIMITS];
	char name[DUNE_NAME_MAX];	/* printable ASCII, NUL-terminated, may be empty */
	__u64 ret_id;		/* out: never used twice while the module is loaded */
	/*
	 * A VM of KVM that holds VMX while there are contexts, so that virtual machines can run beside them; 0 =
	 * none. Kept only by the first context of all; -EINVAL when it is no VM.
	 */
	__u32 kvm_fd;
	__u32 pad;		/* 0 */
	struct dune_labels labels;
	__u64 reserved[3];
};

/* One context, as DUNE_STATS returns it. */
struct dune_stats {
	__u64 id;
	__u32 owner;
	__u32 state;		/* DUNE_STATE_* */
	__s32 pid;		/* thread group id in the reader's pid namespace; 0 when none */
	__u32 cause;		/* DUNE_END_* */
	__u64 created_ns;	/* CLOCK_MONOTONIC */
	__u64 limits[DUNE_NR_LIMITS];
	__u64 counters[DUNE_NR_COUNTERS];
	__u64 exits[DUNE_NR_EXITS];
	char name[DUNE_NAME_MAX];
	char comm[16];
	struct dune_labels labels;
	__u64 reserved[6];
};

/* DUNE_STATS: contexts in ascending order of id, all counters in one call. */
struct dune_stats_call {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 after_id;		/* first context with a larger id */
	__u64 buffer;		/* of struct dune_stats */
	__u32 capacity;		/* structs in the buffer, 1 .. 65536 */
	__u32 ret_count;	/* out: structs written; less than capacity at the end */
};

/* Sums over all contexts that there ever were, the freed ones included: they only grow. */
struct dune_totals {
	__u64 created;		/* contexts */
	__u64 ended[16];	/* by DUNE_END_*; at DUNE_END_NONE those freed without a process */
	__u64 counters[DUNE_NR_COUNTERS];	/* the DUNE_COUNT_*_NOW: of those that exist */
	__u64 exits[DUNE_NR_EXITS];
	__u64 reserved[7];
};

/* DUNE_TOTALS: all of it at one time. */
struct dune_totals_call {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 buffer;		/* of one struct dune_totals */
};

/* DUNE_REPORT: how a context ended. -ENOENT for no such context. */
struct dune_report {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 id;		/* in */
	__u32 cause;		/* out: DUNE_END_*; the rest is valid for guest faults */
	__u32 exit_reason;
	__u32 cpl;
	__u32 vector;		/* DUNE_END_PANIC: exception vector */
	__u64 error_code;
	__u64 exit_qualification;
	__u64 guest_physical;
	__u64 guest_linear;
	__u64 cr0, cr2, cr3, cr4;
	struct dune_regs regs;
	__u64 reserved[4];
};

/*
 * DUNE_SET_LIMITS: lowering below use is allowed and only blocks growth. -ENOENT, -ERANGE as for DUNE_CREATE,
 * but for what stays as it is.
 */
struct dune_set_limits {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 id;
	__u64 limits[DUNE_NR_LIMITS];	/* 0 = the host ceiling */
};

/* DUNE_KILL: SIGKILL to the context's process. -ENOENT no such context, -ESRCH not attached. */
struct dune_kill {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 id;
};

/* read(2) on /dev/dune returns whole events; -EINVAL for a buffer below one. */
struct dune_event {
	__u64 seq;
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u64 id;		/* context */
	__u32 type;		/* DUNE_EVENT_* */
	__u32 owner;
	__s32 pid;
	__u32 value;
	__u64 detail;
	char name[DUNE_NAME_MAX];
};

/*
 * DUNE_ATTACH: binds the context to the caller's mm and gives the calling thread vcpu 0.
 * -EEXIST mm or context already bound, -EPERM euid is not the owner, -EACCES not dumpable,
 * -EBUSY more than one thread, -EDQUOT vcpu limit, -EINTR a signal came first (try again), -EOPNOTSUPP under
 * PR_SET_TSC, ARCH_SET_CPUID or PR_SET_MDWE, which would not hold in the guest.
 */
struct dune_attach {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u64 ret_id;		/* out: context id */
	__u64 reserved[2];
};

/*
 * DUNE_PRIVATE_WRITE: copies into ordinary private memory, allocating zeroed pages as needed.
 * -EXDEV another mm, -EBUSY after LOCK, -ERANGE outside of private memory, -EDQUOT limit, -EFAULT.
 */
struct dune_private_write {
	__u64 gpa;
	__u64 source;		/* user address; 0 = only allocate */
	__u64 size_bytes;	/* 1 .. 16 MB */
};

/*
 * DUNE_LOCK: from here on private memory is out of user space's reach and the vcpu may run. Needs the
 * trampoline, run page and argument page of vcpu 0 mapped (-ENXIO when not). signal_vector (32..255)
 * is the interrupt by which a signal frame is announced.
 */
struct dune_lock {
	__u32 abi;
	__u32 flags;		/* 0 */
	__u32 signal_vector;
	__u32 pad;
	struct dune_vcpu_state state;
};

/* Of /dev/dune. */
#define DUNE_INFO		_IOWR('D', 0x00, struct dune_info)
#define DUNE_CREATE		_IOWR('D', 0x01, struct dune_create)
#define DUNE_STATS		_IOWR('D', 0x02, struct dune_stats_call)
#define DUNE_REPORT		_IOWR('D', 0x03, struct dune_report)
#define DUNE_SET_LIMITS		_IOW('D', 0x04, struct dune_set_limits)
#define DUNE_KILL		_IOW('D', 0x05, struct dune_kill)
#define DUNE_TOTALS		_IOW('D', 0x06, struct dune_totals_call)
/* Of a context fd, by the attached process only (-EXDEV). */
#define DUNE_ATTACH		_IOWR('D', 0x20, struct dune_attach)
#define DUNE_PRIVATE_WRITE	_IOW('D', 0x21, struct dune_private_write)
#define DUNE_LOCK		_IOW('D', 0x22, struct dune_lock)

#if defined(__KERNEL__) || defined(__cplusplus)
#define DUNE_ABI_ASSERT(x) static_assert(x)
#else
#define DUNE_ABI_ASSERT(x) _Static_assert(x, #x)
#endif
DUNE_ABI_ASSERT(sizeof(struct dune_regs) == 160);
DUNE_ABI_ASSERT(sizeof(struct dune_run) == 480);
DUNE_ABI_ASSERT(sizeof(struct dune_vcpu_state) == 112);
DUNE_ABI_ASSERT(sizeof(struct dune_info) == 280);
DUNE_ABI_ASSERT(sizeof(struct dune_labels) == 144);
DUNE_ABI_ASSERT(sizeof(struct dune_create) == 296);
DUNE_ABI_ASSERT(sizeof(struct dune_stats) == 1232);
DUNE_ABI_ASSERT(sizeof(struct dune_totals) == 1088);
DUNE_ABI_ASSERT(sizeof(struct dune_stats_call) == 32);
DUNE_ABI_ASSERT(sizeof(struct dune_totals_call) == 16);
DUNE_ABI_ASSERT(DUNE_NR_ENDS <= 16);
DUNE_ABI_ASSERT(sizeof(struct dune_report) == 288);
DUNE_ABI_ASSERT(sizeof(struct dune_set_limits) == 48);
DUNE_ABI_ASSERT(sizeof(struct dune_kill) == 16);
DUNE_ABI_ASSERT(sizeof(struct dune_event) == 112);
DUNE_ABI_ASSERT(sizeof(struct dune_attach) == 32);
DUNE_ABI_ASSERT(sizeof(struct dune_private_write) == 24);
DUNE_ABI_ASSERT(sizeof(struct dune_lock) == 128);
#endif /* !__ASSEMBLY__ */

#endif /* DUNE_ABI_H */
