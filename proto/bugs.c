// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The table behind bugs.h. A bug is only called mitigated by a row that names the measures which do it: what has no
 * row for what is in force is vulnerable.
 */
#include "proto/bugs.h"

#include <stddef.h>

#include "proto/dune_abi.h"

#define MITIGATED    "mitigated"
#define NOT_AFFECTED "not_affected"
#define AS_PROCESS \
	"as_process" /* what Linux does for processes holds for guests, or fails them, too */
#define VULNERABLE "vulnerable"
#define UNKNOWN	   "unknown"

static const struct {
	uint64_t bug;
	const char *name;
} names[] = {
	{ DUNE_BUG_MELTDOWN, "cpu_meltdown" },
	{ DUNE_BUG_SPECTRE_V1, "spectre_v1" },
	{ DUNE_BUG_SPECTRE_V2, "spectre_v2" },
	{ DUNE_BUG_SPEC_STORE_BYPASS, "spec_store_bypass" },
	{ DUNE_BUG_L1TF, "l1tf" },
	{ DUNE_BUG_MDS, "mds" },
	{ DUNE_BUG_SWAPGS, "swapgs" },
	{ DUNE_BUG_TAA, "taa" },
	{ DUNE_BUG_ITLB_MULTIHIT, "itlb_multihit" },
	{ DUNE_BUG_SRBDS, "srbds" },
	{ DUNE_BUG_MMIO_STALE_DATA, "mmio_stale_data" },
	{ DUNE_BUG_MMIO_UNKNOWN, "mmio_unknown" },
	{ DUNE_BUG_RETBLEED, "retbleed" },
	{ DUNE_BUG_EIBRS_PBRSB, "eibrs_pbrsb" },
	{ DUNE_BUG_GDS, "gds" },
	{ DUNE_BUG_RFDS, "rfds" },
	{ DUNE_BUG_BHI, "bhi" },
	{ DUNE_BUG_ITS, "its" },
	{ DUNE_BUG_VMSCAPE, "vmscape" },
};

/* The first row of a bug whose measures are all in force speaks. */
#define M(name) DUNE_MEASURE_##name
static const struct rule {
	uint64_t bug, measures;
	const char *state, *how;
} rules[] = {
	{ DUNE_BUG_MELTDOWN, 0, NOT_AFFECTED, "nothing of the kernel is mapped in a guest" },
	{ DUNE_BUG_SPECTRE_V1, 0, MITIGATED,
	  "registers are cleared after every exit, indices masked" },
	{ DUNE_BUG_SPECTRE_V2, M(IBPB), MITIGATED, "IBPB after every exit" },
	{ DUNE_BUG_SPECTRE_V2, M(IBRS) | M(RSB_FILL), MITIGATED,
	  "IBRS is written and the return stack filled after every exit" },
	{ DUNE_BUG_SPECTRE_V2, M(EIBRS), MITIGATED, "enhanced IBRS, in the guest, too" },
	{ DUNE_BUG_SPECTRE_V2, M(RETPOLINE) | M(RSB_FILL), MITIGATED,
	  "retpolines, and the return stack is filled after every exit" },
	{ DUNE_BUG_SPEC_STORE_BYPASS, 0, AS_PROCESS, "the thread's prctl holds in the guest" },
	{ DUNE_BUG_L1TF, M(L1D_FLUSH) | M(NO_SMT), MITIGATED,
	  "L1D is flushed before every entry, SMT is off" },
	{ DUNE_BUG_L1TF, M(L1D_FLUSH), VULNERABLE,
	  "L1D is flushed before every entry, but SMT is on (force_l1tf)" },
	{ DUNE_BUG_L1TF, M(OFF), VULNERABLE, "mitigations=off" },
	{ DUNE_BUG_L1TF, 0, VULNERABLE, "L1D is never flushed (force_l1tf)" },
	{ DUNE_BUG_MDS, M(VERW) | M(MD_CLEAR), MITIGATED, "VERW before every entry" },
	{ DUNE_BUG_MDS, M(VERW), VULNERABLE, "VERW before every entry, but no microcode for it" },
	{ DUNE_BUG_SWAPGS, 0, NOT_AFFECTED, "an exit loads GS without SWAPGS" },
	{ DUNE_BUG_TAA, M(NO_TSX), NOT_AFFECTED, "TSX is off, and guests can't turn it on" },
	{ DUNE_BUG_TAA, M(VERW) | M(MD_CLEAR), MITIGATED, "VERW before every entry" },
	{ DUNE_BUG_TAA, M(VERW), VULNERABLE, "VERW before every entry, but no microcode for it" },
	{ DUNE_BUG_ITLB_MULTIHIT, M(NO_EXEC_HUGE), MITIGATED,
	  "only 4 KB pages are executable in EPT" },
	{ DUNE_BUG_SRBDS, 0, AS_PROCESS, "microcode" },
	{ DUNE_BUG_MMIO_STALE_DATA, M(VERW) | M(FB_CLEAR), MITIGATED, "VERW before every entry" },
	{ DUNE_BUG_MMIO_STALE_DATA, M(VERW), VULNERABLE,
	  "VERW before every entry, but no microcode for it" },
	{ DUNE_BUG_MMIO_UNKNOWN, 0, UNKNOWN, "nobody has tested so old a processor" },
	{ DUNE_BUG_RETBLEED, M(IBPB), MITIGATED, "IBPB after every exit" },
	{ DUNE_BUG_RETBLEED, M(IBRS), MITIGATED, "IBRS is written after every exit" },
	{ DUNE_BUG_RETBLEED, M(EIBRS), MITIGATED, "enhanced IBRS, in the guest, too" },
	{ DUNE_BUG_RETBLEED, M(CALL_DEPTH) | M(RSB_FILL), MITIGATED,
	  "the return stack never runs empty, and is filled after every exit" },
	{ DUNE_BUG_EIBRS_PBRSB, M(RSB_ONE), MITIGATED, "a call and LFENCE after every exit" },
	{ DUNE_BUG_EIBRS_PBRSB, M(RSB_FILL), MITIGATED,
	  "the return stack is filled after every exit" },
	{ DUNE_BUG_GDS, 0, AS_PROCESS, "microcode" },
	{ DUNE_BUG_RFDS, M(VERW) | M(RFDS_CLEAR), MITIGATED, "VERW before every entry" },
	{ DUNE_BUG_RFDS, M(VERW), VULNERABLE, "VERW before every entry, but no microcode for it" },
	{ DUNE_BUG_BHI, M(BHI_DIS), MITIGATED, "BHI_DIS_S, in the guest, too" },
	{ DUNE_BUG_BHI, M(BHB_LOOP), MITIGATED, "branch history is cleared after every exit" },
	{ DUNE_BUG_BHI, M(RETPOLINE), MITIGATED, "retpolines" },
	{ DUNE_BUG_ITS, M(ITS_NATIVE_ONLY), NOT_AFFECTED, "not across an exit on this processor" },
	{ DUNE_BUG_ITS, M(ITS_THUNKS), MITIGATED, "branches and returns use the kernel's thunks" },
	{ DUNE_BUG_ITS, M(CALL_DEPTH) | M(RETPOLINE), MITIGATED,
	  "retpolines, and the return stack never runs empty" },
	{ DUNE_BUG_VMSCAPE, 0, NOT_AFFECTED, "a guest and its process are one" },
};

static const struct rule unmitigated[] = {
	{ 0, M(OFF), VULNERABLE, "mitigations=off" },
	{ 0, 0, VULNERABLE, "nothing is done by this kernel, or it is told not to" },
};

static const struct rule *find(const struct rule *rule, size_t nr, uint64_t bug, uint64_t measures)
{
	for (; nr--; rule++)
		if (rule->bug == bug && (measures & rule->measures) == rule->measures)
			return rule;
	return NULL;
}

struct dune_bug dune_bug_describe(unsigned int bit, uint64_t measures)
{
	uint64_t bug = bit < 64 ? 1ull << bit : 0;
	const struct rule *rule = find(rules, sizeof(rules) / sizeof(rules[0]), bug, measures);
	struct dune_bug ret = { NULL, UNKNOWN, "newer than this program" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bug == bug)
			ret.name = names[i].name;
	if (!ret.name)
		return ret;
	if (!rule)
		rule = find(unmitigated, 2, 0, measures);
	ret.state = rule->state;
	ret.how = rule->how;
	return ret;
}
