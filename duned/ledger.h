/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger: what each account has been promised by the contexts that the module holds. Filled
 * from the module's list, kept by the service's own creates and by the module's events; when an
 * event may be missing it is stale and filled again before the next decision. The module stays
 * the authority: nothing may be answered from a stale ledger, and nothing but quotas and names is
 * decided from it.
 */
#ifndef DUNED_LEDGER_H
#define DUNED_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "duned/charge.h"
#include "proto/dune_abi.h"

#define LEDGER_MAX_CONTEXTS 65536 /* more than the module can hold */
#define LEDGER_BUCKETS	    16384 /* of each hash table; a power of two */
#define LEDGER_RECOUNT	    64 /* contexts looked at again at one time */

struct device;
struct subids;

/* One account that is in use; it goes away with its last context. */
struct ledger_account {
	LIST_ENTRY(ledger_account) link, of_scope;
	struct quota_key key;
	uint64_t used[QUOTA_NR_SUMS];
	uint64_t owned; /* of a user's contexts, those that are not of uids subordinate to it */
};
LIST_HEAD(ledger_accounts, ledger_account);

/*
 * One context. The module lets its limits be lowered below what it uses, and it keeps that: so it
 * counts as the limit or what it uses, whichever is more.
 */
struct ledger_entry {
	LIST_ENTRY(ledger_entry) by_id;
	LIST_ENTRY(ledger_entry) by_name; /* the newest first */
	TAILQ_ENTRY(ledger_entry) above; /* more is counted than its limits */
	bool is_above;
	bool ended; /* the module was seen to say so */
	uint64_t id; /* 0 while it is only reserved */
	struct charge charge;
	uint64_t limits[DUNE_NR_LIMITS]; /* as the module has them */
	uint64_t counted[QUOTA_NR_SUMS]; /* in each of its accounts */
	char name[DUNE_NAME_MAX];
	size_t nr_accounts;
	struct ledger_account *accounts[];
};
LIST_HEAD(ledger_entries, ledger_entry);
TAILQ_HEAD(ledger_above, ledger_entry);

struct ledger {
	struct ledger_entries *by_id, *by_name;
	struct ledger_accounts *accounts, of_scope[QUOTA_NR_SCOPES];
	struct ledger_above above;
	size_t nr_entries, nr_accounts;
	const struct subids *subids; /* whom to charge for what the module lists; may be NULL */
	uint64_t seed; /* of the hashes: names and paths are the clients' */
	bool stale;
};

/* A new ledger is stale. -ENOMEM. */
int ledger_init(struct ledger *ledger);
void ledger_done(struct ledger *ledger);

/* What an account has been promised; `key` of the host: all. */
uint64_t ledger_used(const struct ledger *ledger, const struct quota_key *key,
		     enum quota_resource resource);

/* Contexts that a uid itself owns. */
uint64_t ledger_owned(const struct ledger *ledger, uint32_t uid);

/*
 * A creation: counted at once, so that nothing can fail after the module has created the context;
 * then committed with its id, or cancelled. -ENOMEM, -E2BIG.
 */
int ledger_reserve(struct ledger *ledger, const struct charge *charge,
		   const uint64_t limits[DUNE_NR_LIMITS], const char *name,
		   struct ledger_entry **ret_entry);
void ledger_commit(struct ledger *ledger, struct ledger_entry *entry, uint64_t id);
void ledger_cancel(struct ledger *ledger, struct ledger_entry *entry);

/* The same in one, for a context that is there already. -EEXIST when it is known. */
int ledger_add(struct ledger *ledger, uint64_t id, const struct charge *charge,
	       const uint64_t limits[DUNE_NR_LIMITS], const char *name);

struct ledger_entry *ledger_find(const struct ledger *ledger, uint64_t id);
void ledger_remove(struct ledger *ledger, uint64_t id);

/*
 * Other limits, which the module has already, counted by what it said of the context after that: use
 * can't have grown past them since.
 */
void ledger_set_limits(struct ledger *ledger, struct ledger_entry *entry,
		       const uint64_t limits[DUNE_NR_LIMITS], const struct dune_stats *stats);

/*
 * Counts its limits, or what it uses when that is more. `stats` NULL: nobody knows what it uses; then
 * no less is counted than before. Did any sum fall?
 */
bool ledger_count(struct ledger *ledger, struct ledger_entry *entry,
		  const struct dune_stats *stats);

/*
 * Asks the module what contexts that count above their limits use by now, LEDGER_RECOUNT of them at
 * most, others each time, but not for `except`, which may be NULL. Did any sum fall?
 */
bool ledger_recount(struct ledger *ledger, struct device *device,
		    const struct ledger_entry *except);

/* The newest context of that name and owner, and the one before another; NULL: none. */
struct ledger_entry *ledger_by_name(const struct ledger *ledger, uint32_t uid, const char *name);
struct ledger_entry *ledger_next_of_name(const struct ledger_entry *entry);

/*
 * Does an entry's context live? The module knows; that one has ended is remembered. 1 with what the
 * module says of it, 0 when it has ended, -ENOENT when it is gone, -errno.
 */
int ledger_entry_lives(struct ledger_entry *entry, struct device *device,
		       struct dune_stats *ret_stats);

/* Fills a stale ledger from the module's list; -errno leaves it stale. */
int ledger_refresh(struct ledger *ledger, struct device *device);

/* One event of the module, in the order in which they were read. */
void ledger_event(struct ledger *ledger, struct device *device, const struct dune_event *event);

/* Calls back for every account of a scope, in no order, until that returns other than 0. */
int ledger_accounts_each(const struct ledger *ledger, enum quota_scope scope,
			 int (*each)(const struct ledger_account *account, void *data), void *data);

#endif
