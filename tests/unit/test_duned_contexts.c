// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned with a device made of paper: creating, showing, ending contexts, quotas, who sees what, streams.
 * What clients that misbehave get stands in test_duned_protocol.c.
 */
#include "tests/unit/test_duned_run.h"
#include "proto/dune_abi.h"
#include "tests/unit/suite.h"

#define OTHER_UID 4001
#define THIRD_UID 4002
#define M(name)	  "io.dune.Manager." name
#define NO_SUCH	  "{\"error\":\"io.dune.Manager.NoSuchContext\",\"parameters\":{}}"

static struct service service;
static int client = -1;

static void start(const char *device, const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", device, "--debug", NULL);
	client = client_new(&service);
}

static void setup_stopped(void)
{
	service_setup(&service);
}

static void setup(void)
{
	setup_stopped();
	start("fake", "[quota user]\ncontexts = 8\n[quota host]\ncontexts = 12\n");
}

static void teardown(void)
{
	if (client >= 0)
		close(client);
	service_teardown(&service);
}

/* Creates a context; the reply's parameters and its descriptor. */
static struct json_object *create_full(int fd, const char *parameters, int *ret_context_fd)
{
	struct json_object *reply;

	client_send_call(fd, M("Create"), parameters, 0);
	reply = client_expect(fd, NULL, false, ret_context_fd);
	ck_assert_int_ge(*ret_context_fd, 0);
	ck_assert_int_eq(json_int_at(reply, "context_fd"), 0);
	return reply;
}

static int create(int fd, const char *parameters, int64_t *ret_id)
{
	int context_fd;
	struct json_object *reply = create_full(fd, parameters, &context_fd);

	if (ret_id)
		*ret_id = json_int_at(reply, "context.id");
	json_object_put(reply);
	return context_fd;
}

/* Moves a context on, see fake_device.c. */
static void move(int context_fd, char command)
{
	ck_assert_int_eq(write(context_fd, &command, 1), 1);
}

static size_t count_contexts(int fd)
{
	struct json_object *reply = client_call(fd, M("List"), NULL, NULL);
	size_t count = json_object_array_length(json_at(reply, "contexts"));

	json_object_put(reply);
	return count;
}

static void expect_error(int fd, const char *method, const char *parameters, const char *error)
{
	json_object_put(client_call(fd, method, parameters, error));
}

START_TEST(life_of_a_context)
{
	int fd;
	struct json_object *reply = create_full(client, "{\"name\":\"one\"}", &fd);

	ck_assert_str_eq(json_text_at(reply, "context.name"), "one");
	ck_assert_str_eq(json_text_at(reply, "context.state"), "new");
	ck_assert_int_eq(json_int_at(reply, "context.owner"), geteuid());
	ck_assert_int_gt(json_int_at(reply, "context.created_usec"), 0);
	ck_assert(!json_object_object_get_ex(json_at(reply, "context"), "pid", NULL));
	json_object_put(reply);
	move(fd, 'r');
	reply = client_call(client, M("Inspect"), "{\"name\":\"one\"}", NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "running");
	ck_assert_int_eq(json_int_at(reply, "context.pid"), 4242);
	ck_assert_str_eq(json_text_at(reply, "context.command"), "so??rt");
	ck_assert_int_eq(json_int_at(reply, "context.usage.private_pages"), 17);
	ck_assert_int_eq(json_int_at(reply, "counters.exits"), 100);
	ck_assert_int_eq(json_int_at(reply, "counters.syscalls"), INT64_MAX);
	json_expect(reply, JSON_ROWS({ "exits.vmcall", 60 }, { "exits.ept_violation", 39 },
				     { "exits.reason_35", 1 }));
	ck_assert_int_eq(json_object_object_length(json_at(reply, "exits")), 3);
	ck_assert(!json_object_object_get_ex(reply, "report", NULL));
	json_object_put(reply);
	ck_assert_uint_eq(count_contexts(client), 1);
	/* The service kept no copy of the descriptor. */
	close(fd);
	ck_assert_uint_eq(count_contexts(client), 0);
	client_check(client, M("Inspect"), "{\"name\":\"one\"}", NO_SUCH);
}
END_TEST

START_TEST(report_of_a_guest_fault)
{
	int fd = create(client, "{\"name\":\"two\"}", NULL);
	struct json_object *reply;
	char line[128];

	move(fd, 'r');
	move(fd, 'p');
	reply = client_call(client, M("Inspect"), "{\"name\":\"two\"}", NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "ended");
	ck_assert_str_eq(json_text_at(reply, "context.cause"), "panic");
	ck_assert_str_eq(json_text_at(reply, "report.cause"), "panic");
	ck_assert_str_eq(json_text_at(reply, "report.exit_reason"), "vmcall");
	ck_assert_int_eq(json_int_at(reply, "report.vector"), 14);
	ck_assert_str_eq(json_text_at(reply, "report.registers.rip"), "0xffff800000001234");
	ck_assert_str_eq(json_text_at(reply, "report.registers.cr2"), "0xdeadbeef");
	json_object_put(reply);
	close(fd);
	snprintf(line, sizeof(line),
		 "(two) of uid %u ended: panic, pid 4242, rip 0xffff800000001234", geteuid());
	service_wait_log(&service, line);
}
END_TEST

START_TEST(kill_a_context)
{
	int64_t id;
	int fd = create(client, "{\"name\":\"k\"}", &id);
	char parameters[64];

	client_check(client, M("Kill"), "{\"name\":\"k\"}",
		     "{\"error\":\"io.dune.Manager.NoProcess\",\"parameters\":{}}");
	move(fd, 'r');
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld}", (long long)id);
	client_check(client, M("Kill"), parameters, "{\"parameters\":{}}");
	client_check(client, M("Kill"), parameters,
		     "{\"error\":\"io.dune.Manager.NoProcess\",\"parameters\":{}}");
	close(fd);
	client_check(client, M("Kill"), parameters, NO_SUCH);
}
END_TEST

static const struct {
	const char *parameters, *bad;
} selectors[] = {
	{ NULL, "id" },
	{ "{\"id\":null}", "id" },
	{ "{\"id\":1,\"name\":\"x\"}", "name" },
	{ "{\"id\":true}", "id" },
	{ "{\"name\":1}", "name" },
	{ "{\"ID\":1}", "ID" },
};

START_TEST(selectors_that_are_wrong)
{
	static const char *const methods[] = { M("Inspect"), M("Kill") };

	for (int i = 0; i < NR_ROWS(methods); i++) {
		struct json_object *reply = client_call(client, methods[i],
							selectors[_i].parameters,
							VARLINK_ERROR("InvalidParameter"));

		ck_assert_str_eq(json_text_at(reply, "parameter"), selectors[_i].bad);
		json_object_put(reply);
	}
}
END_TEST

static const char *const nowhere[] = {
	"{\"id\":0}",
	"{\"id\":-1}",
	"{\"id\":99}",
	"{\"id\":9223372036854775807}",
	"{\"id\":-9223372036854775808}",
	"{\"name\":\"\"}",
	"{\"name\":\"\\u001b[31m\"}",
	"{\"name\":\"none\"}",
};

START_TEST(contexts_that_are_not_there)
{
	int fd = create(client, NULL, NULL);

	client_check(client, M("Inspect"), nowhere[_i], NO_SUCH);
	client_check(client, M("Stats"), nowhere[_i], NO_SUCH);
	client_check(client, M("Kill"), nowhere[_i], NO_SUCH);
	close(fd);
}
END_TEST

START_TEST(names)
{
	int fds[3], living;
	struct json_object *reply = create_full(client, "{\"name\":\"\"}", &fds[0]);

	ck_assert_str_eq(json_text_at(reply, "context.name"), "c1");
	json_object_put(reply);
	fds[1] = create(client, "{\"name\":\"c2\"}", NULL);
	client_check(client, M("Create"), "{\"name\":\"c2\"}",
		     "{\"error\":\"io.dune.Manager.NameTaken\",\"parameters\":{\"name\":\"c2\"}}");
	reply = create_full(client, NULL, &fds[2]);
	ck_assert_str_eq(json_text_at(reply, "context.name"), "c3");
	json_object_put(reply);
	/* An ended one leaves its name; the living one is meant then, the ended one has its id. */
	move(fds[1], 'x');
	living = create(client, "{\"name\":\"c2\"}", NULL);
	reply = client_call(client, M("Inspect"), "{\"name\":\"c2\"}", NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "new");
	json_object_put(reply);
	close(living);
	reply = client_call(client, M("Inspect"), "{\"name\":\"c2\"}", NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "ended");
	ck_assert_str_eq(json_text_at(reply, "context.cause"), "exit");
	json_object_put(reply);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static const struct {
	const char *limits, *name;
	int64_t minimum, maximum;
} wrong_limits[] = {
	{ "{\"vcpus\":0}", "vcpus", 1, 100 },
	{ "{\"vcpus\":101}", "vcpus", 1, 100 },
	{ "{\"vcpus\":-1}", "vcpus", 1, 100 },
	{ "{\"private_pages\":32769}", "private_pages", 1, 32768 },
	{ "{\"ept_pages\":9223372036854775807}", "ept_pages", 320, 262144 },
	{ "{\"ept_pages\":0}", "ept_pages", 320, 262144 },
	{ "{\"ept_pages\":319}", "ept_pages", 320, 262144 },
	{ "{\"contexts\":9}", "contexts", 1, 8 },
	{ "{\"vcpus\":1,\"contexts\":0}", "contexts", 1, 8 },
};

START_TEST(limits_that_are_wrong)
{
	char parameters[128];
	struct json_object *reply;

	snprintf(parameters, sizeof(parameters), "{\"limits\":%s}", wrong_limits[_i].limits);
	reply = client_call(client, M("Create"), parameters, DUNE_ERROR("InvalidLimit"));
	ck_assert_str_eq(json_text_at(reply, "limit"), wrong_limits[_i].name);
	ck_assert_int_eq(json_int_at(reply, "minimum"), wrong_limits[_i].minimum);
	ck_assert_int_eq(json_int_at(reply, "maximum"), wrong_limits[_i].maximum);
	json_object_put(reply);
	ck_assert_uint_eq(count_contexts(client), 0);
}
END_TEST

START_TEST(limits_in_force)
{
	int fd;
	struct json_object *reply =
		create_full(client, "{\"limits\":{\"vcpus\":100,\"ept_pages\":null}}", &fd);

	/* vcpus: the module's ceiling of 100 is below the configuration's */
	json_expect(reply, JSON_ROWS({ "context.limits.vcpus", 100 },
				     { "context.limits.private_pages", 4096 },
				     { "context.limits.ept_pages", 16384 },
				     { "context.limits.contexts", 8 }));
	json_object_put(reply);
	expect_error(client, M("Create"), "{\"limits\":{\"threads\":1}}",
		     VARLINK_ERROR("InvalidParameter"));
	expect_error(client, M("Create"), "{\"limits\":[]}", VARLINK_ERROR("InvalidParameter"));
	expect_error(client, M("Create"), "{\"limits\":{\"vcpus\":\"1\"}}",
		     VARLINK_ERROR("InvalidParameter"));
	close(fd);
}
END_TEST

START_TEST(info_with_the_module)
{
	int fd = create(client, NULL, NULL);
	struct json_object *reply = client_call(client, M("Info"), NULL, NULL);

	ck_assert(json_object_get_boolean(json_at(reply, "module.loaded")));
	ck_assert(!json_object_object_get_ex(json_at(reply, "module"), "problem", NULL));
	ck_assert_str_eq(json_text_at(reply, "module.version"), "fake");
	ck_assert_str_eq(json_text_at(reply, "module.features.0"), "ept_2m");
	ck_assert_str_eq(json_text_at(reply, "module.features.1"), "feature_40");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.0.name"), "l1tf");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.0.state"), "vulnerable");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.1.name"), "mds");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.1.state"), "mitigated");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.1.how"), "VERW before every entry");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.2.name"), "bug_63");
	ck_assert_str_eq(json_text_at(reply, "module.bugs.2.state"), "unknown");
	json_expect(reply,
		    JSON_ROWS({ "module.allocated.contexts", 1 }, { "module.created", 1 },
			      { "quotas.contexts_per_user", 8 }, { "quotas.contexts_per_host", 12 },
			      { "quotas.maximum.vcpus", 100 }));
	json_object_put(reply);
	close(fd);
}
END_TEST

START_TEST(quota_of_a_user)
{
	int fds[8], extra;

	for (int i = 0; i < 8; i++)
		fds[i] = create(client, NULL, NULL);
	client_check(client, M("Create"), NULL,
		     "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":"
		     "{\"limit\":\"contexts\",\"maximum\":8,\"used\":8,"
		     "\"scope\":\"user\",\"name\":\"0\"}}");
	/* Ended ones count while somebody holds them. */
	move(fds[0], 'x');
	expect_error(client, M("Create"), NULL, DUNE_ERROR("QuotaExceeded"));
	close(fds[0]);
	extra = create(client, NULL, NULL);
	close(extra);
	client_check(client, M("Create"), "{\"limits\":{\"contexts\":7}}",
		     "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":"
		     "{\"limit\":\"contexts\",\"maximum\":7,\"used\":7}}");
	for (int i = 1; i < 8; i++)
		close(fds[i]);
	ck_assert_uint_eq(count_contexts(client), 0);
}
END_TEST

START_TEST(ceiling_of_the_module)
{
	int fds[3];

	start("fake:small", "");
	for (int i = 0; i < 3; i++)
		fds[i] = create(client, NULL, NULL);
	expect_error(client, M("Create"), NULL, DUNE_ERROR("QuotaExceeded"));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(create(client, NULL, NULL));
}
END_TEST

/* To the module, a limit of 0 means its ceiling: the service must never send one. */
START_TEST(ceilings_of_zero)
{
	start("fake:none", "[quota user]\ncontexts = 1\n");
	client_check(client, M("Create"), NULL,
		     "{\"error\":\"io.dune.Manager.InvalidLimit\",\"parameters\":"
		     "{\"limit\":\"vcpus\",\"minimum\":1,\"maximum\":0}}");
	client_check(client, M("Create"), "{\"limits\":{\"vcpus\":1}}",
		     "{\"error\":\"io.dune.Manager.InvalidLimit\",\"parameters\":"
		     "{\"limit\":\"vcpus\",\"minimum\":1,\"maximum\":0}}");
}
END_TEST

START_TEST(quota_of_zero)
{
	start("fake", "[quota user]\ncontexts = 0\n");
	client_check(client, M("Create"), NULL,
		     "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":"
		     "{\"limit\":\"contexts\",\"maximum\":0,\"used\":0,"
		     "\"scope\":\"user\",\"name\":\"0\"}}");
}
END_TEST

START_TEST(module_of_another_version)
{
	static const char mismatch[] = "{\"error\":\"io.dune.Manager.ModuleMismatch\","
				       "\"parameters\":{\"expected\":2,\"found\":9}}";
	struct json_object *reply;

	start("fake:abi", "");
	client_check(client, M("List"), NULL, mismatch);
	client_check(client, M("Create"), NULL, mismatch);
	reply = client_call(client, M("Info"), NULL, NULL);
	ck_assert(json_object_get_boolean(json_at(reply, "module.loaded")));
	ck_assert_str_eq(json_text_at(reply, "module.problem"), "EPROTONOSUPPORT");
	ck_assert_int_eq(json_int_at(reply, "module.abi"), 9);
	ck_assert_int_eq(json_int_at(reply, "module.abi_expected"), DUNE_ABI_VERSION);
	json_object_put(reply);
}
END_TEST

/* A client that goes away without taking the descriptor leaves no context behind. */
START_TEST(nobody_takes_the_descriptor)
{
	for (int i = 0; i < 20; i++) {
		int fd = client_new(&service);

		client_send_call(fd, M("Create"), NULL, 0);
		if (i % 2)
			usleep(2000);
		close(fd);
	}
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && count_contexts(client); i++)
		usleep(10000);
	ck_assert_uint_eq(count_contexts(client), 0);
	client_send_call(client, M("Create"), NULL, VARLINK_ONEWAY);
	ck_assert_uint_eq(count_contexts(client), 0);
}
END_TEST

/* Descriptors ride on the first byte of their own reply, whatever stands in the queue. */
START_TEST(pipelined_creates)
{
	int fds[8];

	for (int i = 0; i < 8; i++) {
		client_send_call(client, M("Info"), NULL, 0);
		client_send_call(client, M("Create"), NULL, 0);
	}
	for (int i = 0; i < 8; i++) {
		json_object_put(client_expect(client, NULL, false, NULL));
		json_object_put(client_expect(client, NULL, false, &fds[i]));
		ck_assert_int_ge(fds[i], 0);
	}
	ck_assert_uint_eq(count_contexts(client), 8);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	ck_assert_uint_eq(count_contexts(client), 0);
}
END_TEST

/* ---- streams ---- */

START_TEST(stats_of_all)
{
	int fds[2] = { create(client, "{\"name\":\"a\"}", NULL), create(client, NULL, NULL) };
	struct json_object *reply = client_call(client, M("Stats"), NULL, NULL);

	ck_assert_uint_eq(json_object_array_length(json_at(reply, "samples")), 2);
	ck_assert_str_eq(json_text_at(reply, "samples.0.context.name"), "a");
	ck_assert_int_eq(json_int_at(reply, "samples.1.counters.exits"), 0);
	ck_assert_int_gt(json_int_at(reply, "time_usec"), 0);
	json_object_put(reply);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(stream_of_one)
{
	int fd = create(client, "{\"name\":\"s\"}", NULL), other;
	int64_t last = 0, now;

	client_send_call(client, M("Stats"), "{\"name\":\"s\",\"interval_ms\":100}", VARLINK_MORE);
	/* This one has to wait for the end of the stream. */
	client_send_call(client, M("List"), NULL, 0);
	for (int i = 0; i < 4; i++) {
		struct json_object *reply = client_expect(client, NULL, true, NULL);

		now = json_int_at(reply, "time_usec");
		ck_assert(!last || (now - last > 50000 && now - last < 2000000));
		last = now;
		ck_assert_str_eq(json_text_at(reply, "samples.0.context.state"),
				 i < 2 ? "new" : "running");
		json_object_put(reply);
		if (i == 1)
			move(fd, 'r');
	}
	/* The stream ends with its context, also when another takes over the name. */
	other = client_new(&service);
	close(fd);
	fd = create(other, "{\"name\":\"s\"}", NULL);
	for (;;) {
		const char *message = client_receive(client);

		if (strstr(message, "NoSuchContext"))
			break;
		ck_assert_ptr_nonnull(strstr(message, "\"continues\":true"));
		ck_assert_ptr_nonnull(strstr(message, "\"running\""));
	}
	json_object_put(client_expect(client, NULL, false, NULL));
	close(fd);
	close(other);
}
END_TEST

START_TEST(stream_outlives_a_half_close)
{
	int fd = client_new(&service);

	client_send_call(fd, M("Stats"), "{\"interval_ms\":100}", VARLINK_MORE);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 3; i++)
		json_object_put(client_expect(fd, NULL, true, NULL));
	close(fd);
}
END_TEST

/* A reader that sleeps gets samples of now, not those that it missed. */
START_TEST(stream_to_a_slow_reader)
{
	int fds[8], fd = client_new(&service), small = 1;
	int64_t last = 0, largest_step = 0;

	for (int i = 0; i < 8; i++) {
		fds[i] = create(client, NULL, NULL);
		move(fds[i], 'r');
	}
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	client_send_call(fd, M("Stats"), "{\"interval_ms\":100}", VARLINK_MORE);
	sleep(4);
	for (int i = 0; i < 60; i++) {
		struct json_object *reply = client_expect(fd, NULL, true, NULL);
		int64_t now = json_int_at(reply, "time_usec");

		if (last && now - last > largest_step)
			largest_step = now - last;
		last = now;
		json_object_put(reply);
	}
	/* The socket holds some; what came after it was full is missing. */
	ck_assert_int_gt(largest_step, 500000);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	close(fd);
}
END_TEST

START_TEST(list_ignores_more)
{
	client_send_call(client, M("List"), NULL, VARLINK_MORE);
	ck_assert_str_eq(client_receive(client), "{\"parameters\":{\"contexts\":[]}}");
}
END_TEST

/* ---- several users; these need root to be several users ---- */

START_TEST(users_see_their_own)
{
	int first = client_new_as(&service, OTHER_UID), second = client_new_as(&service, THIRD_UID);
	int64_t id;
	int fd = create(first, "{\"name\":\"mine\"}", &id);
	char parameters[64];
	struct json_object *reply;

	move(fd, 'r');
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld}", (long long)id);
	ck_assert_uint_eq(count_contexts(first), 1);
	ck_assert_uint_eq(count_contexts(second), 0);
	ck_assert_uint_eq(count_contexts(client), 1);
	client_check(second, M("Inspect"), parameters, NO_SUCH);
	client_check(second, M("Inspect"), "{\"name\":\"mine\"}", NO_SUCH);
	client_check(second, M("Stats"), parameters, NO_SUCH);
	client_check(second, M("Kill"), parameters, NO_SUCH);
	client_check(second, M("Kill"), "{\"name\":\"mine\"}", NO_SUCH);
	service_wait_log(&service,
			 "client of uid 4002: io.dune.Manager.Inspect of context 1 of uid "
			 "4001 was refused (pid ");
	service_wait_log(&service, "io.dune.Manager.Kill of context 1 of uid 4001 was refused");
	reply = client_call(second, M("Stats"), NULL, NULL);
	ck_assert_uint_eq(json_object_array_length(json_at(reply, "samples")), 0);
	json_object_put(reply);
	reply = client_call(client, M("Inspect"), parameters, NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "running");
	ck_assert_int_eq(json_int_at(reply, "context.owner"), OTHER_UID);
	json_object_put(reply);
	client_check(client, M("Kill"), "{\"name\":\"mine\"}", "{\"parameters\":{}}");
	close(fd);
	close(first);
	close(second);
}
END_TEST

static void expect_id_of_n(int64_t id)
{
	struct json_object *reply = client_call(client, M("Inspect"), "{\"name\":\"n\"}", NULL);

	ck_assert_int_eq(json_int_at(reply, "context.id"), id);
	json_object_put(reply);
}

START_TEST(a_name_of_several_owners)
{
	int first = client_new_as(&service, OTHER_UID), second = client_new_as(&service, THIRD_UID);
	int fds[3] = { create(first, "{\"name\":\"n\"}", NULL),
		       create(second, "{\"name\":\"n\"}", NULL) };

	client_check(client, M("Kill"), "{\"name\":\"n\"}",
		     "{\"error\":\"io.dune.Manager.AmbiguousName\","
		     "\"parameters\":{\"name\":\"n\",\"ids\":[1,2]}}");
	move(fds[1], 'r');
	client_check(second, M("Kill"), "{\"name\":\"n\"}", "{\"parameters\":{}}");
	expect_error(client, M("Inspect"), "{\"id\":1}", NULL);
	/* The one that lives, then the newest of those that have ended. */
	expect_id_of_n(1);
	move(fds[0], 'x');
	expect_id_of_n(2);
	fds[2] = create(second, "{\"name\":\"n\"}", NULL);
	expect_id_of_n(3);
	move(fds[2], 'x');
	expect_id_of_n(3);
	close(fds[2]);
	expect_id_of_n(2);
	close(fds[0]);
	close(fds[1]);
	close(first);
	close(second);
}
END_TEST

START_TEST(quota_of_the_host)
{
	int first = client_new_as(&service, OTHER_UID), second = client_new_as(&service, THIRD_UID);
	int fds[12];

	for (int i = 0; i < 12; i++)
		fds[i] = create(i < 8 ? first : second, NULL, NULL);
	client_check(second, M("Create"), NULL,
		     "{\"error\":\"io.dune.Manager.QuotaExceeded\",\"parameters\":"
		     "{\"limit\":\"contexts\",\"maximum\":12,\"used\":12,"
		     "\"scope\":\"host\"}}");
	for (int i = 0; i < 12; i++)
		close(fds[i]);
	close(first);
	close(second);
}
END_TEST

START_TEST(root_always_gets_in)
{
	enum { CLIENTS = 4 };
	int fds[CLIENTS + 1], root;

	start("fake", "[connections]\nper-user = 8\nper-host = 20\n");
	for (int i = 0; i <= CLIENTS; i++)
		fds[i] = client_new_as(&service, OTHER_UID);
	/* 20 less 16 for root, one of which this test's own client has */
	for (int i = 0; i < CLIENTS - 1; i++)
		ck_assert_uint_eq(count_contexts(fds[i]), 0);
	ck_assert_ptr_nonnull(strstr(client_receive(fds[CLIENTS]), "\"limit\":\"connections\""));
	root = client_new(&service);
	ck_assert_uint_eq(count_contexts(root), 0);
	for (int i = 0; i <= CLIENTS; i++)
		close(fds[i]);
	close(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_contexts");
	TCase *tests = tcase_create("running"), *stopped = tcase_create("starting");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, life_of_a_context);
	tcase_add_test(tests, kill_a_context);
	tcase_add_loop_test(tests, selectors_that_are_wrong, 0, NR_ROWS(selectors));
	tcase_add_loop_test(tests, contexts_that_are_not_there, 0, NR_ROWS(nowhere));
	tcase_add_test(tests, names);
	tcase_add_loop_test(tests, limits_that_are_wrong, 0, NR_ROWS(wrong_limits));
	tcase_add_test(tests, limits_in_force);
	tcase_add_test(tests, info_with_the_module);
	tcase_add_test(tests, quota_of_a_user);
	tcase_add_test(tests, nobody_takes_the_descriptor);
	tcase_add_test(tests, pipelined_creates);
	tcase_add_test(tests, stats_of_all);
	tcase_add_test(tests, stream_of_one);
	tcase_add_test(tests, stream_outlives_a_half_close);
	tcase_add_test(tests, stream_to_a_slow_reader);
	tcase_add_test(tests, list_ignores_more);
	tcase_add_test(tests, report_of_a_guest_fault);
	if (geteuid() != 0) {
		puts("SKIP users_see_their_own: needs root to be several users");
		puts("SKIP a_name_of_several_owners: needs root to be several users");
		puts("SKIP quota_of_the_host: needs root to be several users");
		puts("SKIP root_always_gets_in: needs root to be several users");
	} else {
		tcase_add_test(tests, users_see_their_own);
		tcase_add_test(tests, a_name_of_several_owners);
		tcase_add_test(tests, quota_of_the_host);
	}
	suite_add_tcase(suite, tests);
	tcase_set_timeout(stopped, 60);
	tcase_add_checked_fixture(stopped, setup_stopped, teardown);
	tcase_add_test(stopped, ceiling_of_the_module);
	tcase_add_test(stopped, ceilings_of_zero);
	tcase_add_test(stopped, quota_of_zero);
	tcase_add_test(stopped, module_of_another_version);
	if (geteuid() == 0)
		tcase_add_test(stopped, root_always_gets_in);
	suite_add_tcase(suite, stopped);
	return suite_run(suite);
}
