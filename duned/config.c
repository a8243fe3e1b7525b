// SPDX-License-Identifier: LGPL-2.1-or-later
/* The tables of keys, the files, printing; see config.h. */
#include "duned/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "duned/config_keys.h"
#include "duned/rate.h"
#include "proto/dune_abi.h"

#define MAX_CONTEXTS  16384 /* that a quota may speak of */
#define MAX_EPT_PAGES (1 << 24) /* of a context */
#define MAX_PRIVATE   (DUNE_PRIVATE_END / CONFIG_PAGE_BYTES) /* pages of a context */

const struct config_key config_keys[CONFIG_NR_KEYS] = {
#define KEY(section, name, type, field, initial, least, most)                             \
	{                                                                                 \
		section, name, type, offsetof(struct config, field), initial, least, most \
	}
	KEY("context", "vcpus", KEY_COUNT, defaults.vcpus, 64, 1, DUNE_MAX_VCPUS),
	KEY("context", "vcpus-max", KEY_COUNT, maximum.vcpus, DUNE_MAX_VCPUS, 1, DUNE_MAX_VCPUS),
	KEY("context", "private", KEY_PAGES, defaults.private_pages, 4096, 1, MAX_PRIVATE),
	KEY("context", "private-max", KEY_PAGES, maximum.private_pages, 32768, 1, MAX_PRIVATE),
	KEY("context", "ept", KEY_PAGES, defaults.ept_pages, 16384, DUNE_EPT_PAGES_MIN,
	    MAX_EPT_PAGES),
	KEY("context", "ept-max", KEY_PAGES, maximum.ept_pages, 262144, DUNE_EPT_PAGES_MIN,
	    MAX_EPT_PAGES),
	KEY("connections", "per-user", KEY_COUNT, connections_per_user, 64, 1, 4096),
	KEY("connections", "per-host", KEY_COUNT, connections_per_host, 1024, 1, 16384),
	KEY("connections", "calls-per-second", KEY_COUNT, calls_per_second, 20000, 0, 10000000),
	KEY("connections", "idle", KEY_COUNT, idle_s, 600, 0, 1000000),
	KEY("access", "administrators", KEY_ACCESS, administrators, 0, 0, 0),
	KEY("access", "observers", KEY_ACCESS, observers, 0, 0, 0),
	KEY("access", "polkit", KEY_SWITCH, polkit, 0, 0, 1),
};

const struct config_quota_key config_quota_keys[QUOTA_NR_RESOURCES] = {
	[QUOTA_CONTEXTS] = { "contexts", KEY_COUNT, 0, MAX_CONTEXTS },
	[QUOTA_VCPUS] = { "vcpus", KEY_COUNT, 0, (int64_t)MAX_CONTEXTS *DUNE_MAX_VCPUS },
	[QUOTA_PRIVATE] = { "private", KEY_PAGES, 0, (int64_t)MAX_CONTEXTS *MAX_PRIVATE },
	[QUOTA_EPT] = { "ept", KEY_PAGES, 0, (int64_t)MAX_CONTEXTS *MAX_EPT_PAGES },
	[QUOTA_RATE] = { "create-rate", KEY_COUNT, 1, RATE_MAX },
};

void *config_key_value(struct config *config, const struct config_key *key)
{
	return (char *)config + key->offset;
}

void config_quota_bounds(enum quota_resource resource, int64_t *ret_least, int64_t *ret_most)
{
	*ret_least = config_quota_keys[resource].least;
	*ret_most = config_quota_keys[resource].most;
}

static void default_quotas(struct quota_rules *rules)
{
	quota_rules_init(rules);
	rules->base[QUOTA_BASE_HOST].values[QUOTA_CONTEXTS].maximum = 1024;
	rules->base[QUOTA_BASE_USER].values[QUOTA_CONTEXTS].maximum = 64;
}

void config_defaults(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		if (config_keys[i].type != KEY_ACCESS)
			*(int64_t *)config_key_value(config, &config_keys[i]) =
				config_keys[i].initial;
	}
	default_quotas(&config->configured);
	default_quotas(&config->quotas);
}

void config_done(struct config *config)
{
	quota_rules_done(&config->configured);
	quota_rules_done(&config->quotas);
	for (unsigned int i = 0; i < config->nr_files; i++)
		free(config->files[i]);
	config->nr_files = 0;
}

int config_fail(struct config_error *error, int r, const char *file, const char *format, ...)
{
	va_list arguments;

	*error = (struct config_error){ 0 };
	snprintf(error->file, sizeof(error->file), "%s", file);
	va_start(arguments, format);
	vsnprintf(error->reason, sizeof(error->reason), format, arguments);
	va_end(arguments);
	return r;
}

void config_format_error(const struct config_error *error, char *text, size_t size)
{
	if (!error->line)
		snprintf(text, size, "%s: %s", error->file, error->reason);
	else if (!error->column)
		snprintf(text, size, "%s:%u: %s", error->file, error->line, error->reason);
	else
		snprintf(text, size, "%s:%u:%u: %s", error->file, error->line, error->column,
			 error->reason);
}

void config_origin(const struct config *config, const struct quota_value *value, char *text,
		   size_t size)
{
	if (value->file == CONFIG_RUNTIME)
		snprintf(text, size, "run-time");
	else if (value->file >= 1 && value->file <= config->nr_files)
		snprintf(text, size, "%s:%u", config->files[value->file - 1], value->line);
	else
		snprintf(text, size, "default");
}

int config_check(const struct config *config, struct config_error *ret_error)
{
	const struct {
		int64_t lower, upper;
		const char *what;
	} pairs[] = {
		{ config->defaults.vcpus, config->maximum.vcpus,
		  "[context] vcpus is above vcpus-max" },
		{ config->defaults.private_pages, config->maximum.private_pages,
		  "[context] private is above private-max" },
		{ config->defaults.ept_pages, config->maximum.ept_pages,
		  "[context] ept is above ept-max" },
		{ config->connections_per_user, config->connections_per_host,
		  "[connections] per-user is above per-host" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].lower > pairs[i].upper)
			return config_fail(ret_error, -EINVAL, "", "%s", pairs[i].what);
	}
	return 0;
}

/* ---- files ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_text(char **text)
{
	free(*text);
}

/* Reads at most CONFIG_MAX_FILE bytes of a regular file. */
static int read_text(const char *path, char *text, size_t *ret_size)
{
	int fd __attribute__((cleanup(close_fd))) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	while ((n = read(fd, text + size, CONFIG_MAX_FILE + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return -errno;
	if (size > CONFIG_MAX_FILE)
		return -EFBIG;
	*ret_size = size;
	return 0;
}

static int load_file(const char *path, int optional, struct config *config,
		     struct config_error *error)
{
	char *text __attribute__((cleanup(free_text))) = malloc(CONFIG_MAX_FILE + 1);
	size_t size = 0;
	int r;

	if (!text)
		return config_fail(error, -ENOMEM, path, "out of memory");
	r = read_text(path, text, &size);
	if (r == -ENOENT && optional)
		return 0;
	if (r < 0)
		return config_fail(error, r, path, "can't be read: %s", strerror(-r));
	return config_parse(text, size, path, config, error);
}

static int is_dropin(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 5 && entry->d_name[0] != '.' &&
	       !strcmp(entry->d_name + length - 5, ".conf");
}

static int load_dropins(const char *directory, struct config *config, struct config_error *error)
{
	struct dirent **entries;
	int count, r = 0;

	count = scandir(directory, &entries, is_dropin, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 :
					 config_fail(error, -errno, directory, "can't be read: %s",
						     strerror(errno));
	if (count > CONFIG_MAX_DROPINS)
		r = config_fail(error, -EINVAL, directory, "more than %d files",
				CONFIG_MAX_DROPINS);
	for (int i = 0; i < count; i++) {
		char path[sizeof(error->file)];

		if (!r && (size_t)snprintf(path, sizeof(path), "%s/%s", directory,
					   entries[i]->d_name) >= sizeof(path))
			r = config_fail(error, -ENAMETOOLONG, directory, "path too long");
		if (!r)
			r = load_file(path, 0, config, error);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(const char *path, int optional, struct config *ret_config,
		struct config_error *ret_error)
{
	char directory[sizeof(ret_error->file)];
	struct config config __attribute__((cleanup(config_done)));
	struct quota_rules none;
	int r;

	config_defaults(&config);
	quota_rules_init(&none);
	if ((size_t)snprintf(directory, sizeof(directory), "%s.d", path) >= sizeof(directory))
		return config_fail(ret_error, -ENAMETOOLONG, path, "path too long");
	r = load_file(path, optional, &config, ret_error);
	if (!r)
		r = load_dropins(directory, &config, ret_error);
	if (!r) {
		r = config_check(&config, ret_error);
		if (r < 0)
			snprintf(ret_error->file, sizeof(ret_error->file), "%s", path);
	}
	if (!r && config_overlay(&config, &none) < 0)
		r = config_fail(ret_error, -ENOMEM, path, "out of memory");
	if (!r) {
		*ret_config = config;
		config_defaults(&config);
	}
	return r;
}

int config_load_quotas(const char *path, struct quota_rules *ret_rules,
		       struct config_error *ret_error)
{
	char *text __attribute__((cleanup(free_text))) = malloc(CONFIG_MAX_FILE + 1);
	struct quota_rules rules;
	size_t size = 0;
	int r;

	if (!text)
		return config_fail(ret_error, -ENOMEM, path, "out of memory");
	r = read_text(path, text, &size);
	if (r < 0 && r != -ENOENT)
		return config_fail(ret_error, r, path, "can't be read: %s", strerror(-r));
	quota_rules_init(&rules);
	r = config_parse_quotas(text, size, path, &rules, ret_error);
	if (r < 0)
		quota_rules_done(&rules);
	else
		*ret_rules = rules;
	return r;
}

static void overlay_rule(const struct quota_rule *from, struct quota_rule *rule)
{
	for (size_t i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (from->values[i].maximum != QUOTA_UNSET)
			rule->values[i] = from->values[i];
	}
}

int config_merge(const struct quota_rules *configured, const struct quota_rules *runtime,
		 struct quota_rules *ret_quotas)
{
	struct quota_rules quotas;
	struct quota_rule *rule;
	int r = quota_rules_copy(configured, &quotas);

	if (r < 0)
		return r;
	for (size_t i = 0; i < QUOTA_NR_BASE; i++)
		overlay_rule(&runtime->base[i], &quotas.base[i]);
	for (size_t i = 0; i < runtime->nr_named; i++) {
		const struct quota_rule *from = &runtime->named[i];

		r = quota_rules_get(&quotas, &from->key, from->name, &rule);
		if (r < 0) {
			quota_rules_done(&quotas);
			return r;
		}
		overlay_rule(from, rule);
	}
	*ret_quotas = quotas;
	return 0;
}

int config_overlay(struct config *config, const struct quota_rules *runtime)
{
	struct quota_rules quotas;
	int r = config_merge(&config->configured, runtime, &quotas);

	if (r < 0)
		return r;
	quota_rules_done(&config->quotas);
	config->quotas = quotas;
	return 0;
}

/* ---- printing ---- */

static int format_number(enum key_type type, int64_t value, char *text, size_t size)
{
	if (type == KEY_SWITCH)
		return snprintf(text, size, "%s", value ? "yes" : "no");
	if (value == QUOTA_UNLIMITED)
		return snprintf(text, size, "unlimited");
	return snprintf(text, size, "%lld%s",
			(long long)value * (type == KEY_PAGES ? CONFIG_PAGE_BYTES / 1024 : 1),
			type == KEY_PAGES ? "K" : "");
}

static void append(char *text, size_t size, size_t *used, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void append(char *text, size_t size, size_t *used, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (*used < size)
		*used += (size_t)vsnprintf(text + *used, size - *used, format, arguments);
	va_end(arguments);
}

/* Users and groups by number: their names may be another's one day. */
static void format_rule(const struct quota_rule *rule, char *text, size_t size, size_t *used)
{
	bool titled = false;
	char number[32];

	for (size_t i = 0; i < QUOTA_NR_RESOURCES; i++) {
		const struct config_quota_key *key = &config_quota_keys[i];

		if (rule->values[i].maximum == QUOTA_UNSET)
			continue;
		if (!titled) {
			append(text, size, used, "[quota %s", quota_scope_name(rule->key.scope));
			if (rule->key.scope == QUOTA_CGROUP)
				append(text, size, used, " %s", rule->key.path);
			else if (rule->name[0])
				append(text, size, used, " %u", rule->key.id);
			append(text, size, used, "]\n");
			titled = true;
		}
		format_number(key->type, rule->values[i].maximum, number, sizeof(number));
		append(text, size, used, "%s = %s\n", key->name, number);
	}
}

int config_format_quotas(const struct quota_rules *rules, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < QUOTA_NR_BASE; i++)
		format_rule(&rules->base[i], text, size, &used);
	for (size_t i = 0; i < rules->nr_named; i++)
		format_rule(&rules->named[i], text, size, &used);
	return used < size ? (int)used : -E2BIG;
}

static void print_key(struct config *config, const struct config_key *key)
{
	char text[ACCESS_MAX_ENTRIES * 12 + 1];

	if (key->type == KEY_ACCESS)
		access_format(config_key_value(config, key), text, sizeof(text));
	else
		format_number(key->type, *(int64_t *)config_key_value(config, key), text,
			      sizeof(text));
	printf("%s = %s\n", key->name, text);
}

void config_print(const struct config *config)
{
	char *text __attribute__((cleanup(free_text))) = malloc(CONFIG_MAX_FILE);
	struct config copy = *config;
	const char *section = "";

	if (text && config_format_quotas(&config->quotas, text, CONFIG_MAX_FILE) >= 0)
		fputs(text, stdout);
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		if (strcmp(section, config_keys[i].section) != 0) {
			section = config_keys[i].section;
			printf("[%s]\n", section);
		}
		print_key(&copy, &config_keys[i]);
	}
}
