// SPDX-License-Identifier: LGPL-2.1-or-later
/* One file's text; see config.h. Refusals name the line, the column and the words. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/config.h"
#include "duned/config_keys.h"

#define SECTION_MAX (DUNE_CGROUP_MAX + 32) /* bytes of what stands in [] */

struct parser {
	struct config *config; /* NULL: nothing but quotas */
	struct quota_rules *rules;
	struct config_error *error;
	const char *file;
	uint16_t file_number;
	unsigned int line;
	const char *original; /* the line as it is in the file ... */
	size_t original_size;
	char *copy; /* ... and what parsing cuts to pieces */
	char section[SECTION_MAX];
	struct quota_rule *rule; /* of a [quota] section */
	bool seen[CONFIG_NR_KEYS];
};

/* ---- errors ---- */

/* Bytes that a terminal can be trusted with; the others look like a question mark. */
static char shown(char c)
{
	return isprint((unsigned char)c) ? c : c == '\t' ? ' ' : '?';
}

/* A window of the line around the offending part. */
static void show_line(const struct parser *parser, size_t column, size_t length)
{
	struct config_error *error = parser->error;
	size_t from = column > CONFIG_TEXT_MAX / 2 ? column - CONFIG_TEXT_MAX / 2 : 0, used = 0;

	while (from + used < parser->original_size && used < sizeof(error->text) - 1) {
		error->text[used] = shown(parser->original[from + used]);
		used++;
	}
	error->text[used] = '\0';
	error->caret = (unsigned int)(column - from);
	error->caret_length = (unsigned int)(length ? length : 1);
	if (error->caret + error->caret_length > sizeof(error->text))
		error->caret_length = (unsigned int)sizeof(error->text) - error->caret;
}

/* Refuses `length` bytes at `at`, which lies in the copy of the line. */
static int __attribute__((format(printf, 4, 5)))
refuse(struct parser *parser, const char *at, size_t length, const char *format, ...)
{
	struct config_error *error = parser->error;
	size_t column = (size_t)(at - parser->copy);
	va_list arguments;

	*error = (struct config_error){ .line = parser->line, .column = (unsigned int)column + 1 };
	snprintf(error->file, sizeof(error->file), "%s", parser->file);
	va_start(arguments, format);
	vsnprintf(error->reason, sizeof(error->reason), format, arguments);
	va_end(arguments);
	for (char *p = error->reason; *p; p++)
		*p = shown(*p);
	show_line(parser, column, length);
	return -EINVAL;
}

/* ---- words and numbers ---- */

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
	if (*text || value % CONFIG_PAGE_BYTES)
		return -EINVAL;
	*ret_pages = value / CONFIG_PAGE_BYTES;
	return 0;
}

/* A number of either kind, within bounds. */
static int parse_number(struct parser *parser, const char *name, enum key_type type, int64_t least,
			int64_t most, const char *text, int64_t *ret_value)
{
	bool pages = type == KEY_PAGES;
	int64_t value;
	int r = pages ? parse_pages(text, &value) : parse_count(text, &value);

	if (r == -EINVAL)
		return refuse(parser, text, strlen(text), "%s wants %s", name,
			      pages ? "a multiple of 4K, like 64M" : "a number");
	if (r < 0 || value < least || value > most)
		return refuse(parser, text, strlen(text), "%s must be %lld to %lld%s", name,
			      (long long)least, (long long)most, pages ? " pages of 4K" : "");
	*ret_value = value;
	return 0;
}

/* ---- sections ---- */

static int parse_id(const char *text, uint32_t *ret_id)
{
	int64_t value;
	int r = parse_count(text, &value);

	/* The highest one stands for "none" in the kernel. */
	if (r < 0 || value >= UINT32_MAX)
		return -EINVAL;
	*ret_id = (uint32_t)value;
	return 0;
}

static int resolve(enum quota_scope scope, const char *name, struct quota_key *key,
		   const char **ret_why)
{
	const struct passwd *user;
	const struct group *group;

	if (scope == QUOTA_CGROUP) {
		*ret_why = "is no cgroup: /path of at most 127 bytes, or NAME.slice";
		return quota_cgroup_path(name, key->path);
	}
	*ret_why = "is no id below 4294967295";
	if (isdigit((unsigned char)name[0]))
		return parse_id(name, &key->id);
	*ret_why = scope == QUOTA_USER ? "is no user known here" : "is no group known here";
	if (scope == QUOTA_USER) {
		user = getpwnam(name);
		key->id = user ? user->pw_uid : 0;
		return user ? 0 : -ENOENT;
	}
	group = getgrnam(name);
	key->id = group ? group->gr_gid : 0;
	return group ? 0 : -ENOENT;
}

int config_rule(struct quota_rules *rules, const char *scope_name, const char *name,
		struct quota_rule **ret_rule, const char **ret_why)
{
	struct quota_key key = { 0 };
	struct quota_rule *base;
	enum quota_scope scope;
	int r;

	*ret_why = "must be host, user, group, cgroup or process";
	if (quota_scope_find(scope_name, &scope) < 0)
		return -ENOTUNIQ;
	base = quota_rules_base(rules, scope);
	if (!name[0]) {
		*ret_why = "needs a name";
		*ret_rule = base;
		return base ? 0 : -EINVAL;
	}
	*ret_why = "takes no name";
	if (scope == QUOTA_HOST || scope == QUOTA_PROCESS)
		return -EINVAL;
	key.scope = scope;
	if (strlen(name) >= QUOTA_NAME_MAX) {
		*ret_why = "is too long";
		return -EINVAL;
	}
	r = resolve(scope, name, &key, ret_why);
	if (r < 0)
		return -EINVAL;
	r = quota_rules_get(rules, &key, name, ret_rule);
	if (r == -E2BIG)
		*ret_why = "is one rule too many";
	return r;
}

/* "[quota user alice]": text is what follows "quota". */
static int parse_quota_section(struct parser *parser, char *text)
{
	char *scope = strip(text), *name = scope + strcspn(scope, " \t");
	const char *why;
	int r;

	if (*name)
		*name++ = '\0';
	name = strip(name);
	r = config_rule(parser->rules, scope, name, &parser->rule, &why);
	if (r == -ENOMEM)
		return config_fail(parser->error, r, parser->file, "out of memory");
	if (r < 0 && (r == -ENOTUNIQ || !*name))
		return refuse(parser, scope, strlen(scope), "%.40s %s", *scope ? scope : "quota",
			      why);
	if (r < 0)
		return refuse(parser, name, strlen(name), "%.60s %s", name, why);
	return 0;
}

static int parse_section(struct parser *parser, char *text)
{
	size_t length = strlen(text);

	parser->rule = NULL;
	parser->section[0] = '\0';
	if (text[length - 1] != ']')
		return refuse(parser, text, length, "section without ]");
	text[length - 1] = '\0';
	text = strip(text + 1);
	snprintf(parser->section, sizeof(parser->section), "%s", text);
	if (!strncmp(text, "quota", 5) && (!text[5] || text[5] == ' ' || text[5] == '\t'))
		return parse_quota_section(parser, text + 5);
	if (parser->config && !strcmp(text, "contexts"))
		return 0;
	for (size_t i = 0; parser->config && i < CONFIG_NR_KEYS; i++) {
		if (!strcmp(config_keys[i].section, text))
			return 0;
	}
	return refuse(parser, text, strlen(text), "unknown section [%.40s]", text);
}

/* ---- keys ---- */

static int parse_quota(struct parser *parser, struct quota_rule *rule, unsigned int resource,
		       const char *name, const char *text)
{
	const struct config_quota_key *key = &config_quota_keys[resource];
	struct quota_value *value = &rule->values[resource];
	int64_t maximum = QUOTA_UNLIMITED;
	int r = 0;

	if (value->line && value->file == parser->file_number)
		return refuse(parser, name, strlen(name), "%s is set twice, before in line %u",
			      name, value->line);
	if (strcmp(text, "unlimited") != 0)
		r = parse_number(parser, name, key->type, key->least, key->most, text, &maximum);
	if (r < 0)
		return r;
	*value = (struct quota_value){ .maximum = maximum,
				       .file = parser->file_number,
				       .line = parser->line };
	return 0;
}

static int parse_access(struct parser *parser, const struct config_key *key, char *text)
{
	const char *bad;
	int r = access_parse(text, config_key_value(parser->config, key), &bad);
	size_t length;

	if (!r)
		return 0;
	length = strcspn(bad, " \t,");
	if (r == -ENOENT)
		return refuse(parser, bad, length, "%s names %.*s, who is not known here",
			      key->name, (int)(length < 40 ? length : 40), bad);
	if (r == -E2BIG)
		return refuse(parser, bad, length, "%s names more than %d", key->name,
			      ACCESS_MAX_ENTRIES);
	return refuse(parser, bad, length, "%s wants uids, user names and @groups, not %.*s",
		      key->name, (int)(length < 40 ? length : 40), bad);
}

static int parse_switch(struct parser *parser, const struct config_key *key, const char *text)
{
	int64_t *value = config_key_value(parser->config, key);

	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return refuse(parser, text, strlen(text), "%s wants yes or no", key->name);
	*value = !strcmp(text, "yes");
	return 0;
}

static int parse_value(struct parser *parser, size_t index, const char *name, char *text)
{
	const struct config_key *key = &config_keys[index];

	if (parser->seen[index])
		return refuse(parser, name, strlen(name), "%s is set twice", key->name);
	parser->seen[index] = true;
	if (key->type == KEY_ACCESS)
		return parse_access(parser, key, text);
	if (key->type == KEY_SWITCH)
		return parse_switch(parser, key, text);
	return parse_number(parser, key->name, key->type, key->least, key->most, text,
			    config_key_value(parser->config, key));
}

/* The old names of two quotas, which files of earlier versions have. */
static int parse_old_quota(struct parser *parser, const char *name, const char *text)
{
	if (!strcmp(name, "per-user"))
		return parse_quota(parser, &parser->rules->base[QUOTA_BASE_USER], QUOTA_CONTEXTS,
				   name, text);
	if (!strcmp(name, "per-host"))
		return parse_quota(parser, &parser->rules->base[QUOTA_BASE_HOST], QUOTA_CONTEXTS,
				   name, text);
	return -ENOENT;
}

static int parse_key(struct parser *parser, const char *name, char *text)
{
	if (!strcmp(parser->section, "contexts"))
		return parse_old_quota(parser, name, text);
	for (unsigned int i = 0; parser->rule && i < QUOTA_NR_RESOURCES; i++) {
		if (!strcmp(config_quota_keys[i].name, name))
			return parse_quota(parser, parser->rule, i, name, text);
	}
	for (size_t i = 0; !parser->rule && i < CONFIG_NR_KEYS; i++) {
		if (!strcmp(config_keys[i].section, parser->section) &&
		    !strcmp(config_keys[i].name, name))
			return parse_value(parser, i, name, text);
	}
	return -ENOENT;
}

static int parse_assignment(struct parser *parser, char *text)
{
	char *equals = strchr(text, '=');
	const char *name;
	int r;

	if (!equals)
		return refuse(parser, text, strlen(text), "neither [section] nor key = value");
	*equals = '\0';
	name = strip(text);
	if (!parser->section[0])
		return refuse(parser, name, strlen(name), "%.40s stands before any [section]",
			      name);
	r = parse_key(parser, name, strip(equals + 1));
	if (r == -ENOENT)
		return refuse(parser, name, strlen(name), "unknown key %.40s in [%.60s]", name,
			      parser->section);
	return r;
}

static int parse_line(struct parser *parser)
{
	char *text = strip(parser->copy);

	if (!*text || *text == '#' || *text == ';')
		return 0;
	return *text == '[' ? parse_section(parser, text) : parse_assignment(parser, text);
}

static int parse_text(struct parser *parser, const char *text, size_t size_bytes)
{
	char *copy, *line, *next;
	int r = 0;

	if (memchr(text, '\0', size_bytes))
		return config_fail(parser->error, -EINVAL, parser->file, "holds a NUL byte");
	copy = strndup(text, size_bytes);
	if (!copy)
		return config_fail(parser->error, -ENOMEM, parser->file, "out of memory");
	for (line = copy; !r && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		parser->line++;
		parser->copy = line;
		parser->original = text + (line - copy);
		parser->original_size = strlen(line);
		r = parse_line(parser);
	}
	free(copy);
	return r;
}

int config_parse(const char *text, size_t size_bytes, const char *name, struct config *config,
		 struct config_error *ret_error)
{
	struct parser parser = {
		.config = config,
		.rules = &config->configured,
		.error = ret_error,
		.file = name,
		.file_number = (uint16_t)(config->nr_files + 1),
	};

	if (config->nr_files == CONFIG_MAX_FILES)
		return config_fail(ret_error, -E2BIG, name, "one file too many");
	config->files[config->nr_files] = strdup(name);
	if (!config->files[config->nr_files])
		return config_fail(ret_error, -ENOMEM, name, "out of memory");
	config->nr_files++;
	return parse_text(&parser, text, size_bytes);
}

int config_parse_quotas(const char *text, size_t size_bytes, const char *name,
			struct quota_rules *rules, struct config_error *ret_error)
{
	struct parser parser = { .rules = rules,
				 .error = ret_error,
				 .file = name,
				 .file_number = CONFIG_RUNTIME };

	return parse_text(&parser, text, size_bytes);
}
