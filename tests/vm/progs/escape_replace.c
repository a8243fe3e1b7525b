// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * escape_replace PIECE: a thread on the host covers one page of the area with its own memory (MAP_FIXED) or
 * unmaps it, while another is in the guest: the context ends and the process with it.
 */
#include <pthread.h>
#include "raw.h"

extern const char guest_start[], guest_end[];
__asm__(".pushsection .rodata\nguest_start: sti\n1: pause\n jmp 1b\nguest_end:\n.popsection\n");

static unsigned long target;
static int cover;

static void *replace(void *unused)
{
	usleep(20000);
	if (cover)
		mmap((void *)target, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else
		munmap((void *)target, 4096);
	/* Not reached for long: SIGKILL is on its way. */
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int fd;

	if (argc != 3)
		raw_die("escape_replace cover|unmap ADDRESS");
	cover = !strcmp(argv[1], "cover");
	target = strtoul(argv[2], NULL, 0);
	fd = raw_setup(raw_device(), "replace", guest_start, guest_end - guest_start);
	if (pthread_create(&thread, NULL, replace, NULL))
		raw_die("pthread_create");
	raw_go(fd);
}
