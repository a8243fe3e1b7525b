// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry and one exit, with interrupts off: what the CPU loses across it is restored here (trap 12),
 * NMIs are handed to the host before anything can fault (trap 7), machine checks before interrupts come on.
 */
#include <linux/context_tracking.h>
#include <linux/entry-common.h>
#include <linux/hw_breakpoint.h>
#include <linux/rcupdate.h>
#include <linux/vtime.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fsgsbase.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "kmod/compat.h"
#include "kmod/context.h"
#include "kmod/direct.h"
#include "kmod/hw.h"
#include "kmod/trace.h"
#include "kmod/vmx/mitigations.h"
#include "kmod/vmx/vmx.h"

#define SS_AR_DPL	     (3 << 5) /* the current privilege level (SDM 3C 25.4.1) */
#define VMCALL_LENGTH	     3
#define BLOCKED_BY_STI_MOVSS (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

static __always_inline bool is_nmi(u32 info)
{
	return (info & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
	       (INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR);
}

static bool is_exception(const struct dune_exit *exit, u8 vector)
{
	return (u16)exit->reason == EXIT_REASON_EXCEPTION_NMI &&
	       (exit->interruption_info &
		(INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) ==
		       (INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | vector);
}

/* As if it had hit the thread in user space, which is what the guest's memory and registers are. */
static void machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
#else
	/* Without CR4.MCE the processor would have shut down. */
	panic("dune: machine check, and no handler in this kernel");
#endif
}

/* What has to be done on this very CPU before anything else runs on it. */
static void handle_exception_irqoff(struct dune_vcpu *vcpu)
{
	const struct dune_exit *exit = &vcpu->exit;

	if (unlikely((u16)exit->reason == EXIT_REASON_MCE_DURING_VMENTRY ||
		     is_exception(exit, X86_TRAP_MC))) {
		machine_check();
		/* The kernel bears one before its work is done: that is not put off, for the guest would meet the next. */
		vcpu->nr_deferred = VCPU_DEFER_MAX;
	}
	/* XFD belongs to a feature that CPUID hides: its error must not leak into the host's next #NM. */
	if (unlikely(is_exception(exit, X86_TRAP_NM)))
		wrmsrl(MSR_IA32_XFD_ERR, 0);
}

/* VMWRITEs only what is new. */
static __always_inline void write_host(u32 field, unsigned long value, unsigned long *written)
{
	if (value == *written)
		return;
	vmwrite(field, value);
	*written = value;
}

/* Trap 12: all of these can change behind our back while interrupts are on. */
static void write_host_volatile(struct dune_vmx_vcpu *vmx)
{
	write_host(HOST_CR3, __read_cr3(), &vmx->host_cr3);
	write_host(HOST_CR4, __read_cr4(), &vmx->host_cr4);
	write_host(HOST_FS_BASE, rdfsbase(), &vmx->host_fs_base);
	if (vmx_global.controls.exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL)
		write_host(HOST_IA32_PERF_GLOBAL_CTRL, __rdmsr(MSR_CORE_PERF_GLOBAL_CTRL),
			   &vmx->host_perf_ctrl);
}

static void write_guest_dirty(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;

	if (vmx->rip_dirty) {
		vmwrite(GUEST_RIP, vcpu->run->regs.rip);
		/* An instruction was completed for the guest: its interrupt shadow is over. */
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, 0);
		vmx->rip_dirty = false;
	}
	if (vcpu->inject.info) {
		vmwrite(VM_ENTRY_INTR_INFO_FIELD, vcpu->inject.info);
		if (vcpu->inject.info & INTR_INFO_DELIVER_CODE_MASK)
			vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, vcpu->inject.error_code);
		vmwrite(VM_ENTRY_INSTRUCTION_LEN, vcpu->inject.instruction_length);
		vcpu->inject.info = 0;
	}
	if (vmx->flush_vpid) {
		dune_assert(!vmx_invvpid_context(vmx->vpid));
		vmx->flush_vpid = false;
	}
}

static __always_inline void count_exits(struct dune_vcpu *vcpu, u32 reason, u64 count)
{
	vcpu->counters[DUNE_COUNT_EXITS] += count;
	vcpu->counters[DUNE_COUNT_ENTRIES] += count;
	vcpu->exits[min_t(u16, reason, DUNE_NR_EXITS - 1)] += count;
}

/* RCU has to watch for a call; where context tracking is on it does not from here. */
static __always_inline bool call_in_place(struct dune_vcpu *vcpu)
{
	bool made;

	if (!static_branch_unlikely(&direct_enabled) || context_tracking_enabled_this_cpu())
		return false;
	instrumentation_begin();
	made = direct_call(vcpu);
	instrumentation_end();
	return made;
}

/*
 * Registers are all that a hypercall without a row needs, and a call by the direct path: the answer is given
 * without leaving the innermost loop. (An interrupt shadow over the VMCALL goes on for one instruction more.)
 */
static __always_inline bool answer_in_place(struct dune_vcpu *vcpu, struct dune_run *run)
{
	if (vmread(GUEST_SS_AR_BYTES) & SS_AR_DPL)
		return false;
	if (likely(run->regs.rcx >= DUNE_NR_HC))
		run->regs.rax = -ENOSYS;
	else if (!call_in_place(vcpu))
		return false;
	vmwrite(GUEST_RIP, vmread(GUEST_RIP) + VMCALL_LENGTH);
	return true;
}

/*
 * Asked before every entry, on debug kernels: an emulator that flushes too much would hide what is missing. With
 * other CPUs a zap may be under way now; its interrupt throws us out at once.
 */
static __always_inline void assert_flushed(const struct dune_ept *ept)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING) || num_online_cpus() > 1)
		return;
	instrumentation_begin();
	dune_assert(ept_is_flushed(ept));
	instrumentation_end();
}

/* Enters until there is something that needs more than the registers; 0 or 1 as vmx_world_switch. */
static __always_inline int enter_loop(struct dune_vcpu *vcpu)
{
	struct thread_info *thread = current_thread_info();
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	struct dune_ept *ept = &vcpu->ctx->ept;
	struct dune_run *run = vcpu->run;
	u64 exits = vcpu->counters[DUNE_COUNT_EXITS], last, answered;
	u64 gen = this_cpu_read(*ept->flushed);
	unsigned long launched = vmx->launched;
	u32 reason;

	/* With a trace of exits each of them goes the long way. */
	last = exits + (trace_dune_exit_enabled() ? 0 : vcpu->nr_irqoff);
	answered = exits;
	for (;;) {
		assert_flushed(ept);
		mitigations_before_entry();
		if (unlikely(vmx_world_switch(&run->regs, launched, &vmx->host_rsp)))
			return 1;
		launched = true;
		run->exits = exits + 1;
		reason = vmread(VM_EXIT_REASON);
		if (reason != EXIT_REASON_VMCALL || exits == last ||
		    (READ_ONCE(thread->flags) & EXIT_TO_USER_MODE_WORK) ||
		    READ_ONCE(ept->gen) != gen || !answer_in_place(vcpu, run))
			break;
		exits++;
	}
	answered = exits - answered;
	if (answered) {
		vcpu->nr_irqoff -= answered;
		vcpu->counters[DUNE_COUNT_HYPERCALLS] += answered;
		count_exits(vcpu, EXIT_REASON_VMCALL, answered);
	}
	count_exits(vcpu, reason, 1);
	vcpu->exit.reason = reason;
	/* A machine check in a first entry leaves it to be done again (SDM 3C 27.8). */
	if (likely(!(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		vmx->launched = true;
	return 0;
}

/*
 * The noinstr part: no tracing, no faults, from the last look at the world to the first after it.
 */
static noinstr int switch_worlds(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	int failed;

	/* A quiescent state for RCU, as user mode is; more often than its tick looks is of no use. */
	if (!context_tracking_guest_enter() && vmx->rcu_noted != jiffies) {
		vmx->rcu_noted = jiffies;
		instrumentation_begin();
		rcu_virt_note();
		instrumentation_end();
	}
	/* Not switched by the processor, and a #PF in the guest sets it. */
	if (native_read_cr2() != vmx->cr2)
		native_write_cr2(vmx->cr2);
	failed = enter_loop(vcpu);
	vmx->cr2 = native_read_cr2();
	if (!failed && (u16)vcpu->exit.reason == EXIT_REASON_EXCEPTION_NMI) {
		vcpu->exit.interruption_info = vmread(VM_EXIT_INTR_INFO);
		if (is_nmi(vcpu->exit.interruption_info))
			vmx_nmi();
	}
	context_tracking_guest_exit();
	return failed;
}

/* An event whose delivery the exit interrupted goes in again (SDM 3C 28.2.4). */
static void read_vectoring(struct dune_vcpu *vcpu)
{
	u32 info = vmread(IDT_VECTORING_INFO_FIELD);

	if (likely(!(info & VECTORING_INFO_VALID_MASK)))
		return;
	/* Bit 12 is undefined there and reserved on injection. */
	vcpu->inject.info = info & ~BIT(12);
	if (info & VECTORING_INFO_DELIVER_CODE_MASK)
		vcpu->inject.error_code = vmread(IDT_VECTORING_ERROR_CODE);
	vcpu->inject.instruction_length = vmread(VM_EXIT_INSTRUCTION_LEN);
	vcpu_count(vcpu, DUNE_COUNT_REINJECTED);
}

static void read_privilege(struct dune_vcpu *vcpu)
{
	vcpu->exit.cpl = (vmread(GUEST_SS_AR_BYTES) & SS_AR_DPL) >> 5;
}

/* Only what the reason defines is read. */
static __always_inline void read_exit(struct dune_vcpu *vcpu, u16 reason)
{
	struct dune_exit *exit = &vcpu->exit;

	vcpu->run->regs.rip = vmread(GUEST_RIP);
	exit->qualification = 0;
	/* The first four do not happen while an event is being delivered. */
	switch (reason) {
	case EXIT_REASON_VMCALL:
		exit->instruction_length = VMCALL_LENGTH;
		read_privilege(vcpu);
		return;
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_INTERRUPT_WINDOW:
	case EXIT_REASON_PREEMPTION_TIMER:
		return;
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
		exit->guest_physical = vmread(GUEST_PHYSICAL_ADDRESS);
		exit->guest_linear = vmread(GUEST_LINEAR_ADDRESS);
		exit->qualification = vmread(EXIT_QUALIFICATION);
		break;
	default:
		exit->qualification = vmread(EXIT_QUALIFICATION);
		exit->instruction_length = vmread(VM_EXIT_INSTRUCTION_LEN);
		exit->interruption_error = vmread(VM_EXIT_INTR_ERROR_CODE);
		break;
	}
	read_privilege(vcpu);
	read_vectoring(vcpu);
}

static int enter(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	u32 reason;

	if (vmx->rip_dirty || vcpu->inject.info || vmx->flush_vpid)
		write_guest_dirty(vcpu);
	if (!ept_is_flushed(&vcpu->ctx->ept))
		ept_flush_now(vcpu);
	if (unlikely(switch_worlds(vcpu))) {
		vcpu->exit.reason = 0xffff;
		vcpu->exit.qualification = vmread(VM_INSTRUCTION_ERROR);
		pr_err_once("VM entry failed: instruction error %llu\n", vcpu->exit.qualification);
		return -EIO;
	}
	reason = vcpu->exit.reason;
	vcpu->run->exit_reason = reason;
	if (unlikely((u16)reason == EXIT_REASON_EXCEPTION_NMI ||
		     (u16)reason == EXIT_REASON_MCE_DURING_VMENTRY))
		handle_exception_irqoff(vcpu);
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vcpu->counters[DUNE_COUNT_ENTRIES]--;
		vcpu->exit.qualification = vmread(EXIT_QUALIFICATION);
		/* What was to be injected was not; only an exit would have cleared the valid bit. */
		vcpu->inject.info = vmread(VM_ENTRY_INTR_INFO_FIELD);
		if (!(vcpu->inject.info & INTR_INFO_VALID_MASK))
			vcpu->inject.info = 0;
	} else {
		read_exit(vcpu, reason);
	}
	return 0;
}

enum vcpu_next hw_run(struct dune_vcpu *vcpu)
{
	unsigned long debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR), ldt;
	enum vcpu_next next;

	asm volatile("sldt %0" : "=r"(ldt));
	write_host_volatile(&vcpu->vmx);
	mitigations_before_run();
	vcpu->nr_irqoff = VCPU_IRQOFF_MAX;
	do {
		next = enter(vcpu) ? VCPU_FAILED : exit_handle_irqoff(vcpu);
	} while (next == VCPU_ENTER && vcpu->nr_irqoff && --vcpu->nr_irqoff &&
		 !(read_thread_flags() & EXIT_TO_USER_MODE_WORK));
	/* Trap 12: an exit leaves DR7 0x400, DEBUGCTL 0, LDTR 0, and limits of 64K and 0x67. */
	if (unlikely(debugctl))
		update_debugctlmsr(debugctl);
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
	if (unlikely(ldt))
		asm volatile("lldt %w0" : : "r"(ldt));
	native_load_gdt(&vcpu->vmx.host_gdt);
	invalidate_tss_limit();
	vcpu->run->regs.rsp = vmread(GUEST_RSP);
	vcpu->run->regs.rflags = vmread(GUEST_RFLAGS);
	return next;
}

bool hw_interruptible(struct dune_vcpu *vcpu)
{
	return (vmread(GUEST_RFLAGS) & X86_EFLAGS_IF) &&
	       !(vmread(GUEST_INTERRUPTIBILITY_INFO) & BLOCKED_BY_STI_MOVSS);
}

void hw_interrupt_window(struct dune_vcpu *vcpu, bool on)
{
	vcpu->vmx.window = on;
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmx_global.controls.primary | (on ? CPU_BASED_INTR_WINDOW_EXITING : 0));
}

void hw_read_cr(struct dune_vcpu *vcpu, struct dune_report *report)
{
	report->cr0 = vmread(GUEST_CR0);
	report->cr3 = vmread(GUEST_CR3);
	report->cr4 = vmread(GUEST_CR4);
	report->regs.cs = vmread(GUEST_CS_SELECTOR);
	report->regs.ss = vmread(GUEST_SS_SELECTOR);
}
