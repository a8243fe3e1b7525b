// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_fail MAX: the life of a context, again and again, with the kernel's first, second, third ... allocation on its
 * behalf failing, until none is left to fail; MAX lives at most. raw_fail load FILE MAX: the same with the life of
 * the module. Every life ends with a clean error or as it should, and leaves nothing behind.
 */
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

#define EXIT_FAILED 20 /* cleanly */
#define EXIT_GUEST  5 /* as it should */
#define SLICE	    0x40000000ul
#define MEMORY	    0x100000000000ul /* at the start of a slice */
#define TOUCHES	    4 /* pages, each in a slice of its own */

/*
 * A page in each of four slots that nothing has been mapped in, private memory, and the end. The slots are used at
 * 0xffffffff80800000: their tables are the module's to make.
 */
#define TOUCH                                                                         \
	"mov $3, %ecx\n mov %r12, %rdi\n vmcall\n" /* DUNE_HC_SLICE */                \
	"or $0x83, %rax\n mov %rax, 0xffffffff80003020\n invlpg 0xffffffff80800000\n" \
	"incl 0xffffffff80800000\n add $0x40000000, %r12\n"

extern const char guest[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest:	movabs $0x100000000000, %r12\n" TOUCH TOUCH TOUCH TOUCH
	"	mov $6, %ecx\n" /* DUNE_HC_PRIVATE_ALLOC */
	"	mov $4, %edi\n"
	"	vmcall\n"
	"	mov $231, %eax\n"
	"	mov $5, %edi\n"
	"	xor %ecx, %ecx\n"
	"	vmcall\n"
	"	ud2\n"
	"guest_end:\n"
	".popsection\n");

/* Shared with the lives: how often each page was touched in this one. */
static volatile uint32_t *touched(unsigned int nr)
{
	return (volatile uint32_t *)(MEMORY + nr * SLICE);
}

static void fail_nth(int nth)
{
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d", nth) < 0)
		raw_die("fail-nth: %m");
	/* Not closed: the first failure is to be the module's. */
}

/* Of a process that has ended and is still there: allocations that it had left before one fails; 0: one has failed. */
static int left_of(pid_t pid)
{
	char path[64];
	FILE *file;
	int left;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%d", &left) != 1)
		raw_die("%s: %m", path);
	fclose(file);
	return left;
}

/* These and no other: an allocation failed. */
static void judge(int error, const char *what)
{
	if (!error)
		return;
	if (error == -ENOMEM || error == -ENFILE)
		_exit(EXIT_FAILED);
	raw_die("%s: %s", what, strerror(-error));
}

/* ---- a context ---- */

static void look(int device)
{
	static struct dune_totals totals;
	static struct dune_stats stats[4];
	struct dune_stats_call stats_call = { .abi = DUNE_ABI_VERSION,
					      .buffer = (uint64_t)stats,
					      .capacity = 4 };
	struct dune_totals_call totals_call = { .abi = DUNE_ABI_VERSION,
						.buffer = (uint64_t)&totals };

	judge(ioctl(device, DUNE_STATS, &stats_call) ? -errno : 0, "stats");
	judge(ioctl(device, DUNE_TOTALS, &totals_call) ? -errno : 0, "totals");
}

static void life(int nth)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = 0, .name = "fail" };
	static const char zeroes[4096];
	struct dune_lock lock = raw_state();
	int device, fd;

	for (int i = 0; i < TOUCHES; i++)
		*touched(i) = 0;
	fail_nth(nth);
	device = open("/dev/dune", O_RDWR | O_CLOEXEC);
	judge(device < 0 ? -errno : 0, "open");
	judge(ioctl(device, DUNE_CREATE, &create) ? -errno : 0, "create");
	fd = create.ret_fd;
	look(device);
	judge(raw_attach(fd), "attach");
	judge(raw_map_area(fd), "area");
	/* All the pages that raw_fill writes: it takes no failure. */
	for (uint64_t gpa = RAW_PML4; gpa <= RAW_SCRATCH; gpa += 4096)
		judge(raw_write(fd, gpa, zeroes, 4096), "private write");
	raw_fill(fd, guest, guest_end - guest);
	judge(ioctl(fd, DUNE_LOCK, &lock) ? -errno : 0, "lock");
	raw_go(fd);
}

/* Waits for a child; its status. */
static int end_of(pid_t pid, int *ret_left)
{
	siginfo_t info;
	int status;

	if (pid < 0 || waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		raw_die("fork: %m");
	*ret_left = left_of(pid);
	if (waitpid(pid, &status, 0) != pid)
		raw_die("waitpid: %m");
	return status;
}

static int contexts(int max)
{
	int failed = 0, at_touch = 0, status, left = 0, nth = 0, touches, device;

	while (!left) {
		pid_t pid;

		if (++nth > max)
			raw_die("allocation %d still failed", max);
		pid = fork();
		if (!pid)
			life(nth);
		status = end_of(pid, &left);
		for (touches = 0; touches < TOUCHES && *touched(touches) == 1; touches++)
			;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) {
			failed++;
			at_touch += touches < TOUCHES;
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILED) {
			failed++;
		} else if (status != EXIT_GUEST << 8 || touches != TOUCHES) {
			raw_die("life %d ended with %#x after %d touches", nth, status, touches);
		}
	}
	device = raw_device();
	while (raw_info(device).contexts)
		usleep(10000);
	printf("raw_fail: %d lives, %d failed cleanly, %d of them at a slot\n", nth, failed,
	       at_touch);
	/* A slot takes two tables; how many allocations come before varies from life to life. */
	return at_touch < TOUCHES || failed <= at_touch;
}

/* ---- the module ---- */

#define TRACING "/sys/kernel/tracing/"
#define MANY	100000 /* allocations */
#define BEYOND	20 /* loads that the module does not fail, after those that it does */

/* What is traced are calls of initialization functions, with their results. */
static void trace_initcalls(void)
{
	int fd = open(TRACING "events/initcall/enable", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		raw_die("tracing: %m");
	close(fd);
}

/* Since the last time; at most a page of it. */
static const char *take_trace(void)
{
	static char text[4096];
	int fd = open(TRACING "trace", O_RDWR | O_CLOEXEC);
	ssize_t size = read(fd, text, sizeof(text) - 1);

	if (size < 0)
		raw_die("trace: %m");
	text[size] = 0;
	close(fd);
	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
	return text;
}

/* EXIT_GUEST when the module was loaded; the initialization's own result, 1 when it was not called. */
static int load(const char *path, int nth, int *ret_left, int *ret_result)
{
	pid_t pid = fork();
	const char *result;
	int status;

	if (!pid) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			raw_die("%s: %m", path);
		fail_nth(nth);
		judge(syscall(SYS_finit_module, fd, "", 0) ? -errno : 0, "finit_module");
		_exit(EXIT_GUEST);
	}
	status = end_of(pid, ret_left);
	result = strstr(take_trace(), " ret=");
	*ret_result = result ? atoi(result + 5) : 1;
	if (!WIFEXITED(status))
		raw_die("load %d ended with %#x", nth, status);
	return WEXITSTATUS(status);
}

static void expect_module(int nth, int there)
{
	if (!there != !!access("/sys/module/dune", F_OK))
		raw_die("load %d: the module is %sthere", nth, there ? "not " : "");
	if (there && syscall(SYS_delete_module, "dune", O_NONBLOCK))
		raw_die("load %d: delete_module: %m", nth);
}

/*
 * From the last allocation of a load back to those before the module's own initialization; not farther, for when the
 * kernel's loader gets no memory it complains itself, with a trace.
 */
static int loads(const char *path, int max)
{
	int left, result, nth, last, failed = 0, beyond = 0;

	trace_initcalls();
	take_trace();
	if (load(path, MANY, &left, &result) != EXIT_GUEST || result)
		raw_die("the module can't be loaded");
	expect_module(MANY, 1);
	last = MANY - left;
	for (nth = last; beyond < BEYOND; nth--) {
		int status = load(path, nth, &left, &result);

		if (status != (result ? EXIT_FAILED : EXIT_GUEST) ||
		    (result < 0 && result != -ENOMEM))
			raw_die("load %d: status %d, result %d", nth, status, result);
		expect_module(nth, status == EXIT_GUEST);
		failed += result < 0;
		beyond = result < 0 || !failed ? 0 : beyond + 1;
		if (last - nth > max)
			raw_die("allocation %d is still the module's", nth);
	}
	printf("raw_fail: %d loads of %d allocations, %d failed in the module, cleanly\n",
	       last - nth, last, failed);
	return failed < 10;
}

int main(int argc, char **argv)
{
	void *memory;

	if (argc == 4 && !strcmp(argv[1], "load"))
		return loads(argv[2], atoi(argv[3]));
	memory = mmap((void *)MEMORY, TOUCHES * SLICE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (memory == MAP_FAILED)
		raw_die("mmap: %m");
	return contexts(argc == 2 ? atoi(argv[1]) : 0);
}
