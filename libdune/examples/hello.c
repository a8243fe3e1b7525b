// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that enters guest ring 0 and proves it: reads what only ring 0 can read, handles its
 * own invalid instruction and page fault without a VM exit, and goes on with libc as before.
 *
 *   hello [FD]     FD: a context fd; without it duned is asked for a context
 */
#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <dune/client.h>
#include <dune/dune.h>

/* An address that no page table of ours maps. */
#define NOWHERE ((volatile char *)0xffff900000000000)
/* Timer interrupts exit too: a fault counts as handled without an exit when one try had none. */
#define TRIES	50

static volatile unsigned int traps;
static volatile uint64_t fault_address;
static jmp_buf out;

static int fail(const char *what, int error)
{
	fprintf(stderr, "hello: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return 1;
}

/* UD2 is two bytes: step over it. */
static void on_invalid(struct dune_trap *trap)
{
	traps++;
	trap->regs.rip += 2;
}

/* Leaves the faulting function altogether, as a garbage collector might. */
static void on_page_fault(struct dune_trap *trap)
{
	traps++;
	fault_address = trap->fault_address;
	longjmp(out, 1);
}

static void raise_invalid(void)
{
	__asm__ volatile("ud2");
}

static void raise_page_fault(void)
{
	if (!setjmp(out))
		*NOWHERE = 1;
}

/* Runs raise() until one run makes no exit; returns its trap count, 0 when every run exited. */
static unsigned int without_exit(void (*raise)(void))
{
	const volatile struct dune_run *run = dune_run_page();
	uint64_t before;

	for (int i = 0; i < TRIES; i++) {
		traps = 0;
		before = run->exits;
		raise();
		if (run->exits == before)
			return traps;
	}
	return 0;
}

static int prove_ring0(void)
{
	uint16_t cs;
	uint64_t cr3;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	if (cs & 3)
		return fail("not in ring 0", EPERM);
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	printf("ring %d: cr3 %#llx, %llu exits so far\n", cs & 3, (unsigned long long)cr3,
	       (unsigned long long)dune_run_page()->exits);
	return 0;
}

static int prove_traps(void)
{
	int error = dune_trap_set(6, on_invalid);

	if (!error)
		error = dune_trap_set(14, on_page_fault);
	if (error)
		return fail("dune_trap_set", error);
	if (without_exit(raise_invalid) != 1)
		return fail("own #UD: an exit, or no trap", EIO);
	printf("own #UD handled without an exit\n");
	if (without_exit(raise_page_fault) != 1 || fault_address != (uint64_t)NOWHERE)
		return fail("own #PF: an exit, no trap, or another address", EIO);
	printf("own #PF at %#llx handled without an exit\n", (unsigned long long)fault_address);
	return 0;
}

static int prove_libc(pid_t pid)
{
	char *memory = malloc(1 << 20);

	if (!memory)
		return fail("malloc", errno);
	memset(memory, 0x5a, 1 << 20);
	if (memory[(1 << 20) - 1] != 0x5a || getpid() != pid)
		return fail("libc in ring 0", EIO);
	free(memory);
	errno = 0;
	if (fork() != -1 || errno != EPERM)
		return fail("fork was not refused", EIO);
	return 0;
}

static int context_from_service(int *ret_fd)
{
	struct dune_client *client;
	uint64_t id;
	int error;

	error = dune_client_new(NULL, &client);
	if (error)
		return error;
	error = dune_client_create(client, "hello", NULL, &id, ret_fd);
	if (error)
		fprintf(stderr, "hello: %s\n", dune_client_error_text(client));
	dune_client_free(client);
	return error;
}

int main(int argc, char **argv)
{
	pid_t pid = getpid();
	int fd, error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		fd = atoi(argv[1]);
	} else {
		error = context_from_service(&fd);
		if (error)
			return fail("no context", error);
	}
	error = dune_enter(fd);
	if (error)
		return fail("dune_enter", error);
	if (prove_ring0() || prove_traps() || prove_libc(pid))
		return 1;
	printf("hello from guest ring 0: all checks passed\n");
	return 0;
}
