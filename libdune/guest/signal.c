// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals of the program. The kernel builds every frame (the host's sigaction is the program's,
 * with the trampoline as handler); this file writes the program's registers into it, enters the
 * program's handler, and emulates rt_sigaction and rt_sigreturn. Owns the program's view of its
 * actions. It must take nothing from a frame but what sigframe.h's rules allow.
 */
#include <errno.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include "libdune/guest/hypercall.h"
#include "libdune/guest/sigframe.h"

/* Flags of struct sigaction that Linux 6.1 keeps and shows. */
#define KNOWN_FLAGS                                                                        \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
	 SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)
#define HANDLER_IGNORE	    1
#define HANDLER_MAX_SPECIAL 1 /* SIG_DFL and SIG_IGN */
#define INSTRUCTION_MAX	    15 /* bytes */
#define bit(signal)	    (1ull << ((signal)-1))

static struct runtime_action actions[RUNTIME_NR_SIGNALS];

/* The host's alternate stack, when it is known: then rt_sigreturn need not set it again. */
static struct {
	struct frame_stack stack;
	u32 known;
} altstack;

static void altstack_is(const struct frame_stack *stack)
{
	altstack.stack = *stack;
	/* The kernel takes such a stack away when it delivers a signal. */
	altstack.known = !(stack->flags & FRAME_STACK_AUTODISARM);
	if (stack->flags == FRAME_STACK_DISABLE)
		altstack.stack.sp = altstack.stack.size = 0;
}

static int altstack_same(const struct frame_stack *stack)
{
	return altstack.known && altstack.stack.sp == stack->sp &&
	       altstack.stack.flags == stack->flags && altstack.stack.size == stack->size;
}

void signal_init(void)
{
	const struct frame_stack none = { .flags = FRAME_STACK_DISABLE };

	memcpy(actions, boot.actions, sizeof(actions));
	if (boot.ring == 3)
		altstack_is(&none); /* exec took any away */
}

/*
 * The host finds out by a read why the program can't fetch an instruction (dune.ko's trampoline), and the frame says
 * so. Returns the address that was read, or 0; whether it was the program's RIP is for whoever knows that.
 */
static u64 maybe_fetch(const struct frame_registers *f)
{
	const u64 *error = (const u64 *)(f + 1), *trap = error + 1, *cr2 = error + 3;

	return *trap == TRAP_PF && *error == PF_USER ? *cr2 : 0;
}

/*
 * Follows frames that were built before the one at their RSP had been handed over, and queues them
 * all, oldest first. Returns the registers of the oldest in the scratch bytes.
 */
static const struct frame_registers *take_chain(u64 frame)
{
	struct frame_registers *f = (struct frame_registers *)cpu->scratch;
	u64 chain[MAX_FRAMES], fetches[MAX_FRAMES];
	s32 signals[MAX_FRAMES];
	u32 n = 0;

	for (;;) {
		if (n == MAX_FRAMES - cpu->nr_frames)
			panic_here(PANIC_FRAMES);
		if (copy_in(f, frame + FRAME_REGS, FRAME_HEAD_SIZE))
			panic_here(PANIC_FRAME_LOST);
		chain[n] = frame;
		signals[n] = *(s32 *)(cpu->scratch + FRAME_HEAD_SIGNAL);
		fetches[n] = maybe_fetch(f);
		n++;
		if (frame_phase(f->ip) != PHASE_CHAINED)
			break;
		frame = f->sp;
	}
	while (n) {
		cpu->frames[cpu->nr_frames] = chain[--n];
		cpu->fetches[cpu->nr_frames] = fetches[n];
		cpu->signals[cpu->nr_frames++] = signals[n];
	}
	return f;
}

/* A system call came back with a frame: queues it and returns the call's result, if it has one. */
long signal_taken(const struct host_result *result)
{
	const struct frame_registers *f = take_chain(result->frame);

	if (result->kind) {
		switch (frame_phase(f->ip)) {
		case PHASE_RESULT_RAX:
			return f->ax;
		case PHASE_RESULT_RSI:
			return f->si;
		default:
			break;
		}
	}
	cpu->restart = 1;
	return 0;
}

/* At RIP itself, or where an instruction that began on the page before goes on. */
static int is_fetch(u64 address, u64 rip)
{
	return address &&
	       (address == rip || (!(address & 4095) && address - rip < INSTRUCTION_MAX));
}

/* Enters the program's handler for one frame: its saved registers become the program's. */
static int enter_handler(struct dune_regs *regs, u32 i)
{
	struct frame_registers *f = (struct frame_registers *)cpu->scratch;
	u64 frame = cpu->frames[i], *error = (u64 *)(f + 1);
	u64 size = sizeof(*f);
	struct runtime_action *action;
	s32 signal = cpu->signals[i];

	frame_from_regs(f, regs);
	if (is_fetch(cpu->fetches[i], regs->rip)) {
		*error = PF_USER | PF_FETCH;
		size += sizeof(*error);
	}
	if (copy_out(frame + FRAME_REGS, f, size))
		return -EFAULT;
	if (signal < 1 || signal > RUNTIME_NR_SIGNALS)
		return -EINVAL;
	action = &actions[signal - 1];
	if (action->handler <= HANDLER_MAX_SPECIAL || !rip_allowed(action->handler, cpu->ring))
		return -EINVAL;
	regs->rdi = signal;
	regs->rsi = frame + FRAME_SIGINFO;
	regs->rdx = frame + FRAME_CONTEXT;
	regs->rax = 0;
	regs->rsp = frame;
	regs->rip = action->handler;
	regs->rflags &= ~(u64)(FLAG_DF | FLAG_TF | FLAG_RF);
	if (action->flags & SA_RESETHAND)
		action->handler = 0;
	return 0;
}

/* All queued frames, oldest first: the newest handler runs first and returns into the next. */
void signal_enter_handlers(struct dune_regs *regs)
{
	for (u32 i = 0; i < cpu->nr_frames; i++) {
		if (enter_handler(regs, i)) {
			raise_signal(SIGSEGV, SI_KERNEL, 0);
			break;
		}
	}
	cpu->nr_frames = 0;
}

/* The signal interrupt: the program was between two instructions. */
void signal_interrupt(struct dune_regs *regs)
{
	u64 frame = run_page->signal_frame;

	if (!frame)
		return; /* INT n of a ring-0 program */
	take_chain(frame);
	signal_enter_handlers(regs);
}

/* Gives the host the program's action, with the trampoline as handler where there is a handler. */
static long mirror(struct dune_regs *regs, u64 signal, const struct runtime_action *action)
{
	const u64 args[6] = { signal, cpu->args_user, 0, 8 };
	struct runtime_action host = *action;

	if (host.handler > HANDLER_MAX_SPECIAL)
		host.handler = DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_SIGNAL;
	host.flags |= SA_SIGINFO;
	memcpy(args_page, &host, sizeof(host));
	return host_call(regs, __NR_rt_sigaction, args);
}

/*
 * rt_sigaction(signal, new, old, size), in Linux's order: size, EFAULT of new, EINVAL, the change,
 * EFAULT of old.
 */
long signal_sigaction(struct dune_regs *regs)
{
	struct runtime_action *new = (struct runtime_action *)cpu->scratch, next, old;
	u32 signal = regs->rdi;
	long error;

	if (regs->r10 != 8)
		return -EINVAL;
	if (regs->rsi && copy_in(new, regs->rsi, sizeof(*new)))
		return -EFAULT;
	if (signal < 1 || signal > RUNTIME_NR_SIGNALS ||
	    (regs->rsi && (signal == SIGKILL || signal == SIGSTOP)))
		return -EINVAL;
	old = actions[signal - 1];
	if (regs->rsi) {
		next = *new;
		next.flags &= KNOWN_FLAGS;
		next.mask &= ~(bit(SIGKILL) | bit(SIGSTOP));
		error = mirror(regs, signal, &next);
		if (error || cpu->restart)
			return error;
		actions[signal - 1] = next;
	}
	if (regs->rdx) {
		memcpy(cpu->scratch, &old, sizeof(old));
		if (copy_out(regs->rdx, cpu->scratch, sizeof(old)))
			return -EFAULT;
	}
	return 0;
}

/*
 * A frame taken while rt_sigreturn was at work was built before the old mask (and perhaps the old
 * alternate stack) came back: it is made to restore them in our place.
 */
static int defer_to_frame(u64 frame, const struct frame_context *old)
{
	u64 *scratch = (u64 *)cpu->scratch;
	struct frame_stack *stack = (struct frame_stack *)cpu->scratch;

	*scratch = old->sigmask;
	if (copy_out(frame + FRAME_SIGMASK, scratch, sizeof(*scratch)))
		return -EFAULT;
	*stack = old->stack;
	return copy_out(frame + FRAME_STACK, stack, sizeof(*stack));
}

static int host_state_restore(struct dune_regs *regs, const struct frame_context *old)
{
	const u64 stack_args[6] = { cpu->args_user, 0 };
	const u64 mask_args[6] = { 2 /* SIG_SETMASK */, cpu->args_user, 0, 8 };

	/* As in Linux, errors of the alternate stack are ignored. */
	if (!altstack_same(&old->stack)) {
		memcpy(args_page, &old->stack, sizeof(old->stack));
		if (!host_call(regs, __NR_sigaltstack, stack_args) && !cpu->restart)
			altstack_is(&old->stack);
		else
			altstack.known = 0;
	}
	if (!cpu->nr_frames) {
		memcpy(args_page, &old->sigmask, sizeof(old->sigmask));
		host_call(regs, __NR_rt_sigprocmask, mask_args);
		if (!cpu->restart)
			return 0;
	}
	cpu->restart = 0;
	return defer_to_frame(cpu->frames[0], old);
}

/*
 * rt_sigreturn: everything is read once, then validated; the program can only name a state that it
 * could have reached by itself. The host's part comes last and sees the restored RSP, so a signal
 * that becomes deliverable lies where the old frame was.
 */
void signal_sigreturn(struct dune_regs *regs)
{
	struct frame_context *scratch = (struct frame_context *)cpu->scratch, old;

	if (copy_in(scratch, regs->rsp, sizeof(*scratch)))
		goto bad;
	old = *scratch;
	if (fpu_restore(old.fpstate))
		goto bad;
	regs_from_frame(regs, &old.regs);
	if (host_state_restore(regs, &old))
		goto bad;
	if (!rip_allowed(regs->rip, cpu->ring) || !cs_allowed(old.regs.cs, cpu->ring)) {
		regs->rip = 0;
		goto bad;
	}
	signal_enter_handlers(regs);
	return;
bad:
	cpu->nr_frames = 0;
	raise_signal(SIGSEGV, SI_KERNEL, 0);
}

/* sigaltstack(new, old): the host's, only remembered. */
long signal_sigaltstack(struct dune_regs *regs)
{
	u64 args[6] = { 0, regs->rsi };
	struct frame_stack *scratch = (struct frame_stack *)cpu->scratch, new;
	long error;

	if (!regs->rdi)
		return pass(regs);
	if (copy_in(scratch, regs->rdi, sizeof(*scratch)))
		return -EFAULT;
	new = *scratch;
	memcpy(args_page, &new, sizeof(new));
	args[0] = cpu->args_user;
	error = host_call(regs, __NR_sigaltstack, args);
	if (!error && !cpu->restart)
		altstack_is(&new);
	else
		altstack.known = 0; /* EFAULT of old comes after the change */
	return error;
}
