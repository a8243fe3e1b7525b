// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl list: the contexts that the caller may see.
 */
#include <pwd.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"

static const struct output_column columns[] = {
	{ "ID", "id", OUTPUT_NUMBER },
	{ "NAME", "name", OUTPUT_TEXT },
	{ "OWNER", "user", OUTPUT_TEXT },
	{ "PID", "pid", OUTPUT_NUMBER },
	{ "STATE", "state", OUTPUT_STATE },
	{ "CAUSE", "cause", OUTPUT_TEXT },
	{ "VCPUS", "usage.vcpus", OUTPUT_NUMBER },
	{ "PRIVATE", "usage.private_pages", OUTPUT_PAGES },
	{ "COMMAND", "command", OUTPUT_TEXT },
};

static void list_free(struct dune_client_list **list)
{
	dune_client_list_free(*list);
}

/* What only the table shows: the owner by name. */
static void add_for_people(struct json_object *row, const struct dune_client_context *context)
{
	struct passwd *user = getpwuid(context->owner);

	if (user)
		json_put_text(row, "user", user->pw_name);
	else
		json_put_number(row, "user", context->owner);
}

static int list_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	__attribute__((cleanup(list_free))) struct dune_client_list *list = NULL;
	JSON_CLEANUP struct json_object *rows = NULL;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_list(client, &list);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "list the contexts");
	rows = json_new_array();
	for (size_t i = 0; i < list->nr; i++)
		json_append(rows, json_context(list->contexts[i]));
	if (output_as_json(&ctl->output, rows))
		return 0;
	for (size_t i = 0; i < list->nr; i++)
		add_for_people(json_object_array_get_idx(rows, i), list->contexts[i]);
	output_table(&ctl->output, columns, sizeof(columns) / sizeof(columns[0]), rows, "context");
	return 0;
}

const struct dunectl_command command_list = {
	.name = "list",
	.arguments = "",
	.summary = "List the contexts that you may see",
	.run = list_run,
};
