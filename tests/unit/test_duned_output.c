// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replies that wait for clients who don't read: so many bytes of one user, so many of all. What waits is counted
 * from outside: the bytes of the calls that were answered, without those that left (Totals), so that the limits and
 * the service's own account of them are seen to the byte. Needs root, to be several users.
 */
#include <time.h>

#include "duned/connection.h"
#include "duned/server.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define HOG_UID		 4001 /* and those after it */
#define OTHER_UID	 5001
#define HOG_FDS		 100 /* of one user, which would hold more than it may ... */
#define HOGS		 12 /* ... and of users who would not, but together */
#define CROWD_FDS	 (HOGS * 60)
#define CONNECTION_EXTRA (64 << 10) /* memory of one */
#define LOOK_MS		 100
#define QUIET_LOOKS	 3 /* without an answer more: everything waits */
#define CALLS_MAX	 200 /* to one connection at once */
#define CALL                                                                           \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{" \
	"\"interface\":\"io.dune.Manager\"}}"

_Static_assert(HOG_FDS *CONNECTION_OUTPUT_HIGH > SERVER_USER_OUTPUT, "one user is held");
_Static_assert(CROWD_FDS / HOGS * CONNECTION_OUTPUT_HIGH < SERVER_USER_OUTPUT, "it is not here");
_Static_assert(CROWD_FDS *CONNECTION_OUTPUT_HIGH > SERVER_OUTPUT, "but all are");

static struct service service;
static int root; /* asks for Totals */
static int64_t totals_bytes; /* that it got */
static int64_t reply_bytes; /* of one answer to CALL */
static int nr_calls; /* that fill a connection and the kernel's buffers, and leave some to wait */
static int64_t resident_before;
static time_t asked_since; /* by clients who don't read */
static bool told;

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Who reads nothing for so long is sent away, so what waits can't be looked at any more: a skip, not a failure. */
static bool late(void)
{
	bool is_late = now() - asked_since >= (time_t)CONNECTION_OUTPUT_S - 2;

	if (is_late && !told)
		printf("SKIP test_duned_output: too slow here: clients are sent away meanwhile\n");
	told |= is_late;
	return is_late;
}

/* Of a stream socket that nobody reads; it takes less than this. */
static int64_t kernel_buffer(void)
{
	FILE *file = fopen("/proc/sys/net/core/wmem_default", "re");
	long long bytes = 0;

	ck_assert(file && fscanf(file, "%lld", &bytes) == 1);
	fclose(file);
	return bytes;
}

/* ---- what waits ---- */

struct seen {
	int64_t answered; /* calls */
	int64_t waiting; /* bytes, of all connections */
};

static struct seen look(void)
{
	struct json_object *reply;
	struct seen seen;
	const char *text;

	client_send_text(root, "{\"method\":\"io.dune.Manager.Totals\"}");
	text = client_receive(root);
	reply = json_tokener_parse(text);
	ck_assert(!json_int_at(reply, "parameters.messages.client_stalled") || late());
	seen.answered = json_int_at(reply, "parameters.calls.GetInterfaceDescription");
	seen.waiting = seen.answered * reply_bytes -
		       (json_int_at(reply, "parameters.service.bytes_out") - totals_bytes);
	totals_bytes += (int64_t)strlen(text) + 1;
	json_object_put(reply);
	return seen;
}

/* Until nothing is answered any more, because everything waits for clients, or it is late. */
static struct seen settle(void)
{
	struct seen before = look(), now;
	int quiet = 0;

	while (!late()) {
		usleep(LOOK_MS * 1000);
		now = look();
		quiet = now.answered == before.answered && now.waiting == before.waiting ?
				quiet + 1 :
				0;
		if (quiet == QUIET_LOOKS)
			return now;
		before = now;
	}
	return before;
}

/* ---- clients ---- */

static void send_calls(int fd)
{
	static char calls[CALLS_MAX * sizeof(CALL)];

	for (int i = 0; i < nr_calls; i++)
		memcpy(calls + (size_t)i * sizeof(CALL), CALL, sizeof(CALL));
	client_send(fd, calls, (size_t)nr_calls * sizeof(CALL));
}

/* A client that asks and asks and does not read. */
static int hog_new(uid_t uid)
{
	int fd = client_new_as(&service, uid);

	send_calls(fd);
	return fd;
}

/* Reads all that it asked for, unless it is late. */
static void read_all(int fd)
{
	static char bytes[1 << 18];
	int64_t size = 0;

	while (size < nr_calls * reply_bytes) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0 && late())
			return;
		ck_assert_msg(n > 0, "after %lld of %lld bytes: %s", (long long)size,
			      (long long)nr_calls * reply_bytes, n ? strerror(errno) : "end");
		size += n;
	}
	ck_assert_int_eq(size, nr_calls * reply_bytes);
}

static void check_answered(int fd)
{
	client_send_text(fd, CALL);
	ck_assert_int_eq((int64_t)strlen(client_receive(fd)) + 1, reply_bytes);
}

/* Beside what waits: what the allocator adds, and of each connection the rest of what it has half sent and read. */
static void check_memory(int64_t limit, int nr_connections)
{
#ifndef __SANITIZE_ADDRESS__
	ck_assert_int_le((int64_t)service_status_kb(&service, "VmRSS:") * 1024 - resident_before,
			 limit + limit / 4 + nr_connections * CONNECTION_EXTRA);
#endif
}

static void setup(void)
{
	struct rlimit files = { 4096, 4096 };
	int fd;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	service_setup(&service);
	file_write(service.config, "[connections]\nper-user = 256\nper-host = 2000\n");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	root = client_new(&service);
	fd = client_new(&service);
	client_send_text(fd, CALL);
	reply_bytes = (int64_t)strlen(client_receive(fd)) + 1;
	close(fd);
	nr_calls = (int)((kernel_buffer() + 2 * CONNECTION_OUTPUT_HIGH) / reply_bytes) + 1;
	ck_assert_int_le(nr_calls, CALLS_MAX);
	ck_assert_int_lt((int64_t)nr_calls * (int64_t)sizeof(CALL), VARLINK_MAX_CALL);
	resident_before = (int64_t)service_status_kb(&service, "VmRSS:") * 1024;
	ck_assert_int_eq(look().waiting, 0);
}

static void teardown(void)
{
	service_teardown(&service);
}

/* Above its limit a user's connections still answer one call each, when nothing of theirs waits. */
static void check_held(struct seen seen, int64_t limit, int nr_connections)
{
	ck_assert_int_ge(seen.waiting, limit);
	ck_assert_int_le(seen.waiting, limit + nr_connections * reply_bytes);
	check_memory(limit, nr_connections);
}

START_TEST(of_one_user)
{
	int hogs[HOG_FDS], others[4], fd;
	struct seen seen, full;

	asked_since = now();
	for (int i = 0; i < HOG_FDS; i++)
		hogs[i] = hog_new(HOG_UID);
	full = settle();
	if (late())
		return;
	check_held(full, SERVER_USER_OUTPUT, HOG_FDS);
	/* It is that user's limit: what others don't read waits too. */
	for (int i = 0; i < 4; i++)
		others[i] = hog_new(OTHER_UID);
	seen = settle();
	if (late())
		return;
	ck_assert_int_ge(seen.waiting, full.waiting + 4 * CONNECTION_OUTPUT_HIGH);
	/* One that reads is answered, be it of the same user. */
	fd = client_new_as(&service, HOG_UID);
	for (int i = 0; i < 3; i++)
		check_answered(fd);
	close(fd);
	/* Whoever reads after all gets everything, and may ask as before. */
	for (int i = 0; i < HOG_FDS; i++)
		read_all(hogs[i]);
	for (int i = 0; i < 4; i++)
		read_all(others[i]);
	if (late())
		return;
	ck_assert_int_eq(look().waiting, 0);
	asked_since = now();
	send_calls(hogs[0]);
	seen = settle();
	ck_assert(seen.waiting >= CONNECTION_OUTPUT_HIGH || late());
	read_all(hogs[0]);
	for (int i = 0; i < HOG_FDS; i++)
		close(hogs[i]);
	ck_assert_int_eq(service_stop(&service), 0);
}
END_TEST

START_TEST(of_all_users)
{
	struct seen full, seen;
	int hogs[CROWD_FDS], last, fd;

	asked_since = now();
	for (int i = 0; i < CROWD_FDS; i++)
		hogs[i] = hog_new((uid_t)(HOG_UID + i % HOGS));
	full = settle();
	if (late())
		return;
	check_held(full, SERVER_OUTPUT, CROWD_FDS);
	/* Another user's call is answered; what it does not read is one reply and the kernel's buffer. */
	fd = client_new_as(&service, OTHER_UID);
	for (int i = 0; i < 3; i++)
		check_answered(fd);
	close(fd);
	last = hog_new(OTHER_UID);
	seen = settle();
	if (late())
		return;
	ck_assert_int_gt(seen.answered, full.answered + 3);
	ck_assert_int_le(seen.waiting, full.waiting + reply_bytes);
	/* With those gone who did not read, there is room again. */
	for (int i = 0; i < CROWD_FDS; i++)
		close(hogs[i]);
	read_all(last);
	asked_since = now();
	full = settle();
	send_calls(last);
	seen = settle();
	ck_assert(seen.waiting >= full.waiting + CONNECTION_OUTPUT_HIGH || late());
	read_all(last);
	close(last);
	ck_assert_int_eq(service_stop(&service), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_output");
	TCase *tests = tcase_create("output");

	tcase_set_timeout(tests, 100);
	tcase_add_checked_fixture(tests, setup, teardown);
	if (geteuid() == 0) {
		tcase_add_test(tests, of_one_user);
		tcase_add_test(tests, of_all_users);
	} else {
		printf("SKIP test_duned_output: needs root, to be several users\n");
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
