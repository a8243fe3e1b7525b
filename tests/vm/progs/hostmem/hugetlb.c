// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: memory of the pool of 2M pages: reserved, used, given back; private, shared, cut.
 */
#include <linux/memfd.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define POOL 8 /* 2M pages */
#define FEW  3u /* of them, left for a row that uses all */

static struct region old; /* older than the host's process */

static long pool(const char *what)
{
	return file_number("/proc/meminfo", what);
}

void hugetlb_prepare(void)
{
	void *at;

	host_write("/proc/sys/vm/nr_hugepages", "8");
	if (pool("HugePages_Free") < POOL)
		return;
	at = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
		  0);
	if (at == MAP_FAILED)
		return;
	old.at = at;
	old.pages = BLOCK;
	region_write(&old);
}

static void pool_or_skip(void)
{
	if (!old.at)
		row_skip("no %d huge pages: %ld", POOL, pool("HugePages_Total"));
}

static void expect_pool(const char *when, long free, long reserved)
{
	if (pool("HugePages_Free") != free || pool("HugePages_Rsvd") != reserved)
		row_fail("%s: %ld pages free, %ld reserved; not %ld, %ld", when,
			 pool("HugePages_Free"), pool("HugePages_Rsvd"), free, reserved);
}

static void row_private(void)
{
	long large = stat_of(DUNE_COUNT_EPT_LARGE), free;

	pool_or_skip();
	free = pool("HugePages_Free");
	region_map_at(&mem, LARGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	expect_pool("mapped", free, 2);
	region_write(&mem);
	expect_pool("written", free - 2, 0);
	region_check(&mem);
	if (stat_of(DUNE_COUNT_EPT_LARGE) < large + 2)
		row_fail("EPT has no 2M pages of it");
	must(madvise(mem.at, HUGE, MADV_DONTNEED));
	memset(mem.stamp, 0, BLOCK * sizeof(*mem.stamp));
	region_check(&mem);
	region_unmap(&mem);
	expect_signal(signal_of(load_of(mem.at + HUGE)), SIGSEGV, "unmapped");
	expect_pool("unmapped", free, 0);
}

/*
 * One of two pages. The debug kernel complains of itself then: hugetlb_split() of 6.1 asserts a lock that its
 * only caller takes after it.
 */
static void row_protect(void)
{
	long free;

	pool_or_skip();
	if (!access("/proc/lockdep", F_OK))
		row_skip("the kernel reports its own hugetlb_split()");
	free = pool("HugePages_Free");
	region_map_at(&mem, LARGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	region_write(&mem);
	must(mprotect(mem.at, HUGE, PROT_READ));
	expect_signal(signal_of(store_to(mem.at, 1)), SIGSEGV, "store to what is read-only");
	page_write(&mem, BLOCK);
	must(mprotect(mem.at, HUGE, PROT_READ | PROT_WRITE));
	region_write(&mem);
	region_check(&mem);
	region_unmap(&mem);
	expect_pool("unmapped", free, 0);
}

/* More than there is: the last one is SIGBUS, the others stay what they are. */
static void row_exhausted(void)
{
	long free = 0;
	size_t others;
	void *held;

	pool_or_skip();
	free = pool("HugePages_Free");
	others = (free - FEW) * HUGE;
	must(held = mmap(NULL, others, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0));
	region_map_at(&mem, (FEW + 1) * BLOCK,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1);
	for (unsigned int n = 0; n < FEW; n++)
		page_write(&mem, n * BLOCK + n);
	expect_pool("exhausted", 0, 0);
	expect_signal(signal_of(store_to(mem.at + FEW * HUGE, 1)), SIGBUS, "store to one too many");
	expect_signal(signal_of(load_of(mem.at + FEW * HUGE)), SIGBUS, "load of one too many");
	mem.pages = FEW * BLOCK;
	region_check(&mem);
	must(munmap(held, others));
	mem.pages = (FEW + 1) * BLOCK;
	region_write(&mem);
	region_check(&mem);
	region_unmap(&mem);
	expect_pool("unmapped", free, 0);
}

static int shared_map(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

	must(fd);
	must(ftruncate(fd, (off_t)(LARGE * PAGE)));
	region_map_at(&mem, LARGE, MAP_SHARED, fd);
	return fd;
}

static void row_shared(void)
{
	long free;
	int fd;

	pool_or_skip();
	free = pool("HugePages_Free");
	fd = shared_map();
	expect_pool("mapped", free, 2);
	region_write(&mem);
	must(ftruncate(fd, (off_t)HUGE));
	expect_signal(signal_of(load_of(mem.at + HUGE)), SIGBUS, "load beyond the end");
	expect_signal(signal_of(store_to(mem.at + HUGE, 1)), SIGBUS, "store beyond the end");
	page_write(&mem, 3);
	must(ftruncate(fd, (off_t)(LARGE * PAGE)));
	memset(&mem.stamp[BLOCK], 0, BLOCK * sizeof(*mem.stamp));
	region_check(&mem);
	region_write(&mem);
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)HUGE));
	memset(mem.stamp, 0, BLOCK * sizeof(*mem.stamp));
	region_check(&mem);
	close(fd);
	region_write(&mem);
	region_check(&mem);
	region_unmap(&mem);
	expect_pool("unmapped", free, 0);
}

static void shared_race(host_job job)
{
	int fd;

	pool_or_skip();
	fd = shared_map();
	/* To clear 2M takes long: the guest has its turn in both states. */
	file_race(job, fd, 10, 30000);
	close(fd);
}

static void row_truncate_race(void)
{
	shared_race(job_truncate);
}

static void row_punch_race(void)
{
	shared_race(job_punch);
}

/* The host's process has it by copy on write, and writes first. */
static int job_write_old(void)
{
	memset(old.at, 0xee, HUGE);
	return 0;
}

static void row_cow(void)
{
	pool_or_skip();
	region_check(&old);
	host_once(job_write_old);
	region_check(&old);
	race(&old, job_write_old, 2);
	region_check(&old);
	region_write(&old);
	region_check(&old);
}

const struct row hugetlb_rows[] = {
	{ "hugetlb-private", row_private },
	{ "hugetlb-protect", row_protect },
	{ "hugetlb-exhausted", row_exhausted },
	{ "hugetlb-shared", row_shared },
	{ "hugetlb-truncate-race", row_truncate_race },
	{ "hugetlb-punch-race", row_punch_race },
	{ "hugetlb-cow", row_cow },
	{},
};
