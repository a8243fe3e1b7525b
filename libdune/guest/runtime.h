/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runtime's own declarations. The runtime is guest ring 0 in private memory: one instance per
 * context, entered with interrupts off and never preempted, so a vcpu's data needs no lock. It must
 * never dereference an address that the program gave it: user memory is reached by hypercall only.
 */
#ifndef DUNE_GUEST_RUNTIME_H
#define DUNE_GUEST_RUNTIME_H

#include <stddef.h>
#include "libdune/guest/layout.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

/* Frames that wait to be handed to handlers: more than this at once ends the context. */
#define MAX_FRAMES 64

/* Bytes of the per-vcpu page used as the private side of copies. */
#define SCRATCH_SIZE 1024

struct percpu {
	u32 ring; /* CPU_RING */
	u32 pad;
	u64 vector;
	u64 error;
	u64 gpa; /* of this struct */
	u64 args_user; /* host user address of the argument page */
	u64 unknown_calls;
	u32 nr_frames; /* signal frames taken from the host, oldest first */
	u32 restart; /* the current system call is to be made again */
	u64 frames[MAX_FRAMES];
	s32 signals[MAX_FRAMES]; /* of the frames */
	u64 fetches[MAX_FRAMES]; /* of the frames: where a fetch may have failed, else 0 */
	u8 scratch[SCRATCH_SIZE] __attribute__((aligned(64)));
};
_Static_assert(offsetof(struct percpu, ring) == CPU_RING - PERCPU_BASE, "assembly");
_Static_assert(offsetof(struct percpu, vector) == CPU_VECTOR - PERCPU_BASE, "assembly");
_Static_assert(offsetof(struct percpu, error) == CPU_ERROR - PERCPU_BASE, "assembly");
_Static_assert(sizeof(struct percpu) <= 4096, "one page");
_Static_assert(offsetof(struct dune_regs, rip) == R_RIP, "assembly");
_Static_assert(offsetof(struct dune_regs, ss) == R_SS, "assembly");
_Static_assert(sizeof(struct dune_regs) == R_SIZE, "assembly");

#define cpu	  ((struct percpu *)PERCPU_BASE)
#define run_page  ((const volatile struct dune_run *)(PERCPU_BASE + PERCPU_RUN))
#define args_page ((void *)(PERCPU_BASE + PERCPU_ARGS))

extern struct runtime_boot boot;

/* What the host answered to a system call. */
struct host_result {
	u64 value;
	u64 frame; /* signal frame, or 0 */
	u64 kind; /* DUNE_HC_SYSCALL's RDX; valid with a frame */
};

/* Why the runtime gives up without an exception: in RAX of the report, with vector 255. */
enum panic {
	PANIC_LOADER = 1, /* the loader's mappings can't be removed */
	PANIC_FRAMES, /* more than MAX_FRAMES signal frames */
	PANIC_FRAME_LOST, /* a frame that the kernel has just built can't be read */
};

/* trap.c */
struct dune_trap;
void trap_dispatch(struct dune_regs *regs, u64 vector, u64 error);
u64 trap_of_runtime(struct dune_regs *regs, u64 vector, u64 error);
void return_refused(struct dune_regs *regs);
long trap_set(u64 vector, u64 handler);
void raise_signal(u64 signal, u64 code, u64 address);
_Noreturn void panic(struct dune_regs *regs, u64 vector, u64 error, u64 cr2);
_Noreturn void panic_here(enum panic why);

/* slice.c */
void slice_init(void);
int slice_ensure(u64 address);

/* syscall.c */
void syscall_slow(struct dune_regs *regs);
void syscall_odd_return(struct dune_regs *regs);
void syscall_interrupted(struct dune_regs *regs, u64 result, u64 frame, u64 kind);
long host_call(struct dune_regs *regs, u64 number, const u64 *args);
long pass(struct dune_regs *regs);

/* signal.c */
void signal_init(void);
long signal_taken(const struct host_result *result);
void signal_enter_handlers(struct dune_regs *regs);
void signal_interrupt(struct dune_regs *regs);
long signal_sigaction(struct dune_regs *regs);
void signal_sigreturn(struct dune_regs *regs);
long signal_sigaltstack(struct dune_regs *regs);

/* fpu.c */
int fpu_restore(u64 user);

/* calls_*.c: system calls that the supervisor does not simply pass on */
long call_mmap(struct dune_regs *regs);
long call_range(struct dune_regs *regs);
long call_pkey_mprotect(struct dune_regs *regs);
long call_mremap(struct dune_regs *regs);
long call_shmat(struct dune_regs *regs);
long call_fd(struct dune_regs *regs);
long call_dup(struct dune_regs *regs);
long call_close_range(struct dune_regs *regs);
long call_clone(struct dune_regs *regs);
long call_prctl(struct dune_regs *regs);
long call_arch_prctl(struct dune_regs *regs);

/* entry.S */
extern const char trap_return[];
int fpu_xrstor(const void *area, u64 features);
int fpu_fxrstor(const void *area);
void runtime_main(void);

/* string.c */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

static inline u64 to_gva(u64 gpa)
{
	return RUNTIME_BASE + gpa;
}

#endif /* DUNE_GUEST_RUNTIME_H */
