// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: pages that go to another node, on demand and because the kernel finds out who uses them.
 */
#include <linux/mempolicy.h>
#include <sys/mount.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define BALANCING "/proc/sys/kernel/numa_balancing"
#define KNOBS	  "/sys/kernel/debug/sched/numa_balancing/"

/* host->word */
enum { MOVED };

static void nodes_or_skip(void)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		row_skip("one node");
	/* It moves pages back, and move_pages(2) says EFAULT of a 2M page it has taken the access away from. */
	host_write(BALANCING, "0");
}

/* To the node, or with -1 only asks where they are; pages that are there. */
static long pages_at(pid_t pid, unsigned char *at, unsigned int pages, int node, int move)
{
	static void *addresses[MAX_PAGES];
	static int wanted[MAX_PAGES], got[MAX_PAGES];
	long found = 0;

	for (unsigned int p = 0; p < pages; p++) {
		addresses[p] = at + p * PAGE;
		wanted[p] = node;
	}
	if (syscall(SYS_move_pages, pid, (long)pages, addresses, move ? wanted : NULL, got,
		    MPOL_MF_MOVE) < 0)
		return -1;
	for (unsigned int p = 0; p < pages; p++)
		found += got[p] == node;
	return found;
}

static void move_to(int node)
{
	must(pages_at(0, mem.at, mem.pages, node, 1));
	if (pages_at(0, mem.at, mem.pages, node, 0) != mem.pages)
		row_fail("%ld of %u pages are at node %d", pages_at(0, mem.at, mem.pages, node, 0),
			 mem.pages, node);
}

static int job_move(void)
{
	static int node;
	long found = pages_at(host->pid, host->at, host->bytes / PAGE, node ^= 1, 1);

	if (found > 0)
		host->word[MOVED] += found;
	return found < 0 ? errno : 0;
}

/* All that the process has, its stack and code, too. */
static int job_migrate(void)
{
	static int node;
	unsigned long from = 1ul << node, to = 1ul << (node ^= 1);
	long left = syscall(SYS_migrate_pages, host->pid, 8 * sizeof(from), &from, &to);

	return left < 0 ? errno : 0;
}

static void move_race(host_job job, unsigned long rounds)
{
	long before = vmstat("pgmigrate_success ");
	int error;

	host->word[MOVED] = 0;
	error = race(&mem, job, rounds);
	if (error)
		row_fail("the host's call: %s", strerror(error));
	if (vmstat("pgmigrate_success ") < before + (long)rounds ||
	    (job == job_move && !host->word[MOVED]))
		row_fail("%ld pages migrated, %lu arrived", vmstat("pgmigrate_success ") - before,
			 host->word[MOVED]);
}

static void row_move(void)
{
	nodes_or_skip();
	region_map(&mem, SMALL);
	region_write(&mem);
	for (int i = 0; i < 4; i++) {
		move_to(i % 2 ^ 1);
		region_check(&mem);
		region_hammer(&mem, SMALL);
	}
	move_race(job_move, 30);
}

static void row_migrate(void)
{
	nodes_or_skip();
	region_map(&mem, SMALL);
	region_write(&mem);
	move_race(job_migrate, 8);
}

static void row_move_thp(void)
{
	nodes_or_skip();
	huge_map(BLOCK, PROT_READ | PROT_WRITE);
	move_to(1);
	region_check(&mem);
	move_to(0);
	region_write(&mem);
	move_race(job_move, 4);
}

static int job_nothing(void)
{
	usleep(1000);
	return 0;
}

/* The kernel takes pages' access away to see who wants it back, and moves them there. */
static void row_balance(void)
{
	time_t deadline = race_deadline();
	long faults = vmstat("numa_hint_faults "), updates = vmstat("numa_pte_updates ");

	nodes_or_skip();
	if (host_write(BALANCING, "1"))
		row_skip("no NUMA balancing");
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	host_write(KNOBS "scan_delay_ms", "10");
	host_write(KNOBS "scan_period_min_ms", "10");
	host_write(KNOBS "scan_period_max_ms", "20");
	region_map(&mem, LARGE);
	must(madvise(mem.at, LARGE * PAGE, MADV_NOHUGEPAGE));
	region_write(&mem);
	must(pages_at(0, mem.at, mem.pages, 1, 1));
	host_begin(job_nothing, &mem);
	do {
		region_hammer(&mem, 1000);
	} while (vmstat("numa_hint_faults ") < faults + (long)LARGE && time_left(deadline));
	host_end();
	host_write(BALANCING, "0");
	region_check(&mem);
	if (vmstat("numa_hint_faults ") < faults + (long)LARGE)
		row_fail("%ld pages watched, %ld faults", vmstat("numa_pte_updates ") - updates,
			 vmstat("numa_hint_faults ") - faults);
}

const struct row numa_rows[] = {
	{ "numa-move", row_move },
	{ "numa-migrate", row_migrate },
	{ "numa-move-thp", row_move_thp },
	{ "numa-balance", row_balance },
	{},
};
