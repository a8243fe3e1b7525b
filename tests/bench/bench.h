/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How every benchmark measures: BENCH_OPS operations in a row, unrolled, between two RDTSC of the
 * program that does them; once to warm up, then BENCH_REPEATS times. In the emulated machine RDTSC
 * counts instructions. Owns the format of a result line; must never decide whether a figure is
 * good.
 *
 *   ID <tab> median <tab> least <tab> VM exits, median, or - <tab> TEXT <tab> every repeat
 *
 * Figures are per operation.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/dune_abi.h"

#define BENCH_OPS     100
#define BENCH_REPEATS 15
/* Pages that a row uses which touches one page per operation: warm-up, repeats, mark. */
#define BENCH_PAGES   (BENCH_OPS * (BENCH_REPEATS + 2))
#define BENCH_PAGE    4096

/* One operation, BENCH_OPS times, without a loop's own instructions. */
#define BENCH_REPT ".rept 100\n\t"
#define BENCH_ENDR "\n\t.endr\n\t"
_Static_assert(BENCH_OPS == 100, "BENCH_REPT says so too");

struct bench_row {
	const char *id; /* a word; tests/vm/cases/bench.sh knows it */
	const char *text; /* for people */
	void (*run)(void); /* BENCH_OPS operations */
};

/* An operation that doesn't do what it is there for must not be measured. */
static inline void bench_expect(int64_t got, int64_t want)
{
	if (got != want) {
		fprintf(stderr, "bench: an operation gave %lld, not %lld\n", (long long)got,
			(long long)want);
		exit(1);
	}
}

static inline uint64_t bench_clock(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static inline int bench_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Prints a row from the instructions and exits of each repeat; exits NULL: nobody counted. */
static inline void bench_print(const struct bench_row *row, const uint64_t *instructions,
			       const uint64_t *exits)
{
	uint64_t sorted[BENCH_REPEATS];

	for (int i = 0; i < BENCH_REPEATS; i++)
		sorted[i] = instructions[i];
	qsort(sorted, BENCH_REPEATS, sizeof(*sorted), bench_compare);
	printf("%s\t%.1f\t%.1f\t", row->id, (double)sorted[BENCH_REPEATS / 2] / BENCH_OPS,
	       (double)sorted[0] / BENCH_OPS);
	for (int i = 0; exits && i < BENCH_REPEATS; i++)
		sorted[i] = exits[i];
	if (exits) {
		qsort(sorted, BENCH_REPEATS, sizeof(*sorted), bench_compare);
		printf("%.2f", (double)sorted[BENCH_REPEATS / 2] / BENCH_OPS);
	} else {
		putchar('-');
	}
	printf("\t%s\t", row->text);
	for (int i = 0; i < BENCH_REPEATS; i++)
		printf("%s%.1f", i ? " " : "", (double)instructions[i] / BENCH_OPS);
	putchar('\n');
	fflush(stdout);
}

/* A row that is to be traced is named in the environment, and is then the only one. */
static inline const char *bench_marked(void)
{
	const char *id = getenv("BENCH_MARK");

	return id && *id ? id : NULL;
}

static inline int bench_is_wanted(const struct bench_row *row)
{
	return !bench_marked() || !strcmp(bench_marked(), row->id);
}

/* Nothing to any CPU; where tests/bench/profile makes the emulator start and stop tracing. */
static inline void bench_mark(void)
{
	__asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

/* run_page: NULL outside of Dune mode, else ret_exits gets VM exits. */
static inline void bench_measure(const struct bench_row *row,
				 const volatile struct dune_run *run_page,
				 uint64_t *ret_instructions, uint64_t *ret_exits)
{
	uint64_t before = 0, start;

	row->run();
	for (int i = 0; i < BENCH_REPEATS; i++) {
		if (run_page)
			before = run_page->exits;
		start = bench_clock();
		row->run();
		ret_instructions[i] = bench_clock() - start;
		if (run_page)
			ret_exits[i] = run_page->exits - before;
	}
	if (bench_marked()) {
		bench_mark();
		row->run();
		bench_mark();
	}
}

static inline void bench_row(const struct bench_row *row, const volatile struct dune_run *run_page)
{
	uint64_t instructions[BENCH_REPEATS], exits[BENCH_REPEATS];

	if (!bench_is_wanted(row))
		return;
	bench_measure(row, run_page, instructions, exits);
	bench_print(row, instructions, run_page ? exits : NULL);
}

#endif
