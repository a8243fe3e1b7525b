// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: memory of devices, which has no struct page: frames and cache types come from the host's page table alone.
 * With CONFIG_STRICT_DEVMEM /dev/mem gives the first megabyte and what no driver has claimed.
 */
#include <sys/io.h>
#include "tests/vm/progs/hostmem/hostmem.h"

#define BIOS	     0xf0000l
#define BIOS_PAGES   16
#define SCREEN	     0xe0000000l /* linear memory of Bochs's display adapter */
#define SCREEN_PAGES 64
#define VBE_INDEX    0x1ce
#define VBE_DATA     0x1cf
#define HPET_COUNTER 0xf0

static int devmem(int flags)
{
	int fd = open("/dev/mem", flags | O_CLOEXEC);

	if (fd < 0)
		row_skip("/dev/mem: %s", strerror(errno));
	return fd;
}

static void map(int fd, off_t offset, unsigned int pages, int prot)
{
	void *at = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, offset);

	if (at == MAP_FAILED)
		row_skip("mmap: %s", strerror(errno));
	mem.at = at;
	mem.pages = pages;
}

static uint64_t as_host_has_it(int fd, off_t offset)
{
	uint64_t value;

	if (pread(fd, &value, 8, offset) != 8)
		row_fail("pread: %s", strerror(errno));
	return value;
}

static void row_rom(void)
{
	int fd = devmem(O_RDONLY);
	unsigned int other = 0;

	map(fd, BIOS, BIOS_PAGES, PROT_READ);
	for (unsigned long o = 0; o < BIOS_PAGES * PAGE; o += 1024 + 8) {
		uint64_t got = load_of(mem.at + o), held = as_host_has_it(fd, BIOS + (off_t)o);

		if (got != held)
			row_fail("%#lx is %#lx, not %#lx", BIOS + o, got, held);
		other += got && got != ~0ul;
	}
	if (!other)
		row_fail("nothing is there");
	expect_signal(signal_of(store_to(mem.at, 1)), SIGSEGV, "store");
	close(fd);
}

static uint64_t *screen; /* as both processes have it */

/* Bochs's display adapter (the "VBE" interface) gets a mode, so that it has memory. */
void device_prepare(void)
{
	static const uint16_t mode[][2] = {
		{ 4, 0 }, { 1, 640 }, { 2, 480 }, { 3, 8 }, { 4, 0x41 },
	};
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *at;

	if (fd < 0 || iopl(3))
		return;
	for (size_t i = 0; i < sizeof(mode) / sizeof(*mode); i++) {
		outw(mode[i][0], VBE_INDEX);
		outw(mode[i][1], VBE_DATA);
	}
	iopl(0);
	at = mmap(NULL, SCREEN_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, SCREEN);
	close(fd);
	if (at == MAP_FAILED)
		return;
	screen = at;
	*(volatile uint64_t *)screen = 0x123456789abcdef0;
	if (*(volatile uint64_t *)screen != 0x123456789abcdef0)
		screen = NULL;
}

#define STEP 32 /* words between those that the test writes */

static int job_screen(void)
{
	for (unsigned long o = 0; o < SCREEN_PAGES * PAGE / 8; o += STEP) {
		if (load_of(screen + o) != o * 0x10001 + 1)
			return EILSEQ;
		store_to(screen + o, ~o);
	}
	return 0;
}

static void row_screen(void)
{
	int fd = devmem(O_RDWR | O_SYNC);

	if (!screen)
		row_skip("no display adapter");
	map(fd, SCREEN, SCREEN_PAGES, PROT_READ | PROT_WRITE);
	for (unsigned long o = 0; o < SCREEN_PAGES * PAGE / 8; o += STEP)
		store_to(mem.at + 8 * o, o * 0x10001 + 1);
	if (host_once(job_screen))
		row_fail("what the guest wrote is not there");
	for (unsigned long o = 0; o < SCREEN_PAGES * PAGE / 8; o += STEP)
		if (load_of(mem.at + 8 * o) != ~o)
			row_fail("word %#lx is %#lx", o, load_of(mem.at + 8 * o));
	must(mprotect(mem.at, PAGE, PROT_READ));
	expect_signal(signal_of(store_to(mem.at, 1)), SIGSEGV, "store to what is read-only");
	store_to(mem.at + PAGE, 0);
	region_unmap(&mem);
	expect_signal(signal_of(load_of(mem.at)), SIGSEGV, "load of what is unmapped");
	close(fd);
}

/* Registers: each load goes to the device. */
static void row_hpet(void)
{
	int fd = open("/dev/hpet", O_RDONLY | O_CLOEXEC);
	uint64_t last;

	if (fd < 0)
		row_skip("/dev/hpet: %s", strerror(errno));
	map(fd, 0, 1, PROT_READ);
	last = load_of(mem.at + HPET_COUNTER);
	for (int i = 0; i < 100; i++) {
		uint64_t now = load_of(mem.at + HPET_COUNTER);

		if (now <= last)
			row_fail("the counter stands at %lu after %lu", now, last);
		last = now;
		for (volatile int wait = 0; wait < 1000; wait++)
			;
	}
	close(fd);
}

const struct row device_rows[] = {
	{ "device-rom", row_rom },
	{ "device-screen", row_screen },
	{ "device-hpet", row_hpet },
	{},
};
