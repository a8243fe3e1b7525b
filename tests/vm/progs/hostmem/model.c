// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Regions of memory with a model of their contents: what was written last has to be what the guest reads and what
 * the host finds in the page table. Must not write anything but that.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

static const unsigned int probes[] = { 0, 8, 2040, 4088 };
#define NR_PROBES (sizeof(probes) / sizeof(*probes))

static uint64_t seed = 88172645463325252ull;
uint64_t last_stamp;
struct region mem, cow;
static unsigned char mirror[MAX_PAGES * PAGE];
static int mirror_fd;

uint64_t rnd(uint64_t below)
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

void page_fill(unsigned char *page_bytes, uint64_t stamp, unsigned int page)
{
	memset(page_bytes, 0, PAGE);
	for (size_t i = 0; i < NR_PROBES; i++) {
		uint64_t value = pattern(stamp, page, probes[i]);

		memcpy(page_bytes + probes[i], &value, 8);
	}
}

void page_write(struct region *r, unsigned int page)
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

void region_check_guest(const struct region *r)
{
	for (unsigned int p = 0; p < r->pages; p++)
		page_check(r, r->at, p, "guest's");
}

void copy_by_host(void *to, const void *at, size_t bytes)
{
	if (pwrite(mirror_fd, at, bytes, 0) != (ssize_t)bytes ||
	    pread(mirror_fd, to, bytes, 0) != (ssize_t)bytes)
		row_fail("copy by the host: %s", strerror(errno));
}

void region_check(const struct region *r)
{
	region_check_guest(r);
	copy_by_host(mirror, r->at, r->pages * PAGE);
	for (unsigned int p = 0; p < r->pages; p++)
		page_check(r, mirror, p, "host's");
}

void region_write(struct region *r)
{
	for (unsigned int p = 0; p < r->pages; p++)
		page_write(r, p);
}

void region_hammer(struct region *r, unsigned int accesses)
{
	region_hammer_part(r, 0, r->pages, accesses);
}

void region_hammer_part(struct region *r, unsigned int first, unsigned int pages,
			unsigned int accesses)
{
	while (accesses--) {
		unsigned int page = first + rnd(pages);

		if (rnd(2))
			page_write(r, page);
		else
			page_check(r, r->at, page, "guest's");
	}
}

void region_map_at(struct region *r, unsigned int pages, int flags, int fd)
{
	unsigned char *room = mmap(NULL, pages * PAGE + 2 * HUGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(room);
	memset(r, 0, sizeof(*r));
	r->pages = pages;
	r->at = (void *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	must(mmap(r->at, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0));
}

void region_map(struct region *r, unsigned int pages)
{
	region_map_at(r, pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void region_unmap(struct region *r)
{
	must(munmap(r->at, r->pages * PAGE));
}

/* ---- as the host has it ---- */

uint64_t pagemap(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	must(fd);
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)at / PAGE * 8)) != 8)
		row_fail("pagemap: %s", strerror(errno));
	close(fd);
	return entry;
}

unsigned int pages_with(const struct region *r, uint64_t flag)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < r->pages; p++)
		n += !!(pagemap(r->at + p * PAGE) & flag);
	return n;
}

void model_init(void)
{
	mirror_fd = memfd_create("mirror", MFD_CLOEXEC);
	if (mirror_fd < 0)
		exit(1);
}
