// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Clients that keep duned waiting: one that drips a message, one that does not read, and beside them ones
 * that are merely idle or slow and must be left alone. All at once, as the waits are real.
 */
#include <time.h>

#include "duned/connection.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define INFO	 "{\"method\":\"org.varlink.service.GetInfo\"}"
#define MARGIN_S 4.0 /* of a loaded machine */

static struct service service;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Has the service closed this connection? Reads nothing. */
static bool hung_up(int fd)
{
	struct pollfd poller = { .fd = fd };

	return poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLERR);
}

static void fill(int fd)
{
	struct timeval wait = { .tv_usec = 300000 };

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
	while (send(fd, INFO, sizeof(INFO), MSG_NOSIGNAL) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(those_who_keep_it_waiting)
{
	double start, dripper_end = 0, sleeper_end = 0, next_drip = 0;
	int dripper, sleeper, idle, pipeliner;

	service_setup(&service);
	file_write(service.config, "");
	service_spawn(&service, "duned/duned", "--socket", service.socket, "--config",
		      service.config, "--device", "/nonexistent", NULL);
	idle = client_new(&service);
	sleeper = client_new(&service);
	pipeliner = client_new(&service);
	dripper = client_new(&service);
	fill(sleeper);
	start = now();
	client_send(pipeliner, INFO, 5);
	while (now() - start < CONNECTION_OUTPUT_S + MARGIN_S && !(dripper_end && sleeper_end)) {
		if (!dripper_end && hung_up(dripper))
			dripper_end = now() - start;
		if (!sleeper_end && hung_up(sleeper))
			sleeper_end = now() - start;
		if (now() >= next_drip) {
			/* Every byte comes in time, the message never does. */
			if (send(dripper, "{", 1, MSG_NOSIGNAL) < 0 && !dripper_end)
				dripper_end = now() - start;
			/* Always in the middle of a message, but of another one each time. */
			client_send(pipeliner, INFO + 5, sizeof(INFO) - 5);
			client_send(pipeliner, INFO, 5);
			client_receive(pipeliner);
			next_drip = now() + 1;
		}
		usleep(20000);
	}
	ck_assert(dripper_end > CONNECTION_INPUT_S - 1 &&
		  dripper_end < CONNECTION_INPUT_S + MARGIN_S);
	ck_assert(sleeper_end > CONNECTION_OUTPUT_S - 2 &&
		  sleeper_end < CONNECTION_OUTPUT_S + MARGIN_S);
	ck_assert(file_has(service.log, "disconnected: unfinished message"));
	ck_assert(file_has(service.log, "disconnected: it does not read"));
	ck_assert(!hung_up(pipeliner));
	client_send_text(idle, INFO);
	client_receive(idle);
	close(dripper);
	close(sleeper);
	close(pipeliner);
	close(idle);
	service_teardown(&service);
}
END_TEST

/* ---- a wall clock that is set ---- */

static char clock_file[128]; /* see clock_shim.c */

static void start_with_clock(void)
{
	service_setup(&service);
	file_write(service.config, "[connections]\nidle = 6\n");
	snprintf(clock_file, sizeof(clock_file), "%s/clock", service.folder);
	preload("clock_shim.so");
	ck_assert_int_eq(setenv("CLOCK", clock_file, 1), 0);
	service_spawn(&service, "duned/duned", "--socket", service.socket, "--config",
		      service.config, "--device", "/nonexistent", NULL);
	unsetenv("LD_PRELOAD");
}

static void call_info(int fd)
{
	client_send_text(fd, INFO);
	client_receive(fd);
}

START_TEST(an_hour_forward)
{
	double begin = now();
	int fd;

	start_with_clock();
	fd = client_new(&service);
	sleep(4);
	call_info(fd);
	file_write(clock_file, "3600");
	/* Past the look at six seconds, in which only two were idle. */
	while (now() - begin < 8.0) {
		ck_assert(!hung_up(fd));
		usleep(50000);
	}
	while (!hung_up(fd)) {
		ck_assert_double_lt(now() - begin, 10 + MARGIN_S);
		usleep(50000);
	}
	ck_assert_double_gt(now() - begin, 9.5);
	close(fd);
	service_teardown(&service);
}
END_TEST

START_TEST(an_hour_back_at_the_end)
{
	double begin;
	int fd, known;

	start_with_clock();
	fd = client_new(&service);
	known = client_new(&service);
	call_info(known);
	begin = now();
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	service_wait_log(&service, "stopping");
	file_write(clock_file, "-3600");
	/* One that has connected and does not call is waited for. */
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert_double_lt(now() - begin, MARGIN_S);
	close(fd);
	close(known);
	service_teardown(&service);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_timeouts");
	TCase *tests = tcase_create("duned_timeouts");

	tcase_set_timeout(tests, 90);
	tcase_add_test(tests, those_who_keep_it_waiting);
	tcase_add_test(tests, an_hour_forward);
	tcase_add_test(tests, an_hour_back_at_the_end);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
