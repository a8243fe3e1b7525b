/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an executable file says about itself, checked. Pure: bytes in, a description out; opens and
 * maps nothing. Every function returns 0 or -ENOEXEC with *ret_why naming the field that is wrong.
 */
#ifndef DUNE_EXEC_ELF_H
#define DUNE_EXEC_ELF_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_HEADERS	    256 /* program headers; Linux allows 1170 */
#define ELF_MAX_LOADS	    64
#define ELF_MAX_INTERPRETER 4096 /* bytes of the path, the NUL included */
#define ELF_PAGE	    4096ull
#define ELF_ADDRESS_END	    0x7ffffffff000ull
#define ELF_SCRIPT_LINE	    256 /* bytes of a `#!` line that count, as in Linux */

enum elf_stack { ELF_STACK_DEFAULT, ELF_STACK_PLAIN, ELF_STACK_EXEC };

struct elf_load {
	uint64_t address; /* as in the file, without the base */
	uint64_t offset;
	uint64_t file_bytes;
	uint64_t memory_bytes;
	uint32_t flags; /* PF_R | PF_W | PF_X */
};

struct elf_file {
	uint16_t type; /* ET_EXEC or ET_DYN */
	uint16_t nr_headers;
	uint64_t entry;
	uint64_t headers_offset;
	/* From the program headers: */
	unsigned int nr_loads;
	struct elf_load loads[ELF_MAX_LOADS]; /* ascending, disjoint */
	uint64_t low, high; /* pages that the segments span */
	uint64_t align; /* of the base, at least a page */
	uint64_t headers_address; /* in memory, without the base; 0 when not loaded */
	uint64_t interpreter_offset, interpreter_size; /* size 0: none */
	enum elf_stack stack;
};

struct elf_script {
	char line[ELF_SCRIPT_LINE];
	char *interpreter; /* in line */
	char *argument; /* in line, or NULL */
};

/* The file header; file_size is the whole file's. */
int elf_parse_header(const void *bytes, size_t size, uint64_t file_size, struct elf_file *ret_file,
		     const char **ret_why);

/* The program headers, nr_headers of them, of a file whose header has been parsed. */
int elf_parse_segments(struct elf_file *file, const Elf64_Phdr *headers, uint64_t file_size,
		       const char **ret_why);

/* The interpreter's path, interpreter_size bytes of the file. */
int elf_check_interpreter(const char *bytes, size_t size, const char **ret_why);

/*
 * Whether the file starts with `#!`, and the line taken apart; -ENOEXEC for a line that Linux
 * refuses.
 */
int elf_is_script(const void *bytes, size_t size);
int elf_parse_script(const void *bytes, size_t size, struct elf_script *ret_script,
		     const char **ret_why);

#endif /* DUNE_EXEC_ELF_H */
