// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a fork can take along: MADV_DOFORK undoes VM_DONTCOPY on the run and argument pages. The child's copies must
 * be dead (SIGBUS), and unmapping them must not end the parent's context. Then the fd is closed while the process
 * stays attached: the module can't be unloaded under it (the caller tries).
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

static sigjmp_buf back;

static void on_bus(int sig)
{
	siglongjmp(back, sig);
}

static int readable(unsigned long address)
{
	if (sigsetjmp(back, 1))
		return 0;
	*(volatile char *)address;
	return 1;
}

int main(void)
{
	int device = raw_device(), status, fd;
	static const char code[] = { 0x0f, 0x0b };

	signal(SIGBUS, on_bus);
	signal(SIGSEGV, on_bus);
	fd = raw_setup(device, "fork", code, sizeof(code));
	if (!readable(DUNE_RUN_ADDR) || !readable(DUNE_ARGS_ADDR))
		raw_die("the parent's own pages are not readable");
	if (!madvise((void *)DUNE_TRAMPOLINE_ADDR, 4096, MADV_DOFORK))
		raw_die("the trampoline can be forked");
	madvise((void *)DUNE_RUN_ADDR, 4096, MADV_DOFORK);
	madvise((void *)DUNE_ARGS_ADDR, 4096, MADV_DOFORK);
	if (!fork()) {
		if (readable(DUNE_RUN_ADDR) || readable(DUNE_ARGS_ADDR))
			_exit(1);
		munmap((void *)DUNE_RUN_ADDR, 4096);
		munmap((void *)DUNE_ARGS_ADDR, 4096);
		_exit(0);
	}
	wait(&status);
	if (status)
		raw_die("the child got at its parent's pages: %#x", status);
	if (!readable(DUNE_RUN_ADDR))
		raw_die("the parent lost its run page");
	close(fd);
	close(device);
	puts("attached");
	fflush(stdout);
	pause();
	return 0;
}
