// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune-exporter as a process: what it answers, what it refuses, and that clients who are slow, many or
 * malicious keep nobody else from an answer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define LISTEN_FD  3
#define ANSWER_MAX (1 << 20)
#define HOLDERS	   120 /* more than the exporter has room for */

static struct service duned, exporter;
static struct sockaddr_in address;
static char listen_option[64], socket_option[128];

/* A port that was free a moment ago. */
static void choose_port(void)
{
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
}

static int http_try(void)
{
	struct timeval wait = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int http_connect(void)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		int fd = http_try();

		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	ck_abort_msg("nobody listens");
	return -1;
}

static void setup(void)
{
	service_setup(&duned);
	service_setup(&exporter);
	file_write(duned.config, "");
	service_spawn(&duned, "tests/unit/duned-fake", "--config", duned.config, "--socket",
		      duned.socket, "--device", "fake", NULL);
	close(client_new(&duned));
	choose_port();
	snprintf(listen_option, sizeof(listen_option), "--listen=127.0.0.1:%d",
		 ntohs(address.sin_port));
	snprintf(socket_option, sizeof(socket_option), "--socket=%s", duned.socket);
	service_spawn(&exporter, "duned/exporter/dune-exporter", listen_option, socket_option,
		      NULL);
	close(http_connect());
}

static void teardown(void)
{
	service_teardown(&exporter);
	service_teardown(&duned);
}

static void http_send(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* The answer until its end: the connection's, or the body's by its length. */
static const char *http_answer(int fd)
{
	static char answer[ANSWER_MAX];
	size_t size = 0;

	for (;;) {
		const char *body, *length;
		ssize_t n = recv(fd, answer + size, sizeof(answer) - 1 - size, 0);

		ck_assert_msg(n >= 0, "no answer: %s", strerror(errno));
		size += (size_t)n;
		answer[size] = '\0';
		body = strstr(answer, "\r\n\r\n");
		length = strstr(answer, "Content-Length: ");
		if (n == 0 ||
		    (body && length && length < body &&
		     size - (size_t)(body + 4 - answer) >= strtoul(length + 16, NULL, 10)))
			return answer;
	}
}

/* One request on a connection of its own. */
static const char *http_ask(const char *request)
{
	int fd = http_connect();
	const char *answer;

	http_send(fd, request);
	answer = http_answer(fd);
	close(fd);
	return answer;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void expect_part(const char *answer, const char *part)
{
	ck_assert_msg(strstr(answer, part) != NULL, "%s is not in\n%.2000s", part, answer);
}

static unsigned long metric(const char *text, const char *name)
{
	char line[128];
	const char *found;

	snprintf(line, sizeof(line), "\n%s ", name);
	found = strstr(text, line);
	ck_assert_msg(found != NULL, "no %s in\n%.4000s", name, text);
	return strtoul(found + strlen(line), NULL, 10);
}

static const struct {
	const char *request;
	const char *parts[4];
} answers[] = {
	{ GET("/metrics"),
	  { "HTTP/1.1 200 ", "\r\nContent-Type: text/plain; version=0.0.4", "\ndune_up 1\n" } },
	{ GET("/metrics?a=b"), { "HTTP/1.1 200 " } },
	{ GET("/api/history"),
	  { "HTTP/1.1 200 ", "\r\nContent-Type: application/json\r\n", "\"up\":true" } },
	{ GET("/-/healthy"), { "HTTP/1.1 200 " } },
	{ GET("/"),
	  { "HTTP/1.1 200 ", "script-src 'sha256-", "default-src 'none'", "<!doctype html>" } },
	{ GET("/"),
	  { "X-Content-Type-Options: nosniff", "frame-ancestors 'none'", "style-src 'sha256-" } },
	{ GET("/nothing"), { "HTTP/1.1 404 ", "nothing here" } },
	{ GET("/../etc/passwd"), { "HTTP/1.1 404 " } },
	{ GET("/metrics/"), { "HTTP/1.1 404 " } },
	{ GET("/%00"), { "HTTP/1.1 404 " } },
	{ GET("/%6detrics"), { "HTTP/1.1 404 " } },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
	  { "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n" } },
	{ "DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", { "HTTP/1.1 405 " } },
	{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", { "HTTP/1.1 405 " } },
	{ "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"0\"\r\n\r\n", { "HTTP/1.1 200 " } },
	{ "GET / HTTP/1.0\r\n\r\n", { " 200 " } },
	{ "GET / HTTP/1.1\r\n\r\n", { " 400 " } },
	{ "nonsense\r\n\r\n", { "" } },
};

START_TEST(answers_what_is_asked)
{
	const char *answer = http_ask(answers[_i].request);

	for (int i = 0; i < 4 && answers[_i].parts[i]; i++)
		expect_part(answer, answers[_i].parts[i]);
	expect_part(http_ask(GET("/-/healthy")), "the exporter runs");
}
END_TEST

START_TEST(head_and_not_modified_have_no_body)
{
	char request[256], etag[64];
	int fd = http_connect();
	ssize_t n;
	char answer[4096];

	http_send(fd, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	n = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
	ck_assert_int_gt(n, 4);
	answer[n] = '\0';
	expect_part(answer, " 200 ");
	ck_assert_str_eq(answer + n - 4, "\r\n\r\n");
	close(fd);
	ck_assert_int_eq(sscanf(strstr(http_ask(GET("/")), "ETag: "), "ETag: %63s", etag), 1);
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: %s\r\n\r\n",
		 etag);
	fd = http_connect();
	http_send(fd, request);
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	ck_assert_int_gt(n, 4);
	answer[n] = '\0';
	expect_part(answer, " 304 ");
	ck_assert_str_eq(answer + n - 4, "\r\n\r\n");
	close(fd);
}
END_TEST

START_TEST(a_connection_serves_many_requests)
{
	int fd = http_connect();

	for (int i = 0; i < 20; i++) {
		http_send(fd, GET("/metrics"));
		expect_part(http_answer(fd), "\ndune_up 1\n");
	}
	close(fd);
}
END_TEST

/* Headers beyond the limit are refused, and cost nobody else anything. */
START_TEST(headers_are_limited)
{
	static char request[100000];
	int fd = http_connect();
	size_t used = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: a\r\nX: ");

	memset(request + used, 'x', sizeof(request) - used - 1);
	send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	{
		char answer[256] = "";
		ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);

		ck_assert_msg(n <= 0 || !strncmp(answer, "HTTP/1.1 431 ", 13), "%s", answer);
	}
	close(fd);
	expect_part(http_ask(GET("/metrics")), "\ndune_up 1\n");
}
END_TEST

/* However many ask at once, duned is asked once a second. */
START_TEST(many_scrapers_cost_one_call)
{
	enum { SCRAPERS = 40 };
	unsigned long before =
		metric(http_ask(GET("/metrics")), "dune_exporter_collections_total{result=\"ok\"}");
	struct timespec start, end;
	unsigned long after;
	int fds[SCRAPERS];
	double took;

	sleep(2);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < SCRAPERS; i++) {
		fds[i] = http_connect();
		http_send(fds[i], GET("/metrics"));
	}
	for (int i = 0; i < SCRAPERS; i++) {
		expect_part(http_answer(fds[i]), "\ndune_up 1\n");
		close(fds[i]);
	}
	after = metric(http_ask(GET("/metrics")), "dune_exporter_collections_total{result=\"ok\"}");
	clock_gettime(CLOCK_MONOTONIC, &end);
	took = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	ck_assert_uint_gt(after, before);
	/* One more may have been the history's, which takes a sample every ten seconds. */
	ck_assert_msg(after - before <= 2 + (unsigned long)took, "%lu collections in %.1f s",
		      after - before, took);
}
END_TEST

/* Who holds all connections and says nothing has them taken away, oldest first. */
START_TEST(holders_are_evicted)
{
	int fds[HOLDERS];
	const char *text;

	for (int i = 0; i < HOLDERS; i++)
		fds[i] = http_connect();
	text = http_ask(GET("/metrics"));
	ck_assert_uint_ge(metric(text, "dune_exporter_connections_evicted_total"), HOLDERS - 64);
	ck_assert_uint_le(metric(text, "dune_exporter_connections"), 64);
	client_expect_end(fds[0]);
	for (int i = 0; i < HOLDERS; i++)
		close(fds[i]);
	sleep(1);
	text = http_ask(GET("/metrics"));
	ck_assert_uint_le(metric(text, "dune_exporter_connections"), 2);
}
END_TEST

/* A byte a second is no way to ask: the connection ends after its ten seconds. */
START_TEST(slow_requests_end)
{
	static const char slow[] =
		"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaaa";
	int fd = http_connect(), seconds = 0;
	char byte;

	while (seconds < 20 && send(fd, slow + seconds, 1, MSG_NOSIGNAL) == 1 &&
	       recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) {
		sleep(1);
		seconds++;
	}
	ck_assert_msg(seconds >= 9 && seconds <= 14, "ended after %d s", seconds);
	close(fd);
	expect_part(http_ask(GET("/metrics")), "\ndune_up 1\n");
}
END_TEST

/* The same for who asks and does not read. */
START_TEST(who_does_not_read_ends)
{
	int fd = http_connect(), small = 1, sent = 0;
	static char requests[64 * 1024];
	size_t used = 0;
	char byte;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	while (used + sizeof(GET("/")) < sizeof(requests))
		used += (size_t)sprintf(requests + used, GET("/"));
	while (sent < 200 && send(fd, requests, used, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		sent++;
	for (int i = 0; i < 15; i++) {
		sleep(1);
		expect_part(http_ask(GET("/-/healthy")), "the exporter runs");
	}
	ck_assert_uint_ge(
		metric(http_ask(GET("/metrics")), "dune_exporter_connections_evicted_total"), 1);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
	ck_assert_msg(errno != EAGAIN, "the connection is still there");
	close(fd);
}
END_TEST

START_TEST(stops_while_somebody_waits)
{
	int fd = http_connect();

	ck_assert_int_eq(kill(duned.pid, SIGSTOP), 0);
	sleep(2);
	http_send(fd, GET("/metrics"));
	usleep(200000);
	ck_assert_int_eq(service_stop(&exporter), 0);
	client_expect_end(fd);
	close(fd);
	ck_assert_int_eq(kill(duned.pid, SIGCONT), 0);
}
END_TEST

/* ---- options and systemd ---- */

static const struct {
	const char *options[2];
	int status;
	const char *said;
} bad_options[] = {
	{ { "--listen=localhost:80" }, 1, "neither IPv4" },
	{ { "--listen=192.0.2.1:80" }, 1, "192.0.2.1:80: Cannot assign" },
	{ { "--per-user=0" }, 2, "from 1 to 256" },
	{ { "--per-user=257" }, 2, "from 1 to 256" },
	{ { "--per-user=x" }, 2, "from 1 to 256" },
	{ { "--textfile=/nonexistent/a" }, 1, "/nonexistent/a: No such file" },
	{ { "--textfile=/tmp/a", "--listen=127.0.0.1:1" }, 2, "exclude each other" },
	{ { "more" }, 2, "unexpected argument more" },
	{ { "--nothing" }, 2, "Try 'dune-exporter --help'" },
	{ { "--version" }, 0, "dune-exporter " },
	{ { "--help" }, 0, "--per-user=N" },
};

START_TEST(options_are_checked)
{
	struct service other;

	service_setup(&other);
	service_spawn(&other, "duned/exporter/dune-exporter", bad_options[_i].options[0],
		      bad_options[_i].options[1], NULL);
	ck_assert_int_eq(service_wait(&other), bad_options[_i].status);
	ck_assert(file_has(other.log, bad_options[_i].said));
	service_teardown(&other);
}
END_TEST

/* Starts the exporter with a listening socket passed under this name. */
static void start_passed(struct service *service, const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[4096], number[16];

	choose_port();
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	snprintf(path, sizeof(path), "%s/duned/exporter/dune-exporter", build_folder());
	service->pid = fork();
	ck_assert_int_ge(service->pid, 0);
	if (!service->pid) {
		char *arguments[] = { path, socket_option, NULL };

		snprintf(number, sizeof(number), "%d", getpid());
		setenv("LISTEN_PID", number, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", name, 1);
		setenv("WATCHDOG_PID", number, 1);
		setenv("WATCHDOG_USEC", "200000", 1);
		if (fd == LISTEN_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, LISTEN_FD) < 0)
			_exit(126);
		service_exec(service, path, arguments);
	}
	close(fd);
}

static void expect_notification(int fd, const char *text)
{
	char message[256];
	ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

	ck_assert_msg(n > 0, "nothing, instead of %s", text);
	message[n] = '\0';
	ck_assert_str_eq(message, text);
}

START_TEST(takes_the_passed_socket)
{
	struct sockaddr_un notify = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = SERVICE_WAIT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct service other;

	service_setup(&other);
	snprintf(notify.sun_path, sizeof(notify.sun_path), "%s/notify", other.folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&notify, sizeof(notify)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	setenv("NOTIFY_SOCKET", notify.sun_path, 1);
	start_passed(&other, "http");
	expect_notification(fd, "READY=1");
	expect_part(http_ask(GET("/metrics")), "\ndune_up 1\n");
	for (int i = 0; i < 3; i++)
		expect_notification(fd, "WATCHDOG=1");
	ck_assert_int_eq(service_stop(&other), 0);
	unsetenv("NOTIFY_SOCKET");
	service_teardown(&other);
	close(fd);
}
END_TEST

START_TEST(refuses_another_socket)
{
	struct service other;

	service_setup(&other);
	start_passed(&other, "varlink");
	ck_assert_int_eq(service_wait(&other), 1);
	ck_assert(file_has(other.log, "no listening stream socket named http"));
	service_teardown(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exporter_http");
	TCase *tests = tcase_create("exporter_http");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, answers_what_is_asked, 0, NR_ROWS(answers));
	tcase_add_test(tests, head_and_not_modified_have_no_body);
	tcase_add_test(tests, a_connection_serves_many_requests);
	tcase_add_test(tests, headers_are_limited);
	tcase_add_test(tests, many_scrapers_cost_one_call);
	tcase_add_test(tests, holders_are_evicted);
	tcase_add_test(tests, slow_requests_end);
	tcase_add_test(tests, who_does_not_read_ends);
	tcase_add_test(tests, stops_while_somebody_waits);
	tcase_add_loop_test(tests, options_are_checked, 0, NR_ROWS(bad_options));
	tcase_add_test(tests, takes_the_passed_socket);
	tcase_add_test(tests, refuses_another_socket);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
