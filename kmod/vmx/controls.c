// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chooses VMCS controls. Owns the policy of what guest ring 0 may do without an exit (trap 10) and
 * nothing else; must stay free of CPU accesses so that recorded MSR values can be fed to it.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>
#include "kmod/vmx/controls.h"
#include "proto/dune_abi.h"

/* IA32_VMX_BASIC, SDM 3D A.1 */
#define BASIC_VMCS_BYTES(basic)	((basic) >> 32 & 0x1fff)
#define BASIC_32_BIT		(1ull << 48)
#define BASIC_MEMORY_TYPE(basic) ((basic) >> 50 & 0xf)
#define MEMORY_TYPE_WB		6

#define EPT_CAP_4_LEVELS	(1ull << 6)
#define EPT_CAP_WB		(1ull << 14)
#define EPT_CAP_2M		(1ull << 16)
#define EPT_CAP_1G		(1ull << 17)
#define EPT_CAP_INVEPT		(1ull << 20)
#define EPT_CAP_AD		(1ull << 21)
#define EPT_CAP_INVEPT_SINGLE	(1ull << 25)
#define EPT_CAP_INVVPID		(1ull << 32)
#define EPT_CAP_INVVPID_SINGLE	(1ull << 41)
#define EPT_CAP_EXEC_ONLY	(1ull << 0)

enum word { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, NR_WORDS };

enum need { MUST_SET, MUST_CLEAR, MAY_SET };

struct row {
	enum word word;
	enum need need;
	u32 bits;
	const char *name;
	u64 feature;
};

/* clang-format off */
/* What is not named is 0, but for default1 bits that the CPU insists on (SDM 3D A.3 to A.5). */
static const struct row rows[] = {
	{ PIN, MUST_SET, PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting" },
	{ PIN, MUST_SET, PIN_BASED_NMI_EXITING, "NMI exiting" },
	{ PIN, MAY_SET, PIN_BASED_VMX_PREEMPTION_TIMER, "preemption timer",
	  DUNE_FEATURE_PREEMPTION_TIMER },
	{ PRIMARY, MUST_SET, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "secondary controls" },
	/* Before the CR3 controls, which a CPU without EPT insists on. */
	{ SECONDARY, MUST_SET, SECONDARY_EXEC_ENABLE_EPT, "EPT" },
	{ PRIMARY, MUST_SET, CPU_BASED_USE_MSR_BITMAPS, "MSR bitmaps" },
	{ PRIMARY, MUST_SET, CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_HLT_EXITING, "HLT exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_MWAIT_EXITING, "MWAIT exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_MONITOR_EXITING, "MONITOR exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_RDPMC_EXITING, "RDPMC exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ PRIMARY, MUST_SET, CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting" },
	{ PRIMARY, MUST_CLEAR, CPU_BASED_CR3_LOAD_EXITING, "guest-owned CR3 (load)" },
	{ PRIMARY, MUST_CLEAR, CPU_BASED_CR3_STORE_EXITING, "guest-owned CR3 (store)" },
	{ PRIMARY, MUST_CLEAR, CPU_BASED_INVLPG_EXITING, "guest-owned INVLPG" },
	{ PRIMARY, MUST_CLEAR, CPU_BASED_RDTSC_EXITING, "RDTSC without exits" },
	{ SECONDARY, MUST_SET, SECONDARY_EXEC_ENABLE_VPID, "VPID" },
	{ SECONDARY, MUST_SET, SECONDARY_EXEC_WBINVD_EXITING, "WBINVD exiting" },
	{ SECONDARY, MAY_SET, SECONDARY_EXEC_ENABLE_RDTSCP, "RDTSCP", DUNE_FEATURE_RDTSCP },
	{ SECONDARY, MAY_SET, SECONDARY_EXEC_ENABLE_INVPCID, "INVPCID", DUNE_FEATURE_INVPCID },
	{ SECONDARY, MAY_SET, SECONDARY_EXEC_ENCLS_EXITING, "ENCLS exiting" },
	{ SECONDARY, MAY_SET, VMX_SECONDARY_PASID_TRANSLATION, "PASID translation" },
	{ EXIT, MUST_SET, VM_EXIT_HOST_ADDR_SPACE_SIZE, "64-bit host" },
	{ EXIT, MUST_SET, VM_EXIT_SAVE_DEBUG_CONTROLS, "save debug controls" },
	/* The interrupt is taken through the host's IDT once interrupts are on again. */
	{ EXIT, MUST_CLEAR, VM_EXIT_ACK_INTR_ON_EXIT, "external interrupts without acknowledge" },
	{ EXIT, MAY_SET, VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL, "load PERF_GLOBAL_CTRL" },
	{ ENTRY, MUST_SET, VM_ENTRY_IA32E_MODE, "64-bit guest" },
	{ ENTRY, MUST_SET, VM_ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls" },
	{ ENTRY, MAY_SET, VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, "load PERF_GLOBAL_CTRL" },
};
/* clang-format on */

static const struct {
	const char *name;
	u32 default1; /* SDM 3D A.2 */
} fields[NR_WORDS] = {
	[PIN] = { "pin-based", PIN_BASED_ALWAYSON_WITHOUT_TRUE_MSR },
	[PRIMARY] = { "primary", CPU_BASED_ALWAYSON_WITHOUT_TRUE_MSR },
	[SECONDARY] = { "secondary", 0 },
	[EXIT] = { "VM-exit", VM_EXIT_ALWAYSON_WITHOUT_TRUE_MSR },
	[ENTRY] = { "VM-entry", VM_ENTRY_ALWAYSON_WITHOUT_TRUE_MSR },
};

static const struct {
	u64 bits;
	const char *name;
} ept_needs[] = {
	{ EPT_CAP_4_LEVELS, "four-level EPT" },
	{ EPT_CAP_WB, "write-back EPT tables" },
	{ EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE, "single-context INVEPT" },
	{ EPT_CAP_INVVPID | EPT_CAP_INVVPID_SINGLE, "single-context INVVPID" },
};

static const struct {
	u64 bit, feature;
} ept_features[] = {
	{ EPT_CAP_EXEC_ONLY, DUNE_FEATURE_EPT_EXEC_ONLY },
	{ EPT_CAP_2M, DUNE_FEATURE_EPT_2M },
	{ EPT_CAP_1G, DUNE_FEATURE_EPT_1G },
	{ EPT_CAP_AD, DUNE_FEATURE_EPT_AD },
};

/* Low half: bits that must be 1. High half: bits that may be 1. */
static bool row_apply(const struct row *row, u64 msr, u32 *word)
{
	u32 must = (u32)msr, may = (u32)(msr >> 32);

	switch (row->need) {
	case MUST_CLEAR:
		return !(must & row->bits);
	case MUST_SET:
		*word |= row->bits;
		return (may & row->bits) == row->bits;
	case MAY_SET:
		if ((may & row->bits) == row->bits)
			*word |= row->bits;
		return true;
	}
	return false;
}

static const char *ept_check(u64 ept_vpid, u64 *features)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ept_needs); i++)
		if ((ept_vpid & ept_needs[i].bits) != ept_needs[i].bits)
			return ept_needs[i].name;
	for (i = 0; i < ARRAY_SIZE(ept_features); i++)
		if (ept_vpid & ept_features[i].bit)
			*features |= ept_features[i].feature;
	return NULL;
}

static const char *basic_check(u64 basic)
{
	if (BASIC_MEMORY_TYPE(basic) != MEMORY_TYPE_WB)
		return "write-back VMCS memory";
	if (basic & BASIC_32_BIT)
		return "VMCS addresses above 4 GiB";
	if (BASIC_VMCS_BYTES(basic) > 4096)
		return "VMCSs within a page";
	return NULL;
}

static const char *rows_apply(const u64 *msrs, u32 *words, u64 *features)
{
	const u32 exit_perf = VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
	const u32 entry_perf = VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL;
	unsigned int i;

	for (i = 0; i < NR_WORDS; i++)
		words[i] = (u32)msrs[i];
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		if (!row_apply(row, msrs[row->word], &words[row->word]))
			return row->name;
		if (row->need == MAY_SET && (words[row->word] & row->bits))
			*features |= row->feature;
	}
	/* One without the other would leave the guest's or the host's counters in place. */
	if (!(words[EXIT] & exit_perf) || !(words[ENTRY] & entry_perf)) {
		words[EXIT] &= ~exit_perf;
		words[ENTRY] &= ~entry_perf;
	}
	/* A CPU that insists on one of them and lacks the other has no such pair (SDM 3D A.4, A.5). */
	if ((u32)msrs[EXIT] & ~words[EXIT] || (u32)msrs[ENTRY] & ~words[ENTRY])
		return "load PERF_GLOBAL_CTRL";
	return NULL;
}

/* No CPU insists on them; an odd hypervisor may, and what they do to the guest is unknown here. */
static const char *unknown_check(const u64 *msrs)
{
	static char name[64]; /* only the module's start asks */
	unsigned int word, i;

	for (word = 0; word < NR_WORDS; word++) {
		u32 unknown = (u32)msrs[word] & ~fields[word].default1;

		for (i = 0; i < ARRAY_SIZE(rows); i++)
			if (rows[i].word == word)
				unknown &= ~rows[i].bits;
		if (!unknown)
			continue;
		snprintf(name, sizeof(name), "a way to clear bit %d of the %s controls",
			 __builtin_ctz(unknown), fields[word].name);
		return name;
	}
	return NULL;
}

/* Bits fixed to 1 are in FIXED0, those that may be 1 are in FIXED1 (SDM 3D A.7, A.8). */
static const char *cr_check(const struct vmx_caps *caps)
{
	if (caps->cr0_fixed0 & ~(u64)VMX_GUEST_CR0 || VMX_GUEST_CR0 & ~caps->cr0_fixed1)
		return "the guest's CR0 in VMX operation";
	if (!(caps->cr4_fixed1 & X86_CR4_FSGSBASE))
		return "FSGSBASE";
	if (caps->cr4_fixed0 & ~(u64)(VMX_GUEST_CR4 | X86_CR4_VMXE) ||
	    VMX_GUEST_CR4 & ~caps->cr4_fixed1)
		return "the guest's CR4 in VMX operation";
	return NULL;
}

int vmx_controls_compute(const struct vmx_caps *caps, struct vmx_controls *ret_controls,
			 const char **ret_missing)
{
	const u64 msrs[NR_WORDS] = {
		caps->pin, caps->primary, caps->secondary, caps->exit, caps->entry,
	};
	u32 words[NR_WORDS];
	u64 features = 0;

	/* clang-format off */
	*ret_missing = basic_check(caps->basic) ?: rows_apply(msrs, words, &features) ?:
		       unknown_check(msrs) ?: ept_check(caps->ept_vpid, &features) ?:
		       cr_check(caps);
	/* clang-format on */
	if (*ret_missing)
		return -EOPNOTSUPP;
	*ret_controls = (struct vmx_controls){
		.pin = words[PIN],
		.primary = words[PRIMARY],
		.secondary = words[SECONDARY],
		.exit = words[EXIT],
		.entry = words[ENTRY],
		.features = features,
		.pasid_translation = words[SECONDARY] & VMX_SECONDARY_PASID_TRANSLATION,
	};
	return 0;
}
