// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl top: contexts with rates, sorted, until the user has seen enough. One thread asks the service,
 * the other one owns the terminal, so keys and resizes work also while the service does not answer.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "dunectl/asker.h"
#include "dunectl/dunectl.h"
#include "dunectl/json.h"
#include "dunectl/rate.h"
#include "dunectl/terminal.h"
#include "dunectl/top.h"

/* What the service takes as an interval. */
#define INTERVAL_MIN_MS	    100
#define INTERVAL_MAX_MS	    3600000
#define INTERVAL_DEFAULT_MS 1000

static uint64_t interval_ms = INTERVAL_DEFAULT_MS;
static uint64_t frames; /* --iterations, 0: without end */
static bool batch;
static const char *sort_key = "exits";

/* ---- options ---- */

static int set_interval(struct dunectl *ctl, const char *value)
{
	if (parse_seconds(value, &interval_ms) < 0 || interval_ms < INTERVAL_MIN_MS ||
	    interval_ms > INTERVAL_MAX_MS) {
		dunectl_error("--delay must be 0.1 to 3600 seconds, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static int set_iterations(struct dunectl *ctl, const char *value)
{
	if (parse_u64(value, &frames) < 0 || frames == 0) {
		dunectl_error("--iterations must be a number above 0, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static int set_batch(struct dunectl *ctl, const char *value)
{
	batch = true;
	return 0;
}

static int set_sort(struct dunectl *ctl, const char *value)
{
	char keys[256];
	size_t column;

	if (top_find(value, &column) < 0) {
		top_keys(keys, sizeof(keys));
		dunectl_error("--sort must be one of %s, not '%s'", keys, value);
		return -EINVAL;
	}
	sort_key = value;
	return 0;
}

static const struct dunectl_option options[] = {
	{ "batch", 'b', NULL, false, "plain text, one frame after another, for scripts",
	  set_batch },
	{ "iterations", 'n', "N", false, "end after N frames", set_iterations },
	{ "delay", 'd', "SEC", false, "seconds between frames (default 1)", set_interval },
	{ "sort", 's', "KEY", false, "sort by this column (default exits)", set_sort },
	{ 0 },
};

static void read_clock(char text[16])
{
	time_t now = time(NULL);
	struct tm local;

	if (!localtime_r(&now, &local) || !strftime(text, 16, "%H:%M:%S", &local))
		strcpy(text, "-");
}

/* ---- batch ---- */

struct batch {
	const struct dunectl *ctl;
	struct top_view view;
	struct rate_set before;
	uint64_t shown;
};

static void batch_print(struct batch *state, struct rate_set *set)
{
	JSON_CLEANUP struct json_object *object = NULL;
	char *text;

	if (state->ctl->output.json != OUTPUT_JSON_OFF) {
		object = top_json(set);
		output_as_json(&state->ctl->output, object);
		return;
	}
	text = top_draw(&state->view, set, 0, TERMINAL_MAX_COLUMNS, false);
	printf("%s%s", state->shown ? "\n" : "", text ? text : "");
	free(text);
	fflush(stdout);
}

/* Sorted in a copy of its own: the next sample is compared with these rows by id. */
static int batch_frame(struct batch *state, const struct rate_set *set)
{
	struct rate_set sorted;

	if (rate_set_copy(set, &sorted) < 0)
		return -ENOMEM;
	top_sort(&state->view, &sorted);
	batch_print(state, &sorted);
	rate_set_done(&sorted);
	return 0;
}

static int batch_sampled(const struct dune_client_stats *stats, void *data)
{
	struct batch *state = data;
	char clock[16];
	struct rate_set set;

	if (rate_set_new(stats, &state->before, &set) < 0)
		return -ENOMEM;
	read_clock(clock);
	state->view.clock = clock;
	if (batch_frame(state, &set) < 0) {
		rate_set_done(&set);
		return -ENOMEM;
	}
	rate_set_done(&state->before);
	state->before = set;
	state->shown++;
	return (frames && state->shown == frames) || ferror(stdout);
}

static int batch_run(struct dunectl *ctl, struct top_view *view)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	struct batch state = { .ctl = ctl, .view = *view };
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	ctl->output.stream = true;
	r = dune_client_watch(client, 0, NULL, interval_ms, batch_sampled, &state);
	rate_set_done(&state.before);
	return r < 0 ? dunectl_fail(ctl, client, r, "read the statistics") : 0;
}

/* ---- the terminal ---- */

struct screen {
	struct top_view view;
	struct rate_set set;
	char problem[ASKER_PROBLEM];
	struct terminal_keys keys;
	uint64_t shown; /* frames with data */
	bool done;
	int rows, columns;
};

/* Lines at their places, each cleared behind its end, and nothing below. */
static int screen_put(const struct screen *screen, const char *text)
{
	char *bytes = NULL;
	size_t size;
	FILE *out = open_memstream(&bytes, &size);
	int r;

	if (!out)
		return -ENOMEM;
	fputs("\033[H", out);
	for (int row = 0; *text && row < screen->rows; row++) {
		size_t length = strcspn(text, "\n");

		fprintf(out, "%s%.*s\033[K", row ? "\r\n" : "", (int)length, text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", out);
	if (fclose(out) != 0) {
		free(bytes);
		return -ENOMEM;
	}
	r = terminal_write(bytes, size);
	free(bytes);
	return r;
}

static int screen_draw(struct screen *screen)
{
	char clock[16], *text;
	int r;

	terminal_size(&screen->rows, &screen->columns);
	read_clock(clock);
	screen->view.clock = clock;
	screen->view.problem = screen->problem[0] ? screen->problem : NULL;
	top_sort(&screen->view, &screen->set);
	text = top_draw(&screen->view, &screen->set, screen->rows, screen->columns, true);
	if (!text)
		return -ENOMEM;
	r = screen_put(screen, text);
	free(text);
	return r;
}

static void screen_refresh(struct screen *screen)
{
	if (asker_take(&screen->set, screen->problem))
		screen->shown++;
	if (frames && screen->shown >= frames)
		screen->done = true;
}

static void scroll(struct screen *screen, long lines)
{
	long first = (long)screen->view.first + lines;

	screen->view.first = first < 0 ? 0 : (size_t)first;
}

static void sort_by(struct screen *screen, const char *key)
{
	size_t column;

	if (top_find(key, &column) == 0)
		top_sort_by(&screen->view, column);
}

static void screen_key(struct screen *screen, int key)
{
	long page = screen->rows > TOP_HEADER + 1 ? screen->rows - TOP_HEADER - 1 : 1;

	switch (key) {
	case 'q':
	case 'Q':
		screen->done = true;
		break;
	case 'h':
	case '?':
		screen->view.help = !screen->view.help;
		break;
	case 'r':
		screen->view.ascending = !screen->view.ascending;
		break;
	case '<':
	case KEY_LEFT:
		top_sort_next(&screen->view, -1);
		break;
	case '>':
	case KEY_RIGHT:
		top_sort_next(&screen->view, 1);
		break;
	case 'e':
		sort_by(screen, "exits");
		break;
	case 's':
		sort_by(screen, "syscalls");
		break;
	case 'n':
		sort_by(screen, "name");
		break;
	case 'i':
		sort_by(screen, "id");
		break;
	case 'k':
	case KEY_UP:
		scroll(screen, -1);
		break;
	case 'j':
	case KEY_DOWN:
		scroll(screen, 1);
		break;
	case KEY_PAGE_UP:
		scroll(screen, -page);
		break;
	case KEY_PAGE_DOWN:
		scroll(screen, page);
		break;
	case KEY_HOME:
		screen->view.first = 0;
		break;
	case KEY_END:
		screen->view.first = screen->set.nr;
		break;
	}
}

/* All keys that are there; the end of input is the end. */
static void screen_keys(struct screen *screen)
{
	unsigned char bytes[64];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		screen->done = true;
	for (ssize_t i = 0; i < n && !screen->done; i++)
		screen_key(screen, terminal_key(&screen->keys, bytes[i]));
}

/* 0, or the signal that ends the program. */
static int screen_signal(struct screen *screen, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	switch (info.ssi_signo) {
	case SIGWINCH:
	case SIGCONT:
		return 0; /* drawn anew in any case */
	case SIGTSTP:
		terminal_leave();
		kill(getpid(), SIGSTOP);
		/* Here again after SIGCONT. */
		if (terminal_enter() < 0)
			screen->done = true;
		return 0;
	}
	return (int)info.ssi_signo;
}

/* Until the user, a signal or --iterations ends it. */
static int screen_loop(struct screen *screen, int signals, int wake)
{
	struct pollfd pollers[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = wake, .events = POLLIN },
	};
	int number = 0;

	while (!screen->done && !number) {
		if (screen_draw(screen) < 0)
			return 0; /* the terminal is gone */
		if (poll(pollers, 3, -1) < 0 && errno != EINTR)
			return 0;
		if (pollers[0].revents)
			screen_keys(screen);
		if (pollers[1].revents)
			number = screen_signal(screen, signals);
		if (pollers[2].revents)
			screen_refresh(screen);
	}
	return number;
}

/* Blocks them, here and so in the asker too; *ret_signals tells of them. */
static int watch_signals(sigset_t *ret_mask, int *ret_signals)
{
	static const int numbers[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT
	};

	sigemptyset(ret_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(ret_mask, numbers[i]);
	if (sigprocmask(SIG_BLOCK, ret_mask, NULL) < 0)
		return -errno;
	*ret_signals = signalfd(-1, ret_mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_signals < 0 ? -errno : 0;
}

static int screen_run(struct dunectl *ctl, struct top_view *view)
{
	struct screen screen = { .view = *view };
	struct dune_client *client;
	sigset_t mask;
	int signals = -1, wake = -1, number, r;

	/* Is there a service at all? Later it may go and come back. */
	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	dune_client_free(client);
	r = terminal_enter();
	if (r < 0) {
		dunectl_error("stdin and stdout must be a terminal");
		dunectl_hint(ctl, "dunectl top --batch writes plain text");
		return STATUS_USAGE;
	}
	r = watch_signals(&mask, &signals);
	if (r == 0)
		r = asker_start(ctl, interval_ms, &wake);
	if (r < 0) {
		terminal_leave();
		dunectl_error("cannot start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	number = screen_loop(&screen, signals, wake);
	terminal_leave();
	rate_set_done(&screen.set);
	if (number && number != SIGINT) {
		/* Ended by the signal, as whoever sent it wants to see. */
		signal(number, SIG_DFL);
		raise(number);
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
	}
	return 0;
}

static int top_run(struct dunectl *ctl, int argc, char **argv)
{
	struct top_view view = { 0 };
	size_t column;

	if (top_find(sort_key, &column) < 0)
		return EXIT_FAILURE;
	top_sort_by(&view, column);
	view.clock = "";
	if (batch || ctl->output.json != OUTPUT_JSON_OFF)
		return batch_run(ctl, &view);
	return screen_run(ctl, &view);
}

const struct dunectl_command command_top = {
	.name = "top",
	.arguments = "",
	.summary = "Show contexts with rates, sorted, and keep on doing so",
	.options = options,
	.run = top_run,
};
