/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ring0_hostmem.c stands on: regions with a model of their contents, a native process that changes their
 * memory from the host's side (it never is in the guest), verdicts by row, and a look at what the host did. Must
 * not change memory itself but by the model's writes.
 */
#ifndef HOSTMEM_H
#define HOSTMEM_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define PAGE	     4096ul
#define HUGE	     (2ul << 20)
#define MAX_PAGES    2048u
#define RACE_SECONDS 60 /* virtual; a host that does not get its rounds done by then is stuck */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* ---- verdicts ---- */

enum verdict { OK, FAILED, SKIPPED }; /* OK is no siglongjmp value */

static sigjmp_buf row_end, access_end;
static volatile sig_atomic_t access_armed, access_signal;
static char row_reason[200];

/* Ends the row. */
__attribute__((noreturn, format(printf, 2, 3))) static void row_stop(enum verdict v,
								     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(row_reason, sizeof(row_reason), format, args);
	va_end(args);
	siglongjmp(row_end, v);
}

#define row_fail(...) row_stop(FAILED, __VA_ARGS__)
#define row_skip(...) row_stop(SKIPPED, __VA_ARGS__)
#define must(call)                                                                      \
	do {                                                                            \
		if ((long)(call) == -1)                                                 \
			row_fail("%s: %s (line %d)", #call, strerror(errno), __LINE__); \
	} while (0)

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (!access_armed)
		row_fail("signal %d at %p", sig, info->si_addr);
	access_signal = sig;
	siglongjmp(access_end, 1);
}

/* The signal that the access gave, or 0. */
#define signal_of(access)                        \
	({                                       \
		access_signal = 0;               \
		access_armed = 1;                \
		if (!sigsetjmp(access_end, 1)) { \
			access;                  \
		}                                \
		access_armed = 0;                \
		(int)access_signal;              \
	})

#define load_of(at)	    (*(volatile uint64_t *)(at))
#define store_to(at, value) (*(volatile uint64_t *)(at) = (value))

static void expect_signal(int got, int wanted, const char *what)
{
	if (got != wanted)
		row_fail("%s: signal %d, not %d", what, got, wanted);
}

/* ---- contents ---- */

struct region {
	unsigned char *at;
	unsigned int pages;
	uint64_t stamp[MAX_PAGES]; /* 0: the page is all zero */
};

static const unsigned int probes[] = { 0, 8, 2040, 4088 };
#define NR_PROBES (sizeof(probes) / sizeof(*probes))

static uint64_t seed = 88172645463325252ull, last_stamp;
static unsigned char mirror[MAX_PAGES * PAGE];
static int mirror_fd; /* a memfd of the test's own */

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static uint64_t pattern(uint64_t stamp, unsigned int page, unsigned int offset)
{
	return stamp ? stamp * 0x9e3779b97f4a7c15ull + ((uint64_t)page << 16) + offset : 0;
}

static void page_write(struct region *r, unsigned int page)
{
	r->stamp[page] = ++last_stamp;
	for (size_t i = 0; i < NR_PROBES; i++)
		store_to(r->at + page * PAGE + probes[i], pattern(last_stamp, page, probes[i]));
}

static void page_check(const struct region *r, const unsigned char *view, unsigned int page,
		       const char *whose)
{
	for (size_t i = 0; i < NR_PROBES; i++) {
		uint64_t got = load_of(view + page * PAGE + probes[i]);
		uint64_t want = pattern(r->stamp[page], page, probes[i]);

		if (got != want)
			row_fail("%s page %u + %u is %#lx, not %#lx", whose, page, probes[i], got,
				 want);
	}
}

/* Both views: the guest's loads, and what the host's kernel finds at the same addresses. */
static void region_check(const struct region *r)
{
	ssize_t bytes = r->pages * PAGE;

	for (unsigned int p = 0; p < r->pages; p++)
		page_check(r, r->at, p, "guest's");
	if (pwrite(mirror_fd, r->at, bytes, 0) != bytes ||
	    pread(mirror_fd, mirror, bytes, 0) != bytes)
		row_fail("copy by the host: %s", strerror(errno));
	for (unsigned int p = 0; p < r->pages; p++)
		page_check(r, mirror, p, "host's");
}

static void region_write(struct region *r)
{
	for (unsigned int p = 0; p < r->pages; p++)
		page_write(r, p);
}

static void region_hammer(struct region *r, unsigned int accesses)
{
	while (accesses--) {
		unsigned int page = rnd(r->pages);

		if (rnd(2))
			page_write(r, page);
		else
			page_check(r, r->at, page, "guest's");
	}
}

/* Memory that begins at a multiple of 2M. */
static void region_map_at(struct region *r, unsigned int pages, int flags, int fd)
{
	unsigned char *room = mmap(NULL, pages * PAGE + 2 * HUGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(room);
	memset(r, 0, sizeof(*r));
	r->pages = pages;
	r->at = (void *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	must(mmap(r->at, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0));
}

static void region_map(struct region *r, unsigned int pages)
{
	region_map_at(r, pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void region_unmap(struct region *r)
{
	must(munmap(r->at, r->pages * PAGE));
}

/* ---- the host's process ---- */

typedef int (*host_job)(void);

static struct host {
	host_job _Atomic job;
	atomic_int idle, error;
	atomic_ulong done;
	unsigned long turns; /* of the guest, since the job began */
	struct dune_stats stats;
	unsigned char *at; /* what the job is about */
	size_t bytes;
	int fd;
	pid_t pid; /* whose memory */
	int pidfd, device;
} * host;

static int host_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int error = n < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

static int host_madvise(int advice)
{
	struct iovec what = { host->at, host->bytes };

	return syscall(SYS_process_madvise, host->pidfd, &what, 1, advice, 0) < 0 ? errno : 0;
}

static void host_loop(void)
{
	for (;;) {
		host_job job = atomic_load(&host->job);
		int error;

		if (!job) {
			atomic_store(&host->idle, 1);
			usleep(100);
			continue;
		}
		error = job();
		if (error)
			atomic_store(&host->error, error);
		atomic_fetch_add(&host->done, 1);
		sched_yield();
	}
}

/* Before the guest is entered: a process that shares `host`, and every private page by copy on write. */
static void host_start(int context, int fd)
{
	pid_t pid;

	host = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED)
		exit(1);
	host->pid = getpid();
	host->fd = fd;
	host->device = open("/dev/dune", O_RDWR | O_CLOEXEC);
	pid = fork();
	if (pid < 0 || host->device < 0)
		exit(1);
	if (pid)
		return;
	close(context);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	host->pidfd = syscall(SYS_pidfd_open, host->pid, 0);
	host_loop();
}

static void host_stop(void)
{
	atomic_store(&host->job, NULL);
	atomic_store(&host->idle, 0);
	while (!atomic_load(&host->idle))
		usleep(100);
}

static void host_begin(host_job job, const struct region *r)
{
	host->at = r ? r->at : NULL;
	host->bytes = r ? r->pages * PAGE : 0;
	host->turns = 0;
	atomic_store(&host->done, 0);
	atomic_store(&host->error, 0);
	atomic_store(&host->job, job);
}

/* True until the host did its job so many times, and the guest had as many turns. */
static int host_goes_on(unsigned long rounds, time_t deadline)
{
	struct timespec now;

	if (atomic_load(&host->done) >= rounds && ++host->turns >= rounds)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > deadline)
		row_fail("the host did only %lu of %lu rounds", atomic_load(&host->done), rounds);
	sched_yield();
	return 1;
}

static time_t race_deadline(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + RACE_SECONDS;
}

/* An error of the host's job: the caller says which one means that the kernel has not got it. */
static int host_end(void)
{
	host_stop();
	return atomic_load(&host->error);
}

/* Reads and writes at random while the host does its job; the error of that. */
static int race(struct region *r, host_job job, unsigned long rounds)
{
	time_t deadline = race_deadline();
	int error;

	host_begin(job, r);
	do {
		region_hammer(r, 40);
	} while (host_goes_on(rounds, deadline));
	error = host_end();
	region_check(r);
	return error;
}

/* ---- what happened ---- */

/* The number behind `name` in a file of lines "name number"; -1 when there is none. */
static long file_number(const char *path, const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen(path, "re");
	size_t len = strlen(name);

	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len))
			value = strtol(line + len + (line[len] == ':'), NULL, 10);
	fclose(f);
	return value;
}

static long vmstat(const char *name_and_space)
{
	return file_number("/proc/vmstat", name_and_space);
}

/* Of /proc/self/pagemap. */
#define MAP_PRESENT    (1ull << 63)
#define MAP_SWAPPED    (1ull << 62)
#define MAP_SOFT_DIRTY (1ull << 55)

static uint64_t pagemap(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	must(fd);
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)at / PAGE * 8)) != 8)
		row_fail("pagemap: %s", strerror(errno));
	close(fd);
	return entry;
}

static unsigned int pages_with(const struct region *r, uint64_t flag)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < r->pages; p++)
		n += !!(pagemap(r->at + p * PAGE) & flag);
	return n;
}

static int job_stats(void)
{
	struct dune_stats_call call = {
		.abi = DUNE_ABI_VERSION,
		.buffer = (uintptr_t)&host->stats,
		.capacity = 1,
	};

	return ioctl(host->device, DUNE_STATS, &call) || call.ret_count != 1 ? EIO : 0;
}

/* The counters of the context, which is the only one: DUNE_HC_STAT has those of the vcpu alone. */
static long stat_of(unsigned int counter)
{
	host_begin(job_stats, NULL);
	while (!atomic_load(&host->done))
		sched_yield();
	if (host_end())
		row_fail("no statistics");
	return (long)host->stats.counters[counter];
}

#endif
