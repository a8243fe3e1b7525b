// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Log messages: lines, what clients can cause, and that a sink that takes nothing costs messages but no
 * time. What the journal gets is for tests/service, where there is one.
 */
#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duned/counters.h"
#include "duned/log.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

/* stderr becomes a pipe; what was written to it is read back. */
static int pipe_ends[2];
static int saved_stderr;

static void setup(void)
{
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(pipe(pipe_ends), 0);
	saved_stderr = dup(2);
	ck_assert_int_ge(saved_stderr, 0);
	ck_assert_int_eq(dup2(pipe_ends[1], 2), 2);
	close(pipe_ends[1]);
	log_init(false);
}

/* Ends the writing side; everything that was written, in a static buffer. */
static const char *finish(void)
{
	static char text[1 << 20];
	size_t size = 0;
	ssize_t n;

	log_stop();
	dup2(saved_stderr, 2);
	while ((n = read(pipe_ends[0], text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	return text;
}

static size_t count_lines(const char *text, const char *part)
{
	size_t count = 0;

	while ((text = strstr(text, part))) {
		count++;
		text += strlen(part);
	}
	return count;
}

START_TEST(lines_on_stderr)
{
	log_warning("one %d", 1);
	log_debug("not shown");
	log_message(LOG_DEBUG, MESSAGE_CONTEXT_CREATED, NULL, "not shown either");
	log_message(LOG_WARNING, MESSAGE_CONTEXT_ENDED,
		    LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", 7), LOG_TEXT("DUNE_NAME", "x")), "two");
	ck_assert_int_eq(log_start(), 0);
	log_error("three");
	ck_assert_str_eq(finish(), "duned: one 1\nduned: two\nduned: three\n");
}
END_TEST

START_TEST(control_characters_are_gone)
{
	log_client(1000, "a\nb\x1b[31m%s", "\n<0>forged");
	ck_assert_str_eq(finish(), "duned: client of uid 1000: a?b?[31m?<0>forged\n");
}
END_TEST

START_TEST(long_messages_are_cut)
{
	char text[4096];
	const char *written;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_message(LOG_INFO, MESSAGE_STARTED, LOG_FIELDS(LOG_TEXT("DUNE_NAME", text)), "%s", text);
	written = finish();
	ck_assert_uint_gt(strlen(written), 600);
	ck_assert_uint_lt(strlen(written), LOG_ENTRY_BYTES);
	ck_assert_int_eq(written[strlen(written) - 1], '\n');
}
END_TEST

/* What the service tells of this in its own counters. */
static uint64_t counted(const char *name)
{
	struct json_object *counters = counters_json();
	uint64_t value = json_object_get_uint64(json_object_object_get(counters, name));

	json_object_put(counters);
	return value;
}

START_TEST(one_uid_does_not_silence_another)
{
	const char *written;

	for (int i = 0; i < 1000; i++)
		log_client(1000, "noise");
	log_client(1001, "signal");
	written = finish();
	ck_assert_uint_eq(count_lines(written, "uid 1000: noise"), LOG_CLIENT_BURST);
	ck_assert_uint_eq(count_lines(written, "uid 1001: signal"), 1);
	ck_assert_uint_eq(counted("log_limited"), 1000 - LOG_CLIENT_BURST);
}
END_TEST

START_TEST(one_kind_does_not_silence_another)
{
	const char *written;

	for (int i = 0; i < 1000; i++)
		log_client_message(1000, MESSAGE_QUOTA_REFUSED, NULL, "noise");
	for (int i = 0; i < 1000; i++)
		log_client_message(1000, MESSAGE_ACCESS_DENIED, NULL, "signal");
	for (uint32_t uid = 2001; uid <= 3000; uid++)
		log_client_message(uid, MESSAGE_QUOTA_REFUSED, NULL, "noise");
	log_client_message(1001, MESSAGE_CLIENT_PROTOCOL, NULL, "other");
	log_client_message(1001, MESSAGE_CLIENT_PROTOCOL, NULL, "other");
	written = finish();
	ck_assert_uint_eq(count_lines(written, "uid 1000: noise"), LOG_CLIENT_BURST);
	ck_assert_uint_eq(count_lines(written, "signal"), 1);
	ck_assert_uint_eq(count_lines(written, "noise"), LOG_CLIENTS_BURST - 1);
	ck_assert_uint_eq(count_lines(written, "other"), 1);
	ck_assert_uint_eq(counted("log_limited"), 3002 - LOG_CLIENTS_BURST - 1);
	ck_assert_uint_eq(counted("log_dropped"), 0);
}
END_TEST

/* Neither a complaint nor anything else that one causes comes more often than that. */
START_TEST(what_clients_cause_has_the_same_limit)
{
	const char *written;

	for (int i = 0; i < 10; i++)
		log_client(1000, "noise");
	for (int i = 0; i < 1000; i++)
		log_caused_message(1000, LOG_INFO, MESSAGE_CONTEXT_ENDED, NULL, "context %d", i);
	for (int i = 0; i < 300; i++)
		log_caused_message(LOG_TRUSTED, LOG_INFO, MESSAGE_CONTEXT_KILLED, NULL, "kill %d",
				   i);
	log_client(1001, "signal");
	written = finish();
	ck_assert_uint_eq(count_lines(written, "noise"), 10);
	ck_assert_uint_eq(count_lines(written, "duned: context "), LOG_CLIENT_BURST - 10);
	ck_assert_uint_eq(count_lines(written, "duned: kill "), 300);
	ck_assert_uint_eq(count_lines(written, "uid 1001: signal"), 1);
	ck_assert_uint_eq(counted("log_limited"), 1000 - (LOG_CLIENT_BURST - 10));
}
END_TEST

START_TEST(all_uids_have_a_limit_together)
{
	for (uint32_t uid = 1; uid <= 1000; uid++)
		log_client(uid, "noise");
	ck_assert_uint_eq(count_lines(finish(), "noise"), LOG_CLIENTS_BURST);
}
END_TEST

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nobody reads: the pipe fills, the writer hangs, the caller does not. */
START_TEST(a_sink_that_hangs_costs_no_time)
{
	int64_t start;
	uint64_t dropped;

	ck_assert_int_eq(log_start(), 0);
	start = now_ms();
	for (int i = 0; i < 5000; i++)
		log_warning("%0500d", i);
	ck_assert_int_lt(now_ms() - start, 1000);
	dropped = counted("log_dropped");
	/* A pipe holds 64 KiB, which is about 128 of these. */
	ck_assert_uint_ge(dropped, 5000 - LOG_QUEUE - 256);
	ck_assert_uint_lt(dropped, 5000);
	start = now_ms();
	log_stop();
	ck_assert_int_lt(now_ms() - start, LOG_STOP_MS + 1000);
}
END_TEST

/* Once the sink takes messages again, it is told how many it missed. */
START_TEST(what_was_dropped_is_told)
{
	char expected[64], chunk[65536], text[1 << 20] = "";
	size_t size = 0;

	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 2000; i++)
		log_warning("%0500d", i);
	snprintf(expected, sizeof(expected), "%llu messages were dropped",
		 (unsigned long long)counted("log_dropped"));
	ck_assert_uint_gt(counted("log_dropped"), 0);
	while (!strstr(text, "were dropped")) {
		ssize_t n = read(pipe_ends[0], chunk, sizeof(chunk));

		ck_assert_int_gt(n, 0);
		ck_assert_uint_lt(size + (size_t)n, sizeof(text));
		memcpy(text + size, chunk, (size_t)n);
		size += (size_t)n;
		text[size] = '\0';
	}
	ck_assert_ptr_nonnull(strstr(text, expected));
	log_stop();
}
END_TEST

START_TEST(ids_are_ids)
{
	ck_assert_ptr_null(log_message_id(MESSAGE_NONE));
	ck_assert_ptr_null(log_message_id(NR_MESSAGE_IDS));
	for (int i = 1; i < NR_MESSAGE_IDS; i++) {
		const char *id = log_message_id((enum message_id)i);

		ck_assert_uint_eq(strlen(id), 32);
		ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 32);
		for (int j = 1; j < i; j++)
			ck_assert_str_ne(id, log_message_id((enum message_id)j));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tests = tcase_create("log");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, lines_on_stderr);
	tcase_add_test(tests, control_characters_are_gone);
	tcase_add_test(tests, long_messages_are_cut);
	tcase_add_test(tests, one_uid_does_not_silence_another);
	tcase_add_test(tests, one_kind_does_not_silence_another);
	tcase_add_test(tests, what_clients_cause_has_the_same_limit);
	tcase_add_test(tests, all_uids_have_a_limit_together);
	tcase_add_test(tests, a_sink_that_hangs_costs_no_time);
	tcase_add_test(tests, what_was_dropped_is_told);
	tcase_add_test(tests, ids_are_ids);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
