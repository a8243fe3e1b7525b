/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID as a guest sees it. */
#ifndef DUNE_VMX_CPUID_H
#define DUNE_VMX_CPUID_H

struct dune_regs;

/* Executes CPUID for the leaf in RAX and RCX and hides what the module does not handle. */
void vmx_cpuid(struct dune_regs *regs);

#endif
