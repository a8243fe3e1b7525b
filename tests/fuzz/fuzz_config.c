// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The configuration's parser on any bytes: no value outside of what the service can live with, and every
 * refusal with words that a terminal can show.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "duned/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void require_limits(const struct config_limits *limits)
{
	require(limits->vcpus >= 1 && limits->vcpus <= 240);
	require(limits->private_pages >= 1 && limits->private_pages <= 131072);
	require(limits->ept_pages >= 64 && limits->ept_pages <= 1 << 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error = { 0 };
	struct config config;

	config_defaults(&config);
	if (config_parse((const char *)data, size, "fuzz", &config, &error) < 0) {
		require(error.reason[0] && !strcmp(error.file, "fuzz"));
		for (const char *p = error.reason; *p; p++)
			require(isprint((unsigned char)*p));
		return 0;
	}
	require_limits(&config.defaults);
	require_limits(&config.maximum);
	require(config.contexts_per_user >= 0 && config.contexts_per_user <= 16384);
	require(config.contexts_per_host >= 0 && config.contexts_per_host <= 16384);
	require(config.connections_per_user >= 1 && config.connections_per_user <= 4096);
	require(config.connections_per_host >= 1 && config.connections_per_host <= 16384);
	config_check(&config, &error);
	return 0;
}
