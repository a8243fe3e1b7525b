// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * GetQuota: rules with what is used of them. Who may see everybody's contexts sees all, others what
 * holds for themselves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duned/admit.h"
#include "duned/identity.h"
#include "duned/json.h"
#include "duned/quota_methods.h"
#include "duned/rate.h"
#include "duned/request.h"

/* A list on its way, and what of it is wanted. */
struct listing {
	struct request *request;
	struct json_object *rules; /* NULL once memory ran out */
	bool one_scope, one_name;
	struct quota_key wanted;
	const char *name; /* as the caller wrote it */
};

static uint64_t used_of(const struct manager *manager, const struct quota_key *account,
			enum quota_resource resource, int64_t maximum)
{
	const struct rate_bucket *bucket;

	if (resource != QUOTA_RATE)
		return ledger_used(&manager->ledger, account, resource);
	bucket = rates_find(&manager->rates, account);
	if (!bucket || maximum == QUOTA_UNLIMITED)
		return 0;
	return (uint64_t)rate_missing(bucket->full_ns, admit_now_ns(), maximum);
}

/* One row; account NULL for a rule of every user or process, whose use is nobody's. */
static void add_row(struct listing *listing, const struct quota_rule *rule,
		    enum quota_resource resource, const struct quota_key *account)
{
	const struct manager *manager = listing->request->manager;
	const struct quota_value *value = &rule->values[resource];
	struct json_object *row = json_object_new_object();
	char number[16], origin[300];
	const char *name = account ? admit_account_name(rule, account, number) : NULL;
	bool ok;

	config_origin(&manager->config, value, origin, sizeof(origin));
	ok = json_put_string(row, "scope", quota_scope_name(rule->key.scope)) &&
	     (!name || json_put_string(row, "name", name)) &&
	     json_put_string(row, "resource", quota_resource_name(resource)) &&
	     (value->maximum == QUOTA_UNLIMITED ||
	      json_put_int(row, "maximum", (uint64_t)value->maximum)) &&
	     (!account ||
	      json_put_int(row, "used", used_of(manager, account, resource, value->maximum))) &&
	     json_put_string(row, "origin", origin);
	if (!json_append(listing->rules, json_finish(row, ok)))
		json_release(&listing->rules);
}

/* ---- for those who see all ---- */

static bool is_wanted(const struct listing *listing, const struct quota_key *account)
{
	if (listing->one_scope && account->scope != listing->wanted.scope)
		return false;
	return !listing->one_name ||
	       (account->id == listing->wanted.id && !strcmp(account->path, listing->wanted.path));
}

static void add_rule(struct listing *listing, const struct quota_rule *rule,
		     const struct quota_key *account)
{
	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (rule->values[i].maximum != QUOTA_UNSET)
			add_row(listing, rule, (enum quota_resource)i, account);
	}
}

/* What every user's, or process's, rule says of one that has contexts, or is asked for by name. */
static void add_base_of(struct listing *listing, const struct quota_key *account)
{
	const struct quota_rules *rules = &listing->request->manager->config.quotas;
	const struct quota_rule *own = quota_rules_find(rules, account);
	const struct quota_rule *base =
		&rules->base[account->scope == QUOTA_USER ? QUOTA_BASE_USER : QUOTA_BASE_PROCESS];

	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (base->values[i].maximum != QUOTA_UNSET &&
		    (!own || own->values[i].maximum == QUOTA_UNSET))
			add_row(listing, base, (enum quota_resource)i, account);
	}
}

static int add_account(const struct ledger_account *account, void *data)
{
	struct listing *listing = data;

	if (is_wanted(listing, &account->key) && !listing->one_name)
		add_base_of(listing, &account->key);
	return listing->rules ? 0 : -ENOMEM;
}

static void add_all(struct listing *listing)
{
	const struct manager *manager = listing->request->manager;
	const struct quota_rules *rules = &manager->config.quotas;

	for (size_t i = 0; i < QUOTA_NR_BASE; i++) {
		const struct quota_key *key = &rules->base[i].key;

		if (is_wanted(listing, key) && !listing->one_name)
			add_rule(listing, &rules->base[i], key->scope == QUOTA_HOST ? key : NULL);
	}
	for (size_t i = 0; i < rules->nr_named; i++) {
		if (is_wanted(listing, &rules->named[i].key))
			add_rule(listing, &rules->named[i], &rules->named[i].key);
	}
	if (listing->one_name && listing->wanted.scope == QUOTA_USER)
		add_base_of(listing, &listing->wanted);
	ledger_accounts_each(&manager->ledger, QUOTA_USER, add_account, listing);
	ledger_accounts_each(&manager->ledger, QUOTA_PROCESS, add_account, listing);
}

/* ---- for everybody ---- */

/* What holds for the caller, and nothing of others but the sums of what it belongs to. */
static int add_own(struct listing *listing)
{
	const struct request *request = listing->request;
	const struct quota_rules *rules = &request->manager->config.quotas;
	struct quota_holding holding[QUOTA_MAX_HOLDING];
	struct charge charge = { .uid = request->peer->uid };
	char number[16];
	int r = identity_labels(request->peer, rules, &charge.labels);

	for (unsigned int i = 0; !r && i < QUOTA_NR_RESOURCES; i++) {
		size_t count = quota_holding(rules, &charge, (enum quota_resource)i, holding);

		for (size_t h = 0; h < count; h++) {
			const struct quota_key *account = &holding[h].account;
			const char *name = admit_account_name(holding[h].rule, account, number);

			if (listing->one_scope && account->scope != listing->wanted.scope)
				continue;
			if (!listing->name || (name && !strcmp(name, listing->name)))
				add_row(listing, holding[h].rule, (enum quota_resource)i, account);
		}
	}
	return r;
}

/* ---- the method ---- */

static bool sees_all(const struct request *request)
{
	return policy_may_all(request->peer, ACCESS_OBSERVER);
}

/* 0, 1 with an error in the answer, -errno. */
static int decode(struct listing *listing, struct answer *answer)
{
	const char *scope = NULL, *bad;
	const struct param params[] = {
		{ "scope", PARAM_STRING, &scope },
		{ "name", PARAM_STRING, &listing->name },
	};

	if (params_decode(listing->request->call->parameters, params, 2, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	if (!scope && !listing->name)
		return 0;
	if (!scope || quota_scope_find(scope, &listing->wanted.scope) < 0)
		return answer_bad_quota(answer, "scope",
					"must be host, user, group, cgroup or process");
	listing->one_scope = true;
	return 0;
}

static int show(struct listing *listing, struct answer *answer)
{
	struct request *request = listing->request;
	struct json_object *parameters;
	int r = request_settle(request, answer);
	bool ok;

	if (r)
		return r;
	listing->rules = json_object_new_array();
	if (sees_all(request))
		add_all(listing);
	else
		r = add_own(listing);
	if (r == -ESRCH) {
		json_release(&listing->rules);
		return answer_error_plain(answer, VARLINK_ERROR("PermissionDenied"));
	}
	parameters = json_object_new_object();
	ok = json_put(parameters, "rules", listing->rules);
	return answer_reply(answer, json_finish(parameters, ok));
}

/* ---- names are looked up by the worker ---- */

struct lookup {
	struct job job;
	enum quota_scope scope;
	char name[QUOTA_NAME_MAX + 1]; /* cut, it is still too long */
	int r;
	struct quota_key key;
	const char *why;
};

static void lookup_work(struct job *job)
{
	struct lookup *lookup = (struct lookup *)job;
	struct quota_rules found;
	struct quota_rule *rule;

	quota_rules_init(&found);
	lookup->r = config_rule(&found, quota_scope_name(lookup->scope), lookup->name, &rule,
				&lookup->why);
	if (!lookup->r)
		lookup->key = rule->key;
	quota_rules_done(&found);
}

static int lookup_answer(struct job *job, struct request *request, struct answer *answer)
{
	struct lookup *lookup = (struct lookup *)job;
	struct listing listing = { .request = request,
				   .one_scope = true,
				   .one_name = true,
				   .wanted = lookup->key,
				   .name = lookup->name };

	if (lookup->r == -ENOMEM)
		return lookup->r;
	return lookup->r < 0 ? answer_bad_quota(answer, "name", lookup->why) :
			       show(&listing, answer);
}

static void lookup_free(struct job *job)
{
	free(job);
}

static int look_up(const struct listing *listing, struct answer *answer)
{
	static const struct job_kind kind = { lookup_work, NULL, lookup_answer, lookup_free };
	struct request *request = listing->request;
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return -ENOMEM;
	lookup->job.kind = &kind;
	lookup->scope = listing->wanted.scope;
	snprintf(lookup->name, sizeof(lookup->name), "%s", listing->name);
	lookup->job.of_onlooker = !policy_may_all(request->peer, ACCESS_ADMINISTRATOR);
	return answer_later(request, &lookup->job, answer);
}

int method_get_quota(struct request *request, struct answer *answer)
{
	struct listing listing = { .request = request };
	int r = decode(&listing, answer);

	if (r)
		return r;
	/* For those who see all only; others name themselves as they are shown. */
	return listing.name && sees_all(request) ? look_up(&listing, answer) :
						   show(&listing, answer);
}
