// SPDX-License-Identifier: LGPL-2.1-or-later
/* Replacing a file as a whole; see textfile.h. */
#include "duned/exporter/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

/*
 * The new file's name begins with a dot and does not end in .prom, so that the collector, which may look
 * at any moment, passes over it.
 */
static int temporary_name(const char *path, char name[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) + 1 : 0;
	int length = snprintf(name, PATH_MAX, "%.*s.%s.XXXXXX", folder, path, path + folder);

	if (!path[folder])
		return -EISDIR;
	return length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int textfile_write(const char *path, const char *text, size_t size)
{
	char name[PATH_MAX];
	int fd, r = temporary_name(path, name);

	if (r < 0)
		return r;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, size);
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(name, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(name);
	return r;
}
