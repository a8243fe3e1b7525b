// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the ring-3 supervisor refuses, answers itself or lets through: one line per failed check;
 * exit status 1 when anything failed. Runs in a context only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define check(condition)    check_at(!!(condition), #condition, __LINE__)
#define refused(error, ...) check_refused(error, syscall(__VA_ARGS__), #__VA_ARGS__, __LINE__)
#define AREA		    ((void *)DUNE_AREA_START)
#define TRAMPOLINE	    ((void *)DUNE_TRAMPOLINE_ADDR)
#define PRIVATE		    0xffffffff80002000

static unsigned int failures;

static void check_at(int ok, const char *what, int line)
{
	if (ok)
		return;
	failures++;
	printf("supervisor.c:%d: failed: %s\n", line, what);
}

static void check_refused(int error, long result, const char *what, int line)
{
	if (result == -1 && errno == error)
		return;
	failures++;
	printf("supervisor.c:%d: %s gave %ld, %s\n", line, what, result, strerror(errno));
}

static long raw(uint64_t number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static void test_numbers(void)
{
	pid_t pid = getpid();

	check(raw(SYS_getpid, 0, 0, 0) == pid);
	check(raw(0xffffffff00000000 | SYS_getpid, 0, 0, 0) == pid); /* low 32 bits count */
	check(raw(0x40000000 | SYS_getpid, 0, 0, 0) == -ENOSYS); /* x32 */
	check(raw(-1ull, 0, 0, 0) == -ENOSYS);
	check(raw(335, 0, 0, 0) == -ENOSYS);
	check(raw(451, 0, 0, 0) == -ENOSYS);
	check(raw(100000, 0, 0, 0) == -ENOSYS);
	check(raw(0x44550000, 6, 0x400000, 0) == -ENOSYS); /* only for ring-0 programs */
}

/* Everything but RAX, RCX and R11 survives, as the kernel promises. */
static void test_registers(void)
{
	uint64_t bad, rcx, r11, rip;

	__asm__ volatile(
		"mov $39, %%eax\n\tmov $1, %%edi\n\tmov $2, %%esi\n\tmov $3, %%edx\n\tmov $4, %%r8d\n\t"
		"mov $5, %%r9d\n\tmov $6, %%r10d\n\tmov $12, %%r12d\n\tmov $13, %%r13d\n\t"
		"mov $14, %%r14d\n\tmov $15, %%r15d\n\tstd\n\tsyscall\n"
		"1:\tpushfq\n\tpop %%rbx\n\tcld\n\tand $0x400, %%ebx\n\txor $0x400, %%ebx\n\t"
		"xor $1, %%rdi\n\txor $2, %%rsi\n\txor $3, %%rdx\n\txor $4, %%r8\n\txor $5, %%r9\n\t"
		"xor $6, %%r10\n\txor $12, %%r12\n\txor $13, %%r13\n\txor $14, %%r14\n\t"
		"xor $15, %%r15\n\tor %%rdi, %%rbx\n\tor %%rsi, %%rbx\n\tor %%rdx, %%rbx\n\t"
		"or %%r8, %%rbx\n\tor %%r9, %%rbx\n\tor %%r10, %%rbx\n\tor %%r12, %%rbx\n\t"
		"or %%r13, %%rbx\n\tor %%r14, %%rbx\n\tor %%r15, %%rbx\n\tmov %%rbx, %0\n\t"
		"mov %%rcx, %1\n\tmov %%r11, %2\n\tlea 1b(%%rip), %%rax\n\tmov %%rax, %3"
		: "=m"(bad), "=m"(rcx), "=m"(r11), "=m"(rip)
		:
		: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
		  "r14", "r15", "memory", "cc");
	check(!bad);
	check(rcx == rip);
	check((r11 & 0x600) == 0x600 && !(r11 & 0x3000));
}

static void test_processes(void)
{
	char *const argv[] = { "/bin/true", NULL };

	refused(EPERM, SYS_fork);
	refused(EPERM, SYS_vfork);
	refused(EPERM, SYS_clone, SIGCHLD, 0, 0, 0, 0);
	refused(EPERM, SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	refused(EAGAIN, SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
		0x1000, 0, 0, 0);
	refused(ENOSYS, SYS_clone3, 0, 0);
	refused(EPERM, SYS_execve, argv[0], argv, NULL);
	refused(EPERM, SYS_execveat, AT_FDCWD, argv[0], argv, NULL, 0);
	refused(EPERM, SYS_ptrace, 0, 0, 0, 0);
	refused(EPERM, SYS_process_vm_writev, getpid(), 0, 0, 0, 0, 0);
	refused(EINVAL, SYS_seccomp, 0, 0, 0);
	refused(ENOSYS, SYS_rseq, 0, 0, 0, 0);
	refused(ENOSYS, SYS_modify_ldt, 0, 0, 0);
	refused(EPERM, SYS_iopl, 3);
	refused(EINVAL, SYS_prctl, PR_SET_SECCOMP, 1, 0, 0, 0);
	refused(EINVAL, SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, 0);
	refused(EPERM, SYS_prctl, PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0);
	refused(EPERM, SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	refused(EINVAL, SYS_prctl, 9999, 0, 0, 0, 0);
	check(!prctl(PR_SET_NAME, "renamed") && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void test_bases(void)
{
	uint64_t fs = 0, gs = 1, value;

	check(!syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	__asm__("mov %%fs:0, %0" : "=r"(value));
	check(fs && fs == value);
	check(!syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) && gs == 0);
	check(!syscall(SYS_arch_prctl, ARCH_SET_GS, &gs));
	gs = 0x1234;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	check(value == 0x1234);
	check(getpid() > 0 && sched_getcpu() >= 0);
	check(!syscall(SYS_arch_prctl, ARCH_GET_GS, &value) && value == (uint64_t)&gs);
	refused(EPERM, SYS_arch_prctl, ARCH_SET_GS, 0xffffffff80000000);
	refused(EPERM, SYS_arch_prctl, ARCH_SET_FS, 0x7ffffffff000);
	refused(EFAULT, SYS_arch_prctl, ARCH_GET_FS, 8);
	check(syscall(SYS_arch_prctl, 0x1011 /* ARCH_GET_CPUID */, 0) == 1);
	refused(EINVAL, SYS_arch_prctl, 0x3001, 0);
}

static void test_area(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, flags, -1, 0), *hint;

	check(page != MAP_FAILED);
	refused(EPERM, SYS_mmap, AREA, 4096, PROT_READ, flags | MAP_FIXED, -1, 0);
	refused(EPERM, SYS_mmap, AREA, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0);
	refused(EPERM, SYS_mmap, DUNE_AREA_START - 4096, 8192, PROT_READ, flags | MAP_FIXED, -1, 0);
	refused(EPERM, SYS_mmap, DUNE_AREA_END - 1, 4096, PROT_READ, flags | MAP_FIXED, -1, 0);
	refused(EPERM, SYS_munmap, TRAMPOLINE, 4096);
	refused(EPERM, SYS_munmap, 0, DUNE_AREA_START + 1);
	refused(EPERM, SYS_munmap, 4096, -8192ul);
	refused(EPERM, SYS_munmap, 4096, -1ul);
	refused(EPERM, SYS_mprotect, TRAMPOLINE, 4096, PROT_READ | PROT_WRITE);
	refused(EPERM, SYS_pkey_mprotect, TRAMPOLINE, 4096, PROT_READ, -1);
	refused(EINVAL, SYS_pkey_mprotect, page, 4096, PROT_READ, 0);
	refused(ENOSPC, SYS_pkey_alloc, 0, 0);
	refused(EPERM, SYS_madvise, DUNE_RUN_ADDR, 4096, MADV_DONTNEED);
	refused(EPERM, SYS_mremap, TRAMPOLINE, 4096, 8192, MREMAP_MAYMOVE, 0);
	refused(EPERM, SYS_mremap, TRAMPOLINE, 0, 4096, MREMAP_MAYMOVE, 0);
	refused(EPERM, SYS_mremap, page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, AREA);
	refused(EPERM, SYS_mremap, page, 4096, DUNE_AREA_END, MREMAP_MAYMOVE | MREMAP_FIXED, 4096);
	refused(EPERM, SYS_remap_file_pages, TRAMPOLINE, 4096, 0, 0, 0);
	refused(EPERM, SYS_shmat, 0, AREA, 0x4000);
	refused(EPERM, SYS_mlock, TRAMPOLINE, 4096);
	/* As without a hint. */
	for (int i = 0; i < 2; i++) {
		char *old = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, flags, -1, 0);

		*old = 'x';
		hint = (void *)syscall(SYS_mremap, old, 1 << 20, 1 << 20,
				       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, i ? AREA : 0);
		check(hint != MAP_FAILED && (uint64_t)hint >= DUNE_AREA_END &&
		      *(char *)hint == 'x');
		check(!munmap(hint, 1 << 20) && !munmap(old, 1 << 20));
	}
	hint = mmap((void *)0x100000, 4096, PROT_READ, flags, -1, 0);
	check(hint != MAP_FAILED && (uint64_t)hint >= DUNE_AREA_END);
	check(!munmap(hint, 4096) && !munmap(page, 8192));
}

/* The kernel itself can't be made to write where the runtime lives. */
static void test_kernel_writes(void)
{
	int zero = open("/dev/zero", O_RDONLY);
	uint64_t before = *(volatile uint64_t *)TRAMPOLINE;

	check(zero >= 0);
	refused(EFAULT, SYS_read, zero, PRIVATE, 8);
	refused(EFAULT, SYS_read, zero, 0xffffffffc0000000, 8);
	refused(EFAULT, SYS_read, zero, DUNE_RUN_ADDR, 8);
	refused(EFAULT, SYS_read, zero, DUNE_ARGS_ADDR, 8);
	refused(EFAULT, SYS_read, zero, TRAMPOLINE, 8);
	refused(EFAULT, SYS_write, 1, PRIVATE, 8);
	check(*(volatile uint64_t *)TRAMPOLINE == before);
	close(zero);
}

static volatile int signalled;
static sigjmp_buf out;

static void on_signal(int number)
{
	signalled = number;
	siglongjmp(out, 1);
}

#define SIGNALS(number, ...)                           \
	do {                                           \
		signalled = 0;                         \
		if (!sigsetjmp(out, 1))                \
			__asm__ volatile(__VA_ARGS__); \
		check(signalled == (number));          \
	} while (0)

/* Ways into ring 0 that a program might try. */
static void test_privilege(void)
{
	const struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) far = { 0, 0x08 };
	long pid;

	signal(SIGSEGV, on_signal);
	signal(SIGILL, on_signal);
	signal(SIGBUS, on_signal);
	SIGNALS(SIGILL, "vmcall" : : "a"(39), "c"(0) : "memory");
	SIGNALS(SIGILL, "vmcall" : : "a"(0), "c"(DUNE_HC_PANIC) : "memory");
	SIGNALS(SIGSEGV, "lcall *%0" : : "m"(far) : "memory");
	SIGNALS(SIGSEGV, "mov %%rsp, %%rax\n\tpushq $0x10\n\tpush %%rax\n\tpushq $2\n\t"
			 "pushq $8\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\tiretq\n1:"
		:
		:
		: "rax", "memory");
	SIGNALS(SIGSEGV, "mov %%eax, %%ss" : : "a"(0x10));
	SIGNALS(SIGSEGV, "mov %%rax, %%cr3" : : "a"(0));
	SIGNALS(SIGSEGV, "wrmsr" : : "a"(0), "d"(0), "c"(0xc0000082));
	SIGNALS(SIGSEGV, "cli");
	SIGNALS(SIGSEGV, "out %%al, $0x80" : : "a"(0));
	SIGNALS(SIGSEGV, "int $0xf0");
	SIGNALS(SIGSEGV, "int $0x80" : : "a"(20));
	SIGNALS(SIGSEGV, "sysretq");
	SIGNALS(SIGSEGV, "lidt (%0)" : : "r"(&far));
	SIGNALS(SIGSEGV, "jmp *%0" : : "r"(PRIVATE));
	SIGNALS(SIGSEGV, "mov %0, %%rsp\n\tpush %0" : : "r"(0xffffffffc0008000) : "memory");
	/* SYSCALL on a stack that isn't one */
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %1, %%rsp\n\tsyscall\n\tmov %%rbx, %%rsp"
			 : "=a"(pid)
			 : "r"(0xffffffffc0008000), "a"(SYS_getpid)
			 : "rbx", "rcx", "r11", "memory");
	check(pid == getpid());
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static volatile unsigned int steps;
static uint64_t step_at[4];

static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number;
	(void)info;
	if (steps < 4)
		step_at[steps] = regs[REG_RIP];
	if (++steps == 3)
		regs[REG_EFL] &= ~0x100ll;
}

/*
 * Single steps over a system call: the step that SYSCALL begins ends behind the next instruction.
 * (The emulator traps in the middle of SYSCALL, which a native kernel complains about: so this is
 * not among the checks that run natively, too.)
 */
static void test_single_step(void)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	uint64_t start, pid;

	check(!sigaction(SIGTRAP, &action, NULL));
	__asm__ volatile("lea 1f(%%rip), %0\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n"
			 "1:\tmov $39, %%eax\n\tsyscall\n\tnop\n\tnop\n\tnop\n\tnop"
			 : "=&r"(start), "=&a"(pid)
			 :
			 : "rcx", "r11", "memory", "cc");
	check(steps == 3 && pid == (uint64_t)getpid());
	check(step_at[0] == start + 5 && step_at[1] == start + 8 && step_at[2] == start + 9);
}

static void test_brk(void)
{
	char *start = sbrk(0), *at;

	check(start != (void *)-1);
	at = sbrk(1 << 20);
	check(at == start);
	at[0] = at[(1 << 20) - 1] = 1;
	check(sbrk(-(1 << 20)) == start + (1 << 20) && sbrk(0) == start);
}

/* The context fd: found as what /proc/self/fd shows as ours. */
static int context_fd(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64], path[64];
	int fd = -1;

	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%.16s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && memmem(target, n, "dune", 4))
			fd = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void test_fds(void)
{
	int fd = context_fd(), other = open("/dev/null", O_RDWR), high;

	check(fd > 2 && other >= 0);
	refused(EBADF, SYS_close, fd);
	refused(EBADF, SYS_dup, fd);
	refused(EBADF, SYS_dup2, fd, 77);
	refused(EBADF, SYS_dup2, other, fd);
	refused(EBADF, SYS_dup3, other, fd, 0);
	refused(EBADF, SYS_fcntl, fd, F_GETFD, 0);
	refused(EBADF, SYS_ioctl, fd, DUNE_ATTACH, 0);
	refused(EBADF, SYS_lseek, fd, 0, DUNE_RUN);
	high = fcntl(other, F_DUPFD, fd + 1);
	check(high > fd || errno == EINVAL || errno == EMFILE);
	check(!syscall(SYS_close_range, other, ~0u, 0));
	check(fcntl(other, F_GETFD) == -1 && errno == EBADF);
	check(high < 0 || fcntl(high, F_GETFD) == -1);
	refused(EINVAL, SYS_close_range, 5, 4, 0);
	refused(EINVAL, SYS_close_range, 5, 6, 1);
	check(context_fd() == fd);
}

/* A forty-gigabyte scatter: more slices than one table, each touched once. */
static void test_slices(void)
{
	for (uint64_t i = 1; i <= 40; i++) {
		volatile uint64_t *at = mmap((void *)(i * 0x30000000000 + i * 0x40000000), 4096,
					     PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
					     0);

		check(at != MAP_FAILED);
		if (at == MAP_FAILED)
			continue;
		*at = i;
		check(*at == i && !munmap((void *)at, 4096));
	}
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_numbers();
	test_registers();
	test_processes();
	test_bases();
	test_area();
	test_kernel_writes();
	test_privilege();
	test_single_step();
	test_brk();
	test_fds();
	test_slices();
	printf("supervisor: %u checks failed\n", failures);
	return failures ? 1 : 0;
}
