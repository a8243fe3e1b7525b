// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sparse: an ordinary program that touches one byte in every 2 MB of 1 GB, three times over, and verifies what it
 * wrote: as many EPT tables as bytes. `sparse hold` waits for a line of input in between.
 */
#include <stdio.h>
#include <sys/mman.h>

#define SIZE	(1ul << 30)
#define STEP	(2ul << 20)

int main(int argc, char **argv)
{
	for (int round = 0; round < 3; round++) {
		unsigned char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (m == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		for (unsigned long at = 0; at < SIZE; at += STEP)
			m[at] = at / STEP + round;
		if (argc > 1) {
			puts("sparse: written");
			fflush(stdout);
			while (getchar() != '\n')
				;
		}
		for (unsigned long at = 0; at < SIZE; at += STEP)
			if (m[at] != (unsigned char)(at / STEP + round)) {
				printf("wrong byte at %#lx in round %d\n", at, round);
				return 1;
			}
		munmap(m, SIZE);
	}
	puts("sparse: verified");
	return 0;
}
