// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The method Events over the socket, with a device made of paper: the state first, then what happens,
 * to whom it may be shown; subscribers that misbehave cost nobody anything.
 */
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define OTHER_UID 4001
#define M(name)	  "io.dune.Manager." name
#define E(name)	  "org.varlink.service." name
#define FLOOD	  4000 /* events that a client can't have read: two socket buffers and a queue */

static struct service service;
static int client = -1;

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, "[contexts]\nper-user = 8\nper-host = 12\n"
				   "[connections]\nper-user = 9\n");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	client = client_new(&service);
}

static void teardown(void)
{
	close(client);
	service_teardown(&service);
}

static int create(int fd, const char *name, int64_t *ret_id)
{
	struct json_object *reply;
	char parameters[128];
	int context_fd;

	snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\"}", name);
	client_send_call(fd, M("Create"), parameters, 0);
	reply = client_expect(fd, NULL, false, &context_fd);
	if (ret_id)
		*ret_id = json_int_at(reply, "context.id");
	json_object_put(reply);
	return context_fd;
}

/* Moves a context on, see fake_device.c. */
static void move(int context_fd, const char *commands)
{
	ck_assert_int_eq(write(context_fd, commands, strlen(commands)), (ssize_t)strlen(commands));
}

/* Subscribes and returns how many contexts the first reply shows. */
static size_t subscribe(int fd, const char *parameters)
{
	struct json_object *reply;
	size_t count;

	client_send_call(fd, M("Events"), parameters, VARLINK_MORE);
	reply = client_expect(fd, NULL, true, NULL);
	count = json_object_array_length(json_at(reply, "contexts"));
	ck_assert_int_eq(json_object_object_length(reply), 1);
	json_object_put(reply);
	return count;
}

/* A reader that takes events one by one, however they were put into replies. */
struct reader {
	int fd;
	struct json_object *reply;
	size_t next;
	int64_t dropped;
	bool ended;
};

static struct json_object *next_event(struct reader *reader)
{
	struct varlink_reply reply;
	struct json_object *value;
	const char *message;

	while (!reader->reply ||
	       reader->next ==
		       json_object_array_length(json_object_object_get(reader->reply, "events"))) {
		json_object_put(reader->reply);
		reader->reply = NULL;
		if (reader->ended)
			return NULL;
		message = client_receive(reader->fd);
		ck_assert_int_eq(varlink_reply_decode(message, strlen(message), &reply, NULL), 0);
		ck_assert_msg(!reply.error, "%s", message);
		reader->ended = !reply.continues;
		value = reply.parameters ? json_object_object_get(reply.parameters, "dropped") :
					   NULL;
		reader->dropped += value ? json_object_get_int64(value) : 0;
		value = reply.parameters ? json_object_object_get(reply.parameters, "events") :
					   NULL;
		if (value)
			reader->reply = json_object_get(reply.parameters);
		else
			ck_assert_msg(reader->dropped || reader->ended, "empty: %s", message);
		reader->next = 0;
		varlink_reply_done(&reply);
	}
	return json_object_array_get_idx(json_object_object_get(reader->reply, "events"),
					 reader->next++);
}

static struct json_object *expect_event(struct reader *reader, const char *type, int64_t id)
{
	struct json_object *event = next_event(reader);

	ck_assert_ptr_nonnull(event);
	ck_assert_str_eq(json_text_at(event, "type"), type);
	ck_assert_int_eq(json_int_at(event, "id"), id);
	return event;
}

static void reader_done(struct reader *reader)
{
	json_object_put(reader->reply);
	close(reader->fd);
}

static void expect_answering(void)
{
	json_object_put(client_call(client, M("Info"), NULL, NULL));
}

START_TEST(a_whole_life)
{
	struct reader reader = { .fd = client_new(&service) };
	struct json_object *event;
	int old, context;
	int64_t id;

	old = create(client, "old", NULL);
	ck_assert_uint_eq(subscribe(reader.fd, NULL), 1);
	context = create(client, "worker", &id);
	event = expect_event(&reader, "created", id);
	ck_assert_str_eq(json_text_at(event, "name"), "worker");
	ck_assert_int_eq(json_int_at(event, "owner"), getuid());
	ck_assert_int_gt(json_int_at(event, "time_usec"), 0);
	ck_assert(!json_object_object_get(event, "pid"));
	move(context, "arl");
	expect_event(&reader, "attached", id);
	event = expect_event(&reader, "running", id);
	ck_assert_int_gt(json_int_at(event, "pid"), 0);
	event = expect_event(&reader, "limit", id);
	ck_assert_str_eq(json_text_at(event, "limit"), "private_pages");
	ck_assert_int_eq(json_int_at(event, "maximum"), 4096);
	move(context, "p");
	event = expect_event(&reader, "ended", id);
	ck_assert_str_eq(json_text_at(event, "cause"), "panic");
	ck_assert_str_eq(json_text_at(event, "rip"), "0xffff800000001234");
	close(context);
	expect_event(&reader, "freed", id);
	ck_assert_int_eq(reader.dropped, 0);
	reader_done(&reader);
	close(old);
}
END_TEST

START_TEST(about_one_context)
{
	struct reader by_id = { .fd = client_new(&service) };
	struct reader by_name = { .fd = client_new(&service) };
	struct reader by_type = { .fd = client_new(&service) };
	int first, second;
	char filter[64];
	int64_t id, other;

	first = create(client, "a", &id);
	second = create(client, "b", &other);
	snprintf(filter, sizeof(filter), "{\"id\":%lld}", (long long)id);
	ck_assert_uint_eq(subscribe(by_id.fd, filter), 1);
	ck_assert_uint_eq(subscribe(by_name.fd, "{\"name\":\"later\"}"), 0);
	ck_assert_uint_eq(subscribe(by_type.fd, "{\"types\":[\"ended\",\"freed\"]}"), 2);
	move(second, "rx");
	expect_event(&by_type, "ended", other);
	move(first, "rx");
	expect_event(&by_id, "running", id);
	expect_event(&by_id, "ended", id);
	close(first);
	expect_event(&by_id, "freed", id);
	/* Its stream is over, the connection is not. */
	ck_assert_ptr_null(next_event(&by_id));
	json_object_put(client_call(by_id.fd, M("Info"), NULL, NULL));
	first = create(client, "later", &id);
	expect_event(&by_name, "created", id);
	close(first);
	close(second);
	expect_event(&by_name, "freed", id);
	reader_done(&by_id);
	reader_done(&by_name);
	reader_done(&by_type);
}
END_TEST

static const struct {
	const char *parameters;
	unsigned int flags;
	const char *error;
	const char *parameter;
} bad_calls[] = {
	{ NULL, 0, E("ExpectedMore"), NULL },
	{ "{\"id\":99}", VARLINK_MORE, M("NoSuchContext"), NULL },
	{ "{\"id\":0}", VARLINK_MORE, M("NoSuchContext"), NULL },
	{ "{\"id\":-1}", VARLINK_MORE, M("NoSuchContext"), NULL },
	{ "{\"id\":\"1\"}", VARLINK_MORE, E("InvalidParameter"), "id" },
	{ "{\"id\":1,\"name\":\"a\"}", VARLINK_MORE, E("InvalidParameter"), "name" },
	{ "{\"name\":\"\"}", VARLINK_MORE, E("InvalidParameter"), "name" },
	{ "{\"name\":\"a b\"}", VARLINK_MORE, E("InvalidParameter"), "name" },
	{ "{\"types\":[]}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"types\":\"ended\"}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"types\":[\"ended\",7]}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"types\":[null]}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"types\":[\"lost\"]}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"types\":[\"Ended\"]}", VARLINK_MORE, E("InvalidParameter"), "types" },
	{ "{\"colour\":1}", VARLINK_MORE, E("InvalidParameter"), "colour" },
};

START_TEST(bad_calls_are_named)
{
	struct json_object *reply;

	client_send_call(client, M("Events"), bad_calls[_i].parameters, bad_calls[_i].flags);
	reply = client_expect(client, bad_calls[_i].error, false, NULL);
	if (bad_calls[_i].parameter)
		ck_assert_str_eq(json_text_at(reply, "parameter"), bad_calls[_i].parameter);
	json_object_put(reply);
	/* Nothing was left behind that could send anything. */
	close(create(client, "a", NULL));
	expect_answering();
}
END_TEST

START_TEST(strangers_see_nothing)
{
	struct reader stranger;
	int context, other, own;
	char filter[64];
	int64_t id, own_id;

	if (getuid() != 0)
		return;
	context = create(client, "secret", &id);
	stranger = (struct reader){ .fd = client_new_as(&service, OTHER_UID) };
	other = client_new_as(&service, OTHER_UID);
	snprintf(filter, sizeof(filter), "{\"id\":%lld}", (long long)id);
	client_send_call(other, M("Events"), filter, VARLINK_MORE);
	json_object_put(client_expect(other, M("NoSuchContext"), false, NULL));
	service_wait_log(&service,
			 "client of uid 4001: io.dune.Manager.Events of context 1 of uid 0 "
			 "was refused");
	ck_assert_uint_eq(subscribe(stranger.fd, NULL), 0);
	move(context, "arlpx");
	close(context);
	own = create(other, "own", &own_id);
	expect_event(&stranger, "created", own_id);
	ck_assert_int_eq(stranger.dropped, 0);
	close(own);
	expect_event(&stranger, "freed", own_id);
	close(other);
	reader_done(&stranger);
}
END_TEST

START_TEST(lost_by_the_module)
{
	struct reader reader = { .fd = client_new(&service) };
	int context = create(client, "a", NULL);
	int64_t id;

	subscribe(reader.fd, "{\"name\":\"b\"}");
	move(context, "LLL");
	close(create(client, "b", &id));
	expect_event(&reader, "created", id);
	expect_event(&reader, "freed", id);
	ck_assert_int_eq(reader.dropped, 3);
	reader_done(&reader);
	close(context);
}
END_TEST

/* Makes `count` limit events, a pipe's worth at a time so that none waits in the pipe. */
static void flood(int context, int count)
{
	char commands[256];

	memset(commands, 'l', sizeof(commands));
	for (; count > 0; count -= (int)sizeof(commands)) {
		ck_assert_int_eq(write(context, commands, sizeof(commands)), sizeof(commands));
		expect_answering();
	}
}

START_TEST(a_slow_reader_is_told_exactly_how_many)
{
	struct reader reader = { .fd = client_new(&service) };
	int context, seen = 0, made = (FLOOD + 255) / 256 * 256;
	struct json_object *event;
	int64_t id, last;

	context = create(client, "a", &id);
	subscribe(reader.fd, NULL);
	flood(context, FLOOD);
	close(create(client, "last", &last));
	/* What it reads now is in order; what is missing was counted. */
	while ((event = next_event(&reader)) && json_int_at(event, "id") != last)
		seen++;
	ck_assert_int_gt(reader.dropped, 0);
	ck_assert_int_eq(seen + reader.dropped, made);
	/* It is as good as any other now. */
	expect_event(&reader, "freed", last);
	move(context, "l");
	expect_event(&reader, "limit", id);
	ck_assert_int_eq(seen + reader.dropped, made);
	reader_done(&reader);
	close(context);
}
END_TEST

/* Subscribers that never read: nobody waits for them, and they cost what their queues may hold. */
START_TEST(readers_that_never_read)
{
	int context = create(client, "a", NULL), fds[4];
	struct reader good = { .fd = client_new(&service) };
	struct timespec before, after;
	long first, second;
	double seconds;

	for (int i = 0; i < NR_ROWS(fds); i++) {
		fds[i] = client_new(&service);
		client_send_call(fds[i], M("Events"), NULL, VARLINK_MORE);
	}
	subscribe(good.fd, "{\"types\":[\"freed\"]}");
	flood(context, FLOOD);
	first = service_status_kb(&service, "VmRSS:");
	clock_gettime(CLOCK_MONOTONIC, &before);
	flood(context, 4 * FLOOD);
	clock_gettime(CLOCK_MONOTONIC, &after);
	second = service_status_kb(&service, "VmRSS:");
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	ck_assert_int_lt(second, first + 512);
#endif
	seconds = (double)(after.tv_sec - before.tv_sec) +
		  (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	ck_assert(seconds < 20);
	close(context);
	json_object_put(json_object_get(next_event(&good)));
	ck_assert_int_eq(good.dropped, 0);
	reader_done(&good);
	for (int i = 0; i < NR_ROWS(fds); i++)
		close(fds[i]);
}
END_TEST

START_TEST(subscribing_in_masses)
{
	int fds[5], context;
	struct json_object *reply;

	/* Half of nine connections, rounded up. */
	for (int i = 0; i < 5; i++) {
		fds[i] = client_new(&service);
		subscribe(fds[i], NULL);
	}
	client_send_call(client, M("Events"), NULL, VARLINK_MORE);
	reply = client_expect(client, M("QuotaExceeded"), false, NULL);
	ck_assert_str_eq(json_text_at(reply, "limit"), "streams_per_user");
	ck_assert_int_eq(json_int_at(reply, "maximum"), 5);
	ck_assert_int_eq(json_int_at(reply, "used"), 5);
	json_object_put(reply);
	expect_answering();
	/* One goes, another one may come. */
	close(fds[4]);
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		struct varlink_reply answer;
		const char *message;
		bool refused;

		client_send_call(client, M("Events"), NULL, VARLINK_MORE);
		message = client_receive(client);
		ck_assert_int_eq(varlink_reply_decode(message, strlen(message), &answer, NULL), 0);
		refused = answer.error != NULL;
		varlink_reply_done(&answer);
		if (!refused)
			break;
		usleep(10000);
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(client);
	client = client_new(&service);
	/* Calls behind a stream's call in one packet wait for ever, also this one. */
	context = create(client, "a", NULL);
	client_send_text(client, "{\"method\":\"io.dune.Manager.Events\",\"more\":true}");
	client_send_text(client, "{\"method\":\"io.dune.Manager.Events\",\"more\":true}");
	json_object_put(client_expect(client, NULL, true, NULL));
	move(context, "l");
	json_object_put(client_expect(client, NULL, true, NULL));
	close(context);
}
END_TEST

/* More than the service reads while nobody may be answered: it does not see the end that follows. */
static void fill_input(int fd)
{
	static char bytes[VARLINK_MAX_CALL + 1000];

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
}

/* Who shuts down his sending side still gets events; who then goes is noticed without one. */
START_TEST(half_closed)
{
	struct reader reader = { .fd = client_new(&service) };
	struct json_object *reply;
	int context, fds[5];
	int64_t id;

	context = create(client, "a", &id);
	subscribe(reader.fd, NULL);
	ck_assert_int_eq(shutdown(reader.fd, SHUT_WR), 0);
	move(context, "r");
	expect_event(&reader, "running", id);
	for (int i = 0; i < 4; i++) {
		fds[i] = client_new(&service);
		subscribe(fds[i], NULL);
		if (i % 2)
			fill_input(fds[i]);
		else
			ck_assert_int_eq(shutdown(fds[i], SHUT_WR), 0);
	}
	expect_answering();
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	reader_done(&reader);
	/* CONNECTION_GONE_S later at the latest there is room for five. */
	sleep(6);
	for (int i = 0; i < 5; i++) {
		fds[i] = client_new(&service);
		client_send_call(fds[i], M("Events"), NULL, VARLINK_MORE);
		reply = client_expect(fds[i], NULL, true, NULL);
		json_object_put(reply);
	}
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	close(context);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_events");
	TCase *tests = tcase_create("duned_events");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_whole_life);
	tcase_add_test(tests, about_one_context);
	tcase_add_loop_test(tests, bad_calls_are_named, 0, NR_ROWS(bad_calls));
	tcase_add_test(tests, strangers_see_nothing);
	tcase_add_test(tests, lost_by_the_module);
	tcase_add_test(tests, a_slow_reader_is_told_exactly_how_many);
	tcase_add_test(tests, readers_that_never_read);
	tcase_add_test(tests, subscribing_in_masses);
	tcase_add_test(tests, half_closed);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
