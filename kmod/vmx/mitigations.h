/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mitigations of CPU bugs that are not in entry.S: which are in force, and what is done in C around entries.
 * The kernel decides; nothing here is to be chosen a second time.
 */
#ifndef DUNE_MITIGATIONS_H
#define DUNE_MITIGATIONS_H

#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>

struct dune_info;

DECLARE_STATIC_KEY_FALSE(mitigations_clear);
DECLARE_STATIC_KEY_FALSE(mitigations_flush_l1d);

/* What this CPU can't be made safe without, NULL = nothing. */
const char *mitigations_missing(void);
void mitigations_init(void);
/* -EPERM: this CPU would look into the L1D of another that runs guests. */
int mitigations_cpu_online(unsigned int nr);
void mitigations_info(struct dune_info *info);

/*
 * Interrupts off, once before a series of entries. Where IBRS guards the kernel the scheduler leaves a thread's
 * own SPEC_CTRL (prctl) to the return to user space, and the guest is entered without one.
 */
static __always_inline void mitigations_before_run(void)
{
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS))
		native_wrmsrl(MSR_IA32_SPEC_CTRL, this_cpu_read(x86_spec_ctrl_current));
}

/*
 * Before each entry. L1TF: a guest reads L1D by page tables of its own (trap 11). MMIO stale data on CPUs without
 * MDS: who has no device can't sample the buffers, but a guest's process may have mapped one.
 */
static __always_inline void mitigations_before_entry(void)
{
	if (!static_branch_unlikely(&mitigations_clear))
		return;
	if (static_branch_likely(&mitigations_flush_l1d))
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	else
		x86_clear_cpu_buffers();
}

#endif
