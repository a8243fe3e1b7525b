// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * work: an ordinary program that computes, makes system calls and maps memory until it is killed, and says `work: N
 * rounds` from time to time; anything that is not as it should be ends it with `work: wrong`.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES 64
#define ROUNDS 5
#define SPINS 100000

int main(void)
{
	long pid = getpid();
	double sum = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned long round = 1;; round++) {
		unsigned char *memory = mmap(NULL, PAGES * 4096ul, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int wrong = memory == MAP_FAILED;

		/* Long enough without an exit of its own that it is preempted in guest mode. */
		for (volatile int i = 0; i < SPINS; i++)
			;

		for (int i = 0; i < PAGES && !wrong; i++) {
			memset(memory + i * 4096, i + (int)round, 4096);
			wrong |= syscall(SYS_getpid) != pid;
			sum += 0.5;
		}
		for (int i = 0; i < PAGES * 4096 && !wrong; i += 64)
			wrong |= memory[i] != (unsigned char)(i / 4096 + round);
		wrong |= sum != (double)round * PAGES / 2;
		if (wrong || munmap(memory, PAGES * 4096ul)) {
			printf("work: wrong in round %lu\n", round);
			return 1;
		}
		if (round % ROUNDS == 0)
			printf("work: %lu rounds\n", round);
	}
}
