/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom a context is charged to, and the accounts that this means: what quota and ledger both
 * speak of. Types, and what it takes to keep them in hash tables.
 */
#ifndef DUNED_CHARGE_H
#define DUNED_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/dune_abi.h"

/* What is counted. The first QUOTA_NR_SUMS are sums over contexts, the rest is a rate. */
enum quota_resource {
	QUOTA_CONTEXTS,
	QUOTA_VCPUS,
	QUOTA_PRIVATE, /* pages */
	QUOTA_EPT, /* pages */
	QUOTA_NR_SUMS,
	QUOTA_RATE = QUOTA_NR_SUMS, /* creations a minute */
	QUOTA_NR_RESOURCES,
};

/* Whose use is summed up. */
enum quota_scope {
	QUOTA_HOST, /* everybody's */
	QUOTA_USER, /* a uid's, and of those subordinate to it */
	QUOTA_GROUP, /* of those charged to a gid */
	QUOTA_CGROUP, /* of a cgroup and those below it */
	QUOTA_PROCESS, /* of a process that creates contexts */
	QUOTA_NR_SCOPES,
};

/*
 * Whom a context is charged to, fixed when it is created but for the superior. Labels that are not
 * known are 0 or empty: then the context is in no process's, or in no cgroup's, account.
 */
struct charge {
	uint32_t uid;
	uint32_t superior; /* whose subordinate the uid is, who has it in his account as well; 0: nobody's */
	struct dune_labels labels;
};

struct subids;

/* What a uid is charged with, and by the table (subids.h; may be NULL) whoever it is subordinate to. */
struct charge charge_to(const struct subids *subids, uint32_t uid,
			const struct dune_labels *labels);

/* One account. What a scope does not use is 0 or empty. */
struct quota_key {
	enum quota_scope scope;
	uint32_t id; /* uid, gid or pid */
	uint64_t start; /* of the process */
	char path[DUNE_CGROUP_MAX]; /* of the cgroup */
};

bool quota_key_equal(const struct quota_key *one, const struct quota_key *other);

/*
 * Hashes; a seed of the caller's keeps clients, who choose names and paths, from aiming at a
 * bucket.
 */
uint64_t hash_word(uint64_t hash, uint64_t word);
uint64_t hash_text(uint64_t hash, const char *text);
uint64_t quota_key_hash(uint64_t seed, const struct quota_key *key);
uint64_t hash_seed(void);

#endif
