// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Totals; see totals.h. Nothing in it belongs to one user: who may see no context may see the sums, as
 * with /proc/stat. Every name that there is stands in every reply, zeroes too.
 */
#include "duned/totals.h"

#include <errno.h>
#include <json-c/json.h>

#include "duned/clock.h"
#include "duned/context.h"
#include "duned/counters.h"
#include "duned/info.h"
#include "duned/json.h"
#include "duned/request.h"
#include "proto/names.h"

#define UNUSED "unused"	/* key of the contexts that were freed without a process */

static struct json_object *totals_counters_json(const struct dune_totals *totals)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (unsigned int i = 0; ok && i < DUNE_NR_COUNTERS; i++) {
		if (dune_counter_name(i))
			ok = json_put_int(object, dune_counter_name(i), totals->counters[i]);
	}
	return json_finish(object, ok);
}

/* Reasons without a name are there when they occurred. */
static struct json_object *totals_exits_json(const struct dune_totals *totals)
{
	struct json_object *object = json_object_new_object();
	char buffer[DUNE_NAME_BUFFER];
	bool ok = object != NULL;

	for (unsigned int i = 0; ok && i < DUNE_NR_EXITS; i++) {
		const char *name = dune_exit_name(i);

		if (name || totals->exits[i])
			ok = json_put_int(object, dune_name_or_number(name, "reason", i, buffer),
					  totals->exits[i]);
	}
	return json_finish(object, ok);
}

static struct json_object *totals_ends_json(const struct dune_totals *totals)
{
	struct json_object *object = json_object_new_object();
	bool ok = json_put_int(object, UNUSED, totals->ended[DUNE_END_NONE]);
	const unsigned int count = sizeof(totals->ended) / sizeof(totals->ended[0]);
	char buffer[DUNE_NAME_BUFFER];

	for (unsigned int i = DUNE_END_NONE + 1; ok && i < count; i++) {
		const char *name = dune_cause_name(i);

		if (name || totals->ended[i])
			ok = json_put_int(object, dune_name_or_number(name, "cause", i, buffer),
					  totals->ended[i]);
	}
	return json_finish(object, ok);
}

/* Contexts that exist, by state. */
static struct json_object *states_json(const struct context_list *list)
{
	uint64_t counts[DUNE_STATE_ENDED + 1] = { 0 };
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (size_t i = 0; i < list->count; i++) {
		uint32_t state = list->entries[i].state;

		counts[state <= DUNE_STATE_ENDED ? state : DUNE_STATE_ENDED]++;
	}
	for (unsigned int i = 0; ok && i <= DUNE_STATE_ENDED; i++)
		ok = json_put_int(object, dune_state_name(i), counts[i]);
	return json_finish(object, ok);
}

static bool put_service(struct json_object *object)
{
	return json_put(object, "service", counters_json()) &&
	       json_put(object, "calls", counters_calls_json()) &&
	       json_put(object, "errors", counters_errors_json()) &&
	       json_put(object, "messages", counters_messages_json());
}

int method_totals(struct request *request, struct answer *answer)
{
	struct context_list list __attribute__((cleanup(context_list_done))) = { 0 };
	struct device *device = &request->manager->device;
	struct json_object *parameters;
	struct dune_totals totals;
	struct dune_info info;
	const char *bad;
	bool ok;
	int r;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	r = request_device(request, answer);
	if (r)
		return r;
	r = device_info(device, &info);
	r = r < 0 ? r : context_list_read(device, &list);
	r = r < 0 ? r : device_totals(device, &totals);
	if (r < 0)
		return answer_device_failed(answer, "totals", r);
	parameters = json_object_new_object();
	ok = json_put_int(parameters, "time_usec", (uint64_t)clock_ns() / 1000) &&
	     json_put_int(parameters, "created", totals.created) &&
	     json_put(parameters, "counters", totals_counters_json(&totals)) &&
	     json_put(parameters, "exits", totals_exits_json(&totals)) &&
	     json_put(parameters, "ends", totals_ends_json(&totals)) &&
	     json_put(parameters, "states", states_json(&list)) &&
	     json_put(parameters, "allocated", info_allocated_json(&info)) &&
	     json_put_int(parameters, "refused", info.refused) &&
	     json_put_int(parameters, "assertions", info.assertions) &&
	     json_put(parameters, "quotas", info_quotas_json(request->manager, &info)) &&
	     put_service(parameters);
	return answer_reply(answer, json_finish(parameters, ok));
}
