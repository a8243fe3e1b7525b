// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: memory of shared files that are cut, grown, punched and sealed.
 */
#include <linux/memfd.h>
#include "tests/vm/progs/hostmem/hostmem.h"

/* ---- files ---- */

/* host->word */
enum { WINDOW_US };

/*
 * A shared file that the host cuts and grows: each load gives the last value written, zero or SIGBUS; once it
 * gave zero, or the store failed, the old value must not come back. The guest has its turn in both states.
 */
int job_truncate(void)
{
	int fd = host_take_fd(), error = ftruncate(fd, 0) ? errno : 0;

	usleep(host->word[WINDOW_US]);
	if (ftruncate(fd, (off_t)host->bytes))
		error = errno;
	close(fd);
	usleep(5 * host->word[WINDOW_US]);
	return error;
}

int job_punch(void)
{
	int fd = host_take_fd(), error = 0;

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)host->bytes))
		error = errno;
	close(fd);
	return error;
}

#define FEW 64 /* pages at which the races look, far from each other */

static unsigned long lost, bus;

static void file_access(unsigned int p)
{
	volatile uint64_t got = 0;
	int sig;

	if (rnd(2)) {
		sig = signal_of(store_to(mem.at + p * PAGE, last_stamp + 1));
		if (!sig)
			mem.stamp[p] = ++last_stamp;
	} else {
		sig = signal_of(got = load_of(mem.at + p * PAGE));
		if (!sig && got && got != mem.stamp[p])
			row_fail("page %u is %lu, not %lu", p, got, mem.stamp[p]);
		if (!sig && !got && mem.stamp[p]) {
			mem.stamp[p] = 0;
			lost++;
		}
	}
	if (sig && sig != SIGBUS)
		row_fail("signal %d", sig);
	/* Cut off: what it was before must not be seen again. */
	if (sig) {
		mem.stamp[p] = 0;
		bus++;
	}
}

void file_race(host_job job, int fd, unsigned long rounds, unsigned long window_us)
{
	time_t deadline = race_deadline();

	lost = bus = 0;
	host->take_fd = fd;
	host->word[WINDOW_US] = window_us;
	host_begin(job, &mem);
	do {
		for (int i = 0; i < 40; i++)
			file_access(rnd(FEW) * (mem.pages / FEW));
	} while (host_goes_on(rounds, deadline));
	if (host_end())
		row_fail("the host's call: %s", strerror(atomic_load(&host->error)));
	if (!lost || !bus != (job != job_truncate))
		row_fail("%lu values lost, %lu accesses beyond the end", lost, bus);
	for (unsigned int p = 0; p < mem.pages; p++) {
		uint64_t got = load_of(mem.at + p * PAGE), held;

		if (pread(fd, &held, 8, (off_t)(p * PAGE)) != 8 || got != held)
			row_fail("page %u is %lu, in the file %lu", p, got, held);
	}
}

static int file_map(void)
{
	int fd = memfd_create("hostmem", MFD_CLOEXEC);

	must(fd);
	must(ftruncate(fd, (off_t)(SMALL * PAGE)));
	region_map_at(&mem, SMALL, MAP_SHARED, fd);
	return fd;
}

static void row_truncate(void)
{
	int fd = file_map();

	region_write(&mem);
	must(ftruncate(fd, (off_t)(SMALL / 2 * PAGE)));
	expect_signal(signal_of(load_of(mem.at + SMALL / 2 * PAGE)), SIGBUS, "load beyond the end");
	expect_signal(signal_of(store_to(mem.at + SMALL / 2 * PAGE, 1)), SIGBUS,
		      "store beyond the end");
	must(ftruncate(fd, (off_t)(SMALL * PAGE)));
	memset(&mem.stamp[SMALL / 2], 0, SMALL / 2 * sizeof(*mem.stamp));
	region_check(&mem);
	region_write(&mem);
	region_check(&mem);
	close(fd);
}

static void row_truncate_race(void)
{
	int fd = file_map();

	file_race(job_truncate, fd, 30, 200);
	close(fd);
}

static void row_punch_race(void)
{
	int fd = file_map();

	file_race(job_punch, fd, 30, 200);
	close(fd);
}

static void row_seal(void)
{
	int fd = memfd_create("seal", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd);
	must(ftruncate(fd, (off_t)(SMALL * PAGE)));
	region_map_at(&mem, SMALL, MAP_SHARED, fd);
	region_write(&mem);
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) || errno != EBUSY)
		row_fail("sealed while it can be written");
	region_unmap(&mem);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	must(mmap(mem.at, SMALL * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	region_check(&mem);
	expect_signal(signal_of(store_to(mem.at, 1)), SIGSEGV, "store to what is sealed");
	region_check(&mem);
	close(fd);
}

const struct row file_rows[] = {
	{ "truncate", row_truncate },
	{ "truncate-race", row_truncate_race },
	{ "punch-race", row_punch_race },
	{ "seal", row_seal },
	{},
};
