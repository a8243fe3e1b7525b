// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl quota: shows the quotas in force and what is used of them, and changes them at run time.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/assign.h"
#include "dunectl/dunectl.h"
#include "dunectl/json.h"

static const struct output_column columns[] = {
	{ "QUOTA", "quota", OUTPUT_TEXT },
	{ "RESOURCE", "resource", OUTPUT_TEXT },
	{ "MAXIMUM", "shown_maximum", OUTPUT_AMOUNT },
	{ "USED", "shown_used", OUTPUT_AMOUNT },
	{ "ORIGIN", "origin", OUTPUT_TEXT },
};

/* ---- show ---- */

static void list_free(struct dune_client_quota_list **list)
{
	dune_client_quota_list_free(*list);
}

static struct json_object *json_quota(const struct dune_client_quota *quota)
{
	struct json_object *object = json_new();

	json_put_text(object, "scope", quota->scope);
	json_put_text(object, "name", quota->name);
	json_put_text(object, "resource", quota->resource);
	if (quota->limited)
		json_put_number(object, "maximum", quota->maximum);
	if (quota->counted)
		json_put_number(object, "used", quota->used);
	json_put_text(object, "origin", quota->origin);
	return object;
}

/* "every user", "user alice", "host"; a uid as the name that it has here. */
static void put_title(struct json_object *row, const struct dune_client_quota *quota)
{
	const char *name = quota->name;
	const struct passwd *user = NULL;
	char title[200];
	uint64_t uid;

	if (name && strcmp(quota->scope, "user") == 0 && parse_u64(name, &uid) == 0 &&
	    uid < UINT32_MAX)
		user = getpwuid((uid_t)uid);
	if (name)
		snprintf(title, sizeof(title), "%s %s", quota->scope, user ? user->pw_name : name);
	else
		snprintf(title, sizeof(title), "%s%s",
			 strcmp(quota->scope, "host") == 0 ? "" : "every ", quota->scope);
	json_put_text(row, "quota", title);
}

static void put_amount(struct json_object *row, const char *key, const char *resource,
		       uint64_t amount)
{
	char text[ASSIGN_TEXT_MAX];

	assign_format(resource, amount, text);
	json_put_text(row, key, text);
}

/* What only the table shows. */
static void add_for_people(struct json_object *row, const struct dune_client_quota *quota)
{
	put_title(row, quota);
	if (quota->limited)
		put_amount(row, "shown_maximum", quota->resource, quota->maximum);
	else
		json_put_text(row, "shown_maximum", "unlimited");
	if (quota->counted)
		put_amount(row, "shown_used", quota->resource, quota->used);
}

static int quota_show(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	__attribute__((cleanup(list_free))) struct dune_client_quota_list *list = NULL;
	JSON_CLEANUP struct json_object *rows = NULL;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_get_quota(client, argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL,
				  &list);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "show the quotas");
	rows = json_new_array();
	for (size_t i = 0; i < list->nr; i++)
		json_append(rows, json_quota(list->quotas[i]));
	if (output_as_json(&ctl->output, rows))
		return 0;
	for (size_t i = 0; i < list->nr; i++)
		add_for_people(json_object_array_get_idx(rows, i), list->quotas[i]);
	output_table(&ctl->output, columns, sizeof(columns) / sizeof(columns[0]), rows, NULL);
	return 0;
}

/* ---- set, reset ---- */

static int change(const struct dunectl *ctl, const char *scope, const char *name,
		  const struct dune_client_budget *budget, bool reset)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_set_quota(client, scope, name, budget, reset);
	return r < 0 ? dunectl_fail(ctl, client, r, "change the quota") : 0;
}

static int quota_set(struct dunectl *ctl, int argc, char **argv)
{
	struct dune_client_budget budget = { DUNE_CLIENT_KEEP, DUNE_CLIENT_KEEP, DUNE_CLIENT_KEEP,
					     DUNE_CLIENT_KEEP, DUNE_CLIENT_KEEP };
	const struct assign_row rows[] = {
		{ "contexts", false, &budget.contexts },       { "vcpus", false, &budget.vcpus },
		{ "private", true, &budget.private_pages },    { "ept", true, &budget.ept_pages },
		{ "create-rate", false, &budget.create_rate }, { 0 },
	};
	int named = argc > 1 && !strchr(argv[1], '=');

	if (argc < 2 + named) {
		dunectl_error(
			"quota set needs a scope, a name where there are several, and what to "
			"set: quota set user alice contexts=10 private=64M");
		return dunectl_usage(ctl);
	}
	for (int i = 1 + named; i < argc; i++) {
		if (assign_parse(rows, true, argv[i]) < 0)
			return dunectl_usage(ctl);
	}
	return change(ctl, argv[0], named ? argv[1] : NULL, &budget, false);
}

static int quota_reset(struct dunectl *ctl, int argc, char **argv)
{
	if (argc > 2) {
		dunectl_error("quota reset needs nothing, a scope, or a scope and a name");
		return dunectl_usage(ctl);
	}
	return change(ctl, argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL, NULL, true);
}

static int quota_run(struct dunectl *ctl, int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "set") == 0)
		return quota_set(ctl, argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "reset") == 0)
		return quota_reset(ctl, argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "show") == 0) {
		argc--;
		argv++;
	}
	if (argc <= 2)
		return quota_show(ctl, argc, argv);
	dunectl_error("quota show needs nothing, a scope, or a scope and a name");
	return dunectl_usage(ctl);
}

const struct dunectl_command command_quota = {
	.name = "quota",
	.arguments = "[set|reset] [QUOTA]",
	.summary = "Show quotas and their use, or change them",
	.max_arguments = -1,
	.run = quota_run,
};
