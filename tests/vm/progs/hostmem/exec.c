// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: what of memory is executable, and how large a page of EPT may then be: on a CPU with the iTLB multihit bug
 * a 2M page holds data, and what is executed is mapped by pages of 4K.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

#define ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

int cpu_may_execute_large(void)
{
	char told[64] = "";
	FILE *f = fopen("/sys/devices/system/cpu/vulnerabilities/itlb_multihit", "re");

	if (!f || !fgets(told, sizeof(told), f))
		row_fail("the kernel says nothing of iTLB multihit");
	fclose(f);
	return !strncmp(told, "Not affected", 12);
}

/* ---- code ---- */

/* mov $value, %eax; ret */
void code_write(unsigned char *at, uint32_t value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

uint32_t code_run(const unsigned char *at)
{
	return ((uint32_t(*)(void))(uintptr_t)at)();
}

void code_expect(const unsigned char *at, uint32_t value)
{
	volatile uint32_t got = 0;

	expect_signal(signal_of(got = code_run(at)), 0, "executable page");
	if (got != value)
		row_fail("code at %p gives %u, not %u", at, got, value);
}

#define CODE 1024 /* where it is in a page: no probe is there */

static void page_code_write(unsigned int page, uint32_t value)
{
	code_write(mem.at + page * PAGE + CODE, value);
}

static void page_code_expect(unsigned int page, uint32_t value)
{
	code_expect(mem.at + page * PAGE + CODE, value);
}

static void code_write_all(void)
{
	for (unsigned int p = 0; p < mem.pages; p++)
		page_code_write(p, p);
}

/* ---- protection ---- */

static void exec_on(unsigned int first, unsigned int pages, int prot)
{
	must(mprotect(mem.at + first * PAGE, pages * PAGE, prot));
	for (unsigned int p = first; p < first + pages; p += 37) {
		int write = signal_of(store_to(mem.at + p * PAGE + 512, 1));
		uint32_t (*run)(void) = (void *)(mem.at + p * PAGE + CODE);

		expect_signal(write, prot & PROT_WRITE ? 0 : SIGSEGV, "write");
		expect_signal(signal_of(run()), prot & PROT_EXEC ? 0 : SIGSEGV, "execute");
	}
}

static void exec_protections(void)
{
	static const int prots[] = { ALL,
				     PROT_READ | PROT_EXEC,
				     PROT_READ,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC,
				     ALL };

	code_write_all();
	/* Whole 2M pages first; then a piece, which splits one. */
	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++)
		exec_on(0, mem.pages, prots[i]);
	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++) {
		exec_on(100, 50, prots[i]);
		page_code_expect(99, 99);
		page_code_expect(150, 150);
	}
	page_code_write(120, 77777);
	page_code_expect(120, 77777);
	must(madvise(mem.at + 200 * PAGE, PAGE, MADV_DONTNEED));
	mem.stamp[200] = 0;
	page_code_write(200, 88888);
	page_code_expect(200, 88888);
	region_check(&mem);
}

static void row_small(void)
{
	region_map(&mem, BLOCK);
	must(madvise(mem.at, BLOCK * PAGE, MADV_NOHUGEPAGE));
	must(mprotect(mem.at, BLOCK * PAGE, ALL));
	region_write(&mem);
	exec_protections();
}

/* ---- the size of pages in EPT ---- */

#define STRIDE (BLOCK / SPREAD)

static void touch(unsigned int first)
{
	for (unsigned int p = first; p < BLOCK; p += STRIDE)
		load_of(mem.at + p * PAGE);
}

static void run(unsigned int first)
{
	for (unsigned int p = first; p < BLOCK; p += STRIDE)
		page_code_expect(p, p);
}

static void leave_ept(void)
{
	must(mprotect(mem.at, HUGE, PROT_READ));
	must(mprotect(mem.at, HUGE, ALL));
}

/* The program's own pages may cost a few more. */

void expect_large(const char *when, struct ept_cost before)
{
	struct ept_cost cost = ept_cost_since(before);

	if (cost.large != 1 || cost.fills >= SPREAD || cost.fetches >= SPREAD)
		row_fail("%s: %ld fills, %ld of them large, %ld by fetches: not one large page",
			 when, cost.fills, cost.large, cost.fetches);
}

void expect_no_fills(const char *when, struct ept_cost before)
{
	struct ept_cost cost = ept_cost_since(before);

	if (cost.large || cost.fills >= SPREAD || cost.fetches >= SPREAD)
		row_fail("%s: %ld fills, %ld of them large, %ld by fetches: it was mapped before",
			 when, cost.fills, cost.large, cost.fetches);
}

void expect_small(const char *when, struct ept_cost before, long fetches)
{
	struct ept_cost cost = ept_cost_since(before);

	if (cost.large || cost.fills < SPREAD || cost.fetches < fetches)
		row_fail("%s: %ld fills, %ld of them large, %ld by fetches: not %u of 4K", when,
			 cost.fills, cost.large, cost.fetches, SPREAD);
}

/* Where an executable page has to be small. */
static void exec_small(void)
{
	struct ept_cost before = ept_cost();

	touch(0);
	expect_large("data", before);
	before = ept_cost();
	run(0);
	expect_small("code in a page for data", before, SPREAD);
	before = ept_cost();
	touch(1);
	expect_small("data among code", before, 0);
	leave_ept();
	before = ept_cost();
	run(0);
	expect_small("code", before, SPREAD);
}

static void exec_large(void)
{
	struct ept_cost before = ept_cost();

	touch(0);
	expect_large("data", before);
	before = ept_cost();
	run(0);
	touch(1);
	expect_no_fills("code in a large page", before);
	leave_ept();
	before = ept_cost();
	run(0);
	expect_large("code", before);
}

static void exec_thp(int large)
{
	if (cpu_may_execute_large() != large)
		row_fail("the CPU has %s iTLB multihit bug", large ? "the" : "no");
	huge_map(LARGE, ALL);
	code_write_all();
	leave_ept();
	if (large)
		exec_large();
	else
		exec_small();
	region_check(&mem);
	exec_protections();
}

static void row_thp(void)
{
	exec_thp(0);
}

static void row_thp_sound(void)
{
	exec_thp(1);
}

const struct row exec_rows[] = {
	{ "exec-4k", row_small },
	{ "exec-thp", row_thp },
	{ "exec-thp-sound", row_thp_sound },
	{},
};
