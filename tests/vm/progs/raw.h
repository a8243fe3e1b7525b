/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest built by hand against proto/dune_abi.h alone, without libdune: for tests of the module, hostile ones
 * among them. Runs as root (it opens /dev/dune itself). Guest layout: private memory is mapped at RAW_BASE by
 * one 2 MB supervisor page, code at RAW_CODE, stack below RAW_STACK; nothing of user space is mapped unless
 * raw_map_low was called.
 */
#ifndef RAW_H
#define RAW_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define RAW_BASE      0xffffffff80000000ull
#define RAW_PML4      0x1000
#define RAW_PDPT      0x2000
#define RAW_PD	      0x3000
#define RAW_GDT	      0x4000 /* TSS behind it */
#define RAW_IDT	      0x5000
#define RAW_PDPT_LOW  0x6000 /* for gva 0 .. 512 GB */
#define RAW_PDPT_HIGH 0x7000 /* for the 512 GB that hold stack and mmap area */
#define RAW_STACK     0xc000
#define RAW_CODE      0x10000
#define RAW_SCRATCH   0x20000
#define RAW_VECTOR    0xf0

#define raw_die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline int raw_device(void)
{
	int fd = open("/dev/dune", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		raw_die("/dev/dune: %m");
	return fd;
}

/* A context for owner; the fd. */
static inline int raw_create(int device, uint32_t owner, const char *name)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = owner };

	snprintf(create.name, sizeof(create.name), "%s", name);
	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("DUNE_CREATE: %m");
	return create.ret_fd;
}

static inline int raw_attach(int fd)
{
	struct dune_attach attach = { .abi = DUNE_ABI_VERSION };

	return ioctl(fd, DUNE_ATTACH, &attach) ? -errno : 0;
}

static inline int raw_map_area(int fd)
{
	static const struct {
		unsigned long address, offset;
		int prot;
	} pieces[] = {
		{ DUNE_TRAMPOLINE_ADDR, DUNE_MMAP_TRAMPOLINE, PROT_READ | PROT_EXEC },
		{ DUNE_RUN_ADDR, DUNE_MMAP_RUN, PROT_READ },
		{ DUNE_ARGS_ADDR, DUNE_MMAP_ARGS, PROT_READ },
	};

	for (int i = 0; i < 3; i++)
		if (mmap((void *)pieces[i].address, 4096, pieces[i].prot,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, pieces[i].offset) == MAP_FAILED)
			return -errno;
	return 0;
}

static inline int raw_write(int fd, uint64_t gpa, const void *source, uint64_t size)
{
	struct dune_private_write write = { gpa, (uint64_t)source, size };

	return ioctl(fd, DUNE_PRIVATE_WRITE, &write) ? -errno : 0;
}

/* Tables, GDT, an empty IDT, code; everything but LOCK. */
static inline void raw_fill(int fd, const void *code, uint64_t size)
{
	static uint64_t page[512];
	uint64_t tss = RAW_BASE + RAW_GDT + 0x100;

	memset(page, 0, sizeof(page));
	page[511] = RAW_PDPT | 3;
	page[0] = RAW_PDPT_LOW | 7;
	page[255] = RAW_PDPT_HIGH | 7;
	if (raw_write(fd, RAW_PML4, page, 4096))
		raw_die("private write: %m");
	memset(page, 0, sizeof(page));
	page[510] = RAW_PD | 3;
	raw_write(fd, RAW_PDPT, page, 4096);
	memset(page, 0, sizeof(page));
	page[0] = 0x83;
	raw_write(fd, RAW_PD, page, 4096);
	memset(page, 0, sizeof(page));
	page[1] = 0x00af9b000000ffffull; /* 0x08 code */
	page[2] = 0x00cf93000000ffffull; /* 0x10 data */
	page[4] = 0x67 | (tss & 0xffffff) << 16 | 0x8bull << 40 | (tss >> 24 & 0xff) << 56;
	page[5] = tss >> 32;
	raw_write(fd, RAW_GDT, page, 4096);
	raw_write(fd, RAW_IDT, NULL, 4096);
	raw_write(fd, RAW_PDPT_LOW, NULL, 4096);
	raw_write(fd, RAW_PDPT_HIGH, NULL, 4096);
	raw_write(fd, RAW_STACK - 4096, NULL, 4096);
	raw_write(fd, RAW_SCRATCH, NULL, 4096);
	if (raw_write(fd, RAW_CODE, code, size))
		raw_die("private write: %m");
}

static inline struct dune_lock raw_state(void)
{
	return (struct dune_lock){
		.abi = DUNE_ABI_VERSION,
		.signal_vector = RAW_VECTOR,
		.state = {
			.rip = RAW_BASE + RAW_CODE, .rsp = RAW_BASE + RAW_STACK, .cr3 = RAW_PML4,
			.gdt_base = RAW_BASE + RAW_GDT, .gdt_limit = 0x1ff,
			.idt_base = RAW_BASE + RAW_IDT, .idt_limit = 0xfff,
			.tr_base = RAW_BASE + RAW_GDT + 0x100, .tr_limit = 0x67, .tr_selector = 0x20,
			.cs_selector = 0x08, .ss_selector = 0x10, .lstar = RAW_BASE + RAW_CODE,
		},
	};
}

static inline int raw_lock(int fd)
{
	struct dune_lock lock = raw_state();

	return ioctl(fd, DUNE_LOCK, &lock) ? -errno : 0;
}

/* Into the guest; comes back only as the system calls that the guest makes. */
__attribute__((noreturn)) static inline void raw_go(int fd)
{
	register long rbx __asm__("rbx") = fd;

	__asm__ volatile("xor %%eax, %%eax\n\tjmp *%0"
			 :
			 : "r"((long)DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_RUN), "r"(rbx)
			 : "rax", "memory");
	__builtin_unreachable();
}

/* The usual start: context, area, memory, lock. */
static inline int raw_setup(int device, const char *name, const void *code, uint64_t size)
{
	int fd = raw_create(device, getuid(), name), err;

	err = raw_attach(fd);
	if (err)
		raw_die("DUNE_ATTACH: %s", strerror(-err));
	err = raw_map_area(fd);
	if (err)
		raw_die("mmap of the area: %s", strerror(-err));
	raw_fill(fd, code, size);
	err = raw_lock(fd);
	if (err)
		raw_die("DUNE_LOCK: %s", strerror(-err));
	return fd;
}

static inline struct dune_info raw_info(int device)
{
	struct dune_info info = {};

	if (ioctl(device, DUNE_INFO, &info))
		raw_die("DUNE_INFO: %m");
	return info;
}

/* Of the first context behind that id; all 0 when there is none. */
static inline struct dune_stats raw_stats(int device, uint64_t after_id)
{
	struct dune_stats stats = {};
	struct dune_stats_call call = {
		.abi = DUNE_ABI_VERSION,
		.after_id = after_id,
		.buffer = (uint64_t)&stats,
		.capacity = 1,
	};

	if (ioctl(device, DUNE_STATS, &call))
		raw_die("DUNE_STATS: %m");
	return stats;
}

#endif
