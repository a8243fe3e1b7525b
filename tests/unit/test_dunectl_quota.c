// SPDX-License-Identifier: LGPL-2.1-or-later
/* dunectl quota, limit and reload against canned replies: what is sent, what is shown, what is refused. */
#include "tests/unit/suite.h"
#include "tests/unit/test_dunectl_run.h"

static struct run run;

static void setup(void)
{
	run_setup(&run);
}

static void teardown(void)
{
	run_teardown(&run);
}

#define RULES                                                                                    \
	"{\"rules\":[{\"scope\":\"host\",\"resource\":\"contexts\",\"maximum\":1024,\"used\":3," \
	"\"origin\":\"default\"},{\"scope\":\"user\",\"resource\":\"private_pages\","            \
	"\"maximum\":262144,\"origin\":\"/etc/dune/duned.conf:7\"},{\"scope\":\"user\","         \
	"\"name\":\"0\",\"resource\":\"ept_pages\",\"used\":512,\"origin\":\"run-time\"},"       \
	"{\"scope\":\"cgroup\",\"name\":\"/a\\u001b[31m\",\"resource\":\"create_rate\","         \
	"\"maximum\":60,\"used\":0,\"origin\":\"run-time\"}]}"

/* The first row that matches answers; anything else that is sent is refused by the last ones. */
static const struct canned service[] = {
	{ "GetQuota", .needs = "\"scope\":\"host\"", .parameters = "{\"rules\":[]}" },
	{ "GetQuota", .needs = "\"scope\":\"user\"", .error = "io.dune.Manager.InvalidQuota",
	  .parameters = "{\"field\":\"name\",\"reason\":\"is no user known here\"}" },
	{ "GetQuota", .parameters = RULES },
	{ "SetQuota", .needs = "{\"name\":\"alice\",\"scope\":\"user\",\"budget\":{\"contexts\":10,"
			       "\"private_pages\":16384}}" },
	{ "SetQuota", .needs = "{\"scope\":\"host\",\"budget\":{\"vcpus\":-1,\"ept_pages\":1,"
			       "\"create_rate\":0}}" },
	{ "SetQuota", .needs = "{\"name\":\"x\",\"scope\":\"group\",\"reset\":true}" },
	{ "SetQuota", .needs = "{\"scope\":\"process\",\"reset\":true}" },
	{ "SetQuota", .needs = "{\"reset\":true}" },
	{ "SetQuota", .error = "org.varlink.service.PermissionDenied" },
	{ "SetLimits", .needs = "{\"id\":7,\"limits\":{\"vcpus\":3,\"private_pages\":1}}" },
	{ "SetLimits", .needs = "{\"name\":\"seven\",\"limits\":{\"ept_pages\":256}}" },
	{ "SetLimits", .error = "io.dune.Manager.QuotaExceeded",
	  .parameters = "{\"limit\":\"vcpus\",\"scope\":\"user\",\"name\":\"al\",\"maximum\":5,"
			"\"used\":4}" },
	{ "Reload", .error = "io.dune.Manager.InvalidConfiguration",
	  .parameters = "{\"file\":\"/c\",\"line\":2,\"column\":8,\"reason\":\"x wants a number\","
			"\"text\":\"  x  = ma\\u0007y\",\"caret\":7,\"caret_length\":4}" },
	{ 0 },
};

START_TEST(quotas_as_a_table)
{
	run_service(&run, service);
	run_dunectl(&run, "quota");
	ck_assert_int_eq(run.status, 0);
	ck_assert_str_eq(run.out,
			 "QUOTA           RESOURCE         MAXIMUM  USED  ORIGIN\n"
			 "host            contexts            1024     3  default\n"
			 "every user      private_pages       1.0G     -  /etc/dune/duned.conf:7\n"
			 "user root       ept_pages      unlimited  2.0M  run-time\n"
			 "cgroup /a?[31m  create_rate           60     0  run-time\n");
	run_dunectl(&run, "quota", "show", "--json");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out,
				     "{\"scope\":\"user\",\"name\":\"0\",\"resource\":"
				     "\"ept_pages\",\"used\":512,\"origin\":\"run-time\"}"));
	run_dunectl(&run, "quota", "host");
	ck_assert_int_eq(run.status, 0);
	ck_assert_str_eq(run.out, "");
	run_dunectl(&run, "quota", "user", "nobody-here");
	ck_assert_int_eq(run.status, 1);
	ck_assert_ptr_nonnull(strstr(run.err, "name is no user known here [io.dune.Manager.Inval"));
}
END_TEST

static const struct {
	char *arguments[8];
	int status;
} changes[] = {
	{ { "quota", "set", "user", "alice", "contexts=10", "private=64M" }, 0 },
	{ { "quota", "set", "host", "vcpus=unlimited", "ept=1", "create-rate=0" }, 0 },
	{ { "quota", "reset", "group", "x" }, 0 },
	{ { "quota", "reset", "process" }, 0 },
	{ { "quota", "reset" }, 0 },
	{ { "quota", "set", "host", "contexts=1" }, 77 },
	{ { "limit", "7", "vcpus=3", "private=1" }, 0 },
	{ { "limit", "seven", "ept=1M" }, 0 },
	{ { "limit", "8", "vcpus=9" }, 1 },
};

static void run_row(char *const *arguments)
{
	run_dunectl(&run, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
		    arguments[5]);
}

START_TEST(what_is_sent)
{
	run_service(&run, service);
	run_row(changes[_i].arguments);
	ck_assert_msg(run.status == changes[_i].status, "%d: %s", run.status, run.err);
	ck_assert_str_eq(run.out, "");
}
END_TEST

static const struct {
	char *arguments[8];
	const char *error;
} usages[] = {
	{ { "quota", "set" }, "quota set needs a scope" },
	{ { "quota", "set", "user", "alice" }, "quota set needs a scope" },
	{ { "quota", "set", "user", "alice", "threads=1" },
	  "'threads=1' is none of contexts=N, vcpus=N, private=SIZE, ept=SIZE, create-rate=N" },
	{ { "quota", "set", "user", "alice", "contexts" }, "'contexts' is none of" },
	{ { "quota", "set", "host", "contexts=1K" },
	  "'1K' is not a right value for contexts: a number, or unlimited" },
	{ { "quota", "set", "host", "private=" },
	  "'' is not a right value for private: a size like 64M, or unlimited" },
	{ { "quota", "set", "host", "contexts=18446744073709551615" }, "is not a right value" },
	{ { "quota", "reset", "user", "a", "b" }, "quota reset needs nothing" },
	{ { "quota", "user", "a", "b" }, "quota show needs nothing" },
	{ { "limit", "7" }, "limit needs CONTEXT LIMIT..." },
	{ { "limit", "7", "contexts=1" },
	  "'contexts=1' is none of vcpus=N, private=SIZE, ept=SIZE" },
	{ { "limit", "7", "vcpus=unlimited" },
	  "'unlimited' is not a right value for vcpus: a number" },
	{ { "limit", "7", "vcpus=0" }, "a limit must be above 0" },
	{ { "reload", "now" }, "reload: too many arguments" },
};

START_TEST(wrong_usage)
{
	run_row(usages[_i].arguments);
	ck_assert_int_eq(run.status, 2);
	ck_assert_msg(strstr(run.err, usages[_i].error) != NULL, "%s", run.err);
}
END_TEST

START_TEST(reload_shows_the_line)
{
	run_service(&run, service);
	run_dunectl(&run, "reload");
	ck_assert_int_eq(run.status, 1);
	ck_assert_ptr_nonnull(
		strstr(run.err, "the configuration is wrong: /c:2:8: x wants a number"));
	ck_assert_ptr_nonnull(strstr(run.err, "\n    x  = ma?y\n         ^~~~\n"));
	run_dunectl(&run, "limit", "8", "vcpus=9");
	ck_assert_ptr_nonnull(strstr(run.err, "the quota vcpus is used up (4 of 5, user al)"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl_quota");
	TCase *tests = tcase_create("dunectl_quota");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, quotas_as_a_table);
	tcase_add_loop_test(tests, what_is_sent, 0, NR_ROWS(changes));
	tcase_add_loop_test(tests, wrong_usage, 0, NR_ROWS(usages));
	tcase_add_test(tests, reload_shows_the_line);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
