/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last instructions outside: into the trampoline, on a stack that is the program's already. */
#include "proto/dune_abi.h"

	.text
	.globl	host_jump
	.hidden	host_jump
	.type	host_jump, @function
/* host_jump(fd edi, to rsi, from rdx, size rcx, rsp r8) */
host_jump:
	mov	%edi, %ebx
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%r8, %rsp
	cld
	rep movsb
	xor	%ebp, %ebp
	xor	%eax, %eax
	mov	$(DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_RUN), %ecx
	jmp	*%rcx
	.size	host_jump, . - host_jump

	.globl	host_enter
	.hidden	host_enter
	.type	host_enter, @function
/* host_enter(prepare rdi, argument rsi) */
host_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$8, %rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rsp, %rsi
	lea	1f(%rip), %rdx
	call	*%rax
	test	%eax, %eax
	js	2f
	mov	%eax, %ebx
	xor	%eax, %eax
	mov	$(DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_RUN), %ecx
	jmp	*%rcx
1:	xor	%eax, %eax		/* in the guest: rsp is as above, the rest doesn't matter */
2:	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	host_enter, . - host_enter
	.section .note.GNU-stack, "", @progbits
