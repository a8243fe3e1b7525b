// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies standard input to port 0xE9: the emulator prints it, and tests/bench/profile reads there
 * where the functions of kernel and module are. Root only.
 */
#include <stdio.h>
#include <sys/io.h>
#include <unistd.h>

#define DEBUG_PORT 0xe9

int main(void)
{
	static char buffer[65536];
	const char *at;
	ssize_t count;

	if (ioperm(DEBUG_PORT, 1, 1)) {
		perror("ioperm");
		return 1;
	}
	while ((count = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		at = buffer;
		__asm__ volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(DEBUG_PORT) : "memory");
	}
	return count < 0;
}
