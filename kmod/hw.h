/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of what a virtualization extension has to offer; everything behind it is vendor-specific
 * (kmod/vmx/ for VT-x). Filled at link time: one implementation is built in today.
 */
#ifndef DUNE_HW_H
#define DUNE_HW_H

#include <linux/types.h>

struct dune_vcpu;
struct dune_vcpu_state;
struct dune_info;
struct dune_report;

/* Reads the capabilities; -EOPNOTSUPP with a reason in the log when something needed is missing. */
int hw_init(void);
void hw_done(void);
void hw_info(struct dune_info *info);
unsigned int hw_gpa_bits(void);
/* Largest page of the second-level tables: 0 = 4K, 1 = 2M, 2 = 1G. */
unsigned int hw_ept_max_level(void);
u64 hw_pat(void);	/* IA32_PAT of the host */

/* Turn the extension on on all CPUs while contexts exist; -EBUSY when somebody else holds it. */
int hw_get(void);
void hw_put(void);

int hw_vcpu_init(struct dune_vcpu *vcpu);
void hw_vcpu_done(struct dune_vcpu *vcpu);

/* Preemption off: makes this CPU the vcpu's, taking its state from another CPU if need be. */
void hw_vcpu_load(struct dune_vcpu *vcpu);

/* Interrupts off: is this CPU going down (no entry any more)? */
bool hw_dying(void);

/* Interrupts off, after hw_vcpu_load: is the guest able to take an interrupt now? */
bool hw_interruptible(struct dune_vcpu *vcpu);
/* Interrupts off: exit as soon as it is. */
void hw_interrupt_window(struct dune_vcpu *vcpu, bool on);

/*
 * Interrupts off, from hw_begin to hw_end: what entries need of the host's state, and what the exits took of
 * it, is done once for all the entries between the two.
 */
void hw_begin(struct dune_vcpu *vcpu);
void hw_end(struct dune_vcpu *vcpu);
/*
 * Enters the guest and comes back after an exit, with vcpu->exit and vcpu->run filled (RSP and RFLAGS by
 * hw_end only) and NMIs and machine checks handled. 0, or -EIO when entry itself failed.
 */
int hw_enter(struct dune_vcpu *vcpu);

/* Control and segment registers of the guest for a report; preemption off, after hw_vcpu_load. */
void hw_read_cr(struct dune_vcpu *vcpu, struct dune_report *report);

/* Removes cached translations of this EPT on this CPU. Interrupts off. */
void hw_flush_ept(u64 root_pa);

#endif
