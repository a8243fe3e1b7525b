// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_fail COUNT: the life of a context, COUNT times, with the kernel's first, second, third ... allocation on its
 * behalf failing. Every life ends with a clean error or as it should, and leaves nothing behind.
 */
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

#define EXIT_FAILED 20 /* cleanly */
#define BEYOND	    20 /* the last lives: no allocation was left to fail */

/* A system call through the host, on the guest's own page in private memory, a slice, and the end. */
extern const char guest[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest:	mov $3, %ecx\n" /* DUNE_HC_SLICE */
	"	xor %edi, %edi\n"
	"	vmcall\n"
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

static void fail_nth(int nth)
{
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d", nth) < 0)
		raw_die("fail-nth: %m");
	/* Not closed: the first failure is to be the module's. */
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

static void life(int device, int nth)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = 0, .name = "fail" };
	static const char zeroes[4096];
	struct dune_lock lock = raw_state();
	int fd;

	fail_nth(nth);
	judge(ioctl(device, DUNE_CREATE, &create) ? -errno : 0, "create");
	fd = create.ret_fd;
	judge(raw_attach(fd), "attach");
	judge(raw_map_area(fd), "area");
	/* All the pages that raw_fill writes: it takes no failure. */
	for (uint64_t gpa = RAW_PML4; gpa <= RAW_SCRATCH; gpa += 4096)
		judge(raw_write(fd, gpa, zeroes, 4096), "private write");
	raw_fill(fd, guest, guest_end - guest);
	judge(ioctl(fd, DUNE_LOCK, &lock) ? -errno : 0, "lock");
	raw_go(fd);
}

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0, device = raw_device(), status, failed = 0,
	    last = 0;
	struct dune_info info;

	for (int nth = 1; nth <= count; nth++) {
		pid_t pid = fork();

		if (!pid)
			life(device, nth);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			raw_die("fork: %m");
		if ((WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILED) ||
		    (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)) {
			failed++;
			last = nth;
		} else if (!WIFEXITED(status) || WEXITSTATUS(status) != 5) {
			raw_die("life %d ended with %#x", nth, status);
		}
	}
	if (last > count - BEYOND)
		raw_die("allocation %d still failed: COUNT is too small", last);
	do {
		usleep(10000);
		info = raw_info(device);
	} while (info.contexts);
	printf("raw_fail: %d lives, %d failed cleanly, the last at allocation %d\n", count, failed,
	       last);
	return !failed;
}
