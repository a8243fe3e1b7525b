// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SetLimits; see set_limits.h. What grows is charged to whom the context is charged to, whoever
 * asks; what shrinks, or stays, is never refused. A limit below what is used gives nothing free: what
 * is used stays counted.
 */
#include "duned/set_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "duned/admit.h"
#include "duned/context.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/select.h"
#include "proto/names.h"

/* The limits that can be changed; that of contexts is about creations only. */
#define NR_CHANGEABLE DUNE_LIMIT_CONTEXTS

/* What is not asked for stays. 0, 1 with an error in the answer, -errno. */
static int decide(struct request *request, struct answer *answer, struct json_object *wanted,
		  uint64_t limits[DUNE_NR_LIMITS])
{
	struct param_int asked[NR_CHANGEABLE] = { 0 };
	struct param params[NR_CHANGEABLE];
	struct manager_limits in_force;
	struct dune_info info;
	const char *bad;
	int r = device_info(&request->manager->device, &info);

	if (r < 0)
		return answer_device_failed(answer, "info", r);
	manager_limits(request->manager, &info, &in_force);
	for (unsigned int i = 0; i < NR_CHANGEABLE; i++)
		params[i] = (struct param){ dune_limit_name(i), PARAM_INT, &asked[i] };
	if (!wanted || params_decode(wanted, params, NR_CHANGEABLE, &bad) < 0)
		return answer_bad_parameter(answer, "limits");
	for (unsigned int i = 0; i < NR_CHANGEABLE; i++) {
		const int64_t maximum[NR_CHANGEABLE] = {
			[DUNE_LIMIT_VCPUS] = in_force.maximum.vcpus,
			[DUNE_LIMIT_PRIVATE] = in_force.maximum.private_pages,
			[DUNE_LIMIT_EPT] = in_force.maximum.ept_pages,
		};

		if (!asked[i].set || (asked[i].value >= 1 && (uint64_t)asked[i].value == limits[i]))
			continue;
		if (asked[i].value < admit_least(i) || asked[i].value > maximum[i])
			return answer_limit(answer, i, maximum[i]);
		limits[i] = (uint64_t)asked[i].value;
	}
	return 0;
}

/* Over what is counted for it already, which can be more than its limit. */
static uint64_t growth_of(const struct ledger_entry *entry, enum quota_resource sum, uint64_t limit)
{
	return limit > entry->counted[sum] ? limit - entry->counted[sum] : 0;
}

/* Asks the quotas, then the module, then writes down what that holds; *stats is of after that. */
static int change(struct request *request, struct answer *answer, struct ledger_entry *entry,
		  const uint64_t limits[DUNE_NR_LIMITS], struct dune_stats *stats)
{
	struct manager *manager = request->manager;
	uint64_t growth[QUOTA_NR_SUMS] = {
		[QUOTA_CONTEXTS] = 0,
	};
	int r;

	/* What it has given back since the last time needs no room any more. */
	ledger_count(&manager->ledger, entry, stats);
	growth[QUOTA_VCPUS] = growth_of(entry, QUOTA_VCPUS, limits[DUNE_LIMIT_VCPUS]);
	growth[QUOTA_PRIVATE] = growth_of(entry, QUOTA_PRIVATE, limits[DUNE_LIMIT_PRIVATE]);
	growth[QUOTA_EPT] = growth_of(entry, QUOTA_EPT, limits[DUNE_LIMIT_EPT]);
	r = admit_growth(request, answer, &entry->charge, entry, growth);
	if (r)
		return r;
	r = device_set_limits(&manager->device, entry->id, limits);
	if (!r) {
		/* Only now use can't grow past the limits any more. */
		r = context_by_id(&manager->device, entry->id, stats);
		ledger_set_limits(&manager->ledger, entry, limits, r < 0 ? NULL : stats);
	}
	if (r == -ENOENT)
		return answer_error_plain(answer, DUNE_ERROR("NoSuchContext"));
	return r < 0 ? answer_device_failed(answer, "set_limits", r) : 0;
}

static void log_change(const struct request *request, const struct dune_stats *stats)
{
	log_caused_message(request_cause(request), LOG_INFO, MESSAGE_LIMITS_CHANGED,
			   LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", stats->id),
				      LOG_TEXT("DUNE_NAME", stats->name),
				      LOG_NUMBER("DUNE_OWNER", stats->owner),
				      LOG_NUMBER("DUNE_UID", request->peer->uid)),
			   "limits of context %" PRIu64
			   " (%s) of uid %u changed by uid %u: %" PRIu64 " vcpus, %" PRIu64
			   " private and %" PRIu64 " EPT pages",
			   (uint64_t)stats->id, stats->name, stats->owner, request->peer->uid,
			   (uint64_t)stats->limits[DUNE_LIMIT_VCPUS],
			   (uint64_t)stats->limits[DUNE_LIMIT_PRIVATE],
			   (uint64_t)stats->limits[DUNE_LIMIT_EPT]);
}

static int set_limits(struct request *request, struct answer *answer,
		      const struct selector *selector, struct json_object *wanted,
		      struct dune_stats *stats)
{
	uint64_t limits[DUNE_NR_LIMITS];
	struct ledger_entry *entry;
	bool changed;
	int r = select_context(request, selector, answer, stats);

	if (!r)
		r = request_settle(request, answer);
	if (r)
		return r;
	entry = ledger_find(&request->manager->ledger, stats->id);
	if (!entry)
		return answer_error_plain(answer, DUNE_ERROR("NoSuchContext"));
	for (unsigned int i = 0; i < DUNE_NR_LIMITS; i++)
		limits[i] = entry->limits[i];
	r = decide(request, answer, wanted, limits);
	if (r)
		return r;
	changed = memcmp(limits, entry->limits, sizeof(limits)) != 0;
	r = change(request, answer, entry, limits, stats);
	if (!r && changed)
		log_change(request, stats);
	return r;
}

int method_set_limits(struct request *request, struct answer *answer)
{
	struct selector selector = { 0 };
	struct json_object *wanted = NULL, *parameters;
	const struct param params[] = {
		{ "id", PARAM_INT, &selector.id },
		{ "name", PARAM_STRING, &selector.name },
		{ "limits", PARAM_OBJECT, &wanted },
	};
	struct dune_stats stats;
	const char *bad;
	bool ok;
	int r;

	if (params_decode(request->call->parameters, params, 3, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	r = set_limits(request, answer, &selector, wanted, &stats);
	if (r)
		return r;
	parameters = json_object_new_object();
	ok = json_put(parameters, "context", context_json(&stats));
	return answer_reply(answer, json_finish(parameters, ok));
}
