// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Numbers, sizes and times as dunectl reads them.
 */
#include <errno.h>
#include <stdlib.h>

#include <check.h>

#include "dunectl/dunectl.h"
#include "tests/unit/suite.h"

#define UNTOUCHED 4242

static const struct row {
	const char *text;
	int error;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0 },
	{ "7", 0, 7 },
	{ "007", 0, 7 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ " 7", -EINVAL, 0 },
	{ "7 ", -EINVAL, 0 },
	{ "-7", -EINVAL, 0 },
	{ "+7", -EINVAL, 0 },
	{ "0x7", -EINVAL, 0 },
	{ "7k", -EINVAL, 0 },
}, sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "4k", 0, 4096 },
	{ "4K", 0, 4096 },
	{ "3M", 0, 3145728 },
	{ "2G", 0, 2147483648 },
	{ "1T", 0, 1099511627776 },
	{ "16777215T", 0, 16777215ull << 40 },
	{ "16777216T", -ERANGE, 0 },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "K", -EINVAL, 0 },
	{ "1KB", -EINVAL, 0 },
	{ "1P", -EINVAL, 0 },
	{ "1.5M", -EINVAL, 0 },
	{ "-1M", -EINVAL, 0 },
	{ "1M ", -EINVAL, 0 },
}, times[] = {
	{ "1", 0, 1000 },
	{ "0.25", 0, 250 },
	{ "2.5", 0, 2500 },
	{ "31536000", 0, 31536000000 },
	{ "31536001", -ERANGE, 0 },
	{ "0", -ERANGE, 0 },
	{ "0.0001", -ERANGE, 0 },
	{ "1e99", -ERANGE, 0 },
	{ "1e999", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "nan", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1s", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
};

static void compare(const struct row *row, int (*parse)(const char *, uint64_t *))
{
	uint64_t value = UNTOUCHED;

	ck_assert_int_eq(parse(row->text, &value), row->error);
	ck_assert_uint_eq(value, row->error ? UNTOUCHED : row->value);
}

START_TEST(numbers_are_strict)
{
	compare(&numbers[_i], parse_u64);
}
END_TEST

START_TEST(sizes_have_suffixes)
{
	compare(&sizes[_i], parse_size);
}
END_TEST

START_TEST(times_are_seconds)
{
	compare(&times[_i], parse_seconds);
}
END_TEST

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("dunectl_parse");
	TCase *tests = tcase_create("dunectl_parse");

	tcase_add_loop_test(tests, numbers_are_strict, 0, NR_ROWS(numbers));
	tcase_add_loop_test(tests, sizes_have_suffixes, 0, NR_ROWS(sizes));
	tcase_add_loop_test(tests, times_are_seconds, 0, NR_ROWS(times));
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
