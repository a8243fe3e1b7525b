// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned with a device made of paper: quotas of every scope, changed at run time and over restarts, the
 * configuration read again, limits of contexts changed. Needs root, to be several users.
 */
#include <grp.h>

#include "duned/clock.h"
#include "duned/log.h"
#include "duned/worker.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_rows.h"

#define ALICE	4001
#define BOB	4002
#define DENIED	"{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}"

static struct service service;
static char quotas_file[128];
static char gate[128]; /* while it exists, the disk and the names last */
static int root = -1;

static void start(const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, "--debug",
		      NULL);
	root = client_new(&service);
}

/* With tests/unit/gate_shim.c. */
static void start_slow(const char *config)
{
	preload_gate(gate);
	start(config);
	unsetenv("LD_PRELOAD");
}

static void stop(void)
{
	close(root);
	root = -1;
	ck_assert_int_eq(service_stop(&service), 0);
}

static void setup(void)
{
	service_setup(&service);
	snprintf(quotas_file, sizeof(quotas_file), "%s/quotas.conf", service.folder);
	snprintf(gate, sizeof(gate), "%s/gate", service.folder);
}

static void teardown(void)
{
	if (root >= 0)
		close(root);
	service_teardown(&service);
}

/* ---- each scope ---- */

START_TEST(sums_of_each_resource)
{
	static const struct {
		const char *resource, *limits;
		int64_t maximum;
	} rows[] = {
		{ "vcpus", "{\"limits\":{\"vcpus\":3}}", 5 },
		{ "private_pages", "{\"limits\":{\"private_pages\":3}}", 5 },
		{ "ept_pages", "{\"limits\":{\"ept_pages\":375}}", 640 },
	};
	int fd;

	start("[quota user]\nvcpus = 5\n[quota host]\nprivate = 20K\n[quota user 0]\nept = 2560K\n"
	      "[context]\nvcpus = 1\nprivate = 4K\nept = 1280K\n");
	for (int i = 0; i < NR_ROWS(rows); i++) {
		fd = create(root, rows[i].limits);
		refused(root, rows[i].limits, i == 1 ? "host" : "user", i == 1 ? NULL : "0",
			rows[i].resource, rows[i].maximum, i == 2 ? 375 : 3);
		close(fd);
		fd = create(root, rows[i].limits);
		close(fd);
	}
}
END_TEST

START_TEST(the_user_s_own_rule)
{
	int alice, bob, fds[3];

	start("[quota user]\ncontexts = 1\n[quota user 4001]\ncontexts = 2\n");
	alice = client_new_as(&service, ALICE);
	bob = client_new_as(&service, BOB);
	fds[0] = create(alice, NULL);
	fds[1] = create(alice, NULL);
	fds[2] = create(bob, NULL);
	refused(alice, NULL, "user", "4001", "contexts", 2, 2);
	refused(bob, NULL, "user", "4002", "contexts", 1, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(alice);
	close(bob);
}
END_TEST

static int client_in_groups(gid_t gid, gid_t other)
{
	int fd;

	ck_assert_int_eq(setgroups(1, &other), 0);
	ck_assert_int_eq(setegid(gid), 0);
	fd = client_new_as(&service, ALICE);
	ck_assert_int_eq(setegid(0), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	return fd;
}

START_TEST(a_group_is_summed_up)
{
	int one, two, alone, fds[3];

	start("[quota group 700]\ncontexts = 2\n[quota user]\ncontexts = 1\n");
	one = client_in_groups(700, 4000);
	two = client_in_groups(4000, 700);
	alone = client_in_groups(4000, 4000);
	fds[0] = create(one, NULL);
	fds[1] = create(two, NULL);
	refused(one, NULL, "group", "700", "contexts", 2, 2);
	refused(two, NULL, "group", "700", "contexts", 2, 2);
	/* Of the same user, whose rule sums up all of it. */
	refused(alone, NULL, "user", "4001", "contexts", 1, 2);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	fds[0] = create(alone, NULL);
	close(fds[0]);
	close(one);
	close(two);
	close(alone);
}
END_TEST

/* Runs a function in a process of its own; what it returns. */
static int in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(run());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int child_creates_two(void)
{
	int fd = client_new(&service), context = create(fd, NULL), result = 1;
	struct json_object *reply = client_call(fd, M("Create"), NULL, DUNE_ERROR("QuotaExceeded"));

	if (!strcmp(json_text_at(reply, "scope"), "process") &&
	    atoi(json_text_at(reply, "name")) == getpid() && json_int_at(reply, "used") == 1)
		result = 0;
	json_object_put(reply);
	close(context);
	return result;
}

START_TEST(each_process_has_its_own)
{
	int fd;

	start("[quota process]\ncontexts = 1\n");
	fd = create(root, NULL);
	ck_assert_int_eq(in_child(child_creates_two), 0);
	ck_assert_int_eq(in_child(child_creates_two), 0);
	close(fd);
	fd = create(root, NULL);
	close(fd);
}
END_TEST

static int passed[2];

/* Connects, and leaves the connection to its parent. */
static int child_connects(void)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec vector = { "x", 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd = client_new(&service);

	CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
	return sendmsg(passed[1], &message, 0) == 1 ? 0 : 1;
}

static int take_passed(void)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))), byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	ck_assert_int_eq(recvmsg(passed[0], &message, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

/* Its pid may be somebody else's by now. */
START_TEST(a_connection_of_a_process_that_is_gone)
{
	int fd, context;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, passed), 0);
	start("[quota process]\ncontexts = 1\n");
	ck_assert_int_eq(in_child(child_connects), 0);
	fd = take_passed();
	client_check(fd, M("Create"), NULL, DENIED);
	/* Without rules about processes it does not matter. */
	file_write(service.config, "");
	client_check(root, M("Reload"), NULL, OK);
	context = create(fd, NULL);
	close(context);
	close(fd);
}
END_TEST

START_TEST(creations_within_a_minute)
{
	struct json_object *reply;
	int alice;

	start("[quota user]\ncreate-rate = 2\n");
	alice = client_new_as(&service, ALICE);
	close(create(alice, NULL));
	/* What fails for another reason costs nothing. */
	json_object_put(client_call(alice, M("Create"), "{\"limits\":{\"vcpus\":0}}",
				    DUNE_ERROR("InvalidLimit")));
	close(create(alice, NULL));
	reply = client_call(alice, M("Create"), NULL, DUNE_ERROR("RateExceeded"));
	ck_assert_str_eq(json_text_at(reply, "scope"), "user");
	ck_assert_str_eq(json_text_at(reply, "name"), "4001");
	ck_assert_int_eq(json_int_at(reply, "maximum"), 2);
	ck_assert_int_gt(json_int_at(reply, "retry_usec"), 1000000);
	ck_assert_int_le(json_int_at(reply, "retry_usec"), 30000000);
	json_object_put(reply);
	close(create(root, NULL));
	close(alice);
}
END_TEST

/* Of what holds for him, the part that he asks for. */
START_TEST(what_a_user_sees_of_it)
{
	int alice;

	start("[quota host]\nvcpus = 100\n[quota user 4002]\ncontexts = 7\n");
	alice = client_new_as(&service, ALICE);
	ck_assert_uint_eq(count_rows(alice, NULL), 3);
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"host\"}"), 2);
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"user\"}"), 1);
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"group\"}"), 0);
	ck_assert(has_row(alice, "{\"scope\":\"user\",\"name\":\"4001\"}",
			  "user 4001 contexts 64 0 default"));
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"user\",\"name\":\"4002\"}"), 0);
	close(alice);
}
END_TEST

/* ---- SetQuota ---- */

START_TEST(set_and_kept_over_restarts)
{
	int alice, fds[3];

	start("");
	alice = client_new_as(&service, ALICE);
	ck_assert(has_row(root, NULL, "host - contexts 1024 0 default"));
	ck_assert(has_row(root, NULL, "user - contexts 64 - default"));
	for (int i = 0; i < 3; i++)
		fds[i] = create(alice, NULL);
	ck_assert(has_row(root, "{\"scope\":\"user\"}", "user 4001 contexts 64 3 default"));
	/* Below what is used: nothing is taken away, nothing is added. */
	client_check(root, M("SetQuota"),
		     "{\"scope\":\"user\",\"name\":\"4001\",\"budget\":{\"contexts\":2,"
		     "\"create_rate\":1000,\"vcpus\":-1}}",
		     OK);
	ck_assert(has_row(root, NULL, "user 4001 contexts 2 3 run-time"));
	ck_assert(has_row(root, NULL, "user 4001 vcpus - 192 run-time"));
	ck_assert(has_row(alice, NULL, "user 4001 contexts 2 3 run-time"));
	refused(alice, NULL, "user", "4001", "contexts", 2, 3);
	close(fds[0]);
	refused(alice, NULL, "user", "4001", "contexts", 2, 2);
	close(alice);
	for (int i = 1; i < 3; i++)
		close(fds[i]);
	stop();
	start("[quota user 4001]\ncontexts = 7\n");
	ck_assert(has_row(root, NULL, "user 4001 contexts 2 0 run-time"));
	client_check(root, M("SetQuota"), "{\"scope\":\"user\",\"name\":\"4001\",\"reset\":true}",
		     OK);
	ck_assert(!has_row(root, NULL, "user 4001 contexts 2 0 run-time"));
	client_check(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}", OK);
	client_check(root, M("SetQuota"),
		     "{\"scope\":\"cgroup\",\"name\":\"a-b.slice\","
		     "\"budget\":{\"ept_pages\":0}}",
		     OK);
	ck_assert(has_row(root, NULL, "host - contexts 5 0 run-time"));
	ck_assert(has_row(root, NULL, "cgroup /a.slice/a-b.slice ept_pages 0 0 run-time"));
	client_check(root, M("SetQuota"), "{\"reset\":true}", OK);
	ck_assert(has_row(root, NULL, "host - contexts 1024 0 default"));
	ck_assert_uint_eq(count_rows(root, "{\"scope\":\"cgroup\"}"), 0);
}
END_TEST

static const struct {
	const char *parameters, *field, *reason;
} bad_quotas[] = {
	{ "{}", "budget", "is missing" },
	{ "{\"scope\":\"host\"}", "budget", "is missing" },
	{ "{\"scope\":\"host\",\"reset\":false}", "budget", "is missing" },
	{ "{\"budget\":{\"contexts\":1}}", "scope", "is missing" },
	{ "{\"name\":\"x\",\"reset\":true}", "scope", "is missing" },
	{ "{\"scope\":\"all\",\"reset\":true}", "scope",
	  "must be host, user, group, cgroup or process" },
	{ "{\"scope\":\"host\",\"name\":\"x\",\"reset\":true}", "name", "takes no name" },
	{ "{\"scope\":\"group\",\"reset\":true}", "scope", "needs a name" },
	{ "{\"scope\":\"user\",\"name\":\"no-such-user-here\",\"reset\":true}", "name",
	  "is no user known here" },
	{ "{\"scope\":\"user\",\"name\":\"-1\",\"reset\":true}", "name", "is no user known here" },
	{ "{\"scope\":\"cgroup\",\"name\":\"/a\\u001b\",\"reset\":true}", "name",
	  "is no cgroup: /path of at most 127 bytes, or NAME.slice" },
	{ "{\"scope\":\"host\",\"budget\":{\"contexts\":16385}}", "contexts",
	  "must be 0 to 16384, or -1: unlimited" },
	{ "{\"scope\":\"host\",\"budget\":{\"contexts\":-2}}", "contexts",
	  "must be 0 to 16384, or -1: unlimited" },
	{ "{\"scope\":\"host\",\"budget\":{\"create_rate\":0}}", "create_rate",
	  "must be 1 to 1000000, or -1: unlimited" },
	{ "{\"scope\":\"host\",\"budget\":{\"threads\":1}}", "budget",
	  "has contexts, vcpus, private_pages, ept_pages and create_rate, all numbers" },
	{ "{\"scope\":\"host\",\"budget\":{\"vcpus\":\"1\"}}", "budget",
	  "has contexts, vcpus, private_pages, ept_pages and create_rate, all numbers" },
};

START_TEST(quotas_that_are_wrong)
{
	struct json_object *reply;

	start("");
	reply = client_call(root, M("SetQuota"), bad_quotas[_i].parameters,
			    DUNE_ERROR("InvalidQuota"));
	ck_assert_str_eq(json_text_at(reply, "field"), bad_quotas[_i].field);
	ck_assert_str_eq(json_text_at(reply, "reason"), bad_quotas[_i].reason);
	json_object_put(reply);
	ck_assert_int_ne(access(quotas_file, F_OK), 0);
	ck_assert_uint_eq(count_rows(root, NULL), 2);
}
END_TEST

START_TEST(who_may_change)
{
	int alice, bob;

	start("[access]\nadministrators = 4002\n");
	alice = client_new_as(&service, ALICE);
	bob = client_new_as(&service, BOB);
	client_check(alice, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
		     DENIED);
	client_check(alice, M("Reload"), NULL, DENIED);
	client_check(bob, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}", OK);
	client_check(bob, M("Reload"), NULL, OK);
	/* Others see what holds for themselves, whatever they ask for. */
	ck_assert(has_row(alice, NULL, "host - contexts 5 0 run-time"));
	ck_assert_uint_eq(count_rows(alice, NULL), 2);
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"user\",\"name\":\"4002\"}"), 0);
	ck_assert_uint_eq(count_rows(alice, "{\"scope\":\"user\",\"name\":\"4001\"}"), 1);
	ck_assert_uint_eq(count_rows(bob, "{\"scope\":\"user\",\"name\":\"4001\"}"), 1);
	/* Who is no administrator any more is none on its old connection, either. */
	file_write(service.config, "");
	client_check(bob, M("Reload"), NULL, OK);
	client_check(bob, M("Reload"), NULL, DENIED);
	close(alice);
	close(bob);
}
END_TEST

START_TEST(a_damaged_file_is_not_lost)
{
	static const char damaged[] = "[quota host]\ncontexts = 5\n[quota user 1]\ncontexts = ?\n";
	struct json_object *reply;

	file_write(quotas_file, damaged);
	start("");
	service_wait_log(&service,
			 "quotas.conf:4:12: contexts wants a number; the quotas set at run "
			 "time are not in force");
	ck_assert(has_row(root, NULL, "host - contexts 1024 0 default"));
	reply = client_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
			    DUNE_ERROR("InvalidConfiguration"));
	ck_assert_str_eq(json_text_at(reply, "file"), quotas_file);
	ck_assert_int_eq(json_int_at(reply, "line"), 4);
	json_object_put(reply);
	json_object_put(client_call(root, M("Reload"), NULL, DUNE_ERROR("InvalidConfiguration")));
	ck_assert(file_has(quotas_file, damaged));
	file_write(quotas_file, "[quota host]\ncontexts = 6\n");
	client_check(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"vcpus\":9}}", OK);
	ck_assert(has_row(root, NULL, "host - contexts 6 0 run-time"));
	ck_assert(has_row(root, NULL, "host - vcpus 9 0 run-time"));
}
END_TEST

START_TEST(what_can_t_be_saved_is_not_in_force)
{
	char blocker[160];
	struct json_object *reply;

	start("");
	/* A folder where the new file would be written: not even root can. */
	snprintf(blocker, sizeof(blocker), "%s.new", quotas_file);
	ck_assert_int_eq(mkdir(blocker, 0700), 0);
	reply = client_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
			    DUNE_ERROR("QuotaNotSaved"));
	ck_assert_str_eq(json_text_at(reply, "file"), quotas_file);
	ck_assert_str_eq(json_text_at(reply, "errno_name"), "EISDIR");
	json_object_put(reply);
	ck_assert(has_row(root, NULL, "host - contexts 1024 0 default"));
}
END_TEST

/* The new file has taken the old one's place, so that is what is in force. */
START_TEST(the_disk_fails_last)
{
	char eio[160];

	start_slow("");
	snprintf(eio, sizeof(eio), "%s.eio", gate);
	file_write(eio, "");
	client_check(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}", OK);
	ck_assert(has_row(root, NULL, "host - contexts 5 0 run-time"));
	service_wait_log(&service, "quotas.conf, a crash of the machine may undo it: Input/output");
	client_check(root, M("Reload"), NULL, OK);
	ck_assert(has_row(root, NULL, "host - contexts 5 0 run-time"));
	stop();
	start("");
	ck_assert(has_row(root, NULL, "host - contexts 5 0 run-time"));
}
END_TEST

START_TEST(nowhere_to_save)
{
	struct json_object *reply;

	file_write(service.config, "");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	root = client_new(&service);
	reply = client_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
			    DUNE_ERROR("QuotaNotSaved"));
	ck_assert_str_eq(json_text_at(reply, "file"),
			 "quotas.conf (the service runs without --state)");
	ck_assert_str_eq(json_text_at(reply, "errno_name"), "ENOENT");
	json_object_put(reply);
}
END_TEST

/* ---- Reload ---- */

START_TEST(read_again_as_a_whole_or_not)
{
	struct json_object *reply;
	char origin[200];
	int fd, alice;

	start("[quota user]\ncontexts = 3\n");
	alice = client_new_as(&service, ALICE);
	fd = create(root, "{\"name\":\"stays\"}");
	file_write(service.config, "[quota user]\ncontexts = 9\n[connections]\nper-user = 1\n"
				   "  per-host = many\n");
	reply = client_call(root, M("Reload"), NULL, DUNE_ERROR("InvalidConfiguration"));
	ck_assert_str_eq(json_text_at(reply, "file"), service.config);
	ck_assert_int_eq(json_int_at(reply, "line"), 5);
	ck_assert_int_eq(json_int_at(reply, "column"), 14);
	ck_assert_str_eq(json_text_at(reply, "reason"), "per-host wants a number");
	ck_assert_str_eq(json_text_at(reply, "text"), "  per-host = many");
	ck_assert_int_eq(json_int_at(reply, "caret"), 13);
	ck_assert_int_eq(json_int_at(reply, "caret_length"), 4);
	json_object_put(reply);
	service_wait_log(&service,
			 ":5:14: per-host wants a number; the configuration in force stays");
	snprintf(origin, sizeof(origin), "user - contexts 3 - %s:2", service.config);
	ck_assert(has_row(root, NULL, origin));
	file_write(service.config, "[connections]\nper-user = 1\n");
	client_check(root, M("Reload"), NULL, OK);
	ck_assert(has_row(root, NULL, "user - contexts 64 - default"));
	json_object_put(client_call(root, M("Inspect"), "{\"name\":\"stays\"}", NULL));
	/* Connections that are there stay, new ones meet the new limit. */
	ck_assert(has_row(alice, NULL, "user 4001 contexts 64 0 default"));
	ck_assert_ptr_nonnull(
		strstr(client_receive(client_new_as(&service, ALICE)), "connections_per_user"));
	close(fd);
	close(alice);
}
END_TEST

START_TEST(hangup_signal)
{
	start("");
	file_write(service.config, "[quota host]\ncontexts = x\n");
	ck_assert_int_eq(kill(service.pid, SIGHUP), 0);
	service_wait_log(&service,
			 ":2:12: contexts wants a number; the configuration in force stays");
	ck_assert(has_row(root, NULL, "host - contexts 1024 0 default"));
	file_write(service.config, "[quota process]\ncontexts = 77\n");
	ck_assert_int_eq(kill(service.pid, SIGHUP), 0);
	service_wait_log(&service, "the configuration was read again");
	ck_assert_uint_eq(count_rows(root, "{\"scope\":\"process\"}"), 1);
}
END_TEST

/* ---- what takes its time: nobody else waits ---- */

static bool is_silent(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 300) == 0;
}

/* Calls that wait for the disk or for a name, and what is answered to a call sent after them. */
static const struct {
	const char *method, *parameters, *error;
} slow_calls[] = {
	{ M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}", NULL },
	{ M("SetQuota"), "{\"scope\":\"user\",\"name\":\"root\",\"budget\":{\"contexts\":5}}",
	  NULL },
	{ M("SetQuota"), "{\"scope\":\"group\",\"name\":\"nogroup-here\",\"reset\":true}",
	  DUNE_ERROR("InvalidQuota") },
	{ M("GetQuota"), "{\"scope\":\"user\",\"name\":\"root\"}", NULL },
	{ M("GetQuota"), "{\"scope\":\"group\",\"name\":\"nogroup-here\"}",
	  DUNE_ERROR("InvalidQuota") },
	{ M("Reload"), NULL, NULL },
};

START_TEST(nobody_waits_for_the_disk)
{
	static const char resolves[] = "[access]\nadministrators = root @root\n";
	int other;

	file_write(service.config, "");
	start_slow("");
	other = client_new_as(&service, ALICE);
	file_write(service.config, resolves);
	file_write(gate, "");
	client_send_call(root, slow_calls[_i].method, slow_calls[_i].parameters, 0);
	client_send_call(root, "org.varlink.service.GetInfo", NULL, 0);
	json_object_put(client_call(other, M("GetQuota"), NULL, NULL));
	close(create(other, NULL));
	ck_assert(is_silent(root));
	ck_assert(has_row(other, NULL, "host - contexts 1024 0 default"));
	ck_assert_int_eq(unlink(gate), 0);
	/* In the order of the calls. */
	json_object_put(client_expect(root, slow_calls[_i].error, false, NULL));
	json_object_put(client_expect(root, NULL, false, NULL));
	ck_assert(has_row(other, NULL,
			  _i ? "host - contexts 1024 0 default" : "host - contexts 5 0 run-time"));
	close(other);
}
END_TEST

/* What is on its way when the client or the service ends is done all the same. */
START_TEST(a_change_survives_who_asked)
{
	int other;

	start_slow("");
	other = client_new(&service);
	file_write(gate, "");
	client_send_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
			 0);
	ck_assert(is_silent(root));
	close(root);
	client_send_call(other, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"vcpus\":6}}",
			 VARLINK_ONEWAY);
	client_send_call(other, M("GetQuota"), "{\"scope\":\"host\"}", 0);
	ck_assert(is_silent(other));
	ck_assert_int_eq(unlink(gate), 0);
	json_object_put(client_expect(other, NULL, false, NULL));
	ck_assert(has_row(other, NULL, "host - contexts 5 0 run-time"));
	ck_assert(has_row(other, NULL, "host - vcpus 6 0 run-time"));
	file_write(gate, "");
	client_send_call(other, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"vcpus\":7}}", 0);
	ck_assert(is_silent(other));
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	service_wait_log(&service, "stopping on signal 15");
	ck_assert_int_eq(unlink(gate), 0);
	client_expect(other, NULL, false, NULL);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert(file_has(quotas_file, "vcpus = 7\n"));
	close(other);
	root = -1;
}
END_TEST

/* A disk that hangs holds neither the end of the service nor the quotas that were set before. */
START_TEST(the_end_while_the_disk_hangs)
{
	start_slow("");
	client_check(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"vcpus\":6}}", OK);
	file_write(gate, "");
	client_send_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"vcpus\":7}}", 0);
	ck_assert(is_silent(root));
	ck_assert_int_eq(kill(service.pid, SIGTERM), 0);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert(file_has(service.log, "what was asked of it is lost"));
	ck_assert(file_has(quotas_file, "vcpus = 6\n"));
	ck_assert_int_eq(unlink(gate), 0);
	close(root);
	start("");
	ck_assert(has_row(root, NULL, "host - vcpus 6 0 run-time"));
}
END_TEST

/* SIGHUPs that come while one is served lead to one more look, at what is there then. */
START_TEST(hangups_on_the_way)
{
	start_slow("");
	file_write(service.config, "[access]\nadministrators = root\n[quota host]\ncontexts = 3\n");
	file_write(gate, "");
	ck_assert_int_eq(kill(service.pid, SIGHUP), 0);
	usleep(200000);
	file_write(service.config, "[quota host]\ncontexts = 4\n");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(kill(service.pid, SIGHUP), 0);
		json_object_put(client_call(root, M("Info"), NULL, NULL));
	}
	ck_assert_int_eq(unlink(gate), 0);
	service_wait_log(&service, "read again\nduned: the configuration was read again");
	client_check(root, M("Reload"), NULL, OK);
	ck_assert_uint_eq(count_rows(root, "{\"scope\":\"host\"}"), 1);
	ck_assert(!file_has(service.log, "read again\nduned: the configuration was read again\n"
					 "duned: the configuration was read again\nduned: the "
					 "configuration was read again"));
}
END_TEST

START_TEST(calls_that_wait_have_a_limit)
{
	static const char call[] = "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}";
	int fds[WORKER_QUEUE + 1];

	start_slow("[connections]\nper-user = 100\n[access]\nadministrators = 4002\n");
	file_write(gate, "");
	for (int i = 0; i <= WORKER_QUEUE; i++) {
		/* An administrator does not get the last places, which are root's. */
		fds[i] = i < WORKER_QUEUE - WORKER_ROOT ? client_new_as(&service, BOB) :
							  client_new(&service);
		if (i == WORKER_QUEUE - WORKER_ROOT) {
			int more = client_new_as(&service, BOB);

			client_send_call(more, M("SetQuota"), call, 0);
			ck_assert_ptr_nonnull(
				strstr(client_receive(more), "\"maximum\":56,\"used\":56"));
			close(more);
		}
		client_send_call(fds[i], M("SetQuota"), call, 0);
		/* The one before is there. */
		json_object_put(client_call(root, M("Info"), NULL, NULL));
	}
	ck_assert_str_eq(client_receive(fds[WORKER_QUEUE]),
			 "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":{\"limit\":"
			 "\"waiting_calls\",\"maximum\":64,\"used\":64}}");
	ck_assert_int_eq(unlink(gate), 0);
	for (int i = 0; i < WORKER_QUEUE; i++)
		ck_assert_str_eq(client_receive(fds[i]), OK);
	client_check(fds[WORKER_QUEUE], M("SetQuota"), call, OK);
	for (int i = 0; i <= WORKER_QUEUE; i++)
		close(fds[i]);
}
END_TEST

/* Who may only look takes few of those places: there is one for who administrates. */
START_TEST(observers_leave_room)
{
	static const char name[] = "{\"scope\":\"user\",\"name\":\"root\"}";
	int fds[WORKER_ONLOOKERS + 1], other = WORKER_ONLOOKERS;

	start_slow("[access]\nobservers = 4001\n");
	file_write(gate, "");
	for (int i = 0; i <= WORKER_ONLOOKERS; i++) {
		fds[i] = client_new_as(&service, ALICE);
		client_send_call(fds[i], M("GetQuota"), name, 0);
		json_object_put(client_call(root, M("Info"), NULL, NULL));
	}
	ck_assert_str_eq(client_receive(fds[other]),
			 "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":{\"limit\":"
			 "\"waiting_calls\",\"maximum\":8,\"used\":8}}");
	/* What needs no name is answered. */
	ck_assert(has_row(fds[other], NULL, "host - contexts 1024 0 default"));
	client_send_call(root, M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
			 0);
	ck_assert(is_silent(root));
	ck_assert_int_eq(unlink(gate), 0);
	ck_assert_str_eq(client_receive(root), OK);
	for (int i = 0; i < WORKER_ONLOOKERS; i++)
		json_object_put(client_expect(fds[i], NULL, false, NULL));
	json_object_put(client_call(fds[other], M("GetQuota"), name, NULL));
	for (int i = 0; i <= WORKER_ONLOOKERS; i++)
		close(fds[i]);
}
END_TEST

START_TEST(check_points_at_it)
{
	char expected[300];

	file_write(service.config, "[quota user]\n\tcontexts = ten\n");
	service_spawn(&service, "duned/duned", "--check", service.config, NULL);
	ck_assert_int_eq(service_wait(&service), 1);
	snprintf(expected, sizeof(expected),
		 "%s:2:13: contexts wants a number\n   contexts = ten\n              ^~~\n",
		 service.config);
	ck_assert(file_has(service.log, expected));
}
END_TEST

/* Without a file's name the quotas set at run time are checked, and shown, too. */
START_TEST(check_knows_the_run_time_quotas)
{
	file_write(quotas_file, "[quota group 5]\nept = 1M\n");
	service_spawn(&service, "duned/duned", "--state", service.folder, "--check", NULL);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert(file_has(service.log, "[quota group 5]\nept = 1024K\n"));
	file_write(quotas_file, "[quota group 5]\nept = 1\n");
	service_spawn(&service, "duned/duned", "--state", service.folder, "--check", NULL);
	ck_assert_int_eq(service_wait(&service), 1);
	ck_assert(file_has(service.log, "quotas.conf:2:7: ept wants a multiple of 4K, like 64M\n"));
}
END_TEST

/* ---- SetLimits ---- */

START_TEST(other_limits)
{
	struct json_object *reply;
	int alice, bob, fd;

	start("[quota user]\nvcpus = 10\n[context]\nvcpus = 4\nvcpus-max = 20\n");
	alice = client_new_as(&service, ALICE);
	bob = client_new_as(&service, BOB);
	fd = create(alice, "{\"name\":\"a\"}");
	reply = client_call(alice, M("SetLimits"), "{\"name\":\"a\",\"limits\":{\"vcpus\":10}}",
			    NULL);
	ck_assert_int_eq(json_int_at(reply, "context.limits.vcpus"), 10);
	ck_assert_int_eq(json_int_at(reply, "context.limits.private_pages"), 4096);
	json_object_put(reply);
	reply = client_call(alice, M("SetLimits"), "{\"name\":\"a\",\"limits\":{\"vcpus\":11}}",
			    DUNE_ERROR("QuotaExceeded"));
	ck_assert_str_eq(json_text_at(reply, "scope"), "user");
	ck_assert_int_eq(json_int_at(reply, "used"), 10);
	json_object_put(reply);
	refused(alice, NULL, "user", "4001", "vcpus", 10, 10);
	/* Also for root: it is alice's quota. */
	json_object_put(client_call(root, M("SetLimits"), "{\"id\":1,\"limits\":{\"vcpus\":11}}",
				    DUNE_ERROR("QuotaExceeded")));
	reply = client_call(alice, M("SetLimits"), "{\"name\":\"a\",\"limits\":{\"vcpus\":21}}",
			    DUNE_ERROR("InvalidLimit"));
	ck_assert_int_eq(json_int_at(reply, "maximum"), 20);
	json_object_put(reply);
	json_object_put(client_call(alice, M("SetLimits"),
				    "{\"name\":\"a\",\"limits\":{\"vcpus\":0}}",
				    DUNE_ERROR("InvalidLimit")));
	reply = client_call(alice, M("SetLimits"),
			    "{\"name\":\"a\",\"limits\":{\"ept_pages\":319}}",
			    DUNE_ERROR("InvalidLimit"));
	ck_assert_int_eq(json_int_at(reply, "minimum"), 320);
	json_object_put(reply);
	json_object_put(client_call(alice, M("SetLimits"),
				    "{\"name\":\"a\",\"limits\":{\"contexts\":1}}",
				    VARLINK_ERROR("InvalidParameter")));
	json_object_put(client_call(alice, M("SetLimits"), "{\"name\":\"a\"}",
				    VARLINK_ERROR("InvalidParameter")));
	json_object_put(client_call(bob, M("SetLimits"), "{\"id\":1,\"limits\":{\"vcpus\":1}}",
				    DUNE_ERROR("NoSuchContext")));
	/* Lowered, as nothing is used, there is room for another. */
	json_object_put(
		client_call(alice, M("SetLimits"), "{\"id\":1,\"limits\":{\"vcpus\":6}}", NULL));
	close(create(alice, NULL));
	ck_assert(has_row(root, "{\"scope\":\"user\",\"name\":\"4001\"}",
			  "user 4001 contexts 64 1 default"));
	close(fd);
	close(alice);
	close(bob);
}
END_TEST

static void set_limits(int fd, const char *limits, const char *error)
{
	char parameters[128];

	snprintf(parameters, sizeof(parameters), "{\"id\":1,\"limits\":{%s}}", limits);
	json_object_put(client_call(fd, M("SetLimits"), parameters, error));
}

static void tell(int context_fd, char command)
{
	ck_assert_int_eq(write(context_fd, &command, 1), 1);
}

/* What Totals tells of a call, all of it but the time and the calls themselves. */
static void count_denied(int fd, int64_t counts[2])
{
	struct json_object *reply = client_call(fd, M("Totals"), NULL, NULL);

	counts[0] = json_int_at(reply, "messages.access_denied");
	counts[1] = json_int_at(reply, "service.log_limited");
	json_object_put(reply);
}

/*
 * Until long after the journal is no longer written to. False: that took so long that it is written to
 * again.
 */
static bool totals_tell_nothing(int fd)
{
	static const char *const asked[] = {
		"{\"name\":\"payroll\"}",
		"{\"name\":\"nothing\"}",
		"{\"id\":1}",
		"{\"id\":77}",
	};
	const int64_t begin = clock_ns();
	int64_t before[2], after[2];

	for (int i = 0; i < 2 * LOG_CLIENT_BURST; i++) {
		count_denied(fd, before);
		json_object_put(client_call(fd, M("Inspect"), asked[i % NR_ROWS(asked)],
					    DUNE_ERROR("NoSuchContext")));
		count_denied(fd, after);
		ck_assert_int_eq(after[0], before[0] + 1);
		if (clock_ns() - begin >= LOG_CLIENT_WINDOW_MS * INT64_C(1000000))
			return false;
		ck_assert_int_eq(after[1], before[1] + (i >= LOG_CLIENT_BURST));
	}
	return true;
}

/* Who asks for a context that is somebody else's learns nothing, also by what everybody may see. */
START_TEST(totals_tell_nothing_of_others)
{
	int alice, bob, fd, tries = 0;

	start("");
	alice = client_new_as(&service, ALICE);
	bob = client_new_as(&service, BOB);
	fd = create(alice, "{\"name\":\"payroll\"}");
	/* On a machine with much else to do, again: the next message is the first of its time. */
	while (!totals_tell_nothing(bob)) {
		ck_assert_int_lt(++tries, 5);
		usleep(LOG_CLIENT_WINDOW_MS * 1000);
	}
	close(fd);
	close(alice);
	close(bob);
}
END_TEST

/* A context keeps what it uses when its limit falls below that, so its quota does not get it back. */
START_TEST(limits_below_use)
{
	static const char *const kept = "user 4001 private_pages 100 80 ";
	char row[256];
	int alice, fd;

	start("[quota user]\nprivate = 400K\nept = 16M\n"
	      "[context]\nprivate = 4K\nept = 1280K\nvcpus = 1\n");
	snprintf(row, sizeof(row), "%s%s:2", kept, service.config);
	alice = client_new_as(&service, ALICE);
	fd = create(alice, "{\"limits\":{\"private_pages\":80,\"ept_pages\":3496}}");
	tell(fd, 'f');
	set_limits(alice, "\"private_pages\":1,\"ept_pages\":320", NULL);
	refused(alice, "{\"limits\":{\"private_pages\":21}}", "user", "4001", "private_pages", 100,
		80);
	refused(alice, "{\"limits\":{\"ept_pages\":601}}", "user", "4001", "ept_pages", 4096, 3496);
	ck_assert(has_row(alice, NULL, row));
	close(create(alice, "{\"limits\":{\"private_pages\":20,\"ept_pages\":600}}"));
	/* Its growth is what is above that; what fits into it is none. */
	set_limits(alice, "\"private_pages\":80", NULL);
	ck_assert(has_row(alice, NULL, row));
	set_limits(alice, "\"private_pages\":100", NULL);
	set_limits(alice, "\"private_pages\":101", DUNE_ERROR("QuotaExceeded"));
	set_limits(alice, "\"private_pages\":1", NULL);
	ck_assert(has_row(alice, NULL, row));
	/* What it has given back is there for others as soon as somebody needs it, */
	tell(fd, 'g');
	close(create(alice, "{\"limits\":{\"ept_pages\":3776}}"));
	refused(alice, "{\"limits\":{\"ept_pages\":3777}}", "user", "4001", "ept_pages", 4096, 320);
	/* or is shown, */
	tell(fd, 'x');
	ck_assert(!has_row(alice, NULL, row));
	/* or is asked for by itself. */
	set_limits(alice, "\"private_pages\":100", NULL);
	close(fd);
	close(alice);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_quota");
	TCase *tests = tcase_create("duned_quota");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	if (geteuid() != 0) {
		puts("SKIP duned_quota: needs root to be several users");
	} else {
		tcase_add_test(tests, sums_of_each_resource);
		tcase_add_test(tests, the_user_s_own_rule);
		tcase_add_test(tests, a_group_is_summed_up);
		tcase_add_test(tests, each_process_has_its_own);
		tcase_add_test(tests, a_connection_of_a_process_that_is_gone);
		tcase_add_test(tests, creations_within_a_minute);
		tcase_add_test(tests, what_a_user_sees_of_it);
		tcase_add_test(tests, set_and_kept_over_restarts);
		tcase_add_loop_test(tests, quotas_that_are_wrong, 0, NR_ROWS(bad_quotas));
		tcase_add_test(tests, who_may_change);
		tcase_add_test(tests, a_damaged_file_is_not_lost);
		tcase_add_test(tests, what_can_t_be_saved_is_not_in_force);
		tcase_add_test(tests, the_disk_fails_last);
		tcase_add_test(tests, nowhere_to_save);
		tcase_add_test(tests, read_again_as_a_whole_or_not);
		tcase_add_test(tests, hangup_signal);
		tcase_add_loop_test(tests, nobody_waits_for_the_disk, 0, NR_ROWS(slow_calls));
		tcase_add_test(tests, a_change_survives_who_asked);
		tcase_add_test(tests, the_end_while_the_disk_hangs);
		tcase_add_test(tests, hangups_on_the_way);
		tcase_add_test(tests, calls_that_wait_have_a_limit);
		tcase_add_test(tests, observers_leave_room);
		tcase_add_test(tests, check_points_at_it);
		tcase_add_test(tests, check_knows_the_run_time_quotas);
		tcase_add_test(tests, other_limits);
		tcase_add_test(tests, totals_tell_nothing_of_others);
		tcase_add_test(tests, limits_below_use);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
