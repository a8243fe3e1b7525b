/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of what a virtualization extension has to offer; everything behind it is vendor-specific
 * (kmod/vmx/ for VT-x). Filled at link time: one implementation is built in today.
 */
#ifndef DUNE_HW_H
#define DUNE_HW_H

#include <linux/percpu.h>
#include <linux/types.h>
#include "kmod/vcpu.h"

/* Reads the capabilities; -EOPNOTSUPP with a reason in the log when something needed is missing. */
int hw_init(void);
void hw_done(void);
void hw_info(struct dune_info *info);
unsigned int hw_gpa_bits(void);
/* Largest page of the second-level tables: 0 = 4K, 1 = 2M, 2 = 1G. */
unsigned int hw_ept_max_level(void);
u64 hw_pat(void);	/* IA32_PAT of the host */

/*
 * Switch the extension on, on all CPUs, while contexts exist, or have it held by the KVM machine behind kvm_fd (0 =
 * none): -EBUSY when somebody else holds it, -EBADF, -EINVAL for another file.
 */
int hw_get(u32 kvm_fd);
void hw_put(void);

int hw_vcpu_init(struct dune_vcpu *vcpu);
void hw_vcpu_done(struct dune_vcpu *vcpu);

/* The vcpu whose state is loaded on this CPU; NULL also while the extension is off or the CPU goes down. */
DECLARE_PER_CPU(struct dune_vcpu *, hw_current_vcpu);

/* Preemption off: makes this CPU the vcpu's, taking its state from another CPU if need be. */
void hw_vcpu_load(struct dune_vcpu *vcpu);

/*
 * Interrupts off, this vcpu loaded: what hw_* functions below work on becomes this vcpu's, and again what it was.
 * Nothing else of the host may run in between.
 */
extern bool hw_shared;	/* somebody else uses the extension, too */
void hw_claim_shared(struct dune_vcpu *vcpu);
void hw_yield_shared(struct dune_vcpu *vcpu);

static inline void hw_claim(struct dune_vcpu *vcpu)
{
	if (unlikely(READ_ONCE(hw_shared)))
		hw_claim_shared(vcpu);
}

static inline void hw_yield(struct dune_vcpu *vcpu)
{
	if (unlikely(READ_ONCE(hw_shared)))
		hw_yield_shared(vcpu);
}

/* Interrupts off, after hw_vcpu_load: is the guest able to take an interrupt now? */
bool hw_interruptible(struct dune_vcpu *vcpu);
/* Interrupts off: exit as soon as it is. */
void hw_interrupt_window(struct dune_vcpu *vcpu, bool on);

/*
 * Interrupts off, this vcpu loaded: enters the guest, and again after exits that exit_handle_irqoff could handle.
 * What entries need of the host's state, and what exits took of it, is done once for all of them. Returns with
 * vcpu->exit and vcpu->run filled, NMIs and machine checks handled; VCPU_FAILED when entry itself failed.
 */
enum vcpu_next hw_run(struct dune_vcpu *vcpu);

/* Control and segment registers of the guest for a report. */
void hw_read_cr(struct dune_vcpu *vcpu, struct dune_report *report);

/* Removes cached translations of this EPT on this CPU. Interrupts off. */
void hw_flush_ept(u64 root_pa);

#endif
