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
#include "duned/select.h"
#include "proto/names.h"

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
		return answer_bad_parameter(answer, bad);
	if (name && (id.set || !dune_name_is_valid(name)))
		return answer_bad_parameter(answer, "name");
	if (decode_types(types, &filter.types) < 0)
		return answer_bad_parameter(answer, "types");
	if (id.set && id.value <= 0)
		return answer_error_plain(answer, DUNE_ERROR("NoSuchContext"));
	filter.id = (uint64_t)id.value;
	if (name)
		snprintf(filter.name, sizeof(filter.name), "%s", name);
	*ret_filter = filter;
	return 0;
}

/* The state of the one context that a stream is about. */
static int answer_one(struct request *request, uint64_t id, struct answer *answer)
{
	const struct selector selector = { .id = { .set = true, .value = (int64_t)id } };
	struct json_object *parameters, *contexts;
	struct dune_stats stats;
	int r = select_context(request, &selector, answer, &stats);
	bool ok;

	if (r)
		return r;
	contexts = json_object_new_array();
	ok = json_append(contexts, context_json(&stats));
	parameters = json_object_new_object();
	ok = json_put(parameters, "contexts", contexts) && ok;
	return answer_reply(answer, json_finish(parameters, ok));
}

int method_events(struct request *request, struct answer *answer)
{
	struct manager *manager = request->manager;
	struct event_filter filter;
	int r = decode_filter(request, answer, &filter);

	if (!r && !(request->call->flags & VARLINK_MORE))
		r = answer_error_plain(answer, VARLINK_ERROR("ExpectedMore"));
	if (!r)
		r = request_device(request, answer);
	if (r)
		return r;
	/* What happened before is in the state, and for other subscribers only. */
	manager_drain(manager);
	answer->subscription =
		subscription_new(&manager->events, request->peer, request->access, &filter);
	if (!answer->subscription)
		return -ENOMEM;
	if (filter.id)
		return answer_one(request, filter.id, answer);
	return answer_listing(request, answer, filter.name[0] ? filter.name : NULL,
			      LISTING_CONTEXTS);
}
