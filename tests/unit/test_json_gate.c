// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The JSON gate against texts that must pass and texts that must not, each of the latter with its place
 * and its reason.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_gate.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define TEN(x)	       x x x x x x x x x x
#define D16	       "[[[[[[[[[[[[[[[["
#define U16	       "]]]]]]]]]]]]]]]]"

/* clang-format off */
static const char *const good[] = {
	"{}", "[]", "null", "true", "false", "0", "-0", "\"\"", " \t\r\n{ \t\r\n} \t\r\n",
	"9223372036854775807", "-9223372036854775808", "1", "-1", "10", "1.5", "-0.0", "0.1e1",
	"1e5", "1E+5", "1e-200", "1e200", "12345678901234567890.5", "0e0", "1e0000005",
	"{\"a\":1,\"b\":[1,2,{\"a\":null}],\"c\":{\"a\":1,\"b\":2}}",
	"{\"a\":1,\"A\":2,\"\":3,\"a \":4,\"aa\":5}",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0001\\u00e9\\uFFFF\"", "\"\\ud83d\\ude00\"",
	"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\x7f\"", "\"\xc2\x80\xdf\xbf\"",
	"\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
	"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", D16 U16, D16 "1" U16,
	"[{},{},{\"a\":1},{\"a\":1}]", "[\"a\",\"a\"]",
	"{\"a\":{\"a\":{\"a\":1}}}", "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}",
};

static const struct {
	const char *text;
	size_t offset;
	const char *reason;
} bad[] = {
	{ "", 0, "value expected" }, { " ", 1, "value expected" }, { "tru", 0, "value expected" },
	{ "True", 0, "value expected" }, { "nul", 0, "value expected" },
	{ "NaN", 0, "value expected" }, { "Infinity", 0, "value expected" },
	{ "-Infinity", 1, "digit expected" }, { "undefined", 0, "value expected" },
	{ "'a'", 0, "value expected" }, { "{'a':1}", 1, "key expected" },
	{ "{a:1}", 1, "key expected" }, { "{1:1}", 1, "key expected" }, { "{\"a\"}", 4, "colon expected" },
	{ "{\"a\" 1}", 5, "colon expected" }, { "{\"a\":}", 5, "value expected" },
	{ "{\"a\":1,}", 7, "key expected" }, { "{,}", 1, "key expected" }, { "[1,]", 3, "value expected" },
	{ "[,1]", 1, "value expected" }, { "[1 2]", 3, "comma or ] expected" },
	{ "{\"a\":1 \"b\":2}", 7, "comma or } expected" }, { "[1", 2, "comma or ] expected" },
	{ "[", 1, "value expected" }, { "{", 1, "key expected" }, { "]", 0, "value expected" },
	{ "[}", 1, "value expected" }, { "{]", 1, "key expected" }, { "{\"a\":1]", 6, "comma or } expected" },
	{ "{}{}", 2, "text after the value" }, { "{} x", 3, "text after the value" },
	{ "1 2", 2, "text after the value" }, { "nulll", 4, "text after the value" },
	{ "[1]/**/", 3, "text after the value" }, { "/**/[1]", 0, "value expected" },
	{ "[1,//\n2]", 3, "value expected" }, { "\f1", 0, "value expected" }, { "\v1", 0, "value expected" },
	{ "\xc2\xa0" "1", 0, "value expected" }, { "\xef\xbb\xbf{}", 0, "value expected" },
	{ "01", 0, "leading zero" }, { "-01", 0, "leading zero" }, { "00", 0, "leading zero" },
	{ "00.5", 0, "leading zero" }, { "+1", 0, "value expected" }, { "-", 1, "digit expected" },
	{ "--1", 1, "digit expected" }, { ".5", 0, "value expected" }, { "1.", 2, "digit expected" },
	{ "1.e1", 2, "digit expected" }, { "1e", 2, "digit expected" }, { "1e+", 3, "digit expected" },
	{ "1e1.5", 3, "text after the value" }, { "0x10", 1, "text after the value" },
	{ "1_000", 1, "text after the value" }, { "9223372036854775808", 0, "integer out of range" },
	{ "-9223372036854775809", 0, "integer out of range" },
	{ "18446744073709551616", 0, "integer out of range" },
	{ "[100000000000000000000]", 1, "integer out of range" },
	{ "99999999999999999999999999999999999999999999", 0, "integer out of range" },
	{ "1e201", 0, "number out of range" }, { "1e-201", 0, "number out of range" },
	{ "1e99999999999999999999", 0, "number out of range" },
	{ "0." TEN("123456") "123", 0, "number too long" },
	{ "\"", 1, "unfinished string" }, { "\"abc", 4, "unfinished string" },
	{ "\"\\", 1, "unknown escape" }, { "\"\\\"", 3, "unfinished string" },
	{ "\"\\x41\"", 1, "unknown escape" }, { "\"\\a\"", 1, "unknown escape" },
	{ "\"\\'\"", 1, "unknown escape" }, { "\"\\\n\"", 1, "unknown escape" },
	{ "\"\\U0041\"", 1, "unknown escape" }, { "\"\n\"", 1, "raw control character in a string" },
	{ "\"a\tb\"", 2, "raw control character in a string" },
	{ "\"\x1f\"", 1, "raw control character in a string" },
	{ "\"\\u0000\"", 1, "NUL in a string" }, { "{\"a\\u0000b\":1}", 3, "NUL in a string" },
	{ "\"\\u00\"", 5, "four hexadecimal digits expected" },
	{ "\"\\u00g0\"", 5, "four hexadecimal digits expected" },
	{ "\"\\u+123\"", 3, "four hexadecimal digits expected" },
	{ "\"\\ud800\"", 1, "high surrogate without a low one" },
	{ "\"\\ud800\\n\"", 1, "high surrogate without a low one" },
	{ "\"\\ud800\\ud800\"", 1, "high surrogate without a low one" },
	{ "\"\\ud800\\u0041\"", 1, "high surrogate without a low one" },
	{ "\"\\ud800\\u", 9, "four hexadecimal digits expected" },
	{ "\"\\udc00\"", 1, "low surrogate without a high one" },
	{ "\"\\udc00\\ud800\"", 1, "low surrogate without a high one" },
	{ "\"\x80\"", 1, "not UTF-8" }, { "\"\xbf\"", 1, "not UTF-8" }, { "\"\xc0\x80\"", 1, "not UTF-8" },
	{ "\"\xc1\xbf\"", 1, "not UTF-8" }, { "\"\xe0\x80\x80\"", 1, "not UTF-8" },
	{ "\"\xe0\x9f\xbf\"", 1, "not UTF-8" }, { "\"\xf0\x80\x80\x80\"", 1, "not UTF-8" },
	{ "\"\xf0\x8f\xbf\xbf\"", 1, "not UTF-8" }, { "\"\xed\xa0\x80\"", 1, "not UTF-8" },
	{ "\"\xed\xbf\xbf\"", 1, "not UTF-8" }, { "\"\xf4\x90\x80\x80\"", 1, "not UTF-8" },
	{ "\"\xf5\x80\x80\x80\"", 1, "not UTF-8" }, { "\"\xfe\"", 1, "not UTF-8" },
	{ "\"\xff\"", 1, "not UTF-8" }, { "\"\xc3\"", 1, "not UTF-8" }, { "\"\xc3(\"", 1, "not UTF-8" },
	{ "\"\xe2\x82\"", 1, "not UTF-8" }, { "\"\xf0\x9f\x98\"", 1, "not UTF-8" },
	{ "\"\xc3", 1, "not UTF-8" }, { "\"a\xed\xa0\xbd\xed\xb8\x80\"", 2, "not UTF-8" },
	{ "{\"a\":1,\"a\":2}", 7, "duplicate key" }, { "{\"a\":1,\"\\u0061\":2}", 7, "duplicate key" },
	{ "{\"\\u00e9\":1,\"\xc3\xa9\":2}", 12, "duplicate key" }, { "{\"\":1,\"\":1}", 6, "duplicate key" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18, "duplicate key" },
	{ "{\"/\":1,\"\\/\":1}", 7, "duplicate key" }, { "[{\"a\":1,\"b\":{},\"a\":1}]", 15, "duplicate key" },
	{ "{\"a\":{\"b\":1,\"b\":2}}", 12, "duplicate key" },
	{ "{\"x\":{\"a\":1},\"x\":1}", 13, "duplicate key" },
	{ D16 "[" "]" U16, 16, "too deep" }, { D16 "{}" U16, 16, "too deep" },
	{ D16 D16 D16 D16, 16, "too deep" },
};
/* clang-format on */

START_TEST(accepts)
{
	struct json_gate_error error = { 0 };
	int r = json_gate(good[_i], strlen(good[_i]), JSON_GATE_ANY_VALUES, &error);

	ck_assert_msg(r == 0, "%s: refused at %zu: %s", good[_i], error.offset, error.reason);
}
END_TEST

START_TEST(refuses)
{
	struct json_gate_error error = { 0 };
	int r = json_gate(bad[_i].text, strlen(bad[_i].text), JSON_GATE_ANY_VALUES, &error);

	ck_assert_msg(r < 0, "%s: accepted", bad[_i].text);
	ck_assert_str_eq(error.reason, bad[_i].reason);
	ck_assert_msg(error.offset == bad[_i].offset, "%s: %s at %zu, not %zu", bad[_i].text,
		      error.reason, error.offset, bad[_i].offset);
	ck_assert_int_lt(json_gate(bad[_i].text, strlen(bad[_i].text), JSON_GATE_ANY_VALUES, NULL),
			 0);
}
END_TEST

/* No text that passes does so when cut anywhere, but for numbers; and nothing is read beyond its end. */
START_TEST(refuses_every_prefix)
{
	size_t size = strlen(good[_i]);

	if (strchr("-0123456789 ", good[_i][0]))
		return;
	for (size_t cut = 0; cut < size; cut++) {
		char *copy = malloc(cut ? cut : 1);

		memcpy(copy, good[_i], cut);
		ck_assert_msg(json_gate(copy, cut, JSON_GATE_ANY_VALUES, NULL) < 0,
			      "%.*s: accepted", (int)cut, good[_i]);
		free(copy);
	}
}
END_TEST

START_TEST(refuses_a_nul)
{
	struct json_gate_error error;

	ck_assert_int_lt(json_gate("{}\0", 3, JSON_GATE_ANY_VALUES, &error), 0);
	ck_assert_uint_eq(error.offset, 2);
	ck_assert_int_lt(json_gate("\"a\0b\"", 5, JSON_GATE_ANY_VALUES, &error), 0);
	ck_assert_uint_eq(error.offset, 2);
	ck_assert_str_eq(error.reason, "raw control character in a string");
}
END_TEST

/* An object of n different members. */
static int gate_members(int n)
{
	char *text = malloc((size_t)n * 16 + 2);
	size_t size = 0;
	int r;

	text[size++] = '{';
	for (int i = 0; i < n; i++)
		size += (size_t)sprintf(text + size, "%s\"k%d\":1", i ? "," : "", i);
	text[size++] = '}';
	r = json_gate(text, size, JSON_GATE_ANY_VALUES, NULL);
	free(text);
	return r;
}

START_TEST(limits_members)
{
	ck_assert_int_eq(gate_members(JSON_GATE_MAX_KEYS), 0);
	ck_assert_int_lt(gate_members(JSON_GATE_MAX_KEYS + 1), 0);
}
END_TEST

static const struct {
	const char *text;
	size_t count;
	size_t last; /* where the last value begins */
} counted[] = {
	{ "null", 1, 0 },
	{ "[]", 1, 0 },
	{ "{}", 1, 0 },
	{ "[[],{}, \"a\"]", 4, 8 },
	{ "{\"a\":{\"b\":[1,2.5,null]},\"c\":true}", 7, 28 },
	{ "[{},{},{},{}]", 5, 10 },
};

START_TEST(limits_values)
{
	struct json_gate_error error = { 0 };
	const char *text = counted[_i].text;

	ck_assert_int_eq(json_gate(text, strlen(text), counted[_i].count, NULL), 0);
	ck_assert_int_lt(json_gate(text, strlen(text), counted[_i].count - 1, &error), 0);
	ck_assert_str_eq(error.reason, "too many values");
	ck_assert_uint_eq(error.offset, counted[_i].last);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_gate");
	TCase *tests = tcase_create("json_gate");

	tcase_add_loop_test(tests, accepts, 0, NR_ROWS(good));
	tcase_add_loop_test(tests, refuses, 0, NR_ROWS(bad));
	tcase_add_loop_test(tests, refuses_every_prefix, 0, NR_ROWS(good));
	tcase_add_test(tests, refuses_a_nul);
	tcase_add_test(tests, limits_members);
	tcase_add_loop_test(tests, limits_values, 0, NR_ROWS(counted));
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
