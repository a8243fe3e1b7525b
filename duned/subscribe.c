// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events; see subscribe.h. The subscription begins before the state is read, so that nothing can
 * happen between the two unseen; events that the state shows already may follow it.
 */
#include "duned/subscribe.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "duned/context.h"
#include "duned/events.h"
#include "duned/json.h"
#include "duned/request.h"
#include "proto/names.h"

static int stop(int r)
{
	return r < 0 ? r : 1;
}

/* The type's number; 0 for one that there is not, or that nobody can subscribe to. */
static unsigned int type_number(struct json_object *name)
{
	if (!json_object_is_type(name, json_type_string))
		return 0;
	for (unsigned int type = DUNE_EVENT_CREATED; type < DUNE_EVENT_LOST; type++) {
		if (!strcmp(dune_event_name(type), json_object_get_string(name)))
			return type;
	}
	return 0;
}

/* 0, or -EINVAL. No array means all types. */
static int decode_types(struct json_object *types, uint32_t *ret_types)
{
	size_t count = types ? json_object_array_length(types) : 0;
	uint32_t bits = 0;

	if (types && !count)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		unsigned int type = type_number(json_object_array_get_idx(types, i));

		if (!type)
			return -EINVAL;
		bits |= 1u << type;
	}
	*ret_types = bits;
	return 0;
}

/* 0 with the filter, 1 with an error in the answer, -errno. */
static int decode_filter(struct request *request, struct answer *answer,
			 struct event_filter *ret_filter)
{
	struct json_object *types = NULL;
	struct param_int id = { 0 };
	const char *name = NULL, *bad;
	const struct param params[] = {
		{ "id", PARAM_INT, &id },
		{ "name", PARAM_STRING, &name },
		{ "types", PARAM_ARRAY, &types },
	};
	struct event_filter filter = { 0 };

	if (params_decode(request->call->parameters, params, 3, &bad) < 0)
		return stop(answer_bad_parameter(answer, bad));
	if (name && (id.set || !dune_name_is_valid(name)))
		return stop(answer_bad_parameter(answer, "name"));
	if (decode_types(types, &filter.types) < 0)
		return stop(answer_bad_parameter(answer, "types"));
	if (id.set && id.value <= 0)
		return stop(answer_error_plain(answer, DUNE_ERROR("NoSuchContext")));
	filter.id = (uint64_t)id.value;
	if (name)
		snprintf(filter.name, sizeof(filter.name), "%s", name);
	*ret_filter = filter;
	return 0;
}

/* A user's subscriptions leave connections to ask with. */
static int check_limit(struct request *request, struct answer *answer)
{
	struct manager *manager = request->manager;
	int64_t maximum = (manager->config.connections_per_user + 1) / 2;
	size_t used = events_count(&manager->events, request->peer->uid);
	struct json_object *parameters;
	bool ok;

	if (used < (size_t)maximum)
		return 0;
	parameters = json_object_new_object();
	ok = json_put_string(parameters, "limit", "subscriptions_per_user") &&
	     json_put_int(parameters, "maximum", (uint64_t)maximum) &&
	     json_put_int(parameters, "used", used);
	return stop(answer_error(answer, DUNE_ERROR("QuotaExceeded"), json_finish(parameters, ok)));
}

static bool is_about(const struct request *request, const struct event_filter *filter,
		     const struct dune_stats *stats)
{
	if (filter->id && filter->id != stats->id)
		return false;
	if (filter->name[0] && strcmp(filter->name, stats->name) != 0)
		return false;
	return policy_may(request->peer, request->access, stats->owner);
}

/* The contexts that the subscription is about. 0, 1 with an error in the answer, -errno. */
static int read_state(struct request *request, const struct event_filter *filter,
		      struct answer *answer, struct json_object *ret_contexts)
{
	struct context_list list __attribute__((cleanup(context_list_done))) = { 0 };
	int r = context_list_read(&request->manager->device, &list);
	bool found = false;

	if (r < 0)
		return stop(answer_device_failed(answer, "stats", r));
	for (size_t i = 0; i < list.count; i++) {
		if (!is_about(request, filter, &list.entries[i]))
			continue;
		found = true;
		if (!json_append(ret_contexts, context_json(&list.entries[i])))
			return -ENOMEM;
	}
	if (filter->id && !found)
		return stop(answer_error_plain(answer, DUNE_ERROR("NoSuchContext")));
	return 0;
}

int method_events(struct request *request, struct answer *answer)
{
	struct json_object *contexts __attribute__((cleanup(json_release))) = NULL;
	struct manager *manager = request->manager;
	struct json_object *parameters;
	struct event_filter filter;
	int r = decode_filter(request, answer, &filter);

	if (!r && !(request->call->flags & VARLINK_MORE))
		r = stop(answer_error_plain(answer, VARLINK_ERROR("ExpectedMore")));
	if (!r)
		r = request_device(request, answer);
	if (!r)
		r = check_limit(request, answer);
	if (r)
		return r < 0 ? r : 0;
	/* What happened before is in the state, and for other subscribers only. */
	manager_drain(manager);
	contexts = json_object_new_array();
	answer->subscription =
		subscription_new(&manager->events, request->peer, request->access, &filter);
	if (!contexts || !answer->subscription)
		return -ENOMEM;
	r = read_state(request, &filter, answer, contexts);
	if (r)
		return r < 0 ? r : 0;
	parameters = json_object_new_object();
	if (!json_put(parameters, "contexts", json_object_get(contexts)))
		parameters = json_finish(parameters, false);
	return answer_reply(answer, parameters);
}
