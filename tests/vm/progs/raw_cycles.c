// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_cycles COUNT: so many times a process that makes a context, attaches, runs a guest and exits; several at a
 * time, since each waits for an SRCU grace period when it ends. Afterwards nothing is left of them.
 */
#include <sys/wait.h>
#include <time.h>
#include "raw.h"

#define AT_ONCE 64

extern const char guest_exit[], guest_exit_end[];
__asm__(".pushsection .rodata\n"
	"guest_exit: mov $231, %eax\n mov $5, %edi\n xor %ecx, %ecx\n vmcall\n ud2\n guest_exit_end:\n"
	".popsection\n");

static void start(int device)
{
	pid_t pid = fork();

	if (!pid)
		raw_go(raw_setup(device, "cycle", guest_exit, guest_exit_end - guest_exit));
	if (pid < 0)
		raw_die("fork: %m");
}

static void reap(long cycle)
{
	int status;

	if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 5)
		raw_die("cycle %ld ended with %#x", cycle, status);
}

int main(int argc, char **argv)
{
	long count = argc == 2 ? atol(argv[1]) : 0;
	int device = raw_device();
	struct dune_info info, before = raw_info(device);

	for (long i = 0; i < count; i++) {
		start(device);
		if (i >= AT_ONCE - 1)
			reap(i);
	}
	for (long i = 1; i < AT_ONCE && i <= count; i++)
		reap(count);
	do {
		usleep(10000);
		info = raw_info(device);
	} while (info.contexts);
	printf("raw_cycles: %llu cycles\n", info.created - before.created);
	return 0;
}
