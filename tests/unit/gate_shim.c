// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Preloaded into the service by a test: while the file named by GATE exists, waiting for the disk
 * and resolving names last, as they do with a slow disk or a directory that is away. Who does
 * such things in the loop then, ends the service. While there is a file of that name with ".eio" after
 * it, the disk does not take folders; with ".names", users can't be looked up. Also says which mode a
 * socket is made with.
 */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_US 1000

/* The file that the test makes, with this after its name. */
static bool is_there(const char *suffix)
{
	const char *gate = getenv("GATE");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", gate ? gate : "", suffix);
	return gate && access(path, F_OK) == 0;
}

static void wait_for_gate(void)
{
	while (is_there("")) {
		if (syscall(SYS_gettid) == getpid())
			abort();
		usleep(LOOK_US);
	}
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool folder_fails(int fd)
{
	struct stat status;

	return is_there(".eio") && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

int fsync(int fd)
{
	wait_for_gate();
	if (folder_fails(fd)) {
		errno = EIO;
		return -1;
	}
	return REAL(fsync)(fd);
}

struct passwd *getpwnam(const char *name)
{
	wait_for_gate();
	if (is_there(".names")) {
		errno = EIO;
		return NULL;
	}
	return REAL(getpwnam)(name);
}

struct group *getgrnam(const char *name)
{
	wait_for_gate();
	return REAL(getgrnam)(name);
}

/* What a socket's mode is before anybody could change it. */
int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	int r = REAL(bind)(fd, address, size);
	const char *path = ((const struct sockaddr_un *)address)->sun_path;
	struct stat status;

	if (!r && address->sa_family == AF_UNIX && stat(path, &status) == 0)
		fprintf(stderr, "%s is bound with mode %o\n", path, status.st_mode & 0777);
	return r;
}
