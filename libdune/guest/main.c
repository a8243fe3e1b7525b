// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The runtime's start: sets up what the loader could not, removes the loader's own mappings and
 * leaves the program's first registers in FRAME. Owns `boot`.
 */
#include <asm/unistd.h>
#include "libdune/guest/hypercall.h"

/* Filled by the loader before LOCK. In .data, so that it is part of the image. */
struct runtime_boot boot __attribute__((section(".data")));

/* The loader's image and heap: nothing of it may stay in the program's address space. */
static void remove_loader(struct dune_regs *regs)
{
	for (u32 i = 0; i < boot.nr_unmap && i < RUNTIME_MAX_UNMAP; i++) {
		const u64 args[6] = { boot.unmap[i].start, boot.unmap[i].size_bytes };

		if (host_call(regs, __NR_munmap, args) && !cpu->nr_frames)
			panic_here(PANIC_LOADER);
	}
}

/* A ring-0 program entered with all signals blocked; its own mask comes back now. */
static void restore_sigmask(struct dune_regs *regs)
{
	const u64 args[6] = { 2 /* SIG_SETMASK */, cpu->args_user, 0, 8 };

	if (!boot.set_sigmask)
		return;
	memcpy(args_page, &boot.sigmask, sizeof(boot.sigmask));
	host_call(regs, __NR_rt_sigprocmask, args);
}

void runtime_main(void)
{
	struct dune_regs *regs = (struct dune_regs *)FRAME;

	cpu->ring = boot.ring;
	cpu->gpa = boot.percpu_gpa;
	cpu->args_user = DUNE_ARGS_ADDR; /* vcpu 0 */
	slice_init();
	signal_init();
	*regs = boot.regs;
	regs->rflags = FLAG_FIXED | FLAG_IF;
	regs->cs = boot.ring ? SEL_USER_CODE : SEL_CODE;
	regs->ss = boot.ring ? SEL_USER_DATA : SEL_DATA;
	remove_loader(regs);
	restore_sigmask(regs);
	signal_enter_handlers(regs);
}
