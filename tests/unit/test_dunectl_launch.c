// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl launch: what it asks the service for, how it starts the loader, signals, and every exit status.
 * The loader is a shell script of the test.
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

#define CONTEXT(name, rest)          \
	"{\"id\":7,\"name\":\"" name \
	"\",\"owner\":0,\"created_usec\":5,\"limits\":{},\"usage\":{}," rest "}"
#define CREATED "{\"context\":" CONTEXT("seven", "\"state\":\"new\"") ",\"context_fd\":0}"
#define REGISTERS                                                                                 \
	"{\"rax\":\"0x1\",\"rcx\":\"0x2\",\"rdx\":\"0x3\",\"rbx\":\"0x4\",\"rsp\":\"0x5555\","    \
	"\"rbp\":\"0x6\",\"rsi\":\"0x7\",\"rdi\":\"0x8\",\"r8\":\"0x9\",\"r9\":\"0xa\","          \
	"\"r10\":\"0xb\",\"r11\":\"0xc\",\"r12\":\"0xd\",\"r13\":\"0xe\",\"r14\":\"0xf\","        \
	"\"r15\":\"0x10\",\"rip\":\"0x1234\",\"rflags\":\"0x2\",\"cs\":\"0x13\",\"ss\":\"0x14\"," \
	"\"cr0\":\"0x15\",\"cr2\":\"0xc2c2\",\"cr3\":\"0x17\",\"cr4\":\"0x18\"}"
#define FAULT                                                                                                                                                 \
	"{\"context\":" CONTEXT(                                                                                                                              \
		"seven",                                                                                                                                      \
		"\"state\":\"ended\",\"cause\":\"triple_fault\"") ",\"counters\":{},\"exits\":{},\"report\":{\"cause\":\"triple_fault\","                     \
								  "\"exit_reason\":\"triple_fault\",\"cpl\":3,\"vector\":0,\"error_code\":\"0x0\","           \
								  "\"exit_qualification\":\"0x0\",\"guest_physical\":\"0x9999\",\"guest_linear\":\"0x8888\"," \
								  "\"registers\":" REGISTERS "}}"
#define NO_FAULT                 \
	"{\"context\":" CONTEXT( \
		"seven",         \
		"\"state\":\"ended\",\"cause\":\"kill\"") ",\"counters\":{},\"exits\":{}}"

static const struct canned service[] = {
	{ "Create", .needs = "\"name\":\"taken\"", .error = "io.dune.Manager.NameTaken" },
	{ "Create", .needs = "\"name\":\"bare\"", .parameters = CREATED },
	{ "Create",
	  .needs = "{\"name\":\"limited\",\"limits\":{\"vcpus\":3,\"private_pages\":513}}",
	  .parameters = CREATED, .with_fd = true },
	{ "Create", .needs = "\"limits\":{\"vcpus\":99}", .error = "io.dune.Manager.InvalidLimit" },
	{ "Create", .needs = "{\"limits\":{}}", .parameters = CREATED, .with_fd = true },
	{ "Inspect", .needs = "\"id\":7", .parameters = FAULT },
	{ 0 },
};

static const struct canned quiet_service[] = {
	{ "Create", .parameters = CREATED, .with_fd = true },
	{ "Inspect", .parameters = NO_FAULT },
	{ 0 },
};

static void use_loader(const char *text)
{
	char path[128], script[2048];

	snprintf(script, sizeof(script), "#!/bin/sh\n%s", text);
	setenv("DUNE_EXEC", run_file(&run, "loader", script, 0755, path), 1);
}

START_TEST(the_loader_gets_context_program_and_arguments)
{
	char program[128], expected[512];

	run_service(&run, service);
	run_file(&run, "program", "", 0755, program);
	setenv("PATH", run.folder, 1);
	/* The descriptor is open there and is what the service passed; nothing else leaked. */
	use_loader("for a in \"$@\"; do echo \"[$a]\"; done\n"
		   "/usr/bin/readlink /proc/self/fd/$1\n"
		   "/usr/bin/find /proc/$$/fd -lname 'socket:*'\n");
	run_dunectl(&run, "launch", "--", "program", "--name", "", "a b", "-x");
	ck_assert_str_eq(run.err, "");
	ck_assert_int_eq(run.status, 0);
	snprintf(expected, sizeof(expected),
		 "]\n[%s]\n[program]\n[--name]\n[]\n[a b]\n[-x]\n/dev/null\n", program);
	ck_assert_ptr_nonnull(strstr(run.out, expected));
	ck_assert_ptr_null(strstr(run.out, "/proc/"));
}
END_TEST

START_TEST(options_end_at_the_program)
{
	run_service(&run, service);
	use_loader("shift 2; echo \"$@\"");
	run_dunectl(&run, "launch", "/bin/true", "--limit", "x", "--help");
	ck_assert_int_eq(run.status, 0);
	ck_assert_str_eq(run.out, "/bin/true --limit x --help\n");
}
END_TEST

START_TEST(name_and_limits)
{
	run_service(&run, service);
	use_loader("exit 0");
	run_dunectl(&run, "launch", "--name=limited", "--limit=vcpus=3,private=2100000", "true");
	ck_assert_msg(run.status == 0, "%s", run.err);
	run_dunectl(&run, "launch", "--name", "limited", "--limit", "vcpus=3", "--limit",
		    "private=2052K", "true");
	ck_assert_msg(run.status == 0, "%s", run.err);
}
END_TEST

START_TEST(status_of_the_program)
{
	run_service(&run, quiet_service);
	use_loader("exit $4");
	run_dunectl(&run, "launch", "true", "0");
	ck_assert_int_eq(run.status, 0);
	run_dunectl(&run, "launch", "true", "42");
	ck_assert_int_eq(run.status, 42);
	run_dunectl(&run, "launch", "true", "255");
	ck_assert_int_eq(run.status, 255);
	use_loader("kill -$4 $$; sleep 10");
	run_dunectl(&run, "launch", "true", "TERM");
	ck_assert_int_eq(run.status, 128 + SIGTERM);
	run_dunectl(&run, "launch", "true", "KILL");
	ck_assert_int_eq(run.status, 128 + SIGKILL);
	ck_assert(!run.signaled);
	/* So that a shell ends the loop around it. */
	run_dunectl(&run, "launch", "true", "INT");
	ck_assert_int_eq(run.status, 128 + SIGINT);
	ck_assert(run.signaled);
	ck_assert_str_eq(run.err, "");
}
END_TEST

START_TEST(a_guest_fault_is_one_line)
{
	run_service(&run, service);
	use_loader("kill -KILL $$");
	run_dunectl(&run, "launch", "-q", "true");
	ck_assert_int_eq(run.status, 128 + SIGKILL);
	ck_assert_ptr_eq(strchr(run.err, '\n'), run.err + strlen(run.err) - 1);
	ck_assert_ptr_nonnull(
		strstr(run.err, "context 7 (seven) ended by a guest fault: triple_fault: "));
	ck_assert_ptr_nonnull(strstr(run.err, "rip 0x1234, rsp 0x5555"));
	ck_assert_ptr_nonnull(strstr(run.err, "cr2 0xc2c2"));
	ck_assert_ptr_nonnull(strstr(run.err, "address 0x8888, physical 0x9999"));
}
END_TEST

static const struct failure {
	char *arguments[4];
	int status;
	const char *error;
} failures[] = {
	{ { "no-such-program-here" }, 127, "dunectl: no-such-program-here: command not found\n" },
	{ { "/no/such/program" }, 127, "dunectl: /no/such/program: command not found\n" },
	{ { "/bin/true/x" }, 127, "dunectl: /bin/true/x: command not found\n" },
	{ { "" }, 127, "dunectl: : command not found\n" },
	{ { "/etc/passwd" }, 126, "dunectl: /etc/passwd: not an executable file\n" },
	{ { "/etc" }, 126, "dunectl: /etc: not an executable file\n" },
	{ { "--name=taken", "true" },
	  125,
	  "dunectl: cannot create a context: there is a context named ? already "
	  "[io.dune.Manager.NameTaken]\n" },
	{ { "--name=bare", "true" },
	  125,
	  "dunectl: cannot create a context: the reply brings wrong descriptors\n" },
	{ { "--limit=vcpus=99", "true" },
	  125,
	  "dunectl: cannot create a context: the limit ? must be ? to ? "
	  "[io.dune.Manager.InvalidLimit]\n" },
	{ { NULL }, 125, "dunectl: launch needs [--] CMD [ARGS]\n" },
	{ { "--" }, 125, "dunectl: launch needs [--] CMD [ARGS]\n" },
	{ { "--bogus", "true" }, 125, "dunectl: unknown or ambiguous option --bogus\n" },
	{ { "--limit", "vcpus", "true" },
	  125,
	  "dunectl: --limit needs vcpus=N or private=SIZE, not 'vcpus'\n" },
	{ { "--limit=vcpus=0", "true" },
	  125,
	  "dunectl: --limit: '0' is not a right value for vcpus\n" },
	{ { "--limit=vcpus=1x", "true" },
	  125,
	  "dunectl: --limit: '1x' is not a right value for vcpus\n" },
	{ { "--limit=vcpus=", "true" },
	  125,
	  "dunectl: --limit: '' is not a right value for vcpus\n" },
	{ { "--limit=private=1Q", "true" },
	  125,
	  "dunectl: --limit: '1Q' is not a right value for private\n" },
	{ { "--limit=private=99999999999999T", "true" },
	  125,
	  "dunectl: --limit: '99999999999999T' is not a right value for private\n" },
	{ { "--limit=threads=4", "true" },
	  125,
	  "dunectl: --limit knows vcpus and private, not 'threads'\n" },
	{ { "--limit=", "true" }, 125, "dunectl: --limit needs vcpus=N or private=SIZE, not ''\n" },
};

START_TEST(failures_have_their_status)
{
	const struct failure *row = &failures[_i];

	run_service(&run, service);
	use_loader("echo started");
	run_dunectl(&run, "launch", row->arguments[0], row->arguments[1], row->arguments[2]);
	ck_assert_int_eq(run.status, row->status);
	ck_assert_msg(strncmp(run.err, row->error, strlen(row->error)) == 0, "%s", run.err);
	ck_assert_str_eq(run.out, "");
}
END_TEST

START_TEST(without_a_service)
{
	use_loader("echo started");
	run_dunectl(&run, "launch", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "dunectl: cannot reach duned: "));
	ck_assert_ptr_nonnull(strstr(run.err, "hint: "));
	/* What is not there is not there, whoever could start it. */
	run_dunectl(&run, "launch", "/no/such/program");
	ck_assert_int_eq(run.status, 127);
}
END_TEST

START_TEST(without_a_loader)
{
	run_service(&run, service);
	setenv("DUNE_EXEC", "/no/such/loader", 1);
	run_dunectl(&run, "launch", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_ptr_nonnull(strstr(run.err, "no executable dune-exec at /no/such/loader\n"));
}
END_TEST

START_TEST(a_loader_that_can_not_be_executed)
{
	char path[128];

	run_service(&run, quiet_service);
	setenv("DUNE_EXEC", run_file(&run, "broken", "#!/no/such/interpreter\n", 0755, path), 1);
	run_dunectl(&run, "launch", "true");
	ck_assert_int_eq(run.status, 125);
	ck_assert_ptr_nonnull(strstr(run.err, "cannot execute"));
}
END_TEST

/* Waits until the file is there, ten seconds at most. */
static void wait_for_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", run.folder, name);
	for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		usleep(10000);
	ck_assert_int_eq(access(path, F_OK), 0);
}

/* The state letter of a process: its last line in /proc/PID/stat after the name. */
static char state_of(pid_t pid)
{
	char path[64], line[512], *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	fclose(file);
	end = strrchr(line, ')');
	return end[2];
}

static void wait_for_state(pid_t pid, char state)
{
	for (int i = 0; i < 1000 && state_of(pid) != state; i++)
		usleep(10000);
	ck_assert_int_eq(state_of(pid), state);
}

static const struct forwarded {
	int signal;
	const char *name;
} forwarded[] = {
	{ SIGINT, "INT" },   { SIGTERM, "TERM" }, { SIGHUP, "HUP" },	 { SIGQUIT, "QUIT" },
	{ SIGUSR1, "USR1" }, { SIGUSR2, "USR2" }, { SIGWINCH, "WINCH" }, { SIGALRM, "ALRM" },
};

START_TEST(signals_are_passed_on)
{
	static char *const arguments[] = { "dunectl", "launch", "true", NULL };
	const struct forwarded *row = &forwarded[_i];
	char script[512];
	pid_t child;

	run_service(&run, quiet_service);
	snprintf(script, sizeof(script),
		 "trap 'exit 33' %s\n: >%s/ready\n"
		 "i=0; while [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done\n",
		 row->name, run.folder);
	use_loader(script);
	child = run_start(&run, arguments);
	wait_for_file("ready");
	kill(child, row->signal);
	run_finish(&run, child);
	ck_assert_int_eq(run.status, 33);
}
END_TEST

/* Of the kernel, but to nobody else: it was set before dunectl was started in its place. */
START_TEST(an_alarm_is_passed_on)
{
	static char *const arguments[] = { "dunectl", "launch", "true", NULL };
	char text[4352], wrapper[128];

	run_service(&run, quiet_service);
	snprintf(text, sizeof(text),
		 "#!/usr/bin/python3\nimport os, signal, sys\nsignal.alarm(1)\n"
		 "os.execv('%s', ['dunectl'] + sys.argv[1:])\n",
		 run.program);
	run_file(&run, "wrapper", text, 0755, wrapper);
	snprintf(run.program, sizeof(run.program), "%s", wrapper);
	use_loader("trap 'exit 33' ALRM\n"
		   "i=0; while [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done\n");
	run_finish(&run, run_start(&run, arguments));
	ck_assert_int_eq(run.status, 33);
}
END_TEST

START_TEST(signals_that_end_the_program)
{
	static char *const arguments[] = { "dunectl", "launch", "true", NULL };
	char script[256];
	pid_t child;

	run_service(&run, quiet_service);
	snprintf(script, sizeof(script), ": >%s/ready\nexec sleep 10\n", run.folder);
	use_loader(script);
	child = run_start(&run, arguments);
	wait_for_file("ready");
	kill(child, SIGTERM);
	run_finish(&run, child);
	ck_assert_int_eq(run.status, 128 + SIGTERM);
}
END_TEST

START_TEST(stops_with_the_program)
{
	static char *const arguments[] = { "dunectl", "launch", "true", NULL };
	char script[256];
	pid_t child;

	run_service(&run, quiet_service);
	snprintf(script, sizeof(script), ": >%s/ready\nkill -STOP $$\nexit 5\n", run.folder);
	use_loader(script);
	child = run_start(&run, arguments);
	wait_for_file("ready");
	wait_for_state(child, 'T');
	kill(child, SIGCONT);
	run_finish(&run, child);
	ck_assert_int_eq(run.status, 5);
}
END_TEST

START_TEST(the_program_has_the_signals_of_its_starter)
{
	char script[512];

	run_service(&run, quiet_service);
	/* Blocked and ignored signals are inherited as they were, not as dunectl needs them. */
	snprintf(script, sizeof(script), "grep -E '^Sig(Blk|Ign):' /proc/self/status");
	use_loader(script);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	{
		char *const arguments[] = { "dunectl", "launch", "true", NULL };
		pid_t child = run_start(&run, arguments);

		signal(SIGCHLD, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		run_finish(&run, child);
	}
	ck_assert_int_eq(run.status, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "SigBlk:\t0000000000000000\n"));
	/* The low digits: make leaves the C library's own signals, 32 and 33, ignored. */
	ck_assert_ptr_nonnull(strstr(run.out, "SigIgn:\t"));
	ck_assert_ptr_nonnull(strstr(strstr(run.out, "SigIgn:\t"), "0000001\n"));
}
END_TEST

START_TEST(path_is_searched_as_a_shell_does)
{
	char folder[256], path[128];

	run_service(&run, quiet_service);
	use_loader("echo $2");
	/* A folder and a file that can't be executed don't hide a program further on. */
	snprintf(folder, sizeof(folder), "%s/one", run.folder);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/one/prog", run.folder);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/two", run.folder);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	run_file(&run, "two/prog", "", 0644, path);
	run_file(&run, "prog", "", 0755, path);
	snprintf(folder, sizeof(folder), "%s/one:%s/two:%s", run.folder, run.folder, run.folder);
	setenv("PATH", folder, 1);
	run_dunectl(&run, "launch", "prog");
	ck_assert_int_eq(run.status, 0);
	ck_assert_int_eq(strncmp(run.out, path, strlen(path)), 0);
	ck_assert_int_eq(unlink(path), 0);
	run_dunectl(&run, "launch", "prog");
	ck_assert_int_eq(run.status, 126);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl_launch");
	TCase *tests = tcase_create("dunectl_launch");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_loader_gets_context_program_and_arguments);
	tcase_add_test(tests, options_end_at_the_program);
	tcase_add_test(tests, name_and_limits);
	tcase_add_test(tests, status_of_the_program);
	tcase_add_test(tests, a_guest_fault_is_one_line);
	tcase_add_loop_test(tests, failures_have_their_status, 0, NR_ROWS(failures));
	tcase_add_test(tests, without_a_service);
	tcase_add_test(tests, without_a_loader);
	tcase_add_test(tests, a_loader_that_can_not_be_executed);
	tcase_add_loop_test(tests, signals_are_passed_on, 0, NR_ROWS(forwarded));
	tcase_add_test(tests, an_alarm_is_passed_on);
	tcase_add_test(tests, signals_that_end_the_program);
	tcase_add_test(tests, stops_with_the_program);
	tcase_add_test(tests, the_program_has_the_signals_of_its_starter);
	tcase_add_test(tests, path_is_searched_as_a_shell_does);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
