// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Traps and signals of a ring-0 program: ring0_traps FD. One line per failed check; exit status 1
 * when anything failed. ring0_traps FD RSP: a trap on the stack at RSP, which has to end the
 * program. ring0_traps FD nx: runs what must not be run, which has to end it, too.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <unistd.h>
#include <dune/dune.h>

#define NOWHERE		 ((volatile char *)0xffff900000000000)
#define check(condition) check_at(!!(condition), #condition, __LINE__)

static unsigned int failures;
static volatile sig_atomic_t count[65];
static volatile unsigned int traps, depth, deepest;
static volatile uint16_t handler_cs, context_cs;
static volatile uint64_t address;
static sigjmp_buf out;

static void check_at(int ok, const char *what, int line)
{
	if (ok)
		return;
	failures++;
	printf("ring0_traps.c:%d: failed: %s\n", line, what);
}

static uint16_t read_cs(void)
{
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return cs;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	count[signal]++;
	handler_cs = read_cs();
	context_cs = (uint16_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS];
	/* what a handler may do with the FPU must not show */
	__asm__ volatile("pcmpeqd %%xmm7, %%xmm7" : : : "xmm7");
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	count[signal]++;
	address = (uint64_t)info->si_addr;
	siglongjmp(out, 1);
}

static void set(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	check(!sigaction(signal, &action, NULL));
}

/* Before dune_enter(): what must survive it. */
static void before(void)
{
	sigset_t mask;

	set(SIGUSR2, on_signal, 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGHUP, SIG_IGN);
}

static void test_inherited(void)
{
	struct sigaction action;
	sigset_t mask;

	check((read_cs() & 3) == 0);
	check(!sigprocmask(SIG_SETMASK, NULL, &mask) && sigismember(&mask, SIGUSR1) == 1 &&
	      sigismember(&mask, SIGUSR2) == 0);
	check(!sigaction(SIGUSR2, NULL, &action) && action.sa_sigaction == on_signal);
	check(!sigaction(SIGHUP, NULL, &action) && action.sa_handler == SIG_IGN);
	check(!raise(SIGHUP));
	check(!raise(SIGUSR2) && count[SIGUSR2] == 1);
	check(handler_cs == 0x08 && context_cs == 0x08);
	set(SIGUSR1, on_signal, 0);
	check(!raise(SIGUSR1) && !count[SIGUSR1]);
	check(!sigprocmask(SIG_UNBLOCK, &mask, NULL) && count[SIGUSR1] == 1);
}

static void step_two(struct dune_trap *trap)
{
	traps++;
	check(trap->vector == 6 && (trap->regs.cs & 3) == 0);
	trap->regs.rax = 0x1234567890abcdef;
	trap->regs.rip += 2;
}

/* Registers through a handler, a change of one, the red zone. */
static void test_registers(void)
{
	uint64_t rax, zone, other;

	check(!dune_trap_set(6, step_two));
	traps = 0;
	__asm__ volatile(
		"movq $0x5a5a1234, -8(%%rsp)\n\tmovq $77, -128(%%rsp)\n\tmov $5, %%r15d\n\t"
		"mov $6, %%ebx\n\tmov $7, %%r11d\n\tstc\n\tud2\n\t"
		"sbb %%rcx, %%rcx\n\tadd %%r15, %%rcx\n\tadd %%rbx, %%rcx\n\tadd %%r11, %%rcx\n\t"
		"mov -8(%%rsp), %%rdx\n\tsub -128(%%rsp), %%rdx"
		: "=a"(rax), "=d"(zone), "=c"(other)
		:
		: "rbx", "r11", "r15", "memory", "cc");
	check(traps == 1 && rax == 0x1234567890abcdef);
	check(zone == 0x5a5a1234 - 77);
	check(other == 17);
}

static void recurse(struct dune_trap *trap)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (depth < 5)
		__asm__ volatile("ud2");
	depth--;
	trap->regs.rip += 2;
}

static void leave(struct dune_trap *trap)
{
	traps++;
	address = trap->fault_address;
	siglongjmp(out, 1);
}

/* A handler that faults in another way; handlers left by longjmp, often. */
static void fault_in_handler(struct dune_trap *trap)
{
	(void)trap;
	*NOWHERE = 1;
}

static void test_nesting(void)
{
	check(!dune_trap_set(6, recurse));
	__asm__ volatile("ud2");
	check(deepest == 5 && depth == 0);
	check(!dune_trap_set(14, leave) && !dune_trap_set(6, fault_in_handler));
	traps = 0;
	for (int i = 0; i < 1000; i++)
		if (!sigsetjmp(out, 0))
			__asm__ volatile("ud2");
	check(traps == 1000 && address == (uint64_t)NOWHERE);
	check(!dune_trap_set(6, NULL) && !dune_trap_set(14, NULL));
}

static void test_bad_vectors(void)
{
	check(dune_trap_set(2, leave) == -EINVAL);
	check(dune_trap_set(8, leave) == -EINVAL);
	check(dune_trap_set(18, leave) == -EINVAL);
	check(dune_trap_set(0xf0, leave) == -EINVAL);
	check(dune_trap_set(256, leave) == -EINVAL);
	check(dune_trap_set(6, (dune_trap_fn)0xffffffff80002000) == -EFAULT);
	check(dune_enter(0) == -EALREADY);
}

/* Without a handler a trap is the signal that it would be natively. */
static void test_signals_of_traps(void)
{
	static const char nothing[4096] __attribute__((aligned(4096)));
	volatile char *volatile low = (volatile char *)64;

	set(SIGILL, on_fault, 0);
	set(SIGSEGV, on_fault, 0);
	set(SIGTRAP, on_fault, 0);
	if (!sigsetjmp(out, 1))
		__asm__ volatile("ud2");
	if (!sigsetjmp(out, 1))
		*NOWHERE = 1;
	check(address == (uint64_t)NOWHERE);
	if (!sigsetjmp(out, 1))
		*low = 1;
	check(address == 64);
	if (!sigsetjmp(out, 1))
		*(volatile char *)nothing = 1;
	check(address == (uint64_t)nothing);
	if (!sigsetjmp(out, 1))
		__asm__ volatile("int3");
	if (!sigsetjmp(out, 1))
		__asm__ volatile("int $0x80");
	if (!sigsetjmp(out, 1))
		__asm__ volatile("jmp *%0" : : "r"(0x5a5a5a5a5a5a5a5a));
	/* The runtime's text can't be written, its data can't be executed, its tables neither. */
	if (!sigsetjmp(out, 1))
		*(volatile char *)0xffffffff80002000 = 1;
	check(address == 0xffffffff80002000);
	if (!sigsetjmp(out, 1))
		*(volatile char *)0xffffffffc0001000 = 1;
	check(address == 0xffffffffc0001000);
	if (!sigsetjmp(out, 1))
		__asm__ volatile("jmp *%0" : : "r"(0xffffffffc0004000));
	check(address == 0xffffffffc0004000);
	check(count[SIGILL] == 1 && count[SIGSEGV] == 8 && count[SIGTRAP] == 1);
}

/* A trap on a stack page that nobody has touched yet. */
static void test_fresh_stack(void)
{
	uint64_t size = 1 << 20;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t rax;

	check(stack != MAP_FAILED && !dune_trap_set(6, step_two));
	traps = 0;
	for (int i = 1; i <= 100; i++)
		__asm__ volatile("mov %%rsp, %%rbx\n\tmov %1, %%rsp\n\tud2\n\tmov %%rbx, %%rsp"
				 : "=a"(rax)
				 : "r"(stack + size - i * 4096)
				 : "rbx", "memory");
	check(traps == 100 && rax == 0x1234567890abcdef);
	munmap(stack, size);
}

/* The lower end of the first thread's stack, which grows. */
static uint64_t stack_start(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start = 0, found = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]") && sscanf(line, "%lx-", &start) == 1)
			found = start;
	if (maps)
		fclose(maps);
	return found;
}

/* The runtime's own store is the first below a stack that has to grow. */
static void test_growing_stack(void)
{
	uint64_t start = stack_start(), rax = 0;

	check(start && !dune_trap_set(6, step_two));
	traps = 0;
	for (int i = 0; i < 64; i++)
		__asm__ volatile("mov %%rsp, %%rbx\n\tmov %1, %%rsp\n\tud2\n\tmov %%rbx, %%rsp"
				 : "=a"(rax)
				 : "r"(start - (uint64_t)i * 4096 + 64)
				 : "rbx", "memory");
	check(traps == 64 && rax == 0x1234567890abcdef);
	check(stack_start() < start);
}

/* Timer signals against traps and system calls: nothing lost, nothing mixed up. */
static void test_storm(void)
{
	const struct itimerval timer = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	unsigned int bad = 0, rounds = 0;
	pid_t pid = getpid();
	uint64_t rax;

	check(!dune_trap_set(6, step_two));
	set(SIGALRM, on_signal, SA_RESTART);
	traps = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	while (count[SIGALRM] < 100 && rounds < 10000000) {
		__asm__ volatile("ud2" : "=a"(rax) : : "memory");
		rounds++;
		if (rax != 0x1234567890abcdef || traps != rounds || getpid() != pid)
			bad++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	check(!bad && count[SIGALRM] >= 100);
}

static int trap_on(uint64_t rsp)
{
	check(!dune_trap_set(6, step_two));
	set(SIGSEGV, on_fault, 0);
	set(SIGILL, on_fault, 0);
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %0, %%rsp\n\tud2\n\tmov %%rbx, %%rsp"
			 :
			 : "r"(rsp)
			 : "rax", "rbx", "memory");
	return 1;
}

static int run_data(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(page, 0xc3, 4096);
	((void (*)(void))page)();
	return 1;
}

int main(int argc, char **argv)
{
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(dune_trap_set(6, step_two) == -ENOSYS && !dune_entered() && !dune_run_page());
	before();
	error = dune_enter(argc > 1 ? atoi(argv[1]) : -1);
	if (error) {
		printf("dune_enter: %s\n", strerror(-error));
		return 1;
	}
	if (argc > 2 && !strcmp(argv[2], "nx"))
		return run_data();
	if (argc > 2)
		return trap_on(strtoull(argv[2], NULL, 0));
	test_inherited();
	test_registers();
	test_nesting();
	test_bad_vectors();
	test_signals_of_traps();
	test_fresh_stack();
	test_growing_stack();
	test_storm();
	printf("ring0_traps: %u checks failed\n", failures);
	return failures ? 1 : 0;
}
