// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What tenants do to their own contexts is told in the journal, but not as often as they like: its
 * room is everybody's. What root and administrators do is told each time.
 */
#include "duned/log.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define M(name)	       "io.dune.Manager." name
#define TENANT	       4001
#define OTHER	       4002
#define ADMINISTRATOR  4003
#define OFTEN	       60
#define KINDS	       5 /* of messages below: the first of each is written whatever came before */

_Static_assert(OFTEN > LOG_CLIENT_BURST + KINDS, "more than the limit");

static struct service service;

static void setup(void)
{
	char config[64];

	service_setup(&service);
	snprintf(config, sizeof(config), "[access]\nadministrators = %d\n", ADMINISTRATOR);
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
}

static void teardown(void)
{
	ck_assert_int_eq(service_stop(&service), 0);
	service_teardown(&service);
}

static int create(int client, const char *name)
{
	char parameters[64];
	int fd;

	snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\"}", name);
	client_send_call(client, M("Create"), parameters, 0);
	json_object_put(client_expect(client, NULL, false, &fd));
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void call(int client, const char *method, const char *parameters)
{
	json_object_put(client_call(client, method, parameters, NULL));
}

/* Moves a context on, see fake_table.c; once the call is answered, the events of that were read. */
static void move(int client, int context, const char *commands)
{
	ck_assert_int_eq(write(context, commands, strlen(commands)), (ssize_t)strlen(commands));
	call(client, M("GetQuota"), NULL);
}

static void change_limits(int client, int context, int i)
{
	call(client, M("SetLimits"),
	     i % 2 ? "{\"name\":\"c\",\"limits\":{\"vcpus\":2}}" :
		     "{\"name\":\"c\",\"limits\":{\"vcpus\":1}}");
}

static void kill_it(int client, int context, int i)
{
	move(client, context, "r");
	call(client, M("Kill"), "{\"name\":\"c\"}");
}

static void fault(int client, int context, int i)
{
	move(client, context, "rp");
}

static void end(int client, int context, int i)
{
	move(client, context, "rx");
}

static void meet_limit(int client, int context, int i)
{
	move(client, context, "l");
}

static const struct {
	void (*run)(int client, int context, int i);
	const char *line; /* what is logged of it, with a uid */
} deeds[] = {
	{ change_limits, "(c) of uid %u changed by uid %u:" },
	{ kill_it, "(c) of uid %u is killed for uid %u" },
	{ fault, "(c) of uid %u ended: panic" },
	{ end, "(c) of uid %u ended: exit" },
	{ meet_limit, "(c) of uid %u met its limit" },
};

static size_t count_lines(const char *part)
{
	static char line[4096];
	FILE *log = fopen(service.log, "re");
	size_t count = 0;

	ck_assert_ptr_nonnull(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, part) != NULL;
	fclose(log);
	return count;
}

/* What everybody else's message needs: that it comes is also that all before it was written. */
static void expect_others_message(void)
{
	int client = client_new_as(&service, OTHER);

	json_object_put(client_call(client, M("Reload"), NULL, VARLINK_ERROR("PermissionDenied")));
	service_wait_log(&service, "client of uid 4002: io.dune.Manager.Reload was refused");
	close(client);
}

START_TEST(tenants_have_a_limit)
{
	char part[64];
	int client, context;

	if (geteuid() != 0)
		return;
	client = client_new_as(&service, TENANT);
	context = create(client, "c");
	for (int i = 0; i < OFTEN; i++)
		deeds[_i].run(client, context, i);
	expect_others_message();
	snprintf(part, sizeof(part), "of uid %u", TENANT);
	ck_assert_uint_ge(count_lines(part), LOG_CLIENT_BURST);
	/* A time may end in between, and then there is another one's. */
	ck_assert_uint_le(count_lines(part), 2 * (LOG_CLIENT_BURST + KINDS));
	close(context);
	close(client);
}
END_TEST

START_TEST(root_and_administrators_have_none)
{
	const uid_t uid = _i % 2 ? ADMINISTRATOR : 0;
	char line[96];
	int client, context;

	if (geteuid() != 0)
		return;
	client = client_new_as(&service, uid);
	context = create(client, "c");
	for (int i = 0; i < OFTEN; i++)
		deeds[_i / 2].run(client, context, i + 1);
	expect_others_message();
	snprintf(line, sizeof(line), deeds[_i / 2].line, uid, uid);
	ck_assert_uint_eq(count_lines(line), OFTEN);
	close(context);
	close(client);
}
END_TEST

START_TEST(what_changes_nothing_is_not_told)
{
	int client = client_new(&service), context = create(client, "c");

	change_limits(client, context, 0);
	for (int i = 0; i < 10; i++)
		change_limits(client, context, 1);
	if (geteuid() == 0)
		expect_others_message();
	ck_assert_uint_eq(count_lines("2 vcpus"), 1);
	close(context);
	close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_journal");
	TCase *tests = tcase_create("journal");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, tenants_have_a_limit, 0, NR_ROWS(deeds));
	tcase_add_loop_test(tests, root_and_administrators_have_none, 0, 2 * NR_ROWS(deeds));
	tcase_add_test(tests, what_changes_nothing_is_not_told);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
