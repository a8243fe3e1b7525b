// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load and unload: what this CPU is capable of, and what follows from it for every context. Must never turn
 * anything on.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/vmx.h>
#include "kmod/compat.h"
#include "kmod/hw.h"
#include "kmod/vmx/mitigations.h"
#include "kmod/vmx/vmx.h"

struct vmx_global vmx_global;

/* MSRs that don't exist stay 0. */
void vmx_read_caps(struct vmx_caps *caps)
{
	u32 first = MSR_IA32_VMX_PINBASED_CTLS;

	rdmsrl(MSR_IA32_VMX_BASIC, caps->basic);
	/* The TRUE control MSRs have the same order, from 0x48d (SDM 3D A.2). */
	if (caps->basic & BIT_ULL(55))
		first = MSR_IA32_VMX_TRUE_PINBASED_CTLS;
	rdmsrl(first, caps->pin);
	rdmsrl(first + 1, caps->primary);
	rdmsrl(first + 2, caps->exit);
	rdmsrl(first + 3, caps->entry);
	if (caps->primary >> 32 & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, caps->secondary);
	if (caps->secondary >> 32 & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, caps->ept_vpid);
	rdmsrl(MSR_IA32_VMX_MISC, caps->misc);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, caps->cr0_fixed0);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED1, caps->cr0_fixed1);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, caps->cr4_fixed0);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED1, caps->cr4_fixed1);
}

static const char *vmx_missing(void)
{
	u64 feature_control = 0;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		return "VT-x (CPU flag vmx)";
	if (!boot_cpu_has(X86_FEATURE_FSGSBASE))
		return "FSGSBASE";
	if (!boot_cpu_has(X86_FEATURE_NX))
		return "NX";
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return "a kernel that is not a Xen PV guest";
	/* Its event delivery has no IDT to take an NMI through (trap 7). */
	if (boot_cpu_has(DUNE_FEATURE_FRED))
		return "a kernel that does not use FRED (fred=off)";
	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &feature_control) ||
	    !(feature_control & FEAT_CTL_LOCKED) ||
	    !(feature_control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		return "VT-x enabled in the firmware";
	return mitigations_missing();
}

/* The MSR bitmap denies everything (trap 10) but the guest's own FS and GS bases. */
static int vmx_init_pages(void)
{
	static const u32 passed[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE };
	unsigned long *bitmap = (void *)__get_free_page(GFP_KERNEL);
	unsigned int i;

	if (!bitmap)
		return -ENOMEM;
	memset(bitmap, 0xff, PAGE_SIZE);
	/*
	 * High MSRs: reads from byte 1024, writes from byte 3072 (SDM 3C 25.6.9). KERNEL_GS_BASE of the
	 * hardware is the thread's user GS base here, which the scheduler saves and restores: whatever the
	 * guest leaves in it (SWAPGS reaches it in any case) stays with this thread.
	 */
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		clear_bit(8 * 1024 + (passed[i] & 0x1fff), bitmap);
		clear_bit(8 * 3072 + (passed[i] & 0x1fff), bitmap);
	}
	vmx_global.msr_bitmap = bitmap;
	vmx_global.empty_page = (void *)get_zeroed_page(GFP_KERNEL);
	return vmx_global.empty_page ? 0 : -ENOMEM;
}

static void vmx_free_pages(void)
{
	free_page((unsigned long)vmx_global.msr_bitmap);
	free_page((unsigned long)vmx_global.empty_page);
}

static void vmx_init_global(void)
{
	struct vmx_global *g = &vmx_global;
	u64 cr4 = X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE;

	rdmsrl(MSR_IA32_CR_PAT, g->pat);
	if (boot_cpu_has(X86_FEATURE_PCID))
		cr4 |= X86_CR4_PCIDE;
	if (boot_cpu_has(X86_FEATURE_SMEP))
		cr4 |= X86_CR4_SMEP;
	if (boot_cpu_has(X86_FEATURE_SMAP))
		cr4 |= X86_CR4_SMAP;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4 |= X86_CR4_UMIP;
	g->cr4_guest_owned = cr4 & g->caps.cr4_fixed1 & ~g->caps.cr4_fixed0;
	g->cr0_guest_owned = X86_CR0_TS | X86_CR0_WP | X86_CR0_AM | X86_CR0_MP | X86_CR0_EM;
	g->cr0_guest_owned &= g->caps.cr0_fixed1 & ~g->caps.cr0_fixed0;
	g->gpa_bits = min_t(unsigned int, boot_cpu_data.x86_phys_bits, 46);
	/* Time in the guest is bounded: 4 ms of TSC, in units of MISC[4:0] (SDM 3C 26.5.1). */
	if (g->controls.features & DUNE_FEATURE_PREEMPTION_TIMER)
		g->preemption_ticks = max(1u, (tsc_khz * 4) >> (g->caps.misc & 0x1f));
}

unsigned int hw_gpa_bits(void)
{
	return vmx_global.gpa_bits;
}

unsigned int hw_ept_max_level(void)
{
	if (!(vmx_global.controls.features & DUNE_FEATURE_EPT_2M))
		return 0;
	return vmx_global.controls.features & DUNE_FEATURE_EPT_1G ? 2 : 1;
}

u64 hw_pat(void)
{
	return vmx_global.pat;
}

void hw_info(struct dune_info *info)
{
	info->features = vmx_global.controls.features;
	if (boot_cpu_has(X86_FEATURE_GBPAGES))
		info->features |= DUNE_FEATURE_PAGE_1G;
	if (vmx_global.cr4_guest_owned & X86_CR4_UMIP)
		info->features |= DUNE_FEATURE_UMIP;
	info->gpa_bits = vmx_global.gpa_bits;
	mitigations_info(info);
	info->vmx_holder = vmx_holder();
}

int hw_init(void)
{
	const char *missing = vmx_missing();
	int err;

	BUILD_BUG_ON(sizeof(struct vmcs_page) != PAGE_SIZE);
	if (!missing) {
		vmx_read_caps(&vmx_global.caps);
		vmx_controls_compute(&vmx_global.caps, &vmx_global.controls, &missing);
	}
	/* At CPL 0 ENQCMDS takes the PASID from memory: another process's would do (trap 10). */
	if (!missing && boot_cpu_has(X86_FEATURE_ENQCMD) && !vmx_global.controls.pasid_translation)
		missing = "PASID translation, on a CPU with ENQCMD";
	if (missing) {
		pr_err("this machine lacks %s\n", missing);
		return -EOPNOTSUPP;
	}
	vmx_init_global();
	mitigations_init();
	err = vmx_capture_host_msrs() ?: vmx_init_pages() ?: vmx_cpus_init();
	if (err)
		vmx_free_pages();
	return err;
}

void hw_done(void)
{
	vmx_cpus_done();
	vmx_free_pages();
}
