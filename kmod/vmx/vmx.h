/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of kmod/vmx/ only. Everything else of the module goes through kmod/hw.h.
 */
#ifndef DUNE_VMX_H
#define DUNE_VMX_H

#include <linux/types.h>
#include "kmod/vcpu.h"
#include "kmod/vmx/controls.h"

struct vmcs_page {
	u32 revision;
	u32 abort;
	u8 data[4096 - 8];
};

/* What init read of this CPU; on every CPU they come to the same, which vmx_on checks. */
struct vmx_global {
	struct vmx_caps caps;
	struct vmx_controls controls;
	u64 host_msrs[VCPU_NR_MSRS];	/* trap 13: captured once, on a CPU that runs no guest */
	u64 pat;
	u64 cr0_guest_owned, cr4_guest_owned;
	u32 preemption_ticks;		/* 0 = no timer */
	unsigned int gpa_bits;
	unsigned long *msr_bitmap;
	void *empty_page;		/* PASID directories: no PASID is anybody's */
};
extern struct vmx_global vmx_global;
void vmx_read_caps(struct vmx_caps *caps);	/* of this CPU */
extern const u32 vmx_switched_msrs[VCPU_NR_MSRS];

/* Instructions, SDM 3C chapter 31. All with interrupts (or at least preemption) off. */

/*
 * Every one has an exception-table entry: after a CPU lost VMX behind our back (kexec, a crash elsewhere)
 * they raise #UD, which must not take the host down.
 */
#define vmx_insn_failed(insn, ...)                              \
	({                                                      \
		bool __err;                                     \
		asm volatile("1: " insn "; setna %b0; jmp 3f\n" \
			     "2: mov $1, %b0\n"                 \
			     "3:\n" _ASM_EXTABLE(1b, 2b)        \
			     : "=&q"(__err)                     \
			     : __VA_ARGS__                      \
			     : "cc", "memory");                 \
		__err;                                          \
	})

static __always_inline bool vmclear(u64 pa)
{
	return vmx_insn_failed("vmclear %1", "m"(pa));
}

static __always_inline bool vmptrld(u64 pa)
{
	return vmx_insn_failed("vmptrld %1", "m"(pa));
}

/* The current VMCS, -1 = none. */
static __always_inline u64 vmptrst(void)
{
	u64 pa = -1ull;

	asm volatile("1: vmptrst %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+m"(pa)
		     :
		     : "cc");
	return pa;
}

void vmx_write_failed(unsigned long field, unsigned long value);

static __always_inline void vmwrite(unsigned long field, unsigned long value)
{
	/* clang-format off */
	asm goto("1: vmwrite %1, %0\n"
		 "jna %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "r"(field), "rm"(value) : "cc" : failed);
	/* clang-format on */
	return;
failed:
	vmx_write_failed(field, value);
}

static __always_inline unsigned long vmread(unsigned long field)
{
	unsigned long value = 0;

	asm volatile("1: vmread %1, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(value)
		     : "r"(field)
		     : "cc");
	return value;
}

struct vmx_inv_desc {
	u64 first, second;
};

static __always_inline bool vmx_invept_context(u64 eptp)
{
	struct vmx_inv_desc desc = { eptp, 0 };

	return vmx_insn_failed("invept %1, %2", "m"(desc), "r"(1ul));
}

static __always_inline bool vmx_invvpid_context(u16 vpid)
{
	struct vmx_inv_desc desc = { vpid, 0 };

	return vmx_insn_failed("invvpid %1, %2", "m"(desc), "r"(1ul));
}

/* EPTP: write-back tables, four levels, no accessed/dirty flags (SDM 3C 25.6.11). */
static inline u64 vmx_eptp(u64 root_pa)
{
	return root_pa | (3 << 3) | 6;
}

/* vmx.c: VMXON regions, and hooks for CPUs that come and go. */
int vmx_cpus_init(void);
void vmx_cpus_done(void);
/* Fills vmx_global.host_msrs. -EBUSY when the CPUs do not agree. */
int vmx_capture_host_msrs(void);
u64 vmx_holder(void);	/* DUNE_VMX_* */

/* vmcs.c: fills the VMCS that is current on this CPU. */
void vmcs_write_initial(struct dune_vcpu *vcpu);
void vmcs_write_host_cpu(struct dune_vcpu *vcpu);

/* entry.S: the world switch. Returns 0 after an exit, 1 when VMLAUNCH/VMRESUME failed. */
int vmx_world_switch(struct dune_regs *regs, unsigned long launched, unsigned long *host_rsp);
void vmx_exit_point(void);
void vmx_nmi(void);

#endif
