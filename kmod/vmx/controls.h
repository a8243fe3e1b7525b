/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMCS controls as a pure function of the capability MSRs: no I/O, no CPU access.
 */
#ifndef DUNE_VMX_CONTROLS_H
#define DUNE_VMX_CONTROLS_H

#include <linux/types.h>

/* Secondary control 21 and its fields (SDM 3D B.2.1), which 6.1 has no names for. */
#define VMX_SECONDARY_PASID_TRANSLATION	(1u << 21)
#define VMX_LOW_PASID_DIRECTORY		0x2038
#define VMX_HIGH_PASID_DIRECTORY	0x203a

/* What the guest starts with, and keeps where it doesn't own the bit. */
#define VMX_GUEST_CR0 \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG)
/* MCE is forced: a machine check in the guest has to exit, not to shut the machine down. */
#define VMX_GUEST_CR4 \
	(X86_CR4_DE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_OSFXSR | \
	 X86_CR4_OSXMMEXCPT | X86_CR4_FSGSBASE)

/*
 * Raw MSR values, SDM 3D appendix A. The control MSRs are the TRUE ones where BASIC says they exist;
 * an MSR that doesn't exist is 0.
 */
struct vmx_caps {
	u64 basic, pin, primary, secondary, exit, entry, ept_vpid, misc;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

struct vmx_controls {
	u32 pin, primary, secondary, exit, entry;
	u32 pasid_translation;	/* not 0: ENQCMD and ENQCMDS exit when the PASID tables are empty */
	u64 features;	/* DUNE_FEATURE_*; no padding: vmx_on compares all of it */
};

/* 0, or -EOPNOTSUPP with the name of the first thing missing in ret_missing. */
int vmx_controls_compute(const struct vmx_caps *caps, struct vmx_controls *ret_controls,
			 const char **ret_missing);

#endif
