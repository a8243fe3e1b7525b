// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The configuration's parser on any bytes: no value outside of what the service can live with, and every
 * refusal with words that a terminal can show.
 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "duned/config.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_limits(const struct config_limits *limits)
{
	require(limits->vcpus >= 1 && limits->vcpus <= 240);
	require(limits->private_pages >= 1 && limits->private_pages <= 131072);
	require(limits->ept_pages >= 320 && limits->ept_pages <= 1 << 24);
}

static void require_rule(const struct quota_rule *rule)
{
	for (int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		int64_t maximum = rule->values[i].maximum, least, most;

		config_quota_bounds((enum quota_resource)i, &least, &most);
		require(maximum == QUOTA_UNSET || maximum == QUOTA_UNLIMITED ||
			(maximum >= least && maximum <= most));
	}
}

/* What is printed is read as the same. */
static void require_quotas(const struct quota_rules *rules)
{
	static char text[CONFIG_MAX_FILE], again[CONFIG_MAX_FILE];
	struct config_error error;
	struct quota_rules copy;

	for (int i = 0; i < QUOTA_NR_BASE; i++)
		require_rule(&rules->base[i]);
	for (size_t i = 0; i < rules->nr_named; i++)
		require_rule(&rules->named[i]);
	require(config_format_quotas(rules, text, sizeof(text)) >= 0);
	quota_rules_init(&copy);
	require(config_parse_quotas(text, strlen(text), "again", &copy, &error) == 0);
	require(config_format_quotas(&copy, again, sizeof(again)) >= 0);
	require(!strcmp(text, again));
	quota_rules_done(&copy);
}

static void require_error(const struct config_error *error)
{
	require(error->reason[0] && !strcmp(error->file, "fuzz"));
	for (const char *p = error->reason; *p; p++)
		require(isprint((unsigned char)*p));
	for (const char *p = error->text; *p; p++)
		require(isprint((unsigned char)*p));
	require(!error->line || error->column);
	require(error->caret + error->caret_length <= CONFIG_TEXT_MAX);
}

static void require_config(struct config *config)
{
	struct config_error error = { 0 };

	require_limits(&config->defaults);
	require_limits(&config->maximum);
	require(config->connections_per_user >= 1 && config->connections_per_user <= 4096);
	require(config->connections_per_host >= 1 && config->connections_per_host <= 16384);
	require(config_check(config, &error) == 0 || error.reason[0]);
	require_quotas(&config->configured);
}

/* As the file of the quotas set at run time, which lie over the configured ones. */
static void parse_runtime(const char *text, size_t size, struct config *config)
{
	struct config_error error = { 0 };
	struct quota_rules rules;

	quota_rules_init(&rules);
	if (config_parse_quotas(text, size, "fuzz", &rules, &error) < 0) {
		require_error(&error);
	} else {
		require_quotas(&rules);
		if (config_overlay(config, &rules) == 0)
			require_quotas(&config->quotas);
	}
	quota_rules_done(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct config_error error = { 0 };
	struct config config;

	config_defaults(&config);
	if (config_parse(text, size, "fuzz", &config, &error) < 0)
		require_error(&error);
	else
		require_config(&config);
	parse_runtime(text, size, &config);
	config_done(&config);
	return 0;
}
