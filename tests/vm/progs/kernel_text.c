// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kernel_text ADDRESS BYTES: what lies in the kernel's memory, in hexadecimal, one line: its code as it is run, with
 * whatever was patched at load. (No symbols: their names are slow to unpack.)
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTES_MAX    4096
#define SEGMENTS_MAX 256

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

/* /proc/kcore is a core file: the offset of what it has for an address. */
static off_t offset_of(int fd, uint64_t address, uint64_t size)
{
	static Elf64_Phdr segments[SEGMENTS_MAX];
	Elf64_Ehdr header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    header.e_phnum > SEGMENTS_MAX ||
	    pread(fd, segments, header.e_phnum * sizeof(*segments), (off_t)header.e_phoff) < 0)
		die("/proc/kcore: %m");
	for (int i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr &&
		    address + size <= segments[i].p_vaddr + segments[i].p_memsz)
			return (off_t)(segments[i].p_offset + address - segments[i].p_vaddr);
	die("/proc/kcore has no %#lx", address);
}

int main(int argc, char **argv)
{
	int fd = open("/proc/kcore", O_RDONLY);
	uint64_t address = argc == 3 ? strtoul(argv[1], NULL, 16) : 0;
	size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned char text[BYTES_MAX];

	if (!size || size > sizeof(text))
		die("kernel_text ADDRESS BYTES");
	if (fd < 0 || pread(fd, text, size, offset_of(fd, address, size)) != (ssize_t)size)
		die("/proc/kcore: %m");
	for (size_t i = 0; i < size; i++)
		printf("%02x%c", text[i], i + 1 < size ? ' ' : '\n');
	return 0;
}
