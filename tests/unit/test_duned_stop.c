// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the service does with its clients when it is told to stop: calls that have arrived are answered, a
 * client that has just connected may still call, and nobody keeps the service from ending.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#include <signal.h>
#include <time.h>

#define GET_INFO "{\"method\":\"org.varlink.service.GetInfo\"}"

static struct service service;

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, "");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	close(client_new(&service));
}

static void teardown(void)
{
	service_teardown(&service);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A client that the service has accepted. */
static int client_known(void)
{
	int fd = client_new(&service);

	json_object_put(client_call(fd, "org.varlink.service.GetInfo", NULL, NULL));
	return fd;
}

/* The service finds the signal and what clients sent meanwhile together. */
static void stop_after(void (*act)(int fd), int fd)
{
	ck_assert_int_eq(kill(service.pid, SIGSTOP), 0);
	act(fd);
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	ck_assert_int_eq(kill(service.pid, SIGCONT), 0);
}

static void call_three_times(int fd)
{
	for (int i = 0; i < 3; i++)
		client_send(fd, GET_INFO, sizeof(GET_INFO));
}

START_TEST(answers_what_has_arrived)
{
	int fd = client_known();

	stop_after(call_three_times, fd);
	for (int i = 0; i < 3; i++)
		json_object_put(client_expect(fd, NULL, false, NULL));
	client_expect_end(fd);
	ck_assert_int_eq(service_wait(&service), 0);
	close(fd);
}
END_TEST

START_TEST(a_new_client_may_still_call)
{
	struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
	int fd = client_new(&service), known = client_known();

	/* Accepted before the other, which was answered, but without a call so far */
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	service_wait_log(&service, "stopping");
	nanosleep(&moment, NULL);
	client_send(fd, GET_INFO, sizeof(GET_INFO));
	json_object_put(client_expect(fd, NULL, false, NULL));
	client_expect_end(fd);
	client_expect_end(known);
	ck_assert_int_eq(service_wait(&service), 0);
	close(known);
	close(fd);
}
END_TEST

START_TEST(idle_clients_do_not_delay)
{
	int fd = client_known();
	double begin = now();

	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	client_expect_end(fd);
	ck_assert_int_eq(service_wait(&service), 0);
	/* Far below the limit of two seconds, also on a busy machine */
	ck_assert_double_lt(now() - begin, 1.5);
	close(fd);
}
END_TEST

static void send_half(int fd)
{
	client_send(fd, GET_INFO, 10);
}

START_TEST(an_unfinished_message_does_not_hold_it)
{
	int fd = client_known();
	double begin = now();

	stop_after(send_half, fd);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert_double_ge(now() - begin, 1.0);
	ck_assert_double_lt(now() - begin, 10.0);
	client_expect_end(fd);
	close(fd);
}
END_TEST

START_TEST(a_second_signal_ends_at_once)
{
	int fd = client_known();
	double begin = now();

	stop_after(send_half, fd);
	service_wait_log(&service, "stopping");
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert_double_lt(now() - begin, 1.9);
	close(fd);
}
END_TEST

START_TEST(a_stream_does_not_hold_it)
{
	int fd = client_known();

	client_send_call(fd, "io.dune.Manager.Stats", "{\"interval_ms\":1000}", VARLINK_MORE);
	json_object_put(client_expect(fd, NULL, true, NULL));
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	ck_assert_int_eq(service_wait(&service), 0);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_stop");
	TCase *tests = tcase_create("duned_stop");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, answers_what_has_arrived);
	tcase_add_test(tests, a_new_client_may_still_call);
	tcase_add_test(tests, idle_clients_do_not_delay);
	tcase_add_test(tests, an_unfinished_message_does_not_hold_it);
	tcase_add_test(tests, a_second_signal_ends_at_once);
	tcase_add_test(tests, a_stream_does_not_hold_it);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
