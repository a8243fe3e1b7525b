// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The method Totals with a device made of paper: sums that outlive contexts, and what the service
 * counts about itself.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define OTHER_UID 4001
#define M(name)	  "io.dune.Manager." name

static struct service service;
static int client = -1;

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, "[connections]\nper-user = 3\n");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	client = client_new(&service);
}

static void teardown(void)
{
	close(client);
	service_teardown(&service);
}

static struct json_object *totals(int fd)
{
	return client_call(fd, M("Totals"), NULL, NULL);
}

static int64_t total(const char *path)
{
	struct json_object *reply = totals(client);
	int64_t value = json_int_at(reply, path);

	json_object_put(reply);
	return value;
}

static int create(int fd)
{
	int context_fd;

	client_send_call(fd, M("Create"), NULL, 0);
	json_object_put(client_expect(fd, NULL, false, &context_fd));
	return context_fd;
}

static void move(int context_fd, const char *commands)
{
	ck_assert_int_eq(write(context_fd, commands, strlen(commands)), (ssize_t)strlen(commands));
}

static size_t check_zeroes(struct json_object *map)
{
	json_object_object_foreach(map, key, value) {
		ck_assert_msg(json_object_get_int64(value) == 0, "%s is not 0", key);
	}
	return (size_t)json_object_object_length(map);
}

START_TEST(all_names_from_the_start)
{
	struct json_object *reply = totals(client);

	ck_assert_int_gt(json_int_at(reply, "time_usec"), 0);
	ck_assert_int_eq(json_int_at(reply, "created"), 0);
	ck_assert_uint_gt(check_zeroes(json_at(reply, "counters")), 25);
	ck_assert_uint_gt(check_zeroes(json_at(reply, "exits")), 60);
	ck_assert_uint_eq(check_zeroes(json_at(reply, "ends")), 12);
	ck_assert_uint_eq(check_zeroes(json_at(reply, "states")), 4);
	ck_assert_uint_eq(check_zeroes(json_at(reply, "errors")),
			  (size_t)json_object_object_length(json_at(reply, "errors")));
	json_expect(reply, JSON_ROWS({ "errors.NoSuchContext", 0 }, { "errors.ExpectedMore", 0 },
				     { "calls.Totals", 1 }, { "calls.GetInfo", 0 },
				     { "calls.other", 0 }, { "service.connections_now", 1 },
				     { "messages.client_idle", 0 }, { "allocated.contexts", 0 }));
	ck_assert_int_gt(json_int_at(reply, "quotas.contexts_per_host"), 0);
	json_object_put(reply);
}
END_TEST

START_TEST(sums_outlive_contexts)
{
	int first = create(client), second = create(client), third = create(client);
	struct json_object *reply;

	move(first, "r");
	move(second, "r");
	reply = totals(client);
	json_expect(reply, JSON_ROWS({ "created", 3 }, { "counters.exits", 200 },
				     { "counters.private_pages_now", 34 }, { "exits.vmcall", 120 },
				     { "exits.reason_35", 2 }, { "states.running", 2 },
				     { "states.new", 1 }));
	json_object_put(reply);
	move(first, "x");
	move(second, "p");
	ck_assert_int_eq(total("states.ended"), 2);
	close(first);
	close(second);
	close(third);
	reply = totals(client);
	json_expect(reply, JSON_ROWS({ "counters.exits", 200 }, { "counters.private_pages_now", 0 },
				     { "ends.exit", 1 }, { "ends.panic", 1 }, { "ends.unused", 1 },
				     { "ends.kill", 0 }));
	ck_assert_uint_eq(check_zeroes(json_at(reply, "states")), 4);
	json_object_put(reply);
}
END_TEST

START_TEST(calls_and_errors)
{
	static const char unknown[] = "{\"method\":\"io.dune.Manager.Explode\"}";
	static const char oneway[] = "{\"method\":\"io.dune.Manager.List\",\"oneway\":true}";
	struct json_object *reply;

	json_object_put(client_call(client, M("List"), NULL, NULL));
	client_send_text(client, oneway);
	json_object_put(client_call(client, M("Inspect"), "{\"id\":9}", M("NoSuchContext")));
	json_object_put(client_call(client, M("Kill"), "{\"name\":\"x\"}", M("NoSuchContext")));
	client_send_text(client, unknown);
	json_object_put(client_expect(client, "org.varlink.service.MethodNotFound", false, NULL));
	reply = totals(client);
	json_expect(reply,
		    JSON_ROWS({ "calls.List", 2 }, { "calls.Inspect", 1 }, { "calls.Kill", 1 },
			      { "calls.other", 1 }, { "errors.NoSuchContext", 2 },
			      { "errors.MethodNotFound", 1 }, { "errors.other", 0 }));
	json_object_put(reply);
}
END_TEST

START_TEST(connections_and_bytes)
{
	struct json_object *reply;
	int64_t in, out;
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = client_new(&service);
	/* The last one is above the limit: refused before it asks. */
	json_object_put(client_expect(fds[2], M("QuotaExceeded"), false, NULL));
	reply = totals(client);
	json_expect(reply, JSON_ROWS({ "service.connections", 3 }, { "service.connections_now", 3 },
				     { "service.connections_refused_user", 1 },
				     { "service.connections_refused_host", 0 },
				     { "messages.connections_limit", 1 }));
	in = json_int_at(reply, "service.bytes_in");
	out = json_int_at(reply, "service.bytes_out");
	/* Exactly that call, and the reply whose size is not in it yet. */
	ck_assert_int_eq(total("service.bytes_in") - in,
			 (int64_t)sizeof("{\"method\":\"io.dune.Manager.Totals\"}"));
	ck_assert_int_gt(total("service.bytes_out"), out + 4000);
	json_object_put(reply);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && total("service.connections_now") > 1; i++)
		usleep(10000);
	ck_assert_int_eq(total("service.connections_now"), 1);
}
END_TEST

START_TEST(events_and_streams)
{
	int reader = client_new(&service), context;
	struct json_object *reply;

	client_send_call(reader, M("Events"), NULL, VARLINK_MORE);
	json_object_put(client_expect(reader, NULL, true, NULL));
	context = create(client);
	json_object_put(client_expect(reader, NULL, true, NULL));
	move(context, "L");
	json_object_put(client_expect(reader, NULL, true, NULL));
	reply = totals(client);
	json_expect(reply,
		    JSON_ROWS({ "service.events", 1 }, { "service.events_sent", 1 },
			      { "service.events_lost", 1 }, { "service.events_dropped", 0 },
			      { "service.streams_now", 1 }, { "service.subscriptions_now", 1 }));
	json_object_put(reply);
	close(reader);
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && total("service.streams_now") > 0; i++)
		usleep(10000);
	ck_assert_int_eq(total("service.streams_now"), 0);
	ck_assert_int_eq(total("service.subscriptions_now"), 0);
	close(context);
}
END_TEST

START_TEST(anybody_may_ask)
{
	int other;

	if (getuid() != 0)
		return;
	close(create(client));
	other = client_new_as(&service, OTHER_UID);
	json_object_put(totals(other));
	json_object_put(client_call(other, M("Totals"), "{\"id\":1}",
				    "org.varlink.service.InvalidParameter"));
	close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_totals");
	TCase *tests = tcase_create("duned_totals");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, all_names_from_the_start);
	tcase_add_test(tests, sums_outlive_contexts);
	tcase_add_test(tests, calls_and_errors);
	tcase_add_test(tests, connections_and_bytes);
	tcase_add_test(tests, events_and_streams);
	tcase_add_test(tests, anybody_may_ask);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
