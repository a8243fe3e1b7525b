// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replies about many contexts: whole and in order, made a piece at a time while others are answered, with
 * what happens meanwhile; a client that goes in the middle of one leaves nothing.
 */
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define CONTEXTS 1500
#define FILES	 (CONTEXTS + 256)
#define M(name)	 "io.dune.Manager." name

static struct service service;
static int contexts[CONTEXTS];
static int client = -1;
static char *message; /* the last received */

/* The descriptor of a Create's reply, which comes as a whole: a byte at a time takes too long here. */
static int receive_context(void)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	char bytes[4096];
	struct iovec vector = { bytes, sizeof(bytes) };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(client, &header, MSG_CMSG_CLOEXEC);
	int fd;

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(bytes[n - 1], '\0');
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&header));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
	return fd;
}

static void setup(void)
{
	struct rlimit files;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < FILES)
		return;
	files.rlim_cur = files.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	service_setup(&service);
	file_write(service.config, "[contexts]\nper-user = 2000\nper-host = 16384\n"
				   "[connections]\nper-user = 256\n");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake:large", NULL);
	client = client_new(&service);
	for (int i = 0; i < CONTEXTS; i++) {
		client_send_call(client, M("Create"), NULL, 0);
		contexts[i] = receive_context();
	}
}

static void teardown(void)
{
	free(message);
	message = NULL;
	if (client < 0)
		return;
	close(client);
	service_teardown(&service);
}

/* Fewer files than contexts: nothing to be seen here. */
static bool skipped(void)
{
	if (client < 0)
		printf("SKIP duned_listing: fewer than %d open files allowed\n", FILES);
	return client < 0;
}

/* A message of any length; its parameters. */
static struct json_object *receive_long(int fd, bool continues)
{
	size_t size = 0, capacity = 1 << 16;
	struct json_object *parameters;
	struct varlink_reply reply;

	free(message);
	message = malloc(capacity);
	for (;;) {
		char *end;
		ssize_t n;

		if (size == capacity)
			message = realloc(message, capacity *= 2);
		/* Nothing of the next message. */
		n = recv(fd, message + size, capacity - size, MSG_PEEK);
		if (n <= 0)
			ck_abort_msg("no whole message");
		end = memchr(message + size, '\0', (size_t)n);
		if (end)
			n = end + 1 - (message + size);
		if (recv(fd, message + size, (size_t)n, 0) != n)
			ck_abort_msg("what was there is gone");
		size += (size_t)n;
		if (end)
			break;
	}
	ck_assert_int_eq(varlink_reply_decode(message, size - 1, &reply, NULL), 0);
	ck_assert_ptr_null(reply.error);
	ck_assert_int_eq(reply.continues, continues);
	parameters = json_object_get(reply.parameters);
	varlink_reply_done(&reply);
	return parameters;
}

static void check_ids(struct json_object *list, const char *path)
{
	int64_t last = 0;

	ck_assert_uint_eq(json_object_array_length(list), CONTEXTS);
	for (size_t i = 0; i < CONTEXTS; i++) {
		int64_t id = json_int_at(json_object_array_get_idx(list, i), path);

		if (id <= last)
			ck_abort_msg("ids do not ascend");
		last = id;
	}
}

START_TEST(all_of_them)
{
	struct json_object *reply;
	int reader;

	if (skipped())
		return;
	client_send_call(client, M("List"), NULL, 0);
	reply = receive_long(client, false);
	check_ids(json_at(reply, "contexts"), "id");
	json_object_put(reply);
	client_send_call(client, M("Stats"), NULL, 0);
	reply = receive_long(client, false);
	check_ids(json_at(reply, "samples"), "context.id");
	json_object_put(reply);
	/* One of a name is found among them without the others. */
	reader = client_new(&service);
	client_send_call(reader, M("Events"), "{\"name\":\"ctx\"}", VARLINK_MORE);
	reply = receive_long(reader, true);
	close(reader);
	ck_assert_uint_eq(json_object_array_length(json_at(reply, "contexts")), 0);
	json_object_put(reply);
}
END_TEST

/* How many calls of another client are answered before the first byte of a long reply is there. */
static int count_answered(int other)
{
	struct json_object *reply;
	int answered;

	client_send_call(client, M("Stats"), NULL, 0);
	answered = client_count_answered(client, other);
	reply = receive_long(client, false);
	check_ids(json_at(reply, "samples"), "context.id");
	json_object_put(reply);
	return answered;
}

/* On a busy machine this client is too slow now and then; made in one piece it would always be. */
START_TEST(others_are_answered_meanwhile)
{
	int other, answered = 0;

	if (skipped())
		return;
	other = client_new(&service);
	for (int i = 0; i < 20 && answered < 4; i++)
		answered = count_answered(other);
	ck_assert_int_ge(answered, 4);
	close(other);
}
END_TEST

/* What changes while the state is written down comes after it, none missing. */
START_TEST(events_after_a_long_state)
{
	struct json_object *reply;
	bool begun;
	int reader;

	if (skipped())
		return;
	reader = client_new(&service);
	client_send_call(reader, M("Events"), "{\"types\":[\"running\"]}", VARLINK_MORE);
	/* It has begun; its state may still be in the making. */
	do {
		client_send_call(client, M("Totals"), NULL, 0);
		reply = receive_long(client, false);
		begun = json_int_at(reply, "service.subscriptions_now") > 0;
		json_object_put(reply);
	} while (!begun);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(write(contexts[i], "r", 1), 1);
	reply = receive_long(reader, true);
	check_ids(json_at(reply, "contexts"), "id");
	json_object_put(reply);
	for (size_t seen = 0; seen < 100;) {
		reply = client_expect(reader, NULL, true, NULL);
		seen += json_object_array_length(json_at(reply, "events"));
		json_object_put(reply);
	}
	close(reader);
}
END_TEST

START_TEST(streams_share_and_are_whole)
{
	struct json_object *reply;
	int fds[4];

	if (skipped())
		return;
	for (int i = 0; i < NR_ROWS(fds); i++) {
		fds[i] = client_new(&service);
		client_send_call(fds[i], M("Stats"), "{\"interval_ms\":3600000}", VARLINK_MORE);
	}
	for (int i = 0; i < NR_ROWS(fds); i++) {
		reply = receive_long(fds[i], true);
		check_ids(json_at(reply, "samples"), "context.id");
		json_object_put(reply);
		close(fds[i]);
	}
}
END_TEST

/* Gone in the middle of their replies, and the service as before. */
START_TEST(gone_meanwhile)
{
	struct json_object *reply;

	if (skipped())
		return;
	for (int i = 0; i < 50; i++) {
		int fd = client_new(&service);

		client_send_call(fd, i % 2 ? M("Stats") : M("Events"), NULL, VARLINK_MORE);
		usleep((useconds_t)(i * 200));
		close(fd);
	}
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		int64_t now;

		client_send_call(client, M("Totals"), NULL, 0);
		reply = receive_long(client, false);
		now = json_int_at(reply, "service.streams_now");
		json_object_put(reply);
		if (!now)
			break;
		usleep(10000);
	}
	client_send_call(client, M("Totals"), NULL, 0);
	reply = receive_long(client, false);
	ck_assert_int_eq(json_int_at(reply, "service.streams_now"), 0);
	ck_assert_int_eq(json_int_at(reply, "service.subscriptions_now"), 0);
	ck_assert_int_eq(json_int_at(reply, "service.connections_now"), 1);
	json_object_put(reply);
}
END_TEST

/* ---- many at once ---- */

#define READERS	  32
#define OTHER_UID 4001
#define QUIET_MS  500 /* so long nothing new comes: nothing will */
#define PEAK_KB	  40960 /* what may wait, one in the making and what it is made of */

static int readers[READERS];

static bool is_readable(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* How many have something to read, once that is not more and more. */
static int count_readable(void)
{
	int count, last = -1;

	for (;;) {
		count = 0;
		for (int i = 0; i < READERS; i++)
			count += readers[i] >= 0 && is_readable(readers[i]);
		if (count == last)
			return count;
		last = count;
		usleep(QUIET_MS * 1000);
	}
}

/* One after the other: what is seen with the first of two calls has its turn before the second. */
static void ask_all(const char *method, unsigned int flags)
{
	for (int i = 0; i < READERS; i++) {
		readers[i] = client_new(&service);
		client_send_call(readers[i], method, NULL, flags);
		for (int call = 0; call < 2; call++)
			json_object_put(
				client_call(client, "org.varlink.service.GetInfo", NULL, NULL));
	}
}

/* The reply that comes first, to be put; its reader is gone. */
static void read_one(int i, const char *list, const char *id, bool continues)
{
	struct json_object *reply = receive_long(readers[i], continues);

	check_ids(json_at(reply, list), id);
	json_object_put(reply);
	close(readers[i]);
	readers[i] = -1;
}

/*
 * Who reads none of them gets some and not all; the rest come as the others are read, first come first
 * served; and another user never waits.
 */
static void many_at_once(const char *method, const char *list, const char *id, unsigned int flags)
{
	struct json_object *reply;
	long before;
	int begun, other;

	before = service_status_kb(&service, "VmRSS:");
	ask_all(method, flags);
	begun = count_readable();
	ck_assert_int_ge(begun, 4);
	ck_assert_int_lt(begun, READERS);
	for (int i = 0; i < begun; i++)
		ck_assert(is_readable(readers[i]));
	if (geteuid() == 0) {
		other = client_new_as(&service, OTHER_UID);
		reply = client_call(other, method, NULL, NULL);
		ck_assert_uint_eq(json_object_array_length(json_at(reply, list)), 0);
		json_object_put(reply);
		close(other);
	}
	/* Gone instead of read is as good. */
	close(readers[begun]);
	readers[begun] = -1;
	for (int i = 0; i < READERS; i++) {
		if (readers[i] >= 0)
			read_one(i, list, id, flags & VARLINK_MORE);
	}
	ck_assert_int_lt(service_status_kb(&service, "VmHWM:") - before, PEAK_KB);
}

START_TEST(many_that_do_not_read)
{
	if (skipped())
		return;
	many_at_once(M("Stats"), "samples", "context.id", 0);
	many_at_once(M("Stats"), "samples", "context.id", VARLINK_MORE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_listing");
	TCase *tests = tcase_create("duned_listing");

	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 100);
	tcase_add_test(tests, all_of_them);
	tcase_add_test(tests, others_are_answered_meanwhile);
	tcase_add_test(tests, events_after_a_long_state);
	tcase_add_test(tests, streams_share_and_are_whole);
	tcase_add_test(tests, gone_meanwhile);
	tcase_add_test(tests, many_that_do_not_read);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
