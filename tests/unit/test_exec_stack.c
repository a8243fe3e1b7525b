// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The initial stack that dune-exec builds, from a block laid out like the one that the kernel gave
 * it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include "libdune/exec/stack.h"
#include "tests/unit/suite.h"

#define MAX_WORDS 64

/* What the kernel puts there: argv, envp, auxv; strings in constants. */
static _Alignas(16) uint64_t block[MAX_WORDS];
static uint64_t *block_end;
static char own[] = "dune-exec", fd[] = "5", path[] = "/bin/x", zero[] = "x", one[] = "one";
static char home[] = "HOME=/";
static struct program program, interpreter;
static struct stack_image image;

static const uint64_t old_aux[][2] = {
	{ AT_SYSINFO_EHDR, 0x7fff00000000 },
	{ AT_EXECFD, 9 },
	{ AT_PHDR, 1 },
	{ AT_PHENT, 2 },
	{ AT_PHNUM, 3 },
	{ AT_BASE, 4 },
	{ AT_ENTRY, 5 },
	{ AT_RANDOM, 0x1234 },
	{ 27, 32 },
	{ 28, 32 },
	{ AT_EXECFN, 6 },
	{ AT_MINSIGSTKSZ, 2048 },
	{ AT_NULL, 0 },
};

static char **lay_out(char **arguments, int n)
{
	uint64_t *word = block;

	*word++ = n;
	for (int i = 0; i < n; i++)
		*word++ = (uint64_t)arguments[i];
	*word++ = 0;
	*word++ = (uint64_t)home;
	*word++ = 0;
	memcpy(word, old_aux, sizeof(old_aux));
	block_end = word + sizeof(old_aux) / 8;
	return (char **)block + 1;
}

static void setup(void)
{
	program = (struct program){
		.base = 0x555500000000,
		.file = { .entry = 0x1000, .headers_address = 0x40, .nr_headers = 7 },
	};
	interpreter = (struct program){ .base = 0x7ffff0000000 };
}

static void teardown(void)
{
	munmap(image.bytes, image.mapping_size);
}

static uint64_t word_at(uint64_t address)
{
	return *(uint64_t *)(image.bytes + (address - image.rsp));
}

static int aux_find(uint64_t type, uint64_t *ret_value)
{
	for (uint64_t at = image.auxv; at < image.auxv + image.auxv_size; at += 16) {
		if (word_at(at) != type)
			continue;
		*ret_value = word_at(at + 8);
		return 1;
	}
	return 0;
}

static void check_aux(uint64_t type, uint64_t wanted)
{
	uint64_t value;

	ck_assert(aux_find(type, &value));
	ck_assert_uint_eq(value, wanted);
}

START_TEST(test_plain)
{
	char *arguments[] = { own, fd, path, zero, one };
	struct stack_request request = {
		.argv = lay_out(arguments, 5),
		.argc = 5,
		.skip = 3,
		.path = path,
		.program = &program,
		.interpreter = &interpreter,
	};
	uint64_t value;

	ck_assert_int_eq(stack_build(&request, &image), 0);
	ck_assert_uint_eq(image.rsp % 16, 0);
	ck_assert_uint_eq(image.rsp + image.size, (uint64_t)block_end);
	ck_assert(image.rsp >= (uint64_t)block);
	ck_assert_uint_eq(word_at(image.rsp), 2);
	ck_assert_uint_eq(word_at(image.rsp + 8), (uint64_t)zero);
	ck_assert_uint_eq(word_at(image.rsp + 16), (uint64_t)one);
	ck_assert_uint_eq(word_at(image.rsp + 24), 0);
	ck_assert_uint_eq(word_at(image.rsp + 32), (uint64_t)home);
	ck_assert_uint_eq(word_at(image.rsp + 40), 0);
	ck_assert_uint_eq(image.auxv, image.rsp + 48);
	check_aux(AT_PHDR, 0x555500000040);
	check_aux(AT_PHENT, sizeof(Elf64_Phdr));
	check_aux(AT_PHNUM, 7);
	check_aux(AT_BASE, 0x7ffff0000000);
	check_aux(AT_ENTRY, 0x555500001000);
	check_aux(AT_EXECFN, (uint64_t)path);
	check_aux(AT_RANDOM, 0x1234);
	check_aux(AT_SYSINFO_EHDR, 0x7fff00000000);
	check_aux(AT_MINSIGSTKSZ, 2048);
	ck_assert(!aux_find(27, &value) && !aux_find(28, &value) && !aux_find(AT_EXECFD, &value));
	ck_assert_uint_eq(word_at(image.auxv + image.auxv_size - 16), AT_NULL);
	ck_assert_uint_eq(image.arg_start, (uint64_t)zero);
	ck_assert_uint_eq(image.arg_end, (uint64_t)one + sizeof(one));
	ck_assert_uint_eq(image.env_start, (uint64_t)home);
	ck_assert_uint_eq(image.env_end, (uint64_t)home + sizeof(home));
}
END_TEST

START_TEST(test_static)
{
	char *arguments[] = { own, fd, path, zero };
	struct stack_request request = {
		.argv = lay_out(arguments, 4),
		.argc = 4,
		.skip = 3,
		.path = path,
		.program = &program,
	};

	program.file.headers_address = 0;
	ck_assert_int_eq(stack_build(&request, &image), 0);
	check_aux(AT_BASE, 0);
	check_aux(AT_PHDR, 0);
	ck_assert_uint_eq(word_at(image.rsp), 1);
}
END_TEST

/* #!/bin/sh -e: the first argument gives way to interpreter, its argument and the script. */
START_TEST(test_script)
{
	char *arguments[] = { own, fd, path, zero, one };
	static const char all[] = "/bin/sh\0-e\0/bin/x\0one";
	struct stack_request request = {
		.argv = lay_out(arguments, 5),
		.argc = 5,
		.skip = 3,
		.path = path,
		.program = &program,
		.prefix = { "/bin/sh", "-e", path },
	};

	ck_assert_int_eq(stack_build(&request, &image), 0);
	ck_assert_uint_eq(image.rsp % 16, 0);
	ck_assert_uint_eq(word_at(image.rsp), 4);
	ck_assert_uint_eq(image.arg_end - image.arg_start, sizeof(all));
	ck_assert_mem_eq(image.bytes + (image.arg_start - image.rsp), all, sizeof(all));
	ck_assert_uint_eq(word_at(image.rsp + 8), image.arg_start);
	ck_assert_uint_eq(word_at(image.rsp + 16), image.arg_start + 8);
	ck_assert_uint_eq(word_at(image.rsp + 32), image.arg_end - 4);
	ck_assert_uint_eq(word_at(image.rsp + 40), 0);
	ck_assert_uint_eq(image.rsp + image.size, (uint64_t)block_end);
	check_aux(AT_EXECFN, (uint64_t)path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exec-stack");
	TCase *tcase = tcase_create("stack");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_plain);
	tcase_add_test(tcase, test_static);
	tcase_add_test(tcase, test_script);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
