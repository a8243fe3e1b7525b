// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One uid floods the public socket with 1,000 connections and pipelined calls on each: the admin socket
 * goes on answering, and another uid keeps its share. Figures are printed; what is asserted is wide enough
 * for a machine that is busy with other things. Needs root, to be several uids.
 */
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define FLOODER_UID  4001
#define OTHER_UID    4002
#define CONNECTIONS  1000
#define PIPELINED    16
#define CALLS	     100
#define ADMIN_P99_MS 1000.0
#define OTHER_P99_MS 2000.0
#define INFO	     "{\"method\":\"io.dune.Manager.Info\"}"

static struct service service, admin;
static pid_t flooder;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

struct figures {
	double median_ms, p99_ms, worst_ms;
};

/* Calls one after the other; `again`: each on a connection of its own. */
static struct figures measure(const struct service *to, uid_t uid, bool again)
{
	static double times[CALLS];
	int fd = client_new_as(to, uid);

	for (int i = 0; i < CALLS; i++) {
		double start = now_ms();

		if (again) {
			close(fd);
			fd = client_new_as(to, uid);
		}
		client_send_text(fd, INFO);
		ck_assert_ptr_nonnull(strstr(client_receive(fd), "\"module\""));
		times[i] = now_ms() - start;
	}
	close(fd);
	qsort(times, CALLS, sizeof(times[0]), compare);
	return (struct figures){ times[CALLS / 2], times[CALLS * 99 / 100], times[CALLS - 1] };
}

static void print(const char *what, struct figures figures)
{
	printf("flood: %-34s median %7.3f ms, p99 %7.3f ms, worst %7.3f ms\n", what,
	       figures.median_ms, figures.p99_ms, figures.worst_ms);
}

static void flood(int ready)
{
	static char calls[PIPELINED * sizeof(INFO)], bytes[1 << 16];
	static int fds[CONNECTIONS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < PIPELINED; i++)
		memcpy(calls + i * sizeof(INFO), INFO, sizeof(INFO));
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = client_new_as(&service, FLOODER_UID);
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		for (int i = 0; i < CONNECTIONS; i++) {
			/* Cut anywhere when the socket is full: then the rest is nonsense and ends it. */
			if (recv(fds[i], bytes, sizeof(bytes), 0) > 0 || errno == EAGAIN)
				send(fds[i], calls, sizeof(calls), MSG_NOSIGNAL);
			while (recv(fds[i], bytes, sizeof(bytes), 0) > 0)
				;
		}
	}
}

static void setup(void)
{
	struct rlimit files = { 4096, 4096 };
	int ready[2];
	char byte;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	service_setup(&service);
	file_write(service.config, "[connections]\nper-user = 1000\nper-host = 2000\n");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	admin = service;
	strcat(admin.socket, ".admin");
	close(client_new(&service));
	print("quiet, public socket", measure(&service, OTHER_UID, false));
	ck_assert_int_eq(pipe(ready), 0);
	flooder = fork();
	ck_assert_int_ge(flooder, 0);
	if (!flooder)
		flood(ready[1]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void teardown(void)
{
	kill(flooder, SIGKILL);
	waitpid(flooder, NULL, 0);
	service_teardown(&service);
}

START_TEST(under_flood)
{
	struct figures figures;
	int fd;

	usleep(300000);
	figures = measure(&admin, 0, false);
	print("flooded, admin socket", figures);
	ck_assert_double_lt(figures.p99_ms, ADMIN_P99_MS);
	figures = measure(&admin, 0, true);
	print("flooded, admin socket, new each", figures);
	ck_assert_double_lt(figures.p99_ms, ADMIN_P99_MS);
	figures = measure(&service, OTHER_UID, false);
	print("flooded, public socket, other uid", figures);
	ck_assert_double_lt(figures.p99_ms, OTHER_P99_MS);
	/* The flooder is at its limit, and is told so. */
	fd = client_new_as(&service, FLOODER_UID);
	ck_assert_ptr_nonnull(strstr(client_receive(fd), "\"limit\":\"connections_per_user\""));
	client_expect_end(fd);
	close(fd);
	ck_assert_int_eq(waitpid(flooder, NULL, WNOHANG), 0);
}
END_TEST

/* Nobody but root and administrators gets in by the admin socket, whatever its mode were. */
START_TEST(strangers_at_the_admin_socket)
{
	struct stat status;
	int fd;

	ck_assert_int_eq(stat(admin.socket, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(chmod(admin.socket, 0666), 0);
	fd = client_new_as(&admin, OTHER_UID);
	ck_assert_str_eq(client_receive(fd), "{\"error\":\"org.varlink.service.PermissionDenied\","
					     "\"parameters\":{}}");
	client_expect_end(fd);
	close(fd);
	service_wait_log(&service, "client of uid 4002: refused: no administrator (pid ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_flood");
	TCase *tests = tcase_create("flood");

	if (geteuid() != 0) {
		printf("flood: SKIP: needs root\n");
		return EXIT_SUCCESS;
	}
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, under_flood);
	tcase_add_test(tests, strangers_at_the_admin_socket);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
