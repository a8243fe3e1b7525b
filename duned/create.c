// SPDX-License-Identifier: LGPL-2.1-or-later
/* Create; see create.h. Quotas are counted from the module's own list at the time of the call. */
#include "duned/create.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "duned/context.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/request.h"
#include "proto/names.h"

#define NAME_ATTEMPTS 1024 /* generated names tried */

/* A creation on its way; the steps return 0, 1 with an error in the answer, or -errno. */
struct creation {
	struct request *request;
	struct answer *answer;
	struct device_creation wanted;
	struct dune_info info;
	struct config quotas;
	struct context_list list;
};

static int stop(int r)
{
	return r < 0 ? r : 1;
}

static int answer_quota(struct answer *answer, const char *limit, int64_t maximum, uint64_t used)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", limit) &&
		  json_put_int(parameters, "maximum", (uint64_t)maximum) &&
		  json_put_int(parameters, "used", used);

	return stop(answer_error(answer, DUNE_ERROR("QuotaExceeded"), json_finish(parameters, ok)));
}

static int answer_limit(struct answer *answer, const char *limit, int64_t maximum)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", limit) &&
		  json_put_int(parameters, "maximum", (uint64_t)maximum);

	return stop(answer_error(answer, DUNE_ERROR("InvalidLimit"), json_finish(parameters, ok)));
}

/* ---- limits ---- */

/* Decides each limit: asked for and within the maximum, else the default. */
static int decide_limits(struct creation *creation, struct json_object *wanted)
{
	const struct config *quotas = &creation->quotas;
	const int64_t defaults[DUNE_NR_LIMITS] = {
		[DUNE_LIMIT_VCPUS] = quotas->defaults.vcpus,
		[DUNE_LIMIT_PRIVATE] = quotas->defaults.private_pages,
		[DUNE_LIMIT_EPT] = quotas->defaults.ept_pages,
		[DUNE_LIMIT_CONTEXTS] = quotas->contexts_per_user,
	};
	const int64_t maximum[DUNE_NR_LIMITS] = {
		[DUNE_LIMIT_VCPUS] = quotas->maximum.vcpus,
		[DUNE_LIMIT_PRIVATE] = quotas->maximum.private_pages,
		[DUNE_LIMIT_EPT] = quotas->maximum.ept_pages,
		[DUNE_LIMIT_CONTEXTS] = quotas->contexts_per_user,
	};
	struct param_int asked[DUNE_NR_LIMITS] = { 0 };
	struct param params[DUNE_NR_LIMITS];
	const char *bad;

	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++)
		params[i] = (struct param){ dune_limit_name(i), PARAM_INT, &asked[i] };
	if (params_decode(wanted, params, DUNE_NR_LIMITS, &bad) < 0)
		return stop(answer_bad_parameter(creation->answer, "limits"));
	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++) {
		int64_t limit = asked[i].set ? asked[i].value : defaults[i];

		/* A default below 1 is a ceiling of 0: to the module, 0 would mean the ceiling. */
		if (limit < 1 || limit > maximum[i])
			return answer_limit(creation->answer, dune_limit_name(i), maximum[i]);
		creation->wanted.limits[i] = (uint64_t)limit;
	}
	return 0;
}

/* ---- quotas and names ---- */

static bool name_is_taken(const struct creation *creation, const char *name)
{
	for (size_t i = 0; i < creation->list.count; i++) {
		const struct dune_stats *entry = &creation->list.entries[i];

		if (entry->owner == creation->request->peer->uid &&
		    entry->state != DUNE_STATE_ENDED && !strcmp(entry->name, name))
			return true;
	}
	return false;
}

static uint64_t count_own(const struct creation *creation)
{
	uint64_t own = 0;

	for (size_t i = 0; i < creation->list.count; i++)
		own += creation->list.entries[i].owner == creation->request->peer->uid;
	return own;
}

/* Those that hold for everybody. */
static int check_quotas(struct creation *creation)
{
	const struct config *quotas = &creation->quotas;
	uint64_t own = count_own(creation);

	if (own >= (uint64_t)quotas->contexts_per_user)
		return answer_quota(creation->answer, "contexts_per_user",
				    quotas->contexts_per_user, own);
	if (creation->list.count >= (size_t)quotas->contexts_per_host)
		return answer_quota(creation->answer, "contexts_per_host",
				    quotas->contexts_per_host, creation->list.count);
	return 0;
}

/* The limit that this context itself puts on its owner's contexts. */
static int check_own_quota(struct creation *creation)
{
	uint64_t own = count_own(creation), limit = creation->wanted.limits[DUNE_LIMIT_CONTEXTS];

	return own < limit ? 0 : answer_quota(creation->answer, "contexts", (int64_t)limit, own);
}

/* The name asked for, or one made from the number of contexts ever created. */
static int decide_name(struct creation *creation)
{
	if (creation->wanted.name[0]) {
		if (!name_is_taken(creation, creation->wanted.name))
			return 0;
		return stop(answer_error_string(creation->answer, DUNE_ERROR("NameTaken"), "name",
						creation->wanted.name));
	}
	for (uint64_t n = 1; n <= NAME_ATTEMPTS; n++) {
		snprintf(creation->wanted.name, sizeof(creation->wanted.name), "c%" PRIu64,
			 (uint64_t)creation->info.created + n);
		if (!name_is_taken(creation, creation->wanted.name))
			return 0;
	}
	return stop(answer_error_string(creation->answer, DUNE_ERROR("NameTaken"), "name",
					creation->wanted.name));
}

/* ---- the steps ---- */

static int decode(struct creation *creation, struct json_object **ret_limits)
{
	const char *name = NULL, *bad;
	const struct param params[] = {
		{ "name", PARAM_STRING, &name },
		{ "limits", PARAM_OBJECT, ret_limits },
	};

	if (params_decode(creation->request->call->parameters, params, 2, &bad) < 0)
		return stop(answer_bad_parameter(creation->answer, bad));
	if (name && *name) {
		if (!dune_name_is_valid(name))
			return stop(
				answer_error_plain(creation->answer, DUNE_ERROR("InvalidName")));
		snprintf(creation->wanted.name, sizeof(creation->wanted.name), "%s", name);
	}
	return 0;
}

static int survey(struct creation *creation)
{
	struct manager *manager = creation->request->manager;
	int r = request_device(creation->request, creation->answer);

	if (r)
		return r;
	r = device_info(&manager->device, &creation->info);
	if (r < 0)
		return stop(answer_device_failed(creation->answer, "info", r));
	manager_quotas(manager, &creation->info, &creation->quotas);
	r = context_list_read(&manager->device, &creation->list);
	return r < 0 ? stop(answer_device_failed(creation->answer, "stats", r)) : 0;
}

/* The reply; on failure the descriptor is closed with the answer, and the context goes with it. */
static int reply(struct creation *creation, uint64_t id)
{
	struct device *device = &creation->request->manager->device;
	struct json_object *parameters;
	struct dune_stats stats;
	bool ok;
	int r = context_by_id(device, id, &stats);

	if (r < 0)
		return answer_device_failed(creation->answer, "stats", r);
	parameters = json_object_new_object();
	ok = json_put(parameters, "context", context_json(&stats)) &&
	     json_put_int(parameters, "context_fd", 0);
	return answer_reply(creation->answer, json_finish(parameters, ok));
}

static int create(struct creation *creation)
{
	struct request *request = creation->request;
	struct device *device = &request->manager->device;
	uint64_t id;
	int r;

	r = device_create(device, &creation->wanted, &creation->answer->fd, &id);
	/* The module counts by itself and has the last word. */
	if (r == -EDQUOT)
		return answer_quota(creation->answer, "contexts_per_host",
				    creation->quotas.contexts_per_host, creation->info.contexts);
	if (r < 0)
		return answer_device_failed(creation->answer, "create", r);
	log_message(LOG_DEBUG, MESSAGE_CONTEXT_CREATED,
		    LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", id),
			       LOG_TEXT("DUNE_NAME", creation->wanted.name),
			       LOG_NUMBER("DUNE_OWNER", request->peer->uid),
			       LOG_NUMBER("DUNE_PID", request->peer->pid)),
		    "new context %" PRIu64 " (%s) for uid %u", id, creation->wanted.name,
		    request->peer->uid);
	return reply(creation, id);
}

int method_create(struct request *request, struct answer *answer)
{
	struct creation creation = {
		.request = request,
		.answer = answer,
		.wanted.owner = request->peer->uid,
		.wanted.labels.creator_pid = request->peer->pid,
	};
	struct json_object *limits = NULL;
	int r;

	/* Nobody could take the descriptor. */
	if (request->call->flags & VARLINK_ONEWAY)
		return answer_reply(answer, json_object_new_object());
	r = decode(&creation, &limits);
	if (!r)
		r = survey(&creation);
	if (!r)
		r = check_quotas(&creation);
	if (!r)
		r = decide_limits(&creation, limits);
	if (!r)
		r = check_own_quota(&creation);
	if (!r)
		r = decide_name(&creation);
	if (!r)
		r = create(&creation);
	context_list_done(&creation.list);
	return r < 0 ? r : 0;
}
