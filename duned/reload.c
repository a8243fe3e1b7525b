// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading the configuration at the start and again; see manager.h and reload.h. */
#include "duned/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "duned/admit.h"
#include "duned/clock.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/quota_methods.h"
#include "duned/request.h"

#define SUBIDS_LOOK_S	  5. /* until it is seen again whether they are others */
#define SUBIDS_REST	  10. /* times as long as it took: others need the worker, too */
#define SUBIDS_LOOK_MAX_S 600.
#define SPARE_FDS	  64 /* beside the connections: device, loop, contexts on their way */

/* Connections that the process's limit of open files can't hold would only fail later. */
static void fit_files(struct config *config)
{
	struct rlimit limit;
	int64_t fits;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	fits = limit.rlim_cur > SPARE_FDS + 1 ? (int64_t)limit.rlim_cur - SPARE_FDS : 1;
	if (config->connections_per_host <= fits)
		return;
	log_warning("connections per-host cut from %lld to %lld by the limit of open files",
		    (long long)config->connections_per_host, (long long)fits);
	config->connections_per_host = fits;
	if (config->connections_per_user > fits)
		config->connections_per_user = fits;
}

static int load_runtime(const struct manager_source *source, struct config *config,
			struct config_error *ret_error)
{
	struct quota_rules runtime;
	int r;

	if (!source->quotas)
		return 0;
	r = config_load_quotas(source->quotas, &runtime, ret_error);
	if (r < 0)
		return r;
	r = config_overlay(config, &runtime);
	quota_rules_done(&runtime);
	return r < 0 ? config_fail(ret_error, r, source->quotas, "%s", strerror(-r)) : 0;
}

int reload_start(const struct manager_source *source, struct config *ret_config,
		 struct config_error *ret_error)
{
	struct config config;
	int r = config_load(source->config, source->config_optional, &config, ret_error);

	if (r < 0)
		return r;
	r = load_runtime(source, &config, ret_error);
	if (r < 0)
		reload_log_error(ret_error, "the quotas set at run time are not in force");
	fit_files(&config);
	*ret_config = config;
	return 0;
}

/* ---- again, while the service runs ---- */

struct reload {
	struct job job;
	struct manager *manager; /* the loop's */
	struct settings *settings;
	int r;
	struct config config; /* when r is 0, until it is in force */
	int subids_r;
	struct subids subids; /* likewise */
	double subids_s; /* how long that took */
	struct config_error error;
};

static void reload_free(struct job *job)
{
	struct reload *reload = (struct reload *)job;

	subids_done(&reload->subids);
	free(reload);
}

static struct job *reload_new(struct manager *manager, const struct job_kind *kind)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (!reload)
		return NULL;
	reload->job.kind = kind;
	reload->manager = manager;
	reload->settings = manager->settings;
	return &reload->job;
}

/* All of it or nothing. */
static int read_again(struct settings *settings, struct config *ret_config,
		      struct config_error *ret_error)
{
	const struct manager_source *source = &settings->source;
	struct quota_rules configured;
	struct config config;
	int r;

	if (!source->config)
		return config_fail(ret_error, -ENOENT, "", "the service has no configuration file");
	r = config_load(source->config, source->config_optional, &config, ret_error);
	if (r < 0)
		return r;
	r = load_runtime(source, &config, ret_error);
	if (!r && quota_rules_copy(&config.configured, &configured) < 0)
		r = config_fail(ret_error, -ENOMEM, source->config, "out of memory");
	if (r < 0) {
		config_done(&config);
		return r;
	}
	quota_rules_done(&settings->configured);
	settings->configured = configured;
	*ret_config = config;
	return 0;
}

/* ---- whom a uid counts for ---- */

static bool is_same(const struct subids *one, const struct subids *other)
{
	return one->nr == other->nr &&
	       (!one->nr || !memcmp(one->ranges, other->ranges, one->nr * sizeof(*one->ranges)));
}

static void log_subids(const char *path, const struct subids *subids)
{
	if (subids->nr_bad)
		log_warning(
			"%s:%zu: not USER:FIRST:COUNT with uids that there are; %zu of %zu lines "
			"are left out",
			path, subids->first_bad, subids->nr_bad, subids->nr_lines);
	if (subids->nr_unknown)
		log_debug("%s: %zu ranges of users that nobody knows", path, subids->nr_unknown);
}

/* What a job or the start found: a table, which is taken or left to be freed, 1 for nothing new, -errno. */
static void take_subids(struct manager *manager, int r, struct subids *subids)
{
	const char *path = manager->settings->source.subids;

	if (r > 0)
		return;
	if (r < 0 && r != manager->subids_error)
		log_warning(
			"%s, or the users in it, can't be read (%s): uids count for whom they did",
			path, strerror(-r));
	manager->subids_error = r;
	if (r < 0)
		return;
	log_subids(path, subids);
	if (is_same(subids, &manager->subids))
		return;
	subids_done(&manager->subids);
	manager->subids = *subids;
	*subids = (struct subids){ 0 };
	/* Contexts are charged anew. */
	manager->ledger.stale = true;
}

static int read_subids(struct settings *settings, struct subids *ret_subids)
{
	const char *path = settings->source.subids;

	return path ? subids_load_changed(path, &settings->subids, ret_subids) : 1;
}

static void subids_work(struct job *job)
{
	struct reload *reload = (struct reload *)job;
	int64_t start = clock_ns();

	reload->subids_r = read_subids(reload->settings, &reload->subids);
	reload->subids_s = clock_since(start);
}

static double rest_s(double took_s)
{
	double rest = SUBIDS_REST * took_s;

	if (rest > SUBIDS_LOOK_MAX_S)
		return SUBIDS_LOOK_MAX_S;
	return rest < SUBIDS_LOOK_S ? SUBIDS_LOOK_S : rest;
}

static void subids_looked(struct job *job)
{
	struct reload *reload = (struct reload *)job;
	struct manager *manager = reload->manager;

	take_subids(manager, reload->subids_r, &reload->subids);
	manager->subids_timer.repeat = rest_s(reload->subids_s);
	ev_timer_again(manager->loop, &manager->subids_timer);
}

static void on_subids(struct ev_loop *loop, ev_timer *timer, int revents)
{
	static const struct job_kind kind = { subids_work, subids_looked, NULL, reload_free };
	struct manager *manager = timer->data;
	struct job *job = reload_new(manager, &kind);

	/* Without memory: there is a next time. */
	if (!job)
		return;
	job->of_service = true;
	/* Until this one is done. */
	ev_timer_stop(loop, timer);
	worker_submit(manager->worker, job);
	job_release(job);
}

void reload_subids_start(struct manager *manager)
{
	struct subids subids = { 0 };
	int r = read_subids(manager->settings, &subids);

	take_subids(manager, r, &subids);
	subids_done(&subids);
	ev_timer_init(&manager->subids_timer, on_subids, SUBIDS_LOOK_S, SUBIDS_LOOK_S);
	manager->subids_timer.data = manager;
	ev_timer_start(manager->loop, &manager->subids_timer);
}

/* ---- all of it ---- */

static void reload_work(struct job *job)
{
	struct reload *reload = (struct reload *)job;

	/* Whoever asks for it may know what no file's times tell: users of a directory. */
	reload->settings->subids.known = false;
	subids_work(job);
	reload->r = read_again(reload->settings, &reload->config, &reload->error);
}

static void reload_done(struct job *job)
{
	struct reload *reload = (struct reload *)job;
	struct manager *manager = reload->manager;

	take_subids(manager, reload->subids_r, &reload->subids);
	if (reload->r < 0) {
		reload_log_error(&reload->error, "the configuration in force stays");
		return;
	}
	fit_files(&reload->config);
	config_done(&manager->config);
	manager->config = reload->config;
	manager_new_generation(manager);
	if (!manager->config.polkit)
		polkit_disconnect(&manager->polkit);
	log_message(LOG_INFO, MESSAGE_CONFIG_RELOADED, NULL, "the configuration was read again");
}

static int reload_answer(struct job *job, struct request *request, struct answer *answer)
{
	struct reload *reload = (struct reload *)job;

	return reload->r < 0 ? answer_bad_config(answer, &reload->error) :
			       answer_reply(answer, json_object_new_object());
}

int method_reload(struct request *request, struct answer *answer)
{
	static const struct job_kind kind = { reload_work, reload_done, reload_answer,
					      reload_free };
	const char *bad;
	struct job *job;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	job = reload_new(request->manager, &kind);
	return job ? answer_later(request, job, answer) : -ENOMEM;
}

/* ---- for a signal ---- */

static void submit_for_signal(struct manager *manager);

static void signal_done(struct job *job)
{
	struct manager *manager = ((struct reload *)job)->manager;

	reload_done(job);
	manager->reloading = false;
	if (manager->reload_again)
		submit_for_signal(manager);
	else
		sd_notify(0, "READY=1");
}

static void submit_for_signal(struct manager *manager)
{
	static const struct job_kind kind = { reload_work, signal_done, NULL, reload_free };
	struct job *job = reload_new(manager, &kind);
	struct config_error error;

	manager->reload_again = false;
	if (!job) {
		config_fail(&error, -ENOMEM, "reload", "out of memory");
		reload_log_error(&error, "the configuration in force stays");
		sd_notify(0, "READY=1");
		return;
	}
	/* There is always room for it. */
	job->of_service = true;
	worker_submit(manager->worker, job);
	manager->reloading = true;
	job_release(job);
}

void reload_on_signal(struct manager *manager)
{
	sd_notify(0, "RELOADING=1");
	/* Whatever the one on its way has read, this signal is about what is there now. */
	manager->reload_again = manager->reloading;
	if (!manager->reloading)
		submit_for_signal(manager);
}

void reload_log_error(const struct config_error *error, const char *consequence)
{
	char text[sizeof(error->file) + sizeof(error->reason) + 32];

	config_format_error(error, text, sizeof(text));
	log_message(LOG_ERR, MESSAGE_CONFIG_INVALID, NULL, "%s; %s", text, consequence);
}
