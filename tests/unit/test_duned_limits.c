// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Limits that clients meet beside connections and messages: streams, calls in a second, idleness,
 * descriptors that wait. Each is answered or logged, and the client beside it is left alone.
 */
#include <time.h>

#include "duned/connection.h"
#include "duned/server.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define CLIENT_UID 4001
#define INFO	   "{\"method\":\"org.varlink.service.GetInfo\"}"

static struct service service;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void start(const char *config)
{
	service_setup(&service);
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
}

static void stop(void)
{
	ck_assert_int_eq(service_stop(&service), 0);
	service_teardown(&service);
}

START_TEST(streams)
{
	int fds[SERVER_USER_STREAMS + 1];
	char expected[160];

	start("[connections]\nper-user = 128\n");
	for (int i = 0; i <= SERVER_USER_STREAMS; i++) {
		fds[i] = client_new(&service);
		client_send_text(fds[i], "{\"method\":\"io.dune.Manager.Stats\",\"more\":true}");
		if (i < SERVER_USER_STREAMS)
			ck_assert_ptr_nonnull(strstr(client_receive(fds[i]), "\"continues\":true"));
	}
	snprintf(expected, sizeof(expected),
		 "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":{\"limit\":"
		 "\"streams_per_user\",\"maximum\":%d,\"used\":%d}}",
		 SERVER_USER_STREAMS, SERVER_USER_STREAMS);
	ck_assert_str_eq(client_receive(fds[SERVER_USER_STREAMS]), expected);
	service_wait_log(&service, "client of uid 0: stream refused: 64 of 64 streams_per_user");
	/* The connection lives on, and has its stream when another ends. */
	close(fds[0]);
	usleep(200000);
	client_send_text(fds[SERVER_USER_STREAMS],
			 "{\"method\":\"io.dune.Manager.Stats\",\"more\":true}");
	ck_assert_ptr_nonnull(
		strstr(client_receive(fds[SERVER_USER_STREAMS]), "\"continues\":true"));
	for (int i = 1; i <= SERVER_USER_STREAMS; i++)
		close(fds[i]);
	stop();
}
END_TEST

static double time_of_calls(int fd, int count)
{
	double begin = now();

	for (int i = 0; i < count; i++)
		client_send_text(fd, INFO);
	for (int i = 0; i < count; i++)
		ck_assert_ptr_nonnull(strstr(client_receive(fd), "\"vendor\""));
	return now() - begin;
}

/* A second's calls at once, then as many as the rate allows; by a second connection it is no more. */
START_TEST(rate_of_calls)
{
	int first, second, root;

	if (geteuid() != 0)
		return;
	start("[connections]\ncalls-per-second = 100\n");
	first = client_new_as(&service, CLIENT_UID);
	second = client_new_as(&service, CLIENT_UID);
	root = client_new(&service);
	ck_assert_double_ge(time_of_calls(first, 200), 0.8);
	ck_assert_double_ge(time_of_calls(second, 100), 0.5);
	service_wait_log(&service, "client of uid 4001: its calls have to wait: more than 100 in a "
				   "second");
	/* Root has no rate: no message about it, and one that comes later is there. */
	time_of_calls(root, 300);
	client_send_text(first, "{\"method\":\"io.dune.Manager.Reload\"}");
	client_receive(first);
	service_wait_log(&service, "Reload");
	ck_assert(!file_has(service.log, "client of uid 0: its calls have to wait"));
	close(first);
	close(second);
	close(root);
	stop();
}
END_TEST

START_TEST(idle_clients)
{
	int idle, stream;
	double begin;

	start("[connections]\nidle = 1\n");
	begin = now();
	idle = client_new(&service);
	stream = client_new(&service);
	client_send_text(stream, "{\"method\":\"io.dune.Manager.Events\",\"more\":true}");
	client_receive(stream);
	client_expect_end(idle);
	ck_assert_double_ge(now() - begin, 0.9);
	service_wait_log(&service, "disconnected: no call for 1 seconds");
	ck_assert_int_eq(recv(stream, &begin, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(idle);
	close(stream);
	stop();
}
END_TEST

/* Contexts created and not taken: so many wait, the rest is not even created. */
START_TEST(descriptors_that_wait)
{
	static const char create[] = "{\"method\":\"io.dune.Manager.Create\"}";
	struct json_object *reply;
	int reader, size = 1, passed;
	size_t contexts;

	start("");
	reader = client_new(&service);
	ck_assert_int_eq(setsockopt(reader, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 60; i++)
		client_send(reader, create, sizeof(create));
	for (int i = 0; i < 60; i++) {
		ck_assert_ptr_nonnull(
			strstr(client_receive_fd(reader, &passed), "\"context_fd\":0"));
		ck_assert_int_ge(passed, 0);
		close(passed);
	}
	reply = client_call(reader, "io.dune.Manager.List", NULL, NULL);
	contexts = json_object_array_length(json_at(reply, "contexts"));
	json_object_put(reply);
	ck_assert_uint_eq(contexts, 0);
	close(reader);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_limits");
	TCase *tests = tcase_create("limits");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, streams);
	tcase_add_test(tests, rate_of_calls);
	tcase_add_test(tests, idle_clients);
	tcase_add_test(tests, descriptors_that_wait);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
