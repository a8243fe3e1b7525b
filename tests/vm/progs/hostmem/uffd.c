// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: memory that a userfaultfd watches. The host's process answers, so what the guest reads came through the
 * kernel's own fault, and what it must not write yet can be looked at meanwhile.
 */
#include <linux/userfaultfd.h>
#include <sys/uio.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define MAP_UFFD_WP (1ull << 57) /* of /proc/self/pagemap */
#define FIRST	    1000u /* stamps of what the host gives: + round * FIRST + page */
#define ROUNDS	    3u
#define RACED	    8u /* pages that are protected and written at once */

/* host->word */
enum { FAULTS, WRITES, WRONG, ROUND };

/* ---- the host's side ---- */

/* The next fault, or 0; what is not a fault is wrong. */
static int next_fault(int uffd, struct uffd_msg *msg)
{
	if (read(uffd, msg, sizeof(*msg)) != sizeof(*msg))
		return 0;
	if (msg->event != UFFD_EVENT_PAGEFAULT)
		host->word[WRONG]++;
	host->word[FAULTS]++;
	return 1;
}

/* Every eighth page is zero. */
static int answer(int uffd, uint64_t address, unsigned int page)
{
	static unsigned char bytes[PAGE];
	struct uffdio_copy copy = { .dst = address, .src = (uintptr_t)bytes, .len = PAGE };
	struct uffdio_zeropage zero = { .range = { address, PAGE } };

	if (page % 8 == 7)
		return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
	page_fill(bytes, host->word[ROUND] * FIRST + page, page);
	return ioctl(uffd, UFFDIO_COPY, &copy) ? errno : 0;
}

static int job_serve(void)
{
	int uffd = host_take_fd(), error = 0;
	struct uffd_msg msg;

	while (!error && next_fault(uffd, &msg)) {
		uint64_t address = msg.arg.pagefault.address & ~(PAGE - 1);

		host->word[WRITES] += !!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE);
		error = answer(uffd, address, (address - (uintptr_t)host->at) / PAGE);
	}
	close(uffd);
	return error;
}

static int protect(int uffd, uint64_t address, size_t bytes, int on)
{
	struct uffdio_writeprotect wp = {
		.range = { address, bytes },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

/* Who wants to write may, a page at a time. */
static int job_allow(void)
{
	int uffd = host_take_fd(), error = 0;
	struct uffd_msg msg;

	while (!error && next_fault(uffd, &msg)) {
		if (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP))
			host->word[WRONG]++;
		error = protect(uffd, msg.arg.pagefault.address & ~(PAGE - 1), PAGE, 0);
	}
	close(uffd);
	return error;
}

static int look(void *to, uint64_t address)
{
	struct iovec local = { to, PAGE }, remote = { (void *)address, PAGE };

	return process_vm_readv(host->pid, &local, 1, &remote, 1, 0) == (ssize_t)PAGE ? 0 : errno;
}

/* A page that is protected does not change, also when somebody wants to write to it. */
static int job_frozen(void)
{
	static unsigned char before[PAGE], after[PAGE];
	static unsigned int turn;
	uint64_t address = (uintptr_t)host->at + turn++ * 5 % RACED * PAGE;
	int uffd = host_take_fd(), error, tries = 10;
	struct uffd_msg msg;

	error = protect(uffd, address, PAGE, 1) ?: look(before, address);
	do {
		usleep(200);
	} while (!next_fault(uffd, &msg) && tries--);
	error = error ?: look(after, address);
	if (!error && memcmp(before, after, PAGE))
		host->word[WRONG]++;
	error = protect(uffd, address, PAGE, 0) ?: error;
	close(uffd);
	return error;
}

/* ---- the guest's side ---- */

static int uffd_new(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		row_skip("userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		row_skip("UFFDIO_API: %s", strerror(errno));
	return fd;
}

static int uffd_watch(uint64_t features, uint64_t mode)
{
	int fd = uffd_new(features);
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem.at, mem.pages * PAGE },
		.mode = mode,
	};

	must(ioctl(fd, UFFDIO_REGISTER, &reg));
	memset(host->word, 0, sizeof(host->word));
	host->take_fd = fd;
	return fd;
}

static void expect_faults(unsigned long faults, unsigned long writes)
{
	if (host_end())
		row_fail("the host's answer: %s", strerror(atomic_load(&host->error)));
	if (host->word[WRONG])
		row_fail("%lu faults are wrong", host->word[WRONG]);
	if (host->word[FAULTS] != faults || host->word[WRITES] != writes)
		row_fail("%lu faults, %lu of them writes; not %lu, %lu", host->word[FAULTS],
			 host->word[WRITES], faults, writes);
}

static void row_missing(void)
{
	int fd;

	region_map(&mem, SMALL);
	fd = uffd_watch(0, UFFDIO_REGISTER_MODE_MISSING);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		must(madvise(mem.at, mem.pages * PAGE, MADV_DONTNEED));
		host->word[ROUND] = round;
		host_begin(job_serve, &mem);
		for (unsigned int p = 0; p < mem.pages; p++) {
			mem.stamp[p] = p % 8 == 7 ? 0 : round * FIRST + p;
			if (p % 2)
				store_to(mem.at + p * PAGE + PAGE / 4, p);
			else
				load_of(mem.at + p * PAGE + PAGE / 4);
		}
		region_check(&mem);
		expect_faults((unsigned long)round * SMALL, (unsigned long)round * SMALL / 2);
	}
	last_stamp = (ROUNDS + 1) * FIRST + last_stamp;
	region_write(&mem);
	region_check(&mem);
	close(fd);
}

static void row_sigbus(void)
{
	int fd;

	region_map(&mem, SMALL);
	page_write(&mem, 1);
	fd = uffd_watch(UFFD_FEATURE_SIGBUS, UFFDIO_REGISTER_MODE_MISSING);
	expect_signal(signal_of(load_of(mem.at)), SIGBUS, "load of what is missing");
	expect_signal(signal_of(store_to(mem.at, 1)), SIGBUS, "store to what is missing");
	page_write(&mem, 1);
	must(madvise(mem.at, mem.pages * PAGE, MADV_DONTNEED));
	expect_signal(signal_of(load_of(mem.at + PAGE)), SIGBUS, "load of what was dropped");
	memset(mem.stamp, 0, sizeof(mem.stamp));
	close(fd);
	region_check(&mem);
}

static void row_wp(void)
{
	int fd;

	region_map(&mem, SMALL);
	region_write(&mem);
	fd = uffd_watch(UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		if (protect(fd, (uintptr_t)mem.at, mem.pages * PAGE, 1))
			row_fail("UFFDIO_WRITEPROTECT: %s", strerror(errno));
		host_begin(job_allow, &mem);
		region_check(&mem);
		for (unsigned int p = 0; p < mem.pages; p += 2)
			page_write(&mem, p);
		region_check(&mem);
		expect_faults(round * SMALL / 2, 0);
		if (pages_with(&mem, MAP_UFFD_WP) != SMALL / 2)
			row_fail("%u pages are protected", pages_with(&mem, MAP_UFFD_WP));
	}
	close(fd);
	region_write(&mem);
	region_check(&mem);
}

static void wp_race(int fd)
{
	int error = race(&mem, job_frozen, 60);

	if (error)
		row_fail("the host's call: %s", strerror(error));
	if (host->word[WRONG])
		row_fail("a protected page changed %lu times", host->word[WRONG]);
	if (!host->word[FAULTS])
		row_fail("nobody wrote to a protected page");
	close(fd);
}

static void row_wp_race(void)
{
	region_map(&mem, RACED);
	region_write(&mem);
	wp_race(uffd_watch(UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP));
}

static void row_wp_thp(void)
{
	long before = vmstat("thp_split_pmd ");
	int fd;

	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	fd = uffd_watch(UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP);
	mem.pages = RACED;
	wp_race(fd);
	mem.pages = BLOCK;
	region_check(&mem);
	if (vmstat("thp_split_pmd ") <= before)
		row_fail("no 2M page was split");
}

const struct row uffd_rows[] = {
	{ "uffd-missing", row_missing }, { "uffd-sigbus", row_sigbus }, { "uffd-wp", row_wp },
	{ "uffd-wp-race", row_wp_race }, { "uffd-wp-thp", row_wp_thp }, {},
};
