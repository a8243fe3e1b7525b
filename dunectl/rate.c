// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rates; see rate.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/json.h"
#include "dunectl/rate.h"

/* Which rate a counter of the interface is part of. */
static const struct {
	const char *name;
	enum rate_counter counter;
} parts[] = {
	{ "entries", RATE_ENTRIES },	   { "exits", RATE_EXITS },
	{ "syscalls", RATE_SYSCALLS },	   { "direct_calls", RATE_SYSCALLS },
	{ "hypercalls", RATE_HYPERCALLS }, { "ept_read", RATE_EPT },
	{ "ept_write", RATE_EPT },	   { "ept_exec", RATE_EPT },
	{ "faults", RATE_FAULTS },	   { "denied", RATE_DENIED },
};

static const char *const names[NR_RATES] = {
	[RATE_ENTRIES] = "entries",    [RATE_EXITS] = "exits",
	[RATE_SYSCALLS] = "syscalls",  [RATE_HYPERCALLS] = "hypercalls",
	[RATE_EPT] = "ept_violations", [RATE_FAULTS] = "faults",
	[RATE_DENIED] = "denied",
};

const char *rate_name(enum rate_counter counter)
{
	return names[counter];
}

static void take_counters(const struct dune_client_counters *counters, struct rate_row *row)
{
	for (size_t i = 0; i < counters->nr; i++)
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
			if (strcmp(parts[p].name, counters->values[i].name) == 0)
				row->counters[parts[p].counter] += counters->values[i].value;
}

static void take_sample(const struct dune_client_sample *sample, struct rate_row *row)
{
	const struct dune_client_context *context = sample->context;

	*row = (struct rate_row){
		.id = context->id,
		.owner = context->owner,
		.pid = context->pid,
		.vcpus = context->usage.vcpus,
		.private_pages = context->usage.private_pages,
		.ept_pages = context->usage.ept_pages,
	};
	snprintf(row->name, sizeof(row->name), "%s", context->name);
	snprintf(row->state, sizeof(row->state), "%s", context->state);
	snprintf(row->command, sizeof(row->command), "%s",
		 context->command ? context->command : "-");
	take_counters(&sample->counters, row);
}

/* A counter never shrinks; one that did is of another context, or the module was loaded anew. */
static void take_rates(const struct rate_row *before, double seconds, struct rate_row *row)
{
	for (size_t i = 0; i < NR_RATES; i++) {
		if (row->counters[i] < before->counters[i])
			return;
		row->rates[i] = (double)(row->counters[i] - before->counters[i]) / seconds;
	}
	row->has_rates = true;
}

static void compare(struct rate_set *set, const struct rate_set *before)
{
	double seconds = (double)(set->time_usec - before->time_usec) / 1e6;
	size_t old = 0;

	if (set->time_usec <= before->time_usec)
		return;
	set->has_rates = true;
	for (size_t i = 0; i < set->nr; i++) {
		struct rate_row *row = &set->rows[i];

		while (old < before->nr && before->rows[old].id < row->id)
			old++;
		if (old == before->nr || before->rows[old].id != row->id)
			continue;
		take_rates(&before->rows[old], seconds, row);
		for (size_t r = 0; row->has_rates && r < NR_RATES; r++)
			set->sums[r] += row->rates[r];
	}
}

int rate_set_new(const struct dune_client_stats *stats, const struct rate_set *before,
		 struct rate_set *ret_set)
{
	struct rate_set set = { .time_usec = stats->time_usec, .nr = stats->nr };

	set.rows = calloc(stats->nr ? stats->nr : 1, sizeof(*set.rows));
	if (!set.rows)
		return -ENOMEM;
	for (size_t i = 0; i < stats->nr; i++)
		take_sample(stats->samples[i], &set.rows[i]);
	if (before && before->rows)
		compare(&set, before);
	*ret_set = set;
	return 0;
}

int rate_set_copy(const struct rate_set *set, struct rate_set *ret_copy)
{
	struct rate_row *rows = calloc(set->nr ? set->nr : 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	memcpy(rows, set->rows, set->nr * sizeof(*rows));
	*ret_copy = *set;
	ret_copy->rows = rows;
	return 0;
}

void rate_set_done(struct rate_set *set)
{
	free(set->rows);
	*set = (struct rate_set){ 0 };
}

struct json_object *rate_json(const double rates[NR_RATES])
{
	struct json_object *object = json_new();
	char text[48];

	for (size_t i = 0; i < NR_RATES; i++) {
		snprintf(text, sizeof(text), "%.1f", rates[i]);
		json_put(object, names[i], json_object_new_double_s(rates[i], text));
	}
	return object;
}
