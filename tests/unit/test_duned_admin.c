// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The admin socket: how many connections it takes, and that neither socket ever had a wider mode than
 * it keeps. Needs root, to be several users.
 */
#include "duned/server.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define ADMINISTRATOR 4003
#define SUBORDINATE   100000 /* the same's */
#define INFO	      "{\"method\":\"org.varlink.service.GetInfo\"}"

static struct service service, admin;
static char subids[128];

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, "[access]\nadministrators = 4003 4004 4005 4006 100000\n");
	snprintf(subids, sizeof(subids), "%s/subuid", service.folder);
	file_write(subids, "4003:100000:1\n");
}

static void start(void)
{
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--subuid", subids, NULL);
	admin = service;
	strcat(admin.socket, ".admin");
	close(client_new(&service));
	close(client_new(&admin));
}

static void teardown(void)
{
	service_teardown(&service);
}

static void expect_answer(int fd)
{
	client_send_text(fd, INFO);
	ck_assert_ptr_nonnull(strstr(client_receive(fd), "\"vendor\""));
}

static void expect_refused(int fd, const char *limit, int maximum)
{
	char expected[160];

	snprintf(expected, sizeof(expected),
		 "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":{\"limit\":\"%s\","
		 "\"maximum\":%d,\"used\":%d}}",
		 limit, maximum, maximum);
	ck_assert_str_eq(client_receive(fd), expected);
	client_expect_end(fd);
	close(fd);
}

START_TEST(limits_of_connections)
{
	int fds[SERVER_ADMIN_MAX];

	start();
	ck_assert_int_eq(chmod(admin.socket, 0666), 0);
	for (int i = 0; i < SERVER_ADMIN_MAX; i++) {
		/* An administrator has its share, root all that is left. */
		if (i == SERVER_ADMIN_USER_MAX) {
			expect_refused(client_new_as(&admin, ADMINISTRATOR), "connections_per_user",
				       SERVER_ADMIN_USER_MAX);
			expect_refused(client_new_as(&admin, SUBORDINATE), "connections_per_user",
				       SERVER_ADMIN_USER_MAX);
		}
		if (i < SERVER_ADMIN_USER_MAX)
			fds[i] = client_new_as(&admin, i % 2 ? SUBORDINATE : ADMINISTRATOR);
		else
			fds[i] = client_new(&admin);
		expect_answer(fds[i]);
	}
	expect_refused(client_new(&admin), "connections", SERVER_ADMIN_MAX);
	/* Those of the other socket are counted apart. */
	close(client_new_as(&service, ADMINISTRATOR));
	close(fds[0]);
	usleep(200000);
	fds[0] = client_new(&admin);
	expect_answer(fds[0]);
	for (int i = 0; i < SERVER_ADMIN_MAX; i++)
		close(fds[i]);
}
END_TEST

/* However many administrators there are. */
START_TEST(some_are_kept_for_root)
{
	int fds[SERVER_ADMIN_MAX];

	start();
	ck_assert_int_eq(chmod(admin.socket, 0666), 0);
	for (int i = 0; i < SERVER_ADMIN_MAX - SERVER_ADMIN_ROOT; i++)
		fds[i] = client_new_as(&admin, ADMINISTRATOR + (uid_t)(i / SERVER_ADMIN_USER_MAX));
	expect_refused(client_new_as(&admin, ADMINISTRATOR + 3), "connections",
		       SERVER_ADMIN_MAX - SERVER_ADMIN_ROOT);
	for (int i = SERVER_ADMIN_MAX - SERVER_ADMIN_ROOT; i < SERVER_ADMIN_MAX; i++)
		fds[i] = client_new(&admin);
	expect_answer(fds[SERVER_ADMIN_MAX - 1]);
	expect_refused(client_new(&admin), "connections", SERVER_ADMIN_MAX);
	for (int i = 0; i < SERVER_ADMIN_MAX; i++)
		close(fds[i]);
}
END_TEST

/* tests/unit/gate_shim.c says which mode a socket has as soon as it is there. */
START_TEST(modes_from_the_beginning)
{
	preload("gate_shim.so");
	umask(0);
	start();
	unsetenv("LD_PRELOAD");
	ck_assert(file_has(service.log, "/socket is bound with mode 666\n"));
	ck_assert(file_has(service.log, "/socket.admin is bound with mode 600\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_admin");
	TCase *tests = tcase_create("admin");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	if (geteuid() != 0) {
		puts("SKIP duned_admin: needs root to be several users");
	} else {
		tcase_add_test(tests, limits_of_connections);
		tcase_add_test(tests, some_are_kept_for_root);
		tcase_add_test(tests, modes_from_the_beginning);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
