// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A guest with interrupts off that makes nothing but direct calls (direct_calls=Y). The host's interrupts wait
 * meanwhile, so the module makes LIMIT in a row at most; then one goes by the trampoline, where they come on.
 */
#include <sys/wait.h>
#include "raw_engine.h"

#define LIMIT  256
#define ROUNDS 40
#define CALLS  10280 /* in the guest, too: ROUNDS * (LIMIT + 1) */

/* getpid, CALLS times; then exit_group(0), or 1 when a signal came, which nobody sends. */
ENGINE_ROW(getpids, "mov $10280, %ebx\n mov 0xffffffff80030070, %r12\n"
		    "1: mov $39, %eax\n xor %ecx, %ecx\n mov %r12, %r11\n vmcall\n"
		    "mov $1, %edi\n test %rcx, %rcx\n jnz 2f\n dec %ebx\n jnz 1b\n xor %edi, %edi\n"
		    "2: mov $231, %eax\n xor %ecx, %ecx\n mov %r12, %r11\n vmcall");

static void run_guest(int fd)
{
	static char stack[1 << 16];

	if (raw_attach(fd))
		raw_die("attach");
	engine_setup(fd, row_getpids, (uint64_t)stack + sizeof(stack) - 64);
	raw_go(fd);
}

int main(void)
{
	int device = raw_device(), fd = raw_create(device, 0, "direct"), status;
	struct dune_stats stats;
	uint64_t direct, others;

	_Static_assert(CALLS == ROUNDS * (LIMIT + 1), "a whole number of rounds");
	if (!fork())
		run_guest(fd);
	wait(&status);
	stats = raw_stats(device, 0);
	direct = stats.counters[DUNE_COUNT_DIRECT];
	others = stats.counters[DUNE_COUNT_SYSCALLS] - 1; /* exit_group */
	printf("status %#x, %lu direct calls, %lu others\n", status, direct, others);
	return status || direct + others != CALLS || others < ROUNDS || others > CALLS / 10;
}
