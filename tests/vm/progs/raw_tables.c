// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A guest in ring 0 whose page tables lie in its process's memory, while another thread rewrites them all the time
 * and drops the pages they name: pointers to each other, to themselves, to private memory, with reserved bits.
 * As long as the guest's own code stays mapped it gets nothing but page faults; when that goes, or a pointer to no
 * memory is among them, its context ends with the cause. Either way the host has seen nothing.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "raw_engine.h"

#define MEMORY \
	0x100000000000ul /* 2 MB, at the start of a slice: its pages 0 to 3 are a table of each level */
#define SLOT	   0x40000000ull /* where the first slice lies */
#define SIZE	   0x200000ul
#define DATA	   8 /* first page that is no table */
#define ITERATIONS 3000
#define ROUNDS	   6
#define FAULT	   14 /* vector */

static int device, failures;
static uint32_t *results; /* shared with the guest's process */

/*
 * CR3 becomes what the process wrote; then two loads or locked stores at random below 1 GB. The engine puts its own
 * CR3 back, whatever ends a round.
 */
ENGINE_ROW(walk, "mov $3, %ecx\n movabs $0x100000000000, %rdi\n vmcall\n mov %rax, %cr3\n"
		 "rdtsc\n mov %eax, %r12d\n mov $2, %r13d\n"
		 "1: imul $1103515245, %r12d, %r12d\n add $12345, %r12d\n"
		 "mov %r12d, %edx\n and $0x3ffffff8, %edx\n bt $30, %r12d\n jc 2f\n"
		 "mov (%rdx), %rax\n jmp 3f\n 2: lock orq $0, (%rdx)\n"
		 "3: dec %r13d\n jnz 1b");

/* ---- the thread ---- */

static uint32_t below(uint32_t limit)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % limit;
}

/* Names memory that there is, or nothing. */
static uint64_t harmless(unsigned int level)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return (SLOT + below(4) * 4096) | 3; /* a table, itself perhaps */
	case 2:
		return RAW_SCRATCH | 3; /* private memory */
	case 3:
		return SLOT | 3 | 1ull << (40 + below(12)); /* wider than physical addresses */
	case 4:
		return level == 2 ? SLOT | 0x83 : (SLOT + DATA * 4096) | 1;
	default:
		return (SLOT + (level ? 4 - level : DATA + below(64)) * 4096) | 3;
	}
}

static uint64_t hostile(void)
{
	static const uint64_t values[] = { DUNE_GPA_RUN | 7, DUNE_GPA_ARGS | 7,
					   0x1000000 | 7,    0xfffffff000 | 7,
					   0x80000000 | 7,   DUNE_PRIVATE_END | 7,
					   0x80000087,	     ~0ull,
					   0x1000 | 7 };

	return values[below(sizeof(values) / sizeof(*values))];
}

static volatile int bad;

static void *rewrite(void *unused)
{
	volatile uint64_t *tables = (uint64_t *)MEMORY;

	for (unsigned int n = 0;; n++) {
		unsigned int level = 1 + below(3), page = 4 - level;
		/* Where the guest looks: two entries below 1 GB at the upper level, all of the others. */
		unsigned int entry = level == 3 ? 0 : below(512);

		tables[page * 512 + entry] = harmless(level);
		if (bad && n > 2000)
			tables[below(4) * 512 + below(512)] = hostile();
		if (!(n & 255))
			madvise((void *)(MEMORY + DATA * 4096), SIZE - DATA * 4096, MADV_DONTNEED);
		/* On one CPU: the guest has its turn, too. */
		if (!(n & 4095))
			sched_yield();
	}
	return NULL;
}

static void prepare(void)
{
	uint64_t *tables = mmap((void *)MEMORY, SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (tables == MAP_FAILED)
		raw_die("mmap: %m");
	madvise(tables, SIZE, MADV_NOHUGEPAGE);
	tables[0] = (SLOT + 4096) | 3;
	tables[511] = RAW_PDPT | 3;
	tables[512] = (SLOT + 2 * 4096) | 3;
	for (int i = 0; i < 512; i++) {
		tables[2 * 512 + i] = (SLOT + 3 * 4096) | 3;
		tables[3 * 512 + i] = (SLOT + (DATA + i % 64) * 4096) | 3;
	}
}

/* ---- verdicts ---- */

static void run_guest(int fd)
{
	struct engine_entry entry = engine_entry(row_walk, 0, 0, ITERATIONS);
	pthread_t thread;

	if (raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	prepare();
	engine_fill(fd, &entry, 1, results, ITERATIONS);
	if (engine_lock(fd) || pthread_create(&thread, NULL, rewrite, NULL))
		raw_die("lock: %m");
	raw_go(fd);
}

static void check_results(void)
{
	unsigned int fine = 0, faults = 0;

	for (int i = 0; i < ITERATIONS; i++) {
		fine += results[i] == ENGINE_OK;
		faults += (results[i] & 0xff) == FAULT;
		if (results[i] != ENGINE_OK && (results[i] & 0xff) != FAULT) {
			failures++;
			printf("round %d ended with %#x\n", i, results[i]);
		}
	}
	printf("%u came through, %u faulted\n", fine, faults);
	failures += !fine || !faults;
}

static struct dune_report end_of(uint64_t id)
{
	struct dune_report report = { .abi = DUNE_ABI_VERSION, .id = id };

	if (ioctl(device, DUNE_REPORT, &report))
		raw_die("report: %m");
	return report;
}

static void one_round(void)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION };
	struct dune_report report;
	int status;

	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	if (!fork())
		run_guest(create.ret_fd);
	wait(&status);
	report = end_of(create.ret_id);
	if (!bad && status) {
		failures++;
		printf("status %#x, cause %u\n", status, report.cause);
	}
	/* A page fault that the kernel makes a signal, or an end of the guest's own making. */
	if (bad && status != SIGSEGV && status != SIGBUS &&
	    (status != SIGKILL ||
	     (report.cause != DUNE_END_TRIPLE_FAULT && report.cause != DUNE_END_BAD_GPA))) {
		failures++;
		printf("hostile: status %#x, cause %u, gpa %#llx\n", status, report.cause,
		       report.guest_physical);
	}
	close(create.ret_fd);
}

int main(void)
{
	device = raw_device();
	results = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	one_round();
	check_results();
	bad = 1;
	for (int n = 0; n < ROUNDS; n++)
		one_round();
	printf("%d failures\n", failures);
	return !!failures;
}
