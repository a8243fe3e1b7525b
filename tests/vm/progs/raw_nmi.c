// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * NMIs while a guest runs: `raw_nmi N` has the kernel ask the other CPUs for a backtrace N times, which it does by NMI,
 * while a guest on CPU 1 counts in registers and looks at all of them in each round. Prints `nmi exits: N`.
 */
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include "raw.h"

#define GUEST_CPU  1
#define LEAST_RUNS 10 /* VM entries before the first NMI */
#define PAUSE_US   30000
#define TAKEN_S	   5

/* A user page, where the guest looks for the word to stop. */
#define STOP ((volatile uint64_t *)0x20000000)

/* clang-format off */
#define REGISTERS(X) X(rdx, 1) X(rbx, 2) X(rbp, 3) X(rsi, 4) X(rdi, 5) X(r8, 6) X(r9, 7) X(r10, 8) X(r11, 9) \
	X(r12, 10) X(r13, 11) X(r14, 12) X(r15, 13)
#define FILL(reg, number)  "mov $0x5a5a0000 + " #number ", %" #reg "\n"
#define CHECK(reg, number) "cmp $0x5a5a0000 + " #number ", %" #reg "\n jne 8f\n"

extern const char guest_start[], guest_end[];
__asm__(".pushsection .rodata\n"
	".set SPINS, 500000\n"
	"guest_start:\n"
	"1:	" REGISTERS(FILL)
	"	xor %eax, %eax\n	mov $SPINS, %ecx\n"
	"2:	inc %rax\n		dec %rcx\n		jnz 2b\n"
	"	cmp $SPINS, %rax\n	jne 8f\n"
	REGISTERS(CHECK)
	"	mov $1, %ecx\n		mov $0x20000, %edi\n	mov $0x20000000, %esi\n"
	"	mov $8, %edx\n		vmcall\n"
	"	test %rax, %rax\n	jnz 8f\n"
	"	cmpq $0, 0xffffffff80020000\n			je 1b\n"
	"	xor %edi, %edi\n	jmp 9f\n"
	"8:	mov $1, %edi\n"
	"9:	mov $231, %eax\n	xor %ecx, %ecx\n	vmcall\n"
	"guest_end:\n"
	".popsection\n");
/* clang-format on */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		raw_die("CPU %d: %m", cpu);
}

/* The kernel waits 10 s for a CPU that does not take its NMI. */
static void ask_for_backtraces(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (fd < 0 || write(fd, "l", 1) != 1)
		raw_die("sysrq: %m");
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (end.tv_sec - start.tv_sec >= TAKEN_S)
		raw_die("CPU 1 does not take its NMI");
}

int main(int argc, char **argv)
{
	int device = raw_device(), count = argc > 1 ? atoi(argv[1]) : 0, status;
	struct dune_stats stats;
	pid_t pid;

	if (count < 1)
		raw_die("raw_nmi COUNT");
	if (mmap((void *)STOP, 4096, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		raw_die("mmap: %m");
	pid = fork();
	if (!pid) {
		pin(GUEST_CPU);
		raw_go(raw_setup(device, "nmi", guest_start, guest_end - guest_start));
	}
	pin(!GUEST_CPU);
	while (raw_stats(device, 0).counters[DUNE_COUNT_ENTRIES] < LEAST_RUNS)
		usleep(1000);
	for (int i = 0; i < count; i++) {
		ask_for_backtraces();
		usleep(PAUSE_US);
	}
	stats = raw_stats(device, 0);
	*STOP = 1;
	waitpid(pid, &status, 0);
	printf("nmi exits: %llu\n", (unsigned long long)stats.exits[0]);
	if (stats.state != DUNE_STATE_RUNNING || status)
		raw_die("the guest came to harm: state %u, cause %u, status %#x", stats.state,
			stats.cause, status);
	return 0;
}
