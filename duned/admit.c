// SPDX-License-Identifier: LGPL-2.1-or-later
/* Admission by quotas; see admit.h. */
#include "duned/admit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "duned/json.h"
#include "duned/log.h"
#include "duned/quota.h"
#include "duned/rate.h"
#include "proto/names.h"

int answer_quota(struct answer *answer, const char *limit, const char *scope, const char *name,
		 int64_t maximum, uint64_t used)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", limit) &&
		  json_put_int(parameters, "maximum", (uint64_t)maximum) &&
		  json_put_int(parameters, "used", used) &&
		  (!scope || json_put_string(parameters, "scope", scope)) &&
		  (!name || json_put_string(parameters, "name", name));

	return answer_error(answer, DUNE_ERROR("QuotaExceeded"), json_finish(parameters, ok));
}

int64_t admit_least(unsigned int limit)
{
	return limit == DUNE_LIMIT_EPT ? DUNE_EPT_PAGES_MIN : 1;
}

int answer_limit(struct answer *answer, unsigned int limit, int64_t maximum)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", dune_limit_name(limit)) &&
		  json_put_int(parameters, "minimum", (uint64_t)admit_least(limit)) &&
		  json_put_int(parameters, "maximum", (uint64_t)maximum);

	return answer_error(answer, DUNE_ERROR("InvalidLimit"), json_finish(parameters, ok));
}

int answer_bad_quota(struct answer *answer, const char *field, const char *reason)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "field", field) &&
		  json_put_string(parameters, "reason", reason);

	return answer_error(answer, DUNE_ERROR("InvalidQuota"), json_finish(parameters, ok));
}

int answer_bad_config(struct answer *answer, const struct config_error *error)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_ascii(parameters, "file", error->file) &&
		  json_put_int(parameters, "line", error->line) &&
		  json_put_int(parameters, "column", error->column) &&
		  json_put_string(parameters, "reason", error->reason);

	if (error->column)
		ok = ok && json_put_string(parameters, "text", error->text) &&
		     json_put_int(parameters, "caret", error->caret) &&
		     json_put_int(parameters, "caret_length", error->caret_length);
	return answer_error(answer, DUNE_ERROR("InvalidConfiguration"),
			    json_finish(parameters, ok));
}

int answer_not_saved(struct answer *answer, const char *file, int error)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_ascii(parameters, "file", file) &&
		  json_put_string(parameters, "errno_name", dune_errno_name(error));

	return answer_error(answer, DUNE_ERROR("QuotaNotSaved"), json_finish(parameters, ok));
}

/* ---- sums ---- */

static uint64_t used_in_ledger(const void *data, const struct quota_key *account,
			       enum quota_resource resource)
{
	return ledger_used(data, account, resource);
}

const char *admit_account_name(const struct quota_rule *rule, const struct quota_key *account,
			       char number[16])
{
	if (account->scope == QUOTA_HOST)
		return NULL;
	if (account->scope == QUOTA_CGROUP)
		return account->path;
	if (rule->name[0])
		return rule->name;
	snprintf(number, 16, "%" PRIu32, account->id);
	return number;
}

static int decide(const struct manager *manager, const struct charge *charge,
		  const uint64_t growth[QUOTA_NR_SUMS], struct quota_verdict *ret_verdict)
{
	return quota_decide(&manager->config.quotas, charge, growth, used_in_ledger,
			    &manager->ledger, ret_verdict);
}

int admit_growth(struct request *request, struct answer *answer, const struct charge *charge,
		 const struct ledger_entry *entry, const uint64_t growth[QUOTA_NR_SUMS])
{
	struct manager *manager = request->manager;
	struct quota_verdict verdict;
	const char *name, *scope;
	char number[16];

	if (decide(manager, charge, growth, &verdict) == 0)
		return 0;
	/* Nobody is refused for what has been given back. */
	if (ledger_recount(&manager->ledger, &manager->device, entry) &&
	    decide(manager, charge, growth, &verdict) == 0)
		return 0;
	name = admit_account_name(verdict.rule, &verdict.account, number);
	scope = quota_scope_name(verdict.account.scope);
	log_client_message(request->peer->uid, MESSAGE_QUOTA_REFUSED,
			   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", request->call->method),
				      LOG_TEXT("DUNE_LIMIT", quota_resource_name(verdict.resource)),
				      LOG_NUMBER("DUNE_MAXIMUM", verdict.maximum),
				      LOG_NUMBER("DUNE_USED", verdict.used)),
			   "refused by the quota of %s %s: %" PRIu64 " of %" PRId64 " %s used",
			   scope, name ? name : "", verdict.used, verdict.maximum,
			   quota_resource_name(verdict.resource));
	return answer_quota(answer, quota_resource_name(verdict.resource), scope, name,
			    verdict.maximum, verdict.used);
}

/* ---- rates ---- */

int64_t admit_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int answer_rate(struct request *request, struct answer *answer,
		       const struct quota_holding *holding, int64_t wait_ns)
{
	struct json_object *parameters = json_object_new_object();
	const char *scope = quota_scope_name(holding->account.scope);
	char number[16];
	const char *name = admit_account_name(holding->rule, &holding->account, number);
	bool ok = json_put_string(parameters, "scope", scope) &&
		  (!name || json_put_string(parameters, "name", name)) &&
		  json_put_int(parameters, "maximum", (uint64_t)holding->maximum) &&
		  json_put_int(parameters, "retry_usec", (uint64_t)(wait_ns + 999) / 1000);

	log_client_message(request->peer->uid, MESSAGE_QUOTA_REFUSED,
			   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", request->call->method),
				      LOG_TEXT("DUNE_LIMIT", quota_resource_name(QUOTA_RATE)),
				      LOG_NUMBER("DUNE_MAXIMUM", holding->maximum)),
			   "refused: %s %s creates more than %" PRId64 " contexts a minute", scope,
			   name ? name : "", holding->maximum);
	return answer_error(answer, DUNE_ERROR("RateExceeded"), json_finish(parameters, ok));
}

int admit_rate(struct request *request, struct answer *answer, const struct charge *charge,
	       struct admit_rates *ret_rates)
{
	struct quota_holding holding[QUOTA_MAX_HOLDING];
	struct rates *rates = &request->manager->rates;
	size_t count = quota_holding(&request->manager->config.quotas, charge, QUOTA_RATE, holding);
	struct admit_rates taken = { .now_ns = admit_now_ns() };

	rates_make_room(rates, count, taken.now_ns);
	for (size_t i = 0; i < count; i++) {
		struct rate_bucket *bucket;
		int64_t wait_ns;
		int r;

		if (holding[i].maximum == QUOTA_UNLIMITED)
			continue;
		r = rates_get(rates, &holding[i].account, &bucket);
		if (r < 0)
			return r;
		wait_ns = rate_wait(bucket->full_ns, taken.now_ns, holding[i].maximum);
		if (wait_ns)
			return answer_rate(request, answer, &holding[i], wait_ns);
		taken.taken[taken.count].bucket = bucket;
		taken.taken[taken.count++].per_minute = holding[i].maximum;
	}
	*ret_rates = taken;
	return 0;
}

void admit_rate_take(const struct admit_rates *rates)
{
	for (size_t i = 0; i < rates->count; i++) {
		struct rate_bucket *bucket = rates->taken[i].bucket;

		bucket->full_ns =
			rate_take(bucket->full_ns, rates->now_ns, rates->taken[i].per_minute);
	}
}
