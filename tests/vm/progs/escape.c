// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An ordinary program that tries to get out of its runtime: `escape NAME` says "held" and exits 0 when the
 * attempt was refused. It knows nothing of libdune; it is launched in a context like any other program.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include "attempts.h"

static const char *escape_map(void)
{
	static const unsigned long starts[] = { DUNE_AREA_START, DUNE_TRAMPOLINE_ADDR,
						DUNE_RUN_ADDR, DUNE_ARGS_ADDR,
						DUNE_AREA_END - 4096 };
	const char *broken = attempt_protect();

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts) && !broken; i++) {
		void *at = (void *)starts[i];
		unsigned long hint;

		if (mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0) != MAP_FAILED)
			broken = "MAP_FIXED";
		if (mmap((char *)at - 4096 * 4, 4096 * 8, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
			broken = "MAP_FIXED around it";
		if (mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0) != MAP_FAILED)
			broken = "MAP_FIXED_NOREPLACE";
		hint = (unsigned long)mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (hint >= DUNE_AREA_START && hint < DUNE_AREA_END)
			broken = "a hint";
		if (!munmap(at, 4096))
			broken = "munmap";
		if (!munmap(NULL, 0x7ffffffff000))
			broken = "munmap of everything";
	}
	return broken;
}

static volatile sig_atomic_t got_segv;
static ucontext_t good;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	got_segv++;
	setcontext(&good);
}

static void forge(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;

	switch (info->si_value.sival_int) {
	case 0:	/* ring 0 code segment: must come back as ring 3 */
		regs[REG_CSGSFS] = 0x10ull << 48 | 0x08;
		break;
	case 1:	/* I/O privilege level 3, interrupts off, nested task, virtual-8086 */
		regs[REG_EFL] = 0x3000 | 0x4000 | 0x20000 | 2;
		break;
	case 2:	/* into the runtime */
		regs[REG_RIP] = RUNTIME_ADDR + 0x1000;
		break;
	case 3:	/* not canonical: SYSRET and IRET must not fault in ring 0 */
		regs[REG_RIP] = 0x8000000000000000ull;
		break;
	case 4:	/* FPU state from a bad place */
		uc->uc_mcontext.fpregs = (void *)RUNTIME_ADDR;
		break;
	case 5:	/* FPU state with reserved bits */
		memset((char *)uc->uc_mcontext.fpregs + 24, 0xff, 8);
		break;
	}
}

static const char *escape_frame(void)
{
	struct sigaction sa = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO };
	uint64_t flags;
	uint16_t cs;

	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_sigaction = on_segv;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGSEGV, &sa, NULL);
	for (volatile int i = 0; i < 6; i++) {
		volatile int before = got_segv, round = 0;

		getcontext(&good);
		if (round++)
			goto next;
		sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = i });
		__asm__ volatile("mov %%cs, %0" : "=r"(cs));
		__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
		if ((cs & 3) != 3)
			return "a forged code segment";
		if ((flags & 0x3000) || !(flags & 0x200))
			return "forged flags";
		if (i == 2 || i == 3)
			return "a forged instruction pointer";
next:
		if ((i == 2 || i == 3) && got_segv == before)
			return "no SIGSEGV for a forged instruction pointer";
	}
	return NULL;
}

/* A frame made from nothing, without any signal. */
static const char *escape_bare_frame(void)
{
	struct sigaction sa = { .sa_sigaction = on_segv,
				.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	static char stack[65536];
	stack_t altstack = { .ss_sp = stack, .ss_size = sizeof(stack) };
	volatile int round = 0;

	sigaltstack(&altstack, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	getcontext(&good);
	if (round++)
		return got_segv ? NULL : "no SIGSEGV";
	__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall"
			 :
			 : "r"(RUNTIME_ADDR + 0x8000)
			 : "memory");
	return "rt_sigreturn came back";
}

static const struct {
	const char *name;
	const char *(*run)(void);
} escapes[] = {
	{ "read", attempt_read },
	{ "mem", attempt_mem },
	{ "map", escape_map },
	{ "frame", escape_frame },
	{ "bare-frame", escape_bare_frame },
	{ "uring", attempt_uring },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(escapes) / sizeof(*escapes); i++) {
		const char *broken;

		if (strcmp(escapes[i].name, argv[1]))
			continue;
		broken = escapes[i].run();
		printf("%s: %s\n", argv[1], broken ? broken : "held");
		return !!broken;
	}
	fprintf(stderr, "escape read|mem|map|frame|bare-frame|uring\n");
	return 2;
}
