// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: the one page of 1G that the machine has (kernel argument hugepagesz=1G): in EPT as a page of 1G, until
 * something is executed in it; taken away and given back.
 */
#include <linux/memfd.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define GIGANTIC  (1ul << 30)
#define NR_PROBES (GIGANTIC / HUGE)

#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB (30u << 26)
#endif
#ifndef MFD_HUGE_1GB
#define MFD_HUGE_1GB MAP_HUGE_1GB
#endif

static uint64_t held[NR_PROBES];

/* One in each 2M, in another place each. */
static unsigned char *probe(unsigned long i)
{
	return mem.at + i * HUGE + i * 37 % BLOCK * PAGE + i % 64 * 8;
}

static void write_all(void)
{
	for (unsigned long i = 0; i < NR_PROBES; i++)
		store_to(probe(i), held[i] = ++last_stamp * 0x9e3779b97f4a7c15ull);
}

static void check_guest(void)
{
	for (unsigned long i = 0; i < NR_PROBES; i++)
		if (load_of(probe(i)) != held[i])
			row_fail("guest's probe %lu is %#lx, not %#lx", i, load_of(probe(i)),
				 held[i]);
}

static void check(void)
{
	check_guest();
	for (unsigned long i = 0; i < NR_PROBES; i++) {
		uint64_t got;

		copy_by_host(&got, probe(i), sizeof(got));
		if (got != held[i])
			row_fail("host's probe %lu is %#lx, not %#lx", i, got, held[i]);
	}
}

static void map(int prot, int flags, int fd)
{
	void *at = mmap(NULL, GIGANTIC, prot, flags, fd, 0);

	must(at);
	mem.at = at;
	mem.pages = GIGANTIC / PAGE;
}

static void lost(void)
{
	memset(held, 0, sizeof(held));
}

#define CODE 1024 /* behind a probe */

static void run_all(void)
{
	for (unsigned int i = 0; i < NR_PROBES; i++)
		code_expect(probe(i) + CODE, i);
}

/* Of a page that is executed, on a CPU with the bug, all is small from then on. */
static void executed(void)
{
	int large = cpu_may_execute_large();
	struct ept_cost before;

	for (unsigned int i = 0; i < NR_PROBES; i++)
		code_write(probe(i) + CODE, i);
	before = ept_cost();
	run_all();
	if (large)
		expect_no_fills("code in a page for data", before);
	else
		expect_small("code in a page for data", before, NR_PROBES);
	check();
	before = ept_cost();
	for (unsigned int i = 0; i < NR_PROBES; i++)
		load_of((uintptr_t)probe(i) ^ PAGE);
	if (large)
		expect_no_fills("data among code", before);
	else
		expect_small("data among code", before, 0);
}

static void protected(int prot)
{
	struct ept_cost before = ept_cost();
	int sig;

	must(mprotect(mem.at, GIGANTIC, prot));
	check();
	expect_large("data again", before);
	sig = signal_of(store_to(probe(7), held[7]));
	expect_signal(sig, prot & PROT_WRITE ? 0 : SIGSEGV, "store");
	sig = signal_of(code_run(probe(5) + CODE));
	expect_signal(sig, prot & PROT_EXEC ? 0 : SIGSEGV, "execute");
	check();
}

static void row_private(void)
{
	struct ept_cost before = ept_cost();

	map(PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1);
	write_all();
	expect_large("written", before);
	check();
	executed();
	protected(PROT_READ);
	protected(PROT_READ | PROT_EXEC);
	protected(PROT_READ | PROT_WRITE);
	write_all();
	check();
	must(madvise(mem.at, GIGANTIC, MADV_DONTNEED));
	lost();
	before = ept_cost();
	check();
	expect_large("given back", before);
	must(munmap(mem.at, GIGANTIC));
	expect_signal(signal_of(load_of(probe(9))), SIGSEGV, "unmapped");
}

static void row_shared(void)
{
	int fd = memfd_create("gigantic", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_1GB);
	struct ept_cost before = ept_cost();

	must(fd);
	must(ftruncate(fd, (off_t)GIGANTIC));
	map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	write_all();
	expect_large("written", before);
	check();
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)GIGANTIC));
	lost();
	before = ept_cost();
	check();
	expect_large("punched", before);
	write_all();
	check();
	must(ftruncate(fd, 0));
	expect_signal(signal_of(load_of(probe(3))), SIGBUS, "load beyond the end");
	expect_signal(signal_of(store_to(probe(4), 1)), SIGBUS, "store beyond the end");
	close(fd);
}

const struct row gigantic_rows[] = {
	{ "gigantic-private", row_private },
	{ "gigantic-shared", row_shared },
	{},
};
