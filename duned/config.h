/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration: defaults, the file and its drop-ins, and the quotas that were set at run time.
 * Owns the tables of keys; must never apply half of a configuration: whatever is wrong anywhere
 * refuses all of it.
 */
#ifndef DUNED_CONFIG_H
#define DUNED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/access.h"
#include "duned/quota.h"

#define CONFIG_MAX_FILE	   524288 /* bytes of one file */
#define CONFIG_MAX_DROPINS 64 /* files in the .d directory */
#define CONFIG_MAX_FILES   (CONFIG_MAX_DROPINS + 1)
#define CONFIG_RUNTIME	   UINT16_MAX /* quota_value.file of what was set at run time */
#define CONFIG_TEXT_MAX	   96 /* bytes of a line that are shown with an error */

/* Of a context. */
struct config_limits {
	int64_t vcpus;
	int64_t private_pages;
	int64_t ept_pages;
};

struct config {
	struct config_limits defaults;
	struct config_limits maximum;
	int64_t connections_per_user;
	int64_t connections_per_host;
	int64_t calls_per_second; /* of one user; 0: no limit */
	int64_t idle_s; /* without a call or stream; 0: for ever */
	struct access_list administrators;
	struct access_list observers;
	int64_t polkit; /* 1: asked about what the policy leaves open; 0: not */
	struct quota_rules configured; /* from the files */
	struct quota_rules quotas; /* in force: with those set at run time */
	char *files[CONFIG_MAX_FILES]; /* quota_value.file is an index here, and 1 more */
	unsigned int nr_files;
};

/* What is wrong, and where. */
struct config_error {
	char file[256];
	unsigned int line; /* 0 when it is about no line */
	unsigned int column; /* in bytes, the first is 1; 0 when it is about no part of the line */
	char reason[160];
	char text[CONFIG_TEXT_MAX]; /* of the line, with nothing that a terminal would obey */
	unsigned int caret; /* the offending part: where in text, and how long */
	unsigned int caret_length;
};

/* The result, like that of config_load(), is ended with config_done(). */
void config_defaults(struct config *config);
void config_done(struct config *config);

/*
 * Changes *config by one file's text. 0, or -errno with *ret_error filled and *config in an
 * undefined state, in which it can be ended. `name` is what errors and origins call the file.
 */
int config_parse(const char *text, size_t size_bytes, const char *name, struct config *config,
		 struct config_error *ret_error);

/* The same with nothing but quotas, said at run time, which are added to the rules. */
int config_parse_quotas(const char *text, size_t size_bytes, const char *name,
			struct quota_rules *rules, struct config_error *ret_error);

/* Values that contradict one another: -EINVAL. */
int config_check(const struct config *config, struct config_error *ret_error);

/*
 * Defaults, then the file (optional: a missing one is no error), then every <file>.d/?*.conf in the
 * order of their names. 0 or -errno with *ret_error filled; *ret_config is untouched on failure.
 */
int config_load(const char *path, int optional, struct config *ret_config,
		struct config_error *ret_error);

/*
 * The quotas that were set at run time, from a file that may be missing. 0 or -errno with
 * *ret_error filled; *ret_rules is untouched on failure.
 */
int config_load_quotas(const char *path, struct quota_rules *ret_rules,
		       struct config_error *ret_error);

/* The configured ones with those set at run time over them. -ENOMEM, -E2BIG. */
int config_merge(const struct quota_rules *configured, const struct quota_rules *runtime,
		 struct quota_rules *ret_quotas);

/* The same of a whole configuration, put in force. */
int config_overlay(struct config *config, const struct quota_rules *runtime);

/*
 * Finds or makes the rule that the words of a section name; *ret_why says what is wrong
 * (-EINVAL).
 */
int config_rule(struct quota_rules *rules, const char *scope, const char *name,
		struct quota_rule **ret_rule, const char **ret_why);

/* The bounds of a quota's maximum. */
void config_quota_bounds(enum quota_resource resource, int64_t *ret_least, int64_t *ret_most);

/* "FILE:LINE", "default" or "run-time": where a quota was said. */
void config_origin(const struct config *config, const struct quota_value *value, char *text,
		   size_t size);

/* Fills an error that is about a file, not a line; returns r. */
int config_fail(struct config_error *error, int r, const char *file, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* One error for people: "FILE:LINE:COLUMN: reason". */
void config_format_error(const struct config_error *error, char *text, size_t size);

/* Writes the configuration in the file's own format to stdout. */
void config_print(const struct config *config);

/* The same of rules alone, into a buffer: the length, or -E2BIG. */
int config_format_quotas(const struct quota_rules *rules, char *text, size_t size);

#endif
