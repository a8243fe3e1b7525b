// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_many COUNT: so many contexts one after the other, then so many at once, each attached by a process of its
 * own and run; some end by exit, some by SIGKILL, some are never attached.
 */
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

extern const char guest_exit[], guest_exit_end[], guest_wait[], guest_wait_end[];
__asm__(".pushsection .rodata\n"
	"guest_exit: mov $231, %eax\n mov $5, %edi\n xor %ecx, %ecx\n vmcall\n ud2\n guest_exit_end:\n"
	"guest_wait: mov $34, %eax\n xor %ecx, %ecx\n mov $0x7000, %r11d\n vmcall\n jmp guest_wait\n guest_wait_end:\n"
	".popsection\n");

static pid_t start(int device, const char *code, const char *end)
{
	pid_t pid = fork();

	if (!pid)
		raw_go(raw_setup(device, "many", code, end - code));
	if (pid < 0)
		raw_die("fork: %m");
	return pid;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100, device = raw_device(), status, fds[3];
	pid_t pids[1000];
	struct dune_info info;

	if (count < 1 || count > 1000)
		raw_die("raw_many COUNT");
	for (int i = 0; i < count; i++) {
		pid_t pid = start(device, guest_exit, guest_exit_end);

		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != 5)
			raw_die("context %d ended with %#x", i, status);
	}
	for (int i = 0; i < 3; i++)
		fds[i] = raw_create(device, i, "never-attached");
	for (int i = 0; i < count; i++)
		pids[i] = start(device, guest_wait, guest_wait_end);
	do {
		usleep(10000);
		info = raw_info(device);
	} while (info.vcpus < (unsigned int)count);
	printf("at once: contexts %llu vcpus %llu ept_pages %llu private_pages %llu\n",
	       info.contexts, info.vcpus, info.ept_pages, info.private_pages);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < count; i++)
		waitpid(pids[i], &status, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	printf("created %llu in all\n", raw_info(device).created);
	return 0;
}
