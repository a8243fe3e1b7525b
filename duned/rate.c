// SPDX-License-Identifier: LGPL-2.1-or-later
/* Token buckets; see rate.h. */
#include "duned/rate.h"

#include <errno.h>
#include <stdlib.h>

/* Between two tokens. */
static int64_t step_ns(int64_t per_minute)
{
	return RATE_PERIOD_NS / per_minute;
}

int64_t rate_wait(int64_t full_ns, int64_t now_ns, int64_t per_minute)
{
	int64_t with_token_ns = full_ns - (per_minute - 1) * step_ns(per_minute);

	return with_token_ns > now_ns ? with_token_ns - now_ns : 0;
}

int64_t rate_take(int64_t full_ns, int64_t now_ns, int64_t per_minute)
{
	return (full_ns > now_ns ? full_ns : now_ns) + step_ns(per_minute);
}

int64_t rate_missing(int64_t full_ns, int64_t now_ns, int64_t per_minute)
{
	int64_t missing;

	if (full_ns <= now_ns)
		return 0;
	missing = (full_ns - now_ns + step_ns(per_minute) - 1) / step_ns(per_minute);
	return missing < per_minute ? missing : per_minute;
}

/* ---- buckets ---- */

static struct rate_chain *chain_of(const struct rates *rates, const struct quota_key *account)
{
	return &rates->chains[quota_key_hash(rates->seed, account) % RATE_CHAINS];
}

static struct rate_bucket *chain_find(const struct rate_chain *chain,
				      const struct quota_key *account)
{
	struct rate_bucket *bucket;

	LIST_FOREACH(bucket, chain, link)
	{
		if (quota_key_equal(&bucket->key, account))
			return bucket;
	}
	return NULL;
}

/* A bucket that is full is as good as none. */
static void chain_sweep(struct rates *rates, struct rate_chain *chain, int64_t now_ns)
{
	struct rate_bucket *bucket, *next;

	for (bucket = LIST_FIRST(chain); bucket; bucket = next) {
		next = LIST_NEXT(bucket, link);
		if (bucket->full_ns > now_ns)
			continue;
		LIST_REMOVE(bucket, link);
		free(bucket);
		rates->count--;
	}
}

const struct rate_bucket *rates_find(const struct rates *rates, const struct quota_key *account)
{
	return chain_find(chain_of(rates, account), account);
}

/* When some of them, of those that are full soonest, will be full. */
static int64_t soonest(const struct rates *rates)
{
	int64_t first_ns = INT64_MAX, last_ns = 0;
	const struct rate_bucket *bucket;

	for (size_t i = 0; i < RATE_CHAINS; i++) {
		LIST_FOREACH(bucket, &rates->chains[i], link)
		{
			if (bucket->full_ns < first_ns)
				first_ns = bucket->full_ns;
			if (bucket->full_ns > last_ns)
				last_ns = bucket->full_ns;
		}
	}
	return rates->count ? first_ns + (last_ns - first_ns) / RATE_FORGOTTEN : 0;
}

void rates_make_room(struct rates *rates, size_t count, int64_t now_ns)
{
	int64_t full_ns = now_ns;

	while (rates->count + count > RATE_BUCKETS) {
		for (size_t i = 0; i < RATE_CHAINS; i++)
			chain_sweep(rates, &rates->chains[i], full_ns);
		full_ns = soonest(rates);
	}
}

int rates_get(struct rates *rates, const struct quota_key *account, struct rate_bucket **ret_bucket)
{
	struct rate_chain *chain = chain_of(rates, account);
	struct rate_bucket *bucket = chain_find(chain, account);

	if (bucket) {
		*ret_bucket = bucket;
		return 0;
	}
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	bucket->key = *account;
	LIST_INSERT_HEAD(chain, bucket, link);
	rates->count++;
	*ret_bucket = bucket;
	return 0;
}

int rates_init(struct rates *rates)
{
	*rates = (struct rates){ .seed = hash_seed() };
	rates->chains = calloc(RATE_CHAINS, sizeof(*rates->chains));
	return rates->chains ? 0 : -ENOMEM;
}

void rates_done(struct rates *rates)
{
	for (size_t i = 0; rates->chains && i < RATE_CHAINS; i++)
		chain_sweep(rates, &rates->chains[i], INT64_MAX);
	free(rates->chains);
	*rates = (struct rates){ 0 };
}
