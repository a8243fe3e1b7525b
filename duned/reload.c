// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading the configuration at the start and again; see manager.h and reload.h. */
#include "duned/reload.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "duned/log.h"

#define SPARE_FDS 64 /* beside the connections: device, loop, contexts on their way */

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

int manager_reload(struct manager *manager, struct config_error *ret_error)
{
	const struct manager_source *source = &manager->source;
	struct config config;
	int r;

	if (!source->config)
		return config_fail(ret_error, -ENOENT, "", "the service has no configuration file");
	r = config_load(source->config, source->config_optional, &config, ret_error);
	if (r < 0)
		return r;
	r = load_runtime(source, &config, ret_error);
	if (r < 0) {
		config_done(&config);
		return r;
	}
	fit_files(&config);
	config_done(&manager->config);
	manager->config = config;
	manager->generation++;
	if (!manager->config.polkit)
		polkit_disconnect(&manager->polkit);
	log_message(LOG_INFO, MESSAGE_CONFIG_RELOADED, NULL, "the configuration was read again");
	return 0;
}

void reload_log_error(const struct config_error *error, const char *consequence)
{
	char text[sizeof(error->file) + sizeof(error->reason) + 32];

	config_format_error(error, text, sizeof(text));
	log_message(LOG_ERR, MESSAGE_CONFIG_INVALID, NULL, "%s; %s", text, consequence);
}
