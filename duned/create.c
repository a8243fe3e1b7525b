// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Create; see create.h. Quotas and names are decided from the ledger, so that a creation costs
 * the same however many contexts there are.
 */
#include "duned/create.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "duned/admit.h"
#include "duned/context.h"
#include "duned/identity.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/render.h"
#include "duned/request.h"
#include "proto/names.h"

#define NAME_ATTEMPTS 1024 /* generated names tried */

/* A creation on its way; the steps return 0, 1 with an error in the answer, or -errno. */
struct creation {
	struct request *request;
	struct answer *answer;
	struct device_creation wanted;
	struct charge charge;
	struct dune_info info;
	struct manager_limits limits;
	struct admit_rates rates;
};

/* ---- limits ---- */

/*
 * The most contexts that the owner may have, as far as that is said of users: the module sees to
 * it, too.
 */
static int64_t contexts_maximum(const struct creation *creation)
{
	struct quota_holding holding[QUOTA_MAX_HOLDING];
	size_t count = quota_holding(&creation->request->manager->config.quotas, &creation->charge,
				     QUOTA_CONTEXTS, holding);
	int64_t maximum = creation->limits.contexts_per_host;

	if (count && holding[0].account.scope == QUOTA_USER && holding[0].maximum < maximum)
		maximum = holding[0].maximum;
	return maximum;
}

/* Decides each limit: asked for and within the maximum, else the default. */
static int decide_limits(struct creation *creation, struct json_object *wanted)
{
	const struct config_limits *defaults = &creation->limits.defaults;
	const struct config_limits *maximum = &creation->limits.maximum;
	const int64_t contexts = contexts_maximum(creation);
	const struct {
		int64_t initial, maximum;
	} rows[DUNE_NR_LIMITS] = {
		[DUNE_LIMIT_VCPUS] = { defaults->vcpus, maximum->vcpus },
		[DUNE_LIMIT_PRIVATE] = { defaults->private_pages, maximum->private_pages },
		[DUNE_LIMIT_EPT] = { defaults->ept_pages, maximum->ept_pages },
		[DUNE_LIMIT_CONTEXTS] = { contexts, contexts },
	};
	struct param_int asked[DUNE_NR_LIMITS] = { 0 };
	struct param params[DUNE_NR_LIMITS];
	const char *bad;

	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++)
		params[i] = (struct param){ dune_limit_name(i), PARAM_INT, &asked[i] };
	if (params_decode(wanted, params, DUNE_NR_LIMITS, &bad) < 0)
		return answer_bad_parameter(creation->answer, "limits");
	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++) {
		int64_t limit = asked[i].set ? asked[i].value : rows[i].initial;

		/* A default below 1 is a ceiling of 0: to the module, 0 would mean the ceiling. */
		if (limit < admit_least(i) || limit > rows[i].maximum)
			return answer_limit(creation->answer, i, rows[i].maximum);
		creation->wanted.limits[i] = (uint64_t)limit;
	}
	return 0;
}

/* ---- quotas ---- */

/* Before anything else: a user without any contexts left needs no other reason. */
static int check_contexts(struct creation *creation)
{
	const uint64_t growth[QUOTA_NR_SUMS] = { [QUOTA_CONTEXTS] = 1 };
	const struct dune_info *info = &creation->info;

	/* The module's own ceiling, which no rule can raise. */
	if (info->contexts >= info->max_contexts)
		return answer_quota(creation->answer, "contexts", "host", NULL,
				    (int64_t)info->max_contexts, info->contexts);
	return admit_growth(creation->request, creation->answer, &creation->charge, NULL, growth);
}

/* What the limits promise, and the limit that this context itself puts on its owner's contexts. */
static int check_promises(struct creation *creation)
{
	const uint64_t *limits = creation->wanted.limits;
	const uint64_t growth[QUOTA_NR_SUMS] = {
		[QUOTA_VCPUS] = limits[DUNE_LIMIT_VCPUS],
		[QUOTA_PRIVATE] = limits[DUNE_LIMIT_PRIVATE],
		[QUOTA_EPT] = limits[DUNE_LIMIT_EPT],
	};
	uint64_t own = ledger_owned(&creation->request->manager->ledger, creation->charge.uid);

	if (own >= limits[DUNE_LIMIT_CONTEXTS])
		return answer_quota(creation->answer, "contexts", NULL, NULL,
				    (int64_t)limits[DUNE_LIMIT_CONTEXTS], own);
	return admit_growth(creation->request, creation->answer, &creation->charge, NULL, growth);
}

/* ---- names ---- */

static int name_is_taken(const struct creation *creation, const char *name, bool *ret_taken)
{
	struct manager *manager = creation->request->manager;
	struct ledger_entry *entry = ledger_by_name(&manager->ledger, creation->charge.uid, name);
	struct dune_stats stats;

	for (; entry; entry = ledger_next_of_name(entry)) {
		int r = ledger_entry_lives(entry, &manager->device, &stats);

		if (r > 0)
			break;
		if (r < 0 && r != -ENOENT)
			return r;
	}
	*ret_taken = entry != NULL;
	return 0;
}

/* The name asked for, or one made from the number of contexts ever created. */
static int decide_name(struct creation *creation)
{
	char *name = creation->wanted.name;
	bool made = !name[0], taken = true;
	int r = 0;

	for (uint64_t n = 1; taken && n <= (made ? NAME_ATTEMPTS : 1); n++) {
		if (made)
			snprintf(name, sizeof(creation->wanted.name), "c%" PRIu64,
				 (uint64_t)creation->info.created + n);
		r = name_is_taken(creation, name, &taken);
		if (r < 0)
			return answer_device_failed(creation->answer, "stats", r);
	}
	if (!taken)
		return 0;
	return answer_error_string(creation->answer, DUNE_ERROR("NameTaken"), "name", name);
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
		return answer_bad_parameter(creation->answer, bad);
	if (name && *name) {
		if (!dune_name_is_valid(name))
			return answer_error_plain(creation->answer, DUNE_ERROR("InvalidName"));
		snprintf(creation->wanted.name, sizeof(creation->wanted.name), "%s", name);
	}
	return 0;
}

/* What the module allows and holds, and who asks. */
static int survey(struct creation *creation)
{
	struct request *request = creation->request;
	struct manager *manager = request->manager;
	int r = request_settle(request, creation->answer);

	if (r)
		return r;
	r = device_info(&manager->device, &creation->info);
	if (r < 0)
		return answer_device_failed(creation->answer, "info", r);
	manager_limits(manager, &creation->info, &creation->limits);
	r = identity_labels(request->peer, &manager->config.quotas, &creation->wanted.labels);
	if (r == -ESRCH) {
		log_client(request->peer->uid,
			   "refused: the process that connected, pid %d, can't be looked at",
			   request->peer->pid);
		return answer_error_plain(creation->answer, VARLINK_ERROR("PermissionDenied"));
	}
	creation->charge =
		charge_to(&manager->subids, request->peer->uid, &creation->wanted.labels);
	return r;
}

/* The reply; on failure the descriptor is closed with the answer, and the context goes with it. */
static int reply(struct creation *creation, uint64_t id)
{
	/* Encoded before anybody else gets an answer. */
	static struct render render;
	struct device *device = &creation->request->manager->device;
	struct dune_stats stats;
	int r = context_by_id(device, id, &stats);

	if (r < 0)
		return answer_device_failed(creation->answer, "stats", r);
	render_init(&render);
	render_text(&render, "{");
	render_key(&render, "context");
	context_render(&stats, &render);
	render_int(&render, "context_fd", 0);
	render_text(&render, "}");
	creation->answer->text = render.bytes;
	creation->answer->text_size = render.size;
	return render_done(&render);
}

/* The module counts by itself and has the last word. */
static int answer_refused(struct creation *creation, int error)
{
	int64_t maximum = creation->limits.contexts_per_host;

	if (error != -EDQUOT && error != -ENOSPC)
		return answer_device_failed(creation->answer, "create", error);
	return answer_quota(creation->answer, "contexts", "host", NULL, maximum,
			    creation->info.contexts);
}

/* Counted first: nothing can fail once the module has made the context. */
static int create(struct creation *creation)
{
	struct request *request = creation->request;
	struct manager *manager = request->manager;
	struct ledger_entry *entry;
	uint64_t id;
	int r;

	r = ledger_reserve(&manager->ledger, &creation->charge, creation->wanted.limits,
			   creation->wanted.name, &entry);
	if (r < 0)
		return r;
	r = device_create(&manager->device, &creation->wanted, &creation->answer->fd, &id);
	if (r < 0) {
		ledger_cancel(&manager->ledger, entry);
		return answer_refused(creation, r);
	}
	ledger_commit(&manager->ledger, entry, id);
	admit_rate_take(&creation->rates);
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
		r = check_contexts(&creation);
	if (!r)
		r = decide_limits(&creation, limits);
	if (!r)
		r = check_promises(&creation);
	if (!r)
		r = admit_rate(request, answer, &creation.charge, &creation.rates);
	if (!r)
		r = decide_name(&creation);
	if (!r)
		r = create(&creation);
	return r;
}
