// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kexec VMLINUX INITRD CMDLINE: the running kernel hands the machine to this one, without a reset in between. Neither
 * checksums (kexec_file_load) nor a kernel that unpacks itself: both take minutes here. Source: Linux's
 * Documentation/x86/boot.rst and zero-page.rst, the 64-bit protocol.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where things go beside the kernel, as physical addresses. */
#define STUB_ADDR    0x10000
#define PARAMS_ADDR  0x11000
#define CMDLINE_ADDR 0x12000
#define INITRD_ADDR  0xa000000

/* In struct boot_params. */
#define E820_COUNT   0x1e8
#define LOADER	     0x210
#define RAMDISK	     0x218
#define RAMDISK_SIZE 0x21c
#define CMDLINE	     0x228
#define E820_TABLE   0x2d0

#define PAGE	 4096ul
#define E820_MAX 128

static void die(const char *what)
{
	fprintf(stderr, "kexec: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const uint8_t *map(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *at;

	if (fd < 0 || fstat(fd, &status))
		die(path);
	at = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		die(path);
	*ret_size = status.st_size;
	return at;
}

static void put(uint8_t *params, unsigned int at, uint64_t value, size_t size)
{
	memcpy(params + at, &value, size);
}

/* One file of the firmware's memory map; 0 when there is none. */
static int memmap_read(unsigned int entry, const char *name, char *text, size_t size)
{
	char path[64];
	FILE *file;
	int ok;

	snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/%s", entry, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	ok = !!fgets(text, size, file);
	fclose(file);
	return ok;
}

static void put_memory(uint8_t *params)
{
	char start[32], end[32], type[32];
	unsigned int n = 0;

	while (n < E820_MAX && memmap_read(n, "start", start, sizeof(start)) &&
	       memmap_read(n, "end", end, sizeof(end)) &&
	       memmap_read(n, "type", type, sizeof(type))) {
		uint64_t from = strtoull(start, NULL, 0), bytes = strtoull(end, NULL, 0) - from + 1;
		unsigned int at = E820_TABLE + 20 * n++;

		put(params, at, from, 8);
		put(params, at + 8, bytes, 8);
		put(params, at + 16, strncmp(type, "System RAM", 10) ? 2 : 1, 4);
	}
	put(params, E820_COUNT, n, 1);
}

static struct kexec_segment segments[KEXEC_SEGMENT_MAX];
static unsigned long nr_segments;

static void add(const void *data, size_t size, uint64_t address, size_t room)
{
	if (nr_segments == KEXEC_SEGMENT_MAX) {
		fprintf(stderr, "kexec: too many segments\n");
		exit(1);
	}
	segments[nr_segments++] =
		(struct kexec_segment){ data, size, (void *)address, (room + PAGE - 1) & -PAGE };
}

/* The kernel is where it wants to be; returns its entry. */
static uint64_t add_kernel(const uint8_t *file, size_t size)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)file;
	const Elf64_Phdr *part = (const Elf64_Phdr *)(file + head->e_phoff);

	if (size < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG)) {
		fprintf(stderr, "kexec: not an ELF file\n");
		exit(1);
	}
	for (int i = 0; i < head->e_phnum; i++)
		if (part[i].p_type == PT_LOAD)
			add(file + part[i].p_offset, part[i].p_filesz, part[i].p_paddr,
			    part[i].p_memsz);
	return head->e_entry;
}

static void load(const char *kernel, const char *initrd, const char *cmdline)
{
	/* mov $PARAMS_ADDR, %esi; mov $entry, %eax; jmp *%rax */
	static uint8_t stub[] = { 0xbe, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xff, 0xe0 };
	static uint8_t params[PAGE];
	const uint8_t *file;
	size_t size;

	file = map(kernel, &size);
	put(stub, 1, PARAMS_ADDR, 4);
	put(stub, 6, add_kernel(file, size), 4);
	add(stub, sizeof(stub), STUB_ADDR, PAGE);
	file = map(initrd, &size);
	add(file, size, INITRD_ADDR, size);
	put(params, RAMDISK, INITRD_ADDR, 4);
	put(params, RAMDISK_SIZE, size, 4);
	add(cmdline, strlen(cmdline) + 1, CMDLINE_ADDR, PAGE);
	put(params, CMDLINE, CMDLINE_ADDR, 4);
	put(params, LOADER, 0xff, 1);
	put_memory(params);
	add(params, sizeof(params), PARAMS_ADDR, PAGE);
	if (syscall(SYS_kexec_load, STUB_ADDR, nr_segments, segments, KEXEC_ARCH_X86_64))
		die("kexec_load");
}

int main(int argc, char **argv)
{
	if (argc != 4 || strlen(argv[3]) >= PAGE) {
		fprintf(stderr, "usage: kexec VMLINUX INITRD CMDLINE\n");
		return 2;
	}
	load(argv[1], argv[2], argv[3]);
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	die("reboot");
}
