// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Exceptions: of a ring-3 program (a signal, as the kernel would send it), of a ring-0 program (its
 * own handler, else a signal), of the runtime itself (a fixup, else the end of the context). Owns
 * the table of a ring-0 program's handlers.
 */
#include <errno.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <dune/dune.h>
#include "libdune/guest/hypercall.h"

#define NR_VECTORS 256
#define TRAP_DB	   1
#define TRAP_MF	   16
#define TRAP_AC	   17
#define TRAP_XM	   19
#define RED_ZONE   128

struct fixup {
	u64 at;
	u64 go_on;
};
extern const struct fixup fixup_start[], fixup_end[];

/* What Linux sends for an exception of user mode. A vector without a row can't come from ring 3. */
struct trap_signal {
	u8 signal;
	u8 rip_is_address; /* si_addr = RIP, else 0 */
	s32 code;
};

static const struct trap_signal signals[] = {
	[0] = { SIGFPE, 1, FPE_INTDIV },    [1] = { SIGTRAP, 1, TRAP_BRKPT },
	[3] = { SIGTRAP, 0, SI_KERNEL },    [4] = { SIGSEGV, 0, SI_KERNEL },
	[5] = { SIGSEGV, 0, SI_KERNEL },    [6] = { SIGILL, 1, ILL_ILLOPN },
	[7] = { SIGSEGV, 0, SI_KERNEL },    [9] = { SIGFPE, 0, SI_KERNEL },
	[10] = { SIGSEGV, 0, SI_KERNEL },   [11] = { SIGBUS, 0, SI_KERNEL },
	[12] = { SIGBUS, 0, SI_KERNEL },    [13] = { SIGSEGV, 0, SI_KERNEL },
	[14] = { SIGSEGV, 0, SEGV_MAPERR }, [16] = { SIGFPE, 1, 0 },
	[17] = { SIGBUS, 0, BUS_ADRALN },   [19] = { SIGFPE, 1, 0 },
};

static u64 handlers[NR_VECTORS];

static u64 read_cr2(void)
{
	u64 value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

void raise_signal(u64 signal, u64 code, u64 address)
{
	hc_raise(signal, code, address, 0, 0, 0);
}

_Noreturn void panic(struct dune_regs *regs, u64 vector, u64 error, u64 cr2)
{
	memcpy(cpu->scratch, regs, sizeof(*regs));
	hc_panic(cpu->gpa + offsetof(struct percpu, scratch), vector, error, cr2);
}

_Noreturn void panic_here(enum panic why)
{
	struct dune_regs regs = *(struct dune_regs *)FRAME;

	regs.rax = why;
	regs.rip = (u64)__builtin_return_address(0);
	panic(&regs, NR_VECTORS - 1, 0, 0);
}

u64 trap_of_runtime(struct dune_regs *regs, u64 vector, u64 error)
{
	for (const struct fixup *f = fixup_start; f < fixup_end; f++)
		if (f->at == regs->rip)
			return f->go_on;
	/*
	 * A pending #DB may hit the first instruction of SYSCALL's entry (MOV SS before SYSCALL).
	 */
	if (vector == TRAP_DB)
		return regs->rip;
	panic(regs, vector, error, read_cr2());
}

/* IRET refused the program's registers (a ring-0 program's; ring 3's are checked before). */
void return_refused(struct dune_regs *regs)
{
	if (cpu->ring == 3)
		panic(regs, 13, 0, 0);
	regs->rip = 0;
	regs->cs = SEL_CODE;
	regs->ss = SEL_DATA;
	regs->rflags = FLAG_FIXED | FLAG_IF;
	raise_signal(SIGSEGV, SI_KERNEL, 0);
}

/* si_code from the exceptions that are flagged and not masked; 0 when none is: a spurious one. */
static s32 float_code(u32 flags)
{
	if (flags & 0x01)
		return FPE_FLTINV;
	if (flags & 0x04)
		return FPE_FLTDIV;
	if (flags & 0x08)
		return FPE_FLTOVF;
	if (flags & 0x12)
		return FPE_FLTUND;
	return flags & 0x20 ? FPE_FLTRES : 0;
}

static s32 x87_code(void)
{
	u16 control, status;

	__asm__ volatile("fnstcw %0" : "=m"(control));
	__asm__ volatile("fnstsw %0" : "=m"(status));
	return float_code(status & ~control);
}

static s32 sse_code(void)
{
	u32 mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return float_code(mxcsr & ~(mxcsr >> 7));
}

/* The signal comes before the instruction at regs->rip executes. */
static void trap_to_signal(struct dune_regs *regs, u64 vector, u64 error, u64 cr2)
{
	const struct trap_signal *row =
		vector < sizeof(signals) / sizeof(*signals) ? &signals[vector] : NULL;
	u64 address = 0;
	s32 code;

	if (!row || !row->signal) {
		if (cpu->ring == 3)
			panic(regs, vector, error, cr2);
		row = &signals[13]; /* INT n of a ring-0 program without a handler for n */
	}
	code = row->code;
	if (vector == TRAP_MF)
		code = x87_code();
	else if (vector == TRAP_XM)
		code = sse_code();
	else if (vector == TRAP_DB && regs->rflags & FLAG_TF)
		code = TRAP_TRACE;
	if (!code)
		return;
	if (row->rip_is_address)
		address = regs->rip;
	if (vector == TRAP_PF) {
		address = cr2;
		/* Nothing about the upper half is the program's business. */
		error |= PF_USER | (cr2 >= USER_END ? PF_PRESENT : 0);
	}
	hc_raise(row->signal, (s64)code, address, vector, error, cr2);
}

/*
 * Calls a ring-0 program's handler on its own stack, below the red zone of what was interrupted.
 * The stack is made mapped first, so that the stores can't fault on our tables; what the host
 * refuses is the program's SIGSEGV.
 */
static int trap_to_handler(struct dune_regs *regs, u64 vector, u64 error, u64 cr2)
{
	u64 stack = (regs->rsp - RED_ZONE - sizeof(struct dune_trap)) & ~15ull;
	struct dune_trap *trap = (struct dune_trap *)stack;

	if (regs->rsp >= USER_END || stack >= regs->rsp || slice_ensure(stack - 8) ||
	    slice_ensure(regs->rsp - 1))
		return -EFAULT;
	trap->regs = *regs;
	trap->vector = vector;
	trap->error_code = error;
	trap->fault_address = cr2;
	*((u64 *)stack - 1) = (u64)trap_return;
	regs->rsp = stack - 8;
	regs->rdi = stack;
	regs->rip = handlers[vector];
	regs->rflags &= ~(u64)(FLAG_DF | FLAG_TF | FLAG_RF);
	return 0;
}

static int slice_fault(u64 error, u64 cr2)
{
	int result;

	if (error & PF_PRESENT || cr2 >= USER_END)
		return 0;
	result = slice_ensure(cr2);
	if (result)
		hc_raise(SIGBUS, BUS_ADRERR, cr2, TRAP_PF, error | PF_USER, cr2);
	return 1;
}

void trap_dispatch(struct dune_regs *regs, u64 vector, u64 error)
{
	u64 cr2 = vector == TRAP_PF ? read_cr2() : 0;

	if (vector == SIGNAL_VECTOR) {
		signal_interrupt(regs);
		return;
	}
	if (vector == TRAP_PF && slice_fault(error, cr2))
		return;
	if (cpu->ring == 0 && handlers[vector] && !trap_to_handler(regs, vector, error, cr2))
		return;
	trap_to_signal(regs, vector, error, cr2);
}

/* DUNE_CALL_TRAP_SET of a ring-0 program; handler 0 removes. */
long trap_set(u64 vector, u64 handler)
{
	if (vector >= NR_VECTORS || vector == SIGNAL_VECTOR || vector == 2 || vector == 8 ||
	    vector == 18)
		return -EINVAL;
	if (handler >= USER_END)
		return -EFAULT;
	handlers[vector] = handler;
	return 0;
}
