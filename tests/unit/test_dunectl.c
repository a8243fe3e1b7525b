// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl's verbs but launch: exit statuses, what is written where, tables and JSON.
 */
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

#define LIMITS_JSON "{\"vcpus\":4,\"private_pages\":1024,\"ept_pages\":0,\"contexts\":8}"
#define USAGE_JSON  "{\"vcpus\":1,\"private_pages\":256,\"ept_pages\":12}"
#define CONTEXT(id, name, rest)                                                              \
	"{\"id\":" id ",\"name\":\"" name                                                    \
	"\",\"owner\":0,\"created_usec\":5,\"limits\":" LIMITS_JSON ",\"usage\":" USAGE_JSON \
	"," rest "}"
#define RUNNING CONTEXT("7", "seven", "\"state\":\"running\",\"pid\":42,\"command\":\"so\\u001b\"")
#define ENDED	CONTEXT("8", "eight", "\"state\":\"ended\",\"cause\":\"triple_fault\"")
#define SAMPLE(context)                                                                        \
	"{\"context\":" context ",\"counters\":{\"entries\":31,\"exits\":30,\"syscalls\":20}," \
	"\"exits\":{\"vmcall\":10,\"ept_violation\":20}}"
#define REGISTERS                                                                                 \
	"{\"rax\":\"0x1\",\"rcx\":\"0x2\",\"rdx\":\"0x3\",\"rbx\":\"0x4\",\"rsp\":\"0x5\","       \
	"\"rbp\":\"0x6\",\"rsi\":\"0x7\",\"rdi\":\"0x8\",\"r8\":\"0x9\",\"r9\":\"0xa\","          \
	"\"r10\":\"0xb\",\"r11\":\"0xc\",\"r12\":\"0xd\",\"r13\":\"0xe\",\"r14\":\"0xf\","        \
	"\"r15\":\"0x10\",\"rip\":\"0x1234\",\"rflags\":\"0x2\",\"cs\":\"0x13\",\"ss\":\"0x14\"," \
	"\"cr0\":\"0x15\",\"cr2\":\"0x16\",\"cr3\":\"0x17\",\"cr4\":\"0x18\"}"
#define REPORT                                                                                 \
	"{\"cause\":\"triple_fault\",\"exit_reason\":\"triple_fault\",\"cpl\":0,\"vector\":0," \
	"\"error_code\":\"0x0\",\"exit_qualification\":\"0x0\",\"guest_physical\":\"0x0\","    \
	"\"guest_linear\":\"0x0\",\"registers\":" REGISTERS "}"

static const struct canned service[] = {
	{ "List", .parameters = "{\"contexts\":[" RUNNING "," ENDED "]}" },
	{ "Inspect", .needs = "\"id\":7",
	  .parameters = "{\"context\":" RUNNING ",\"counters\":{\"exits\":30,\"denied\":0},"
			"\"exits\":{\"vmcall\":10,\"ept_violation\":20}}" },
	{ "Inspect", .needs = "\"name\":\"eight\"",
	  .parameters = "{\"context\":" ENDED ",\"counters\":{},\"exits\":{},\"report\":" REPORT
			"}" },
	{ "Inspect", .needs = "\"name\":\"two\"", .error = "io.dune.Manager.AmbiguousName" },
	{ "Inspect", .error = "io.dune.Manager.NoSuchContext" },
	{ "Stats", .needs = "\"interval_ms\":200", .nr_more = 2,
	  .error = "io.dune.Manager.NoSuchContext",
	  .parameters = "{\"time_usec\":9,\"samples\":[" SAMPLE(RUNNING) "]}" },
	{ "Stats", .needs = "\"id\":7",
	  .parameters = "{\"time_usec\":9,\"samples\":[" SAMPLE(RUNNING) "]}" },
	{ "Stats", .needs = "\"id\"", .error = "io.dune.Manager.NoSuchContext" },
	{ "Stats",
	  .parameters = "{\"time_usec\":9,\"samples\":[" SAMPLE(RUNNING) "," SAMPLE(ENDED) "]}" },
	{ "Kill", .needs = "\"id\":7" },
	{ "Kill", .needs = "\"id\":8", .error = "io.dune.Manager.NoProcess" },
	{ "Kill", .needs = "\"id\":9", .error = "org.varlink.service.PermissionDenied" },
	{ "Kill", .error = "io.dune.Manager.NoSuchContext" },
	{ "Info",
	  .parameters =
		  "{\"version\":\"1.2\",\"module\":{\"loaded\":true,\"abi\":77,"
		  "\"abi_expected\":1,\"version\":\"1.1\",\"features\":[\"ept_2m\",\"umip\"],"
		  "\"bugs\":[{\"name\":\"mds\",\"state\":\"vulnerable\",\"how\":\"no "
		  "microcode\"}],"
		  "\"gpa_bits\":39,\"slots\":511,\"vmx_holder\":\"kvm\",\"allocated\":{\"contexts\":1,\"vcpus\":2,"
		  "\"ept_pages\":3,\"private_pages\":4,\"run_pages\":5,\"vmcs_pages\":6},"
		  "\"created\":100,\"refused\":7,\"assertions\":3},\"quotas\":{"
		  "\"contexts_per_user\":8,\"contexts_per_host\":64,\"defaults\":{},"
		  "\"maximum\":{\"vcpus\":16}}}" },
	{ 0 },
};

/* Lines that start with the text. */
static int count_lines(const char *text, const char *start)
{
	int nr = 0;

	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
		nr += strncmp(text, start, strlen(start)) == 0;
	return nr;
}

static struct json_object *parse(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	ck_assert_msg(object != NULL, "not JSON: %s", text);
	return object;
}

START_TEST(without_a_service)
{
	static char *const verbs[] = { NULL, "list", "stats", "info", "inspect", "kill" };

	for (int i = 0; i < NR_ROWS(verbs); i++) {
		run_dunectl(&run, verbs[i], i >= 4 ? "1" : NULL);
		ck_assert_int_eq(run.status, 1);
		ck_assert_str_eq(run.out, "");
		ck_assert_int_eq(count_lines(run.err, "dunectl: cannot reach duned: "), 1);
		ck_assert_int_eq(count_lines(run.err, "hint: "), 1);
		ck_assert_int_eq(count_lines(run.err, ""), 2);
	}
	run_dunectl(&run, "list", "-q");
	ck_assert_int_eq(run.status, 1);
	ck_assert_int_eq(count_lines(run.err, ""), 1);
}
END_TEST

static const struct usage {
	char *arguments[4];
	const char *error;
} usages[] = {
	{ { "bogus" }, "dunectl: unknown verb 'bogus'\n" },
	{ { "" }, "dunectl: unknown verb ''\n" },
	{ { "--bogus" }, "dunectl: unknown or ambiguous option --bogus\n" },
	{ { "list", "--bogus" }, "dunectl: unknown or ambiguous option --bogus\n" },
	{ { "list", "-x" }, "dunectl: unknown option -x\n" },
	{ { "list", "extra" }, "dunectl: list: too many arguments, first 'extra'\n" },
	{ { "list", "--watch" }, "dunectl: unknown or ambiguous option --watch\n" },
	{ { "inspect" }, "dunectl: inspect needs CONTEXT...\n" },
	{ { "kill" }, "dunectl: kill needs CONTEXT...\n" },
	{ { "stats", "1", "2" }, "dunectl: stats: too many arguments, first '2'\n" },
	{ { "--json=maybe" }, "dunectl: --json must be pretty, short or off, not 'maybe'\n" },
	{ { "list", "--socket" }, "dunectl: option --socket needs a value (PATH)\n" },
	{ { "list", "--socket=" }, "dunectl: --socket needs a path\n" },
	{ { "list", "--quiet=yes" }, "dunectl: option --quiet takes no value\n" },
	{ { "list", "--timeout=soon" },
	  "dunectl: --timeout must be a number of seconds, not 'soon'\n" },
	{ { "list", "--timeout=0" }, "dunectl: --timeout must be a number of seconds, not '0'\n" },
	{ { "stats", "--watch=0" }, "dunectl: --watch must be 0.1 to 3600 seconds, not '0'\n" },
	{ { "stats", "--watch=4000" },
	  "dunectl: --watch must be 0.1 to 3600 seconds, not '4000'\n" },
	{ { "help", "bogus" }, "dunectl: unknown verb 'bogus'\n" },
};

START_TEST(wrong_usage)
{
	const struct usage *row = &usages[_i];

	run_dunectl(&run, row->arguments[0], row->arguments[1], row->arguments[2]);
	ck_assert_int_eq(run.status, 2);
	ck_assert_str_eq(run.out, "");
	ck_assert_msg(strncmp(run.err, row->error, strlen(row->error)) == 0, "%s", run.err);
}
END_TEST

START_TEST(help_and_version)
{
	run_dunectl(&run, "--help");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "launch"));
	run_dunectl(&run, "stats", "--help");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "--watch"));
	run_dunectl(&run, "--version");
	ck_assert_int_eq(run.status, 0);
	ck_assert_int_eq(count_lines(run.out, "dunectl " DUNE_VERSION), 1);
	run_dunectl(&run, "version", "--json");
	ck_assert_int_eq(run.status, 0);
	json_object_put(parse(run.out));
}
END_TEST

START_TEST(list_as_a_table)
{
	run_service(&run, service);
	run_dunectl(&run);
	ck_assert_int_eq(run.status, 0);
	ck_assert_str_eq(run.err, "");
	ck_assert_str_eq(run.out,
			 "ID  NAME   OWNER  PID  STATE    CAUSE         VCPUS  PRIVATE  COMMAND\n"
			 " 7  seven  root    42  running  -                 1     1.0M  so?\n"
			 " 8  eight  root     -  ended    triple_fault      1     1.0M  -\n"
			 "\n2 contexts.\n");
	run_dunectl(&run, "--no-legend", "list");
	ck_assert_int_eq(count_lines(run.out, ""), 2);
	ck_assert_int_eq(count_lines(run.out, "ID"), 0);
}
END_TEST

START_TEST(list_as_json)
{
	struct json_object *list, *context;

	run_service(&run, service);
	run_dunectl(&run, "list", "--json");
	ck_assert_int_eq(count_lines(run.out, ""), 1);
	list = parse(run.out);
	ck_assert_uint_eq(json_object_array_length(list), 2);
	context = json_object_array_get_idx(list, 0);
	ck_assert_str_eq(json_object_get_string(json_object_object_get(context, "command")),
			 "so\033");
	ck_assert_ptr_null(json_object_object_get(context, "user"));
	json_object_put(list);
	run_dunectl(&run, "list", "--json=pretty");
	ck_assert_int_gt(count_lines(run.out, ""), 10);
	json_object_put(parse(run.out));
	run_dunectl(&run, "list", "--json=pretty", "--json=off");
	ck_assert_int_eq(count_lines(run.out, "ID"), 1);
}
END_TEST

START_TEST(inspect_by_id_and_name)
{
	run_service(&run, service);
	run_dunectl(&run, "inspect", "7");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "Name: seven\n"));
	ck_assert_ptr_nonnull(strstr(run.out, "total             30\n"));
	ck_assert_ptr_null(strstr(run.out, "denied"));
	ck_assert_ptr_null(strstr(run.out, "Guest fault"));
	run_dunectl(&run, "inspect", "eight");
	ck_assert_ptr_nonnull(strstr(run.out, "Guest fault:\n"));
	ck_assert_ptr_nonnull(strstr(run.out, "rip 0x0000000000001234"));
	run_dunectl(&run, "inspect", "eight", "--json");
	ck_assert_int_eq(run.status, 0);
	json_object_put(parse(run.out));
	run_dunectl(&run, "inspect", "7", "nine", "eight");
	ck_assert_int_eq(run.status, 4);
	ck_assert_ptr_nonnull(strstr(run.out, "Name: eight\n"));
	ck_assert_int_eq(count_lines(run.err,
				     "dunectl: cannot inspect the context: no such context "
				     "[io.dune.Manager.NoSuchContext]\n"),
			 1);
	run_dunectl(&run, "inspect", "two");
	ck_assert_int_eq(run.status, 1);
	ck_assert_int_eq(count_lines(run.err, "hint: name one of them by its id"), 1);
}
END_TEST

START_TEST(kill_and_its_statuses)
{
	run_service(&run, service);
	run_dunectl(&run, "kill", "7");
	ck_assert_int_eq(run.status, 0);
	ck_assert_str_eq(run.out, "");
	ck_assert_str_eq(run.err, "");
	run_dunectl(&run, "kill", "8");
	ck_assert_int_eq(run.status, 1);
	run_dunectl(&run, "kill", "9");
	ck_assert_int_eq(run.status, 77);
	run_dunectl(&run, "kill", "10");
	ck_assert_int_eq(run.status, 4);
	run_dunectl(&run, "kill", "9", "10", "7");
	ck_assert_int_eq(run.status, 77);
}
END_TEST

START_TEST(stats_of_all)
{
	struct json_object *object;

	run_service(&run, service);
	run_dunectl(&run, "stats");
	ck_assert_int_eq(run.status, 0);
	ck_assert_int_eq(count_lines(run.out, "ept_violation     40\n"), 1);
	ck_assert_int_eq(count_lines(run.out, "vmcall            20\n"), 1);
	ck_assert_int_eq(count_lines(run.out, "total             60\n"), 1);
	run_dunectl(&run, "stats", "--json");
	object = parse(run.out);
	ck_assert_int_eq(json_object_get_int(json_object_object_get(object, "total_exits")), 60);
	json_object_put(object);
	run_dunectl(&run, "stats", "7");
	ck_assert_int_eq(count_lines(run.out, "total             30\n"), 1);
	run_dunectl(&run, "stats", "99");
	ck_assert_int_eq(run.status, 4);
}
END_TEST

START_TEST(stats_watched)
{
	run_service(&run, service);
	run_dunectl(&run, "stats", "--watch=0.2", "--json=pretty", "7");
	ck_assert_int_eq(run.status, 4);
	/* A stream is one object a line, whatever the mode. */
	ck_assert_int_eq(count_lines(run.out, "{"), 2);
	ck_assert_int_eq(count_lines(run.out, ""), 2);
	run_dunectl(&run, "stats", "-w0.2", "7");
	ck_assert_int_eq(count_lines(run.out, "ID"), 2);
	ck_assert_ptr_null(strchr(run.out, '\033'));
	/* The short option's value is part of its word: what follows is the context. */
	run_dunectl(&run, "stats", "-w", "7");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "seven"));
	ck_assert_ptr_null(strstr(run.out, "eight"));
}
END_TEST

START_TEST(info_of_the_service)
{
	run_service(&run, service);
	run_dunectl(&run, "info");
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "Service version: 1.2\n"));
	ck_assert_ptr_nonnull(strstr(run.out, "Features: ept_2m umip\n"));
	ck_assert_ptr_nonnull(strstr(run.out, "Failed assertions: 3\n"));
	ck_assert_ptr_nonnull(strstr(run.out, "\nmds             vulnerable  no microcode\n"));
	run_dunectl(&run, "info", "--json");
	json_object_put(parse(run.out));
}
END_TEST

START_TEST(timeout_of_a_silent_service)
{
	static const struct canned silent[] = { { "List", .silent = true }, { 0 } };

	run_service(&run, silent);
	run_dunectl(&run, "--timeout=0.2", "list");
	ck_assert_int_eq(run.status, 1);
	ck_assert_int_eq(count_lines(run.err, "dunectl: cannot list the contexts: the service did "
					      "not answer in time\n"),
			 1);
}
END_TEST

START_TEST(stdout_that_is_full)
{
	char command[8192];

	run_service(&run, service);
	snprintf(command, sizeof(command), "%s list >/dev/full 2>%s/err", run.program, run.folder);
	ck_assert_int_eq(WEXITSTATUS(system(command)), 1);
	snprintf(command, sizeof(command), "%s stats --watch=0.2 7 >/dev/full 2>%s/err",
		 run.program, run.folder);
	ck_assert_int_eq(WEXITSTATUS(system(command)), 1);
	read_output(&run, "err", run.err);
	ck_assert_int_eq(count_lines(run.err, ""), 1);
	ck_assert_int_eq(count_lines(run.err, "dunectl: cannot write the result: "), 1);
}
END_TEST

START_TEST(doctor_names_what_is_missing)
{
	struct json_object *rows;

	/* Here there is no service, whatever else the host has. */
	run_dunectl(&run, "doctor");
	ck_assert_int_eq(run.status, 1);
	ck_assert_int_eq(count_lines(run.out, "fail  socket "), 1);
	ck_assert_int_eq(count_lines(run.out, "fail  service "), 1);
	ck_assert_int_eq(count_lines(run.out, "hint: socket: "), 1);
	run_dunectl(&run, "doctor", "-q");
	ck_assert_int_eq(count_lines(run.out, "hint: "), 0);
	run_service(&run, service);
	run_dunectl(&run, "doctor", "--json");
	ck_assert_int_eq(run.status, 1);
	ck_assert_ptr_nonnull(strstr(run.out, "{\"state\":\"ok\",\"check\":\"socket\""));
	ck_assert_ptr_nonnull(strstr(run.out, "{\"state\":\"warn\",\"check\":\"service\""));
	ck_assert_ptr_nonnull(strstr(run.out, "{\"state\":\"fail\",\"check\":\"abi\""));
	ck_assert_ptr_nonnull(strstr(run.out, "{\"state\":\"warn\",\"check\":\"assertions\""));
	rows = parse(run.out);
	ck_assert_uint_gt(json_object_array_length(rows), 15);
	json_object_put(rows);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl");
	TCase *tests = tcase_create("dunectl");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, without_a_service);
	tcase_add_loop_test(tests, wrong_usage, 0, NR_ROWS(usages));
	tcase_add_test(tests, help_and_version);
	tcase_add_test(tests, list_as_a_table);
	tcase_add_test(tests, list_as_json);
	tcase_add_test(tests, inspect_by_id_and_name);
	tcase_add_test(tests, kill_and_its_statuses);
	tcase_add_test(tests, stats_of_all);
	tcase_add_test(tests, stats_watched);
	tcase_add_test(tests, info_of_the_service);
	tcase_add_test(tests, timeout_of_a_silent_service);
	tcase_add_test(tests, stdout_that_is_full);
	tcase_add_test(tests, doctor_names_what_is_missing);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
