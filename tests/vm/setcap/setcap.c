// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the emulated machine only: CPU flags and bugs, by name, which the emulator's CPUs lack and are to have, or with
 * a "-" before it the other way round. Modules that are loaded later have their alternatives patched by them, so that
 * they do what they would on such a CPU; the kernel itself does not change. What the flags promise is not there: the
 * emulator ignores the MSRs. "mmio_clears" is no flag but what the kernel decides on CPUs whose one such bug is MMIO
 * stale data.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>

static char *flags;
module_param(flags, charp, 0);
MODULE_PARM_DESC(flags, "names, separated by commas");

static const struct {
	const char *name;
	unsigned int flag;
} names[] = {
	{ "flush_l1d", X86_FEATURE_FLUSH_L1D },
	{ "md_clear", X86_FEATURE_MD_CLEAR },
	{ "kernel_ibrs", X86_FEATURE_KERNEL_IBRS },
	{ "rsb_vmexit_lite", X86_FEATURE_RSB_VMEXIT_LITE },
	{ "bhb_loop", X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT },
	{ "ibpb", X86_FEATURE_IBPB_ON_VMEXIT },
	{ "clear_cpu_buf", X86_FEATURE_CLEAR_CPU_BUF },
	{ "vmx", X86_FEATURE_VMX },
	{ "fsgsbase", X86_FEATURE_FSGSBASE },
	{ "nx", X86_FEATURE_NX },
	{ "xenpv", X86_FEATURE_XENPV },
	{ "enqcmd", X86_FEATURE_ENQCMD },
	{ "itlb_multihit", X86_BUG_ITLB_MULTIHIT },
#ifdef X86_FEATURE_FRED
	{ "fred", X86_FEATURE_FRED },
#endif
};

/* In /proc/cpuinfo, too, which shows each CPU's own. */
static void set_flag(unsigned int flag, bool on)
{
	unsigned int cpu;

	assign_bit(flag, (unsigned long *)boot_cpu_data.x86_capability, on);
	for_each_online_cpu(cpu)
		assign_bit(flag, (unsigned long *)cpu_data(cpu).x86_capability, on);
}

static int __init setcap_init(void)
{
	unsigned int i;
	char *name;
	bool on;

	while ((name = strsep(&flags, ","))) {
		if (!strcmp(name, "mmio_clears")) {
			static_branch_enable(&mmio_stale_data_clear);
			continue;
		}
		on = *name != '-';
		name += !on;
		for (i = 0; i < ARRAY_SIZE(names) && strcmp(names[i].name, name); i++)
			;
		if (i == ARRAY_SIZE(names))
			return -EINVAL;
		set_flag(names[i].flag, on);
	}
	return 0;
}
module_init(setcap_init);

static void __exit setcap_exit(void)
{
}
module_exit(setcap_exit);

MODULE_DESCRIPTION("CPU flags for tests");
MODULE_LICENSE("GPL");
