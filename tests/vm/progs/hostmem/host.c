// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A native process that changes the memory of the one in the context (it never is in the guest itself), and what
 * can be learned of the host: its counters, the context's. Decides nothing.
 */
#include <sys/prctl.h>
#include <sys/uio.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define RACE_SECONDS 60 /* virtual; a host that does not get its rounds done by then is stuck */

struct host *host;

int host_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int error = n < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

int host_madvise(int advice)
{
	struct iovec what = { host->at, host->bytes };

	return syscall(SYS_process_madvise, host->pidfd, &what, 1, advice, 0) < 0 ? errno : 0;
}

int host_take_fd(void)
{
	return syscall(SYS_pidfd_getfd, host->pidfd, host->take_fd, 0);
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
		if (host->once)
			atomic_store(&host->job, NULL);
		atomic_fetch_add(&host->done, 1);
		sched_yield();
	}
}

void host_start(int context)
{
	pid_t pid;

	host = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED)
		exit(1);
	host->pid = getpid();
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

void host_stop(void)
{
	atomic_store(&host->job, NULL);
	atomic_store(&host->idle, 0);
	while (!atomic_load(&host->idle))
		usleep(100);
}

void host_begin(host_job job, const struct region *r)
{
	host->at = r ? r->at : NULL;
	host->bytes = r ? r->pages * PAGE : 0;
	host->turns = 0;
	host->once = 0;
	atomic_store(&host->done, 0);
	atomic_store(&host->error, 0);
	atomic_store(&host->job, job);
}

int host_once(host_job job)
{
	host->once = 1;
	atomic_store(&host->done, 0);
	atomic_store(&host->error, 0);
	atomic_store(&host->job, job);
	while (!atomic_load(&host->done))
		sched_yield();
	return host_end();
}

int time_left(time_t deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec <= deadline;
}

int host_goes_on(unsigned long rounds, time_t deadline)
{
	if (atomic_load(&host->done) >= rounds && ++host->turns >= rounds)
		return 0;
	if (!time_left(deadline))
		row_fail("the host did only %lu of %lu rounds", atomic_load(&host->done), rounds);
	sched_yield();
	return 1;
}

time_t race_deadline(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + RACE_SECONDS;
}

int host_end(void)
{
	host_stop();
	return atomic_load(&host->error);
}

int race(struct region *r, host_job job, unsigned long rounds)
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

int host_clear_refs(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", host->pid);
	return host_write(path, what);
}

static int job_young(void)
{
	return host_clear_refs("1");
}

static int job_soft_dirty(void)
{
	return host_clear_refs("4");
}

void race_young(struct region *r)
{
	if (race(r, job_young, 10) || race(r, job_soft_dirty, 10))
		row_fail("clear_refs: %s", strerror(atomic_load(&host->error)));
}

/* ---- what happened ---- */

long file_number(const char *path, const char *name)
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

long vmstat(const char *name_and_space)
{
	return file_number("/proc/vmstat", name_and_space);
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

/* Of the context, which is the only one. */
long stat_of(unsigned int counter)
{
	if (host_once(job_stats))
		row_fail("no statistics");
	return (long)host->stats.counters[counter];
}

struct ept_cost ept_cost(void)
{
	struct ept_cost now = { .fills = stat_of(DUNE_COUNT_EPT_FILLS) };

	now.large = (long)host->stats.counters[DUNE_COUNT_EPT_LARGE];
	now.fetches = (long)host->stats.counters[DUNE_COUNT_EPT_EXEC];
	return now;
}

struct ept_cost ept_cost_since(struct ept_cost before)
{
	struct ept_cost now = ept_cost();

	return (struct ept_cost){ now.fills - before.fills, now.large - before.large,
				  now.fetches - before.fetches };
}
