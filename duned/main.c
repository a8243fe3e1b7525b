// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned: options, signals, systemd. Starts the parts and ends them; everything else is theirs.
 */
#include <ev.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "duned/closer.h"
#include "duned/config.h"
#include "duned/drain.h"
#include "duned/listen.h"
#include "duned/log.h"
#include "duned/loop_memory.h"
#include "duned/manager.h"
#include "duned/reload.h"
#include "duned/server.h"
#include "proto/methods.h"
#include "proto/names.h"

#define DEFAULT_CONFIG DUNE_SYSCONFDIR "/dune/duned.conf"
#define EXIT_USAGE     2
#define DEFAULT_STATE  "/var/lib/duned"
#define QUOTAS_FILE    "quotas.conf"

struct options {
	const char *config; /* NULL: the default, which may be missing */
	const char *socket; /* NULL: systemd's or the default */
	const char *device;
	const char *subids;
	const char *state; /* NULL: systemd's, the default, or none beside a configuration */
	bool check;
	bool debug;
};

static const char usage[] =
	"Usage: duned [OPTION]...\n"
	"       duned --check [FILE]\n"
	"\n"
	"The service that creates Dune contexts and shows them, over Varlink.\n"
	"\n"
	"  --config=FILE  read FILE and FILE.d/*.conf instead of " DEFAULT_CONFIG "\n"
	"  --socket=PATH  listen on PATH instead of systemd's socket or " DUNE_SOCKET "\n"
	"  --device=PATH  use PATH instead of " DEVICE_PATH "\n"
	"  --state=DIR    keep the quotas set at run time in DIR instead of " DEFAULT_STATE "\n"
	"  --subuid=FILE  users' subordinate uids, instead of " SUBIDS_FILE "\n"
	"  --check        check the configuration, print what is in force, and exit\n"
	"  --debug        log every event\n"
	"  --version      print the version and exit\n"
	"  --help         print this and exit\n";

enum option_id {
	OPTION_CONFIG = 1,
	OPTION_SOCKET,
	OPTION_DEVICE,
	OPTION_STATE,
	OPTION_SUBUID,
	OPTION_CHECK,
	OPTION_DEBUG,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "subuid", required_argument, NULL, OPTION_SUBUID },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "debug", no_argument, NULL, OPTION_DEBUG },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			options->config = optarg;
			break;
		case OPTION_SOCKET:
			options->socket = optarg;
			break;
		case OPTION_DEVICE:
			options->device = optarg;
			break;
		case OPTION_STATE:
			options->state = optarg;
			break;
		case OPTION_SUBUID:
			options->subids = optarg;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case OPTION_DEBUG:
			options->debug = true;
			break;
		case OPTION_VERSION:
			printf("duned %s (module ABI %d)\n", DUNE_VERSION, DUNE_ABI_VERSION);
			return 0;
		case OPTION_HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs("Try 'duned --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (options->check && optind < argc && !options->config)
		options->config = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "duned: unexpected argument %s\nTry 'duned --help'.\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static void on_reload(struct ev_loop *loop, ev_signal *watcher, int revents)
{
	reload_on_signal(watcher->data);
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int revents)
{
	log_message(LOG_INFO, MESSAGE_STOPPING, NULL, "stopping on signal %d", watcher->signum);
	sd_notify(0, "STOPPING=1");
	drain_begin(watcher->data);
}

/* One that comes before there is a loop waits for it. */
static void hold_hangup(int how)
{
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigprocmask(how, &hangup, NULL);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
	sd_notify(0, "WATCHDOG=1");
}

/* Watches, runs until a signal to stop and what has arrived by then is answered. */
static void run_loop(struct ev_loop *loop, struct server *server)
{
	struct drain drain;
	ev_signal stop_term, stop_int, reload;
	ev_timer watchdog;
	uint64_t watchdog_usec;

	drain_init(&drain, server);
	ev_signal_init(&stop_term, on_stop, SIGTERM);
	stop_term.data = &drain;
	ev_signal_start(loop, &stop_term);
	ev_signal_init(&stop_int, on_stop, SIGINT);
	stop_int.data = &drain;
	ev_signal_start(loop, &stop_int);
	ev_signal_init(&reload, on_reload, SIGHUP);
	reload.data = server->manager;
	ev_signal_start(loop, &reload);
	hold_hangup(SIG_UNBLOCK);
	ev_init(&watchdog, on_watchdog);
	if (sd_watchdog_enabled(0, &watchdog_usec) > 0) {
		watchdog.repeat = (double)watchdog_usec / 2e6;
		ev_timer_again(loop, &watchdog);
	}
	sd_notify(0, "READY=1");
	ev_run(loop, 0);
	ev_timer_stop(loop, &watchdog);
	ev_signal_stop(loop, &reload);
	ev_signal_stop(loop, &stop_int);
	ev_signal_stop(loop, &stop_term);
	drain_done(&drain);
}

static int serve(const struct options *options, const struct manager_source *source,
		 const struct config *config)
{
	struct manager manager;
	struct server server;
	struct listen listen;
	struct ev_loop *loop;
	int r;

	r = listen_open(options->socket, &listen);
	if (r < 0)
		return 1;
	loop_memory_init();
	loop = ev_default_loop(EVFLAG_NOENV);
	if (!loop || manager_init(&manager, loop, config, options->device) < 0) {
		log_error("no event loop, or no memory: %s", strerror(errno));
		listen_unlink(&listen);
		return 1;
	}
	manager.settings->source = *source;
	reload_subids_start(&manager);
	r = manager_device(&manager);
	if (r < 0)
		log_message(LOG_WARNING, MESSAGE_DEVICE_UNUSABLE,
			    LOG_FIELDS(LOG_TEXT("DUNE_ERROR", dune_errno_name(r))),
			    "%s can't be used (%s); trying again with every call", options->device,
			    r == -EPROTONOSUPPORT ? "the module speaks another ABI version" :
						    strerror(-r));
	server_init(&server, &manager, loop, listen.fds);
	log_message(LOG_INFO, MESSAGE_STARTED, NULL, "version %s listens on %s", DUNE_VERSION,
		    listen.paths[POLICY_PUBLIC][0] ? listen.paths[POLICY_PUBLIC] :
						     "systemd's socket");
	run_loop(loop, &server);
	listen_unlink(&listen);
	server_done(&server);
	manager_done(&manager);
	ev_loop_destroy(loop);
	return 0;
}

/* The part of the line that an error is about, underlined. */
static void print_error(const struct config_error *error)
{
	char text[sizeof(error->file) + sizeof(error->reason) + 32];

	config_format_error(error, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	if (!error->column)
		return;
	fprintf(stderr, "  %s\n  %*s^", error->text, (int)error->caret, "");
	for (unsigned int i = 1; i < error->caret_length; i++)
		fputc('~', stderr);
	fputc('\n', stderr);
}

/* A named file is checked by itself, else what the service would read. */
static int check(const struct manager_source *source, bool named)
{
	struct config config __attribute__((cleanup(config_done)));
	struct quota_rules runtime;
	struct config_error error;

	config_defaults(&config);
	if (config_load(source->config, source->config_optional, &config, &error) < 0) {
		print_error(&error);
		return 1;
	}
	if (!named && source->quotas) {
		if (config_load_quotas(source->quotas, &runtime, &error) < 0) {
			print_error(&error);
			return 1;
		}
		config_overlay(&config, &runtime);
		quota_rules_done(&runtime);
	}
	config_print(&config);
	return 0;
}

/* systemd may name several folders; the first is ours. */
static void find_state(const struct options *options, char *path, size_t size)
{
	const char *folder = options->state ? options->state : getenv("STATE_DIRECTORY");

	/* A configuration of one's own does not go with the state of the service of this host. */
	if (!folder && options->config)
		*path = '\0';
	else if (!folder)
		snprintf(path, size, "%s/" QUOTAS_FILE, DEFAULT_STATE);
	else
		snprintf(path, size, "%.*s/" QUOTAS_FILE, (int)strcspn(folder, ":"), folder);
}

int main(int argc, char **argv)
{
	struct options options = { .device = DEVICE_PATH, .subids = SUBIDS_FILE };
	char quotas[PATH_MAX];
	struct manager_source source;
	struct config_error error;
	struct config config;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	hold_hangup(SIG_BLOCK);
	log_init(options.debug);
	find_state(&options, quotas, sizeof(quotas));
	source = (struct manager_source){
		.config = options.config ? options.config : DEFAULT_CONFIG,
		.config_optional = !options.config,
		.quotas = quotas[0] ? quotas : NULL,
		.subids = options.subids,
	};
	if (options.check)
		return check(&source, options.config != NULL);
	if (reload_start(&source, &config, &error) < 0) {
		reload_log_error(&error, "the service does not start");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	status = log_start();
	if (status < 0)
		log_warning("messages are written by the loop itself: %s", strerror(-status));
	status = closer_start();
	if (status < 0)
		log_warning("sockets are closed by the loop itself: %s", strerror(-status));
	status = serve(&options, &source, &config);
	closer_stop();
	log_stop();
	return status;
}
