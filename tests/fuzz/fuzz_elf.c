// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ELF and script checks of dune-exec: whatever is accepted keeps the promises that the mapping
 * code relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "libdune/exec/elf.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_file(const struct elf_file *f, uint64_t file_size)
{
	uint64_t end = 0;

	MUST(f->nr_loads >= 1 && f->nr_loads <= ELF_MAX_LOADS);
	MUST(f->low < f->high && f->high <= ELF_ADDRESS_END);
	MUST(f->align >= ELF_PAGE && !(f->align & (f->align - 1)));
	for (unsigned int i = 0; i < f->nr_loads; i++) {
		const struct elf_load *l = &f->loads[i];

		MUST(l->address >= end && l->file_bytes <= l->memory_bytes);
		MUST(!l->file_bytes || l->offset + l->file_bytes <= file_size);
		end = l->address + l->memory_bytes;
		MUST(end >= l->address && end <= f->high && l->address >= f->low);
		MUST(!l->file_bytes ||
		     (l->address & (ELF_PAGE - 1)) == (l->offset & (ELF_PAGE - 1)));
	}
	MUST(f->interpreter_size <= ELF_MAX_INTERPRETER);
	MUST(f->interpreter_offset + f->interpreter_size <= file_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Elf64_Phdr headers[ELF_MAX_HEADERS];
	struct elf_script script;
	struct elf_file file;
	const char *why = NULL;

	if (!elf_parse_script(data, size, &script, &why))
		MUST(script.interpreter[0] && script.interpreter[0] != ' ');
	if (elf_parse_header(data, size, size, &file, &why)) {
		MUST(why);
		return 0;
	}
	memcpy(headers, data + file.headers_offset, file.nr_headers * sizeof(*headers));
	if (elf_parse_segments(&file, headers, size, &why)) {
		MUST(why);
		return 0;
	}
	check_file(&file, size);
	if (file.interpreter_size &&
	    !elf_check_interpreter((const char *)data + file.interpreter_offset,
				   file.interpreter_size, &why))
		MUST(strlen((const char *)data + file.interpreter_offset) < file.interpreter_size);
	return 0;
}
