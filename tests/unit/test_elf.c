// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ELF checks of dune-exec: a file that is accepted, and one bad field per case with its exact
 * explanation.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "libdune/exec/elf.h"
#include "tests/unit/suite.h"

#define FILE_SIZE  0x3000ull
#define NR_HEADERS 4

/* A small program: text, data with bss, interpreter, stack. */
static struct image {
	Elf64_Ehdr header;
	Elf64_Phdr headers[NR_HEADERS];
} image;
static struct elf_file file;
static const char *why;

static void setup(void)
{
	image = (struct image){
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = 0x1100,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = NR_HEADERS,
		},
		.headers = {
			{ PT_INTERP, PF_R, 0x200, 0x200, 0x200, 28, 28, 1 },
			{ PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x1800, 0x1800, 0x1000 },
			{ PT_LOAD, PF_R | PF_W, 0x1e00, 0x2e00, 0x2e00, 0x400, 0x2000, 0x1000 },
			{ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 },
		},
	};
	why = "";
	memset(&file, 0x5a, sizeof(file));
}

static int parse(void)
{
	int error = elf_parse_header(&image, sizeof(image), FILE_SIZE, &file, &why);

	return error ? error : elf_parse_segments(&file, image.headers, FILE_SIZE, &why);
}

static void refused(const char *text)
{
	ck_assert_int_eq(parse(), -ENOEXEC);
	ck_assert_str_eq(why, text);
}

START_TEST(test_good)
{
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(file.type, ET_DYN);
	ck_assert_uint_eq(file.nr_loads, 2);
	ck_assert_uint_eq(file.low, 0);
	ck_assert_uint_eq(file.high, 0x5000);
	ck_assert_uint_eq(file.align, 0x1000);
	ck_assert_uint_eq(file.headers_address, sizeof(Elf64_Ehdr));
	ck_assert_uint_eq(file.interpreter_size, 28);
	ck_assert_int_eq(file.stack, ELF_STACK_PLAIN);
	ck_assert_uint_eq(file.loads[1].memory_bytes, 0x2000);
	ck_assert_uint_eq(file.loads[1].flags, PF_R | PF_W);
}
END_TEST

START_TEST(test_variants)
{
	image.header.e_type = ET_EXEC;
	image.headers[3].p_flags |= PF_X;
	image.headers[2].p_align = 0x200000;
	image.headers[0].p_type = PT_NULL;
	image.header.e_ident[EI_OSABI] = ELFOSABI_GNU;
	ck_assert_int_eq(parse(), 0);
	ck_assert_int_eq(file.stack, ELF_STACK_EXEC);
	ck_assert_uint_eq(file.align, 0x200000);
	ck_assert_uint_eq(file.interpreter_size, 0);
	setup();
	image.headers[3].p_type = PT_NULL;
	ck_assert_int_eq(parse(), 0);
	ck_assert_int_eq(file.stack, ELF_STACK_DEFAULT);
	/* an alignment that is no power of two is ignored, as in Linux */
	setup();
	image.headers[1].p_align = 0x3000;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(file.align, 0x1000);
	/* nothing from the file: its offset says nothing */
	setup();
	image.headers[2].p_offset = 0x123;
	image.headers[2].p_filesz = 0;
	ck_assert_int_eq(parse(), 0);
	image.headers[2].p_offset = UINT64_MAX;
	ck_assert_int_eq(parse(), 0);
	/* headers outside of every segment */
	setup();
	image.headers[1].p_offset = 0x1000;
	image.headers[1].p_vaddr = 0x1000;
	image.headers[1].p_filesz = 0x800;
	image.headers[1].p_memsz = 0x800;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(file.headers_address, 0);
	ck_assert_uint_eq(file.low, 0x1000);
}
END_TEST

/* One byte or field of the file header. */
static const struct bad_header {
	size_t offset, size;
	uint64_t value;
	const char *why;
} bad_headers[] = {
#define AT(field) offsetof(Elf64_Ehdr, field), sizeof(image.header.field)
	{ 0, 1, 0x7e, "not an ELF file" },
	{ 3, 1, 'f', "not an ELF file" },
	{ EI_CLASS, 1, ELFCLASS32, "a 32-bit program" },
	{ EI_CLASS, 1, 3, "bad ELF class" },
	{ EI_DATA, 1, ELFDATA2MSB, "not little-endian" },
	{ EI_VERSION, 1, 0, "bad ELF version" },
	{ EI_OSABI, 1, ELFOSABI_FREEBSD, "made for another operating system" },
	{ AT(e_version), 2, "bad ELF version" },
	{ AT(e_machine), EM_AARCH64, "made for another machine" },
	{ AT(e_machine), EM_386, "made for another machine" },
	{ AT(e_type), ET_REL, "not an executable" },
	{ AT(e_type), ET_CORE, "not an executable" },
	{ AT(e_ehsize), 52, "bad header size" },
	{ AT(e_phentsize), 32, "bad program header size" },
	{ AT(e_phnum), 0, "bad number of program headers" },
	{ AT(e_phnum), ELF_MAX_HEADERS + 1, "bad number of program headers" },
	{ AT(e_phnum), PN_XNUM, "bad number of program headers" },
	{ AT(e_phoff), FILE_SIZE + 1, "program headers outside of the file" },
	{ AT(e_phoff), FILE_SIZE - sizeof(Elf64_Phdr), "program headers outside of the file" },
	{ AT(e_phoff), UINT64_MAX, "program headers outside of the file" },
	{ AT(e_entry), 0x5000, "entry point outside of the segments" },
	{ AT(e_entry), 0x1800, "entry point outside of the segments" },
	{ AT(e_entry), UINT64_MAX, "entry point outside of the segments" },
#undef AT
};

START_TEST(test_bad_header)
{
	const struct bad_header *b = &bad_headers[_i];

	memcpy((char *)&image.header + b->offset, &b->value, b->size);
	refused(b->why);
}
END_TEST

/* One field of one program header. */
static const struct bad_segment {
	int header;
	size_t offset, size;
	uint64_t value;
	const char *why;
} bad_segments[] = {
#define AT(field) offsetof(Elf64_Phdr, field), sizeof(image.headers[0].field)
	{ 2, AT(p_filesz), 0x2001, "a segment larger in the file than in memory" },
	{ 2, AT(p_offset), FILE_SIZE, "a segment outside of the file" },
	{ 2, AT(p_offset), UINT64_MAX - 0x1ff, "a segment outside of the file" },
	{ 2, AT(p_memsz), UINT64_MAX, "a segment outside of the address space" },
	{ 2, AT(p_memsz), ELF_ADDRESS_END, "a segment outside of the address space" },
	{ 2, AT(p_vaddr), ELF_ADDRESS_END + 0xe00, "a segment outside of the address space" },
	{ 2, AT(p_vaddr), UINT64_MAX - 0x1ff, "a segment outside of the address space" },
	{ 2, AT(p_vaddr), 0x2e01, "a segment whose address and offset don't agree" },
	{ 2, AT(p_offset), 0x1d00, "a segment whose address and offset don't agree" },
	{ 2, AT(p_vaddr), 0xe00, "segments that overlap or are out of order" },
	{ 1, AT(p_memsz), 0x2e01, "segments that overlap or are out of order" },
	{ 1, AT(p_vaddr), 0x10000, "segments that overlap or are out of order" },
	{ 1, AT(p_align), 1ull << 62, "bad segment alignment" },
	{ 0, AT(p_filesz), 1, "bad size of the interpreter's name" },
	{ 0, AT(p_filesz), ELF_MAX_INTERPRETER + 1, "bad size of the interpreter's name" },
	{ 0, AT(p_offset), FILE_SIZE - 27, "interpreter's name outside of the file" },
	{ 0, AT(p_offset), UINT64_MAX, "interpreter's name outside of the file" },
#undef AT
};

START_TEST(test_bad_segment)
{
	const struct bad_segment *b = &bad_segments[_i];

	memcpy((char *)&image.headers[b->header] + b->offset, &b->value, b->size);
	refused(b->why);
}
END_TEST

START_TEST(test_no_segment)
{
	image.headers[1].p_type = PT_NOTE;
	image.headers[2].p_type = PT_NOTE;
	refused("no segment to load");
	setup();
	image.headers[1].p_filesz = image.headers[1].p_memsz = 0;
	image.headers[2].p_type = PT_NOTE;
	refused("only empty segments");
}
END_TEST

START_TEST(test_many_segments)
{
	static Elf64_Phdr many[ELF_MAX_LOADS + 1];

	ck_assert_int_eq(elf_parse_header(&image, sizeof(image), FILE_SIZE, &file, &why), 0);
	for (int i = 0; i <= ELF_MAX_LOADS; i++)
		many[i] = (Elf64_Phdr){ PT_LOAD, PF_R, 0, i * 0x1000, 0, 0x100, 0x200, 0x1000 };
	file.nr_headers = ELF_MAX_LOADS + 1;
	ck_assert_int_eq(elf_parse_segments(&file, many, FILE_SIZE, &why), -ENOEXEC);
	ck_assert_str_eq(why, "too many segments");
}
END_TEST

START_TEST(test_short)
{
	ck_assert_int_eq(elf_parse_header(&image, 63, FILE_SIZE, &file, &why), -ENOEXEC);
	ck_assert_str_eq(why, "not an ELF file");
	ck_assert_int_eq(elf_parse_header(&image, 0, FILE_SIZE, &file, &why), -ENOEXEC);
}
END_TEST

START_TEST(test_interpreter)
{
	ck_assert_int_eq(elf_check_interpreter("/lib/ld.so", 11, &why), 0);
	ck_assert_int_eq(elf_check_interpreter("/lib/ld.so", 10, &why), -ENOEXEC);
	ck_assert_str_eq(why, "interpreter's name without an end");
	ck_assert_int_eq(elf_check_interpreter("\0\0", 2, &why), -ENOEXEC);
	ck_assert_str_eq(why, "empty interpreter's name");
	ck_assert_int_eq(elf_check_interpreter("", 1, &why), -ENOEXEC);
}
END_TEST

static const struct script {
	const char *text, *interpreter, *argument, *why;
} scripts[] = {
	{ "#!/bin/sh\n", "/bin/sh", NULL, NULL },
	{ "#! \t/bin/sh \t\n", "/bin/sh", NULL, NULL },
	{ "#!/bin/sh -e  -x \n", "/bin/sh", "-e  -x", NULL },
	{ "#!/bin/sh\t-e", "/bin/sh", "-e", NULL },
	{ "#!sh", "sh", NULL, NULL },
	{ "#!\n", NULL, NULL, "script without an interpreter" },
	{ "#!", NULL, NULL, "script without an interpreter" },
	{ "#!  \t \n/bin/sh\n", NULL, NULL, "script without an interpreter" },
	{ "# !/bin/sh\n", NULL, NULL, "not a script" },
	{ "#", NULL, NULL, "not a script" },
};

START_TEST(test_script)
{
	const struct script *s = &scripts[_i];
	struct elf_script script;
	int error = elf_parse_script(s->text, strlen(s->text), &script, &why);

	if (s->why) {
		ck_assert_int_eq(error, -ENOEXEC);
		ck_assert_str_eq(why, s->why);
		return;
	}
	ck_assert_int_eq(error, 0);
	ck_assert_str_eq(script.interpreter, s->interpreter);
	if (s->argument)
		ck_assert_str_eq(script.argument, s->argument);
	else
		ck_assert_ptr_null(script.argument);
}
END_TEST

/* A line longer than what counts: the interpreter must end within. */
START_TEST(test_long_script)
{
	struct elf_script script;
	char text[1024];

	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	ck_assert_int_eq(elf_parse_script(text, sizeof(text), &script, &why), -ENOEXEC);
	ck_assert_str_eq(why, "interpreter's name too long");
	text[100] = ' ';
	ck_assert_int_eq(elf_parse_script(text, sizeof(text), &script, &why), 0);
	ck_assert_uint_eq(strlen(script.interpreter), 98);
	ck_assert_uint_eq(strlen(script.argument), ELF_SCRIPT_LINE - 1 - 101);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf");
	TCase *tcase = tcase_create("elf");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_good);
	tcase_add_test(tcase, test_variants);
	tcase_add_loop_test(tcase, test_bad_header, 0, sizeof(bad_headers) / sizeof(*bad_headers));
	tcase_add_loop_test(tcase, test_bad_segment, 0,
			    sizeof(bad_segments) / sizeof(*bad_segments));
	tcase_add_test(tcase, test_no_segment);
	tcase_add_test(tcase, test_many_segments);
	tcase_add_test(tcase, test_short);
	tcase_add_test(tcase, test_interpreter);
	tcase_add_loop_test(tcase, test_script, 0, sizeof(scripts) / sizeof(*scripts));
	tcase_add_test(tcase, test_long_script);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
