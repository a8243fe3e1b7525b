/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The direct path: system calls answered without leaving the module.
 */
#ifndef DUNE_DIRECT_H
#define DUNE_DIRECT_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct dune_vcpu;

DECLARE_STATIC_KEY_FALSE(direct_enabled);

/*
 * Interrupts off, after a VMCALL from CPL 0: makes the call that its registers ask for and puts the result there,
 * if the call is on the list and nobody watches this thread's calls.
 */
bool direct_call(struct dune_vcpu *vcpu);

#endif
