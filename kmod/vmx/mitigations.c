// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which bugs this CPU has and what is done about them, by the kernel's own flags. Owns the refusal of CPUs with
 * L1TF; must never call a CPU safe: it gives facts, of which proto/bugs.c makes sentences.
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/sched/smt.h>
#include <linux/topology.h>
#include "kmod/vmx/mitigations.h"
#include "proto/dune_abi.h"

static bool force_l1tf;
module_param(force_l1tf, bool, 0444);
MODULE_PARM_DESC(force_l1tf,
		 "run on CPUs with the L1TF bug even if L1D can't be flushed, or with SMT on");

DEFINE_STATIC_KEY_FALSE(mitigations_clear);
DEFINE_STATIC_KEY_FALSE(mitigations_flush_l1d);

struct fact {
	u64 bit;
	u16 flag;	/* X86_BUG_* or X86_FEATURE_* */
};

static const struct fact bugs[] = {
	{ DUNE_BUG_MELTDOWN, X86_BUG_CPU_MELTDOWN },
	{ DUNE_BUG_SPECTRE_V1, X86_BUG_SPECTRE_V1 },
	{ DUNE_BUG_SPECTRE_V2, X86_BUG_SPECTRE_V2 },
	{ DUNE_BUG_SPEC_STORE_BYPASS, X86_BUG_SPEC_STORE_BYPASS },
	{ DUNE_BUG_L1TF, X86_BUG_L1TF },
	{ DUNE_BUG_MDS, X86_BUG_MDS },
	{ DUNE_BUG_SWAPGS, X86_BUG_SWAPGS },
	{ DUNE_BUG_TAA, X86_BUG_TAA },
	{ DUNE_BUG_ITLB_MULTIHIT, X86_BUG_ITLB_MULTIHIT },
	{ DUNE_BUG_SRBDS, X86_BUG_SRBDS },
	{ DUNE_BUG_MMIO_STALE_DATA, X86_BUG_MMIO_STALE_DATA },
#ifdef X86_BUG_MMIO_UNKNOWN
	{ DUNE_BUG_MMIO_UNKNOWN, X86_BUG_MMIO_UNKNOWN },
#endif
	{ DUNE_BUG_RETBLEED, X86_BUG_RETBLEED },
	{ DUNE_BUG_EIBRS_PBRSB, X86_BUG_EIBRS_PBRSB },
	{ DUNE_BUG_GDS, X86_BUG_GDS },
	{ DUNE_BUG_RFDS, X86_BUG_RFDS },
	{ DUNE_BUG_BHI, X86_BUG_BHI },
	{ DUNE_BUG_ITS, X86_BUG_ITS },
	{ DUNE_BUG_VMSCAPE, X86_BUG_VMSCAPE },
};

static const struct fact measures[] = {
	{ DUNE_MEASURE_VERW, X86_FEATURE_CLEAR_CPU_BUF },
	{ DUNE_MEASURE_MD_CLEAR, X86_FEATURE_MD_CLEAR },
	/* ept.c: the bug alone decides. */
	{ DUNE_MEASURE_NO_EXEC_HUGE, X86_BUG_ITLB_MULTIHIT },
	{ DUNE_MEASURE_RETPOLINE, X86_FEATURE_RETPOLINE },
	{ DUNE_MEASURE_IBRS, X86_FEATURE_KERNEL_IBRS },
	{ DUNE_MEASURE_RSB_FILL, X86_FEATURE_RSB_VMEXIT },
	{ DUNE_MEASURE_RSB_ONE, X86_FEATURE_RSB_VMEXIT_LITE },
	{ DUNE_MEASURE_IBPB, X86_FEATURE_IBPB_ON_VMEXIT },
#ifdef X86_FEATURE_CALL_DEPTH
	{ DUNE_MEASURE_CALL_DEPTH, X86_FEATURE_CALL_DEPTH },
#endif
	{ DUNE_MEASURE_BHB_LOOP, X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT },
	{ DUNE_MEASURE_BHI_DIS, X86_FEATURE_CLEAR_BHB_HW },
	{ DUNE_MEASURE_ITS_THUNKS, X86_FEATURE_INDIRECT_THUNK_ITS },
	{ DUNE_MEASURE_ITS_NATIVE_ONLY, X86_BUG_ITS_NATIVE_ONLY },
};

static u64 facts(const struct fact *rows, unsigned int nr)
{
	u64 found = 0;

	while (nr--)
		if (boot_cpu_has(rows[nr].flag))
			found |= rows[nr].bit;
	return found;
}

/* The kernel's own wish for virtual machines, where it does not clear for user space. */
static bool mmio_clears(void)
{
	return static_key_enabled(&mmio_stale_data_clear);
}

static bool l1tf_matters(void)
{
	return boot_cpu_has_bug(X86_BUG_L1TF) && !cpu_mitigations_off();
}

/* SMT: the other thread of a core fills L1D while the guest runs. */
const char *mitigations_missing(void)
{
	if (!l1tf_matters() || force_l1tf)
		return NULL;
	if (!boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return "microcode that can flush L1D, on a CPU with L1TF (force_l1tf=1 loads anyway)";
	if (sched_smt_active())
		return "SMT switched off, on a CPU with L1TF (force_l1tf=1 loads anyway)";
	return NULL;
}

int mitigations_cpu_online(unsigned int nr)
{
	if (!l1tf_matters() || force_l1tf || cpumask_weight(topology_sibling_cpumask(nr)) == 1)
		return 0;
	pr_err("CPU %u shares a core that has the L1TF bug: not online with this module\n", nr);
	return -EPERM;
}

void mitigations_init(void)
{
	if (l1tf_matters() && boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		static_branch_enable(&mitigations_flush_l1d);
	if (static_key_enabled(&mitigations_flush_l1d) || mmio_clears())
		static_branch_enable(&mitigations_clear);
}

void mitigations_info(struct dune_info *info)
{
	u64 found = facts(measures, ARRAY_SIZE(measures)), msr = 0;

	info->bugs = facts(bugs, ARRAY_SIZE(bugs));
	if (cpu_mitigations_off())
		found |= DUNE_MEASURE_OFF;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, msr);
	if (msr & ARCH_CAP_FB_CLEAR || (found & DUNE_MEASURE_MD_CLEAR && !(msr & ARCH_CAP_MDS_NO) &&
					boot_cpu_has(X86_FEATURE_FLUSH_L1D)))
		found |= DUNE_MEASURE_FB_CLEAR;
	if (msr & ARCH_CAP_RFDS_CLEAR)
		found |= DUNE_MEASURE_RFDS_CLEAR;
	if (mmio_clears())
		found |= DUNE_MEASURE_VERW;
	if (static_key_enabled(&mitigations_flush_l1d))
		found |= DUNE_MEASURE_L1D_FLUSH;
	if (!sched_smt_active())
		found |= DUNE_MEASURE_NO_SMT;
	if (!boot_cpu_has(X86_FEATURE_RTM))
		found |= DUNE_MEASURE_NO_TSX;
	if (boot_cpu_has(X86_FEATURE_IBRS_ENHANCED) && !(found & DUNE_MEASURE_IBRS) &&
	    raw_cpu_read(x86_spec_ctrl_current) & SPEC_CTRL_IBRS)
		found |= DUNE_MEASURE_EIBRS;
	info->measures = found;
}
