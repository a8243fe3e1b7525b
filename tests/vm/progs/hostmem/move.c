// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: the frame behind an address is another one: compaction, merging, copy on write.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

/* ---- moving and merging ---- */

static int job_compact(void)
{
	return host_write("/proc/sys/vm/compact_memory", "1");
}

static void row_compaction(void)
{
	static unsigned char *holes[MAX_PAGES];
	long before = vmstat("pgmigrate_success ");

	region_map(&mem, LARGE);
	must(madvise(mem.at, LARGE * PAGE, MADV_NOHUGEPAGE));
	/* Every second page between ours is given back, so that there is something to compact. */
	for (unsigned int p = 0; p < LARGE; p++) {
		must(holes[p] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
		page_write(&mem, p);
	}
	for (unsigned int p = 0; p < LARGE; p++)
		must(munmap(holes[p], PAGE));
	if (race(&mem, job_compact, 5))
		row_skip("compact_memory: %s", strerror(atomic_load(&host->error)));
	if (vmstat("pgmigrate_success ") <= before)
		row_fail("no page was migrated");
}

#define KSM "/sys/kernel/mm/ksm/"

static long ksm_sharing(void)
{
	return file_number(KSM "pages_sharing", "");
}

static int job_ksm(void)
{
	static int flip;
	int error = host_write(KSM "run", ++flip % 2 ? "1" : "2");

	usleep(2000);
	return error;
}

static void row_ksm(void)
{
	time_t deadline = race_deadline();

	region_map(&mem, SMALL);
	if (madvise(mem.at, mem.pages * PAGE, MADV_MERGEABLE))
		row_skip("no KSM");
	region_write(&mem);
	/* Alike: half of the pages, as the model has them, become zero. */
	for (unsigned int p = 0; p < mem.pages; p += 2) {
		memset(mem.at + p * PAGE, 0, PAGE);
		mem.stamp[p] = 0;
	}
	host_write(KSM "sleep_millisecs", "1");
	host_write(KSM "pages_to_scan", "1000");
	host_write(KSM "run", "1");
	while (ksm_sharing() < 8 && host_goes_on(~0ul, deadline))
		usleep(1000);
	region_check(&mem);
	for (unsigned int p = 0; p < 8; p++)
		page_write(&mem, p);
	region_check(&mem);
	if (race(&mem, job_ksm, 10))
		row_fail("ksm: %s", strerror(atomic_load(&host->error)));
	host_write(KSM "run", "2");
	region_check(&mem);
}

/* ---- copy on write ---- */

/* In the host's process this is the copy that it got when it was forked. */
static int job_cow(void)
{
	for (unsigned int p = 0; p < cow.pages; p++)
		memset(cow.at + p * PAGE, 0xee, PAGE);
	return 0;
}

static void row_cow(void)
{
	region_check(&cow);
	race(&cow, job_cow, 20);
}

const struct row move_rows[] = {
	{ "compaction", row_compaction },
	{ "ksm", row_ksm },
	{ "cow", row_cow },
	{},
};
