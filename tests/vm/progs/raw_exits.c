// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Everything that guest ring 0 and ring 3 can try, a row each, in one guest: what must come of it (vector and
 * error code), and which exit reason it has to have gone through. raw_exits [-v]; needs nobody else to use the
 * module meanwhile.
 */
#include <cpuid.h>
#include <stdbool.h>
#include <sys/wait.h>
#include "raw_engine.h"

#define OK		      ENGINE_OK
#define SYS		      ENGINE_SYSCALL
#define GATE		      ENGINE_GATE
#define DB		      1
#define BP		      3
#define UD		      6
#define GP		      13
#define NO		      (-1) /* not tried in this ring */
#define E(vector, error_code) ((vector) | (error_code) << 8)
#define NP(selector)	      E(11, selector)
#define SS(selector)	      E(12, selector)
#define GPE(selector)	      E(13, selector)
#define PF(error_code)	      E(14, error_code)
#define AC		      17

#define NONE (-1) /* no exit, or none that is this row's own */
#define ONCE 0, 1, NULL
#define MEM  "(%rsi)"

/* ---- what a row may depend on ---- */

static uint32_t leaf(uint32_t number, int which)
{
	uint32_t r[4] = {};

	__cpuid_count(number, 0, r[0], r[1], r[2], r[3]);
	return r[which];
}

static bool any(void)
{
	return true;
}

static bool rdrand(void)
{
	return leaf(1, 2) >> 30 & 1;
}

static bool rdseed(void)
{
	return leaf(7, 1) >> 18 & 1;
}

static bool osxsave(void)
{
	return leaf(1, 2) >> 27 & 1;
}

static bool smep(void)
{
	return leaf(7, 1) >> 7 & 1;
}

static bool smap(void)
{
	return leaf(7, 1) >> 20 & 1;
}

static bool umip(void)
{
	return leaf(7, 2) >> 2 & 1;
}

static bool no_umip(void)
{
	return !umip();
}

static bool invpcid(void)
{
	return leaf(7, 1) >> 10 & 1;
}

/* ---- values of a range that are allowed ---- */

static bool cr0_owned(uint64_t bit)
{
	return bit == 1 || bit == 2 || bit == 3 || bit == 16 || bit == 18;
}

static bool cr4_owned(uint64_t bit)
{
	return bit == 2 || bit == 3 || bit == 7 || (bit == 11 && umip()) ||
	       (bit == 17 && leaf(1, 2) >> 17 & 1) || (bit == 20 && smep()) ||
	       (bit == 21 && smap());
}

/* MOV to CR3 with a bit that means nothing where there are no PCIDs. */
static bool cr3_ignored(uint64_t bit)
{
	return bit < 12;
}

/* LSTAR, STAR, FMASK, and the bases. */
static bool msr_own(uint64_t msr)
{
	return (msr >= 0xc0000081 && msr <= 0xc0000084 && msr != 0xc0000083) ||
	       (msr >= 0xc0000100 && msr <= 0xc0000102);
}

/* A page directory entry for 2 MB: which flipped bits let a supervisor read go through. */
static bool pde_fine(uint64_t bit)
{
	return bit == 1 || (bit == 2 && !smap()) || (bit >= 3 && bit <= 6) ||
	       (bit >= 8 && bit <= 12) || bit >= 52;
}

static bool zero(uint64_t value)
{
	return !value;
}

/* ---- the rows ---- */

/* clang-format off */

#define VMX_ROWS(X) \
	X(vmclear, UD, UD, 19, any, ONCE, "vmclear " MEM) \
	X(vmlaunch, UD, UD, 20, any, ONCE, "vmlaunch") \
	X(vmptrld, UD, UD, 21, any, ONCE, "vmptrld " MEM) \
	X(vmptrst, UD, UD, 22, any, ONCE, "vmptrst " MEM) \
	X(vmread, UD, UD, 23, any, ONCE, "vmread %rax, %rdx") \
	X(vmread_memory, UD, UD, 23, any, ONCE, "vmread %rax, " MEM) \
	X(vmresume, UD, UD, 24, any, ONCE, "vmresume") \
	X(vmwrite, UD, UD, 25, any, ONCE, "vmwrite %rax, %rdx") \
	X(vmxoff, UD, UD, 26, any, ONCE, "vmxoff") \
	X(vmxon, UD, UD, 27, any, ONCE, "vmxon " MEM) \
	X(invept, UD, UD, 50, any, ONCE, "invept " MEM ", %rax") \
	X(invvpid, UD, UD, 53, any, ONCE, "invvpid " MEM ", %rax") \
	X(vmcall, OK, UD, 18, any, ONCE, "mov $99, %ecx\n vmcall\n cmp $-38, %rax\n je 1f\n ud2\n 1:") \
	X(vmfunc, UD, UD, NONE, any, 0, 64, NULL, "vmfunc") \
	X(getsec, UD, UD, NONE, any, 0, 16, NULL, ".byte 0x0f, 0x37") \
	X(rsm, UD, UD, NONE, any, ONCE, "rsm") \
	X(encls, UD, UD, NONE, any, 0, 16, NULL, ".byte 0x0f, 0x01, 0xcf") \
	X(enclu, UD, UD, NONE, any, 0, 16, NULL, ".byte 0x0f, 0x01, 0xd7") \
	X(pconfig, UD, UD, NONE, any, ONCE, ".byte 0x0f, 0x01, 0xc5") \
	X(enqcmd, UD, UD, NONE, any, ONCE, ".byte 0xf2, 0x0f, 0x38, 0xf8, 0x06") \
	X(enqcmds, UD, UD, NONE, any, ONCE, ".byte 0xf3, 0x0f, 0x38, 0xf8, 0x06") \
	X(mwait, UD, UD, 36, any, ONCE, "mwait") \
	X(monitor, UD, UD, 39, any, ONCE, "mov %rsi, %rax\n xor %ecx, %ecx\n monitor")

#define PLAIN_ROWS(X) \
	X(cpuid, OK, OK, 10, any, 0, 32, NULL, "xor %ecx, %ecx\n cpuid") \
	X(cpuid_high, OK, OK, 10, any, 0x80000000, 16, NULL, "xor %ecx, %ecx\n cpuid") \
	X(cpuid_hidden, OK, OK, 10, any, ONCE, \
	  "mov $1, %eax\n xor %ecx, %ecx\n cpuid\n test $0x68, %ecx\n jz 1f\n ud2\n 1:") \
	X(hlt, GP, GP, 12, any, ONCE, "hlt") \
	X(sti_hlt, GP, GP, 12, any, ONCE, "sti\n hlt") \
	X(invd, GP, GP, 13, any, ONCE, "invd") \
	X(wbinvd, GP, GP, 54, any, ONCE, "wbinvd") \
	X(rdpmc, GP, GP, 15, any, 0, 8, NULL, "rdpmc") \
	X(rdpmc_fixed, GP, GP, 15, any, 0x40000000, 4, NULL, "rdpmc") \
	X(rdtsc, OK, OK, NONE, any, ONCE, "rdtsc") \
	X(pause, OK, OK, NONE, any, 0, 64, NULL, "pause") \
	X(rdrand, OK, OK, NONE, rdrand, ONCE, "rdrand %rax") \
	X(rdseed, OK, OK, NONE, rdseed, ONCE, "rdseed %rax") \
	X(xsetbv, GP, GP, 55, osxsave, 0, 4, NULL, "mov $7, %eax\n xsetbv") \
	X(xgetbv, OK, OK, NONE, osxsave, ONCE, "xgetbv") \
	X(xsaves, UD, NO, NONE, osxsave, ONCE, "mov $3, %eax\n xsaves64 512(%rsi)") \
	X(xrstors, UD, NO, NONE, osxsave, ONCE, "mov $3, %eax\n xrstors64 512(%rsi)") \
	X(invlpg, OK, GP, NONE, any, ONCE, "invlpg " MEM) \
	X(invpcid_bad, GP, GP, NONE, invpcid, 4, 8, NULL, "invpcid " MEM ", %rax") \
	X(swapgs, OK, GP, NONE, any, ONCE, "swapgs\n swapgs") \
	X(sysenter, GP, GP, NONE, any, ONCE, "sysenter") \
	X(sysexit, GP, GP, NONE, any, ONCE, "sysexitl") \
	X(syscall, SYS, SYS, NONE, any, ONCE, "syscall") \
	X(sysret_hole, GP, GP, NONE, any, ONCE, \
	  "movabs $0x800000000000, %rcx\n mov $2, %r11d\n sysretq") \
	X(sgdt, NO, GP, NONE, umip, ONCE, "sgdt " MEM) \
	X(sidt, NO, GP, NONE, umip, ONCE, "sidt " MEM) \
	X(smsw, NO, GP, NONE, umip, ONCE, "smsw %ax") \
	X(str, NO, GP, NONE, umip, ONCE, "str %ax") \
	X(sldt, NO, GP, NONE, umip, ONCE, "sldt %ax") \
	X(sgdt_plain, OK, OK, NONE, no_umip, ONCE, "sgdt " MEM) \
	X(smsw_plain, OK, NO, NONE, any, ONCE, "smsw %ax")

#define IO_ROWS(X) \
	X(in_8, GP, GP, 30, any, 0x60, 8, NULL, "mov %ecx, %edx\n in %dx, %al") \
	X(in_16, GP, GP, 30, any, 0xcf8, 8, NULL, "mov %ecx, %edx\n in %dx, %ax") \
	X(in_32, GP, GP, 30, any, 0xcf8, 8, NULL, "mov %ecx, %edx\n in %dx, %eax") \
	X(in_immediate, GP, GP, 30, any, ONCE, "in $0x21, %al") \
	X(out_8, GP, GP, 30, any, 0x3f8, 8, NULL, "mov %ecx, %edx\n out %al, %dx") \
	X(out_16, GP, GP, 30, any, 0xb000, 8, NULL, "mov %ecx, %edx\n out %ax, %dx") \
	X(out_32, GP, GP, 30, any, 0xfffc, 8, NULL, "mov %ecx, %edx\n out %eax, %dx") \
	X(out_immediate, GP, GP, 30, any, ONCE, "out %al, $0x80") \
	X(insb, GP, GP, 30, any, ONCE, "mov %rsi, %rdi\n mov $0x60, %edx\n insb") \
	X(rep_insl, GP, GP, 30, any, ONCE, "mov %rsi, %rdi\n mov $9, %ecx\n rep insl") \
	X(outsb, GP, GP, 30, any, ONCE, "mov $0xe9, %edx\n outsb") \
	X(rep_outsw, GP, GP, 30, any, ONCE, "mov $9, %ecx\n rep outsw") \
	X(cli, OK, GP, NONE, any, ONCE, "cli") \
	X(popf_iopl, OK, OK, NONE, any, ONCE, "pushq $0x3002\n popfq")

#define DR_ROWS(X) \
	X(dr0, GP, GP, 29, any, ONCE, "mov %rax, %dr0") \
	X(dr1, GP, GP, 29, any, ONCE, "mov %rax, %dr1") \
	X(dr2, GP, GP, 29, any, ONCE, "mov %rax, %dr2") \
	X(dr3, GP, GP, 29, any, ONCE, "mov %rax, %dr3") \
	X(dr6, GP, GP, 29, any, ONCE, "mov %rax, %dr6") \
	X(dr7, GP, GP, 29, any, ONCE, "mov $0x2401, %eax\n mov %rax, %dr7") \
	X(from_dr0, GP, GP, 29, any, ONCE, "mov %dr0, %rax") \
	X(from_dr6, GP, GP, 29, any, ONCE, "mov %dr6, %rax") \
	X(from_dr7, GP, GP, 29, any, ONCE, "mov %dr7, %rax")

#define FLIP(cr) "mov %cr" #cr ", %rax\n btc %rcx, %rax\n mov %rax, %cr" #cr

#define CR_ROWS(X) \
	X(cr0, GP, GP, 28, any, 0, 64, cr0_owned, FLIP(0)) \
	X(cr0_zero, GP, GP, 28, any, ONCE, "xor %eax, %eax\n mov %rax, %cr0") \
	X(lmsw_pe, OK, GP, NONE, any, ONCE, "smsw %ax\n and $0xfffe, %eax\n lmsw %ax") \
	X(clts, OK, GP, NONE, any, ONCE, "clts") \
	X(cr1, UD, UD, NONE, any, ONCE, ".byte 0x0f, 0x22, 0xc8") \
	X(cr2, OK, GP, NONE, any, 0, 64, NULL, "xor %eax, %eax\n bts %rcx, %rax\n mov %rax, %cr2") \
	X(cr3_low, OK, GP, NONE, any, 0, 12, cr3_ignored, FLIP(3)) \
	X(cr3_high, GP, GP, NONE, any, 40, 24, NULL, FLIP(3)) \
	X(cr4, GP, GP, 28, any, 0, 64, cr4_owned, FLIP(4)) \
	X(cr4_zero, GP, GP, 28, any, ONCE, "xor %eax, %eax\n mov %rax, %cr4") \
	X(cr5, UD, UD, NONE, any, ONCE, ".byte 0x0f, 0x22, 0xe8") \
	X(cr8, GP, GP, 28, any, 0, 16, zero, "mov %rax, %cr8") \
	X(cr8_bits, GP, GP, 28, any, 0, 64, NULL, "xor %eax, %eax\n bts %rcx, %rax\n mov %rax, %cr8") \
	X(from_cr8, OK, GP, 28, any, ONCE, "mov %cr8, %rax\n test %rax, %rax\n jz 1f\n ud2\n 1:") \
	X(cr9, UD, UD, NONE, any, ONCE, ".byte 0x44, 0x0f, 0x22, 0xc8")

#define STORE_SELECTOR(selector, target) \
	"lea " target "(%rip), %rax\n mov %eax, (%rsi)\n movw $" #selector ", 4(%rsi)\n"

#define SEGMENT_ROWS(X) \
	X(lgdt_hole, GP, GP, NONE, any, ONCE, "movq $-1, (%rsi)\n movl $0x8000, 8(%rsi)\n lgdt " MEM) \
	X(lidt_hole, GP, GP, NONE, any, ONCE, "movq $-1, (%rsi)\n movl $0x8000, 8(%rsi)\n lidt " MEM) \
	X(lidt_short, GPE(0x502), GP, NONE, any, ONCE, \
	  "sidt 16(%rsi)\n movw $0x8ff, 16(%rsi)\n lidt 16(%rsi)\n int $0xa0") \
	X(lldt_null, OK, GP, NONE, any, ONCE, "xor %eax, %eax\n lldt %ax") \
	X(lldt, OK, GP, NONE, any, ONCE, "mov $0x88, %eax\n lldt %ax") \
	X(lldt_data, GPE(0x10), GP, NONE, any, ONCE, "mov $0x10, %eax\n lldt %ax") \
	X(lldt_beyond, GPE(0xff8), GP, NONE, any, ONCE, "mov $0xff8, %eax\n lldt %ax") \
	X(ltr_null, GP, GP, NONE, any, ONCE, "xor %eax, %eax\n ltr %ax") \
	X(ltr_busy, GPE(0x20), GP, NONE, any, ONCE, "mov $0x20, %eax\n ltr %ax") \
	X(ltr_data, GPE(0x10), GP, NONE, any, ONCE, "mov $0x10, %eax\n ltr %ax") \
	X(ltr, OK, GP, NONE, any, ONCE, "mov $0x98, %eax\n ltr %ax") \
	X(int_absent, NP(0x502), NP(0x502), NONE, any, ONCE, "int $0xa0") \
	X(int_task, GPE(0x50a), GPE(0x50a), NONE, any, ONCE, "int $0xa1") \
	X(int_null, GP, GP, NONE, any, ONCE, "int $0xa2") \
	X(int_data, GPE(0x10), GPE(0x10), NONE, any, ONCE, "int $0xa3") \
	X(int_hole, GP, GP, NONE, any, ONCE, "int $0xa4") \
	X(int_32, GPE(0x80), GPE(0x80), NONE, any, ONCE, "int $0xa5") \
	X(int_absent_code, NP(0x48), NP(0x48), NONE, any, ONCE, "int $0xa6") \
	X(int_no_type, GPE(0x53a), GPE(0x53a), NONE, any, ONCE, "int $0xa7") \
	X(int_kernel, NO, GPE(0x102), NONE, any, ONCE, "int $0x20") \
	X(int_0xd, NO, GPE(0x6a), NONE, any, ONCE, "int $0xd") \
	X(int_signal, E(0xf0, 0), E(0xf0, 0), NONE, any, ONCE, "int $0xf0") \
	X(int3, BP, BP, NONE, any, ONCE, "int3") \
	X(icebp, DB, DB, 0, any, ONCE, ".byte 0xf1") \
	X(jump_null, GP, GP, NONE, any, ONCE, STORE_SELECTOR(0, "engine_gate") "ljmp *" MEM) \
	X(jump_beyond, GPE(0xff8), GPE(0xff8), NONE, any, ONCE, \
	  STORE_SELECTOR(0xff8, "engine_gate") "ljmp *" MEM) \
	X(jump_ldt, GPE(0xc), GPE(0xc), NONE, any, ONCE, \
	  STORE_SELECTOR(0xc, "engine_gate") "ljmp *" MEM) \
	X(jump_tss, GPE(0x98), GPE(0x98), NONE, any, ONCE, \
	  STORE_SELECTOR(0x98, "engine_gate") "ljmp *" MEM) \
	X(jump_task_gate, GPE(0xa8), GPE(0xa8), NONE, any, ONCE, \
	  STORE_SELECTOR(0xa8, "engine_gate") "ljmp *" MEM) \
	X(jump_data, GPE(0x10), GPE(0x10), NONE, any, ONCE, \
	  STORE_SELECTOR(0x10, "engine_gate") "ljmp *" MEM) \
	X(jump_absent, NP(0x48), GPE(0x48), NONE, any, ONCE, \
	  STORE_SELECTOR(0x48, "engine_gate") "ljmp *" MEM) \
	X(jump_gate, GATE, GPE(8), NONE, any, ONCE, \
	  STORE_SELECTOR(0x50, "engine_gate") "ljmp *" MEM) \
	X(call_gate, GATE, GATE, NONE, any, ONCE, \
	  STORE_SELECTOR(0x50, "engine_gate") "lcall *" MEM) \
	X(call_gate_hole, GP, GP, NONE, any, ONCE, \
	  STORE_SELECTOR(0x60, "engine_gate") "lcall *" MEM) \
	X(call_gate_32, GPE(0x80), GPE(0x80), NONE, any, ONCE, \
	  STORE_SELECTOR(0x70, "engine_gate") "lcall *" MEM) \
	X(jump_compat, ENGINE_COMPAT, GPE(0x80), 18, any, ONCE, \
	  STORE_SELECTOR(0x80, "engine_compat") "subl $0x80000000, (%rsi)\n ljmp *" MEM)

#define TF "pushfq\n orl $0x100, (%rsp)\n popfq\n"

#define FAULT_ROWS(X) \
	X(step, DB, DB, 0, any, ONCE, TF "nop") \
	X(step_cpuid, DB, DB, 0, any, ONCE, TF "cpuid\n nop\n nop") \
	X(step_vmcall, DB, UD, 0, any, ONCE, "mov $99, %ecx\n" TF "vmcall\n nop\n nop") \
	X(step_shadow_vmcall, DB, NO, 0, any, ONCE, \
	  "mov $99, %ecx\n mov %ss, %eax\n" TF "mov %eax, %ss\n vmcall\n nop\n nop") \
	X(step_shadow_stat, DB, NO, 0, any, ONCE, \
	  "mov $7, %ecx\n mov %ss, %eax\n" TF "mov %eax, %ss\n vmcall\n nop\n nop") \
	X(step_shadow_cpuid, DB, NO, 0, any, ONCE, \
	  "mov %ss, %edx\n" TF "mov %edx, %ss\n cpuid\n nop\n nop") \
	X(step_shadow_hlt, GP, NO, 12, any, ONCE, "mov %ss, %edx\n" TF "mov %edx, %ss\n hlt") \
	X(shadow_int3, BP, NO, NONE, any, ONCE, "mov %ss, %edx\n mov %edx, %ss\n int3") \
	X(sti_vmcall, OK, NO, 18, any, ONCE, "mov $99, %ecx\n sti\n vmcall\n cli") \
	X(align, NO, AC, 0, any, ONCE, \
	  "pushfq\n orl $0x40000, (%rsp)\n popfq\n mov 1(%rsi), %eax") \
	X(divide, E(0, 0), E(0, 0), NONE, any, ONCE, "xor %edx, %edx\n xor %ecx, %ecx\n div %ecx") \
	X(ud2, UD, UD, NONE, any, ONCE, "ud2") \
	X(too_long, GP, GP, NONE, any, ONCE, ".fill 16, 1, 0x66\n nop") \
	X(hole, GP, GP, NONE, any, 47, 16, NULL, \
	  "mov $0xffffffff80000000, %rdx\n btc %rcx, %rdx\n mov (%rdx), %eax") \
	X(stack_hole, SS(0), SS(0), NONE, any, ONCE, "movabs $0x900000000000, %rsp\n push %rax") \
	X(absent, PF(0), PF(4), NONE, any, ONCE, "mov 0xffffffff80600000, %eax") \
	X(absent_write, PF(2), PF(6), NONE, any, ONCE, "mov %eax, 0xffffffff80600000") \
	X(kernel_read, OK, PF(5), NONE, any, ONCE, "mov 0xffffffff80030000, %eax") \
	X(kernel_write, NO, PF(7), NONE, any, ONCE, "mov %eax, 0xffffffff80030000") \
	X(user_read, PF(1), OK, NONE, smap, ONCE, "mov 0xffffffff80230000, %eax") \
	X(user_jump, PF(0x11), NO, NONE, smep, ONCE, "mov $0xffffffff80210000, %rax\n jmp *%rax") \
	X(pde_low, PF(9), NO, NONE, any, 8, 13, pde_fine, PDE) \
	X(pde_user, PF(1), NO, NONE, any, 2, 1, pde_fine, PDE) \
	X(pde_present, PF(0), NO, NONE, any, 0, 1, NULL, PDE) \
	X(pde_width, PF(9), NO, NONE, any, 40, 24, pde_fine, PDE)

/* 2 MB at 0xffffffff80800000, with one bit other than it should be. */
#define PDE \
	"mov $0x83, %eax\n btc %rcx, %rax\n mov %rax, 0xffffffff80003020\n" \
	"invlpg 0xffffffff80800000\n mov 0xffffffff80801000, %eax"

/* Last: they leave nothing of SYSCALL. */
#define MSR_ROWS(X) \
	X(rdmsr_low, GP, NO, 31, any, 0, 0x2000, NULL, "rdmsr") \
	X(rdmsr_high, GP, NO, 31, any, 0xc0000000, 0x2000, msr_own, "rdmsr") \
	X(rdmsr_hyper, GP, NO, 31, any, 0x40000000, 64, NULL, "rdmsr") \
	X(rdmsr_beyond, GP, NO, 31, any, 0xc0001ffe, 64, NULL, "rdmsr") \
	X(rdmsr_top, GP, NO, 31, any, 0xffffffe0, 32, NULL, "rdmsr") \
	X(rdmsr_user, NO, GP, NONE, any, 0xc0000080, 8, NULL, "rdmsr") \
	X(wrmsr_user, NO, GP, NONE, any, 0xc0000080, 8, NULL, "wrmsr") \
	X(wrmsr_fs_hole, GP, NO, NONE, any, 0xc0000100, 3, NULL, "mov $0x8000, %edx\n wrmsr") \
	X(wrmsr_lstar_hole, GP, NO, 32, any, 0xc0000082, 1, NULL, "mov $0x8000, %edx\n wrmsr") \
	X(wrmsr_fmask_high, GP, NO, 32, any, 0xc0000084, 1, NULL, "mov $1, %edx\n wrmsr") \
	X(wrmsr_low, GP, NO, 32, any, 0, 0x2000, NULL, "xor %eax, %eax\n wrmsr") \
	X(wrmsr_low_ones, GP, NO, 32, any, 0, 0x2000, NULL, "mov $-1, %rax\n mov %rax, %rdx\n wrmsr") \
	X(wrmsr_hyper, GP, NO, 32, any, 0x40000000, 64, NULL, "xor %eax, %eax\n wrmsr") \
	X(wrmsr_beyond, GP, NO, 32, any, 0xc0001ffe, 64, NULL, "xor %eax, %eax\n wrmsr") \
	X(wrmsr_top, GP, NO, 32, any, 0xffffffe0, 32, NULL, "xor %eax, %eax\n wrmsr") \
	X(wrmsr_high, GP, NO, 32, any, 0xc0000000, 0x2000, msr_own, "xor %eax, %eax\n wrmsr")

#define ROWS(X) \
	VMX_ROWS(X) PLAIN_ROWS(X) IO_ROWS(X) DR_ROWS(X) CR_ROWS(X) SEGMENT_ROWS(X) FAULT_ROWS(X) \
	MSR_ROWS(X)

/* Once more round, for ONCE is several arguments. */
#define CODE(...) CODE_(__VA_ARGS__)
#define CODE_(name, ring0, ring3, reason, need, first, count, ok, body) ENGINE_ROW(name, body);
#define DATA(...) DATA_(__VA_ARGS__)
#define DATA_(name, ring0, ring3, reason, need, first, count, ok, body) \
	{ #name, row_##name, { ring0, ring3 }, reason, need, first, count, ok },

ROWS(CODE)

static const struct row {
	const char *name, *code;
	int wanted[2];	/* by ring: 0 and 3 */
	int reason;	/* that ring 0 causes */
	bool (*need)(void);
	uint64_t first, count;
	bool (*ok)(uint64_t value);	/* ring 0: values that nothing comes of */
} rows[] = { ROWS(DATA) };
/* clang-format on */

#define NR_ROWS (sizeof(rows) / sizeof(*rows))

static struct engine_entry entries[2 * NR_ROWS];
static const struct row *row_of[2 * NR_ROWS];
static int failures;

#define fail(...) (failures++, printf(__VA_ARGS__))

static size_t make_entries(uint64_t *ret_nr_results)
{
	size_t count = 0;

	*ret_nr_results = 0;
	for (size_t i = 0; i < NR_ROWS; i++)
		for (int user = 0; user < 2; user++) {
			if (rows[i].wanted[user] == NO || !rows[i].need())
				continue;
			row_of[count] = &rows[i];
			entries[count++] =
				engine_entry(rows[i].code, user * 3, rows[i].first, rows[i].count);
			*ret_nr_results += rows[i].count;
		}
	return count;
}

static void check_results(const uint32_t *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint64_t n = 0; n < entries[i].count; n++, results++) {
			const struct row *row = row_of[i];
			uint64_t value = entries[i].first + n;
			bool user = entries[i].cs & 3;
			int wanted = row->wanted[user];

			if (!user && row->ok && row->ok(value))
				wanted = OK;
			if (*results != (uint32_t)wanted && failures < 50)
				fail("%s in ring %d, value %#lx: vector %#x error %#x, not %#x error %#x\n",
				     row->name, user * 3, value, *results & 0xff, *results >> 8,
				     wanted & 0xff, wanted >> 8);
		}
}

/* Each ring-0 row has caused its exit, or it tests something else than it says. */
static void check_exits(const struct dune_stats *stats, size_t count)
{
	uint64_t least[DUNE_NR_EXITS] = {};

	for (size_t i = 0; i < count; i++)
		if (!(entries[i].cs & 3) && row_of[i]->reason != NONE)
			least[row_of[i]->reason]++;
	for (int i = 0; i < DUNE_NR_EXITS; i++)
		if (stats->exits[i] < least[i])
			fail("exits by reason %d: %llu, not %lu or more\n", i, stats->exits[i],
			     least[i]);
	if (stats->cause != DUNE_END_EXIT)
		fail("ended by cause %u\n", stats->cause);
}

static struct dune_stats last_stats(int device)
{
	struct dune_stats stats[64];
	struct dune_stats_call call = { .abi = DUNE_ABI_VERSION,
					.buffer = (uint64_t)stats,
					.capacity = 64 };

	if (ioctl(device, DUNE_STATS, &call) || !call.ret_count)
		raw_die("DUNE_STATS: %m");
	return stats[call.ret_count - 1];
}

static void run_table(int device)
{
	uint64_t nr_results;
	size_t count = make_entries(&nr_results);
	uint32_t *results = mmap(NULL, ENGINE_MAX * 4, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = raw_create(device, 0, "exits"), status;
	struct dune_stats stats;

	if (!fork()) {
		if (raw_attach(fd) || raw_map_area(fd))
			raw_die("attach");
		engine_fill(fd, entries, count, results, nr_results);
		if (engine_lock(fd))
			raw_die("lock");
		raw_go(fd);
	}
	wait(&status);
	if (status)
		fail("the guest ended with status %#x\n", status);
	check_results(results, count);
	stats = last_stats(device);
	check_exits(&stats, count);
	printf("%zu rows, %lu tries, %llu exits, %llu denied\n", count, nr_results,
	       stats.counters[DUNE_COUNT_EXITS], stats.counters[DUNE_COUNT_DENIED]);
	close(fd);
}

int main(void)
{
	int device = raw_device();

	run_table(device);
	return !!failures;
}
