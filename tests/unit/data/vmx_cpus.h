/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMX capability MSRs: one row per processor, values only. Owns the recordings and where each comes
 * from; must never hold a value that its source does not give.
 *
 * "VirtualBox NAME" is src/VBox/VMM/VMMR3/cpus/NAME.h of VirtualBox, tables that its VBoxCpuReport
 * wrote on the machine; "VirtualBox log" a VBox.log that somebody published. "Bochs VERSION, model
 * NAME" was read by RDMSR in the emulator. "QEMU NAME" is not a machine: what a guest with nested
 * VMX gets from the feature words of that model in QEMU's target/i386/cpu.c, as its vendor wrote
 * them. The words list bits that may be 1; those that must be, the fixed bits of CR0 and CR4, and
 * VMCSs of a page of write-back memory are KVM's.
 *
 * The control MSRs are the TRUE ones (0x48d to 0x490) where bit 55 of 0x480 says that they exist,
 * else 0x481 to 0x484. 0x48b and 0x48c are 0 where a CPU has no such MSR. The last row is the one
 * the tests vary: a machine with all controls that the module may use but PASID translation.
 */
#ifndef DUNE_TESTS_VMX_CPUS_H
#define DUNE_TESTS_VMX_CPUS_H

#include "kmod/vmx/controls.h"
#include "proto/dune_abi.h"

#define ALL_EPT (DUNE_FEATURE_EPT_EXEC_ONLY | DUNE_FEATURE_EPT_2M)
#define RDTSCP_TIMER (DUNE_FEATURE_RDTSCP | DUNE_FEATURE_PREEMPTION_TIMER)

/* clang-format off */
static const struct recording {
	const char *name, *source;
	struct vmx_caps caps;
	const char *missing;	/* NULL: runs */
	uint64_t features;
} recordings[] = {
	{ "X6800 (Conroe, 36 bits)", "VirtualBox Intel_Core2_X6800_2_93GHz",
	  { .basic = 0x1a040000000007, .pin = 0x1f00000016, .primary = 0x77b9fffe0401e172,
	    .exit = 0x3efff00036dff, .entry = 0x1fff000011ff, .misc = 0x403c0,
	    .cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000,
	    .cr4_fixed1 = 0x27ff },
	  "secondary controls", 0 },
	{ "X5482 (Penryn, 38 bits)", "VirtualBox Intel_Xeon_X5482_3_20GHz",
	  { .basic = 0x5a08000000000d, .pin = 0x3f00000016, .primary = 0xf7f9fffe0401e172,
	    .exit = 0x3ffff00036dff, .entry = 0x3fff000011ff, .misc = 0x403c0,
	    .secondary = 0x4100000000, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x27ff },
	  "EPT", 0 },
	{ "i7-2635QM (Sandy Bridge, 36 bits)", "VirtualBox Intel_Core_i7_2635QM",
	  { .basic = 0xda040000000010, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0xff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x100401e5, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x627ff },
	  "FSGSBASE", 0 },
	{ "i7-3960X (Sandy Bridge-E, 46 bits)", "VirtualBox Intel_Core_i7_3960X",
	  { .basic = 0xda040000000010, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x4ff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106134141, .misc = 0x100401e5, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x627ff },
	  "FSGSBASE", 0 },
	{ "i5-3570 (Ivy Bridge, 36 bits)", "VirtualBox Intel_Core_i5_3570",
	  { .basic = 0xda040000000010, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x8ff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x100401e5, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1767ff },
	  NULL, ALL_EPT | RDTSCP_TIMER },
	{ "N3530 (Silvermont, 36 bits)", "VirtualBox Intel_Pentium_N3530_2_16GHz",
	  { .basic = 0xda040000000002, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x28ef00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x481e6, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1027ff },
	  "FSGSBASE", 0 },
	{ "i7-5600U (Broadwell, 39 bits)", "VirtualBox Intel_Core_i7_5600U",
	  { .basic = 0xda040000000012, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x57cff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x300481e5, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3767ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "core_duo_t2400_yonah (Yonah, 32 bits)", "Bochs 2.7, model core_duo_t2400_yonah",
	  { .basic = 0xd910000000002b, .pin = 0x1f00000016, .primary = 0x7781fffe04006172,
	    .secondary = 0x0, .exit = 0x3edff00036dfb, .entry = 0x1dff000011fb,
	    .ept_vpid = 0x0, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x27ff },
	  "VMCS addresses above 4 GiB", 0 },
	{ "core2_penryn_t9600 (Penryn)", "Bochs 2.7, model core2_penryn_t9600",
	  { .basic = 0xd810000000002b, .pin = 0x3f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x4100000000, .exit = 0x3ffff00036dfb, .entry = 0x3fff000011fb,
	    .ept_vpid = 0x0, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x467ff },
	  "EPT", 0 },
	{ "corei5_lynnfield_750 (Nehalem)", "Bochs 2.7, model corei5_lynnfield_750",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x7f00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x67ff },
	  "FSGSBASE", 0 },
	{ "corei5_arrandale_m520 (Westmere)", "Bochs 2.7, model corei5_arrandale_m520",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0xff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x67ff },
	  "FSGSBASE", 0 },
	{ "corei7_sandy_bridge_2600k (Sandy Bridge)", "Bochs 2.7, model corei7_sandy_bridge_2600k",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0xff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x627ff },
	  "FSGSBASE", 0 },
	{ "corei7_ivy_bridge_3770k (Ivy Bridge)", "Bochs 2.7, model corei7_ivy_bridge_3770k",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x8ff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106114141, .misc = 0x401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1727ff },
	  NULL, ALL_EPT | RDTSCP_TIMER },
	{ "corei7_haswell_4770 (Haswell)", "Bochs 2.7, model corei7_haswell_4770",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x47fff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x200401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "broadwell_ult (Broadwell)", "Bochs 2.7, model broadwell_ult",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x57fff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x200401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "corei7_skylake_x (Skylake-X)", "Bochs 2.7, model corei7_skylake_x",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x2177fff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x600401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "corei3_cnl (Cannon Lake)", "Bochs 2.7, model corei3_cnl",
	  { .basic = 0xd810000000002b, .pin = 0x7f00000016, .primary = 0xf7f9fffe04006172,
	    .secondary = 0x2157cff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x600401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x772fff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "corei7_icelake_u (Ice Lake)", "Bochs 2.7, model corei7_icelake_u",
	  { .basic = 0xd8100000000004, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x2977fff00000000, .exit = 0x7fffff00036dfb, .entry = 0xffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x600401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x772fff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "tigerlake (Tiger Lake)", "Bochs 2.7, model tigerlake",
	  { .basic = 0x1d8100000000004, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x2977fff00000000, .exit = 0x107fffff00036dfb, .entry = 0x10ffff000011fb,
	    .ept_vpid = 0xf0106b34141, .misc = 0x600401e0, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0xf72fff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "Nehalem as QEMU has it", "QEMU Nehalem",
	  { .basic = 0xd8100011e57ed0, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x7f00000000, .exit = 0x7fffff00036dfb, .entry = 0xf3ff000011fb,
	    .ept_vpid = 0xf0106134041, .misc = 0x45, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x27ff },
	  "FSGSBASE", 0 },
	{ "Haswell as QEMU has it", "QEMU Haswell",
	  { .basic = 0xd8100011e57ed0, .pin = 0xff00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x7bff00000000, .exit = 0x7fffff00036dfb, .entry = 0xf3ff000011fb,
	    .ept_vpid = 0xf0106334041, .misc = 0x20000065, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "Cooperlake as QEMU has it", "QEMU Cooperlake",
	  { .basic = 0xd8100011e57ed0, .pin = 0xff00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x37bff00000000, .exit = 0x7fffff00036dfb, .entry = 0xf3ff000011fb,
	    .ept_vpid = 0xf0106334041, .misc = 0x20000065, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x7727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "Icelake-Server as QEMU has it", "QEMU Icelake-Server",
	  { .basic = 0xd8100011e57ed0, .pin = 0xff00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x7bff00000000, .exit = 0x7fffff00036dfb, .entry = 0xf3ff000011fb,
	    .ept_vpid = 0xf0106334041, .misc = 0x20000065, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x773fff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "SapphireRapids as QEMU has it", "QEMU SapphireRapids",
	  { .basic = 0xd8100011e57ed0, .pin = 0xff00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x137bff00000000, .exit = 0x7fffff00036dfb, .entry = 0xf3ff000011fb,
	    .ept_vpid = 0xf01063340c1, .misc = 0x20000065, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x773fff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "906EA (Coffee Lake, 39 bits)", "VirtualBox log, CPUID signature 906EA",
	  { .basic = 0xda040000000004, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x5fbcff00000000, .exit = 0x1ffffff00036dfb, .entry = 0x3ffff000011fb,
	    .ept_vpid = 0xf0106734141, .misc = 0x7004c1e7, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
	{ "i7-6700K (Skylake, 39 bits)", "VirtualBox Intel_Core_i7_6700K",
	  { .basic = 0xda040000000004, .pin = 0x7f00000016, .primary = 0xfff9fffe04006172,
	    .secondary = 0x1ffcff00000000, .exit = 0x1ffffff00036dfb, .entry = 0x3ffff000011fb,
	    .ept_vpid = 0xf0106334141, .misc = 0x7004c1e7, .cr0_fixed0 = 0x80000021,
	    .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff },
	  NULL, ALL_EPT | DUNE_FEATURE_EPT_1G | DUNE_FEATURE_EPT_AD | DUNE_FEATURE_INVPCID |
	  RDTSCP_TIMER },
};
/* clang-format on */

#endif
