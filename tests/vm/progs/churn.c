// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * churn SECONDS: an ordinary program that maps, writes, protects, discards, moves and unmaps memory at random for
 * so many (virtual) seconds and verifies what it knows; among it an instruction that spans four pages (source and
 * destination each cross a page) after some of them were discarded or protected. The random sequence is fixed, so
 * a failure repeats.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096ul
#define NR_AREAS	24
#define MAX_PAGES	32

struct area {
	unsigned char *at;
	unsigned int pages;
	unsigned int prot;
	unsigned char fill[MAX_PAGES];	/* what every byte of the page is */
	int shared;
};

static struct area areas[NR_AREAS];
static uint64_t seed = 88172645463325252ull;
static unsigned long operations, checked, faults;
static sigjmp_buf back;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void die(const char *what, const void *at)
{
	printf("churn: %s at %p after %lu operations\n", what, at, operations);
	exit(1);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	siglongjmp(back, 1);
}

static void area_check(struct area *a)
{
	for (unsigned int p = 0; p < a->pages; p++) {
		unsigned char *page = a->at + p * PAGE;

		if (a->prot == PROT_NONE)
			continue;
		for (unsigned long i = 0; i < PAGE; i += 512)
			if (page[i] != a->fill[p] || page[i + 511] != a->fill[p])
				die("wrong content", page + i);
		checked++;
	}
}

static void area_map(struct area *a)
{
	a->pages = 1 + rnd(MAX_PAGES);
	a->shared = !rnd(4);
	a->prot = PROT_READ | PROT_WRITE;
	a->at = mmap(NULL, a->pages * PAGE, a->prot,
		     (a->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	if (a->at == MAP_FAILED)
		die("mmap", NULL);
	memset(a->fill, 0, sizeof(a->fill));
}

static void area_unmap(struct area *a)
{
	unsigned char *was = a->at;

	if (munmap(a->at, a->pages * PAGE))
		die("munmap", was);
	a->at = NULL;
	/* What is gone is gone: a stale translation would still read. Something else may be there by now. */
	if (!sigsetjmp(back, 1)) {
		*(volatile unsigned char *)was;
		die("unmapped memory is readable", was);
	}
	faults++;
}

static void area_write(struct area *a)
{
	unsigned int p = rnd(a->pages);

	if (!(a->prot & PROT_WRITE)) {
		if (!sigsetjmp(back, 1)) {
			*(volatile unsigned char *)(a->at + p * PAGE) = 1;
			die("read-only memory is writable", a->at + p * PAGE);
		}
		faults++;
		return;
	}
	a->fill[p] = rnd(256);
	memset(a->at + p * PAGE, a->fill[p], PAGE);
}

static void area_protect(struct area *a)
{
	static const unsigned int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };

	a->prot = prots[rnd(3)];
	if (mprotect(a->at, a->pages * PAGE, a->prot))
		die("mprotect", a->at);
}

static void area_discard(struct area *a)
{
	unsigned int p = rnd(a->pages);

	if (a->shared)
		return;
	if (madvise(a->at + p * PAGE, PAGE, MADV_DONTNEED))
		die("madvise", a->at);
	a->fill[p] = 0;
}

static void area_move(struct area *a)
{
	unsigned char *was = a->at, *moved;

	moved = mmap(NULL, a->pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED || mremap(a->at, a->pages * PAGE, a->pages * PAGE,
					  MREMAP_MAYMOVE | MREMAP_FIXED, moved) != moved)
		die("mremap", was);
	a->at = moved;
}

/* REP-less MOVSQ whose source and destination both cross a page: four data pages in one instruction. */
static void four_pages(void)
{
	unsigned char *m =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t value = 0x0123456789abcdefull, got;
	void *from = m + PAGE - 3, *to = m + 3 * PAGE - 5;

	if (m == MAP_FAILED)
		die("mmap", NULL);
	for (int i = 0; i < 4; i++) {
		memcpy(from, &value, 8);
		/* Discard one of the two destination pages, clean or make read-only-then-not one of the sources. */
		madvise(m + (2 + i % 2) * PAGE, PAGE, MADV_DONTNEED);
		mprotect(m + i % 2 * PAGE, PAGE, PROT_READ);
		__asm__ volatile("movsq" : "+S"(from), "+D"(to) : : "memory");
		from = m + PAGE - 3;
		to = m + 3 * PAGE - 5;
		memcpy(&got, to, 8);
		if (got != value)
			die("four-page instruction", to);
		mprotect(m + i % 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
		value = value * 3 + 1;
	}
	munmap(m, 4 * PAGE);
}

static void step(void)
{
	static void (*const actions[])(struct area *) = { area_write,	area_write,   area_write,
							  area_protect, area_discard, area_move,
							  area_check,	area_unmap };
	struct area *a = &areas[rnd(NR_AREAS)];

	operations++;
	if (!a->at)
		area_map(a);
	else
		actions[rnd(sizeof(actions) / sizeof(*actions))](a);
	if (!rnd(64))
		four_pages();
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct timespec start, now;

	if (argc != 2)
		return 2;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (int i = 0; i < 50; i++)
			step();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < atol(argv[1]));
	for (int i = 0; i < NR_AREAS; i++)
		if (areas[i].at)
			area_check(&areas[i]);
	printf("churn: %lu operations, %lu pages verified, %lu faults as they should be\n",
	       operations, checked, faults);
	return !checked || !faults;
}
