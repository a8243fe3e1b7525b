// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libdune's client against a service that misbehaves: replies that are no replies, fields that are missing
 * or wrong, silence, and connections that end. Every row has its exact errno.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_client_peer.h"

static struct peer peer;

static void setup(void)
{
	peer_setup(&peer);
}

static void teardown(void)
{
	peer_teardown(&peer);
}

/* After a failure inside a reply the connection is of no use, and the client says so. */
static void assert_given_up(void)
{
	ck_assert_ptr_null(dune_client_error_name(peer.client));
	ck_assert_uint_gt(strlen(dune_client_error_text(peer.client)), 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -ENOTCONN);
}

static const struct bad_message {
	const char *text;
	int error;
} bad_messages[] = {
	{ "", -EBADMSG },
	{ "x", -EBADMSG },
	{ "{", -EBADMSG },
	{ "{}{}", -EBADMSG },
	{ "{'parameters':{}}", -EBADMSG },
	{ "{\"parameters\":{},\"parameters\":{}}", -EBADMSG },
	{ "{\"parameters\":{\"contexts\":[\"\xff\"]}}", -EBADMSG },
	{ "{\"parameters\":{\"contexts\":[\"\\u0000\"]}}", -EBADMSG },
	{ "{\"parameters\":{\"contexts\":99999999999999999999}}", -EBADMSG },
	{ "[]", -EPROTO },
	{ "\"reply\"", -EPROTO },
	{ "null", -EPROTO },
	{ "{\"parameters\":[]}", -EPROTO },
	{ "{\"parameters\":1}", -EPROTO },
	{ "{\"error\":1}", -EPROTO },
	{ "{\"continues\":1}", -EPROTO },
	{ "{\"error\":\"io.dune.Manager.NoProcess\",\"continues\":true}", -EPROTO },
	/* Right as a reply, wrong as the only one of a call without `more`. */
	{ "{\"continues\":true,\"parameters\":{\"contexts\":[]}}", -EPROTO },
};

START_TEST(messages_that_are_no_reply)
{
	const struct bad_message *row = &bad_messages[_i];
	struct dune_client_list *list = NULL;

	peer_send_text(&peer, row->text, 0);
	ck_assert_int_eq(dune_client_list(peer.client, &list), row->error);
	ck_assert_ptr_null(list);
	assert_given_up();
}
END_TEST

/* A context with one field replaced, and the field that the client must complain about. */
static const struct bad_field {
	const char *key, *value; /* value NULL: the field is missing */
	const char *complaint;
} bad_fields[] = {
	{ "id", NULL, "id" },
	{ "id", "null", "id" },
	{ "id", "-1", "id" },
	{ "id", "\"7\"", "id" },
	{ "id", "7.0", "id" },
	{ "id", "true", "id" },
	{ "name", NULL, "name" },
	{ "name", "7", "name" },
	{ "name", "[\"a\"]", "name" },
	{ "owner", "4294967296", "owner" },
	{ "owner", "-1", "owner" },
	{ "pid", "2147483648", "pid" },
	{ "pid", "-1", "pid" },
	{ "state", NULL, "state" },
	{ "state", "{}", "state" },
	{ "cause", "1", "cause" },
	{ "command", "false", "command" },
	{ "created_usec", "-5", "created_usec" },
	{ "limits", NULL, "limits" },
	{ "limits", "[]", "limits" },
	{ "limits", "{\"vcpus\":-1}", "vcpus" },
	{ "usage", "3", "usage" },
	{ "usage", "{\"ept_pages\":\"x\"}", "ept_pages" },
};

START_TEST(fields_that_are_wrong)
{
	const struct bad_field *row = &bad_fields[_i];
	struct json_object *context = json_tokener_parse(CONTEXT_JSON);
	struct dune_client_list *list = NULL;
	char text[4096];

	json_object_object_del(context, row->key);
	if (row->value)
		json_object_object_add(context, row->key, json_tokener_parse(row->value));
	snprintf(text, sizeof(text), "{\"parameters\":{\"contexts\":[%s]}}",
		 json_object_to_json_string(context));
	json_object_put(context);
	peer_send_text(&peer, text, 0);
	ck_assert_int_eq(dune_client_list(peer.client, &list), -EPROTO);
	ck_assert_ptr_null(list);
	snprintf(text, sizeof(text), "the reply has no right '%s'", row->complaint);
	ck_assert_str_eq(dune_client_error_text(peer.client), text);
	assert_given_up();
}
END_TEST

static const char *const bad_lists[] = {
	NULL,
	"{}",
	"{\"contexts\":{}}",
	"{\"contexts\":null}",
	"{\"contexts\":[1]}",
	"{\"contexts\":[null]}",
	"{\"contexts\":[[]]}",
	"{\"contexts\":[" CONTEXT_JSON ",7]}",
};

START_TEST(lists_that_are_wrong)
{
	struct dune_client_list *list = NULL;

	peer_reply(&peer, NULL, bad_lists[_i], false, 0);
	ck_assert_int_eq(dune_client_list(peer.client, &list), -EPROTO);
	ck_assert_ptr_null(list);
	assert_given_up();
}
END_TEST

static const char *const bad_inspections[] = {
	"{\"context\":" CONTEXT_JSON ",\"counters\":[],\"exits\":{}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{\"exits\":-1},\"exits\":{}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{\"exits\":null},\"exits\":{}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{},\"exits\":{\"vmcall\":\"1\"}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{}}",
	"{\"context\":null,\"counters\":{},\"exits\":{}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{},\"exits\":{},\"report\":{}}",
	"{\"context\":" CONTEXT_JSON ",\"counters\":{},\"exits\":{},\"report\":[]}",
};

START_TEST(inspections_that_are_wrong)
{
	struct dune_client_inspection *inspection = NULL;

	peer_reply(&peer, NULL, bad_inspections[_i], false, 0);
	ck_assert_int_eq(dune_client_inspect(peer.client, 7, NULL, &inspection), -EPROTO);
	ck_assert_ptr_null(inspection);
	assert_given_up();
}
END_TEST

static const char *const bad_numbers[] = {
	"1", "", "0x", "0X1", "x1", "0xg", "0x12345678901234567", "0x1 ", " 0x1", "-0x1", "0x1\\n",
};

START_TEST(hexadecimal_numbers_that_are_wrong)
{
	struct dune_client_inspection *inspection = NULL;
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"context\":" CONTEXT_JSON ",\"counters\":{},\"exits\":{},\"report\":{"
		 "\"cause\":\"panic\",\"exit_reason\":\"vmcall\",\"cpl\":0,\"vector\":14,"
		 "\"error_code\":\"%s\"}}",
		 bad_numbers[_i]);
	peer_reply(&peer, NULL, text, false, 0);
	ck_assert_int_eq(dune_client_inspect(peer.client, 7, NULL, &inspection), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client),
			 "the reply has no right 'error_code'");
}
END_TEST

START_TEST(created_without_its_parts)
{
	int before = count_fds(), fd = -42;
	uint64_t id;

	peer_reply(&peer, NULL, "{\"context_fd\":0}", false, 1);
	ck_assert_int_eq(dune_client_create(peer.client, NULL, NULL, &id, &fd), -EPROTO);
	ck_assert_int_eq(fd, -42);
	ck_assert_int_eq(count_fds(), before - 1);
}
END_TEST

START_TEST(info_without_its_parts)
{
	struct dune_client_info *info = NULL;

	peer_reply(&peer, NULL,
		   "{\"version\":\"1\",\"module\":{\"loaded\":true,\"abi_expected\":1,"
		   "\"features\":[1]}}",
		   false, 0);
	ck_assert_int_eq(dune_client_info(peer.client, &info), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the reply has no right 'features'");
	ck_assert_ptr_null(info);
}
END_TEST

START_TEST(an_error_name_that_is_too_long)
{
	char text[VARLINK_MAX_METHOD + 64];

	snprintf(text, sizeof(text), "{\"error\":\"a.%0*d\"}", VARLINK_MAX_METHOD, 0);
	peer_send_text(&peer, text, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -EPROTO);
	assert_given_up();
}
END_TEST

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(silence)
{
	uint64_t start = now_ms();

	dune_client_set_timeout(peer.client, 100);
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -ETIMEDOUT);
	ck_assert_uint_ge(now_ms() - start, 100);
	ck_assert_uint_lt(now_ms() - start, 5000);
	assert_given_up();
}
END_TEST

START_TEST(a_reply_in_drops)
{
	uint64_t start = now_ms();
	pid_t child;
	int status;

	/* Each byte comes in time, the whole reply does not: the deadline is the reply's. */
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		for (int i = 0; i < 100; i++) {
			if (send(peer.fd, " ", 1, MSG_NOSIGNAL) != 1)
				break;
			usleep(20000);
		}
		_exit(0);
	}
	dune_client_set_timeout(peer.client, 300);
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -ETIMEDOUT);
	ck_assert_uint_lt(now_ms() - start, 1500);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

static int see(const struct dune_client_stats *stats, void *data)
{
	++*(unsigned int *)data;
	return 0;
}

START_TEST(a_stream_that_falls_silent)
{
	uint64_t start = now_ms();
	unsigned int nr = 0;

	dune_client_set_timeout(peer.client, 100);
	peer_reply(&peer, NULL, "{\"time_usec\":1,\"samples\":[]}", true, 0);
	ck_assert_int_eq(dune_client_watch(peer.client, 0, NULL, 200, see, &nr), -ETIMEDOUT);
	ck_assert_uint_eq(nr, 1);
	/* The next sample had an interval and the timeout to come. */
	ck_assert_uint_ge(now_ms() - start, 300);
	assert_given_up();
}
END_TEST

START_TEST(a_stream_with_a_wrong_sample)
{
	unsigned int nr = 0;

	peer_reply(&peer, NULL, "{\"time_usec\":1,\"samples\":[]}", true, 0);
	peer_reply(&peer, NULL, "{\"time_usec\":2,\"samples\":[{}]}", true, 0);
	ck_assert_int_eq(dune_client_watch(peer.client, 0, NULL, 200, see, &nr), -EPROTO);
	ck_assert_uint_eq(nr, 1);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the reply has no right 'context'");
}
END_TEST

START_TEST(the_connection_ends_before_a_reply)
{
	close(peer.fd);
	peer.fd = -1;
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -ECONNRESET);
	assert_given_up();
}
END_TEST

START_TEST(the_connection_ends_in_a_reply)
{
	peer_send(&peer, "{\"parameters\"", 13, 0);
	close(peer.fd);
	peer.fd = -1;
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -ECONNRESET);
	assert_given_up();
}
END_TEST

/* A service with too many connections says why and closes before any call. */
START_TEST(the_connection_is_refused_with_an_error)
{
	peer_reply(&peer, "io.dune.Manager.QuotaExceeded",
		   "{\"limit\":\"connections\",\"maximum\":9,\"used\":9}", false, 0);
	close(peer.fd);
	peer.fd = -1;
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -EDQUOT);
	ck_assert_str_eq(dune_client_error_text(peer.client),
			 "the quota connections is used up (9 of 9)");
}
END_TEST

START_TEST(two_replies_to_one_call)
{
	static const char twice[] = "{}\0{}";

	peer_send(&peer, twice, sizeof(twice), 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), 0);
	/* The second must not be taken for the reply to another call. */
	ck_assert_int_eq(dune_client_kill(peer.client, 2, NULL), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the service replied to no call");
	assert_given_up();
}
END_TEST

START_TEST(a_reply_without_end)
{
	pid_t child;
	int status;

	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		static char spaces[65536];

		memset(spaces, ' ', sizeof(spaces));
		dune_client_free(peer.client); /* else send() would never fail */
		for (size_t sent = 0; sent < 2 * (size_t)VARLINK_MAX_REPLY; sent += sizeof(spaces))
			if (send(peer.fd, spaces, sizeof(spaces), MSG_NOSIGNAL) < 0)
				_exit(0);
		_exit(1);
	}
	ck_assert_int_eq(dune_client_kill(peer.client, 1, NULL), -EMSGSIZE);
	assert_given_up();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("client_bad");
	TCase *tests = tcase_create("client_bad");

	tcase_set_timeout(tests, 20);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, messages_that_are_no_reply, 0, NR_ROWS(bad_messages));
	tcase_add_loop_test(tests, fields_that_are_wrong, 0, NR_ROWS(bad_fields));
	tcase_add_loop_test(tests, lists_that_are_wrong, 0, NR_ROWS(bad_lists));
	tcase_add_loop_test(tests, inspections_that_are_wrong, 0, NR_ROWS(bad_inspections));
	tcase_add_loop_test(tests, hexadecimal_numbers_that_are_wrong, 0, NR_ROWS(bad_numbers));
	tcase_add_test(tests, created_without_its_parts);
	tcase_add_test(tests, info_without_its_parts);
	tcase_add_test(tests, an_error_name_that_is_too_long);
	tcase_add_test(tests, silence);
	tcase_add_test(tests, a_reply_in_drops);
	tcase_add_test(tests, a_stream_that_falls_silent);
	tcase_add_test(tests, a_stream_with_a_wrong_sample);
	tcase_add_test(tests, the_connection_ends_before_a_reply);
	tcase_add_test(tests, the_connection_ends_in_a_reply);
	tcase_add_test(tests, the_connection_is_refused_with_an_error);
	tcase_add_test(tests, two_replies_to_one_call);
	tcase_add_test(tests, a_reply_without_end);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
