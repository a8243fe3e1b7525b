// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Checks executable files. Stricter than the kernel where a file that it accepts could only crash.
 * Never trusts a number from the file before it has been compared with the file's size or the
 * address space.
 */
#include <errno.h>
#include <string.h>
#include "libdune/exec/elf.h"

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -ENOEXEC;
}

static int check_ident(const Elf64_Ehdr *h, const char **ret_why)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return refuse(ret_why, "not an ELF file");
	if (h->e_ident[EI_CLASS] == ELFCLASS32)
		return refuse(ret_why, "a 32-bit program");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return refuse(ret_why, "bad ELF class");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(ret_why, "not little-endian");
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return refuse(ret_why, "bad ELF version");
	if (h->e_ident[EI_OSABI] != ELFOSABI_SYSV && h->e_ident[EI_OSABI] != ELFOSABI_GNU)
		return refuse(ret_why, "made for another operating system");
	return 0;
}

int elf_parse_header(const void *bytes, size_t size, uint64_t file_size, struct elf_file *ret_file,
		     const char **ret_why)
{
	Elf64_Ehdr h;
	int error;

	if (size < sizeof(h))
		return refuse(ret_why, "not an ELF file");
	memcpy(&h, bytes, sizeof(h));
	error = check_ident(&h, ret_why);
	if (error)
		return error;
	if (h.e_machine != EM_X86_64)
		return refuse(ret_why, "made for another machine");
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return refuse(ret_why, "not an executable");
	if (h.e_ehsize != sizeof(h))
		return refuse(ret_why, "bad header size");
	if (h.e_phentsize != sizeof(Elf64_Phdr))
		return refuse(ret_why, "bad program header size");
	if (!h.e_phnum || h.e_phnum > ELF_MAX_HEADERS)
		return refuse(ret_why, "bad number of program headers");
	if (h.e_phoff > file_size || h.e_phnum * sizeof(Elf64_Phdr) > file_size - h.e_phoff)
		return refuse(ret_why, "program headers outside of the file");
	*ret_file = (struct elf_file){
		.type = h.e_type,
		.nr_headers = h.e_phnum,
		.entry = h.e_entry,
		.headers_offset = h.e_phoff,
		.align = ELF_PAGE,
	};
	return 0;
}

static int check_load(const Elf64_Phdr *p, uint64_t file_size, const char **ret_why)
{
	if (p->p_filesz > p->p_memsz)
		return refuse(ret_why, "a segment larger in the file than in memory");
	/* Of a segment without bytes in the file the offset says nothing. */
	if (p->p_filesz && (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset))
		return refuse(ret_why, "a segment outside of the file");
	if (p->p_vaddr >= ELF_ADDRESS_END || p->p_memsz > ELF_ADDRESS_END - p->p_vaddr)
		return refuse(ret_why, "a segment outside of the address space");
	if (p->p_filesz && (p->p_vaddr ^ p->p_offset) & (ELF_PAGE - 1))
		return refuse(ret_why, "a segment whose address and offset don't agree");
	return 0;
}

static int add_load(struct elf_file *f, const Elf64_Phdr *p, uint64_t file_size,
		    const char **ret_why)
{
	const struct elf_load *last = f->nr_loads ? &f->loads[f->nr_loads - 1] : NULL;
	int error = check_load(p, file_size, ret_why);

	if (error)
		return error;
	if (f->nr_loads == ELF_MAX_LOADS)
		return refuse(ret_why, "too many segments");
	if (last && p->p_vaddr < last->address + last->memory_bytes)
		return refuse(ret_why, "segments that overlap or are out of order");
	if (!(p->p_align & (p->p_align - 1)) && p->p_align > f->align)
		f->align = p->p_align;
	if (p->p_offset <= f->headers_offset && f->headers_offset - p->p_offset < p->p_filesz)
		f->headers_address = f->headers_offset - p->p_offset + p->p_vaddr;
	f->loads[f->nr_loads++] = (struct elf_load){
		.address = p->p_vaddr,
		.offset = p->p_offset,
		.file_bytes = p->p_filesz,
		.memory_bytes = p->p_memsz,
		.flags = p->p_flags & (PF_R | PF_W | PF_X),
	};
	return 0;
}

static int add_interpreter(struct elf_file *f, const Elf64_Phdr *p, uint64_t file_size,
			   const char **ret_why)
{
	if (f->interpreter_size)
		return 0; /* the first counts */
	if (p->p_filesz < 2 || p->p_filesz > ELF_MAX_INTERPRETER)
		return refuse(ret_why, "bad size of the interpreter's name");
	if (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset)
		return refuse(ret_why, "interpreter's name outside of the file");
	f->interpreter_offset = p->p_offset;
	f->interpreter_size = p->p_filesz;
	return 0;
}

/* After the last header: extents, entry. */
static int check_whole(struct elf_file *f, const char **ret_why)
{
	const struct elf_load *last;

	if (!f->nr_loads)
		return refuse(ret_why, "no segment to load");
	last = &f->loads[f->nr_loads - 1];
	f->low = f->loads[0].address & ~(ELF_PAGE - 1);
	f->high = (last->address + last->memory_bytes + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
	if (f->high == f->low)
		return refuse(ret_why, "only empty segments");
	if (f->align > ELF_ADDRESS_END / 4)
		return refuse(ret_why, "bad segment alignment");
	for (unsigned int i = 0; i < f->nr_loads; i++)
		if (f->entry >= f->loads[i].address &&
		    f->entry - f->loads[i].address < f->loads[i].memory_bytes)
			return 0;
	return refuse(ret_why, "entry point outside of the segments");
}

int elf_parse_segments(struct elf_file *file, const Elf64_Phdr *headers, uint64_t file_size,
		       const char **ret_why)
{
	for (unsigned int i = 0; i < file->nr_headers; i++) {
		const Elf64_Phdr *p = &headers[i];
		int error = 0;

		if (p->p_type == PT_LOAD)
			error = add_load(file, p, file_size, ret_why);
		else if (p->p_type == PT_INTERP)
			error = add_interpreter(file, p, file_size, ret_why);
		else if (p->p_type == PT_GNU_STACK)
			file->stack = p->p_flags & PF_X ? ELF_STACK_EXEC : ELF_STACK_PLAIN;
		if (error)
			return error;
	}
	return check_whole(file, ret_why);
}

int elf_check_interpreter(const char *bytes, size_t size, const char **ret_why)
{
	if (size < 2 || bytes[size - 1])
		return refuse(ret_why, "interpreter's name without an end");
	if (!bytes[0])
		return refuse(ret_why, "empty interpreter's name");
	return 0;
}

int elf_is_script(const void *bytes, size_t size)
{
	return size >= 2 && !memcmp(bytes, "#!", 2);
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int elf_parse_script(const void *bytes, size_t size, struct elf_script *ret_script,
		     const char **ret_why)
{
	char *at, *end;
	size_t n = size < ELF_SCRIPT_LINE - 1 ? size : ELF_SCRIPT_LINE - 1;

	if (!elf_is_script(bytes, size))
		return refuse(ret_why, "not a script");
	memset(ret_script, 0, sizeof(*ret_script));
	memcpy(ret_script->line, bytes, n);
	at = ret_script->line + 2;
	end = strchr(at, '\n');
	if (!end) {
		end = ret_script->line + strlen(ret_script->line);
		/* A cut line must at least hold the whole interpreter. */
		at += strspn(at, " \t");
		if (size > n && !strpbrk(at, " \t"))
			return refuse(ret_why, "interpreter's name too long");
	}
	while (end > ret_script->line + 2 && is_blank(end[-1]))
		end--;
	*end = 0;
	at = ret_script->line + 2;
	at += strspn(at, " \t");
	if (!*at)
		return refuse(ret_why, "script without an interpreter");
	ret_script->interpreter = at;
	at += strcspn(at, " \t");
	if (*at) {
		*at++ = 0;
		at += strspn(at, " \t");
		ret_script->argument = at;
	}
	return 0;
}
