// SPDX-License-Identifier: LGPL-2.1-or-later
/* Atomic writes; see state.h. */
#include "duned/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int write_all(int fd, const char *text, size_t size_bytes)
{
	while (size_bytes) {
		ssize_t n = write(fd, text, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* The folder that a path's last component is in. */
static int open_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return -ENAMETOOLONG;
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int state_write(const char *path, const char *text, size_t size_bytes, int *ret_unsure)
{
	int folder __attribute__((cleanup(close_fd))) = open_folder(path), r;
	int fd __attribute__((cleanup(close_fd))) = -1;
	char temporary[PATH_MAX];

	if (folder < 0)
		return folder;
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, size_bytes);
	if (!r && (fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	/*
	 * Only now it is sure that the name leads to the new content after a crash. If not, that is no
	 * failure: everybody who opens the file finds the new content, and a disk that fails here would
	 * hardly take the old one back.
	 */
	*ret_unsure = fsync(folder) < 0 ? -errno : 0;
	return 0;
}
