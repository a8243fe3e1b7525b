// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to do after an exit, by reason. Runs with interrupts and preemption on, on what hw_run read; a
 * reason without a row ends the context. Guest registers and exit data are hostile.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>
#include <asm/cpu.h>
#include <asm/processor.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/trace.h"
#include "kmod/vcpu.h"
#include "kmod/vmx/cpuid.h"

void vcpu_skip(struct dune_vcpu *vcpu)
{
	vcpu->run->regs.rip += vcpu->exit.instruction_length;
	vcpu->vmx.rip_dirty = true;
}

static void inject(struct dune_vcpu *vcpu, u32 type, u8 vector, bool has_error, u32 error_code)
{
	vcpu->inject.info = INTR_INFO_VALID_MASK | type | vector |
			    (has_error ? INTR_INFO_DELIVER_CODE_MASK : 0);
	vcpu->inject.error_code = error_code;
	vcpu->inject.instruction_length = vcpu->exit.instruction_length;
}

enum vcpu_next exit_inject(struct dune_vcpu *vcpu, u8 vector, bool has_error, u32 error_code)
{
	inject(vcpu, INTR_TYPE_HARD_EXCEPTION, vector, has_error, error_code);
	return VCPU_ENTER;
}

enum vcpu_next exit_deny(struct dune_vcpu *vcpu, u8 vector)
{
	vcpu_count(vcpu, DUNE_COUNT_DENIED);
	trace_dune_deny(vcpu->ctx->id, vector, vcpu->run->regs.rip);
	return exit_inject(vcpu, vector, vector == X86_TRAP_GP, 0);
}

static enum vcpu_next exit_nothing(struct dune_vcpu *vcpu)
{
	return VCPU_ENTER;
}

static enum vcpu_next exit_forbidden_ud(struct dune_vcpu *vcpu)
{
	return exit_deny(vcpu, X86_TRAP_UD);
}

static enum vcpu_next exit_forbidden_gp(struct dune_vcpu *vcpu)
{
	return exit_deny(vcpu, X86_TRAP_GP);
}

static enum vcpu_next exit_triple_fault(struct dune_vcpu *vcpu)
{
	return vcpu_end(vcpu, DUNE_END_TRIPLE_FAULT);
}

static enum vcpu_next exit_exception(struct dune_vcpu *vcpu)
{
	u32 info = vcpu->exit.interruption_info;
	u8 vector = info & INTR_INFO_VECTOR_MASK;

	/* Both were the host's, and were handled before interrupts came on. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR || vector == X86_TRAP_MC)
		return VCPU_ENTER;
	/* Trap 10: #AC and #DB while another event is being delivered could go on for ever. */
	if (vcpu->inject.info)
		return vcpu_end(vcpu, DUNE_END_EVENT_LOOP);
	switch (vector) {
	case X86_TRAP_DB:
		/* In an interrupt shadow entry would want the trap as pending, too (SDM 3C 27.3.1.5). */
		vcpu->vmx.rip_dirty = true;
		inject(vcpu, info & INTR_INFO_INTR_TYPE_MASK, vector, false, 0);
		return VCPU_ENTER;
	case X86_TRAP_AC:
		/* Of a split lock, which the program could have natively: the kernel warns, slows down or kills. */
		if (boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) &&
		    (vcpu->exit.cpl != 3 || !(vcpu->run->regs.rflags & X86_EFLAGS_AC))) {
			handle_guest_split_lock(vcpu->run->regs.rip);
			return VCPU_ENTER;
		}
		return exit_inject(vcpu, vector, true, vcpu->exit.interruption_error);
	case X86_TRAP_NM:
		return exit_inject(vcpu, vector, false, 0);
	default:
		return vcpu_end(vcpu, DUNE_END_BAD_EXIT);
	}
}

static enum vcpu_next exit_cpuid(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;

	vmx_cpuid(regs);
	vcpu_skip(vcpu);
	return VCPU_ENTER;
}

static enum vcpu_next exit_vmcall(struct dune_vcpu *vcpu)
{
	if (vcpu->exit.cpl)
		return exit_deny(vcpu, X86_TRAP_UD);
	return hypercall(vcpu);
}

/* ---- control registers and MSRs ---- */

static u64 *register_of(struct dune_regs *regs, unsigned int number)
{
	BUILD_BUG_ON(offsetof(struct dune_regs, r15) != 15 * sizeof(u64));
	return (u64 *)regs + (number & 15);
}

/* Only CR8 has an answer: there is no APIC, so the task priority is always 0 (SDM 3C table 28-3). */
static enum vcpu_next exit_cr_access(struct dune_vcpu *vcpu)
{
	u64 qualification = vcpu->exit.qualification;
	u64 *reg = register_of(&vcpu->run->regs, qualification >> 8);
	unsigned int cr = qualification & 15, type = qualification >> 4 & 3;

	if (cr != 8 || type > 1 || reg == &vcpu->run->regs.rsp)
		return exit_deny(vcpu, X86_TRAP_GP);
	if (type == 0 && *reg)
		return exit_deny(vcpu, X86_TRAP_GP);
	if (type == 1)
		*reg = 0;
	vcpu_skip(vcpu);
	return VCPU_ENTER;
}

static struct dune_msr_entry *switched_msr(struct dune_vcpu *vcpu, u32 index)
{
	unsigned int i;

	for (i = 0; i < VCPU_NR_MSRS; i++)
		if (vcpu->vmx.guest_msrs[i].index == index)
			return &vcpu->vmx.guest_msrs[i];
	return NULL;
}

static enum vcpu_next exit_msr_read(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;
	struct dune_msr_entry *msr = switched_msr(vcpu, (u32)regs->rcx);

	if (!msr)
		return exit_deny(vcpu, X86_TRAP_GP);
	regs->rax = (u32)msr->value;
	regs->rdx = msr->value >> 32;
	vcpu_skip(vcpu);
	return VCPU_ENTER;
}

static enum vcpu_next exit_msr_write(struct dune_vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;
	struct dune_msr_entry *msr = switched_msr(vcpu, (u32)regs->rcx);
	u64 value = (u32)regs->rax | regs->rdx << 32;

	/* A bad value would fail the whole entry (SDM 3C 27.4). */
	if (!msr ||
	    (msr->index == MSR_LSTAR && !__is_canonical_address(value, DUNE_ADDRESS_BITS)) ||
	    (msr->index == MSR_SYSCALL_MASK && value >> 32))
		return exit_deny(vcpu, X86_TRAP_GP);
	msr->value = value;
	vcpu_skip(vcpu);
	return VCPU_ENTER;
}

/* ---- EPT violations ---- */

#define STUCK_MAX 32

static bool is_stuck(struct dune_vcpu *vcpu, u64 gpa)
{
	u64 rip = vcpu->run->regs.rip, seq = READ_ONCE(vcpu->ctx->ept.seq);

	if (vcpu->stuck_gpa != gpa || vcpu->stuck_rip != rip || vcpu->stuck_seq != seq) {
		vcpu->stuck_gpa = gpa;
		vcpu->stuck_rip = rip;
		vcpu->stuck_seq = seq;
		vcpu->nr_stuck = 0;
	}
	/* A touch and a fill are the ordinary way; what interferes without a notifier is rare. */
	return ++vcpu->nr_stuck > STUCK_MAX;
}

/*
 * The common faults are resolved here, which saves the way to the trampoline and another exit. Of anonymous memory
 * there is nobody to tell (userfaultfd), nothing that could hang, and no signal: whatever fails is touched
 * natively, and the kernel does what it would have done.
 */
static int fault_in(unsigned long hva, bool write, bool any)
{
	vm_flags_t needed = write ? VM_WRITE : VM_READ;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool unlocked = false;
	int err = -EFAULT;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, hva);
	/* Killable, like any fault. Without a VMA 6.12 would complain of it, with a trace. */
	if (vma &&
	    (any || ((vma->vm_flags & needed) && vma_is_anonymous(vma) && !userfaultfd_armed(vma))))
		err = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return err;
}

/*
 * The runtime's own access to user memory, from its own stack: a native touch would let a signal frame be
 * built at a stale stack pointer, so the fault is resolved here, whatever it is.
 */
static enum vcpu_next resolve_here(unsigned long hva, bool write)
{
	int err = fault_in(hva, write, true);
	char byte;

	/* Trap 9: a stack grows by an access of the kernel's. */
	if (err == -EFAULT && !get_user(byte, (char __user *)hva))
		err = fault_in(hva, write, true);
	if (err && err != -EINTR && !fatal_signal_pending(current))
		force_sig(SIGSEGV);
	return err ? VCPU_WORK : VCPU_ENTER;
}

static enum vcpu_next touch(struct dune_vcpu *vcpu, unsigned long hva, u32 access)
{
	bool write = access & EPT_WRITE;
	u64 gpa = vcpu->exit.guest_physical;

	if ((s64)vcpu->run->regs.rip < 0 && !vcpu->exit.cpl)
		return resolve_here(hva, write);
	/* What is in the way of the fill, if anything, is for the next violation. */
	if (!fault_in(hva, write, false) && ept_fault(vcpu, gpa, access, &hva) != EPT_TOUCH)
		return VCPU_ENTER;
	/* The instruction's own address, where the CPU gave it: si_addr has it to the byte. */
	if ((vcpu->exit.qualification & EPT_VIOLATION_GVA_TRANSLATED) &&
	    (vcpu->exit.guest_linear & PAGE_MASK) == (hva & PAGE_MASK))
		hva = vcpu->exit.guest_linear;
	vcpu->exit.guest_linear = hva;
	return write ? VCPU_TOUCH_WRITE : VCPU_TOUCH_READ;
}

/* SDM 3C table 28-7: bits 0 to 2 are the access, in the order of EPT's own; a write reads, too. */
static u32 violation_access(const struct dune_vcpu *vcpu)
{
	u32 bits = vcpu->exit.qualification & (EPT_READ | EPT_WRITE | EPT_EXEC);

	return bits & (EPT_WRITE | EPT_EXEC) ? bits | EPT_READ : bits;
}

static void count_violation(struct dune_vcpu *vcpu)
{
	if (vcpu->exit.qualification & EPT_VIOLATION_ACC_READ)
		vcpu_count(vcpu, DUNE_COUNT_EPT_READ);
	if (vcpu->exit.qualification & EPT_VIOLATION_ACC_WRITE)
		vcpu_count(vcpu, DUNE_COUNT_EPT_WRITE);
	if (vcpu->exit.qualification & EPT_VIOLATION_ACC_INSTR)
		vcpu_count(vcpu, DUNE_COUNT_EPT_EXEC);
}

static enum vcpu_next exit_ept_violation(struct dune_vcpu *vcpu)
{
	u64 gpa = vcpu->exit.guest_physical;
	u32 access = violation_access(vcpu);
	enum ept_result result;
	unsigned long hva = 0;

	count_violation(vcpu);
	result = ept_fault(vcpu, gpa, access, &hva);
	switch (result) {
	case EPT_RETRY:
		return VCPU_ENTER;
	case EPT_FILLED:
	case EPT_TOUCH:
		if (is_stuck(vcpu, gpa))
			return vcpu_end(vcpu, DUNE_END_STUCK);
		return result == EPT_FILLED ? VCPU_ENTER : touch(vcpu, hva, access);
	case EPT_NOEXEC:
		current->thread.error_code = 0x15; /* user, fetch, protection */
		current->thread.trap_nr = X86_TRAP_PF;
		current->thread.cr2 = hva;
		vcpu_raise(vcpu, SIGSEGV, SEGV_ACCERR, hva);
		return VCPU_ENTER;
	case EPT_NOMEM:
		force_sig(SIGBUS);
		return VCPU_WORK;
	default:
		return vcpu_end(vcpu, DUNE_END_BAD_GPA);
	}
}

static enum vcpu_next exit_ept_misconfig(struct dune_vcpu *vcpu)
{
	dune_assert(false);
	return vcpu_end(vcpu, DUNE_END_BAD_EXIT);
}

/* SDM 3D appendix C; 6.1 has no names for them. */
#define EXIT_ENQCMD  72
#define EXIT_ENQCMDS 73

typedef enum vcpu_next (*exit_handler)(struct dune_vcpu *vcpu);

/* clang-format off */
static const exit_handler exit_handlers[DUNE_NR_EXITS] = {
	[EXIT_REASON_EXCEPTION_NMI] = exit_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = exit_nothing,
	[EXIT_REASON_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_REASON_INTERRUPT_WINDOW] = exit_nothing,
	[EXIT_REASON_CPUID] = exit_cpuid,
	[EXIT_REASON_HLT] = exit_forbidden_gp,
	[EXIT_REASON_INVD] = exit_forbidden_gp,
	[EXIT_REASON_RDPMC] = exit_forbidden_gp,
	[EXIT_REASON_VMCALL] = exit_vmcall,
	/* VMX instructions, all of them. */
	[EXIT_REASON_VMCLEAR ... EXIT_REASON_VMON] = exit_forbidden_ud,
	[EXIT_REASON_CR_ACCESS] = exit_cr_access,
	[EXIT_REASON_DR_ACCESS] = exit_forbidden_gp,
	[EXIT_REASON_IO_INSTRUCTION] = exit_forbidden_gp,
	[EXIT_REASON_MSR_READ] = exit_msr_read,
	[EXIT_REASON_MSR_WRITE] = exit_msr_write,
	[EXIT_REASON_MWAIT_INSTRUCTION] = exit_forbidden_ud,
	[EXIT_REASON_MONITOR_INSTRUCTION] = exit_forbidden_ud,
	[EXIT_REASON_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = exit_ept_misconfig,
	[EXIT_REASON_INVEPT] = exit_forbidden_ud,
	[EXIT_REASON_PREEMPTION_TIMER] = exit_nothing,
	[EXIT_REASON_INVVPID] = exit_forbidden_ud,
	[EXIT_REASON_WBINVD] = exit_forbidden_gp,
	[EXIT_REASON_XSETBV] = exit_forbidden_gp,
	[EXIT_REASON_ENCLS] = exit_forbidden_ud,
	[EXIT_ENQCMD] = exit_forbidden_ud,
	[EXIT_ENQCMDS] = exit_forbidden_ud,
};
/* clang-format on */

enum vcpu_next exit_handle(struct dune_vcpu *vcpu)
{
	u16 reason = vcpu->exit.reason;

	trace_dune_exit(vcpu->ctx->id, vcpu->exit.reason, vcpu->run->regs.rip,
			vcpu->exit.qualification);
	if (reason == EXIT_REASON_MCE_DURING_VMENTRY)
		return VCPU_ENTER;
	if (unlikely(vcpu->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return vcpu_end(vcpu, DUNE_END_ENTRY_FAILED);
	if (unlikely(reason >= DUNE_NR_EXITS || !exit_handlers[reason]))
		return vcpu_end(vcpu, DUNE_END_BAD_EXIT);
	return exit_handlers[reason](vcpu);
}

enum vcpu_next exit_handle_irqoff(struct dune_vcpu *vcpu)
{
	u64 gpa = vcpu->exit.guest_physical;

	/* The whole field: a failed entry has a bit above the reason. */
	switch (vcpu->exit.reason) {
	case EXIT_REASON_VMCALL:
		if (vcpu->exit.cpl || hypercall_sleeps(vcpu->run->regs.rcx) ||
		    trace_dune_exit_enabled())
			return VCPU_HANDLE;
		return hypercall(vcpu);
	case EXIT_REASON_EPT_VIOLATION:
		/* Waiting for an invalidation to end is not being stuck, so only what was filled counts. */
		if (trace_dune_exit_enabled() ||
		    !ept_fill_irqoff(vcpu, gpa, violation_access(vcpu)) || is_stuck(vcpu, gpa))
			return VCPU_HANDLE;
		count_violation(vcpu);
		return VCPU_ENTER;
	case EXIT_REASON_CPUID:
	case EXIT_REASON_CR_ACCESS:
	case EXIT_REASON_MSR_READ:
	case EXIT_REASON_MSR_WRITE:
		return exit_handle(vcpu);
	default:
		return VCPU_HANDLE;
	}
}
