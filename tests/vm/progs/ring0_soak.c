// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ring0_soak FD EXITS VIOLATIONS: so many VM exits (hypercalls) and at least so many EPT violations (the host
 * protects and unprotects memory whose pages it has, every byte of which is verified), counted by the
 * module itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <dune/dune.h>
#include "proto/dune_abi.h"

#define NO_HYPERCALL 99
#define PAGES	     512
#define BYTES	     (PAGES * 4096ul)

static long hypercall(long number, long argument)
{
	long result;

	__asm__ volatile("vmcall" : "=a"(result) : "c"(number), "D"(argument) : "rdx", "memory");
	return result;
}

static long count(unsigned int counter)
{
	return hypercall(DUNE_HC_STAT, counter);
}

static int fail(const char *what, unsigned long at)
{
	printf("ring0_soak: %s at %lu\n", what, at);
	return 1;
}

static int violate(unsigned char *memory, unsigned char round)
{
	if (mprotect(memory, BYTES, PROT_READ) || mprotect(memory, BYTES, PROT_READ | PROT_WRITE))
		return fail("mprotect", round);
	for (unsigned long i = 0; i < PAGES; i++) {
		unsigned char *byte = memory + i * 4096 + i;

		if (*byte != (unsigned char)(i + round))
			return fail("wrong byte", i);
		*byte = (unsigned char)(i + round + 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long exits, violations, round = 0;
	unsigned char *memory;
	long start;
	int error;

	if (argc != 4) {
		fprintf(stderr, "usage: ring0_soak FD EXITS VIOLATIONS\n");
		return 2;
	}
	exits = strtoul(argv[2], NULL, 10);
	violations = strtoul(argv[3], NULL, 10);
	memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, BYTES, MADV_NOHUGEPAGE))
		return fail("mmap", BYTES);
	for (unsigned long i = 0; i < PAGES; i++)
		memory[i * 4096 + i] = (unsigned char)i;
	error = dune_enter(atoi(argv[1]));
	if (error)
		return fail(strerror(-error), 0);
	for (unsigned long i = 0; i < exits; i++)
		if (hypercall(NO_HYPERCALL, 0) != -ENOSYS)
			return fail("wrong result", i);
	start = count(DUNE_COUNT_EPT_READ) + count(DUNE_COUNT_EPT_WRITE);
	while (count(DUNE_COUNT_EPT_READ) + count(DUNE_COUNT_EPT_WRITE) - start < (long)violations)
		if (violate(memory, (unsigned char)round++))
			return 1;
	printf("ring0_soak: %ld exits, %ld EPT violations\n", count(DUNE_COUNT_EXITS),
	       count(DUNE_COUNT_EPT_READ) + count(DUNE_COUNT_EPT_WRITE));
	return 0;
}
