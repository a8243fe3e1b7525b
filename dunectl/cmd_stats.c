// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl stats: counters of one context or of all, and VM exits by reason with their total.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"
#include "dunectl/rate.h"
#include "dunectl/table.h"

/* What the service takes as an interval. */
#define WATCH_MIN_MS	 100
#define WATCH_MAX_MS	 3600000
#define WATCH_DEFAULT_MS 1000

static uint64_t watch_ms; /* --watch; 0: once */

static const struct output_column columns[] = {
	{ "ID", "context.id", OUTPUT_NUMBER },
	{ "NAME", "context.name", OUTPUT_TEXT },
	{ "STATE", "context.state", OUTPUT_STATE },
	{ "ENTRIES", "counters.entries", OUTPUT_NUMBER },
	{ "EXITS", "counters.exits", OUTPUT_NUMBER },
	{ "SYSCALLS", "counters.syscalls", OUTPUT_NUMBER },
	{ "HYPERCALLS", "counters.hypercalls", OUTPUT_NUMBER },
	{ "EPT-R", "counters.ept_read", OUTPUT_NUMBER },
	{ "EPT-W", "counters.ept_write", OUTPUT_NUMBER },
	{ "EPT-X", "counters.ept_exec", OUTPUT_NUMBER },
	{ "FAULTS", "counters.faults", OUTPUT_NUMBER },
	{ "DENIED", "counters.denied", OUTPUT_NUMBER },
};

/* What a watch shows, from its second sample on. */
static const struct output_column watch_columns[] = {
	{ "ID", "context.id", OUTPUT_NUMBER },
	{ "NAME", "context.name", OUTPUT_TEXT },
	{ "STATE", "context.state", OUTPUT_STATE },
	{ "EXITS", "counters.exits", OUTPUT_NUMBER },
	{ "EXITS/S", "rates.exits", OUTPUT_RATE },
	{ "SYSCALLS", "counters.syscalls", OUTPUT_NUMBER },
	{ "SYSCALLS/S", "rates.syscalls", OUTPUT_RATE },
	{ "HYPERCALLS/S", "rates.hypercalls", OUTPUT_RATE },
	{ "EPT/S", "rates.ept_violations", OUTPUT_RATE },
	{ "FAULTS/S", "rates.faults", OUTPUT_RATE },
	{ "DENIED", "counters.denied", OUTPUT_NUMBER },
};

static struct rate_set before; /* the sample before, of a watch */

static int set_watch(struct dunectl *ctl, const char *value)
{
	watch_ms = WATCH_DEFAULT_MS;
	if (value && (parse_seconds(value, &watch_ms) < 0 || watch_ms < WATCH_MIN_MS ||
		      watch_ms > WATCH_MAX_MS)) {
		dunectl_error("--watch must be 0.1 to 3600 seconds, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static const struct dunectl_option options[] = {
	{ "watch", 'w', "SEC", true, "again every SEC seconds (default 1) until interrupted",
	  set_watch },
	{ 0 },
};

static void add_exits(struct json_object *sums, const struct dune_client_counters *exits)
{
	for (size_t i = 0; i < exits->nr; i++) {
		const char *name = exits->values[i].name;
		struct json_object *old = json_object_object_get(sums, name);

		json_put_number(sums, name,
				(old ? json_object_get_uint64(old) : 0) + exits->values[i].value);
	}
}

/* Rates since the sample before, to each context that was in it. */
static void add_rates(struct json_object *object, const struct dune_client_stats *stats)
{
	struct json_object *samples = json_object_object_get(object, "samples");
	struct rate_set now;

	if (rate_set_new(stats, &before, &now) < 0)
		return;
	for (size_t i = 0; i < now.nr; i++)
		if (now.rows[i].has_rates)
			json_put(json_object_array_get_idx(samples, i), "rates",
				 rate_json(now.rows[i].rates));
	if (now.has_rates)
		json_put(object, "rates", rate_json(now.sums));
	rate_set_done(&before);
	before = now;
}

static struct json_object *to_json(const struct dune_client_stats *stats)
{
	struct json_object *object = json_new(), *samples = json_new_array(), *sums = json_new();
	uint64_t total = 0;

	for (size_t i = 0; i < stats->nr; i++) {
		json_append(samples, json_sample(stats->samples[i]));
		add_exits(sums, &stats->samples[i]->exits);
	}
	json_object_object_foreach(sums, name, number) {
		(void)name;
		total += json_object_get_uint64(number);
	}
	json_put_number(object, "time_usec", stats->time_usec);
	json_put(object, "samples", samples);
	json_put(object, "exits", sums);
	json_put_number(object, "total_exits", total);
	return object;
}

/*
 * Shows one set of samples; a watch on a terminal overwrites the one before. Not 0 ends the watch: when
 * nobody can be shown anything any more, which main() reports.
 */
static int show(const struct dune_client_stats *stats, void *data)
{
	const struct dunectl *ctl = data;
	JSON_CLEANUP struct json_object *object = to_json(stats);
	struct json_object *samples = json_object_object_get(object, "samples");
	bool again = before.rows != NULL;

	if (ctl->output.stream)
		add_rates(object, stats);
	if (output_as_json(&ctl->output, object))
		return ferror(stdout);
	if (ctl->output.stream && ctl->output.terminal)
		printf("\033[H\033[J");
	if (again)
		output_table(&ctl->output, watch_columns,
			     sizeof(watch_columns) / sizeof(watch_columns[0]), samples, "context");
	else
		output_table(&ctl->output, columns, sizeof(columns) / sizeof(columns[0]), samples,
			     "context");
	if (stats->nr > 0) {
		putchar('\n');
		table_exits(&ctl->output, json_object_object_get(object, "exits"));
	}
	if (ctl->output.stream) {
		if (!ctl->output.terminal)
			putchar('\n');
		fflush(stdout);
	}
	return ferror(stdout);
}

static int stats_once(struct dunectl *ctl, struct dune_client *client, uint64_t id,
		      const char *name)
{
	struct dune_client_stats *stats;
	int r;

	r = dune_client_stats(client, id, name, &stats);
	if (r < 0)
		return r;
	show(stats, ctl);
	dune_client_stats_free(stats);
	return 0;
}

static int stats_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	const char *name = NULL;
	uint64_t id = 0;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	if (argc > 0)
		dunectl_name_context(argv[0], &id, &name);
	ctl->output.stream = watch_ms > 0;
	if (watch_ms)
		r = dune_client_watch(client, id, name, watch_ms, show, ctl);
	else
		r = stats_once(ctl, client, id, name);
	rate_set_done(&before);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "read the statistics");
	return 0;
}

const struct dunectl_command command_stats = {
	.name = "stats",
	.arguments = "[CONTEXT]",
	.summary = "Show counters, and VM exits by reason",
	.options = options,
	.max_arguments = 1,
	.run = stats_run,
};
