// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Preloaded into the service by a test: while the file named by GATE exists, waiting for the disk
 * and resolving names last, as they do with a slow disk or a directory that is away. Who does
 * such things in the loop then, ends the service.
 */
#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_US 1000

static void wait_for_gate(void)
{
	const char *gate = getenv("GATE");

	while (gate && access(gate, F_OK) == 0) {
		if (syscall(SYS_gettid) == getpid())
			abort();
		usleep(LOOK_US);
	}
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd)
{
	wait_for_gate();
	return REAL(fsync)(fd);
}

struct passwd *getpwnam(const char *name)
{
	wait_for_gate();
	return REAL(getpwnam)(name);
}

struct group *getgrnam(const char *name)
{
	wait_for_gate();
	return REAL(getgrnam)(name);
}
