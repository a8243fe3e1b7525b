// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is written into a VMCS, and when: once per vcpu, once per move to another CPU. Fields that change
 * from entry to entry are enter.c's.
 */
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "kmod/context.h"
#include "kmod/vmx/vmx.h"

#define ACCESS_CODE64	0xa09b	/* present, DPL 0, code, accessed, L, G (SDM 3C table 25-2) */
#define ACCESS_DATA	0xc093
#define ACCESS_TSS_BUSY	0x008b
#define ACCESS_UNUSABLE	0x10000

void vmx_write_failed(unsigned long field, unsigned long value)
{
	atomic64_inc(&dune_allocated.assertions);
	pr_err_once("VMWRITE of %#lx to field %#lx failed\n", value, field);
}

/*
 * 0 for everybody. Selectors are null after every exit, whatever the thread had: the trampoline needs none, and
 * the scheduler saves what it finds. HOST_CR3 and so on: enter.c's, which writes what differs from this.
 */
/* clang-format off */
static const u32 zero_fields[] = {
	PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH,
	CR3_TARGET_COUNT,	    VM_EXIT_MSR_STORE_COUNT,
	GUEST_SYSENTER_CS,	    GUEST_SYSENTER_ESP,
	GUEST_SYSENTER_EIP,	    GUEST_INTERRUPTIBILITY_INFO,
	GUEST_IA32_DEBUGCTL,	    GUEST_PENDING_DBG_EXCEPTIONS,
	VM_ENTRY_INTR_INFO_FIELD,   HOST_DS_SELECTOR,
	HOST_ES_SELECTOR,	    HOST_FS_SELECTOR,
	HOST_GS_SELECTOR,	    HOST_CR3,
	HOST_CR4,		    HOST_FS_BASE,
	HOST_RSP,
};
/* clang-format on */

static void write_controls(struct dune_vcpu *vcpu)
{
	const struct vmx_controls *c = &vmx_global.controls;
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;

	vmx->window = false;
	/* Not saved at exits, so every entry starts with it (SDM 3C 26.5.1). */
	if (vmx_global.preemption_ticks)
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, vmx_global.preemption_ticks);
	vmwrite(PIN_BASED_VM_EXEC_CONTROL, c->pin);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, c->primary);
	vmwrite(SECONDARY_VM_EXEC_CONTROL, c->secondary);
	vmwrite(VM_EXIT_CONTROLS, c->exit);
	vmwrite(VM_ENTRY_CONTROLS, c->entry);
	/* #AC and #DB can be delivered without end, #MC is the host's (trap 10). */
	vmwrite(EXCEPTION_BITMAP, BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC) |
					  (boot_cpu_has(X86_FEATURE_XFD) ? BIT(X86_TRAP_NM) : 0));
	vmwrite(MSR_BITMAP, __pa(vmx_global.msr_bitmap));
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, VCPU_NR_MSRS);
	vmwrite(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->host_msrs));
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, VCPU_NR_MSRS);
	vmwrite(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->guest_msrs));
	vmwrite(VMCS_LINK_POINTER, -1ull);
	vmwrite(EPT_POINTER, vmx_eptp(__pa(vcpu->ctx->ept.root)));
	vmwrite(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	if (c->secondary & SECONDARY_EXEC_ENCLS_EXITING)
		vmwrite(ENCLS_EXITING_BITMAP, -1ull);
	if (c->pasid_translation) {
		vmwrite(VMX_LOW_PASID_DIRECTORY, __pa(vmx_global.empty_page));
		vmwrite(VMX_HIGH_PASID_DIRECTORY, __pa(vmx_global.empty_page));
	}
}

static void write_guest_cr(const struct dune_vcpu_state *s)
{
	const struct vmx_caps *caps = &vmx_global.caps;
	u64 cr0, cr4;

	cr0 = VMX_GUEST_CR0 | caps->cr0_fixed0;
	cr4 = VMX_GUEST_CR4 | caps->cr4_fixed0;
	cr4 |= __read_cr4() & X86_CR4_OSXSAVE;
	cr4 |= vmx_global.cr4_guest_owned & (X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_UMIP);
	cr4 &= caps->cr4_fixed1;
	vmwrite(GUEST_CR0, cr0);
	vmwrite(CR0_READ_SHADOW, cr0);
	vmwrite(CR0_GUEST_HOST_MASK, ~vmx_global.cr0_guest_owned);
	vmwrite(GUEST_CR4, cr4);
	vmwrite(CR4_READ_SHADOW, cr4 & ~X86_CR4_VMXE);
	vmwrite(CR4_GUEST_HOST_MASK, ~vmx_global.cr4_guest_owned);
	vmwrite(GUEST_CR3, s->cr3);
	vmwrite(GUEST_DR7, 0x400);
}

static void write_guest_segments(const struct dune_vcpu_state *s)
{
	const struct {
		u32 selector_field, selector, access, limit;
		u64 base;
	} segments[] = {
		{ GUEST_ES_SELECTOR, 0, ACCESS_UNUSABLE, ~0u, 0 },
		{ GUEST_CS_SELECTOR, s->cs_selector, ACCESS_CODE64, ~0u, 0 },
		{ GUEST_SS_SELECTOR, s->ss_selector, ACCESS_DATA, ~0u, 0 },
		{ GUEST_DS_SELECTOR, 0, ACCESS_UNUSABLE, ~0u, 0 },
		{ GUEST_FS_SELECTOR, 0, ACCESS_UNUSABLE, ~0u, s->fs_base },
		{ GUEST_GS_SELECTOR, 0, ACCESS_UNUSABLE, ~0u, s->gs_base },
		{ GUEST_LDTR_SELECTOR, 0, ACCESS_UNUSABLE, 0, 0 },
		{ GUEST_TR_SELECTOR, s->tr_selector, ACCESS_TSS_BUSY, s->tr_limit, s->tr_base },
	};
	unsigned int i;

	/* The other fields of a segment lie at fixed distances (SDM 3D appendix B). */
	for (i = 0; i < ARRAY_SIZE(segments); i++) {
		u32 off = segments[i].selector_field - GUEST_ES_SELECTOR;

		vmwrite(segments[i].selector_field, segments[i].selector);
		vmwrite(GUEST_ES_BASE + off, segments[i].base);
		vmwrite(GUEST_ES_LIMIT + off, segments[i].limit);
		vmwrite(GUEST_ES_AR_BYTES + off, segments[i].access);
	}
	vmwrite(GUEST_GDTR_BASE, s->gdt_base);
	vmwrite(GUEST_GDTR_LIMIT, s->gdt_limit);
	vmwrite(GUEST_IDTR_BASE, s->idt_base);
	vmwrite(GUEST_IDTR_LIMIT, s->idt_limit);
}

static void write_guest_rest(struct dune_vcpu *vcpu)
{
	const struct dune_vcpu_state *s = &vcpu->start;

	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	/* Trap 12: no PEBS record may be written through guest-linear addresses. */
	if (vmx_global.controls.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmwrite(GUEST_IA32_PERF_GLOBAL_CTRL, 0);
	vmwrite(GUEST_RIP, s->rip);
	vmwrite(GUEST_RSP, s->rsp);
	vmwrite(GUEST_RFLAGS, X86_EFLAGS_FIXED);
}

static void write_host_constant(void)
{
	struct desc_ptr idt;
	u64 value;

	vmwrite(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmwrite(HOST_CS_SELECTOR, __KERNEL_CS);
	vmwrite(HOST_SS_SELECTOR, __KERNEL_DS);
	vmwrite(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	store_idt(&idt);
	vmwrite(HOST_IDTR_BASE, idt.address);
	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmwrite(HOST_IA32_SYSENTER_CS, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmwrite(HOST_IA32_SYSENTER_EIP, value);
	vmwrite(HOST_RIP, (unsigned long)vmx_exit_point);
}

void vmcs_write_host_cpu(struct dune_vcpu *vcpu)
{
	int cpu = smp_processor_id();
	unsigned long gs_base, entry_stack;

	rdmsrl(MSR_GS_BASE, gs_base);
	vmwrite(HOST_GS_BASE, gs_base);
	vmwrite(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vcpu->vmx.host_gdt.size = GDT_SIZE - 1;
	vcpu->vmx.host_gdt.address = (unsigned long)get_current_gdt_ro();
	vmwrite(HOST_GDTR_BASE, vcpu->vmx.host_gdt.address);
	/* Each CPU's own; 0 in a kernel that runs no 32-bit programs. */
	rdmsrl(MSR_IA32_SYSENTER_ESP, entry_stack);
	vmwrite(HOST_IA32_SYSENTER_ESP, entry_stack);
}

void vmcs_write_initial(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	const u64 guest[VCPU_NR_MSRS] = { vcpu->start.lstar, vcpu->start.star, vcpu->start.fmask };
	unsigned int i;

	for (i = 0; i < VCPU_NR_MSRS; i++) {
		vmx->guest_msrs[i].index = vmx->host_msrs[i].index = vmx_switched_msrs[i];
		vmx->guest_msrs[i].value = guest[i];
		vmx->host_msrs[i].value = vmx_global.host_msrs[i];
	}
	for (i = 0; i < ARRAY_SIZE(zero_fields); i++)
		vmwrite(zero_fields[i], 0);
	write_controls(vcpu);
	write_guest_cr(&vcpu->start);
	write_guest_segments(&vcpu->start);
	write_guest_rest(vcpu);
	write_host_constant();
	vmx->host_rsp = vmx->host_cr3 = vmx->host_cr4 = vmx->host_fs_base = 0;
	if (vmx_global.controls.exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmwrite(HOST_IA32_PERF_GLOBAL_CTRL, vmx->host_perf_ctrl);
	vmx->state_written = true;
}
