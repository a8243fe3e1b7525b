// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl totals: sums over all contexts that there ever were, and what the service counts about itself.
 */
#include <stdio.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"
#include "dunectl/table.h"

static void totals_free(struct dune_client_totals **totals)
{
	dune_client_totals_free(*totals);
}

static struct json_object *to_json(const struct dune_client_totals *totals)
{
	struct json_object *object = json_new();

	json_put_number(object, "time_usec", totals->time_usec);
	json_put_number(object, "created", totals->created);
	json_put(object, "states", json_counters(&totals->states));
	json_put(object, "ends", json_counters(&totals->ends));
	json_put(object, "counters", json_counters(&totals->counters));
	json_put(object, "exits", json_counters(&totals->exits));
	json_put(object, "service", json_counters(&totals->service));
	json_put(object, "calls", json_counters(&totals->calls));
	json_put(object, "errors", json_counters(&totals->errors));
	json_put(object, "messages", json_counters(&totals->messages));
	return object;
}

/* Tables of what is not zero; a part without anything is left out. */
static void show(const struct output *output, struct json_object *object)
{
	static const struct {
		const char *key, *title;
	} parts[] = {
		{ "states", "CONTEXTS" },    { "ends", "ENDED BY" }, { "counters", "COUNTER" },
		{ "service", "SERVICE" },    { "calls", "CALLS" },   { "errors", "ERRORS" },
		{ "messages", "LOG ENTRY" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (table_map(output, parts[i].title, json_object_object_get(object, parts[i].key)))
			putchar('\n');
	table_exits(output, json_object_object_get(object, "exits"));
}

static int totals_run(struct dunectl *ctl, int argc, char **argv)
{
	__attribute__((cleanup(totals_free))) struct dune_client_totals *totals = NULL;
	CLIENT_CLEANUP struct dune_client *client = NULL;
	JSON_CLEANUP struct json_object *object = NULL;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_totals(client, &totals);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "read the totals");
	object = to_json(totals);
	if (!output_as_json(&ctl->output, object))
		show(&ctl->output, object);
	return 0;
}

const struct dunectl_command command_totals = {
	.name = "totals",
	.arguments = "",
	.summary = "Show sums over all contexts that ever were, and the service's own",
	.run = totals_run,
};
