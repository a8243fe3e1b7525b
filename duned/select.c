// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Selecting contexts; see select.h. Names are looked up in the ledger, user by user: neither who has
 * many contexts nor who gives them the names of others makes it slower for them.
 */
#include "duned/select.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>

#include "duned/context.h"
#include "duned/log.h"

/*
 * Not for streams: what one began with could be taken back unseen.
 */
bool select_ask(const struct request *request, struct answer *answer, const char *action)
{
	if (!request->manager->config.polkit ||
	    request->call->flags & (VARLINK_MORE | METHODS_AGAIN))
		return false;
	answer->ask = action;
	return action != NULL;
}

/*
 * Whether there is such a context at all or not, polkit is asked about those of others: its time to
 * answer must not tell.
 */
static bool ask_for_others(const struct request *request, struct answer *answer)
{
	return select_ask(request, answer, policy_ask(request->peer, request->access));
}

/*
 * A context that the caller may not see does not exist for it; one that it may see, but not act on, is
 * refused. Either way the operator is told that it tried.
 */
static int deny(const struct request *request, struct answer *answer, uint64_t id, uint32_t owner)
{
	bool seen = policy_may(request->peer, ACCESS_OBSERVER, owner);

	log_client_message(request->peer->uid, MESSAGE_ACCESS_DENIED,
			   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", request->call->method),
				      LOG_NUMBER("DUNE_CONTEXT", id),
				      LOG_NUMBER("DUNE_OWNER", owner),
				      LOG_NUMBER("DUNE_PID", request->peer->pid)),
			   "%.64s of context %" PRIu64 " of uid %u was refused (pid %d)",
			   request->call->method, id, owner, request->peer->pid);
	return answer_error_plain(answer, seen ? VARLINK_ERROR("PermissionDenied") :
						 DUNE_ERROR("NoSuchContext"));
}

/* Nobody has it. Totals, which everybody may see, must not tell that from what deny() refuses. */
static int answer_none(const struct request *request, struct answer *answer)
{
	log_client_nothing(request->peer->uid, MESSAGE_ACCESS_DENIED);
	return answer_error_plain(answer, DUNE_ERROR("NoSuchContext"));
}

/* ---- by id ---- */

static int select_by_id(struct request *request, int64_t id, struct answer *answer,
			struct dune_stats *ret_stats)
{
	struct dune_stats stats;
	int r = id > 0 ? context_by_id(&request->manager->device, (uint64_t)id, &stats) : -ENOENT;

	if (r && r != -ENOENT)
		return answer_device_failed(answer, "stats", r);
	if (!r && policy_may(request->peer, request->access, stats.owner)) {
		*ret_stats = stats;
		return 0;
	}
	if (ask_for_others(request, answer))
		return 1;
	if (!r)
		return deny(request, answer, stats.id, stats.owner);
	return answer_none(request, answer);
}

/* ---- by name ---- */

struct search {
	struct request *request;
	struct answer *answer;
	const char *name;
	struct dune_stats living; /* the last one found */
	struct json_object *living_ids;
	uint64_t ended_id; /* of the newest; 0: none */
	uint64_t denied_id; /* of one that the caller may not act on; 0: none */
	uint32_t denied_owner;
};

/* One context of that name. */
static int search_entry(struct search *search, struct ledger_entry *entry)
{
	struct dune_stats stats;
	int r = ledger_entry_lives(entry, &search->request->manager->device, &stats);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return answer_device_failed(search->answer, "stats", r);
	if (!r) {
		if (entry->id > search->ended_id)
			search->ended_id = entry->id;
		return 0;
	}
	search->living = stats;
	return json_append(search->living_ids, json_object_new_int64((int64_t)entry->id)) ? 0 :
											    -ENOMEM;
}

/* Those of one user. */
static int search_user(const struct ledger_account *account, void *data)
{
	struct search *search = data;
	struct request *request = search->request;
	struct ledger_entry *entry =
		ledger_by_name(&request->manager->ledger, account->key.id, search->name);
	int r = 0;

	if (entry && !policy_may(request->peer, request->access, account->key.id)) {
		search->denied_id = entry->id;
		search->denied_owner = account->key.id;
		return 0;
	}
	for (; !r && entry; entry = ledger_next_of_name(entry))
		r = search_entry(search, entry);
	return r;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t one = json_object_get_int64(*(struct json_object *const *)a);
	int64_t other = json_object_get_int64(*(struct json_object *const *)b);

	return (one > other) - (one < other);
}

static int answer_ambiguous(struct search *search)
{
	struct json_object *parameters = json_object_new_object();
	bool ok;

	json_object_array_sort(search->living_ids, compare_ids);
	ok = json_put_string(parameters, "name", search->name) &&
	     json_put(parameters, "ids", json_object_get(search->living_ids));

	return answer_error(search->answer, DUNE_ERROR("AmbiguousName"),
			    json_finish(parameters, ok));
}

static int search_end(struct search *search, struct dune_stats *ret_stats)
{
	struct request *request = search->request;
	size_t living = json_object_array_length(search->living_ids);

	if (living > 1)
		return answer_ambiguous(search);
	if (living) {
		*ret_stats = search->living;
		return 0;
	}
	if (search->ended_id)
		return select_by_id(request, (int64_t)search->ended_id, search->answer, ret_stats);
	if (ask_for_others(request, search->answer))
		return 1;
	if (search->denied_id)
		return deny(request, search->answer, search->denied_id, search->denied_owner);
	return answer_none(request, search->answer);
}

static int select_by_name(struct request *request, const char *name, struct answer *answer,
			  struct dune_stats *ret_stats)
{
	struct search search = { .request = request, .answer = answer, .name = name };
	int r = request_settle(request, answer);

	if (r)
		return r;
	search.living_ids = json_object_new_array();
	if (!search.living_ids)
		return -ENOMEM;
	r = ledger_accounts_each(&request->manager->ledger, QUOTA_USER, search_user, &search);
	if (!r)
		r = search_end(&search, ret_stats);
	json_object_put(search.living_ids);
	return r;
}

/* ---- either ---- */

int select_context(struct request *request, const struct selector *selector, struct answer *answer,
		   struct dune_stats *ret_stats)
{
	int r = request_device(request, answer);

	if (r)
		return r;
	if (selector->id.set && selector->name)
		return answer_bad_parameter(answer, "name");
	if (selector->id.set)
		return select_by_id(request, selector->id.value, answer, ret_stats);
	if (selector->name)
		return select_by_name(request, selector->name, answer, ret_stats);
	return answer_bad_parameter(answer, "id");
}

int select_from_call(struct request *request, struct answer *answer, struct dune_stats *ret_stats)
{
	struct selector selector = { 0 };
	const struct param params[] = {
		{ "id", PARAM_INT, &selector.id },
		{ "name", PARAM_STRING, &selector.name },
	};
	const char *bad;

	if (params_decode(request->call->parameters, params, 2, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	return select_context(request, &selector, answer, ret_stats);
}
