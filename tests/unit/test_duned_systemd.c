// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned as systemd starts it: a socket passed under a name, readiness, watchdog and the end told on the
 * notification socket.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define LISTEN_FD 3 /* the first that systemd passes */

static struct service service;
static int notify_fd;

static int socket_bound(int type, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void setup(void)
{
	struct timeval wait = { .tv_sec = SERVICE_WAIT_MS / 1000 };
	char path[96];

	service_setup(&service);
	file_write(service.config, "");
	snprintf(path, sizeof(path), "%s/notify", service.folder);
	notify_fd = socket_bound(SOCK_DGRAM, path);
	ck_assert_int_eq(setsockopt(notify_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
}

static void teardown(void)
{
	close(notify_fd);
	service_teardown(&service);
}

/* Starts duned with fd passed under these names, as many as there are. */
static void start_passed(int fd, const char *names, const char *watchdog_usec)
{
	char path[4096], number[16];

	snprintf(path, sizeof(path), "%s/duned/duned", build_folder());
	close(open(service.log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	service.pid = fork();
	ck_assert_int_ge(service.pid, 0);
	if (service.pid)
		return;
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", names, 1);
	if (watchdog_usec) {
		setenv("WATCHDOG_PID", number, 1);
		setenv("WATCHDOG_USEC", watchdog_usec, 1);
	}
	if (fd == LISTEN_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, LISTEN_FD) < 0)
		_exit(126);
	{
		char *arguments[] = { path,	  "--config",	  service.config,
				      "--device", "/nonexistent", NULL };

		service_exec(&service, path, arguments);
	}
}

static void expect_notification(const char *text)
{
	char message[256];
	ssize_t n = recv(notify_fd, message, sizeof(message) - 1, 0);

	ck_assert_msg(n > 0, "nothing, instead of %s", text);
	message[n] = '\0';
	ck_assert_str_eq(message, text);
}

START_TEST(takes_the_passed_socket)
{
	int fd = socket_bound(SOCK_STREAM, service.socket), client;
	struct stat status;

	ck_assert_int_eq(listen(fd, 8), 0);
	start_passed(fd, "varlink", NULL);
	close(fd);
	expect_notification("READY=1");
	client = client_new(&service);
	json_object_put(client_call(client, "org.varlink.service.GetInfo", NULL, NULL));
	close(client);
	ck_assert_int_eq(service_stop(&service), 0);
	expect_notification("STOPPING=1");
	/* systemd's socket is systemd's to remove. */
	ck_assert_int_eq(stat(service.socket, &status), 0);
}
END_TEST

START_TEST(feeds_the_watchdog)
{
	int fd = socket_bound(SOCK_STREAM, service.socket);

	ck_assert_int_eq(listen(fd, 8), 0);
	start_passed(fd, "varlink", "200000");
	close(fd);
	expect_notification("READY=1");
	for (int i = 0; i < 5; i++)
		expect_notification("WATCHDOG=1");
}
END_TEST

START_TEST(refuses_another_socket)
{
	int fd = socket_bound(SOCK_STREAM, service.socket);

	ck_assert_int_eq(listen(fd, 8), 0);
	start_passed(fd, "other", NULL);
	close(fd);
	ck_assert_int_eq(service_wait(&service), 1);
	ck_assert(file_has(service.log, "no listening stream socket named varlink"));
}
END_TEST

START_TEST(refuses_what_does_not_listen)
{
	int fd = socket_bound(SOCK_STREAM, service.socket);

	start_passed(fd, "varlink", NULL);
	close(fd);
	ck_assert_int_eq(service_wait(&service), 1);
	ck_assert(file_has(service.log, "no listening stream socket named varlink"));
}
END_TEST

START_TEST(says_when_it_is_ready_on_its_own_socket)
{
	service_spawn(&service, "duned/duned", "--socket", service.socket, "--config",
		      service.config, "--device", "/nonexistent", NULL);
	expect_notification("READY=1");
	close(client_try(&service));
	ck_assert_int_eq(service_stop(&service), 0);
	expect_notification("STOPPING=1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_systemd");
	TCase *tests = tcase_create("duned_systemd");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, takes_the_passed_socket);
	tcase_add_test(tests, feeds_the_watchdog);
	tcase_add_test(tests, refuses_another_socket);
	tcase_add_test(tests, refuses_what_does_not_listen);
	tcase_add_test(tests, says_when_it_is_ready_on_its_own_socket);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
