// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: pages go out, come back, are aged and are kept.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

/* ---- reclaim ---- */

/* host->word */
enum { OUT };

/* What EPT maps is young, also when it is not in the host's page table any more: the first call finds that. */
static int job_pageout(void)
{
	long before = vmstat("pswpout ");
	int error = host_madvise(MADV_PAGEOUT) ?: host_madvise(MADV_PAGEOUT);

	host->word[OUT] += vmstat("pswpout ") - before;
	return error;
}

static int job_cold(void)
{
	return host_madvise(MADV_COLD);
}

static void swap_or_skip(void)
{
	if (file_number("/proc/meminfo", "SwapTotal") <= 0)
		row_skip("no swap space");
}

static void row_swap(void)
{
	swap_or_skip();
	region_map(&mem, SMALL);
	region_write(&mem);
	/* Twice, as in job_pageout. */
	must(madvise(mem.at, mem.pages * PAGE, MADV_PAGEOUT));
	must(madvise(mem.at, mem.pages * PAGE, MADV_PAGEOUT));
	if (pages_with(&mem, MAP_SWAPPED) < SMALL / 2)
		row_fail("MADV_PAGEOUT swapped %u pages out", pages_with(&mem, MAP_SWAPPED));
	region_check(&mem);
}

#define SWAP_ROUNDS 30
#define PART	    (SMALL / 4)

/* Pages in use are young and stay, so the guest uses another part of them in each round of the host. */
static void row_swap_race(void)
{
	time_t deadline = race_deadline();
	long in = vmstat("pswpin ");

	swap_or_skip();
	region_map(&mem, SMALL);
	region_write(&mem);
	host->word[OUT] = 0;
	host_begin(job_pageout, &mem);
	do {
		unsigned int part = atomic_load(&host->done) % (SMALL / PART);

		region_hammer_part(&mem, part * PART, PART, 40);
	} while (host_goes_on(SWAP_ROUNDS, deadline));
	if (host_end())
		row_fail("process_madvise: %s", strerror(atomic_load(&host->error)));
	region_check(&mem);
	in = vmstat("pswpin ") - in;
	if (host->word[OUT] < 2 * SMALL || in < 2 * SMALL)
		row_fail("%lu pages went out, %ld came back", host->word[OUT], in);
}

static void row_cold(void)
{
	region_map(&mem, SMALL);
	if (race(&mem, job_cold, 30))
		row_fail("process_madvise: %s", strerror(atomic_load(&host->error)));
}

/* MADV_FREE makes pages clean: a write that the host does not learn of is lost when they are reclaimed. */
static void row_free(void)
{
	unsigned int zero = 0;

	swap_or_skip();
	region_map(&mem, SMALL);
	region_write(&mem);
	for (int i = 0; i < 5; i++) {
		must(madvise(mem.at, mem.pages * PAGE, MADV_FREE));
		for (unsigned int p = i % 2; p < mem.pages; p += 2)
			page_write(&mem, p);
		must(madvise(mem.at, mem.pages * PAGE, MADV_PAGEOUT));
		for (unsigned int p = 0; p < mem.pages; p++) {
			if (p % 2 != (unsigned int)i % 2 && !load_of(mem.at + p * PAGE)) {
				mem.stamp[p] = 0;
				zero++;
			}
		}
		region_check(&mem);
	}
	if (!zero)
		row_fail("MADV_FREE freed nothing");
}

/* ---- accessed and dirty ---- */

static void row_young(void)
{
	region_map(&mem, SMALL);
	region_write(&mem);
	race_young(&mem);
}

/* What the guest writes after soft-dirty bits were cleared has them, what it reads has not. */
static void row_soft_dirty(void)
{
	region_map(&mem, SMALL);
	region_write(&mem);
	if (!(pagemap(mem.at) & MAP_SOFT_DIRTY))
		row_skip("no soft-dirty bits");
	if (host_clear_refs("4"))
		row_fail("clear_refs: %s", strerror(errno));
	for (unsigned int p = 0; p < mem.pages; p += 2)
		page_write(&mem, p);
	region_check(&mem);
	for (unsigned int p = 0; p < mem.pages; p++)
		if (!!(pagemap(mem.at + p * PAGE) & MAP_SOFT_DIRTY) == p % 2)
			row_fail("page %u: soft-dirty is wrong", p);
}

static void row_mlock(void)
{
	region_map(&mem, SMALL);
	must(mlock(mem.at, SMALL / 2 * PAGE));
	if (pages_with(&mem, MAP_PRESENT) != SMALL / 2)
		row_fail("%u pages are present", pages_with(&mem, MAP_PRESENT));
	region_write(&mem);
	must(munlock(mem.at, SMALL / 2 * PAGE));
	region_check(&mem);
}

static void row_poison(void)
{
	region_map(&mem, SMALL);
	region_write(&mem);
	if (madvise(mem.at, PAGE, MADV_SOFT_OFFLINE))
		row_skip("MADV_SOFT_OFFLINE: %s", strerror(errno));
	region_check(&mem);
	must(madvise(mem.at, PAGE, MADV_HWPOISON));
	expect_signal(signal_of(load_of(mem.at)), SIGBUS, "poisoned page");
}

static void row_pkeys(void)
{
	if (syscall(SYS_pkey_alloc, 0, 0) < 0)
		row_skip("pkey_alloc: %s", strerror(errno));
	row_fail("protection keys in a context: this row has to be written");
}

const struct row reclaim_rows[] = {
	{ "swap", row_swap },	{ "swap-race", row_swap_race },
	{ "cold", row_cold },	{ "free", row_free },
	{ "young", row_young }, { "soft-dirty", row_soft_dirty },
	{ "mlock", row_mlock }, { "poison", row_poison },
	{ "pkeys", row_pkeys }, {},
};
