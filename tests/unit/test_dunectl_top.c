// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl top and events: rates and drawing as pure functions, then the program itself in a terminal of
 * its own, with a service whose device is made of paper: keys, sizes, signals, a service that goes away.
 */
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <utmp.h>

#include "dunectl/rate.h"
#include "dunectl/terminal.h"
#include "dunectl/top.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define CONTEXTS    30
#define SCREEN_MAX  (1 << 20)
#define ENTER	    "\033[?1049h"
#define LEAVE	    "\033[?1049l"
#define M(name)	    "io.dune.Manager." name

/* ---- pure ---- */

static const struct {
	const char *bytes;
	int key; /* the last one that came out */
} key_rows[] = {
	{ "q", 'q' },
	{ "\033[A", KEY_UP },
	{ "\033OB", KEY_DOWN },
	{ "\033[C", KEY_RIGHT },
	{ "\033[D", KEY_LEFT },
	{ "\033[5~", KEY_PAGE_UP },
	{ "\033[6~", KEY_PAGE_DOWN },
	{ "\033[1~", KEY_HOME },
	{ "\033[8~", KEY_END },
	{ "\033[H", KEY_HOME },
	{ "\033OF", KEY_END },
	{ "\033[1;5A", KEY_UP },
	{ "\033[24~", KEY_NONE },
	{ "\033[?", KEY_NONE },
	{ "\033", KEY_NONE },
	{ "\033\033[A", KEY_UP },
	{ "\033xq", 'q' },
	{ "\033[99999999~j", 'j' },
};

START_TEST(keys_from_bytes)
{
	struct terminal_keys keys = { 0 };
	int key = KEY_NONE;

	for (const char *p = key_rows[_i].bytes; *p; p++)
		key = terminal_key(&keys, (unsigned char)*p);
	ck_assert_int_eq(key, key_rows[_i].key);
}
END_TEST

/* One context's sample. */
struct paper {
	struct dune_client_context context;
	struct dune_client_counter counters[3];
	struct dune_client_sample sample;
};

static void paper_sample(struct paper *paper, uint64_t id, uint64_t exits, uint64_t ept)
{
	*paper = (struct paper){
		.context = { .id = id, .name = "n", .state = "running", .command = "c\033[2J" },
		.counters = { { "exits", exits }, { "ept_read", ept }, { "ept_write", ept } },
	};
	paper->sample.context = &paper->context;
	paper->sample.counters.nr = 3;
	paper->sample.counters.values = paper->counters;
}

static struct rate_set set_of(struct paper *papers, size_t nr, uint64_t time_usec,
			      const struct rate_set *before)
{
	const struct dune_client_sample *samples[8];
	struct dune_client_stats stats = { .time_usec = time_usec, .nr = nr, .samples = samples };
	struct rate_set set;

	for (size_t i = 0; i < nr; i++)
		samples[i] = &papers[i].sample;
	ck_assert_int_eq(rate_set_new(&stats, before, &set), 0);
	return set;
}

START_TEST(rates_by_id)
{
	struct paper papers[3];
	struct rate_set first, second, third;

	paper_sample(&papers[0], 1, 100, 10);
	paper_sample(&papers[1], 5, 500, 0);
	paper_sample(&papers[2], 9, 900, 0);
	first = set_of(papers, 3, 1000000, NULL);
	ck_assert(!first.has_rates && !first.rows[0].has_rates);
	/* One is gone, one is new, one counts less than before. */
	paper_sample(&papers[0], 1, 300, 15);
	paper_sample(&papers[1], 7, 700, 0);
	paper_sample(&papers[2], 9, 1, 0);
	second = set_of(papers, 3, 3000000, &first);
	ck_assert(second.has_rates && second.rows[0].has_rates);
	ck_assert_double_eq(second.rows[0].rates[RATE_EXITS], 100);
	ck_assert_double_eq(second.rows[0].rates[RATE_EPT], 5);
	ck_assert(!second.rows[1].has_rates && !second.rows[2].has_rates);
	ck_assert_double_eq(second.sums[RATE_EXITS], 100);
	/* No time between them. */
	third = set_of(papers, 3, 3000000, &second);
	ck_assert(!third.has_rates && !third.rows[0].has_rates);
	rate_set_done(&first);
	rate_set_done(&second);
	rate_set_done(&third);
}
END_TEST

static int longest_line(const char *text, int *ret_lines)
{
	int longest = 0;

	*ret_lines = 0;
	while (*text) {
		int length = (int)strcspn(text, "\n");

		longest = length > longest ? length : longest;
		text += length + 1;
		(*ret_lines)++;
	}
	return longest;
}

static const int widths[] = { 1, 10, 20, 40, 80, 132, TERMINAL_MAX_COLUMNS };

START_TEST(every_width_is_kept)
{
	struct paper papers[8];
	struct top_view view = { .clock = "12:00:00" };
	struct rate_set set;
	char *text;
	int lines;

	for (size_t i = 0; i < 8; i++)
		paper_sample(&papers[i], i + 1, i * 1000, i);
	set = set_of(papers, 8, 1000000, NULL);
	ck_assert_int_eq(top_find("denied", &view.sort), 0);
	text = top_draw(&view, &set, 0, widths[_i], false);
	ck_assert_int_le(longest_line(text, &lines), widths[_i]);
	ck_assert_int_eq(lines, 3 + 8);
	if (widths[_i] >= 10)
		ck_assert_ptr_nonnull(strstr(text, "DENY/S"));
	if (widths[_i] >= 40)
		ck_assert_ptr_nonnull(strstr(text, "EXITS/S"));
	ck_assert_ptr_null(strchr(text, '\033'));
	free(text);
	rate_set_done(&set);
}
END_TEST

START_TEST(order_and_scrolling)
{
	struct paper papers[8];
	struct top_view view = { .clock = "" };
	struct rate_set set;
	size_t column;
	int lines;
	char *text;

	for (size_t i = 0; i < 8; i++)
		paper_sample(&papers[i], i + 1, i * 1000, i);
	set = set_of(papers, 8, 1000000, NULL);
	ck_assert_int_eq(top_find("total", &column), 0);
	top_sort_by(&view, column);
	ck_assert(!view.ascending);
	top_sort(&view, &set);
	ck_assert_uint_eq(set.rows[0].id, 8);
	view.ascending = true;
	top_sort(&view, &set);
	ck_assert_uint_eq(set.rows[0].id, 1);
	/* Equal ones keep the order of their ids, whichever way. */
	ck_assert_int_eq(top_find("exits", &column), 0);
	top_sort_by(&view, column);
	top_sort(&view, &set);
	ck_assert_uint_eq(set.rows[0].id, 1);
	view.first = 100;
	text = top_draw(&view, &set, TOP_HEADER + 3, 80, true);
	ck_assert_uint_eq(view.first, 5);
	longest_line(text, &lines);
	ck_assert_int_eq(lines, TOP_HEADER + 3);
	free(text);
	/* All the way round. */
	for (int i = 0; i < 15; i++)
		top_sort_next(&view, -1);
	ck_assert_uint_eq(view.sort, column);
	ck_assert_int_eq(top_find("colour", &column), -ENOENT);
	rate_set_done(&set);
}
END_TEST

/* ---- in a terminal ---- */

static struct service service;
static int contexts[CONTEXTS];
static int client;

static struct {
	pid_t pid;
	int fd;
	struct termios before;
	char text[SCREEN_MAX]; /* all that it wrote */
	size_t size;
	size_t seen; /* up to here it was waited for */
} top;

static void service_start(void)
{
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", NULL);
	client = client_new(&service);
}

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, "[contexts]\nper-user = 64\nper-host = 64\n");
	service_start();
	for (int i = 0; i < CONTEXTS; i++) {
		char call[64];

		snprintf(call, sizeof(call), "{\"name\":\"ctx%02d\"}", i);
		client_send_call(client, M("Create"), call, 0);
		json_object_put(client_expect(client, NULL, false, &contexts[i]));
		ck_assert_int_eq(write(contexts[i], "r", 1), 1);
	}
	setenv("DUNE_SOCKET", service.socket, 1);
	setenv("TERM", "xterm", 1);
	memset(&top, 0, sizeof(top));
	top.fd = -1;
}

static void teardown(void)
{
	if (top.pid > 0)
		kill(top.pid, SIGKILL);
	if (top.fd >= 0)
		close(top.fd);
	close(client);
	service_teardown(&service);
}

static void program_path(char path[4096])
{
	snprintf(path, 4096, "%s/dunectl/dunectl", build_folder());
}

static void top_start(int rows, int columns)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	char path[4096];
	int slave;

	program_path(path);
	/* Through a pair of our own: so the settings before it starts are known. */
	ck_assert_int_eq(openpty(&top.fd, &slave, NULL, NULL, &size), 0);
	ck_assert_int_eq(tcgetattr(slave, &top.before), 0);
	fcntl(top.fd, F_SETFL, O_NONBLOCK);
	fcntl(top.fd, F_SETFD, FD_CLOEXEC);
	top.pid = fork();
	ck_assert_int_ge(top.pid, 0);
	if (!top.pid) {
		login_tty(slave);
		execl(path, "dunectl", "top", "-d", "0.1", NULL);
		_exit(127);
	}
	close(slave);
}

static void top_read(void)
{
	ssize_t n = read(top.fd, top.text + top.size, SCREEN_MAX - 1 - top.size);

	if (n > 0)
		top.size += (size_t)n;
	top.text[top.size] = '\0';
	ck_assert_uint_lt(top.size, SCREEN_MAX - 4096);
}

/* Waits for a text behind the one waited for last. */
static void top_wait(const char *text)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		const char *found;

		top_read();
		found = strstr(top.text + top.seen, text);
		if (found) {
			top.seen = (size_t)(found - top.text) + strlen(text);
			return;
		}
		usleep(10000);
	}
	ck_abort_msg("top never shows '%s': %s", text,
		     top.text + (top.size > 2000 ? top.size - 2000 : 0));
}

static void top_key(const char *bytes)
{
	top_read();
	top.seen = top.size;
	ck_assert_int_eq(write(top.fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

/* Its status, as waitpid() has it, once it has put the terminal back as it was. */
static int top_end(void)
{
	struct termios after;
	int status;

	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		top_read();
		if (waitpid(top.pid, &status, WNOHANG) == top.pid) {
			top.pid = 0;
			top_read();
			ck_assert_ptr_nonnull(strstr(top.text, LEAVE));
			ck_assert_int_eq(tcgetattr(top.fd, &after), 0);
			ck_assert_uint_eq(after.c_lflag, top.before.c_lflag);
			return status;
		}
		usleep(10000);
	}
	ck_abort_msg("top does not end");
	return -1;
}

START_TEST(keys_and_sizes)
{
	struct winsize size = { .ws_row = 40, .ws_col = 160 };
	struct termios now;
	int status;

	top_start(24, 40);
	top_wait(ENTER);
	top_wait("sorted by exits");
	top_wait("30 running");
	ck_assert_ptr_null(strstr(top.text, "COMMAND"));
	ck_assert_int_eq(tcgetattr(top.fd, &now), 0);
	ck_assert_uint_eq(now.c_lflag & (ICANON | ECHO), 0);
	top_wait("exits/s");
	top_key("n");
	top_wait("sorted by name, upwards");
	top_wait("ctx00");
	top_wait("ctx19");
	top_key("r");
	top_wait("ctx29");
	top_key("r\033[B");
	top_wait("ctx20");
	top_key("\033[6~");
	top_wait("ctx29");
	top_key("\033[H>");
	top_wait("sorted by owner");
	top_key("\033[D\033[D");
	top_wait("sorted by id");
	top_key("h");
	top_wait("scroll, also");
	top_key("h");
	top_wait("ctx00");
	ck_assert_int_eq(ioctl(top.fd, TIOCSWINSZ, &size), 0);
	top_wait("COMMAND");
	top_wait("ctx29");
	top_key("q");
	status = top_end();
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(tiny_terminals)
{
	struct winsize size = { .ws_row = 1, .ws_col = 1 };
	int status;

	top_start(3, 10);
	top_wait("dune");
	ck_assert_int_eq(ioctl(top.fd, TIOCSWINSZ, &size), 0);
	usleep(300000);
	top_key("jjkkh><q");
	status = top_end();
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

static const struct {
	int number;
	bool exits; /* with status 0, instead of dying of it */
} signal_rows[] = {
	{ SIGINT, true },   { SIGTERM, false }, { SIGHUP, false },
	{ SIGQUIT, false }, { SIGSEGV, false }, { SIGABRT, false },
};

START_TEST(signals_give_the_terminal_back)
{
	int status;

	top_start(24, 80);
	top_wait("30 running");
	ck_assert_int_eq(kill(top.pid, signal_rows[_i].number), 0);
	status = top_end();
	if (signal_rows[_i].exits)
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal_rows[_i].number);
}
END_TEST

START_TEST(stopped_and_continued)
{
	struct termios now;
	int status;

	top_start(24, 80);
	top_wait("30 running");
	ck_assert_int_eq(kill(top.pid, SIGTSTP), 0);
	ck_assert_int_eq(waitpid(top.pid, &status, WUNTRACED), top.pid);
	ck_assert(WIFSTOPPED(status));
	top_wait(LEAVE);
	ck_assert_int_eq(tcgetattr(top.fd, &now), 0);
	ck_assert_uint_eq(now.c_lflag, top.before.c_lflag);
	ck_assert_int_eq(kill(top.pid, SIGCONT), 0);
	top_wait(ENTER);
	top_wait("30 running");
	top_key("q");
	status = top_end();
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(a_service_that_comes_back)
{
	int status;

	top_start(24, 80);
	top_wait("30 running");
	ck_assert_int_eq(kill(service.pid, SIGKILL), 0);
	waitpid(service.pid, NULL, 0);
	top_wait("trying again");
	/* Keys work without it. */
	top_key("n");
	top_wait("ctx00");
	close(client);
	unlink(service.socket);
	service_start();
	top_wait("0 contexts");
	top_wait("sorted by name");
	top_key("q");
	status = top_end();
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(the_terminal_goes_away)
{
	int status;

	top_start(24, 80);
	top_wait("30 running");
	close(top.fd);
	top.fd = -1;
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		if (waitpid(top.pid, &status, WNOHANG) == top.pid) {
			top.pid = 0;
			return;
		}
		usleep(10000);
	}
	ck_abort_msg("top stays");
}
END_TEST

/* ---- as text ---- */

/* Runs dunectl in a shell; its status. */
static int shell(const char *arguments, char output[SCREEN_MAX])
{
	char path[4096], command[8192];
	size_t size;
	FILE *pipe;

	program_path(path);
	snprintf(command, sizeof(command), "%s %s 2>&1 </dev/null", path, arguments);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	size = fread(output, 1, SCREEN_MAX - 1, pipe);
	output[size] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

static const struct {
	const char *arguments;
	int status;
	const char *text;
} shell_rows[] = {
	{ "top -b -n 2 -d 0.1 --sort=name", 0, "0 exits/s" },
	{ "top -b -n 1", 0, "rates come with the next sample" },
	{ "top -n 2 -d 0.1 --json", 0, "\"rates\":{\"entries\":0.0" },
	{ "top", 2, "must be a terminal" },
	{ "top --sort=colour", 2, "id, name, owner" },
	{ "top -d 0.01", 2, "0.1 to 3600" },
	{ "top -n 0", 2, "above 0" },
	{ "top x", 2, "too many arguments" },
	{ "totals", 0, "running" },
	{ "totals --json", 0, "\"states\":{\"new\":0,\"attached\":0,\"running\":30" },
	{ "events -n 0", 2, "above 0" },
	{ "events --type=lost", 2, "not 'lost'" },
	{ "events 99", 4, "NoSuchContext" },
	{ "events 'a b'", 1, "InvalidParameter" },
};

START_TEST(text_and_errors)
{
	static char output[SCREEN_MAX];

	ck_assert_int_eq(shell(shell_rows[_i].arguments, output), shell_rows[_i].status);
	ck_assert_msg(strstr(output, shell_rows[_i].text) != NULL, "%s", output);
	ck_assert_ptr_null(strchr(output, '\033'));
}
END_TEST

/* What follows a stream, until it ends by itself. */
static pid_t follow(const char *arguments, const char *file)
{
	char path[4096], command[8192];
	pid_t pid;

	program_path(path);
	snprintf(command, sizeof(command), "exec %s %s >%s 2>&1", path, arguments, file);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return pid;
}

static void wait_streams(int64_t count)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		struct json_object *totals = client_call(client, M("Totals"), NULL, NULL);
		int64_t now = json_int_at(totals, "service.streams_now");

		json_object_put(totals);
		if (now == count)
			return;
		usleep(10000);
	}
	ck_abort_msg("there are never %d streams", (int)count);
}

START_TEST(events_by_line)
{
	char text[128], json[128], one[128];
	pid_t pids[3];
	int status;

	snprintf(text, sizeof(text), "%s/text", service.folder);
	snprintf(json, sizeof(json), "%s/json", service.folder);
	snprintf(one, sizeof(one), "%s/one", service.folder);
	pids[0] = follow("events -n 3", text);
	pids[1] = follow("events --json -t ended -t limit --count=2", json);
	pids[2] = follow("events 1", one);
	wait_streams(3);
	ck_assert_int_eq(write(contexts[0], "lL", 2), 2);
	ck_assert_int_eq(write(contexts[0], "p", 1), 1);
	close(contexts[0]);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	ck_assert(file_has(text, "TIME          EVENT     "));
	ck_assert(file_has(text, "  limit       1  ctx00  "));
	ck_assert(file_has(text, "  4242  private_pages 4096\n"));
	ck_assert(file_has(text, "panic at 0xffff800000001234\n"));
	ck_assert(file_has(text, "-- 1 event dropped --\n"));
	ck_assert(file_has(json, "{\"type\":\"limit\",\"time_usec\":"));
	ck_assert(file_has(json, "\"cause\":\"panic\",\"rip\":\"0xffff800000001234\"}\n"));
	ck_assert(file_has(json, "{\"dropped\":1}\n"));
	ck_assert(file_has(one, "freed"));
}
END_TEST

START_TEST(rates_of_a_watch)
{
	static char output[SCREEN_MAX];

	/* timeout ends it: after some samples. */
	shell("stats --watch=0.1 --json & pid=$!; sleep 1; kill $pid; wait; true", output);
	ck_assert_ptr_nonnull(strstr(output, "\"rates\":{\"entries\":0.0,\"exits\":0.0"));
	shell("stats --watch=0.1 & pid=$!; sleep 1; kill $pid; wait; true", output);
	ck_assert_ptr_nonnull(strstr(output, "EXITS/S"));
	/* The first has none, and looks as it always did. */
	ck_assert_ptr_nonnull(strstr(output, "ENTRIES"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl_top");
	TCase *pure = tcase_create("pure"), *tests = tcase_create("program");

	tcase_add_loop_test(pure, keys_from_bytes, 0, NR_ROWS(key_rows));
	tcase_add_test(pure, rates_by_id);
	tcase_add_loop_test(pure, every_width_is_kept, 0, NR_ROWS(widths));
	tcase_add_test(pure, order_and_scrolling);
	suite_add_tcase(suite, pure);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, keys_and_sizes);
	tcase_add_test(tests, tiny_terminals);
	tcase_add_loop_test(tests, signals_give_the_terminal_back, 0, NR_ROWS(signal_rows));
	tcase_add_test(tests, stopped_and_continued);
	tcase_add_test(tests, a_service_that_comes_back);
	tcase_add_test(tests, the_terminal_goes_away);
	tcase_add_loop_test(tests, text_and_errors, 0, NR_ROWS(shell_rows));
	tcase_add_test(tests, events_by_line);
	tcase_add_test(tests, rates_of_a_watch);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
