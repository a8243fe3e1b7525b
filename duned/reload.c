// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading the configuration at the start and again; see manager.h and reload.h. */
#include "duned/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "duned/admit.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/quota_methods.h"
#include "duned/request.h"

#define SUBIDS_LOOK_S 5. /* where the kernel does not tell that a file has changed */
#define SPARE_FDS     64 /* beside the connections: device, loop, contexts on their way */

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

static int read_subids(const struct manager_source *source, struct subids *ret_subids)
{
	return source->subids ? subids_load(source->subids, ret_subids) : 0;
}

static bool is_same(const struct subids *one, const struct subids *other)
{
	return one->nr == other->nr &&
	       (!one->nr || !memcmp(one->ranges, other->ranges, one->nr * sizeof(*one->ranges)));
}

/* Takes the table, or leaves it to be freed. */
static void take_subids(struct manager *manager, int r, struct subids *subids)
{
	if (r < 0) {
		log_warning("%s can't be read (%s); uids count for whom they did",
			    manager->settings->source.subids, strerror(-r));
		return;
	}
	if (is_same(subids, &manager->subids))
		return;
	subids_done(&manager->subids);
	manager->subids = *subids;
	*subids = (struct subids){ 0 };
	/* Connections stay where they are counted; contexts are charged anew. */
	manager->ledger.stale = true;
}

static void submit_subids(struct manager *manager);

static void subids_work(struct job *job)
{
	struct reload *reload = (struct reload *)job;

	reload->subids_r = read_subids(&reload->settings->source, &reload->subids);
}

static void subids_put_in_force(struct job *job)
{
	struct reload *reload = (struct reload *)job;
	struct manager *manager = reload->manager;

	take_subids(manager, reload->subids_r, &reload->subids);
	manager->subids_reading = false;
	if (manager->subids_again)
		submit_subids(manager);
}

static void submit_subids(struct manager *manager)
{
	static const struct job_kind kind = { subids_work, subids_put_in_force, NULL, reload_free };
	struct job *job = reload_new(manager, &kind);

	manager->subids_again = false;
	if (!job) {
		log_warning("%s changed and is not read: out of memory",
			    manager->settings->source.subids);
		return;
	}
	job->of_service = true;
	manager->subids_reading = true;
	worker_submit(manager->worker, job);
	job_release(job);
}

static void on_subids(struct ev_loop *loop, ev_stat *watcher, int revents)
{
	struct manager *manager = watcher->data;

	/* Whatever the one on its way has read, this is about what is there now. */
	manager->subids_again = manager->subids_reading;
	if (!manager->subids_reading)
		submit_subids(manager);
}

void reload_subids_start(struct manager *manager)
{
	const struct manager_source *source = &manager->settings->source;
	struct subids subids = { 0 };

	/* Watched first: a change that comes meanwhile is a change. */
	ev_stat_init(&manager->subids_watcher, on_subids, source->subids, SUBIDS_LOOK_S);
	manager->subids_watcher.data = manager;
	ev_stat_start(manager->loop, &manager->subids_watcher);
	take_subids(manager, read_subids(source, &subids), &subids);
	subids_done(&subids);
}

/* ---- all of it ---- */

static void reload_work(struct job *job)
{
	struct reload *reload = (struct reload *)job;

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
