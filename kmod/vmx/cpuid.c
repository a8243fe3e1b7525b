// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: the host's answer without what a guest can't use (trap 10). A feature that is not in the masks here
 * and needs state of its own must be added before a kernel that enables it is supported.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/processor.h>
#include "kmod/vmx/cpuid.h"
#include "proto/dune_abi.h"

#define ANY_SUBLEAF	0xffffffff

struct cpuid_mask {
	u32 leaf, subleaf;
	u32 hide_eax, hide_ebx, hide_ecx, hide_edx;
};

/* clang-format off */
static const struct cpuid_mask masks[] = {
	/* MONITOR, VMX, SMX, PDCM */
	{ 1, ANY_SUBLEAF, 0, 0, BIT(3) | BIT(5) | BIT(6) | BIT(15), 0 },
	/* MONITOR/MWAIT parameters */
	{ 5, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	/* SGX, MPX, Intel PT; PKU, OSPKE, WAITPKG, SHSTK, KL, ENQCMD, SGX_LC, PKS; UINTR, PCONFIG, IBT, AMX */
	{ 7, 0, 0, BIT(2) | BIT(14) | BIT(25),
	  BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(23) | BIT(29) | BIT(30) | BIT(31),
	  BIT(5) | BIT(18) | BIT(20) | BIT(22) | BIT(24) | BIT(25) },
	/* LASS, FRED, LKGS, AMX-FP16, LAM; AMX-COMPLEX, CET_SSS */
	{ 7, 1, BIT(6) | BIT(17) | BIT(18) | BIT(21) | BIT(26), 0, 0, BIT(8) | BIT(18) },
	/* Performance counters: RDPMC is not allowed */
	{ 0xa, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	/* XSAVES, XFD */
	{ 0xd, 1, BIT(3) | BIT(4), 0, 0, 0 },
	/* SGX, Intel PT, Key Locker, AMX */
	{ 0x12, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	{ 0x14, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	{ 0x19, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	{ 0x1d, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
	{ 0x1e, ANY_SUBLEAF, ~0u, ~0u, ~0u, ~0u },
};
/* clang-format on */

void vmx_cpuid(struct dune_regs *regs)
{
	u32 leaf = regs->rax, subleaf = regs->rcx, eax, ebx, ecx, edx;
	unsigned int i;

	cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx);
	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		const struct cpuid_mask *m = &masks[i];

		if (m->leaf != leaf || (m->subleaf != ANY_SUBLEAF && m->subleaf != subleaf))
			continue;
		eax &= ~m->hide_eax;
		ebx &= ~m->hide_ebx;
		ecx &= ~m->hide_ecx;
		edx &= ~m->hide_edx;
	}
	regs->rax = eax;
	regs->rbx = ebx;
	regs->rcx = ecx;
	regs->rdx = edx;
}
