// SPDX-License-Identifier: LGPL-2.1-or-later
/* Attaches without mapping anything, closes every descriptor and waits: only the mm holds the context. */
#include "raw.h"

int main(void)
{
	int device = raw_device(), fd = raw_create(device, getuid(), "bare");

	if (raw_attach(fd))
		raw_die("attach");
	close(fd);
	close(device);
	puts("attached");
	fflush(stdout);
	pause();
	return 0;
}
