// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * GetQuota: rules with what is used of them. Who may see everybody's contexts sees all, a piece at a
 * time, others what holds for themselves.
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
#include "duned/text.h"
#include "proto/json_text.h"
#include "proto/varlink.h"

/* A list on its way, and what of it is wanted. */
struct showing {
	struct request *request;
	struct manager *manager;
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
static void add_row(struct showing *showing, const struct quota_rule *rule,
		    enum quota_resource resource, const struct quota_key *account)
{
	const struct manager *manager = showing->manager;
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
	if (!json_append(showing->rules, json_finish(row, ok)))
		json_release(&showing->rules);
}

/* ---- for those who see all ---- */

static bool is_wanted(const struct showing *showing, const struct quota_key *account)
{
	if (showing->one_scope && account->scope != showing->wanted.scope)
		return false;
	return !showing->one_name ||
	       (account->id == showing->wanted.id && !strcmp(account->path, showing->wanted.path));
}

static void add_rule(struct showing *showing, const struct quota_rule *rule,
		     const struct quota_key *account)
{
	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (rule->values[i].maximum != QUOTA_UNSET)
			add_row(showing, rule, (enum quota_resource)i, account);
	}
}

/* What every user's, or process's, rule says of one that has contexts. */
static void add_base_of(struct showing *showing, const struct quota_key *account)
{
	const struct quota_rules *rules = &showing->manager->config.quotas;
	const struct quota_rule *own = quota_rules_find(rules, account);
	const struct quota_rule *base =
		&rules->base[account->scope == QUOTA_USER ? QUOTA_BASE_USER : QUOTA_BASE_PROCESS];

	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (base->values[i].maximum != QUOTA_UNSET &&
		    (!own || own->values[i].maximum == QUOTA_UNSET))
			add_row(showing, base, (enum quota_resource)i, account);
	}
}

/* What holds for whom that is charged, of the scope and the name that are wanted. */
static void add_holding(struct showing *showing, const struct charge *charge)
{
	const struct quota_rules *rules = &showing->manager->config.quotas;
	struct quota_holding holding[QUOTA_MAX_HOLDING];
	char number[16];

	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		size_t count = quota_holding(rules, charge, (enum quota_resource)i, holding);

		for (size_t h = 0; h < count; h++) {
			const struct quota_key *account = &holding[h].account;
			const char *name = admit_account_name(holding[h].rule, account, number);

			if (showing->one_scope && account->scope != showing->wanted.scope)
				continue;
			if (!showing->name || (name && !strcmp(name, showing->name)))
				add_row(showing, holding[h].rule, (enum quota_resource)i, account);
		}
	}
}

/* The same for a uid that was asked for: which groups and cgroup it has nobody knows, so it has none. */
static void add_one_user(struct showing *showing)
{
	const struct dune_labels labels = { .gid = UINT32_MAX };
	const struct charge charge =
		charge_to(&showing->manager->subids, showing->wanted.id, &labels);

	add_holding(showing, &charge);
}

/* Rows that are made together: of a rule, or of what every user's or process's rule says of one. */
struct row_group {
	const struct quota_rule *rule; /* NULL: the latter */
	struct quota_key key;
	bool of_account;
};

/* A reply in the making: the rules are those of one generation of the configuration. */
struct all_rows {
	struct showing showing;
	unsigned int generation;
	struct row_group *groups;
	size_t count, room, next;
	bool any; /* rows were written */
};

static int push(struct all_rows *all, const struct quota_rule *rule, const struct quota_key *key,
		bool of_account)
{
	size_t room = all->room ? all->room * 2 : 64;
	struct row_group *groups;

	if (all->count == all->room) {
		groups = realloc(all->groups, room * sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		all->groups = groups;
		all->room = room;
	}
	all->groups[all->count++] =
		(struct row_group){ .rule = rule, .key = *key, .of_account = of_account };
	return 0;
}

static int push_account(const struct ledger_account *account, void *data)
{
	struct all_rows *all = data;

	/* Nobody is charged to it but a uid that is itself another user's, whose account is there, too. */
	if (account->key.scope == QUOTA_USER && account->owned == account->used[QUOTA_CONTEXTS] &&
	    subids_superior(&all->showing.manager->subids, account->key.id))
		return 0;
	return is_wanted(&all->showing, &account->key) ? push(all, NULL, &account->key, true) : 0;
}

static int push_all(struct all_rows *all)
{
	const struct manager *manager = all->showing.manager;
	const struct quota_rules *rules = &manager->config.quotas;
	const struct showing *showing = &all->showing;
	int r = 0;

	all->count = all->next = 0;
	if (showing->one_name && showing->wanted.scope == QUOTA_USER)
		return push(all, NULL, &showing->wanted, true);
	for (size_t i = 0; !r && i < QUOTA_NR_BASE; i++) {
		const struct quota_key *key = &rules->base[i].key;

		if (is_wanted(showing, key) && !showing->one_name)
			r = push(all, &rules->base[i], key, key->scope == QUOTA_HOST);
	}
	for (size_t i = 0; !r && i < rules->nr_named; i++) {
		if (is_wanted(showing, &rules->named[i].key))
			r = push(all, &rules->named[i], &rules->named[i].key, true);
	}
	if (!r && !showing->one_name)
		r = ledger_accounts_each(&manager->ledger, QUOTA_USER, push_account, all);
	if (!r && !showing->one_name)
		r = ledger_accounts_each(&manager->ledger, QUOTA_PROCESS, push_account, all);
	return r;
}

static int all_begin(void *body, const struct peer *peer, struct text *text)
{
	struct all_rows *all = body;
	int r;

	if (!policy_may_all(peer, ACCESS_OBSERVER))
		return -EACCES;
	r = manager_settle(all->showing.manager);
	if (r < 0)
		return r;
	ledger_recount(&all->showing.manager->ledger, &all->showing.manager->device, NULL);
	r = push_all(all);
	if (r < 0)
		return r;
	all->generation = all->showing.manager->generation;
	all->any = false;
	text->size = 0;
	return text_add_string(text, "{\"parameters\":{\"rules\":[");
}

static int write_rows(struct all_rows *all, struct json_object *rows, struct text *text)
{
	size_t size;
	char *bytes;
	int r = 0;

	for (size_t i = 0; !r && i < json_object_array_length(rows); i++) {
		r = json_text_write(json_object_array_get_idx(rows, i), VARLINK_MAX_REPLY, &bytes,
				    &size);
		if (r < 0)
			break;
		if (all->any)
			text_add_string(text, ",");
		all->any = true;
		r = text_add(text, bytes, size);
		free(bytes);
	}
	return r;
}

static int all_go_on(void *body, const struct peer *peer, struct text *text)
{
	struct all_rows *all = body;
	struct showing *showing = &all->showing;
	const struct row_group *group;
	int r;

	/* The rules that it is about are gone. */
	if (all->generation != all->showing.manager->generation) {
		r = all_begin(all, peer, text);
		return r < 0 ? r : 1;
	}
	if (all->next == all->count)
		return 0;
	group = &all->groups[all->next++];
	showing->rules = json_object_new_array();
	if (showing->one_name && showing->wanted.scope == QUOTA_USER)
		add_one_user(showing);
	else if (group->rule)
		add_rule(showing, group->rule, group->of_account ? &group->key : NULL);
	else
		add_base_of(showing, &group->key);
	r = showing->rules ? write_rows(all, showing->rules, text) : -ENOMEM;
	json_release(&showing->rules);
	return r < 0 ? r : 1;
}

static void all_free(void *body)
{
	struct all_rows *all = body;

	free(all->groups);
	free(all);
}

static int show_all(const struct showing *showing, struct answer *answer)
{
	static const struct listing_source source = { all_begin, all_go_on, NULL, all_free };
	struct all_rows *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->showing = *showing;
	/* These are gone by then, and what was named was found. */
	all->showing.request = NULL;
	all->showing.name = NULL;
	answer->listing = listing_of(&source, all, showing->request->peer);
	if (!answer->listing)
		all_free(all);
	return answer->listing ? 1 : -ENOMEM;
}

/* ---- for everybody ---- */

/* What holds for the caller, and nothing of others but the sums of what it belongs to. */
static int add_own(struct showing *showing)
{
	const struct request *request = showing->request;
	const struct manager *manager = showing->manager;
	struct dune_labels labels;
	struct charge charge;
	int r = identity_labels(request->peer, &manager->config.quotas, &labels);

	if (r < 0)
		return r;
	charge = charge_to(&manager->subids, request->peer->uid, &labels);
	add_holding(showing, &charge);
	return 0;
}

/* ---- the method ---- */

static bool sees_all(const struct request *request)
{
	return policy_may_all(request->peer, ACCESS_OBSERVER);
}

/* 0, 1 with an error in the answer, -errno. */
static int decode(struct showing *showing, struct answer *answer)
{
	const char *scope = NULL, *bad;
	const struct param params[] = {
		{ "scope", PARAM_STRING, &scope },
		{ "name", PARAM_STRING, &showing->name },
	};

	if (params_decode(showing->request->call->parameters, params, 2, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	if (!scope && !showing->name)
		return 0;
	if (!scope || quota_scope_find(scope, &showing->wanted.scope) < 0)
		return answer_bad_quota(answer, "scope",
					"must be host, user, group, cgroup or process");
	showing->one_scope = true;
	return 0;
}

static int show(struct showing *showing, struct answer *answer)
{
	struct request *request = showing->request;
	struct json_object *parameters;
	int r = request_settle(request, answer);
	bool ok;

	if (r)
		return r;
	if (sees_all(request))
		return show_all(showing, answer);
	ledger_recount(&request->manager->ledger, &request->manager->device, NULL);
	showing->rules = json_object_new_array();
	r = add_own(showing);
	if (r == -ESRCH) {
		json_release(&showing->rules);
		return answer_error_plain(answer, VARLINK_ERROR("PermissionDenied"));
	}
	parameters = json_object_new_object();
	ok = json_put(parameters, "rules", showing->rules);
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
	struct showing showing = { .request = request,
				   .manager = request->manager,
				   .one_scope = true,
				   .one_name = true,
				   .wanted = lookup->key,
				   .name = lookup->name };

	if (lookup->r == -ENOMEM)
		return lookup->r;
	return lookup->r < 0 ? answer_bad_quota(answer, "name", lookup->why) :
			       show(&showing, answer);
}

static void lookup_free(struct job *job)
{
	free(job);
}

static int look_up(const struct showing *showing, struct answer *answer)
{
	static const struct job_kind kind = { lookup_work, NULL, lookup_answer, lookup_free };
	struct request *request = showing->request;
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return -ENOMEM;
	lookup->job.kind = &kind;
	lookup->scope = showing->wanted.scope;
	snprintf(lookup->name, sizeof(lookup->name), "%s", showing->name);
	lookup->job.of_onlooker = !policy_may_all(request->peer, ACCESS_ADMINISTRATOR);
	return answer_later(request, &lookup->job, answer);
}

int method_get_quota(struct request *request, struct answer *answer)
{
	struct showing showing = { .request = request, .manager = request->manager };
	int r = decode(&showing, answer);

	if (r)
		return r;
	/* For those who see all only; others name themselves as they are shown. */
	return showing.name && sees_all(request) ? look_up(&showing, answer) :
						   show(&showing, answer);
}
