// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The name tables for dune_abi.h. A number without a row has no name; must never invent one.
 */
#include "proto/names.h"

#include <stdio.h>
#include <string.h>

#define NAME(table, index) ((index) < sizeof(table) / sizeof((table)[0]) ? (table)[index] : NULL)

static const char *const exit_names[DUNE_NR_EXITS] = {
	[0] = "exception_or_nmi",
	[1] = "external_interrupt",
	[2] = "triple_fault",
	[3] = "init_signal",
	[4] = "sipi",
	[5] = "io_smi",
	[6] = "other_smi",
	[7] = "interrupt_window",
	[8] = "nmi_window",
	[9] = "task_switch",
	[10] = "cpuid",
	[11] = "getsec",
	[12] = "hlt",
	[13] = "invd",
	[14] = "invlpg",
	[15] = "rdpmc",
	[16] = "rdtsc",
	[17] = "rsm",
	[18] = "vmcall",
	[19] = "vmclear",
	[20] = "vmlaunch",
	[21] = "vmptrld",
	[22] = "vmptrst",
	[23] = "vmread",
	[24] = "vmresume",
	[25] = "vmwrite",
	[26] = "vmxoff",
	[27] = "vmxon",
	[28] = "control_register_access",
	[29] = "mov_dr",
	[30] = "io_instruction",
	[31] = "rdmsr",
	[32] = "wrmsr",
	[33] = "entry_failure_guest_state",
	[34] = "entry_failure_msr_loading",
	[36] = "mwait",
	[37] = "monitor_trap_flag",
	[39] = "monitor",
	[40] = "pause",
	[41] = "entry_failure_machine_check",
	[43] = "tpr_below_threshold",
	[44] = "apic_access",
	[45] = "virtualized_eoi",
	[46] = "gdtr_or_idtr_access",
	[47] = "ldtr_or_tr_access",
	[48] = "ept_violation",
	[49] = "ept_misconfiguration",
	[50] = "invept",
	[51] = "rdtscp",
	[52] = "preemption_timer_expired",
	[53] = "invvpid",
	[54] = "wbinvd",
	[55] = "xsetbv",
	[56] = "apic_write",
	[57] = "rdrand",
	[58] = "invpcid",
	[59] = "vmfunc",
	[60] = "encls",
	[61] = "rdseed",
	[62] = "page_modification_log_full",
	[63] = "xsaves",
	[64] = "xrstors",
	[65] = "pconfig",
	[66] = "spp_related_event",
	[67] = "umwait",
	[68] = "tpause",
	[69] = "loadiwkey",
	[70] = "enclv",
	[72] = "enqcmd_pasid_translation_failure",
	[73] = "enqcmds_pasid_translation_failure",
	[74] = "bus_lock",
	[75] = "instruction_timeout",
	[76] = "seamcall",
	[77] = "tdcall",
	[78] = "rdmsrlist",
	[DUNE_NR_EXITS - 1] = "other",
};

static const char *const counter_names[DUNE_NR_COUNTERS] = {
	[DUNE_COUNT_ENTRIES] = "entries",
	[DUNE_COUNT_EXITS] = "exits",
	[DUNE_COUNT_RUNS] = "runs",
	[DUNE_COUNT_SYSCALLS] = "syscalls",
	[DUNE_COUNT_HYPERCALLS] = "hypercalls",
	[DUNE_COUNT_EPT_READ] = "ept_read",
	[DUNE_COUNT_EPT_WRITE] = "ept_write",
	[DUNE_COUNT_EPT_EXEC] = "ept_exec",
	[DUNE_COUNT_EPT_FILLS] = "ept_fills",
	[DUNE_COUNT_EPT_ZAPS] = "ept_zaps",
	[DUNE_COUNT_EPT_RETRIES] = "ept_retries",
	[DUNE_COUNT_TOUCHES] = "touches",
	[DUNE_COUNT_INVEPT] = "invept",
	[DUNE_COUNT_IPIS] = "ipis",
	[DUNE_COUNT_MIGRATIONS] = "migrations",
	[DUNE_COUNT_SIGNALS] = "signals",
	[DUNE_COUNT_WORK] = "work",
	[DUNE_COUNT_WORK_FPU] = "work_fpu",
	[DUNE_COUNT_DEFERRED] = "deferred",
	[DUNE_COUNT_DENIED] = "denied",
	[DUNE_COUNT_FAULTS] = "faults",
	[DUNE_COUNT_UNKNOWN_CALLS] = "unknown_calls",
	[DUNE_COUNT_SLICES] = "slices",
	[DUNE_COUNT_LIMIT_HITS] = "limit_hits",
	[DUNE_COUNT_REINJECTED] = "reinjected",
	[DUNE_COUNT_VCPUS_NOW] = "vcpus_now",
	[DUNE_COUNT_PRIVATE_NOW] = "private_pages_now",
	[DUNE_COUNT_EPT_NOW] = "ept_pages_now",
	[DUNE_COUNT_SLOTS_NOW] = "slots_now",
	[DUNE_COUNT_DIRECT] = "direct_calls",
	[DUNE_COUNT_EPT_LARGE] = "ept_large_fills",
};

static const char *const limit_names[DUNE_NR_LIMITS] = {
	[DUNE_LIMIT_VCPUS] = "vcpus",
	[DUNE_LIMIT_PRIVATE] = "private_pages",
	[DUNE_LIMIT_EPT] = "ept_pages",
	[DUNE_LIMIT_CONTEXTS] = "contexts",
};

static const char *const state_names[] = {
	[DUNE_STATE_NEW] = "new",
	[DUNE_STATE_ATTACHED] = "attached",
	[DUNE_STATE_RUNNING] = "running",
	[DUNE_STATE_ENDED] = "ended",
};

static const struct {
	const char *name;
	const char *text;
} causes[DUNE_NR_ENDS] = {
	[DUNE_END_EXIT] = { "exit", "the process exited or replaced its program" },
	[DUNE_END_KILL] = { "kill", "it was killed" },
	[DUNE_END_TRIPLE_FAULT] = { "triple_fault", "the guest met a triple fault" },
	[DUNE_END_ENTRY_FAILED] = { "entry_failed", "the processor refused the guest's state" },
	[DUNE_END_BAD_EXIT] = { "bad_exit", "an exit for a reason that nothing handles" },
	[DUNE_END_BAD_GPA] = { "bad_gpa", "the guest used a physical address without memory" },
	[DUNE_END_STUCK] = { "stuck", "the same EPT violation came back again and again" },
	[DUNE_END_PANIC] = { "panic", "the runtime met a fault of its own" },
	[DUNE_END_TRAMPOLINE] = { "trampoline",
				  "its trampoline, run or argument page was unmapped" },
	[DUNE_END_SIGNALS] = { "signals", "more signal frames than can wait" },
	[DUNE_END_EVENT_LOOP] = { "event_loop", "endless delivery of exceptions" },
};

static const char *const event_names[] = {
	[DUNE_EVENT_CREATED] = "created", [DUNE_EVENT_ATTACHED] = "attached",
	[DUNE_EVENT_RUNNING] = "running", [DUNE_EVENT_ENDED] = "ended",
	[DUNE_EVENT_FREED] = "freed",	  [DUNE_EVENT_LIMIT] = "limit",
	[DUNE_EVENT_LOST] = "lost",
};

static const char *const vmx_holder_names[] = {
	[DUNE_VMX_OFF] = "nobody",
	[DUNE_VMX_OWN] = "module",
	[DUNE_VMX_KVM] = "kvm",
};

static const struct {
	__u64 bit;
	const char *name;
} features[] = {
	{ DUNE_FEATURE_PREEMPTION_TIMER, "preemption_timer" },
	{ DUNE_FEATURE_EPT_EXEC_ONLY, "ept_exec_only" },
	{ DUNE_FEATURE_EPT_2M, "ept_2m" },
	{ DUNE_FEATURE_EPT_1G, "ept_1g" },
	{ DUNE_FEATURE_EPT_AD, "ept_ad" },
	{ DUNE_FEATURE_INVPCID, "invpcid" },
	{ DUNE_FEATURE_RDTSCP, "rdtscp" },
	{ DUNE_FEATURE_UMIP, "umip" },
	{ DUNE_FEATURE_PAGE_1G, "page_1g" },
};

const char *dune_exit_name(unsigned int reason)
{
	return NAME(exit_names, reason);
}

const char *dune_counter_name(unsigned int counter)
{
	return NAME(counter_names, counter);
}

const char *dune_limit_name(unsigned int limit)
{
	return NAME(limit_names, limit);
}

const char *dune_state_name(unsigned int state)
{
	return NAME(state_names, state);
}

const char *dune_cause_name(unsigned int cause)
{
	return cause < DUNE_NR_ENDS ? causes[cause].name : NULL;
}

const char *dune_event_name(unsigned int type)
{
	return NAME(event_names, type);
}

const char *dune_vmx_holder_name(unsigned int holder)
{
	return NAME(vmx_holder_names, holder);
}

const char *dune_feature_name(unsigned int bit)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (bit < 64 && features[i].bit == 1ull << bit)
			return features[i].name;
	}
	return NULL;
}

const char *dune_cause_text(const char *cause_name)
{
	for (size_t i = 0; i < DUNE_NR_ENDS; i++) {
		if (causes[i].name && !strcmp(causes[i].name, cause_name))
			return causes[i].text;
	}
	return "ended";
}

bool dune_counter_is_gauge(unsigned int counter)
{
	return counter >= DUNE_COUNT_VCPUS_NOW && counter <= DUNE_COUNT_SLOTS_NOW;
}

const char *dune_name_or_number(const char *name, const char *prefix, unsigned int number,
				char buffer[DUNE_NAME_BUFFER])
{
	if (name)
		snprintf(buffer, DUNE_NAME_BUFFER, "%s", name);
	else
		snprintf(buffer, DUNE_NAME_BUFFER, "%s_%u", prefix, number);
	return buffer;
}

bool dune_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length < DUNE_NAME_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789._-") == length;
}

const char *dune_errno_name(int error)
{
	const char *name = strerrorname_np(error < 0 ? -error : error);

	return name ? name : "E?";
}
