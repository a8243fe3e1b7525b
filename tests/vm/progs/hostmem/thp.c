// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: transparent 2M pages made, split and moved.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

/* ---- 2M pages ---- */

static long huge_kb(void)
{
	return file_number("/proc/self/smaps_rollup", "AnonHugePages");
}

void huge_map(unsigned int pages, int prot)
{
	long before;

	region_map(&mem, pages);
	if (madvise(mem.at, pages * PAGE, MADV_HUGEPAGE))
		row_skip("no transparent huge pages");
	before = huge_kb();
	must(mprotect(mem.at, pages * PAGE, prot));
	region_write(&mem);
	if (huge_kb() - before != (long)(pages * PAGE / 1024))
		row_fail("%ld KB of %lu are in huge pages", huge_kb() - before,
			 pages * PAGE / 1024);
}

static void row_thp_young(void)
{
	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	race_young(&mem);
}

/* Parts of 2M pages go, change protection, are moved away: the rest of them stays what it is. */
static void row_thp_split(void)
{
	long large = stat_of(DUNE_COUNT_EPT_LARGE);

	huge_map(LARGE, PROT_READ | PROT_WRITE);
	region_check(&mem);
	if (stat_of(DUNE_COUNT_EPT_LARGE) == large)
		row_fail("no 2M page in EPT");
	must(madvise(mem.at + 7 * PAGE, 3 * PAGE, MADV_DONTNEED));
	memset(&mem.stamp[7], 0, 3 * sizeof(*mem.stamp));
	region_check(&mem);
	must(mprotect(mem.at + (BLOCK + 9) * PAGE, PAGE, PROT_READ));
	expect_signal(signal_of(store_to(mem.at + (BLOCK + 9) * PAGE, 1)), SIGSEGV,
		      "read-only piece");
	page_write(&mem, BLOCK + 8);
	page_write(&mem, BLOCK + 10);
	region_check(&mem);
	must(mprotect(mem.at + (BLOCK + 9) * PAGE, PAGE, PROT_READ | PROT_WRITE));
	page_write(&mem, BLOCK + 9);
	region_check(&mem);
	must(munmap(mem.at + (LARGE - 16) * PAGE, 16 * PAGE));
	expect_signal(signal_of(load_of(mem.at + (LARGE - 16) * PAGE)), SIGSEGV, "unmapped piece");
	mem.pages -= 16;
	region_check(&mem);
}

/* host->word */
enum { COLLAPSED };

/* The guest splits meanwhile: a collapse may come too late, but some have to make 2M pages of small ones. */
static int job_collapse(void)
{
	long before = vmstat("thp_collapse_alloc ");
	int error = host_madvise(MADV_COLLAPSE);

	/* 0 says that all of it is in 2M pages now: what was allocated for that is in use. */
	host->word[COLLAPSED] += !error && vmstat("thp_collapse_alloc ") > before;
	return error == EAGAIN || error == EBUSY || error == ENOMEM ? 0 : error;
}

/* A collapse replaces the 4K pages under the guest. */
static void row_thp_collapse(void)
{
	long before;

	region_map(&mem, LARGE);
	must(madvise(mem.at, LARGE * PAGE, MADV_NOHUGEPAGE));
	region_write(&mem);
	must(madvise(mem.at, LARGE * PAGE, MADV_HUGEPAGE));
	before = huge_kb();
	if (madvise(mem.at, LARGE * PAGE, MADV_COLLAPSE)) {
		if (errno == EINVAL)
			row_skip("no MADV_COLLAPSE");
		row_fail("MADV_COLLAPSE: %s", strerror(errno));
	}
	if (huge_kb() <= before)
		row_fail("nothing collapsed");
	region_check(&mem);
	region_write(&mem);
	region_check(&mem);
}

#define COLLAPSES 5

static void row_thp_race(void)
{
	time_t deadline = race_deadline();
	long splits, large;

	huge_map(LARGE, PROT_READ | PROT_WRITE);
	region_check(&mem);
	splits = vmstat("thp_split_pmd ");
	large = stat_of(DUNE_COUNT_EPT_LARGE);
	host->word[COLLAPSED] = 0;
	host_begin(job_collapse, &mem);
	do {
		unsigned int page = rnd(mem.pages);

		must(madvise(mem.at + page * PAGE, PAGE, MADV_DONTNEED));
		mem.stamp[page] = 0;
		region_hammer(&mem, 200);
	} while (host_goes_on(10, deadline) ||
		 (host->word[COLLAPSED] < COLLAPSES && time_left(deadline)));
	if (host_end())
		row_fail("collapse: %s", strerror(atomic_load(&host->error)));
	region_check(&mem);
	splits = vmstat("thp_split_pmd ") - splits;
	large = stat_of(DUNE_COUNT_EPT_LARGE) - large;
	if (host->word[COLLAPSED] < COLLAPSES || splits < COLLAPSES || !large)
		row_fail("%lu times collapsed, %ld times split, %ld 2M pages in EPT after that",
			 host->word[COLLAPSED], splits, large);
}

/* ---- moved ---- */

static void mremap_to(unsigned long misalign)
{
	unsigned char *was = mem.at, *to = mmap(NULL, 4 * HUGE, PROT_NONE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(to);
	to = (void *)((((uintptr_t)to + HUGE - 1) & ~(HUGE - 1)) + misalign);
	must(mremap(mem.at, mem.pages * PAGE, mem.pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	mem.at = to;
	expect_signal(signal_of(load_of(was)), SIGSEGV, "where it was");
	region_check(&mem);
	region_write(&mem);
	region_check(&mem);
}

static void row_mremap_thp(void)
{
	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	mremap_to(0);
	mremap_to(5 * PAGE);
}

const struct row thp_rows[] = {
	{ "thp-young", row_thp_young },	      { "thp-split", row_thp_split },
	{ "thp-collapse", row_thp_collapse }, { "thp-race", row_thp_race },
	{ "mremap-thp", row_mremap_thp },     {},
};
