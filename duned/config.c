// SPDX-License-Identifier: LGPL-2.1-or-later
/* The configuration files; see config.h. */
#include "duned/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/dune_abi.h"

#define PAGE_BYTES 4096

enum key_type {
	KEY_COUNT,	/* a decimal number */
	KEY_PAGES,	/* an amount of memory with K, M, G or T; kept in pages */
	KEY_ACCESS,	/* a list of users and groups, see access.h */
};

static const struct key {
	const char *section;
	const char *name;
	enum key_type type;
	size_t offset;
	int64_t initial, least, most;
} keys[] = {
#define KEY(section, name, type, field, initial, least, most) \
	{                                                                                 \
		section, name, type, offsetof(struct config, field), initial, least, most \
	}
	KEY("contexts", "per-user", KEY_COUNT, contexts_per_user, 64, 0, 16384),
	KEY("contexts", "per-host", KEY_COUNT, contexts_per_host, 1024, 0, 16384),
	KEY("context", "vcpus", KEY_COUNT, defaults.vcpus, 64, 1, DUNE_MAX_VCPUS),
	KEY("context", "vcpus-max", KEY_COUNT, maximum.vcpus, DUNE_MAX_VCPUS, 1, DUNE_MAX_VCPUS),
	KEY("context", "private", KEY_PAGES, defaults.private_pages, 4096, 1,
	    DUNE_PRIVATE_END / PAGE_BYTES),
	KEY("context", "private-max", KEY_PAGES, maximum.private_pages, 32768, 1,
	    DUNE_PRIVATE_END / PAGE_BYTES),
	KEY("context", "ept", KEY_PAGES, defaults.ept_pages, 16384, 64, 1 << 24),
	KEY("context", "ept-max", KEY_PAGES, maximum.ept_pages, 262144, 64, 1 << 24),
	KEY("connections", "per-user", KEY_COUNT, connections_per_user, 64, 1, 4096),
	KEY("connections", "per-host", KEY_COUNT, connections_per_host, 1024, 1, 16384),
	KEY("access", "administrators", KEY_ACCESS, administrators, 0, 0, 0),
};

#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static int64_t *key_value(struct config *config, const struct key *key)
{
	return (int64_t *)((char *)config + key->offset);
}

void config_defaults(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < NR_KEYS; i++) {
		if (keys[i].type != KEY_ACCESS)
			*key_value(config, &keys[i]) = keys[i].initial;
	}
}

static int __attribute__((format(printf, 5, 6)))
config_fail(struct config_error *error, int r, const char *file, unsigned int line,
	    const char *format, ...)
{
	va_list arguments;

	snprintf(error->file, sizeof(error->file), "%s", file);
	error->line = line;
	va_start(arguments, format);
	vsnprintf(error->reason, sizeof(error->reason), format, arguments);
	va_end(arguments);
	return r;
}

/* ---- one file's text ---- */

struct parser {
	struct config *config;
	struct config_error *error;
	const char *file;
	unsigned int line;
	char section[32];
	bool seen[NR_KEYS];
};

/* Cuts white space off both ends, in place. */
static char *strip(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* What is shown of a text that may hold anything. */
static const char *printable(char *text)
{
	for (char *p = text; *p; p++) {
		if (!isprint((unsigned char)*p))
			*p = '?';
	}
	return text;
}

static int parse_digits(const char **text, int64_t *ret_value)
{
	int64_t value = 0;
	const char *p = *text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *p - '0', &value))
			return -ERANGE;
	}
	*text = p;
	*ret_value = value;
	return 0;
}

static int parse_count(const char *text, int64_t *ret_value)
{
	int64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* "64M": bytes must be whole pages. */
static int parse_pages(const char *text, int64_t *ret_pages)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	int64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	suffix = *text ? strchr(suffixes, *text) : NULL;
	if (suffix) {
		const int64_t unit = (int64_t)1024 << 10 * (suffix - suffixes);

		if (__builtin_mul_overflow(value, unit, &value))
			return -ERANGE;
		text++;
	}
	if (*text || value % PAGE_BYTES)
		return -EINVAL;
	*ret_pages = value / PAGE_BYTES;
	return 0;
}

static int parse_section(struct parser *parser, char *text)
{
	size_t length = strlen(text);

	if (text[length - 1] != ']')
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "section without ]");
	text[length - 1] = '\0';
	text = strip(text + 1);
	for (size_t i = 0; i < NR_KEYS; i++) {
		if (!strcmp(keys[i].section, text)) {
			snprintf(parser->section, sizeof(parser->section), "%s", text);
			return 0;
		}
	}
	return config_fail(parser->error, -EINVAL, parser->file, parser->line,
			   "unknown section [%.40s]", printable(text));
}

static int parse_access(struct parser *parser, const struct key *key, char *text)
{
	const char *bad;
	int r = access_parse(text, (void *)((char *)parser->config + key->offset), &bad);

	if (!r)
		return 0;
	text += bad - text;
	text[strcspn(text, " \t,")] = '\0';
	if (r == -ENOENT)
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%s names %.40s, who is not known here", key->name,
				   printable(text));
	if (r == -E2BIG)
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%s names more than %d", key->name, ACCESS_MAX_ENTRIES);
	return config_fail(parser->error, -EINVAL, parser->file, parser->line,
			   "%s wants uids, user names and @groups, not %.40s", key->name,
			   printable(text));
}

static int parse_number(struct parser *parser, const struct key *key, const char *text)
{
	bool pages = key->type == KEY_PAGES;
	int64_t value;
	int r;

	r = pages ? parse_pages(text, &value) : parse_count(text, &value);
	if (r == -EINVAL)
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%s wants %s", key->name,
				   pages ? "a multiple of 4K, like 64M" : "a number");
	if (r < 0 || value < key->least || value > key->most)
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%s must be %lld to %lld%s", key->name, (long long)key->least,
				   (long long)key->most, pages ? " pages of 4K" : "");
	*key_value(parser->config, key) = value;
	return 0;
}

static int parse_value(struct parser *parser, size_t index, char *text)
{
	const struct key *key = &keys[index];

	if (parser->seen[index])
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%s is set twice", key->name);
	parser->seen[index] = true;
	if (key->type == KEY_ACCESS)
		return parse_access(parser, key, text);
	return parse_number(parser, key, text);
}

static int parse_assignment(struct parser *parser, char *text)
{
	char *equals = strchr(text, '=');
	const char *name;

	if (!equals)
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "neither [section] nor key = value");
	*equals = '\0';
	name = strip(text);
	if (!parser->section[0])
		return config_fail(parser->error, -EINVAL, parser->file, parser->line,
				   "%.40s stands before any [section]", printable(text));
	for (size_t i = 0; i < NR_KEYS; i++) {
		if (!strcmp(keys[i].section, parser->section) && !strcmp(keys[i].name, name))
			return parse_value(parser, i, strip(equals + 1));
	}
	return config_fail(parser->error, -EINVAL, parser->file, parser->line,
			   "unknown key %.40s in [%s]", printable(strip(text)), parser->section);
}

static int parse_line(struct parser *parser, char *line)
{
	char *text = strip(line);

	if (!*text || *text == '#' || *text == ';')
		return 0;
	return *text == '[' ? parse_section(parser, text) : parse_assignment(parser, text);
}

int config_parse(const char *text, size_t size_bytes, const char *name, struct config *config,
		 struct config_error *ret_error)
{
	struct parser parser = { .config = config, .error = ret_error, .file = name };
	char *copy, *line, *next;
	int r = 0;

	if (memchr(text, '\0', size_bytes))
		return config_fail(ret_error, -EINVAL, name, 0, "holds a NUL byte");
	copy = strndup(text, size_bytes);
	if (!copy)
		return config_fail(ret_error, -ENOMEM, name, 0, "out of memory");
	for (line = copy; !r && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		parser.line++;
		r = parse_line(&parser, line);
	}
	free(copy);
	return r;
}

int config_check(const struct config *config, struct config_error *ret_error)
{
	const struct {
		int64_t lower, upper;
		const char *what;
	} pairs[] = {
		{ config->contexts_per_user, config->contexts_per_host,
		  "[contexts] per-user is above per-host" },
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
			return config_fail(ret_error, -EINVAL, "", 0, "%s", pairs[i].what);
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
		return config_fail(error, -ENOMEM, path, 0, "out of memory");
	r = read_text(path, text, &size);
	if (r == -ENOENT && optional)
		return 0;
	if (r < 0)
		return config_fail(error, r, path, 0, "can't be read: %s", strerror(-r));
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
					 config_fail(error, -errno, directory, 0,
						     "can't be read: %s", strerror(errno));
	if (count > CONFIG_MAX_DROPINS)
		r = config_fail(error, -EINVAL, directory, 0, "more than %d files",
				CONFIG_MAX_DROPINS);
	for (int i = 0; i < count; i++) {
		char path[sizeof(error->file)];

		if (!r && (size_t)snprintf(path, sizeof(path), "%s/%s", directory,
					   entries[i]->d_name) >= sizeof(path))
			r = config_fail(error, -ENAMETOOLONG, directory, 0, "path too long");
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
	struct config config;
	int r;

	config_defaults(&config);
	if ((size_t)snprintf(directory, sizeof(directory), "%s.d", path) >= sizeof(directory))
		return config_fail(ret_error, -ENAMETOOLONG, path, 0, "path too long");
	r = load_file(path, optional, &config, ret_error);
	if (!r)
		r = load_dropins(directory, &config, ret_error);
	if (!r) {
		r = config_check(&config, ret_error);
		if (r < 0)
			snprintf(ret_error->file, sizeof(ret_error->file), "%s", path);
	}
	if (!r)
		*ret_config = config;
	return r;
}

void config_print(const struct config *config)
{
	struct config copy = *config;
	const char *section = "";

	for (size_t i = 0; i < NR_KEYS; i++) {
		char list[ACCESS_MAX_ENTRIES * 12 + 1];
		int64_t value;

		if (strcmp(section, keys[i].section) != 0) {
			section = keys[i].section;
			printf("[%s]\n", section);
		}
		if (keys[i].type == KEY_ACCESS) {
			access_format((void *)((char *)&copy + keys[i].offset), list, sizeof(list));
			printf("%s = %s\n", keys[i].name, list);
			continue;
		}
		value = *key_value(&copy, &keys[i]);
		if (keys[i].type == KEY_PAGES)
			printf("%s = %lldK\n", keys[i].name,
			       (long long)value * (PAGE_BYTES / 1024));
		else
			printf("%s = %lld\n", keys[i].name, (long long)value);
	}
}
