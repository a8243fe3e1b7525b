// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune-exporter: options, signals, systemd; ties collector, history and HTTP together. An ordinary client of
 * duned: it has no privilege of any kind and must never need one.
 */
#include <ev.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "duned/exporter/address.h"
#include "duned/exporter/collector.h"
#include "duned/exporter/expose.h"
#include "duned/exporter/history.h"
#include "duned/exporter/http.h"
#include "duned/exporter/note.h"
#include "duned/exporter/own.h"
#include "duned/exporter/textfile.h"
#include "proto/methods.h"

/* Outside 9100 to 9999, all of which Prometheus' list of ports has given to others: 1, then D U N E on a
 * telephone. */
#define DEFAULT_LISTEN "127.0.0.1:13863"
#define EXIT_USAGE     2

#define STRING_OF(x) #x
#define STRING(x)    STRING_OF(x)

struct options {
	const char *listen; /* NULL: systemd's socket, else the default */
	const char *textfile;
	struct collector_options collector;
};

static const char usage[] =
	"Usage: dune-exporter [OPTION]...\n"
	"       dune-exporter --textfile=PATH [OPTION]...\n"
	"\n"
	"Shows what Dune contexts do: metrics for Prometheus at /metrics, a page for people at /.\n"
	"\n"
	"  --listen=ADDR:PORT  listen there instead of on systemd's socket or " DEFAULT_LISTEN "\n"
	"  --socket=PATH       ask duned on PATH instead of " DUNE_SOCKET "\n"
	"  --per-user=N        also show what each of the N users with the most contexts uses (1 to "
	"256)\n"
	"  --textfile=PATH     write the metrics to PATH, once, and exit\n"
	"  --version           print the version and exit\n"
	"  --help              print this and exit\n";

enum option_id {
	OPTION_LISTEN = 1,
	OPTION_SOCKET,
	OPTION_PER_USER,
	OPTION_TEXTFILE,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "per-user", required_argument, NULL, OPTION_PER_USER },
	{ "textfile", required_argument, NULL, OPTION_TEXTFILE },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "dune-exporter: %s%s\nTry 'dune-exporter --help'.\n", what, value);
	return EXIT_USAGE;
}

static int parse_per_user(const char *text, unsigned int *ret_number)
{
	unsigned long number;

	if (!*text || strlen(text) > 3 || text[strspn(text, "0123456789")])
		return -EINVAL;
	number = strtoul(text, NULL, 10);
	if (number < 1 || number > SAMPLE_MAX_USERS)
		return -ERANGE;
	*ret_number = (unsigned int)number;
	return 0;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_LISTEN:
			options->listen = optarg;
			break;
		case OPTION_SOCKET:
			options->collector.socket = optarg;
			break;
		case OPTION_PER_USER:
			if (parse_per_user(optarg, &options->collector.max_users) < 0)
				return usage_error("--per-user wants a number from 1 to " STRING(
							   SAMPLE_MAX_USERS) ", not ",
						   optarg);
			break;
		case OPTION_TEXTFILE:
			options->textfile = optarg;
			break;
		case OPTION_VERSION:
			printf("dune-exporter %s\n", DUNE_VERSION);
			return 0;
		case OPTION_HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs("Try 'dune-exporter --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("unexpected argument ", argv[optind]);
	if (options->textfile && options->listen)
		return usage_error("--textfile and --listen exclude each other", "");
	return -1;
}

/* ---- --textfile ---- */

/* That duned is down is what the file then says, not a failure. */
static int write_textfile(const struct options *options)
{
	struct sample *sample = calloc(1, sizeof(*sample));
	char *text = NULL;
	size_t size;
	int r = -ENOMEM;

	if (sample) {
		collector_collect(&options->collector, sample);
		r = expose(sample, NULL, EXPOSE_TEXT, &text, &size);
	}
	if (r == 0 && !sample->up)
		note_error("%s", sample->problem);
	if (r == 0)
		r = textfile_write(options->textfile, text, size);
	if (r < 0)
		note_error("%s: %s", options->textfile, strerror(-r));
	free(text);
	free(sample);
	return r < 0;
}

/* ---- serving ---- */

struct exporter {
	struct ev_loop *loop;
	struct collector *collector;
	struct history *history;
	struct http *http;
	struct own own;
	ev_timer step; /* of the history */
	bool step_due; /* the next sample is a point of it */
};

static bool on_want(void *data)
{
	struct exporter *exporter = data;

	return collector_want(exporter->collector);
}

static int on_metrics(void *data, bool openmetrics, char **ret_text, size_t *ret_size)
{
	struct exporter *exporter = data;
	struct collector_counts counts = collector_counts(exporter->collector);

	exporter->own.collections_good = counts.good;
	exporter->own.collections_bad = counts.bad;
	own_update(&exporter->own);
	return expose(collector_sample(exporter->collector), &exporter->own,
		      openmetrics ? EXPOSE_OPENMETRICS : EXPOSE_TEXT, ret_text, ret_size);
}

static int on_history(void *data, char **ret_text, size_t *ret_size)
{
	struct exporter *exporter = data;

	return history_json(exporter->history, collector_sample(exporter->collector), ret_text,
			    ret_size);
}

static void add_point(struct exporter *exporter)
{
	exporter->step_due = false;
	history_add(exporter->history, collector_sample(exporter->collector));
}

static void on_collected(void *data)
{
	struct exporter *exporter = data;

	if (exporter->step_due)
		add_point(exporter);
	http_collected(exporter->http);
}

static void on_step(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct exporter *exporter = timer->data;

	exporter->step_due = true;
	if (collector_want(exporter->collector))
		add_point(exporter);
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int revents)
{
	note_info("stopping on signal %d", watcher->signum);
	sd_notify(0, "STOPPING=1");
	ev_break(loop, EVBREAK_ALL);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
	sd_notify(0, "WATCHDOG=1");
}

static void run_loop(struct exporter *exporter)
{
	ev_signal stop_term, stop_int;
	uint64_t watchdog_usec;
	ev_timer watchdog;

	ev_signal_init(&stop_term, on_stop, SIGTERM);
	ev_signal_init(&stop_int, on_stop, SIGINT);
	ev_signal_start(exporter->loop, &stop_term);
	ev_signal_start(exporter->loop, &stop_int);
	ev_init(&watchdog, on_watchdog);
	if (sd_watchdog_enabled(0, &watchdog_usec) > 0) {
		watchdog.repeat = (double)watchdog_usec / 2e6;
		ev_timer_again(exporter->loop, &watchdog);
	}
	ev_timer_init(&exporter->step, on_step, 0., HISTORY_STEP_S);
	exporter->step.data = exporter;
	ev_timer_start(exporter->loop, &exporter->step);
	sd_notify(0, "READY=1");
	ev_run(exporter->loop, 0);
}

/* systemd's socket, or one of our own. */
static int open_socket(const char *text, int *ret_fd)
{
	struct sockaddr_storage address;
	const char *why;
	socklen_t size;
	int r = text ? 0 : address_inherited(ret_fd);

	if (r < 0)
		note_error("among the passed descriptors is no listening stream socket named "
			   "%s",
			   ADDRESS_FD_NAME);
	if (r != 0)
		return r < 0 ? r : 0;
	text = text ? text : DEFAULT_LISTEN;
	r = address_parse(text, &address, &size, &why);
	if (r < 0) {
		note_error("--listen=%s: %s", text, why);
		return r;
	}
	r = address_listen(&address, size, ret_fd);
	if (r < 0)
		note_error("%s: %s", text, strerror(-r));
	return r;
}

static int start(struct exporter *exporter, const struct options *options, int fd)
{
	const struct http_hooks hooks = { on_want, on_metrics, on_history, exporter };
	int r;

	exporter->loop = ev_default_loop(EVFLAG_NOENV);
	r = exporter->loop ? http_new(exporter->loop, fd, &hooks, &exporter->own, &exporter->http) :
			     -EMFILE;
	if (r == 0)
		r = history_new(&exporter->history);
	if (r == 0)
		r = collector_new(exporter->loop, &options->collector, on_collected, exporter,
				  &exporter->collector);
	if (r < 0)
		note_error("can't start: %s", strerror(-r));
	return r;
}

static int serve(const struct options *options)
{
	struct exporter exporter = { 0 };
	struct timespec now;
	int fd, r;

	clock_gettime(CLOCK_REALTIME, &now);
	exporter.own.started_s = (double)now.tv_sec;
	if (open_socket(options->listen, &fd) < 0)
		return 1;
	r = start(&exporter, options, fd);
	if (r == 0) {
		note_info("version %s serves on %s", DUNE_VERSION,
			  options->listen ? options->listen : "its socket");
		run_loop(&exporter);
	}
	http_free(exporter.http);
	collector_free(exporter.collector);
	history_free(exporter.history);
	return r < 0;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	return options.textfile ? write_textfile(&options) : serve(&options);
}
