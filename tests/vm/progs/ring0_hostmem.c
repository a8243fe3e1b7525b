// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ring0_hostmem FD [may-skip=ROW,...] [ROW... | -ROW...]: what the host's memory management does to a process, done to
 * one in a context, while that reads and writes from guest ring 0; contents are verified against a model, from the guest
 * and through the host's page table. A verdict by row; one whose operation had no effect is a failure, and so is one
 * that this kernel can't do, unless the caller knows it for one that may be skipped.
 */
#include <stdarg.h>
#include <dune/dune.h>
#include "tests/vm/progs/hostmem/hostmem.h"

static const struct row *const tables[] = { reclaim_rows, thp_rows,	exec_rows,     move_rows,
					    file_rows,	  hugetlb_rows, gigantic_rows, uffd_rows,
					    device_rows,  numa_rows,	counter_rows };
#define NR_TABLES (sizeof(tables) / sizeof(*tables))

static const char *may_skip = "";
static sigjmp_buf row_end;
static char row_reason[200];
sigjmp_buf access_end;
volatile sig_atomic_t access_armed, access_signal;

void row_stop(enum verdict v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(row_reason, sizeof(row_reason), format, args);
	va_end(args);
	siglongjmp(row_end, v);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (!access_armed)
		row_fail("signal %d at %p", sig, info->si_addr);
	access_signal = sig;
	siglongjmp(access_end, 1);
}

void expect_signal(int got, int wanted, const char *what)
{
	if (got != wanted)
		row_fail("%s: signal %d, not %d", what, got, wanted);
}

/* The words of the list have commas between them. */
static int listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (;; list++) {
		if (!strncmp(list, name, len) && (!list[len] || list[len] == ','))
			return 1;
		list = strchr(list, ',');
		if (!list)
			return 0;
	}
}

static enum verdict row_run(const struct row *row)
{
	static const char *const words[] = { "ok", "FAILED", "skipped" };
	long zaps = stat_of(DUNE_COUNT_EPT_ZAPS), large = stat_of(DUNE_COUNT_EPT_LARGE);
	volatile enum verdict v = OK;
	int end = sigsetjmp(row_end, 1);

	if (!end) {
		row_reason[0] = 0;
		row->run();
	} else {
		v = end;
	}
	access_armed = 0;
	host_stop();
	if (mem.at && mem.at != cow.at)
		munmap(mem.at, mem.pages * PAGE);
	mem.at = NULL;
	if (v == SKIPPED && !listed(may_skip, row->name))
		v = FAILED;
	printf("hostmem: %s %s: %ld zaps, %ld large%s%s\n", row->name, words[v],
	       stat_of(DUNE_COUNT_EPT_ZAPS) - zaps, stat_of(DUNE_COUNT_EPT_LARGE) - large,
	       *row_reason ? ": " : "", row_reason);
	return v;
}

/* By the arguments: rows to run, or `-ROW`: all but these. */
static int chosen(const char *name, char **names)
{
	int all = 1;

	for (; *names; names++) {
		if (**names == '-' && !strcmp(name, *names + 1))
			return 0;
		if (!strcmp(name, *names))
			return 1;
		all &= **names == '-';
	}
	return all;
}

static void run_rows(const struct row *row, char **names, unsigned int *sums)
{
	for (; row->name; row++)
		if (chosen(row->name, names))
			sums[row_run(row)]++;
}

static int is_row(const char *name)
{
	for (size_t i = 0; i < NR_TABLES; i++)
		for (const struct row *row = tables[i]; row->name; row++)
			if (!strcmp(name, row->name))
				return 1;
	return 0;
}

static char **arguments(char **args)
{
	static const char option[] = "may-skip=";

	if (*args && !strncmp(*args, option, sizeof(option) - 1))
		may_skip = *args++ + sizeof(option) - 1;
	for (char **name = args; *name; name++) {
		if (!is_row(*name + (**name == '-'))) {
			fprintf(stderr, "ring0_hostmem: no row %s\n", *name);
			exit(2);
		}
	}
	return args;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned int sums[3] = {};
	char **names;
	int error;

	if (argc < 2)
		return 2;
	names = arguments(argv + 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	model_init();
	region_map(&cow, SMALL);
	region_write(&cow);
	hugetlb_prepare();
	device_prepare();
	host_start(atoi(argv[1]));
	error = dune_enter(atoi(argv[1]));
	if (error) {
		fprintf(stderr, "ring0_hostmem: %s\n", strerror(-error));
		return 1;
	}
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	for (size_t i = 0; i < NR_TABLES; i++)
		run_rows(tables[i], names, sums);
	printf("hostmem: %u rows ok, %u failed, %u skipped\n", sums[OK], sums[FAILED],
	       sums[SKIPPED]);
	return sums[FAILED] || !sums[OK];
}
