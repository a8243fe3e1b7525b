/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vcpu: one thread's guest state. Only its thread runs it, so nothing here has a lock but what says so.
 */
#ifndef DUNE_VCPU_H
#define DUNE_VCPU_H

#include <linux/list.h>
#include <linux/sched.h>
#include <asm/desc_defs.h>
#include "proto/dune_abi.h"

struct dune_context;
struct pt_regs;

/* Linear addresses of a guest: CR4.LA57 is never set. */
#define DUNE_ADDRESS_BITS	48
/* Signal frames that can wait for a guest that is not interruptible. */
#define VCPU_FRAMES_MAX		8
/* Re-entries in a row while work waits for the runtime to become interruptible. */
#define VCPU_DEFER_MAX		16

/* Exits handled in a row with interrupts off: bounds the delay of an interrupt that does not exit. */
#define VCPU_IRQOFF_MAX		256

/* An event to inject at the next entry; zero = none. Fields as in the VMCS (SDM 3C 25.8.3). */
struct dune_event_injection {
	u32 info;
	u32 error_code;
	u32 instruction_length;
};

/* What the last exit said. Read from the VMCS with interrupts off, used later. */
struct dune_exit {
	u32 reason;		/* the whole field */
	u32 instruction_length;
	u32 interruption_info;
	u32 interruption_error;
	u64 qualification;
	u64 guest_physical;
	u64 guest_linear;
	u32 cpl;
};

struct dune_msr_entry {		/* SDM 3C table 25-15 */
	u32 index;
	u32 reserved;
	u64 value;
} __aligned(16);

#define VCPU_NR_MSRS	3	/* LSTAR, STAR, FMASK */

/* Everything VT-x keeps of a vcpu. */
struct dune_vmx_vcpu {
	struct dune_msr_entry guest_msrs[VCPU_NR_MSRS];
	struct dune_msr_entry host_msrs[VCPU_NR_MSRS];
	struct vmcs_page *vmcs;
	u64 vmcs_pa;
	u64 foreign_pa;	/* KVM's VMCS, between hw_claim and hw_yield */
	unsigned long host_rsp;	/* value of the VMCS field */
	unsigned long host_cr3, host_cr4, host_fs_base, host_perf_ctrl;
	struct desc_ptr host_gdt;	/* of the CPU where the VMCS is active */
	bool window;		/* interrupt-window exiting is on */
	unsigned long cr2;	/* the guest's; the processor has one for both */
	u16 vpid;
	bool launched;
	bool rip_dirty;		/* run->regs.rip has to be written back */
	bool flush_vpid;
	bool state_written;
	unsigned long rcu_noted;	/* jiffies */
	int cpu;		/* where the VMCS is active, or -1 */
	struct list_head link;	/* on that CPU's list; changed there with interrupts off */
};

/* What to do after an exit. */
enum vcpu_next {
	VCPU_ENTER,		/* go on in the guest */
	VCPU_READY,		/* nothing is in the way of it */
	VCPU_SYSCALL,		/* registers are loaded for the trampoline's call */
	VCPU_TOUCH_READ,	/* native touch of vcpu->exit.guest_linear (a host address by now) */
	VCPU_TOUCH_WRITE,
	VCPU_HANDLE,		/* exit_handle has to see to it, with interrupts on */
	VCPU_WORK,		/* back to user for pending work, then RUN again */
	VCPU_FAILED,		/* entry failed: the context has to end */
	VCPU_ENDED,
};

struct dune_vcpu {
	struct dune_vmx_vcpu vmx;	/* first: the MSR areas are 16-byte aligned */
	struct dune_context *ctx;
	struct task_struct *task;	/* holds a reference, so the pointer is never reused */
	u32 index;
	struct page *run_page;
	struct dune_run *run;		/* its registers are the guest's while it is out */
	struct page *args_page;
	struct dune_vcpu_state start;

	bool await;			/* a system call is with the trampoline */
	bool frame_given;		/* argument of RUN_SIGNAL not consumed yet */
	bool result_given;		/* argument of RUN not consumed yet */
	u64 given;
	u64 frames[VCPU_FRAMES_MAX];	/* waiting, oldest first */
	unsigned int nr_frames;
	unsigned int nr_deferred;	/* in a row */

	unsigned int nr_irqoff;	/* entries left in this interrupts-off window */
	struct dune_exit exit;
	struct dune_event_injection inject;

	int guest_cpu;			/* -1 = not in the guest; read by the notifier */

	/* The same violation over and over with nothing in its way: DUNE_END_STUCK. */
	u64 stuck_gpa, stuck_rip, stuck_seq;
	unsigned int nr_stuck;

	u64 counters[DUNE_NR_COUNTERS];
	u64 exits[DUNE_NR_EXITS];
};

/* One instruction: who reads them meanwhile never sees half a count. */
static __always_inline void vcpu_count(struct dune_vcpu *vcpu, unsigned int counter)
{
	asm volatile("incq %0" : "+m"(vcpu->counters[counter]));
}

int vcpu_create(struct dune_context *ctx, struct dune_vcpu **ret_vcpu);
void vcpu_free(struct dune_vcpu *vcpu);

/* RUN and RUN_SIGNAL, called from the trampoline; the return value is the trampoline's RAX. */
long vcpu_run(struct dune_vcpu *vcpu, struct pt_regs *regs, bool is_signal, u64 argument);

/* Ends the context because of what this vcpu's guest did, with its registers in the report. */
enum vcpu_next vcpu_end(struct dune_vcpu *vcpu, u32 cause);
/* The same for a fault of the runtime's own. */
enum vcpu_next vcpu_panic(struct dune_vcpu *vcpu, const struct dune_regs *at, u32 vector,
			  u64 error_code, u64 cr2);

/* The oldest waiting signal frame; there must be one. */
u64 vcpu_pop_frame(struct dune_vcpu *vcpu);

/* exit.c, syscall.c */
enum vcpu_next exit_handle(struct dune_vcpu *vcpu);
/* Interrupts off: handles what needs nothing but the vcpu, else returns VCPU_HANDLE. */
enum vcpu_next exit_handle_irqoff(struct dune_vcpu *vcpu);
enum vcpu_next exit_inject(struct dune_vcpu *vcpu, u8 vector, bool has_error, u32 error_code);
/* A forbidden instruction: counted, then #UD or #GP(0) for the guest. */
enum vcpu_next exit_deny(struct dune_vcpu *vcpu, u8 vector);
enum vcpu_next hypercall(struct dune_vcpu *vcpu);
/* Does this hypercall sleep, take locks or touch user memory? */
static inline bool hypercall_sleeps(u64 nr)
{
	return nr != DUNE_HC_SYSCALL && nr != DUNE_HC_STAT && nr < DUNE_NR_HC;
}
void vcpu_skip(struct dune_vcpu *vcpu);

/* Raises a fault as the kernel would: a forced signal with its siginfo. */
void vcpu_raise(struct dune_vcpu *vcpu, int sig, int code, unsigned long address);

#endif
