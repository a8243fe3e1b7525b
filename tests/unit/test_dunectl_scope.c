// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl launch --scope: every kind of property, and what becomes of a launch when the bus refuses, keeps
 * silent or is not there. systemd is played by a process of the test that speaks D-Bus; the real one is
 * tests/service/cases/70-scope.sh.
 */
#include "tests/unit/test_dunectl_run.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#include "dunectl/scope.h"
#include "tests/unit/suite.h"

#define CREATED                                                                     \
	"{\"context\":{\"id\":7,\"name\":\"seven\",\"owner\":0,\"created_usec\":5," \
	"\"limits\":{},\"usage\":{},\"state\":\"new\"},\"context_fd\":0}"

static struct run run;
static pid_t manager;

static const struct canned service[] = {
	{ "Create", .parameters = CREATED, .with_fd = true },
	{ 0 },
};

static const struct canned no_service[] = { { 0 } };

static void setup(void)
{
	run_setup(&run);
	manager = 0;
}

static void teardown(void)
{
	if (manager > 0) {
		kill(manager, SIGKILL);
		waitpid(manager, NULL, 0);
	}
	run_teardown(&run);
}

/* ---- properties ---- */

static const struct good {
	const char *text;
	const char *name;
	char type;
	uint64_t number;
	const char *value;
} goods[] = {
	{ "MemoryMax=1G", "MemoryMax", 't', 1ULL << 30, NULL },
	{ "MemoryMax=4096", "MemoryMax", 't', 4096, NULL },
	{ "MemoryHigh=infinity", "MemoryHigh", 't', UINT64_MAX, NULL },
	{ "MemoryLow=50%", "MemoryLowScale", 'u', UINT32_MAX / 2, NULL },
	{ "MemorySwapMax=0", "MemorySwapMax", 't', 0, NULL },
	{ "MemoryMin=100%", "MemoryMinScale", 'u', UINT32_MAX, NULL },
	{ "TasksMax=100", "TasksMax", 't', 100, NULL },
	{ "TasksMax=infinity", "TasksMax", 't', UINT64_MAX, NULL },
	{ "TasksMax=25%", "TasksMaxScale", 'u', UINT32_MAX / 4, NULL },
	{ "CPUQuota=50%", "CPUQuotaPerSecUSec", 't', 500000, NULL },
	{ "CPUQuota=250.5%", "CPUQuotaPerSecUSec", 't', 2505000, NULL },
	{ "CPUQuota=infinity", "CPUQuotaPerSecUSec", 't', UINT64_MAX, NULL },
	{ "CPUWeight=1", "CPUWeight", 't', 1, NULL },
	{ "IOWeight=10000", "IOWeight", 't', 10000, NULL },
	{ "RuntimeMaxSec=1.5", "RuntimeMaxUSec", 't', 1500000, NULL },
	{ "TimeoutStopSec=infinity", "TimeoutStopUSec", 't', UINT64_MAX, NULL },
	{ "CPUAccounting=yes", "CPUAccounting", 'b', 1, NULL },
	{ "SendSIGHUP=true", "SendSIGHUP", 'b', 1, NULL },
	{ "SendSIGKILL=0", "SendSIGKILL", 'b', 0, NULL },
	{ "OOMPolicy=kill", "OOMPolicy", 's', 0, "kill" },
	{ "KillMode=mixed=x", "KillMode", 's', 0, "mixed=x" },
};

START_TEST(a_good_property)
{
	const struct good *good = &goods[_i];
	struct scope_property property;
	const char *expected;

	ck_assert_int_eq(scope_property_parse(good->text, &property, &expected), 0);
	ck_assert_str_eq(property.name, good->name);
	ck_assert_int_eq(property.type, good->type);
	if (good->value)
		ck_assert_str_eq(property.text, good->value);
	else
		ck_assert_uint_eq(property.number, good->number);
}
END_TEST

static const struct bad {
	char *text;
	int error;
	const char *message;
} bads[] = {
	{ "", -ENOENT, "no property ''" },
	{ "=1", -ENOENT, "no property ''" },
	{ "Memory=1", -ENOENT, "no property 'Memory'" },
	{ "MemoryMaxi=1", -ENOENT, "no property 'MemoryMaxi'" },
	{ "memorymax=1", -ENOENT, "no property 'memorymax'" },
	{ "ExecStart=/bin/sh", -ENOENT, "no property 'ExecStart'" },
	{ "Slice=x", -ENOENT, "no property 'Slice'" },
	{ "MemoryMax", -EINVAL, "MemoryMax needs =VALUE: bytes" },
	{ "MemoryMax=", -EINVAL, "bytes" },
	{ "MemoryMax=-1", -EINVAL, "bytes" },
	{ "MemoryMax=1GB", -EINVAL, "bytes" },
	{ "MemoryMax=101%", -EINVAL, "bytes" },
	{ "MemoryMax=99999999999999999999", -EINVAL, "bytes" },
	{ "MemoryMax=16777216T", -EINVAL, "bytes" },
	{ "TasksMax=1K", -EINVAL, "a number, a percentage" },
	{ "TasksMax=many", -EINVAL, "a number, a percentage" },
	{ "CPUQuota=50", -EINVAL, "a percentage of one CPU" },
	{ "CPUQuota=0%", -EINVAL, "a percentage of one CPU" },
	{ "CPUQuota=1e9%", -EINVAL, "a percentage of one CPU" },
	{ "CPUQuota=0x10%", -EINVAL, "a percentage of one CPU" },
	{ "CPUWeight=0", -EINVAL, "1 to 10000" },
	{ "CPUWeight=10001", -EINVAL, "1 to 10000" },
	{ "CPUWeight=infinity", -EINVAL, "1 to 10000" },
	{ "IOAccounting=maybe", -EINVAL, "yes or no" },
	{ "IOAccounting=infinity", -EINVAL, "yes or no" },
	{ "RuntimeMaxSec=5min", -EINVAL, "seconds" },
	{ "RuntimeMaxSec=", -EINVAL, "seconds" },
	{ "OOMPolicy=", -EINVAL, "a word" },
};

START_TEST(a_bad_property)
{
	const struct bad *bad = &bads[_i];
	struct scope_property property = { .name = "untouched" };
	const char *expected;

	ck_assert_int_eq(scope_property_parse(bad->text, &property, &expected), bad->error);
	ck_assert_str_eq(property.name, "untouched");
	run_service(&run, no_service);
	run_dunectl(&run, "launch", "--scope-property", bad->text, "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_msg(strstr(run.err, bad->message) != NULL, "%s", run.err);
}
END_TEST

/* Every property that dunectl(1) names is known, and one that is known is named there. */
START_TEST(properties_stand_in_the_man_page)
{
	char name[64], line[160];
	int in_list = 0, nr_named = 0, nr_rows = 0;
	FILE *file = fopen("dunectl/dunectl.1", "re");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		struct scope_property property;
		const char *expected;

		if (strstr(line, "systemd.scope (5):"))
			in_list = 1;
		else if (in_list && sscanf(line, ".BR %63[A-Za-z]", name) != 1)
			break;
		else if (in_list && ++nr_named)
			ck_assert_msg(scope_property_parse(name, &property, &expected) == -EINVAL,
				      "unknown: %s", name);
	}
	fclose(file);
	file = fopen("dunectl/scope_property.c", "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		nr_rows += strstr(line, ", KIND_") != NULL;
	fclose(file);
	ck_assert_int_gt(nr_rows, 0);
	ck_assert_int_eq(nr_named, nr_rows);
}
END_TEST

/* ---- the bus ---- */

/* How the manager of a test behaves: what it answers to StartTransientUnit. */
struct behaviour {
	const char *error; /* NULL: takes it */
	const char *result; /* of the job; NULL: it never ends */
	bool silent; /* no answer at all */
};

/* As a bus hands signals on: with the sender's name, which matches look at. */
static int job_removed(sd_bus *bus, uint32_t id, const char *path, const char *result)
{
	sd_bus_message *signal = NULL;
	int r = sd_bus_message_new_signal(bus, &signal, "/org/freedesktop/systemd1",
					  "org.freedesktop.systemd1.Manager", "JobRemoved");

	if (r >= 0)
		r = sd_bus_message_set_sender(signal, "org.freedesktop.systemd1");
	if (r >= 0)
		r = sd_bus_message_append(signal, "uoss", id, path, "x.scope", result);
	if (r >= 0)
		r = sd_bus_send(bus, signal, NULL);
	sd_bus_message_unref(signal);
	return r;
}

static int answer_start(sd_bus *bus, sd_bus_message *call, const struct behaviour *behaviour)
{
	static const char *const job = "/org/freedesktop/systemd1/job/1";
	int r;

	if (behaviour->silent)
		return 0;
	if (behaviour->error)
		return sd_bus_reply_method_errorf(call, behaviour->error, "%s", "not today");
	r = sd_bus_reply_method_return(call, "o", job);
	/* Another's job, which is nobody's business here */
	if (r >= 0)
		r = job_removed(bus, 9, "/org/freedesktop/systemd1/job/9", "failed");
	if (r >= 0 && behaviour->result)
		r = job_removed(bus, 1, job, behaviour->result);
	return r;
}

static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(message);
	int r;

	if (!member || !sd_bus_message_is_method_call(message, NULL, NULL))
		return 0;
	if (!strcmp(member, "Hello"))
		r = sd_bus_reply_method_return(message, "s", ":1.1");
	else if (!strcmp(member, "StartTransientUnit"))
		r = answer_start(sd_bus_message_get_bus(message), message, data);
	else
		r = sd_bus_reply_method_return(message, "");
	return r < 0 ? r : 1;
}

_Noreturn static void serve(int listener, const struct behaviour *behaviour)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;
	sd_id128_t id;
	sd_bus *bus;

	alarm(30);
	if (fd < 0 || sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 ||
	    sd_bus_set_fd(bus, fd, fd) < 0 || sd_bus_set_server(bus, 1, id) < 0 ||
	    sd_bus_start(bus) < 0 || sd_bus_add_filter(bus, NULL, on_call, (void *)behaviour) < 0)
		_exit(1);
	do {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	} while (r >= 0);
	_exit(0);
}

static void play_manager(const struct behaviour *behaviour)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char variable[160];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", run.folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	manager = fork();
	ck_assert_int_ge(manager, 0);
	if (manager == 0)
		serve(fd, behaviour);
	close(fd);
	snprintf(variable, sizeof(variable), "unix:path=%s", address.sun_path);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", variable, 1);
	setenv("DBUS_SESSION_BUS_ADDRESS", variable, 1);
}

static void use_loader(void)
{
	char path[128];

	setenv("DUNE_EXEC", run_file(&run, "loader", "#!/bin/sh\nexit 3\n", 0755, path), 1);
}

START_TEST(a_scope_that_is_made)
{
	static const struct behaviour behaviour = { .result = "done" };

	run_service(&run, service);
	use_loader();
	play_manager(&behaviour);
	run_dunectl(&run, "launch", "--scope", "true");
	ck_assert_msg(run.status == 3, "%d: %s", run.status, run.err);
	ck_assert_str_eq(run.err, "");
}
END_TEST

static const struct failure {
	struct behaviour behaviour;
	const char *message;
} failures[] = {
	{ { .error = "org.freedesktop.systemd1.UnitExists" },
	  "cannot make a scope: systemd refuses: not today [org.freedesktop.systemd1.UnitExists]" },
	{ { .error = "org.freedesktop.DBus.Error.ServiceUnknown" },
	  "not today [org.freedesktop.DBus.Error.ServiceUnknown]\nhint: " },
	{ { .result = "failed" }, "cannot make a scope: systemd could not start it: failed" },
	{ { .result = NULL }, "cannot make a scope: waiting for systemd: Connection timed out" },
	{ { .silent = true }, "cannot make a scope: systemd refuses: " },
};

/* Without a context: the service of this test would answer with what ends the test. */
START_TEST(a_scope_that_is_not_made)
{
	run_service(&run, no_service);
	use_loader();
	play_manager(&failures[_i].behaviour);
	run_dunectl(&run, "--timeout=0.5", "launch", "--scope", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_msg(strstr(run.err, failures[_i].message) != NULL, "%s", run.err);
}
END_TEST

START_TEST(no_bus)
{
	run_service(&run, no_service);
	use_loader();
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	run_dunectl(&run, "launch", "--scope", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_ptr_nonnull(strstr(run.err, "cannot make a scope: no bus to the "));
	ck_assert_ptr_nonnull(strstr(run.err, "hint: "));
}
END_TEST

START_TEST(bad_slices)
{
	char name[300];

	run_service(&run, no_service);
	memset(name, 'a', sizeof(name) - 1);
	name[SCOPE_SLICE_MAX + 1] = '\0';
	run_dunectl(&run, "launch", "--slice", name, "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_ptr_nonnull(strstr(run.err, "--slice needs the name of a slice, of 1 to 249"));
	run_dunectl(&run, "launch", "--slice=", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_ptr_nonnull(strstr(run.err, "--slice needs the name of a slice"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl_scope");
	TCase *tests = tcase_create("dunectl_scope");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, a_good_property, 0, NR_ROWS(goods));
	tcase_add_loop_test(tests, a_bad_property, 0, NR_ROWS(bads));
	tcase_add_test(tests, properties_stand_in_the_man_page);
	tcase_add_test(tests, a_scope_that_is_made);
	tcase_add_loop_test(tests, a_scope_that_is_not_made, 0, NR_ROWS(failures));
	tcase_add_test(tests, no_bus);
	tcase_add_test(tests, bad_slices);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
