// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The real duned without a device: what it says about itself, and what clients that misbehave get. What
 * it does with contexts stands in test_duned_contexts.c.
 */

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define INFO "{\"method\":\"org.varlink.service.GetInfo\"}"
#define INFO_REPLY                                                                       \
	"{\"parameters\":{\"interfaces\":[\"io.dune.Manager\",\"org.varlink.service\"]," \
	"\"vendor\":\"Dune\",\"product\":\"duned\",\"version\":\"" DUNE_VERSION "\","    \
	"\"url\":\"file:///usr/share/doc/dune/README.md\"}}"
#define NOT_LOADED                                        \
	"{\"error\":\"io.dune.Manager.ModuleNotLoaded\"," \
	"\"parameters\":{\"reason\":\"ENOENT\"}}"

static struct service service;

static void start(const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "duned/duned", "--socket", service.socket, "--config",
		      service.config, "--device", "/nonexistent/dune", "--debug", NULL);
}

static void setup_stopped(void)
{
	service_setup(&service);
}

static void setup(void)
{
	setup_stopped();
	start("");
}

static void teardown(void)
{
	service_teardown(&service);
}

/* The service still answers a new client, and holds only so many descriptors. */
static void expect_healthy(int fds)
{
	int fd = client_new(&service);

	client_send_text(fd, INFO);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
	service_expect_fds(&service, fds);
}

static const struct {
	const char *method, *parameters, *reply;
} plain[] = {
	{ "org.varlink.service.GetInfo", NULL, INFO_REPLY },
	{ "org.varlink.service.GetInfo", "{\"x\":1}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"x\"}}" },
	{ "org.varlink.service.GetInterfaceDescription", "{\"interface\":\"a.b\"}",
	  "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}" },
	{ "org.varlink.service.GetInterfaceDescription", NULL,
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interface\"}}" },
	{ "org.varlink.service.GetInterfaceDescription", "{\"interface\":7}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interface\"}}" },
	{ "io.dune.Manager.Nonsense", NULL,
	  "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.dune.Manager.Nonsense\"}}" },
	{ "List", NULL,
	  "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"List\"}}" },
	{ "io.dune.Manager.List", NULL, NOT_LOADED },
	{ "io.dune.Manager.List", "{}", NOT_LOADED },
	{ "io.dune.Manager.Create", NULL, NOT_LOADED },
	{ "io.dune.Manager.Inspect", "{\"id\":1}", NOT_LOADED },
	{ "io.dune.Manager.Stats", NULL, NOT_LOADED },
	{ "io.dune.Manager.Kill", "{\"name\":\"a\",\"id\":null}", NOT_LOADED },
	{ "io.dune.Manager.List", "{\"all\":true}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"all\"}}" },
	{ "io.dune.Manager.Kill", "{\"id\":\"1\"}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"id\"}}" },
	{ "io.dune.Manager.Kill", "{\"id\":1.0}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"id\"}}" },
	{ "io.dune.Manager.Stats", "{\"interval_ms\":99}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interval_ms\"}}" },
	{ "io.dune.Manager.Stats", "{\"interval_ms\":3600001}",
	  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interval_ms\"}}" },
	{ "io.dune.Manager.Create", "{\"name\":\"a b\"}",
	  "{\"error\":\"io.dune.Manager.InvalidName\",\"parameters\":{}}" },
	{ "io.dune.Manager.Create", "{\"name\":\"\\u00e9\"}",
	  "{\"error\":\"io.dune.Manager.InvalidName\",\"parameters\":{}}" },
	{ "io.dune.Manager.Create",
	  "{\"name\":\"1234567890123456789012345678901234567890123456789012345678901234\"}",
	  "{\"error\":\"io.dune.Manager.InvalidName\",\"parameters\":{}}" },
};

START_TEST(answers)
{
	int fd = client_new(&service);

	client_check(fd, plain[_i].method, plain[_i].parameters, plain[_i].reply);
	close(fd);
}
END_TEST

START_TEST(describes_its_interfaces)
{
	int fd = client_new(&service);
	struct json_object *parameters = client_call(fd,
						     "org.varlink.service.GetInterfaceDescription",
						     "{\"interface\":\"io.dune.Manager\"}", NULL);
	char text[65536];
	size_t size;
	FILE *file = fopen("proto/io.dune.Manager.varlink", "re");

	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	fclose(file);
	ck_assert_str_eq(json_text_at(parameters, "description"), text);
	json_object_put(parameters);
	close(fd);
}
END_TEST

START_TEST(info_without_the_module)
{
	int fd = client_new(&service);
	struct json_object *parameters = client_call(fd, "io.dune.Manager.Info", NULL, NULL);

	ck_assert_str_eq(json_text_at(parameters, "version"), DUNE_VERSION);
	ck_assert_str_eq(json_text_at(parameters, "module.problem"), "ENOENT");
	ck_assert(!json_object_get_boolean(json_at(parameters, "module.loaded")));
	ck_assert_int_eq(json_int_at(parameters, "quotas.contexts_per_user"), 64);
	json_object_put(parameters);
	close(fd);
}
END_TEST

/* Messages that end the connection without an answer. */
static const char *const fatal[] = {
	"",
	" ",
	"x",
	"null",
	"[]",
	"1",
	"\"a\"",
	"{}",
	"{\"method\":1}",
	"{\"method\":null}",
	"{\"method\":\"\"}",
	"{\"parameters\":{}}",
	INFO INFO,
	"{\"method\":\"a\",\"method\":\"b\"}",
	"{\"method\":\"a.B\",\"parameters\":[]}",
	"{\"method\":\"a.B\",\"parameters\":1}",
	"{\"method\":\"a.B\",\"more\":1}",
	"{\"method\":\"a.B\",\"more\":null}",
	"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
	"{\"method\":\"a.B\",\"upgrade\":true}",
	"{\"method\":\"a.B\",\"unknown\":1}",
	"{\"method\":\"a\\u0000b\"}",
	"{\"method\":\"\xff\"}",
	"{\"method\":\"a.B\",\"parameters\":{\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}}",
	"{'method':'a.B'}",
	"{\"method\":\"a.B\",}",
	"{\"method\":\"a.B\",\"parameters\":{\"x\":NaN}}",
};

START_TEST(ends_the_connection)
{
	int fds = service_idle_fds(&service), fd = client_new(&service);

	client_send_text(fd, INFO);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	client_send_text(fd, fatal[_i]);
	client_expect_end(fd);
	close(fd);
	expect_healthy(fds);
}
END_TEST

/* Flags that are false, vendor headers and null parameters are nothing special. */
static const char *const tolerated[] = {
	"{\"method\":\"org.varlink.service.GetInfo\",\"more\":false,\"oneway\":false}",
	"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":null}",
	"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{},\"com.example.x\":[1.5]}",
	"{\"method\":\"org.varlink.service.GetInfo\",\"more\":true}",
	" \r\n\t" INFO " ",
};

START_TEST(tolerates)
{
	int fd = client_new(&service);

	client_send_text(fd, tolerated[_i]);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
}
END_TEST

START_TEST(takes_a_call_in_single_bytes)
{
	int fd = client_new(&service);

	for (size_t i = 0; i <= strlen(INFO); i++) {
		client_send(fd, INFO + i, 1);
		if (i % 8 == 0)
			usleep(1000);
	}
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
}
END_TEST

/* A message of exactly so many bytes, the NUL included. */
static char *sized_message(size_t size)
{
	static const char head[] = "{\"method\":\"a.B\",\"x.y\":\"", tail[] = "\"}";
	char *message = malloc(size);

	memset(message, 'a', size);
	memcpy(message, head, strlen(head));
	memcpy(message + size - sizeof(tail), tail, sizeof(tail));
	return message;
}

START_TEST(takes_the_largest_message_and_no_larger)
{
	int fds = service_idle_fds(&service), fd = client_new(&service);
	char *message = sized_message(VARLINK_MAX_CALL);

	client_send(fd, message, VARLINK_MAX_CALL);
	ck_assert_ptr_nonnull(strstr(client_receive(fd), "MethodNotFound"));
	free(message);
	message = sized_message(VARLINK_MAX_CALL + 1);
	client_send(fd, message, VARLINK_MAX_CALL + 1);
	client_expect_end(fd);
	free(message);
	close(fd);
	/* One that never ends */
	fd = client_new(&service);
	for (int i = 0; i < 1000; i++) {
		static char block[4096] = { [0 ... 4095] = 'x' };

		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			break;
	}
	client_expect_end(fd);
	close(fd);
	expect_healthy(fds);
}
END_TEST

START_TEST(answers_pipelined_calls_in_order)
{
	enum { CALLS = 3000 };
	char call[128], expected[160];
	int fd = client_new(&service);
	pid_t writer = fork();

	ck_assert_int_ge(writer, 0);
	for (int i = 0; !writer && i < CALLS; i++) {
		snprintf(call, sizeof(call), "{\"method\":\"a.M%d\"}", i);
		client_send_text(fd, call);
	}
	if (!writer)
		_exit(0);
	for (int i = 0; i < CALLS; i++) {
		snprintf(expected, sizeof(expected),
			 "{\"error\":\"org.varlink.service.MethodNotFound\","
			 "\"parameters\":{\"method\":\"a.M%d\"}}",
			 i);
		ck_assert_str_eq(client_receive(fd), expected);
	}
	ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
	close(fd);
}
END_TEST

/* A client that sends and never reads is stopped by its own full socket, and costs bounded memory. */
START_TEST(bounds_what_waits_for_a_client)
{
	int fd = client_new(&service), other = client_new(&service);
	struct timeval wait = { .tv_usec = 500000 };
	size_t sent = 0;
	ssize_t n;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
	while ((n = send(fd, INFO, sizeof(INFO), MSG_NOSIGNAL)) > 0) {
		sent += (size_t)n;
		ck_assert_uint_lt(sent, 8 << 20);
	}
	ck_assert_int_eq(errno, EAGAIN);
	client_send_text(other, INFO);
	ck_assert_str_eq(client_receive(other), INFO_REPLY);
	/* What was sent whole is answered once the client reads. */
	for (size_t i = 0; i < sent / sizeof(INFO); i++)
		ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
	close(other);
}
END_TEST

START_TEST(answers_after_half_close)
{
	int fds = service_idle_fds(&service), fd = client_new(&service);

	client_send_text(fd, INFO);
	client_send_text(fd, INFO);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	client_expect_end(fd);
	close(fd);
	/* With half a message behind it */
	fd = client_new(&service);
	client_send_text(fd, INFO);
	client_send(fd, INFO, 5);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	client_expect_end(fd);
	close(fd);
	expect_healthy(fds);
}
END_TEST

START_TEST(oneway_gets_no_reply)
{
	int idle = service_idle_fds(&service), fd = client_new(&service);

	client_send_call(fd, "org.varlink.service.GetInfo", NULL, VARLINK_ONEWAY);
	client_send_call(fd, "io.dune.Manager.Nonsense", NULL, VARLINK_ONEWAY);
	client_send_call(fd, "io.dune.Manager.Create", NULL, VARLINK_ONEWAY);
	client_send_text(fd, INFO);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
	/* And a client that leaves at once harms nobody. */
	for (int i = 0; i < 100; i++) {
		fd = client_new(&service);
		client_send_call(fd, "org.varlink.service.GetInfo", NULL,
				 i % 2 ? VARLINK_ONEWAY : 0);
		close(fd);
	}
	expect_healthy(idle);
}
END_TEST

START_TEST(limits_connections_of_a_user)
{
	int fds[5];

	start("[connections]\nper-user = 4\n");
	for (int i = 0; i < 4; i++) {
		fds[i] = client_new(&service);
		client_send_text(fds[i], INFO);
		ck_assert_str_eq(client_receive(fds[i]), INFO_REPLY);
	}
	fds[4] = client_new(&service);
	ck_assert_str_eq(client_receive(fds[4]),
			 "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":"
			 "{\"limit\":\"connections_per_user\",\"maximum\":4,\"used\":4}}");
	client_expect_end(fds[4]);
	close(fds[4]);
	/* Those that are connected go on, and a place that is left is taken again. */
	client_send_text(fds[3], INFO);
	ck_assert_str_eq(client_receive(fds[3]), INFO_REPLY);
	ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
	client_expect_end(fds[0]);
	close(fds[0]);
	expect_healthy(service_count_fds(&service));
	for (int i = 1; i < 4; i++)
		close(fds[i]);
}
END_TEST

/* Clock ticks that the service and the kernel for it used. */
static unsigned long service_ticks(void)
{
	char path[64], line[512];
	unsigned long user, system;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", service.pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	fclose(file);
	ck_assert_int_eq(sscanf(strrchr(line, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	return user + system;
}

/* Out of descriptors: those who came late wait, the service rests, and goes on when there are some. */
START_TEST(survives_without_descriptors)
{
	enum { CLIENTS = 60, FILES = 24 };
	struct pollfd poller = { .events = POLLIN };
	struct rlimit few = { FILES, FILES };
	int fds[CLIENTS], idle = service_idle_fds(&service), answered = 0;
	unsigned long ticks;

	ck_assert_int_eq(prlimit(service.pid, RLIMIT_NOFILE, &few, NULL), 0);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = client_new(&service);
		client_send_text(fds[i], INFO);
	}
	service_wait_log(&service, "clients have to wait: Too many open files");
	ticks = service_ticks();
	usleep(600000);
	ck_assert_uint_lt(service_ticks() - ticks, 10);
	for (int i = 0; i < CLIENTS; i++) {
		poller.fd = fds[i];
		answered += poll(&poller, 1, 0) == 1;
	}
	ck_assert_int_gt(answered, 0);
	ck_assert_int_lt(answered, FILES);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	expect_healthy(idle);
}
END_TEST

START_TEST(fits_connections_to_descriptors)
{
	service.max_files = 100;
	start("");
	service_wait_log(&service, "connections per-host cut from 1024 to 36");
	expect_healthy(service_idle_fds(&service));
}
END_TEST

START_TEST(ends_cleanly)
{
	int idle = client_new(&service), busy = client_new(&service);
	struct stat status;

	client_send(busy, INFO, 10);
	client_send_text(idle, INFO);
	client_receive(idle);
	ck_assert_int_eq(stat(service.socket, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0666);
	ck_assert_int_eq(service_stop(&service), 0);
	client_expect_end(idle);
	client_expect_end(busy);
	ck_assert_int_eq(stat(service.socket, &status), -1);
	close(idle);
	close(busy);
}
END_TEST

START_TEST(one_service_for_a_socket)
{
	struct service second = service;
	int fd = client_new(&service);

	service_spawn(&second, "duned/duned", "--socket", service.socket, NULL);
	ck_assert_int_eq(service_wait(&second), 1);
	ck_assert(file_has(service.log, "a service listens there already"));
	client_send_text(fd, INFO);
	ck_assert_str_eq(client_receive(fd), INFO_REPLY);
	close(fd);
	/* A socket that a killed service left is taken over. */
	kill(service.pid, SIGKILL);
	ck_assert_int_eq(service_wait(&service), 128 + SIGKILL);
	start("");
	expect_healthy(service_idle_fds(&service));
	/* Anything else there is left alone. */
	ck_assert_int_eq(service_stop(&service), 0);
	file_write(service.socket, "precious");
	start("");
	ck_assert_int_eq(service_wait(&service), 1);
	ck_assert(file_has(service.socket, "precious"));
}
END_TEST

static const struct {
	const char *arguments[3];
	int status;
	const char *output;
} command_lines[] = {
	{ { "--version" }, 0, "duned " DUNE_VERSION },
	{ { "--help" }, 0, "--device=PATH" },
	{ { "--nonsense" }, 2, "Try 'duned --help'" },
	{ { "word" }, 2, "unexpected argument word" },
	{ { "--socket" }, 2, "requires an argument" },
	{ { "--socket", "" }, 1, "socket path of 1 to" },
	{ { "--socket", "/proc/nothing/there" }, 1, "/proc/nothing/there: No such file" },
	{ { "--config", "/nonexistent/x.conf" }, 1, "/nonexistent/x.conf: can't be read" },
	{ { "--check", "/nonexistent/x.conf" }, 1, "/nonexistent/x.conf: can't be read" },
	{ { "--check", "systemd/duned.conf" },
	  0,
	  "[quota host]\ncontexts = 1024\n[quota user]\ncontexts = 64\n[context]\n" },
	{ { "--check", "/etc" }, 1, "/etc: can't be read: Is a directory" },
	{ { "--check", "/dev/null" }, 1, "/dev/null: can't be read" },
};

START_TEST(command_line)
{
	service_spawn(&service, "duned/duned", command_lines[_i].arguments[0],
		      command_lines[_i].arguments[1], command_lines[_i].arguments[2], NULL);
	ck_assert_int_eq(service_wait(&service), command_lines[_i].status);
	ck_assert_msg(file_has(service.log, command_lines[_i].output), "%s",
		      command_lines[_i].output);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_protocol");
	TCase *tests = tcase_create("running");
	TCase *stopped = tcase_create("starting");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, answers, 0, NR_ROWS(plain));
	tcase_add_test(tests, describes_its_interfaces);
	tcase_add_test(tests, info_without_the_module);
	tcase_add_loop_test(tests, ends_the_connection, 0, NR_ROWS(fatal));
	tcase_add_loop_test(tests, tolerates, 0, NR_ROWS(tolerated));
	tcase_add_test(tests, takes_a_call_in_single_bytes);
	tcase_add_test(tests, takes_the_largest_message_and_no_larger);
	tcase_add_test(tests, answers_pipelined_calls_in_order);
	tcase_add_test(tests, bounds_what_waits_for_a_client);
	tcase_add_test(tests, answers_after_half_close);
	tcase_add_test(tests, oneway_gets_no_reply);
	tcase_add_test(tests, survives_without_descriptors);
	tcase_add_test(tests, ends_cleanly);
	tcase_add_test(tests, one_service_for_a_socket);
	suite_add_tcase(suite, tests);
	tcase_set_timeout(stopped, 60);
	tcase_add_checked_fixture(stopped, setup_stopped, teardown);
	tcase_add_test(stopped, limits_connections_of_a_user);
	tcase_add_test(stopped, fits_connections_to_descriptors);
	tcase_add_loop_test(stopped, command_line, 0, NR_ROWS(command_lines));
	suite_add_tcase(suite, stopped);
	return suite_run(suite);
}
