// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two things at once: calls from two sides, and what can befall a thread in RUN: its memory dropped, unmapped or
 * copied by a fork, its fd closed, signals, a tracer, SIGKILL at any moment. raw_race [ROW]. What has to come of
 * each is a row's signal; the case looks for what was left behind.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "raw_engine.h"

#define SLICE  0x40000000ul
#define MEMORY 0x100000000000ul /* at the start of a slice, as the guests' tables want it */
#define ROUNDS 200
#define MOVES  2000 /* as in the guest */

static int device, fd, failures;
static char *memory; /* two pages, 1 GB apart */

static uint32_t below(uint32_t limit)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % limit;
}

/* ---- guests ---- */

/* D + 0x70 is the address of the memory; what is mapped for it is at 0xffffffff80800000. */
#define MAP_SLOT                                                                      \
	"or $0x83, %rax\n mov %rax, 0xffffffff80003020\n invlpg 0xffffffff80800000\n" \
	"mov 0xffffffff80030070, %rdx\n and $0x1ff000, %edx\n add $0xffffffff80800000, %rdx\n"

ENGINE_ROW(spin, "1: jmp 1b");
ENGINE_ROW(touch, "mov $3, %ecx\n mov 0xffffffff80030070, %rdi\n vmcall\n" MAP_SLOT
		  "1: lock addl $1, (%rdx)\n jmp 1b");
/* A slot handed to and fro between the two pages' slices, and used each time. */
ENGINE_ROW(move, "mov 0xffffffff80030070, %r12\n mov $3, %ecx\n mov %r12, %rdi\n vmcall\n"
		 "lea 0x40000000(%r12), %r13\n"
		 "1: mov $8, %ecx\n mov %r13, %rdi\n mov %r12, %rsi\n vmcall\n"
		 "cmp $0, %rax\n jl 2f\n xchg %r12, %r13\n" MAP_SLOT
		 "lock addl $1, (%rdx)\n jmp 1b\n 2: ud2");
/* The same a number of times; then it says so, at 8 in either page, and waits. */
ENGINE_ROW(move_count, "mov 0xffffffff80030070, %r12\n mov $3, %ecx\n mov %r12, %rdi\n vmcall\n"
		       "lea 0x40000000(%r12), %r13\n mov $2000, %r14d\n"
		       "1: mov $8, %ecx\n mov %r13, %rdi\n mov %r12, %rsi\n vmcall\n"
		       "cmp $0, %rax\n jl 2f\n xchg %r12, %r13\n" MAP_SLOT
		       "lock addl $1, (%rdx)\n dec %r14d\n jnz 1b\n"
		       "movl $1, 8(%rdx)\n 3: jmp 3b\n 2: ud2");
/* The same, but nothing is mapped where it writes. */
ENGINE_ROW(stray, "mov 0xffffffff80030070, %r12\n mov $3, %ecx\n mov %r12, %rdi\n vmcall\n"
		  "lea 0x40000000(%r12), %r13\n"
		  "1: mov $8, %ecx\n mov %r13, %rdi\n mov %r12, %rsi\n vmcall\n"
		  "cmp $0, %rax\n jl 2f\n xchg %r12, %r13\n" MAP_SLOT
		  "lock addl $1, 0xf000(%rdx)\n jmp 1b\n 2: ud2");
/* Its bad arguments: no such slot, addresses of nobody; then exit_group(0). */
ENGINE_ROW(move_bad, "mov $8, %ecx\n mov $0x1000, %edi\n mov $0x40000000, %esi\n vmcall\n"
		     "cmp $-2, %rax\n jne 1f\n"
		     "mov $8, %ecx\n mov $-1, %rdi\n mov $0x1000, %esi\n vmcall\n"
		     "cmp $-14, %rax\n jne 1f\n"
		     "mov $8, %ecx\n mov $0x1000, %edi\n mov $-1, %rsi\n vmcall\n"
		     "cmp $-14, %rax\n jne 1f\n"
		     "mov $8, %ecx\n mov $0x1000, %edi\n movabs $0x7ffffffff000, %rsi\n vmcall\n"
		     "cmp $-14, %rax\n jne 1f\n"
		     "mov $3, %ecx\n mov $0x1000, %edi\n vmcall\n mov %rax, %r12\n"
		     "mov $8, %ecx\n mov $0x2000, %edi\n mov $0x1000, %esi\n vmcall\n"
		     "cmp %rax, %r12\n jne 1f\n"
		     "xor %edi, %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall\n"
		     "1: mov $1, %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall");

/* Writes how often it has been round into word after word, without a single exit of its own. */
ENGINE_ROW(passes, "mov $3, %ecx\n mov 0xffffffff80030070, %rdi\n vmcall\n" MAP_SLOT
		   "xor %eax, %eax\n 1: inc %rax\n mov %rdx, %rdi\n mov $512, %ecx\n"
		   "2: mov %rax, (%rdi)\n add $64, %rdi\n dec %ecx\n jnz 2b\n jmp 1b");

/* ---- what the other thread does meanwhile; the process's end is awaited elsewhere ---- */

static void drop(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		madvise(memory + (i & 1) * SLICE, 4096, MADV_DONTNEED);
		usleep(below(200));
	}
	kill(getpid(), SIGTERM);
}

/* Both count in the same two words: nothing may be lost, or be counted elsewhere. */
static void count(void)
{
	volatile unsigned int *a = (void *)memory, *b = (void *)(memory + SLICE);

	for (int i = 0; i < MOVES; i++) {
		__atomic_fetch_add(i & 1 ? a : b, 1, __ATOMIC_SEQ_CST);
		if (!(i & 15))
			usleep(below(20));
	}
	while (!a[2] && !b[2])
		usleep(100);
	_exit(*a + *b != 2 * MOVES);
}

static void unmap(void)
{
	usleep(below(20000));
	munmap(memory, 4096);
	munmap(memory + SLICE, 4096);
}

static void shut(void)
{
	usleep(below(20000));
	close(fd);
	/* An exit that needs the host's page table gets the thread back to its trampoline. */
	madvise(memory, 4096, MADV_DONTNEED);
	for (;;)
		usleep(1000);
}

static void area(void)
{
	usleep(below(20000));
	munmap((void *)DUNE_RUN_ADDR, 4096);
}

static void wait_here(void)
{
	pause();
}

/* ---- forks ---- */

#define FORKS	    20
#define WORDS	    512 /* of the guest's, 64 bytes apart: eight pages */
#define FORK_MIDST  1 /* the copy is of the midst of a pass: how a child ends well, as by 0 */
#define FORK_TORN   2 /* its words are of no one moment */
#define FORK_SHARED 3 /* the guest goes on writing to it */

static uint64_t word(unsigned int i)
{
	return *(volatile uint64_t *)(memory + 64 * i);
}

/* Until the guest has been round twice more, so that it has written to every page. */
static void await_passes(void)
{
	uint64_t passes = word(WORDS - 1) + 2;

	for (int i = 0; i < 5000 && word(WORDS - 1) < passes; i++)
		usleep(1000);
	if (word(WORDS - 1) < passes)
		raw_die("the guest does not go on");
}

/*
 * The child: it has the words as they were when nobody could write, and its parent's guest does not reach them. That
 * writes them in their order, so none is newer than the one before it, nor the last more than a pass older.
 */
static void look_twice(void)
{
	static uint64_t first[WORDS];

	for (int i = 0; i < WORDS; i++)
		first[i] = word(i);
	raise(SIGSTOP);
	for (int i = 0; i < WORDS; i++) {
		if (word(i) != first[i])
			_exit(FORK_SHARED);
		if (first[i] > first[i ? i - 1 : 0] || first[0] - first[i] > 1) {
			dprintf(2, "%lu at first, %lu before word %d, %lu there\n", first[0],
				first[i ? i - 1 : 0], i, first[i]);
			_exit(FORK_TORN);
		}
	}
	_exit(first[0] == first[WORDS - 1] ? 0 : FORK_MIDST);
}

static void fork_often(int advice)
{
	int status, nr_midst = 0;

	/* The guest has it written again, in pages of the size that is wanted. */
	madvise(memory, 0x200000, advice);
	madvise(memory, 0x200000, MADV_DONTNEED);
	await_passes();
	for (int n = 0; n < FORKS; n++) {
		pid_t pid;

		await_passes();
		usleep(below(2000));
		pid = fork();
		if (!pid)
			look_twice();
		if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
			raw_die("fork %d: status %#x", n, status);
		await_passes();
		kill(pid, SIGCONT);
		if (waitpid(pid, &status, 0) != pid || (status && status != FORK_MIDST << 8))
			raw_die("fork %d: status %#x", n, status);
		nr_midst += !!status;
	}
	if (!nr_midst)
		raw_die("no fork of %d came in the midst of a pass", FORKS);
	_exit(0);
}

static void fork_small(void)
{
	fork_often(MADV_NOHUGEPAGE);
}

static void fork_huge(void)
{
	fork_often(MADV_HUGEPAGE);
}

static void *other_thread(void *act)
{
	((void (*)(void))act)();
	return NULL;
}

/* ---- what another process does to it ---- */

static void storm(pid_t pid)
{
	static const int signals[] = { SIGUSR1, SIGSTOP, SIGCONT, SIGUSR2, SIGCHLD, SIGWINCH };

	for (int i = 0; i < 5 * ROUNDS; i++)
		kill(pid, signals[below(6)]);
	kill(pid, SIGKILL);
	kill(pid, SIGCONT);
}

static void trace(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		raw_die("PTRACE_SEIZE: %m");
	for (int i = 0; i < ROUNDS; i++) {
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			raw_die("the tracee ended with status %#x", status);
		ptrace(PTRACE_CONT, pid, 0, 0);
		usleep(below(300));
	}
	kill(pid, SIGKILL);
}

static void kill_soon(pid_t pid)
{
	usleep(below(3000));
	kill(pid, SIGKILL);
}

/* clang-format off */
static const struct row {
	const char *name, *guest;
	void (*thread)(void);
	void (*process)(pid_t pid);
	int rounds, sig;
} rows[] = {
	{ "slice_move, bad", row_move_bad, wait_here, NULL, 1, 0 },
	{ "slice_move, count", row_move_count, count, NULL, 3, 0 },
	{ "slice_move, drop", row_move, drop, NULL, 3, SIGTERM },
	{ "slice_move, unmap", row_move, unmap, NULL, 5, SIGSEGV },
	{ "slice_move, stray", row_stray, unmap, NULL, 5, SIGSEGV },
	{ "passes, fork", row_passes, fork_small, NULL, 1, 0 },
	{ "passes, fork of a huge page", row_passes, fork_huge, NULL, 1, 0 },
	{ "touch, drop", row_touch, drop, NULL, 3, SIGTERM },
	{ "touch, unmap", row_touch, unmap, NULL, 5, SIGSEGV },
	{ "touch, close", row_touch, shut, NULL, 5, SIGILL },
	{ "touch, area", row_touch, area, NULL, 5, SIGKILL },
	{ "spin, area", row_spin, area, NULL, 5, SIGKILL },
	{ "touch, signals", row_touch, wait_here, storm, 3, SIGKILL },
	{ "touch, tracer", row_touch, wait_here, trace, 2, SIGKILL },
	{ "spin, tracer", row_spin, wait_here, trace, 2, SIGKILL },
	{ "touch, kill", row_touch, wait_here, kill_soon, 40, SIGKILL },
};
/* clang-format on */

static void run_guest(const struct row *row)
{
	pthread_t thread;

	if (raw_attach(fd))
		raw_die("attach");
	engine_setup(fd, row->guest, (uint64_t)memory);
	if (pthread_create(&thread, NULL, other_thread, (void *)row->thread))
		raw_die("pthread_create");
	raw_go(fd);
}

static void one_round(const struct row *row)
{
	int status;
	pid_t pid;

	fd = raw_create(device, 0, "race");
	pid = fork();
	if (!pid)
		run_guest(row);
	if (row->process) {
		if (row->process != kill_soon)
			usleep(20000);
		row->process(pid);
	}
	if (waitpid(pid, &status, 0) != pid || (status & 0x7f) != row->sig || status >> 8) {
		failures++;
		printf("%s: status %#x, not signal %d\n", row->name, status, row->sig);
	}
	close(fd);
}

/* ---- the same call from two sides ---- */

static void *lock_twice(void *ret)
{
	*(int *)ret = raw_lock(fd);
	return NULL;
}

static void race_lock(void)
{
	int results[2];
	pthread_t thread;

	if (raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	raw_fill(fd, row_spin, 16);
	pthread_create(&thread, NULL, lock_twice, &results[0]);
	lock_twice(&results[1]);
	pthread_join(thread, NULL);
	exit(!((results[0] == 0 && results[1] == -EBUSY) ||
	       (results[1] == 0 && results[0] == -EBUSY)));
}

static void race_attach(void)
{
	int status, won = 0;

	for (int i = 0; i < 2; i++)
		if (!fork()) {
			int err = raw_attach(fd);

			exit(err ? -err : 0);
		}
	for (int i = 0; i < 2; i++) {
		wait(&status);
		won += status == 0;
		if (status && WEXITSTATUS(status) != EEXIST)
			exit(2);
	}
	exit(won != 1);
}

/* Neither ATTACH nor exec cares when; the program that is executed has no context. */
static void race_exec(void)
{
	char *const argv[] = { "raw_info", NULL };

	if (raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	freopen("/dev/null", "w", stdout);
	execv("/progs/raw_info", argv);
	exit(3);
}

static void race(const char *name, void (*run)(void))
{
	int status;

	for (int i = 0; i < 20; i++) {
		fd = raw_create(device, 0, "pair");
		if (!fork())
			run();
		wait(&status);
		if (status) {
			failures++;
			printf("%s: status %#x\n", name, status);
		}
		close(fd);
	}
}

/* A row's rounds. */
static void run_row(const struct row *row)
{
	for (int n = 0; n < row->rounds; n++)
		one_round(row);
	printf("%s: done\n", row->name);
}

int main(int argc, char **argv)
{
	device = raw_device();
	setvbuf(stdout, NULL, _IOLBF, 0);
	memory = mmap((void *)MEMORY, SLICE + 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (argc < 2 || !strcmp(argv[1], rows[i].name))
			run_row(&rows[i]);
	if (argc < 2) {
		race("two LOCKs", race_lock);
		race("two ATTACHs", race_attach);
		race("ATTACH and exec", race_exec);
	}
	printf("%d failures\n", failures);
	return !!failures;
}
