// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals as a program sees them. Knows nothing of Dune: it must pass natively and in a context
 * alike. One line per failed check, then a last line; exit status 1 when anything failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <time.h>
#include <unistd.h>

#define CS(uc)		 ((uint64_t)(uc)->uc_mcontext.gregs[REG_CSGSFS] & 0xffff)
#define SS(uc)		 ((uint64_t)(uc)->uc_mcontext.gregs[REG_CSGSFS] >> 48)
#define REG(uc, name)	 ((uc)->uc_mcontext.gregs[REG_##name])
#define check(condition) check_at(!!(condition), #condition, __LINE__)

static unsigned int failures;

static void check_at(int ok, const char *what, int line)
{
	if (ok)
		return;
	failures++;
	printf("signals.c:%d: failed: %s\n", line, what);
}

static volatile sig_atomic_t count[65];
static siginfo_t last_info;
static ucontext_t last_context;
static volatile uint64_t last_rsp;
static volatile uint64_t go_on_at;

static void set(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	check(!sigaction(signal, &action, NULL));
}

static void note(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t rsp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
	last_rsp = rsp;
	count[signal]++;
	last_info = *info;
	last_context = *uc;
	if (go_on_at)
		REG(uc, RIP) = go_on_at;
}

static void test_plain(void)
{
	set(SIGUSR1, note, 0);
	check(!raise(SIGUSR1));
	check(count[SIGUSR1] == 1);
	check(last_info.si_signo == SIGUSR1 && last_info.si_code == SI_TKILL);
	check(last_info.si_pid == getpid() && last_info.si_uid == getuid());
	check(CS(&last_context) == 0x33 && SS(&last_context) == 0x2b);
	check(REG(&last_context, RAX) == 0); /* tgkill's result */
	check(last_rsp < (uint64_t)REG(&last_context, RSP) - 128);
	check(!kill(getpid(), SIGUSR1) && count[SIGUSR1] == 2 && last_info.si_code == SI_USER);
}

/* Runs an instruction that faults; its handler continues at the label behind it. */
#define FAULT(instruction, ...)                                                           \
	({                                                                                \
		uint64_t at_;                                                             \
		__asm__ volatile("lea 1f(%%rip), %0\n\tmov %0, %1\n\tlea 2f(%%rip), %0\n" \
				 "2:\t" instruction "\n1:"                                \
				 : "=&r"(at_), "=m"(go_on_at)                             \
				 : __VA_ARGS__                                            \
				 : "rcx", "memory", "cc");                                \
		go_on_at = 0;                                                             \
		at_;                                                                      \
	})

static void fault(int signal, int code, int has_address, uint64_t address, int line)
{
	char text[64];

	snprintf(text, sizeof(text), "signal %d code %d, got %d %d at %p", signal, code,
		 last_info.si_signo, last_info.si_code, last_info.si_addr);
	check_at(last_info.si_signo == signal && last_info.si_code == code &&
			 (!has_address || (uint64_t)last_info.si_addr == address),
		 text, line);
	memset(&last_info, 0, sizeof(last_info));
}

/* Of an instruction's second half, and of a file's page that is not there. */
static void test_fetches(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	char *file = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);

	check(pages != MAP_FAILED && file != MAP_FAILED);
	pages[4094] = '\xb8'; /* mov $imm32, %eax */
	munmap(pages + 4096, 4096);
	FAULT("jmp *%%rdx", "d"(pages + 4094));
	fault(SIGSEGV, SEGV_MAPERR, 1, (uint64_t)pages + 4096, __LINE__);
	check(REG(&last_context, ERR) == 0x14);
	check(REG(&last_context, RIP) == (long long)pages + 4094);
	FAULT("jmp *%%rdx", "d"(file));
	fault(SIGBUS, BUS_ADRERR, 1, (uint64_t)file, __LINE__);
	check(REG(&last_context, ERR) == 0x14);
	munmap(file, 4096);
	munmap(pages, 4096);
	close(fd);
}

static void test_faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at;

	check(page != MAP_FAILED);
	set(SIGSEGV, note, 0);
	set(SIGBUS, note, 0);
	set(SIGILL, note, 0);
	set(SIGFPE, note, 0);
	set(SIGTRAP, note, 0);
	at = FAULT("ud2");
	fault(SIGILL, ILL_ILLOPN, 1, at, __LINE__);
	check((uint64_t)REG(&last_context, RIP) == at && REG(&last_context, TRAPNO) == 6);
	at = FAULT("xor %%ecx, %%ecx\n\tmov %%ecx, %%edx\n3:\tdiv %%ecx", "d"(0));
	fault(SIGFPE, FPE_INTDIV, 0, 0, __LINE__);
	FAULT("movb $1, 64", "d"(0));
	fault(SIGSEGV, SEGV_MAPERR, 1, 64, __LINE__);
	check(REG(&last_context, TRAPNO) == 14 && REG(&last_context, CR2) == 64);
	check(REG(&last_context, ERR) == 6);
	FAULT("movb $1, (%%rdx)", "d"(page));
	fault(SIGSEGV, SEGV_ACCERR, 1, (uint64_t)page, __LINE__);
	FAULT("movb (%%rdx), %%cl", "d"(0xffffffff80002000));
	fault(SIGSEGV, SEGV_MAPERR, 1, 0xffffffff80002000, __LINE__);
	FAULT("movb (%%rdx), %%cl", "d"(0xffffffffc0000000));
	fault(SIGSEGV, SEGV_MAPERR, 1, 0xffffffffc0000000, __LINE__);
	FAULT("movb (%%rdx), %%cl", "d"(0x8000000000000000));
	fault(SIGSEGV, SI_KERNEL, 1, 0, __LINE__);
	at = FAULT("int3");
	fault(SIGTRAP, SI_KERNEL, 0, 0, __LINE__);
	FAULT("hlt");
	fault(SIGSEGV, SI_KERNEL, 1, 0, __LINE__);
	FAULT("int $0x20");
	fault(SIGSEGV, SI_KERNEL, 1, 0, __LINE__);
	FAULT("jmp *%%rdx", "d"(page));
	fault(SIGSEGV, SEGV_ACCERR, 1, (uint64_t)page, __LINE__);
	check(REG(&last_context, ERR) & 16);
	munmap(page, 4096);
	FAULT("jmp *%%rdx", "d"(page));
	fault(SIGSEGV, SEGV_MAPERR, 1, (uint64_t)page, __LINE__);
	check(REG(&last_context, ERR) == 0x14 && REG(&last_context, RIP) == (long long)page);
	FAULT("movb (%%rdx), %%cl", "d"(page));
	fault(SIGSEGV, SEGV_MAPERR, 1, (uint64_t)page, __LINE__);
	check(REG(&last_context, ERR) == 4);
	test_fetches();
	FAULT("jmp *%%rdx", "d"(0xffffffff80002000));
	fault(SIGSEGV, SEGV_MAPERR, 1, 0xffffffff80002000, __LINE__);
	check(REG(&last_context, ERR) == 0x15);
}

static void test_float(void)
{
	uint32_t mxcsr = 0x1f80 & ~0x200, normal = 0x1f80;
	uint16_t control = 0x37f & ~4, initial = 0x37f;
	static const float zero;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	FAULT("mov $1, %%ecx\n\tcvtsi2ss %%ecx, %%xmm0\n\tdivss (%%rdx), %%xmm0", "d"(&zero));
	__asm__ volatile("ldmxcsr %0" : : "m"(normal));
	fault(SIGFPE, FPE_FLTDIV, 0, 0, __LINE__);
	__asm__ volatile("fldcw %0" : : "m"(control));
	FAULT("fld1\n\tfdivs (%%rdx)\n\tfwait", "d"(&zero));
	__asm__ volatile("fnclex\n\tfninit\n\tfldcw %0" : : "m"(initial));
	fault(SIGFPE, FPE_FLTDIV, 0, 0, __LINE__);
}

static void on_misaligned(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x40000, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 :
			 : "memory", "cc");
	REG(uc, EFL) &= ~0x40000ll;
	last_info = *info;
	REG(uc, RIP) = go_on_at;
}

/* A program that asks for alignment checks. */
static void test_alignment(void)
{
	static const uint64_t words[2] __attribute__((aligned(16)));

	set(SIGBUS, on_misaligned, 0);
	FAULT("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmov 1(%%rdx), %%ecx", "d"(words));
	fault(SIGBUS, BUS_ADRALN, 1, 0, __LINE__);
}

static volatile unsigned int steps;

static uint64_t step_at[4];

static void on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	if (steps < 4)
		step_at[steps] = REG(uc, RIP);
	steps++;
	last_info = *info;
	if (steps == 3)
		REG(uc, EFL) &= ~0x100ll;
}

static void test_single_step(void)
{
	uint64_t start;

	set(SIGTRAP, on_step, 0);
	__asm__ volatile("lea 1f(%%rip), %0\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n"
			 "1:\tnop\n\tnop\n\tnop\n\tnop"
			 : "=&r"(start)
			 :
			 : "memory", "cc");
	check(steps == 3 && last_info.si_code == TRAP_TRACE);
	check(step_at[0] == start + 1 && step_at[1] == start + 2 && step_at[2] == start + 3);
}

/*
 * All general registers, the red zone and an XMM register across a signal in a loop without calls.
 */
static int spin_registers(volatile sig_atomic_t *flag)
{
	int bad;

	__asm__ volatile(
		"mov %[flag], %%rdi\n\t"
		"movq $0x5a5a1234, -8(%%rsp)\n\tmovq $0x77665544, -128(%%rsp)\n\t"
		"mov $0x1111, %%eax\n\tmovq %%rax, %%xmm7\n\tpunpcklqdq %%xmm7, %%xmm7\n\t"
		"mov $2, %%ebx\n\tmov $3, %%ecx\n\tmov $4, %%edx\n\tmov $6, %%esi\n\tmov $8, %%r8d\n\t"
		"mov $9, %%r9d\n\tmov $10, %%r10d\n\tmov $11, %%r11d\n\tmov $12, %%r12d\n\t"
		"mov $13, %%r13d\n\tmov $14, %%r14d\n\tmov $15, %%r15d\n"
		"1:\tcmpl $0, (%%rdi)\n\tje 1b\n\t"
		"xor $0x1111, %%eax\n\txor $2, %%ebx\n\txor $3, %%ecx\n\txor $4, %%edx\n\t"
		"xor $6, %%esi\n\txor $8, %%r8d\n\txor $9, %%r9d\n\txor $10, %%r10d\n\t"
		"xor $11, %%r11d\n\txor $12, %%r12d\n\txor $13, %%r13d\n\txor $14, %%r14d\n\t"
		"xor $15, %%r15d\n\tor %%rbx, %%rax\n\tor %%rcx, %%rax\n\tor %%rdx, %%rax\n\t"
		"or %%rsi, %%rax\n\tor %%r8, %%rax\n\tor %%r9, %%rax\n\tor %%r10, %%rax\n\t"
		"or %%r11, %%rax\n\tor %%r12, %%rax\n\tor %%r13, %%rax\n\tor %%r14, %%rax\n\t"
		"or %%r15, %%rax\n\tmovq %%xmm7, %%rcx\n\txor $0x1111, %%rcx\n\tor %%rcx, %%rax\n\t"
		"mov -8(%%rsp), %%rcx\n\txor $0x5a5a1234, %%rcx\n\tor %%rcx, %%rax\n\t"
		"mov -128(%%rsp), %%rcx\n\txor $0x77665544, %%rcx\n\tor %%rcx, %%rax\n\t"
		"test %%rax, %%rax\n\tsetne %%al\n\tmovzbl %%al, %%eax"
		: "=&a"(bad)
		: [flag] "r"(flag)
		: "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		  "r15", "xmm7", "memory", "cc");
	return bad;
}

static void clobber(int signal, siginfo_t *info, void *context)
{
	__asm__ volatile("pcmpeqd %%xmm7, %%xmm7\n\tfninit\n\tfld1" : : : "xmm7");
	count[signal]++;
}

static void clobber_avx(int signal, siginfo_t *info, void *context)
{
	__asm__ volatile("vxorps %%ymm7, %%ymm7, %%ymm7\n\tvzeroall" : : : "xmm7");
	count[signal]++;
}

/* The upper half of a YMM register, through the kernel's extended frame. */
static void test_avx(void)
{
	const struct itimerval timer = { .it_value.tv_usec = 2000 };
	uint64_t in[4] = { 1, 2, 3, 4 }, got[4] = { 0 };

	if (!__builtin_cpu_supports("avx"))
		return;
	set(SIGALRM, clobber_avx, 0);
	count[SIGALRM] = 0;
	check(!setitimer(ITIMER_REAL, &timer, NULL));
	__asm__ volatile("vmovdqu (%0), %%ymm7\n1:\tcmpl $0, (%2)\n\tje 1b\n\tvmovdqu %%ymm7, (%1)"
			 :
			 : "r"(in), "r"(got), "r"(&count[SIGALRM])
			 : "xmm7", "memory");
	check(!memcmp(in, got, sizeof(in)));
}

static void test_registers(void)
{
	const struct itimerval timer = { .it_value.tv_usec = 2000 }, off = { 0 };

	set(SIGALRM, clobber, 0);
	for (int i = 0; i < 5; i++) {
		count[SIGALRM] = 0;
		check(!setitimer(ITIMER_REAL, &timer, NULL));
		check(!spin_registers(&count[SIGALRM]));
	}
	setitimer(ITIMER_REAL, &off, NULL);
}

static int pipe_fd[2];

static void feed(int signal, siginfo_t *info, void *context)
{
	count[signal]++;
	if (write(pipe_fd[1], "x", 1) != 1)
		count[0]++;
}

static void test_restart(void)
{
	const struct itimerval timer = { .it_value.tv_usec = 5000 };
	char byte = 0;

	check(!pipe(pipe_fd));
	count[SIGALRM] = 0;
	set(SIGALRM, feed, SA_RESTART);
	setitimer(ITIMER_REAL, &timer, NULL);
	check(read(pipe_fd[0], &byte, 1) == 1 && byte == 'x' && count[SIGALRM] == 1);
	set(SIGALRM, feed, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	errno = 0;
	check(read(pipe_fd[0], &byte, 1) == -1 && errno == EINTR && count[SIGALRM] == 2);
	check(read(pipe_fd[0], &byte, 1) == 1);
	setitimer(ITIMER_REAL, &timer, NULL);
	check(usleep(1000000) == -1 && errno == EINTR && count[SIGALRM] == 3);
	check(read(pipe_fd[0], &byte, 1) == 1 && !count[0]);
}

static void test_masks(void)
{
	sigset_t set1, old, pending;
	struct sigaction action = { .sa_handler = SIG_DFL }, back;

	sigemptyset(&set1);
	sigaddset(&set1, SIGUSR1);
	sigaddset(&set1, SIGUSR2);
	set(SIGUSR1, note, 0);
	set(SIGUSR2, note, 0);
	count[SIGUSR1] = count[SIGUSR2] = 0;
	check(!sigprocmask(SIG_BLOCK, &set1, &old));
	raise(SIGUSR1);
	raise(SIGUSR2);
	check(!sigpending(&pending) && sigismember(&pending, SIGUSR1) && !count[SIGUSR1]);
	/* Both at once: two frames before the first handler runs. */
	check(!sigprocmask(SIG_SETMASK, &old, NULL) && count[SIGUSR1] == 1 && count[SIGUSR2] == 1);
	check(!sigprocmask(SIG_BLOCK, &set1, NULL));
	raise(SIGUSR1);
	errno = 0;
	check(sigsuspend(&old) == -1 && errno == EINTR && count[SIGUSR1] == 2);
	check(!sigprocmask(SIG_SETMASK, NULL, &pending) && sigismember(&pending, SIGUSR1));
	check(!sigprocmask(SIG_SETMASK, &old, NULL));
	check(!sigaction(SIGUSR1, NULL, &back) && back.sa_sigaction == note);
	set(SIGUSR1, note, SA_RESETHAND);
	raise(SIGUSR1);
	check(!sigaction(SIGUSR1, NULL, &back) && back.sa_handler == SIG_DFL);
	action.sa_handler = SIG_IGN;
	check(!sigaction(SIGUSR1, &action, NULL) && !raise(SIGUSR1) && count[SIGUSR1] == 3);
}

static void test_action_errors(void)
{
	struct {
		void *handler;
		uint64_t flags;
		void *restorer;
		uint64_t mask;
	} action = { .handler = SIG_IGN }, old = { 0 };

	errno = 0;
	check(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8) == -1 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGSTOP, &action, NULL, 8) == -1 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGKILL, NULL, &old, 8) == 0 && !old.handler);
	check(syscall(SYS_rt_sigaction, 0, &action, NULL, 8) == -1 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, 65, &action, NULL, 8) == -1 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 4) == -1 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8) == -1 && errno == EFAULT);
	check(syscall(SYS_rt_sigaction, SIGUSR1, NULL, (void *)8, 8) == -1 && errno == EFAULT);
	action.flags = 0x7fff0000ffff;
	action.mask = ~0ull;
	check(!syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
	check(!syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8));
	check(!(old.flags & 0x400) && old.handler == SIG_IGN); /* SA_UNSUPPORTED */
	check(old.mask == ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)));
}

static void nest(int signal, siginfo_t *info, void *context)
{
	count[signal]++;
	if (signal == SIGUSR1)
		raise(SIGUSR2);
	else
		check(count[SIGUSR1] == 1);
}

static void test_nesting(void)
{
	count[SIGUSR1] = count[SIGUSR2] = 0;
	set(SIGUSR1, nest, 0);
	set(SIGUSR2, nest, 0);
	raise(SIGUSR1);
	check(count[SIGUSR1] == 1 && count[SIGUSR2] == 1);
}

static sigjmp_buf out;

static void jump(int signal, siginfo_t *info, void *context)
{
	uint64_t rsp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
	last_rsp = rsp;
	count[signal]++;
	siglongjmp(out, 1);
}

static int (*volatile deeper)(int n);

static int overflow(int n)
{
	volatile char fill[4096];

	fill[0] = (char)n;
	return deeper(n + 1) + fill[0];
}

static void test_altstack(void)
{
	static char stack[65536];
	stack_t new = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;

	check(!sigaltstack(&new, NULL));
	set(SIGUSR1, note, SA_ONSTACK);
	raise(SIGUSR1);
	check(last_rsp > (uint64_t)stack && last_rsp < (uint64_t)stack + sizeof(stack));
	check(!sigaltstack(NULL, &old) && old.ss_sp == stack && !(old.ss_flags & SS_ONSTACK));
	set(SIGSEGV, jump, SA_ONSTACK);
	count[SIGSEGV] = 0;
	deeper = overflow;
	if (!sigsetjmp(out, 1))
		overflow(0);
	check(count[SIGSEGV] == 1);
	check(last_rsp > (uint64_t)stack && last_rsp < (uint64_t)stack + sizeof(stack));
	new.ss_flags = SS_DISABLE;
	check(!sigaltstack(&new, NULL));
}

static char other_stack[65536];
static stack_t seen;
static volatile int change_error;

static void change_stack(int signal, siginfo_t *info, void *context)
{
	const stack_t new = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

	check(!sigaltstack(NULL, &seen));
	change_error = sigaltstack(&new, NULL) ? errno : 0;
	count[signal]++;
}

/* What a handler does to the alternate stack ends with it; SS_AUTODISARM; errors. */
static void test_altstack_restored(void)
{
	static char stack[65536];
	stack_t new = { .ss_sp = stack, .ss_size = sizeof(stack) }, old,
		none = { .ss_flags = SS_DISABLE };

	set(SIGUSR1, change_stack, SA_ONSTACK);
	check(!sigaltstack(&none, NULL) && !raise(SIGUSR1) && !change_error);
	check(!sigaltstack(NULL, &old) && old.ss_flags == SS_DISABLE && !old.ss_sp);
	check(!sigaltstack(&new, NULL) && !raise(SIGUSR1) && change_error == EPERM);
	check(seen.ss_sp == stack && seen.ss_flags == SS_ONSTACK);
	check(!sigaltstack(NULL, &old) && old.ss_sp == stack && !old.ss_flags);
	new.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
	check(!sigaltstack(&new, NULL) && !raise(SIGUSR1) && !change_error);
	check(seen.ss_flags == SS_DISABLE);
	check(!sigaltstack(NULL, &old) && old.ss_sp == stack && old.ss_flags == new.ss_flags);
	check(!raise(SIGUSR1) && seen.ss_flags == SS_DISABLE);
	check(syscall(SYS_sigaltstack, 8, NULL) == -1 && errno == EFAULT);
	new.ss_flags = 0;
	check(syscall(SYS_sigaltstack, &new, 8) == -1 && errno == EFAULT);
	check(!raise(SIGUSR1) && change_error == EPERM && seen.ss_sp == stack);
	check(!sigaltstack(NULL, &old) && old.ss_sp == stack && !old.ss_flags);
	new.ss_flags = 4;
	check(sigaltstack(&new, NULL) == -1 && errno == EINVAL);
	new.ss_flags = 0;
	new.ss_size = 100;
	new.ss_sp = other_stack;
	check(sigaltstack(&new, NULL) == -1 && errno == ENOMEM);
	check(!raise(SIGUSR1) && seen.ss_sp == stack);
	check(!sigaltstack(&none, NULL));
}

static volatile uint64_t low_rsp, high_rsp;

static void measure(int signal, siginfo_t *info, void *context)
{
	uint64_t rsp = (uint64_t)REG((ucontext_t *)context, RSP);

	count[signal]++;
	if (!low_rsp || rsp < low_rsp)
		low_rsp = rsp;
	if (rsp > high_rsp)
		high_rsp = rsp;
}

/*
 * Two timers into a stream of system calls, so densely that signals meet each other on their way:
 * every result right, no stack creep.
 */
static void test_storm(void)
{
	const struct itimerval timer = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
	const struct itimerspec second = { { 0, 1300000 }, { 0, 1300000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	pid_t pid = getpid();
	unsigned int bad = 0;
	uint32_t in, got;
	timer_t id;

	count[SIGALRM] = count[SIGRTMIN] = 0;
	set(SIGALRM, measure, SA_RESTART);
	set(SIGRTMIN, measure, SA_RESTART);
	check(!timer_create(CLOCK_MONOTONIC, &event, &id) && !timer_settime(id, 0, &second, NULL));
	setitimer(ITIMER_REAL, &timer, NULL);
	for (in = 0; (count[SIGALRM] < 200 || count[SIGRTMIN] < 200) && in < 10000000; in++) {
		if (write(pipe_fd[1], &in, sizeof(in)) != sizeof(in) ||
		    read(pipe_fd[0], &got, sizeof(got)) != sizeof(got) || got != in ||
		    syscall(SYS_getpid) != pid)
			bad++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	timer_delete(id);
	check(!bad);
	check(count[SIGALRM] >= 200 && count[SIGRTMIN] >= 200);
	check(high_rsp - low_rsp < 16384);
}

/* What a hostile program writes into its own frame must not matter, or be refused as Linux does. */
static void forge_harmless(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	count[signal]++;
	REG(uc, EFL) = (REG(uc, EFL) & ~0x200ll) | 0x3000 | 0x20000 | 0x100000;
}

static void forge_cs(int signal, siginfo_t *info, void *context)
{
	REG((ucontext_t *)context, CSGSFS) = 0x0010000000000008;
}

static void forge_rip(int signal, siginfo_t *info, void *context)
{
	REG((ucontext_t *)context, RIP) = (greg_t)0xffffffff80002000;
}

static void forge_float(int signal, siginfo_t *info, void *context)
{
	char *state = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;

	*(uint32_t *)(state + 24) = 0xffffffff; /* MXCSR: reserved bits */
}

static void test_forged(void)
{
	uint64_t flags;
	uint16_t cs;

	set(SIGUSR1, forge_harmless, 0);
	count[SIGUSR1] = 0;
	raise(SIGUSR1);
	__asm__ volatile("mov %%cs, %0\n\tpushfq\n\tpop %1" : "=r"(cs), "=r"(flags));
	check(count[SIGUSR1] == 1 && cs == 0x33);
	check((flags & 0x3200) == 0x200);
	set(SIGSEGV, jump, 0);
	set(SIGUSR1, forge_rip, 0);
	count[SIGSEGV] = 0;
	if (!sigsetjmp(out, 1)) {
		raise(SIGUSR1);
		check(0);
	}
	check(count[SIGSEGV] == 1);
	set(SIGUSR1, forge_float, 0);
	if (!sigsetjmp(out, 1)) {
		raise(SIGUSR1);
		check(0);
	}
	check(count[SIGSEGV] == 2);
	set(SIGUSR1, forge_cs, 0);
	if (!sigsetjmp(out, 1)) {
		raise(SIGUSR1);
		check(0);
	}
	check(count[SIGSEGV] == 3);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_plain();
	test_faults();
	test_float();
	test_alignment();
	test_single_step();
	test_registers();
	test_avx();
	test_restart();
	test_masks();
	test_action_errors();
	test_nesting();
	test_altstack();
	test_altstack_restored();
	test_storm();
	test_forged();
	printf("signals: %u checks failed\n", failures);
	return failures ? 1 : 0;
}
