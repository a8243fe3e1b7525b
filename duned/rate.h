/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Token buckets for creations, one for each account that created within the last minute. A bucket
 * holds a minute's tokens and fills evenly. Owns the buckets; is told the time.
 */
#ifndef DUNED_RATE_H
#define DUNED_RATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "duned/charge.h"

#define RATE_PERIOD_NS 60000000000ll /* what a rate is per */
#define RATE_MAX       1000000 /* the highest rate */
#define RATE_CHAINS    4096 /* of the hash table; a power of two */
#define RATE_BUCKETS   16384 /* accounts that are told apart */
#define RATE_FORGOTTEN 16 /* a part of the time until all are full; see rates_make_room() */

struct rate_bucket {
	LIST_ENTRY(rate_bucket) link;
	struct quota_key key;
	int64_t full_ns;
};
LIST_HEAD(rate_chain, rate_bucket);

struct rates {
	struct rate_chain *chains;
	size_t count;
	uint64_t seed;
};

/*
 * Pure: a bucket is the time at which it will be full again. How long until it has a token, in
 * ns; 0: now. per_minute is 1 to RATE_MAX.
 */
int64_t rate_wait(int64_t full_ns, int64_t now_ns, int64_t per_minute);

/* When it will be full again once a token is taken. */
int64_t rate_take(int64_t full_ns, int64_t now_ns, int64_t per_minute);

/* Tokens that are missing, 0 to per_minute. */
int64_t rate_missing(int64_t full_ns, int64_t now_ns, int64_t per_minute);

int rates_init(struct rates *rates);
void rates_done(struct rates *rates);

/* The account's bucket; NULL: full. */
const struct rate_bucket *rates_find(const struct rates *rates, const struct quota_key *account);

/*
 * When there is no room for so many more, forgets the full ones, and if they don't do, those that are full
 * soonest, which gives their accounts a token or so: who creates under ever new accounts keeps nobody else
 * from creating. Buckets from before may be gone.
 */
void rates_make_room(struct rates *rates, size_t count, int64_t now_ns);

/* The account's bucket, made if need be, for which room was made. -ENOMEM. */
int rates_get(struct rates *rates, const struct quota_key *account,
	      struct rate_bucket **ret_bucket);

#endif
