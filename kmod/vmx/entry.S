/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch, and nothing else: host registers to the stack, guest registers in, VMLAUNCH or
 * VMRESUME, and back. Interrupts are off throughout.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/percpu.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

/* Offsets in struct dune_regs. */
#define RAX 0x00
#define RCX 0x08
#define RDX 0x10
#define RBX 0x18
#define RBP 0x28
#define RSI 0x30
#define RDI 0x38
#define R8  0x40
#define R9  0x48
#define R10 0x50
#define R11 0x58
#define R12 0x60
#define R13 0x68
#define R14 0x70
#define R15 0x78

#define VMCS_HOST_RSP 0x6c14

	.section .noinstr.text, "ax"

/* int vmx_world_switch(struct dune_regs *regs, unsigned long launched, unsigned long *host_rsp) */
SYM_FUNC_START(vmx_world_switch)
	push %rbp
	mov  %rsp, %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi

	/* The stack is at the same depth nearly always: spare the VMWRITE. */
	cmp  %rsp, (%rdx)
	je   .Lrsp_known
	mov  $VMCS_HOST_RSP, %eax
.Lwrite_rsp:
	vmwrite %rsp, %rax
	mov  %rsp, (%rdx)
.Lrsp_known:
	bt   $0, %esi		/* CF lives until the jump below: MOVs leave it alone, and so does VERW */

	mov  %rdi, %rax
	mov  RCX(%rax), %rcx
	mov  RDX(%rax), %rdx
	mov  RBX(%rax), %rbx
	mov  RBP(%rax), %rbp
	mov  RSI(%rax), %rsi
	mov  RDI(%rax), %rdi
	mov  R8(%rax),  %r8
	mov  R9(%rax),  %r9
	mov  R10(%rax), %r10
	mov  R11(%rax), %r11
	mov  R12(%rax), %r12
	mov  R13(%rax), %r13
	mov  R14(%rax), %r14
	mov  R15(%rax), %r15
	mov  RAX(%rax), %rax
	UNWIND_HINT_SAVE
	/* Leave nothing of the kernel in CPU buffers, as on return to user (MDS and relatives). */
	CLEAR_CPU_BUFFERS
	jnc  .Llaunch
.Lresume:
	vmresume
	jmp  .Lfailed
.Llaunch:
	vmlaunch
.Lfailed:
	/* No guest has run. */
	pop  %rdi
	mov  $1, %eax
	jmp  .Lout

/* HOST_RIP. RSP is what it was, everything else is the guest's. */
SYM_INNER_LABEL(vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	push %rax
	mov  8(%rsp), %rax
	popq RAX(%rax)
	mov  %rcx, RCX(%rax)
	mov  %rdx, RDX(%rax)
	mov  %rbx, RBX(%rax)
	mov  %rbp, RBP(%rax)
	mov  %rsi, RSI(%rax)
	mov  %rdi, RDI(%rax)
	mov  %r8,  R8(%rax)
	mov  %r9,  R9(%rax)
	mov  %r10, R10(%rax)
	mov  %r11, R11(%rax)
	mov  %r12, R12(%rax)
	mov  %r13, R13(%rax)
	mov  %r14, R14(%rax)
	mov  %r15, R15(%rax)
	pop  %rdi

	/* No return may be predicted from what the guest left in the return stack buffer. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE
	/* Where IBRS guards the kernel it has to be written anew after every transition into it. */
	ALTERNATIVE "jmp .Lno_ibrs", "", X86_FEATURE_KERNEL_IBRS
	mov  $MSR_IA32_SPEC_CTRL, %ecx
	movq PER_CPU_VAR(x86_spec_ctrl_current), %rdx
	mov  %edx, %eax
	shr  $32, %rdx
	wrmsr
.Lno_ibrs:
	/*
	 * Either branch history alone, or all predictions (retbleed=ibpb, which fills no return stack: this is
	 * before the first RET), with which history has nothing to choose from.
	 */
	ALTERNATIVE_2 "", "call clear_bhb_loop", X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT, \
		"call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
	/* Nor any load from a guest value that is still in a register. */
	xor  %eax, %eax
	xor  %ecx, %ecx
	xor  %edx, %edx
	xor  %esi, %esi
	xor  %edi, %edi
	xor  %r8d, %r8d
	xor  %r9d, %r9d
	xor  %r10d, %r10d
	xor  %r11d, %r11d
.Lout:
	pop  %rbx
	pop  %r12
	pop  %r13
	pop  %r14
	pop  %r15
	pop  %rbp
	RET

	/* These raise #UD when the CPU lost VMX: same as a failed entry. */
	_ASM_EXTABLE(.Lwrite_rsp, .Lfailed)
	_ASM_EXTABLE(.Lresume, .Lfailed)
	_ASM_EXTABLE(.Llaunch, .Lfailed)
SYM_FUNC_END(vmx_world_switch)

/*
 * Trap 7: after an NMI exit NMIs stay blocked until the next IRET, so the host's handler runs at once,
 * through its own gate: its IRET unblocks them.
 */
SYM_FUNC_START(vmx_nmi)
	int  $2
	RET
SYM_FUNC_END(vmx_nmi)
