/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration: defaults, the file and its drop-ins. Owns the table of keys; must never apply
 * half of a configuration: whatever is wrong anywhere refuses all of it.
 */
#ifndef DUNED_CONFIG_H
#define DUNED_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "duned/access.h"

#define CONFIG_MAX_FILE		65536	/* bytes of one file */
#define CONFIG_MAX_DROPINS	64	/* files in the .d directory */

/* Of a context. */
struct config_limits {
	int64_t vcpus;
	int64_t private_pages;
	int64_t ept_pages;
};

struct config {
	int64_t contexts_per_user;
	int64_t contexts_per_host;
	struct config_limits defaults;
	struct config_limits maximum;
	int64_t connections_per_user;
	int64_t connections_per_host;
	struct access_list administrators;
};

struct config_error {
	char file[256];
	unsigned int line;	/* 0 when it is about no line */
	char reason[160];
};

void config_defaults(struct config *config);

/*
 * Changes *config by one file's text. 0, or -EINVAL with *ret_error filled and *config in an
 * undefined state. `name` is for the error only.
 */
int config_parse(const char *text, size_t size_bytes, const char *name, struct config *config,
		 struct config_error *ret_error);

/* Values that contradict one another: -EINVAL. */
int config_check(const struct config *config, struct config_error *ret_error);

/*
 * Defaults, then the file (optional: a missing one is no error), then every <file>.d/?*.conf in the
 * order of their names. 0 or -errno with *ret_error filled; *ret_config is untouched on failure.
 */
int config_load(const char *path, int optional, struct config *ret_config,
		struct config_error *ret_error);

/* Writes the configuration in the file's own format to stdout. */
void config_print(const struct config *config);

#endif
