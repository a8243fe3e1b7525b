// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the doctor's checks share: reading small files, and noting what was found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "dunectl/doctor.h"

int doctor_path(const struct doctor *doctor, const char *path, char *buffer, size_t size)
{
	int length = snprintf(buffer, size, "%s%s", doctor->root, path);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int doctor_read(const struct doctor *doctor, const char *path, char *buffer, size_t size)
{
	size_t used = 0;
	char full[4096];
	ssize_t got = 0;
	int fd, r;

	r = doctor_path(doctor, path, full, sizeof(full));
	if (r < 0)
		return r;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		got = read(fd, buffer + used, size - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	r = got < 0 ? -errno : (int)used;
	close(fd);
	buffer[used] = '\0';
	return r;
}

void doctor_note(struct doctor_finding *finding, enum doctor_state state, const char *format, ...)
{
	va_list arguments;

	finding->state = state;
	va_start(arguments, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
	va_end(arguments);
}

void doctor_hint(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->hint, sizeof(finding->hint), format, arguments);
	va_end(arguments);
}
