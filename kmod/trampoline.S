/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trampoline: the only host code of a process in Dune mode. No stack, no data, no branch that depends on
 * anything but the module's word. RSP is the guest's throughout, so the kernel builds signal frames where
 * the program expects them; RBX is the context fd.
 *
 * RUN comes back to one of: itself (pending work is done, again), CALL with every register loaded for the
 * guest's system call, or a touch of the address in RDI. Only the module moves RIP past the UD2 behind each
 * RUN: when the fd is anything else, or RUN fails, the process ends there.
 *
 * This is user-space code kept as data: copied into one page, never executed in the kernel.
 */
#include <linux/linkage.h>
#include <asm/unistd.h>
#include "proto/dune_abi.h"

#define AT_OFFSET(offset) .org dune_trampoline_start + (offset), 0xcc

	.section .rodata, "a"
	.balign 64
SYM_DATA_START(dune_trampoline_start)

	AT_OFFSET(DUNE_TRAMPOLINE_RUN)
.Lrun:
	.byte 0x48, 0x89, 0xc6		/* mov %rax, %rsi: result of the previous call */
	.byte 0xb8			/* mov $__NR_lseek, %eax */
	.long __NR_lseek
	.byte 0x89, 0xdf		/* mov %ebx, %edi */
	.byte 0xba			/* mov $DUNE_RUN, %edx */
	.long DUNE_RUN
	AT_OFFSET(DUNE_TRAMPOLINE_RUN_SYSCALL)
	syscall
	ud2
	AT_OFFSET(DUNE_TRAMPOLINE_CALL)
	syscall
	AT_OFFSET(DUNE_TRAMPOLINE_CALLED)
	jmp .Lrun
	ud2

	AT_OFFSET(DUNE_TRAMPOLINE_SIGNAL)
	.byte 0x48, 0x89, 0xe6		/* mov %rsp, %rsi: the frame */
	.byte 0xb8
	.long __NR_lseek
	.byte 0x89, 0xdf
	.byte 0xba
	.long DUNE_RUN_SIGNAL
	AT_OFFSET(DUNE_TRAMPOLINE_SIGNAL_SYSCALL)
	syscall
	ud2

	AT_OFFSET(DUNE_TRAMPOLINE_TOUCH_READ)
	movb (%rdi), %al
	jmp .Lrun
	ud2

	AT_OFFSET(DUNE_TRAMPOLINE_TOUCH_WRITE)
	lock orb $0, (%rdi)
	jmp .Lrun
	ud2
SYM_DATA_END_LABEL(dune_trampoline_start, SYM_L_GLOBAL, dune_trampoline_end)
