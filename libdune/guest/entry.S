/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ways into and out of the runtime: first entry, SYSCALL, the 256 vectors, and the return to the
 * program. The frame of the interrupted program has a fixed address per vcpu (FRAME), so the common
 * system call needs no stack at all. Nothing here may touch the program's memory, but for
 * trap_return, which runs for a ring-0 program on that program's own stack.
 */
#include "libdune/guest/layout.h"

	.section .head, "a"
	.quad RUNTIME_MAGIC
	.quad runtime_start
	.quad syscall_entry
	.quad trap_stubs
	.quad boot
	.quad text_start
	.quad text_end
	.quad data_start
	.quad image_end
	.quad bss_end

	.text

/* All registers that a hypercall preserves, but for those that SYSCALL's entry has saved. */
	.macro SAVE_REST
	mov	%rbx, FRAME + R_RBX
	mov	%rbp, FRAME + R_RBP
	mov	%rsi, FRAME + R_RSI
	mov	%rdi, FRAME + R_RDI
	mov	%r8, FRAME + R_R8
	mov	%r9, FRAME + R_R9
	mov	%r10, FRAME + R_R10
	mov	%r12, FRAME + R_R12
	mov	%r13, FRAME + R_R13
	mov	%r14, FRAME + R_R14
	mov	%r15, FRAME + R_R15
	.endm

	.globl	runtime_start
runtime_start:
	mov	$FRAME, %rsp
	call	runtime_main
	jmp	return_full

/*
 * SYSCALL. RCX = return address, R11 = RFLAGS, RSP still the program's. A call of class CALL_PASS
 * goes to the host at once: only what the hypercall and the return need is saved.
 */
	.balign	64
	.globl	syscall_entry
syscall_entry:
	mov	%rsp, FRAME + R_RSP
	mov	%rcx, FRAME + R_RIP
	mov	%r11, FRAME + R_RFLAGS
	mov	%rax, FRAME + R_RAX
	mov	%rdx, FRAME + R_RDX
	mov	%eax, %ecx
	cmp	$NR_LINUX_CALLS, %ecx
	jae	syscall_slow_entry
	cmpb	$CALL_PASS, call_class(%rcx)
	jne	syscall_slow_entry
	mov	%rsp, %r11
	mov	%ecx, %eax
	xor	%ecx, %ecx		/* DUNE_HC_SYSCALL */
	vmcall
	test	%rcx, %rcx
	jnz	syscall_signalled
	mov	FRAME + R_RDX, %rdx
	mov	FRAME + R_RIP, %rcx
	mov	FRAME + R_RFLAGS, %r11
	cmpl	$0, CPU_RING
	je	syscall_return_ring0
	bt	$47, %rcx		/* SYSRET to a non-canonical RIP would fault in ring 0 */
	jc	syscall_return_slow
	test	$(FLAG_TF | FLAG_RF), %r11d
	jnz	syscall_return_slow
	mov	FRAME + R_RSP, %rsp
	sysretq

syscall_return_ring0:
	mov	%rcx, IRETF + 0
	movq	$SEL_CODE, IRETF + 8
	mov	%r11, IRETF + 16
	mov	FRAME + R_RSP, %rsp
	mov	%rsp, IRETF + 24
	movq	$SEL_DATA, IRETF + 32
	mov	$IRETF, %rsp
	iretq

syscall_return_slow:
	mov	%rax, FRAME + R_RAX
	SAVE_REST
	mov	$FRAME, %rsp
	call	syscall_frame
	mov	$FRAME, %rdi
	call	syscall_odd_return
	jmp	return_full

/* The rest of the frame; RCX and R11 as Linux shows them to a program after SYSCALL. */
syscall_frame:
	pop	%r9
	mov	$FRAME, %rsp
	mov	FRAME + R_RIP, %r8
	mov	%r8, FRAME + R_RCX
	mov	FRAME + R_RFLAGS, %r8
	mov	%r8, FRAME + R_R11
	movq	$SEL_USER_CODE, FRAME + R_CS
	movq	$SEL_USER_DATA, FRAME + R_SS
	cmpl	$0, CPU_RING
	jne	1f
	movq	$SEL_CODE, FRAME + R_CS
	movq	$SEL_DATA, FRAME + R_SS
1:	jmp	*%r9

syscall_slow_entry:
	SAVE_REST
	mov	$FRAME, %rsp
	call	syscall_frame
	mov	$FRAME, %rdi
	call	syscall_slow
	jmp	return_full

syscall_signalled:
	SAVE_REST
	mov	%rax, %rbx
	mov	%rcx, %rbp
	mov	$FRAME, %rsp
	call	syscall_frame
	mov	$FRAME, %rdi
	mov	%rbx, %rsi
	mov	%rbp, %rcx
	xchg	%rcx, %rdx
	call	syscall_interrupted	/* (regs, result, frame, kind) */
	jmp	return_full

/* Everything back from FRAME. C code has made sure that IRET can't fault in ring 3's case. */
	.globl	return_full
return_full:
	mov	FRAME + R_RIP, %rax
	mov	%rax, IRETF + 0
	mov	FRAME + R_CS, %rax
	mov	%rax, IRETF + 8
	mov	FRAME + R_RFLAGS, %rax
	mov	%rax, IRETF + 16
	mov	FRAME + R_RSP, %rax
	mov	%rax, IRETF + 24
	mov	FRAME + R_SS, %rax
	mov	%rax, IRETF + 32
	mov	FRAME + R_RAX, %rax
	mov	FRAME + R_RCX, %rcx
	mov	FRAME + R_RDX, %rdx
	mov	FRAME + R_RBX, %rbx
	mov	FRAME + R_RBP, %rbp
	mov	FRAME + R_RSI, %rsi
	mov	FRAME + R_RDI, %rdi
	mov	FRAME + R_R8, %r8
	mov	FRAME + R_R9, %r9
	mov	FRAME + R_R10, %r10
	mov	FRAME + R_R11, %r11
	mov	FRAME + R_R12, %r12
	mov	FRAME + R_R13, %r13
	mov	FRAME + R_R14, %r14
	mov	FRAME + R_R15, %r15
	mov	$IRETF, %rsp
return_iret:
	iretq
	.section .fixup_table, "a"
	.quad	return_iret, return_iret_failed
	.text
return_iret_failed:
	mov	$FRAME, %rsp
	mov	$FRAME, %rdi
	call	return_refused
	jmp	return_full

/*
 * Vectors. Every one enters on an IST stack, where nothing stays: the program's frame moves to
 * FRAME at once, so that whatever comes next may use the IST stack again. On the IST stack now,
 * from RSP up: vector, error code, rip, cs, rflags, rsp, ss.
 */
	.balign	16
	.globl	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	/* those for which the processor pushes an error code itself */
	.set	has_error, vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	.set	has_error, has_error || vector == 21 || vector == 29 || vector == 30
	.if	!has_error
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

	.balign	16
trap_common:
	testb	$3, 24(%rsp)
	jnz	trap_program
	cmpq	$text_start, 16(%rsp)
	jb	trap_program
	cmpq	$text_end, 16(%rsp)
	jae	trap_program
	cmpq	$trap_return, 16(%rsp)	/* still the program's: an interrupt before its CLI */
	jne	trap_runtime
trap_program:
	mov	%rax, FRAME + R_RAX
	mov	%rcx, FRAME + R_RCX
	mov	%rdx, FRAME + R_RDX
	mov	%r11, FRAME + R_R11
	SAVE_REST
	pop	%rsi
	pop	%rdx
	pop	%rax
	mov	%rax, FRAME + R_RIP
	pop	%rax
	mov	%rax, FRAME + R_CS
	pop	%rax
	mov	%rax, FRAME + R_RFLAGS
	pop	%rax
	mov	%rax, FRAME + R_RSP
	pop	%rax
	mov	%rax, FRAME + R_SS
	mov	$FRAME, %rsp
	push	$FLAG_FIXED		/* a gate leaves DF, AC and NT as the program had them */
	popfq
	mov	$FRAME, %rdi
	call	trap_dispatch		/* (regs, vector, error code) */
	jmp	return_full

/* A fault of the runtime itself: fixed up or the end. Stays on the IST stack. */
trap_runtime:
	sub	$R_SIZE, %rsp
	mov	%rax, R_RAX(%rsp)
	mov	%rcx, R_RCX(%rsp)
	mov	%rdx, R_RDX(%rsp)
	mov	%rbx, R_RBX(%rsp)
	mov	%rbp, R_RBP(%rsp)
	mov	%rsi, R_RSI(%rsp)
	mov	%rdi, R_RDI(%rsp)
	mov	%r8, R_R8(%rsp)
	mov	%r9, R_R9(%rsp)
	mov	%r10, R_R10(%rsp)
	mov	%r11, R_R11(%rsp)
	mov	%r12, R_R12(%rsp)
	mov	%r13, R_R13(%rsp)
	mov	%r14, R_R14(%rsp)
	mov	%r15, R_R15(%rsp)
	mov	R_SIZE + 16(%rsp), %rax
	mov	%rax, R_RIP(%rsp)
	mov	R_SIZE + 24(%rsp), %rax
	mov	%rax, R_CS(%rsp)
	mov	R_SIZE + 32(%rsp), %rax
	mov	%rax, R_RFLAGS(%rsp)
	mov	R_SIZE + 40(%rsp), %rax
	mov	%rax, R_RSP(%rsp)
	mov	R_SIZE + 48(%rsp), %rax
	mov	%rax, R_SS(%rsp)
	mov	R_SIZE + 0(%rsp), %rsi
	mov	R_SIZE + 8(%rsp), %rdx
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	cld
	call	trap_of_runtime		/* returns the RIP to go on at */
	mov	%rbx, %rsp
	mov	%rax, R_SIZE + 16(%rsp)
	mov	R_RAX(%rsp), %rax
	mov	R_RCX(%rsp), %rcx
	mov	R_RDX(%rsp), %rdx
	mov	R_RBX(%rsp), %rbx
	mov	R_RBP(%rsp), %rbp
	mov	R_RSI(%rsp), %rsi
	mov	R_RDI(%rsp), %rdi
	mov	R_R8(%rsp), %r8
	mov	R_R9(%rsp), %r9
	mov	R_R10(%rsp), %r10
	mov	R_R11(%rsp), %r11
	mov	R_R12(%rsp), %r12
	mov	R_R13(%rsp), %r13
	mov	R_R14(%rsp), %r14
	mov	R_R15(%rsp), %r15
	add	$R_SIZE + 16, %rsp
	iretq

/*
 * Where a ring-0 program's trap handler returns to: RSP is at its struct dune_trap. The registers
 * go through FRAME so that the handler's changes take effect in one IRET.
 */
	.globl	trap_return
trap_return:
	cli
	cld
	mov	%rsp, %rsi
	mov	$FRAME, %rdi
	mov	$(R_SIZE / 8), %ecx
	rep movsq
	movq	$SEL_CODE, FRAME + R_CS
	movq	$SEL_DATA, FRAME + R_SS
	jmp	return_full

/* int fpu_xrstor(const void *area, u64 features): 0, or 1 when the processor refused it. */
	.globl	fpu_xrstor
fpu_xrstor:
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
1:	xrstor64 (%rdi)
	xor	%eax, %eax
	ret
2:	mov	$1, %eax
	ret
	.section .fixup_table, "a"
	.quad	1b, 2b
	.text

/* int fpu_fxrstor(const void *area): for a processor without XSAVE. */
	.globl	fpu_fxrstor
fpu_fxrstor:
1:	fxrstor64 (%rdi)
	xor	%eax, %eax
	ret
2:	mov	$1, %eax
	ret
	.section .fixup_table, "a"
	.quad	1b, 2b
	.text
	.section .note.GNU-stack, "", @progbits
