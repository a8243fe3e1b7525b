// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ring0_hostmem FD [ROW... | -ROW...]: what the host's memory management does to a process, done to one in a context, while
 * that reads and writes from guest ring 0; contents are verified against a model, from the guest and through the
 * host's page table. A verdict by row; a row that this kernel can't do is a counted skip, one whose operation had no
 * effect a failure.
 */
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <dune/dune.h>
#include "tests/vm/progs/hostmem.h"

#define SMALL 64u /* pages of a region that is not about 2M pages */
#define LARGE 1024u /* two 2M pages */
#define BLOCK 512u /* pages in 2M */

static struct region r, cow;

/* ---- reclaim ---- */

static int job_pageout(void)
{
	return host_madvise(MADV_PAGEOUT);
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
	region_map(&r, SMALL);
	region_write(&r);
	/* What EPT maps is young, also when it is not in the host's page table any more: the first call finds that. */
	must(madvise(r.at, r.pages * PAGE, MADV_PAGEOUT));
	must(madvise(r.at, r.pages * PAGE, MADV_PAGEOUT));
	if (pages_with(&r, MAP_SWAPPED) < SMALL / 2)
		row_fail("MADV_PAGEOUT swapped %u pages out", pages_with(&r, MAP_SWAPPED));
	region_check(&r);
}

/* Pages in constant use are young, so it may be that none goes out: contents are what counts (and see swap). */
static void row_swap_race(void)
{
	swap_or_skip();
	region_map(&r, SMALL);
	region_write(&r);
	if (race(&r, job_pageout, 30))
		row_fail("process_madvise: %s", strerror(atomic_load(&host->error)));
}

static void row_cold(void)
{
	region_map(&r, SMALL);
	if (race(&r, job_cold, 30))
		row_fail("process_madvise: %s", strerror(atomic_load(&host->error)));
}

/* MADV_FREE makes pages clean: a write that the host does not learn of is lost when they are reclaimed. */
static void row_free(void)
{
	unsigned int zero = 0;

	swap_or_skip();
	region_map(&r, SMALL);
	region_write(&r);
	for (int i = 0; i < 5; i++) {
		must(madvise(r.at, r.pages * PAGE, MADV_FREE));
		for (unsigned int p = i % 2; p < r.pages; p += 2)
			page_write(&r, p);
		must(madvise(r.at, r.pages * PAGE, MADV_PAGEOUT));
		for (unsigned int p = 0; p < r.pages; p++) {
			if (p % 2 != (unsigned int)i % 2 && !load_of(r.at + p * PAGE)) {
				r.stamp[p] = 0;
				zero++;
			}
		}
		region_check(&r);
	}
	if (!zero)
		row_fail("MADV_FREE freed nothing");
}

/* ---- accessed and dirty ---- */

static int clear_refs(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", host->pid);
	return host_write(path, what);
}

static int job_young(void)
{
	return clear_refs("1");
}

static int job_soft_dirty(void)
{
	return clear_refs("4");
}

static void young(unsigned int pages)
{
	region_map(&r, pages);
	region_write(&r);
	if (race(&r, job_young, 10) || race(&r, job_soft_dirty, 10))
		row_fail("clear_refs: %s", strerror(atomic_load(&host->error)));
}

static void row_young(void)
{
	young(SMALL);
}

/* What the guest writes after soft-dirty bits were cleared has them, what it reads has not. */
static void row_soft_dirty(void)
{
	region_map(&r, SMALL);
	region_write(&r);
	if (!(pagemap(r.at) & MAP_SOFT_DIRTY))
		row_skip("no soft-dirty bits");
	if (clear_refs("4"))
		row_fail("clear_refs: %s", strerror(errno));
	for (unsigned int p = 0; p < r.pages; p += 2)
		page_write(&r, p);
	region_check(&r);
	for (unsigned int p = 0; p < r.pages; p++)
		if (!!(pagemap(r.at + p * PAGE) & MAP_SOFT_DIRTY) == p % 2)
			row_fail("page %u: soft-dirty is wrong", p);
}

/* ---- 2M pages ---- */

static long huge_kb(void)
{
	return file_number("/proc/self/smaps_rollup", "AnonHugePages");
}

static void huge_map(unsigned int pages, int prot)
{
	long before;

	region_map(&r, pages);
	if (madvise(r.at, pages * PAGE, MADV_HUGEPAGE))
		row_skip("no transparent huge pages");
	before = huge_kb();
	must(mprotect(r.at, pages * PAGE, prot));
	region_write(&r);
	if (huge_kb() - before != (long)(pages * PAGE / 1024))
		row_fail("%ld KB of %lu are in huge pages", huge_kb() - before,
			 pages * PAGE / 1024);
}

static void row_thp_young(void)
{
	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	if (race(&r, job_young, 10) || race(&r, job_soft_dirty, 10))
		row_fail("clear_refs: %s", strerror(atomic_load(&host->error)));
}

/* Parts of 2M pages go, change protection, are moved away: the rest of them stays what it is. */
static void row_thp_split(void)
{
	long large = stat_of(DUNE_COUNT_EPT_LARGE);

	huge_map(LARGE, PROT_READ | PROT_WRITE);
	region_check(&r);
	if (stat_of(DUNE_COUNT_EPT_LARGE) == large)
		row_fail("no 2M page in EPT");
	must(madvise(r.at + 7 * PAGE, 3 * PAGE, MADV_DONTNEED));
	memset(&r.stamp[7], 0, 3 * sizeof(*r.stamp));
	region_check(&r);
	must(mprotect(r.at + (BLOCK + 9) * PAGE, PAGE, PROT_READ));
	expect_signal(signal_of(store_to(r.at + (BLOCK + 9) * PAGE, 1)), SIGSEGV,
		      "read-only piece");
	page_write(&r, BLOCK + 8);
	page_write(&r, BLOCK + 10);
	region_check(&r);
	must(mprotect(r.at + (BLOCK + 9) * PAGE, PAGE, PROT_READ | PROT_WRITE));
	page_write(&r, BLOCK + 9);
	region_check(&r);
	must(munmap(r.at + (LARGE - 16) * PAGE, 16 * PAGE));
	expect_signal(signal_of(load_of(r.at + (LARGE - 16) * PAGE)), SIGSEGV, "unmapped piece");
	r.pages -= 16;
	region_check(&r);
}

static int job_collapse(void)
{
	int error = host_madvise(MADV_COLLAPSE);

	/* The guest splits meanwhile: a collapse that came too late is none of our business. */
	return error == EINVAL ? EINVAL : 0;
}

/* A collapse replaces the 4K pages under the guest. */
static void row_thp_collapse(void)
{
	long before;

	region_map(&r, LARGE);
	must(madvise(r.at, LARGE * PAGE, MADV_NOHUGEPAGE));
	region_write(&r);
	must(madvise(r.at, LARGE * PAGE, MADV_HUGEPAGE));
	before = huge_kb();
	if (madvise(r.at, LARGE * PAGE, MADV_COLLAPSE)) {
		if (errno == EINVAL)
			row_skip("no MADV_COLLAPSE");
		row_fail("MADV_COLLAPSE: %s", strerror(errno));
	}
	if (huge_kb() <= before)
		row_fail("nothing collapsed");
	region_check(&r);
	region_write(&r);
	region_check(&r);
}

static void row_thp_race(void)
{
	time_t deadline = race_deadline();
	long before = vmstat("thp_split_pmd "), large = stat_of(DUNE_COUNT_EPT_LARGE);

	huge_map(LARGE, PROT_READ | PROT_WRITE);
	host_begin(job_collapse, &r);
	do {
		unsigned int page = rnd(r.pages);

		must(madvise(r.at + page * PAGE, PAGE, MADV_DONTNEED));
		r.stamp[page] = 0;
		region_hammer(&r, 200);
	} while (host_goes_on(10, deadline));
	if (host_end())
		row_fail("collapse: %s", strerror(atomic_load(&host->error)));
	region_check(&r);
	if (vmstat("thp_split_pmd ") <= before || stat_of(DUNE_COUNT_EPT_LARGE) == large)
		row_fail("no 2M page was split or none was in EPT");
}

/* ---- protection of executable 2M pages ---- */

/* mov $value, %eax; ret */
static void code_write(unsigned char *at, uint32_t value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static uint32_t code_run(const unsigned char *at)
{
	return ((uint32_t(*)(void))(uintptr_t)at)();
}

#define CODE 1024 /* where it is in a page: no probe is there */

static void code_expect(unsigned int page, uint32_t value)
{
	volatile uint32_t got = 0;

	expect_signal(signal_of(got = code_run(r.at + page * PAGE + CODE)), 0, "executable page");
	if (got != value)
		row_fail("code of page %u gives %u, not %u", page, got, value);
}

static void exec_on(unsigned int first, unsigned int pages, int prot)
{
	must(mprotect(r.at + first * PAGE, pages * PAGE, prot));
	for (unsigned int p = first; p < first + pages; p += 37) {
		int write = signal_of(store_to(r.at + p * PAGE + 512, 1));
		uint32_t (*run)(void) = (void *)(r.at + p * PAGE + CODE);

		expect_signal(write, prot & PROT_WRITE ? 0 : SIGSEGV, "write");
		expect_signal(signal_of(run()), prot & PROT_EXEC ? 0 : SIGSEGV, "execute");
	}
}

static void exec_rows(void)
{
	static const int prots[] = { PROT_READ | PROT_WRITE | PROT_EXEC,
				     PROT_READ | PROT_EXEC,
				     PROT_READ,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC,
				     PROT_READ | PROT_WRITE | PROT_EXEC };

	for (unsigned int p = 0; p < r.pages; p++)
		code_write(r.at + p * PAGE + CODE, p);
	/* Whole 2M pages first; then a piece, which splits one. */
	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++)
		exec_on(0, r.pages, prots[i]);
	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++) {
		exec_on(100, 50, prots[i]);
		code_expect(99, 99);
		code_expect(150, 150);
	}
	code_write(r.at + 120 * PAGE + CODE, 77777);
	code_expect(120, 77777);
	must(madvise(r.at + 200 * PAGE, PAGE, MADV_DONTNEED));
	r.stamp[200] = 0;
	code_write(r.at + 200 * PAGE + CODE, 88888);
	code_expect(200, 88888);
	region_check(&r);
}

static void row_exec_small(void)
{
	region_map(&r, BLOCK);
	must(madvise(r.at, BLOCK * PAGE, MADV_NOHUGEPAGE));
	must(mprotect(r.at, BLOCK * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	region_write(&r);
	exec_rows();
}

static void row_exec_thp(void)
{
	huge_map(LARGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	exec_rows();
}

/* ---- moving and merging ---- */

static void mremap_to(unsigned long misalign)
{
	unsigned char *was = r.at, *to = mmap(NULL, 4 * HUGE, PROT_NONE,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(to);
	to = (void *)((((uintptr_t)to + HUGE - 1) & ~(HUGE - 1)) + misalign);
	must(mremap(r.at, r.pages * PAGE, r.pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	r.at = to;
	expect_signal(signal_of(load_of(was)), SIGSEGV, "where it was");
	region_check(&r);
	region_write(&r);
	region_check(&r);
}

static void row_mremap_thp(void)
{
	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	mremap_to(0);
	mremap_to(5 * PAGE);
}

static int job_compact(void)
{
	return host_write("/proc/sys/vm/compact_memory", "1");
}

static void row_compaction(void)
{
	static unsigned char *holes[MAX_PAGES];
	long before = vmstat("pgmigrate_success ");

	region_map(&r, LARGE);
	must(madvise(r.at, LARGE * PAGE, MADV_NOHUGEPAGE));
	/* Every second page between ours is given back, so that there is something to compact. */
	for (unsigned int p = 0; p < LARGE; p++) {
		must(holes[p] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
		page_write(&r, p);
	}
	for (unsigned int p = 0; p < LARGE; p++)
		must(munmap(holes[p], PAGE));
	if (race(&r, job_compact, 5))
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

	region_map(&r, SMALL);
	if (madvise(r.at, r.pages * PAGE, MADV_MERGEABLE))
		row_skip("no KSM");
	region_write(&r);
	/* Alike: half of the pages, as the model has them, become zero. */
	for (unsigned int p = 0; p < r.pages; p += 2) {
		memset(r.at + p * PAGE, 0, PAGE);
		r.stamp[p] = 0;
	}
	host_write(KSM "sleep_millisecs", "1");
	host_write(KSM "pages_to_scan", "1000");
	host_write(KSM "run", "1");
	while (ksm_sharing() < 8 && host_goes_on(~0ul, deadline))
		usleep(1000);
	region_check(&r);
	for (unsigned int p = 0; p < 8; p++)
		page_write(&r, p);
	region_check(&r);
	if (race(&r, job_ksm, 10))
		row_fail("ksm: %s", strerror(atomic_load(&host->error)));
	host_write(KSM "run", "2");
	region_check(&r);
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

/* ---- files ---- */

/*
 * A shared file that the host cuts and grows: each load gives the last value written, zero or SIGBUS; once it
 * gave zero, or the store failed, the old value must not come back.
 */
static int job_truncate(void)
{
	return ftruncate(host->fd, 0) || ftruncate(host->fd, (off_t)host->bytes) ? errno : 0;
}

static int job_punch(void)
{
	return fallocate(host->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 (off_t)host->bytes) ?
		       errno :
		       0;
}

static unsigned long lost, bus;

static void file_access(unsigned int p)
{
	volatile uint64_t got = 0;
	int sig;

	if (rnd(2)) {
		sig = signal_of(store_to(r.at + p * PAGE, last_stamp + 1));
		if (!sig)
			r.stamp[p] = ++last_stamp;
	} else {
		sig = signal_of(got = load_of(r.at + p * PAGE));
		if (!sig && got && got != r.stamp[p])
			row_fail("page %u is %lu, not %lu", p, got, r.stamp[p]);
		if (!sig && !got && r.stamp[p]) {
			r.stamp[p] = 0;
			lost++;
		}
	}
	if (sig && sig != SIGBUS)
		row_fail("signal %d", sig);
	/* Cut off: what it was before must not be seen again. */
	if (sig) {
		r.stamp[p] = 0;
		bus++;
	}
}

static void file_race(host_job job, unsigned long rounds)
{
	time_t deadline = race_deadline();

	lost = bus = 0;
	host_begin(job, &r);
	do {
		for (int i = 0; i < 40; i++)
			file_access(rnd(r.pages));
	} while (host_goes_on(rounds, deadline));
	if (host_end())
		row_fail("the host's call: %s", strerror(atomic_load(&host->error)));
	if (!lost)
		row_fail("nothing was lost");
	for (unsigned int p = 0; p < r.pages; p++) {
		uint64_t got = load_of(r.at + p * PAGE), held;

		if (pread(host->fd, &held, 8, (off_t)(p * PAGE)) != 8 || got != held)
			row_fail("page %u is %lu, in the file %lu", p, got, held);
	}
}

static void file_map(void)
{
	must(ftruncate(host->fd, 0));
	must(ftruncate(host->fd, (off_t)(SMALL * PAGE)));
	region_map_at(&r, SMALL, MAP_SHARED, host->fd);
}

static void row_truncate(void)
{
	file_map();
	region_write(&r);
	must(ftruncate(host->fd, (off_t)(SMALL / 2 * PAGE)));
	expect_signal(signal_of(load_of(r.at + SMALL / 2 * PAGE)), SIGBUS, "load beyond the end");
	expect_signal(signal_of(store_to(r.at + SMALL / 2 * PAGE, 1)), SIGBUS,
		      "store beyond the end");
	must(ftruncate(host->fd, (off_t)(SMALL * PAGE)));
	memset(&r.stamp[SMALL / 2], 0, SMALL / 2 * sizeof(*r.stamp));
	region_check(&r);
	region_write(&r);
	region_check(&r);
}

static void row_truncate_race(void)
{
	file_map();
	file_race(job_truncate, 30);
}

static void row_punch_race(void)
{
	file_map();
	file_race(job_punch, 30);
}

static void row_seal(void)
{
	int fd = memfd_create("seal", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd);
	must(ftruncate(fd, (off_t)(SMALL * PAGE)));
	region_map_at(&r, SMALL, MAP_SHARED, fd);
	region_write(&r);
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) || errno != EBUSY)
		row_fail("sealed while it can be written");
	region_unmap(&r);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	must(mmap(r.at, SMALL * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	region_check(&r);
	expect_signal(signal_of(store_to(r.at, 1)), SIGSEGV, "store to what is sealed");
	region_check(&r);
	close(fd);
}

/* ---- the table ---- */

static void row_mlock(void)
{
	region_map(&r, SMALL);
	must(mlock(r.at, SMALL / 2 * PAGE));
	if (pages_with(&r, MAP_PRESENT) != SMALL / 2)
		row_fail("%u pages are present", pages_with(&r, MAP_PRESENT));
	region_write(&r);
	must(munlock(r.at, SMALL / 2 * PAGE));
	region_check(&r);
}

static void row_poison(void)
{
	region_map(&r, SMALL);
	region_write(&r);
	if (madvise(r.at, PAGE, MADV_SOFT_OFFLINE))
		row_skip("MADV_SOFT_OFFLINE: %s", strerror(errno));
	region_check(&r);
	must(madvise(r.at, PAGE, MADV_HWPOISON));
	expect_signal(signal_of(load_of(r.at)), SIGBUS, "poisoned page");
}

static void row_numa(void)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		row_skip("one node, and a kernel that can't emulate more");
	row_fail("more than one node: this row has to be written");
}

static void row_pkeys(void)
{
	if (syscall(SYS_pkey_alloc, 0, 0) < 0)
		row_skip("pkey_alloc: %s", strerror(errno));
	row_fail("protection keys in a context: this row has to be written");
}

static const struct row {
	const char *name;
	void (*run)(void);
} rows[] = {
	{ "swap", row_swap },
	{ "swap-race", row_swap_race },
	{ "cold", row_cold },
	{ "free", row_free },
	{ "young", row_young },
	{ "soft-dirty", row_soft_dirty },
	{ "thp-young", row_thp_young },
	{ "thp-split", row_thp_split },
	{ "thp-collapse", row_thp_collapse },
	{ "thp-race", row_thp_race },
	{ "exec-4k", row_exec_small },
	{ "exec-thp", row_exec_thp },
	{ "mremap-thp", row_mremap_thp },
	{ "compaction", row_compaction },
	{ "ksm", row_ksm },
	{ "cow", row_cow },
	{ "truncate", row_truncate },
	{ "truncate-race", row_truncate_race },
	{ "punch-race", row_punch_race },
	{ "seal", row_seal },
	{ "mlock", row_mlock },
	{ "poison", row_poison },
	{ "numa", row_numa },
	{ "pkeys", row_pkeys },
};
#define NR_ROWS (sizeof(rows) / sizeof(*rows))

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
	if (r.at && r.at != cow.at)
		munmap(r.at, r.pages * PAGE);
	r.at = NULL;
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

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned int sums[3] = {};
	int error, fd;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	region_map(&cow, SMALL);
	region_write(&cow);
	fd = memfd_create("hostmem", MFD_CLOEXEC);
	mirror_fd = memfd_create("mirror", MFD_CLOEXEC);
	host_start(atoi(argv[1]), fd);
	error = dune_enter(atoi(argv[1]));
	if (error) {
		fprintf(stderr, "ring0_hostmem: %s\n", strerror(-error));
		return 1;
	}
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (chosen(rows[i].name, argv + 2)) {
			sums[row_run(&rows[i])]++;
			continue;
		}
		printf("hostmem: %s skipped: left out by the case\n", rows[i].name);
		sums[SKIPPED]++;
	}
	printf("hostmem: %u rows ok, %u failed, %u skipped\n", sums[OK], sums[FAILED],
	       sums[SKIPPED]);
	return sums[FAILED] || !sums[OK];
}
