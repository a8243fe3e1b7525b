// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ring and its document; see history.h. */
#include "duned/exporter/history.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "duned/exporter/trouble.h"
#include "proto/names.h"

#define MAX_HOST   256
#define MAX_ERRORS 64

/* What one point keeps of a sample. */
struct point {
	int64_t time_ms;
	uint64_t clock_usec;
	bool up;
	bool module;
	bool counted;
	bool has_states;
	uint64_t contexts;
	uint64_t vcpus;
	uint64_t created;
	uint64_t states[SAMPLE_NR_STATES];
	uint64_t exits[DUNE_NR_EXITS];
	uint64_t troubles[TROUBLE_MAX];
	uint64_t errors[MAX_ERRORS]; /* by place in history.errors */
};

struct history {
	/* Names of error replies in the order in which they were first heard of; the last: all others. */
	size_t nr_errors;
	char errors[MAX_ERRORS][SAMPLE_MAX_NAME];
	size_t first; /* the oldest point's place */
	size_t nr;
	struct point points[HISTORY_POINTS];
};

int history_new(struct history **ret_history)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	*ret_history = history;
	return 0;
}

void history_free(struct history *history)
{
	free(history);
}

/* The place of an error's counter in every point. */
static size_t error_place(struct history *history, const char *name)
{
	size_t i = 0;

	while (i < history->nr_errors && strcmp(history->errors[i], name) != 0)
		i++;
	if (i < history->nr_errors || i == MAX_ERRORS - 1)
		return i;
	strcpy(history->errors[i], name);
	history->nr_errors++;
	return i;
}

static void add_errors(struct history *history, struct point *point,
		       const struct sample_names *errors)
{
	for (size_t i = 0; i < errors->nr; i++)
		point->errors[error_place(history, errors->rows[i].name)] += errors->rows[i].value;
}

void history_add(struct history *history, const struct sample *sample)
{
	struct point *point;

	point = &history->points[(history->first + history->nr) % HISTORY_POINTS];
	if (history->nr < HISTORY_POINTS)
		history->nr++;
	else
		history->first = (history->first + 1) % HISTORY_POINTS;
	*point = (struct point){
		.time_ms = sample->time_ms,
		.clock_usec = sample->clock_usec,
		.up = sample->up,
		.module = sample->module,
		.counted = sample->counted,
		.has_states = sample->has_states,
		.contexts = sample->contexts,
		.vcpus = sample->vcpus,
		.created = sample->created,
	};
	memcpy(point->states, sample->states, sizeof(point->states));
	memcpy(point->exits, sample->exits, sizeof(point->exits));
	for (size_t i = 0; i < nr_troubles; i++)
		point->troubles[i] = trouble_value(sample, i);
	add_errors(history, point, &sample->errors);
}

static const struct point *point_at(const struct history *history, size_t i)
{
	return &history->points[(history->first + i) % HISTORY_POINTS];
}

/* ---- JSON ---- */

/* Adds a member and takes over `value`; *ok remembers a failure, so that callers look once. */
static void put(struct json_object *object, const char *key, struct json_object *value, bool *ok)
{
	if (!object || !value || json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		*ok = false;
	}
}

static void append(struct json_object *array, struct json_object *value, bool has_value, bool *ok)
{
	if (!array || (has_value && !value) || json_object_array_add(array, value) < 0) {
		json_object_put(value);
		*ok = false;
	}
}

static void put_count(struct json_object *object, const char *key, uint64_t value, bool *ok)
{
	put(object, key, json_object_new_uint64(value), ok);
}

static void put_text(struct json_object *object, const char *key, const char *text, bool *ok)
{
	if (text[0])
		put(object, key, json_object_new_string(text), ok);
	else if (json_object_object_add(object, key, NULL) < 0)
		*ok = false;
}

/* Three significant digits are more than a chart shows. */
static struct json_object *rate_json(double rate)
{
	char text[32];

	snprintf(text, sizeof(text), rate < 1000 ? "%.3g" : "%.0f", rate);
	return json_object_new_double_s(rate, text);
}

/*
 * Per second between two points; NAN when one of them has no numbers, or the module was loaded anew in
 * between (a sum went back).
 */
static double rate_between(const struct point *before, const struct point *now, size_t offset)
{
	uint64_t old = *(const uint64_t *)((const char *)before + offset);
	uint64_t new = *(const uint64_t *)((const char *)now + offset);

	if (!before->counted || !now->counted || now->clock_usec <= before->clock_usec || new < old)
		return NAN;
	return (double)(new - old) * 1e6 / (double)(now->clock_usec - before->clock_usec);
}

/* An array of rates. The first point has no neighbour: null. */
static struct json_object *rates_json(const struct history *history, size_t offset, bool *ok)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < history->nr; i++) {
		double rate =
			i ? rate_between(point_at(history, i - 1), point_at(history, i), offset) :
			    NAN;

		append(array, isnan(rate) ? NULL : rate_json(rate), !isnan(rate), ok);
	}
	return array;
}

static bool ever_grew(const struct history *history, size_t offset)
{
	for (size_t i = 1; i < history->nr; i++)
		if (rate_between(point_at(history, i - 1), point_at(history, i), offset) > 0)
			return true;
	return false;
}

/* An array of present amounts; `known` is the bool that says whether a point has one. */
static struct json_object *amounts_json(const struct history *history, size_t known, size_t offset,
					bool *ok)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < history->nr; i++) {
		const char *point = (const char *)point_at(history, i);
		bool has = *(const bool *)(point + known);

		append(array,
		       has ? json_object_new_uint64(*(const uint64_t *)(point + offset)) : NULL,
		       has, ok);
	}
	return array;
}

/* Members of "past" that have a rate for each of several names. */
static struct json_object *rate_map_json(const struct history *history, size_t offset, size_t nr,
					 const char *(*name_of)(unsigned int number), bool *ok)
{
	struct json_object *map = json_object_new_object();

	for (unsigned int i = 0; i < nr; i++) {
		size_t at = offset + i * sizeof(uint64_t);

		if (name_of(i) && ever_grew(history, at))
			put(map, name_of(i), rates_json(history, at, ok), ok);
	}
	return map;
}

static struct json_object *error_rates_json(const struct history *history, bool *ok)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < MAX_ERRORS; i++) {
		size_t at = offsetof(struct point, errors) + i * sizeof(uint64_t);
		const char *name = i == MAX_ERRORS - 1 ? "other" : history->errors[i];

		if (ever_grew(history, at))
			put(map, name, rates_json(history, at, ok), ok);
	}
	return map;
}

static struct json_object *past_json(const struct history *history, bool *ok)
{
	struct json_object *past = json_object_new_object(), *times = json_object_new_array();
	struct json_object *up = json_object_new_array(), *states = json_object_new_object();

	for (size_t i = 0; i < history->nr; i++) {
		const struct point *point = point_at(history, i);

		append(times, json_object_new_int64(point->time_ms / 1000), true, ok);
		append(up, json_object_new_int(point->up + point->module), true, ok);
	}
	put(past, "time", times, ok);
	put(past, "up", up, ok);
	put(past, "existing",
	    amounts_json(history, offsetof(struct point, module), offsetof(struct point, contexts),
			 ok),
	    ok);
	put(past, "vcpus",
	    amounts_json(history, offsetof(struct point, module), offsetof(struct point, vcpus),
			 ok),
	    ok);
	for (unsigned int i = 0; i < SAMPLE_NR_STATES; i++)
		put(states, dune_state_name(i),
		    amounts_json(history, offsetof(struct point, has_states),
				 offsetof(struct point, states[i]), ok),
		    ok);
	put(past, "contexts", states, ok);
	put(past, "exits",
	    rate_map_json(history, offsetof(struct point, exits), DUNE_NR_EXITS, dune_exit_name,
			  ok),
	    ok);
	put(past, "troubles",
	    rate_map_json(history, offsetof(struct point, troubles), nr_troubles, trouble_name, ok),
	    ok);
	put(past, "errors", error_rates_json(history, ok), ok);
	put(past, "created", rates_json(history, offsetof(struct point, created), ok), ok);
	return past;
}

static struct json_object *memory_json(const struct sample *sample, bool *ok)
{
	struct json_object *memory = json_object_new_object();

	put_count(memory, "ept", sample->ept_pages * SAMPLE_PAGE_BYTES, ok);
	put_count(memory, "private", sample->private_pages * SAMPLE_PAGE_BYTES, ok);
	put_count(memory, "run", sample->run_pages * SAMPLE_PAGE_BYTES, ok);
	put_count(memory, "vmcs", sample->vmcs_pages * SAMPLE_PAGE_BYTES, ok);
	return memory;
}

static struct json_object *quotas_json(const struct sample *sample, bool *ok)
{
	struct json_object *quotas = json_object_new_object(), *quota;

	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++) {
		if (!sample->quotas[i].known)
			continue;
		quota = json_object_new_object();
		put_count(quota, "used", sample->quotas[i].used, ok);
		put_count(quota, "maximum", sample->quotas[i].maximum, ok);
		put(quotas, dune_limit_name(i), quota, ok);
	}
	return quotas;
}

static struct json_object *now_json(const struct sample *sample, bool *ok)
{
	struct json_object *now = json_object_new_object(), *states = json_object_new_object();

	for (unsigned int i = 0; i < SAMPLE_NR_STATES; i++)
		put_count(states, dune_state_name(i), sample->states[i], ok);
	if (sample->has_states) {
		put(now, "contexts", states, ok);
	} else {
		json_object_put(states);
		put_text(now, "contexts", "", ok);
	}
	put_count(now, "existing", sample->contexts, ok);
	put_count(now, "vcpus", sample->vcpus, ok);
	put(now, "memory", memory_json(sample, ok), ok);
	put(now, "quotas", quotas_json(sample, ok), ok);
	return now;
}

static struct json_object *sums_json(const uint64_t *values, size_t nr,
				     const char *(*name_of)(unsigned int number), bool *ok)
{
	struct json_object *map = json_object_new_object();

	for (unsigned int i = 0; i < nr; i++)
		if (name_of(i) && values[i])
			put_count(map, name_of(i), values[i], ok);
	return map;
}

static struct json_object *totals_json(const struct sample *sample, bool *ok)
{
	struct json_object *totals = json_object_new_object(), *troubles = json_object_new_object();
	struct json_object *errors = json_object_new_object();

	for (size_t i = 0; i < sample->errors.nr; i++)
		if (sample->errors.rows[i].value)
			put_count(errors, sample->errors.rows[i].name, sample->errors.rows[i].value,
				  ok);
	put(totals, "errors", errors, ok);
	put(totals, "exits", sums_json(sample->exits, DUNE_NR_EXITS, dune_exit_name, ok), ok);
	put(totals, "ends", sums_json(sample->ends, DUNE_NR_ENDS, dune_cause_name, ok), ok);
	for (unsigned int i = 0; i < nr_troubles; i++)
		put_count(troubles, trouble_name(i), trouble_value(sample, i), ok);
	put(totals, "troubles", troubles, ok);
	put_count(totals, "created", sample->created, ok);
	return totals;
}

static void put_head(struct json_object *document, const struct sample *sample, bool *ok)
{
	char host[MAX_HOST] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	put_text(document, "version", DUNE_VERSION, ok);
	put_text(document, "host", host, ok);
	put(document, "time", json_object_new_int64(sample->time_ms / 1000), ok);
	put(document, "step", json_object_new_int(HISTORY_STEP_S), ok);
	put(document, "up", json_object_new_boolean(sample->up), ok);
	put(document, "module", json_object_new_boolean(sample->module), ok);
	put(document, "counted", json_object_new_boolean(sample->counted), ok);
	put_text(document, "problem", sample->problem, ok);
	put_text(document, "service_version", sample->service_version, ok);
	put_text(document, "module_version", sample->module_version, ok);
	put_count(document, "abi", sample->abi, ok);
	put_text(document, "vmx_holder", sample->vmx_holder, ok);
}

int history_json(const struct history *history, const struct sample *sample, char **ret_text,
		 size_t *ret_size)
{
	struct json_object *document = json_object_new_object();
	bool ok = document != NULL;
	const char *text;

	put_head(document, sample, &ok);
	put(document, "now", now_json(sample, &ok), &ok);
	put(document, "totals", totals_json(sample, &ok), &ok);
	put(document, "past", past_json(history, &ok), &ok);
	text = ok ? json_object_to_json_string_ext(
			    document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) :
		    NULL;
	text = text ? strdup(text) : NULL;
	json_object_put(document);
	if (!text)
		return -ENOMEM;
	*ret_text = (char *)text;
	*ret_size = strlen(text);
	return 0;
}
