// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Command line options from tables: the global ones stand here, a verb's own in its cmd_<verb>.c.
 * Reports what is wrong with an option; never acts on one.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "dunectl/dunectl.h"

/* Options of a verb and the global ones together. */
#define OPTIONS_MAX 32

/* getopt values of rows start here, above every letter. */
#define OPTION_VALUE 256

static int set_json(struct dunectl *ctl, const char *value)
{
	if (!value || strcmp(value, "short") == 0)
		ctl->output.json = OUTPUT_JSON_SHORT;
	else if (strcmp(value, "pretty") == 0)
		ctl->output.json = OUTPUT_JSON_PRETTY;
	else if (strcmp(value, "off") == 0)
		ctl->output.json = OUTPUT_JSON_OFF;
	else {
		dunectl_error("--json must be pretty, short or off, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static int set_no_legend(struct dunectl *ctl, const char *value)
{
	ctl->output.no_legend = true;
	return 0;
}

static int set_quiet(struct dunectl *ctl, const char *value)
{
	ctl->output.quiet = true;
	return 0;
}

static int set_socket(struct dunectl *ctl, const char *value)
{
	if (!value[0]) {
		dunectl_error("--socket needs a path");
		return -EINVAL;
	}
	ctl->socket = value;
	return 0;
}

static int set_timeout(struct dunectl *ctl, const char *value)
{
	if (parse_seconds(value, &ctl->timeout_ms) < 0) {
		dunectl_error("--timeout must be a number of seconds, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static int set_help(struct dunectl *ctl, const char *value)
{
	ctl->show_help = true;
	return 0;
}

static int set_version(struct dunectl *ctl, const char *value)
{
	ctl->show_version = true;
	return 0;
}

const struct dunectl_option dunectl_options[] = {
	{ "json", 0, "MODE", true, "results as JSON: short (default), pretty or off", set_json },
	{ "no-legend", 0, NULL, false, "tables without header and footer", set_no_legend },
	{ "quiet", 'q', NULL, false, "results and errors only, no hints", set_quiet },
	{ "socket", 0, "PATH", false, "socket of the service", set_socket },
	{ "timeout", 0, "SEC", false, "longest time to wait for a reply", set_timeout },
	{ "help", 'h', NULL, false, "show help, also of a verb", set_help },
	{ "version", 0, NULL, false, "show the version", set_version },
	{ 0 },
};

/* The rows as getopt_long wants them. */
struct option_set {
	const struct dunectl_option *rows[OPTIONS_MAX];
	struct option options[OPTIONS_MAX + 1];
	char letters[OPTIONS_MAX * 3 + 3];
	size_t nr;
};

static void option_set_add(struct option_set *set, const struct dunectl_option *rows)
{
	for (; rows && rows->name; rows++) {
		struct option *option = &set->options[set->nr];
		size_t end = strlen(set->letters);

		assert(set->nr < OPTIONS_MAX);
		option->name = rows->name;
		option->has_arg = !rows->argument ? no_argument :
				  rows->optional  ? optional_argument :
						    required_argument;
		option->val = OPTION_VALUE + (int)set->nr;
		set->rows[set->nr++] = rows;
		if (!rows->letter)
			continue;
		set->letters[end++] = rows->letter;
		if (rows->argument)
			set->letters[end++] = ':';
		if (rows->argument && rows->optional)
			set->letters[end++] = ':';
	}
}

static const struct dunectl_option *option_set_find(const struct option_set *set, int value)
{
	if (value >= OPTION_VALUE && value < OPTION_VALUE + (int)set->nr)
		return set->rows[value - OPTION_VALUE];
	for (size_t i = 0; i < set->nr; i++)
		if (set->rows[i]->letter && set->rows[i]->letter == value)
			return set->rows[i];
	return NULL;
}

static int option_bad(const struct option_set *set, int value, const char *text)
{
	const struct dunectl_option *row = option_set_find(set, optopt);

	if (value == ':' && row)
		dunectl_error("option --%s needs a value (%s)", row->name, row->argument);
	else if (row && !row->argument)
		dunectl_error("option --%s takes no value", row->name);
	else if (optopt)
		dunectl_error("unknown option -%c", optopt);
	else
		dunectl_error("unknown or ambiguous option %s", text);
	return -EINVAL;
}

int dunectl_parse(struct dunectl *ctl, const struct dunectl_option *own, bool stop_at_argument,
		  int argc, char **argv, int *ret_first)
{
	struct option_set set = { .letters = "+:" };
	int value, r;

	if (!stop_at_argument)
		strcpy(set.letters, ":");
	option_set_add(&set, own);
	option_set_add(&set, dunectl_options);
	optind = 0; /* starts glibc's getopt afresh */
	opterr = 0;
	while ((value = getopt_long(argc, argv, set.letters, set.options, NULL)) >= 0) {
		const struct dunectl_option *row = option_set_find(&set, value);

		if (value == '?' || value == ':' || !row)
			return option_bad(&set, value, argv[optind - 1]);
		r = row->set(ctl, optarg);
		if (r < 0)
			return r;
	}
	*ret_first = optind;
	return 0;
}
