// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Varlink codec: messages split at every byte, calls and replies that must and must not decode, and
 * what is encoded.
 */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/varlink.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

/* ---- reassembly ---- */

static const char stream[] = "{\"method\":\"a.B\"}\0{}\0\0{\"method\":\"c.D\",\"more\":true}\0tail";
static const char *const pieces[] = { "{\"method\":\"a.B\"}", "{}", "",
				      "{\"method\":\"c.D\",\"more\":true}" };
#define STREAM_SIZE (sizeof(stream) - 1)

/* Takes all that is complete, comparing with pieces from *next on. */
static void take_all(struct varlink_input *input, int *next)
{
	const char *message;
	size_t size;

	while (varlink_input_take(input, &message, &size) == 1) {
		ck_assert_int_lt(*next, NR_ROWS(pieces));
		ck_assert_str_eq(message, pieces[*next]);
		ck_assert_uint_eq(size, strlen(pieces[*next]));
		(*next)++;
	}
}

/* Split in three at every pair of places. */
START_TEST(split_at_every_byte)
{
	for (size_t second = (size_t)_i; second <= STREAM_SIZE; second++) {
		struct varlink_input input = { .max_bytes = 64 };
		int next = 0;

		ck_assert_int_eq(varlink_input_feed(&input, stream, (size_t)_i), 0);
		take_all(&input, &next);
		ck_assert_int_eq(varlink_input_feed(&input, stream + _i, second - (size_t)_i), 0);
		if (second % 2)
			take_all(&input, &next);
		ck_assert_int_eq(varlink_input_feed(&input, stream + second, STREAM_SIZE - second),
				 0);
		take_all(&input, &next);
		ck_assert_int_eq(next, NR_ROWS(pieces));
		ck_assert_uint_eq(varlink_input_pending(&input), strlen("tail"));
		varlink_input_done(&input);
	}
}
END_TEST

START_TEST(limits_a_message)
{
	struct varlink_input input = { .max_bytes = 8 };
	const char *message;
	size_t size;

	ck_assert_int_eq(varlink_input_take(&input, &message, &size), 0);
	ck_assert_int_eq(varlink_input_feed(&input, "1234567\0", 8), 0);
	ck_assert_int_eq(varlink_input_take(&input, &message, &size), 1);
	ck_assert_uint_eq(size, 7);
	ck_assert_int_eq(varlink_input_feed(&input, "1234567", 7), 0);
	ck_assert_int_eq(varlink_input_take(&input, &message, &size), 0);
	ck_assert_int_eq(varlink_input_feed(&input, "8", 1), 0);
	ck_assert_int_eq(varlink_input_take(&input, &message, &size), -EMSGSIZE);
	varlink_input_done(&input);
	input.max_bytes = 8;
	ck_assert_int_eq(varlink_input_feed(&input, "12345678\0", 9), 0);
	ck_assert_int_eq(varlink_input_take(&input, &message, &size), -EMSGSIZE);
	varlink_input_done(&input);
}
END_TEST

/* ---- calls ---- */

static const struct {
	const char *text;
	unsigned int flags;
	const char *parameters; /* NULL: none */
} calls[] = {
	{ "{\"method\":\"a.B\"}", 0, NULL },
	{ "{\"method\":\"a.B\",\"parameters\":null}", 0, NULL },
	{ "{\"method\":\"a.B\",\"parameters\":{}}", 0, NULL },
	{ "{\"parameters\":{\"x\":[1]},\"method\":\"a.B\"}", 0, "{\"x\":[1]}" },
	{ "{\"method\":\"a.B\",\"more\":true}", VARLINK_MORE, NULL },
	{ "{\"method\":\"a.B\",\"more\":false,\"oneway\":true}", VARLINK_ONEWAY, NULL },
	{ "{\"method\":\"a.B\",\"upgrade\":true}", VARLINK_UPGRADE, NULL },
	{ "{\"method\":\"a.B\",\"com.example.header\":{\"y\":1}}", 0, NULL },
	{ "{\"method\":\"a.B\",\"parameters\":{\"d\":[[[[[[[[[[[[[[]]]]]]]]]]]]]]}}", 0,
	  "{\"d\":[[[[[[[[[[[[[[]]]]]]]]]]]]]]}" },
	{ "{\"method\":\"a.B\",\"parameters\":{\"d\":[[[[[[[[[[[[[7]]]]]]]]]]]]]}}", 0,
	  "{\"d\":[[[[[[[[[[[[[7]]]]]]]]]]]]]}" },
};

START_TEST(decodes_calls)
{
	const char *text = calls[_i].text, *why = NULL;
	struct varlink_call call;

	ck_assert_int_eq(varlink_call_decode(text, strlen(text), &call, &why), 0);
	ck_assert_str_eq(call.method, "a.B");
	ck_assert_uint_eq(call.flags, calls[_i].flags);
	if (calls[_i].parameters)
		ck_assert_str_eq(json_object_to_json_string_ext(call.parameters,
								JSON_C_TO_STRING_PLAIN),
				 calls[_i].parameters);
	else
		ck_assert_ptr_null(call.parameters);
	varlink_call_done(&call);
}
END_TEST

static const struct {
	const char *text;
	int result;
	const char *why;
} bad_calls[] = {
	{ "", -EBADMSG, "value expected" },
	{ "{", -EBADMSG, "key expected" },
	{ "{\"method\":\"a.B\",\"method\":\"a.B\"}", -EBADMSG, "duplicate key" },
	{ "null", -EPROTO, "not an object" },
	{ "[]", -EPROTO, "not an object" },
	{ "{}", -EPROTO, "no method" },
	{ "{\"method\":null}", -EPROTO, "method is not a name" },
	{ "{\"method\":\"\"}", -EPROTO, "method is not a name" },
	{ "{\"method\":[]}", -EPROTO, "method is not a name" },
	{ "{\"method\":\"a.B\",\"parameters\":[]}", -EPROTO, "parameters are not an object" },
	{ "{\"method\":\"a.B\",\"parameters\":\"\"}", -EPROTO, "parameters are not an object" },
	{ "{\"method\":\"a.B\",\"more\":1}", -EPROTO, "flag is not boolean" },
	{ "{\"method\":\"a.B\",\"oneway\":null}", -EPROTO, "flag is not boolean" },
	{ "{\"method\":\"a.B\",\"upgrade\":\"true\"}", -EPROTO, "flag is not boolean" },
	{ "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", -EPROTO, "several flags" },
	{ "{\"method\":\"a.B\",\"more\":true,\"upgrade\":true}", -EPROTO, "several flags" },
	{ "{\"method\":\"a.B\",\"error\":\"x\"}", -EPROTO, "unknown header" },
	{ "{\"method\":\"a.B\",\"continues\":false}", -EPROTO, "unknown header" },
};

START_TEST(refuses_calls)
{
	const char *text = bad_calls[_i].text, *why = NULL;
	struct varlink_call call = { .flags = 77 };

	ck_assert_int_eq(varlink_call_decode(text, strlen(text), &call, &why),
			 bad_calls[_i].result);
	ck_assert_str_eq(why, bad_calls[_i].why);
	ck_assert_uint_eq(call.flags, 77);
	ck_assert_int_lt(varlink_call_decode(text, strlen(text), &call, NULL), 0);
}
END_TEST

START_TEST(limits_the_name_of_a_method)
{
	char text[VARLINK_MAX_METHOD + 32];
	struct varlink_call call;
	int r;

	for (int length = VARLINK_MAX_METHOD - 1; length <= VARLINK_MAX_METHOD; length++) {
		snprintf(text, sizeof(text), "{\"method\":\"%0*d\"}", length, 0);
		r = varlink_call_decode(text, strlen(text), &call, NULL);
		ck_assert_int_eq(r, length < VARLINK_MAX_METHOD ? 0 : -EPROTO);
		if (!r)
			varlink_call_done(&call);
	}
}
END_TEST

/* Head, then so many empty objects in an array, then tail; to be freed. */
static char *many_values(const char *head, int count, const char *tail)
{
	char *text = malloc(strlen(head) + (size_t)count * 3 + strlen(tail) + 1);
	char *at = stpcpy(text, head);

	for (int i = 0; i < count; i++)
		at = stpcpy(at, i ? ",{}" : "{}");
	strcpy(at, tail);
	return text;
}

/* Wherever they are: each takes hundreds of bytes. A reply may have as many as there is room for. */
START_TEST(limits_the_values_of_a_call)
{
	static const char *const heads[] = { "{\"method\":\"a.B\",\"parameters\":{\"x\":[",
					     "{\"method\":\"a.B\",\"com.example\":{\"x\":[" };
	const int others = 4; /* message, method, object, array */
	const char *why = NULL;
	struct varlink_call call;
	char *text;

	for (int i = 0; i < NR_ROWS(heads); i++) {
		text = many_values(heads[i], VARLINK_MAX_VALUES - others, "]}}");
		ck_assert_int_eq(varlink_call_decode(text, strlen(text), &call, NULL), 0);
		varlink_call_done(&call);
		free(text);
		text = many_values(heads[i], VARLINK_MAX_VALUES - others + 1, "]}}");
		ck_assert_int_eq(varlink_call_decode(text, strlen(text), &call, &why), -EBADMSG);
		ck_assert_str_eq(why, "too many values");
		free(text);
	}
}
END_TEST

/* A call may be kept for as long as a stream lives: nothing that means nothing is kept with it. */
START_TEST(keeps_no_header_of_others)
{
	static const char text[] = "{\"a.b\":[{},{}],\"method\":\"a.B\",\"c.d\":{\"y\":1},"
				   "\"parameters\":{\"e.f\":1},\"more\":true,\"g.h\":null}";
	struct varlink_call call;

	ck_assert_int_eq(varlink_call_decode(text, sizeof(text) - 1, &call, NULL), 0);
	ck_assert_str_eq(json_object_to_json_string_ext(call.message, JSON_C_TO_STRING_PLAIN),
			 "{\"method\":\"a.B\",\"parameters\":{\"e.f\":1},\"more\":true}");
	ck_assert_str_eq(call.method, "a.B");
	ck_assert_uint_eq(call.flags, VARLINK_MORE);
	varlink_call_done(&call);
}
END_TEST

/* ---- replies ---- */

START_TEST(replies_have_many_values)
{
	char *text = many_values("{\"parameters\":{\"x\":[", 100 * VARLINK_MAX_VALUES, "]}}");
	struct varlink_reply reply;

	ck_assert_int_eq(varlink_reply_decode(text, strlen(text), &reply, NULL), 0);
	varlink_reply_done(&reply);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	const char *error;
	bool continues, parameters;
} replies[] = {
	{ "{}", NULL, false, false },
	{ "{\"parameters\":{}}", NULL, false, false },
	{ "{\"parameters\":{\"a\":1}}", NULL, false, true },
	{ "{\"parameters\":{\"a\":1},\"continues\":true}", NULL, true, true },
	{ "{\"error\":\"a.E\"}", "a.E", false, false },
	{ "{\"error\":\"a.E\",\"parameters\":{\"x\":1},\"continues\":false}", "a.E", false, true },
	{ "{\"error\":null,\"parameters\":null}", NULL, false, false },
	{ "{\"com.example.x\":1}", NULL, false, false },
};

START_TEST(decodes_replies)
{
	const char *text = replies[_i].text;
	struct varlink_reply reply;

	ck_assert_int_eq(varlink_reply_decode(text, strlen(text), &reply, NULL), 0);
	ck_assert_int_eq(!!reply.error, !!replies[_i].error);
	if (reply.error)
		ck_assert_str_eq(reply.error, replies[_i].error);
	ck_assert_int_eq(reply.continues, replies[_i].continues);
	ck_assert_int_eq(!!reply.parameters, replies[_i].parameters);
	varlink_reply_done(&reply);
}
END_TEST

static const struct {
	const char *text;
	int result;
	const char *why;
} bad_replies[] = {
	{ "x", -EBADMSG, "value expected" },
	{ "[]", -EPROTO, "not an object" },
	{ "{\"error\":1}", -EPROTO, "error is not a name" },
	{ "{\"error\":\"\"}", -EPROTO, "error is not a name" },
	{ "{\"parameters\":[]}", -EPROTO, "parameters are not an object" },
	{ "{\"continues\":1}", -EPROTO, "flag is not boolean" },
	{ "{\"continues\":null}", -EPROTO, "flag is not boolean" },
	{ "{\"error\":\"a.E\",\"continues\":true}", -EPROTO, "an error that continues" },
	{ "{\"method\":\"a.B\"}", -EPROTO, "unknown header" },
};

START_TEST(refuses_replies)
{
	const char *text = bad_replies[_i].text, *why = NULL;
	struct varlink_reply reply;

	ck_assert_int_eq(varlink_reply_decode(text, strlen(text), &reply, &why),
			 bad_replies[_i].result);
	ck_assert_str_eq(why, bad_replies[_i].why);
}
END_TEST

/* ---- encoding ---- */

static void expect_bytes(int r, char *bytes, size_t size, const char *expected)
{
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(bytes, expected);
	ck_assert_uint_eq(size, strlen(expected) + 1);
	free(bytes);
}

START_TEST(encodes)
{
	struct json_object *parameters = json_tokener_parse("{\"p\":\"a/b\\u0001\\u00e9\"}");
	size_t size;
	char *bytes;
	int r;

	r = varlink_call_encode("a.B", NULL, 0, &bytes, &size);
	expect_bytes(r, bytes, size, "{\"method\":\"a.B\"}");
	r = varlink_call_encode("a.B", parameters, VARLINK_MORE, &bytes, &size);
	expect_bytes(
		r, bytes, size,
		"{\"method\":\"a.B\",\"parameters\":{\"p\":\"a/b\\u0001\xc3\xa9\"},\"more\":true}");
	r = varlink_call_encode("a.B", NULL, VARLINK_ONEWAY, &bytes, &size);
	expect_bytes(r, bytes, size, "{\"method\":\"a.B\",\"oneway\":true}");
	r = varlink_reply_encode(NULL, NULL, false, &bytes, &size);
	expect_bytes(r, bytes, size, "{}");
	r = varlink_reply_encode(NULL, parameters, true, &bytes, &size);
	expect_bytes(r, bytes, size,
		     "{\"parameters\":{\"p\":\"a/b\\u0001\xc3\xa9\"},\"continues\":true}");
	r = varlink_reply_encode("a.E", NULL, false, &bytes, &size);
	expect_bytes(r, bytes, size, "{\"error\":\"a.E\"}");
	ck_assert_int_eq(varlink_reply_encode("a.E", NULL, true, &bytes, &size), -EINVAL);
	ck_assert_int_eq(varlink_call_encode("a.B", NULL, VARLINK_MORE | VARLINK_ONEWAY, &bytes,
					     &size),
			 -EINVAL);
	ck_assert_int_eq(varlink_call_encode("a.B", NULL, 8, &bytes, &size), -EINVAL);
	ck_assert_int_eq(json_object_put(parameters), 1);
}
END_TEST

START_TEST(encodes_no_more_than_a_peer_takes)
{
	static const char head[] = "{\"method\":\"a.B\",\"parameters\":{\"x\":\"\"}}";
	size_t room = VARLINK_MAX_CALL - sizeof(head), size;
	char *filling = malloc(room + 2), *bytes;

	for (size_t extra = 0; extra < 2; extra++) {
		struct json_object *parameters = json_object_new_object();
		int r;

		memset(filling, 'a', room + extra);
		json_object_object_add(parameters, "x",
				       json_object_new_string_len(filling, (int)(room + extra)));
		r = varlink_call_encode("a.B", parameters, 0, &bytes, &size);
		ck_assert_int_eq(r, extra ? -EMSGSIZE : 0);
		if (!r) {
			ck_assert_uint_eq(size, VARLINK_MAX_CALL);
			free(bytes);
		}
		json_object_put(parameters);
	}
	free(filling);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("varlink");
	TCase *tests = tcase_create("varlink");

	tcase_add_loop_test(tests, split_at_every_byte, 0, (int)STREAM_SIZE + 1);
	tcase_add_test(tests, limits_a_message);
	tcase_add_loop_test(tests, decodes_calls, 0, NR_ROWS(calls));
	tcase_add_loop_test(tests, refuses_calls, 0, NR_ROWS(bad_calls));
	tcase_add_test(tests, limits_the_name_of_a_method);
	tcase_add_test(tests, limits_the_values_of_a_call);
	tcase_add_test(tests, keeps_no_header_of_others);
	tcase_add_test(tests, replies_have_many_values);
	tcase_add_loop_test(tests, decodes_replies, 0, NR_ROWS(replies));
	tcase_add_loop_test(tests, refuses_replies, 0, NR_ROWS(bad_replies));
	tcase_add_test(tests, encodes);
	tcase_add_test(tests, encodes_no_more_than_a_peer_takes);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
