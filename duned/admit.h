/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the quota's decision to the answer that a client gets, for whatever makes use grow:
 * creating a context, raising its limits.
 */
#ifndef DUNED_ADMIT_H
#define DUNED_ADMIT_H

#include <stdint.h>

#include "duned/charge.h"
#include "duned/manager.h"
#include "duned/request.h"

#define ADMIT_MAX_RATES 3 /* rules of a rate that hold at once */

/* Buckets that a creation takes a token from, once it has succeeded. */
struct admit_rates {
	struct {
		struct rate_bucket *bucket;
		int64_t per_minute;
	} taken[ADMIT_MAX_RATES];
	size_t count;
	int64_t now_ns;
};

/* All that return int: 0, 1 with an error in the answer, or -errno. */

/*
 * May the use of each resource grow so? The ledger must be current. `entry` is what grows, which
 * counts after this as before; NULL: a context that is not there yet.
 */
int admit_growth(struct request *request, struct answer *answer, const struct charge *charge,
		 const struct ledger_entry *entry, const uint64_t growth[QUOTA_NR_SUMS]);

/* May another context be created now? */
int admit_rate(struct request *request, struct answer *answer, const struct charge *charge,
	       struct admit_rates *ret_rates);
void admit_rate_take(const struct admit_rates *rates);

/* QuotaExceeded, about an account; scope NULL for a limit of the call itself. */
int answer_quota(struct answer *answer, const char *limit, const char *scope, const char *name,
		 int64_t maximum, uint64_t used);

/* InvalidQuota, InvalidConfiguration and QuotaNotSaved. */
int answer_bad_quota(struct answer *answer, const char *field, const char *reason);
int answer_bad_config(struct answer *answer, const struct config_error *error);
int answer_not_saved(struct answer *answer, const char *file, int error);

/* The clock of rates. */
int64_t admit_now_ns(void);

/* An account by the name that people gave it, else by its number; NULL for the host. */
const char *admit_account_name(const struct quota_rule *rule, const struct quota_key *account,
			       char number[16]);

/* The least that a context may be given of a limit. */
int64_t admit_least(unsigned int limit);

/* InvalidLimit, of DUNE_LIMIT_*. */
int answer_limit(struct answer *answer, unsigned int limit, int64_t maximum);

#endif
