// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading and writing JSON texts: the same objects as json-c makes of them, and texts that come back. */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_gate.h"
#include "proto/json_text.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

/* A text, and how it is written again. */
static const struct {
	const char *text, *again;
} rows[] = {
	{ "{}", "{}" },
	{ " [ ] ", "[]" },
	{ "null", "null" },
	{ "[null,true,false]", "[null,true,false]" },
	{ "-0", "0" },
	{ "[9223372036854775807,-9223372036854775808]",
	  "[9223372036854775807,-9223372036854775808]" },
	{ "1.5", "1.5" },
	{ "[1e5,-0.0,1E-3]", "[1e5,-0.0,1E-3]" },
	{ "\"\"", "\"\"" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
	{ "\"\\u0001\\u001f\\u007f\\u0041\"", "\"\\u0001\\u001f\x7f"
					      "A\"" },
	{ "\"\\u00e9\\u20ac\\ud83d\\ude00\\uDBFF\\uDFFF\"",
	  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"" },
	{ "{\"a\\n\":{\"b\":[1,{\"c\":\"d\"}]},\"\":2}",
	  "{\"a\\n\":{\"b\":[1,{\"c\":\"d\"}]},\"\":2}" },
	{ "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]" },
};

START_TEST(there_and_back)
{
	const char *text = rows[_i].text;
	struct json_object *object = NULL, *expected = json_tokener_parse(text);
	size_t size;
	char *again;

	ck_assert_int_eq(json_gate(text, strlen(text), JSON_GATE_ANY_VALUES, NULL), 0);
	ck_assert_int_eq(json_text_read(text, strlen(text), &object), 0);
	ck_assert(json_object_equal(object, expected));
	ck_assert_int_eq(json_text_write(object, 4096, &again, &size), 0);
	ck_assert_str_eq(again, rows[_i].again);
	ck_assert_uint_eq(size, strlen(again));
	free(again);
	json_object_put(object);
	json_object_put(expected);
}
END_TEST

START_TEST(sizes)
{
	struct json_object *array = json_object_new_array();
	size_t size;
	char *text;

	for (int i = 0; i < 1000; i++)
		json_object_array_add(array, json_object_new_int(i % 10));
	/* 1,000 digits, 999 commas, two brackets, and the NUL. */
	ck_assert_int_eq(json_text_write(array, 2001, &text, &size), -EMSGSIZE);
	ck_assert_int_eq(json_text_write(array, 2002, &text, &size), 0);
	ck_assert_uint_eq(size, 2001);
	free(text);
	json_object_put(array);
}
END_TEST

START_TEST(many_members)
{
	struct json_object *object = json_object_new_object(), *again;
	char key[16], *text;
	size_t size;

	for (int i = 0; i < JSON_GATE_MAX_KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		ck_assert_int_eq(json_text_add(object, key, json_object_new_int(i)), 0);
	}
	ck_assert_int_eq(json_text_write(object, 1 << 20, &text, &size), 0);
	ck_assert_int_eq(json_text_read(text, size, &again), 0);
	ck_assert(json_object_equal(object, again));
	free(text);
	json_object_put(again);
	json_object_put(object);
}
END_TEST

/* What the gate has not passed must not be read; if it is, the cursor stays inside of the text. */
START_TEST(nonsense_is_survived)
{
	static const char *const texts[] = { "",
					     "{",
					     "[",
					     "\"",
					     "\"\\",
					     "\"\\u",
					     "\"\\ud8",
					     "{\"a\"",
					     "{\"a\":",
					     "[1,",
					     "}",
					     "]]",
					     "tr",
					     "-",
					     "+",
					     "x",
					     "[[[[[[[[[[[[[[[[[[[[",
					     "\"\\ud800\\",
					     "{]",
					     "[}" };
	struct json_object *object;

	for (int i = 0; i < NR_ROWS(texts); i++) {
		char *text = strdup(texts[i]);

		object = NULL;
		ck_assert_int_eq(json_text_read(text, strlen(text), &object), 0);
		json_object_put(object);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_text");
	TCase *tests = tcase_create("json_text");

	tcase_add_loop_test(tests, there_and_back, 0, NR_ROWS(rows));
	tcase_add_test(tests, sizes);
	tcase_add_test(tests, many_members);
	tcase_add_test(tests, nonsense_is_survived);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
