// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ledger; see ledger.h. */
#include "duned/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/context.h"
#include "duned/device.h"

#define REFRESH_CHUNK 64 /* contexts read from the module in one call */
#define PATH_DEPTH    (DUNE_CGROUP_MAX / 2) /* the root and "/x" over and over */
#define MAX_ACCOUNTS  (QUOTA_NR_SCOPES + PATH_DEPTH) /* two of users */

/* ---- hashing ---- */

static size_t id_bucket(const struct ledger *ledger, uint64_t id)
{
	return hash_word(ledger->seed, id) % LEDGER_BUCKETS;
}

static size_t name_bucket(const struct ledger *ledger, uint32_t uid, const char *name)
{
	return hash_text(hash_word(ledger->seed, uid), name) % LEDGER_BUCKETS;
}

static size_t key_bucket(const struct ledger *ledger, const struct quota_key *key)
{
	return quota_key_hash(ledger->seed, key) % LEDGER_BUCKETS;
}

/* ---- accounts ---- */

static struct ledger_account *account_find(const struct ledger *ledger, const struct quota_key *key)
{
	struct ledger_account *account;

	LIST_FOREACH(account, &ledger->accounts[key_bucket(ledger, key)], link)
	{
		if (quota_key_equal(&account->key, key))
			return account;
	}
	return NULL;
}

static struct ledger_account *account_get(struct ledger *ledger, const struct quota_key *key)
{
	struct ledger_account *account = account_find(ledger, key);

	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->key = *key;
	LIST_INSERT_HEAD(&ledger->accounts[key_bucket(ledger, key)], account, link);
	LIST_INSERT_HEAD(&ledger->of_scope[key->scope], account, of_scope);
	ledger->nr_accounts++;
	return account;
}

static void account_put(struct ledger *ledger, struct ledger_account *account)
{
	if (account->used[QUOTA_CONTEXTS])
		return;
	LIST_REMOVE(account, link);
	LIST_REMOVE(account, of_scope);
	ledger->nr_accounts--;
	free(account);
}

/* The accounts of a charge: of the cgroup, its own and one for each above it. */
static size_t charge_keys(const struct charge *charge, struct quota_key keys[MAX_ACCOUNTS])
{
	const char *path = charge->labels.cgroup;
	size_t count = 0;

	keys[count++] = (struct quota_key){ .scope = QUOTA_HOST };
	keys[count++] = (struct quota_key){ .scope = QUOTA_USER, .id = charge->uid };
	if (charge->superior)
		keys[count++] = (struct quota_key){ .scope = QUOTA_USER, .id = charge->superior };
	keys[count++] = (struct quota_key){ .scope = QUOTA_GROUP, .id = charge->labels.gid };
	if (charge->labels.creator_pid > 0)
		keys[count++] = (struct quota_key){ .scope = QUOTA_PROCESS,
						    .id = (uint32_t)charge->labels.creator_pid,
						    .start = charge->labels.creator_start };
	if (path[0] != '/')
		return count;
	keys[count++] = (struct quota_key){ .scope = QUOTA_CGROUP, .path = "/" };
	for (size_t i = 1; path[i] && count < MAX_ACCOUNTS; i++) {
		if (path[i + 1] && path[i + 1] != '/')
			continue;
		keys[count] = (struct quota_key){ .scope = QUOTA_CGROUP };
		memcpy(keys[count++].path, path, i + 1);
	}
	return count;
}

/* Sums over contexts: the limit that promises, and the counter that says what is in use. */
static const struct {
	enum quota_resource sum;
	unsigned int limit, use;
} promises[] = {
	{ QUOTA_VCPUS, DUNE_LIMIT_VCPUS, DUNE_COUNT_VCPUS_NOW },
	{ QUOTA_PRIVATE, DUNE_LIMIT_PRIVATE, DUNE_COUNT_PRIVATE_NOW },
	{ QUOTA_EPT, DUNE_LIMIT_EPT, DUNE_COUNT_EPT_NOW },
};

#define NR_PROMISES (sizeof(promises) / sizeof(promises[0]))

static void count_entry(struct ledger_entry *entry, int sign)
{
	for (size_t i = 0; i < entry->nr_accounts; i++) {
		struct ledger_account *account = entry->accounts[i];
		const uint64_t *counted = entry->counted;

		for (size_t r = 0; r < QUOTA_NR_SUMS; r++)
			account->used[r] += sign > 0 ? counted[r] : -counted[r];
		if (account->key.scope == QUOTA_USER && account->key.id == entry->charge.uid)
			account->owned += sign > 0 ? counted[QUOTA_CONTEXTS] :
						     -counted[QUOTA_CONTEXTS];
	}
}

static void set_above(struct ledger *ledger, struct ledger_entry *entry, bool above)
{
	if (entry->is_above)
		TAILQ_REMOVE(&ledger->above, entry, above);
	if (above)
		TAILQ_INSERT_TAIL(&ledger->above, entry, above);
	entry->is_above = above;
}

bool ledger_count(struct ledger *ledger, struct ledger_entry *entry, const struct dune_stats *stats)
{
	bool above = false, fell = false;

	count_entry(entry, -1);
	for (size_t i = 0; i < NR_PROMISES; i++) {
		uint64_t *counted = &entry->counted[promises[i].sum], before = *counted;
		uint64_t limit = entry->limits[promises[i].limit];

		if (stats)
			*counted = stats->counters[promises[i].use];
		if (*counted < limit)
			*counted = limit;
		above = above || *counted > limit;
		fell = fell || *counted < before;
	}
	count_entry(entry, 1);
	set_above(ledger, entry, above);
	return fell;
}

uint64_t ledger_used(const struct ledger *ledger, const struct quota_key *key,
		     enum quota_resource resource)
{
	const struct ledger_account *account = account_find(ledger, key);

	return account && resource < QUOTA_NR_SUMS ? account->used[resource] : 0;
}

uint64_t ledger_owned(const struct ledger *ledger, uint32_t uid)
{
	const struct quota_key key = { .scope = QUOTA_USER, .id = uid };
	const struct ledger_account *account = account_find(ledger, &key);

	return account ? account->owned : 0;
}

int ledger_accounts_each(const struct ledger *ledger, enum quota_scope scope,
			 int (*each)(const struct ledger_account *account, void *data), void *data)
{
	const struct ledger_account *account;

	LIST_FOREACH(account, &ledger->of_scope[scope], of_scope)
	{
		int r = each(account, data);

		if (r)
			return r;
	}
	return 0;
}

/* ---- entries ---- */

/* Takes an entry's accounts back to what they were without it. */
static void entry_free(struct ledger *ledger, struct ledger_entry *entry, bool counted)
{
	if (counted)
		count_entry(entry, -1);
	set_above(ledger, entry, false);
	for (size_t i = 0; i < entry->nr_accounts; i++)
		account_put(ledger, entry->accounts[i]);
	ledger->nr_entries -= counted;
	free(entry);
}

static struct ledger_entry *entry_new(struct ledger *ledger, const struct charge *charge)
{
	struct quota_key keys[MAX_ACCOUNTS];
	size_t count = charge_keys(charge, keys);
	struct ledger_entry *entry = calloc(1, sizeof(*entry) + count * sizeof(entry->accounts[0]));

	if (!entry)
		return NULL;
	entry->charge = *charge;
	for (; entry->nr_accounts < count; entry->nr_accounts++) {
		struct ledger_account *account = account_get(ledger, &keys[entry->nr_accounts]);

		if (!account) {
			entry_free(ledger, entry, false);
			return NULL;
		}
		entry->accounts[entry->nr_accounts] = account;
	}
	return entry;
}

int ledger_reserve(struct ledger *ledger, const struct charge *charge,
		   const uint64_t limits[DUNE_NR_LIMITS], const char *name,
		   struct ledger_entry **ret_entry)
{
	struct ledger_entry *entry;

	if (ledger->nr_entries >= LEDGER_MAX_CONTEXTS)
		return -E2BIG;
	entry = entry_new(ledger, charge);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->limits, limits, sizeof(entry->limits));
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->counted[QUOTA_CONTEXTS] = 1;
	for (size_t i = 0; i < NR_PROMISES; i++)
		entry->counted[promises[i].sum] = limits[promises[i].limit];
	count_entry(entry, 1);
	ledger->nr_entries++;
	*ret_entry = entry;
	return 0;
}

void ledger_commit(struct ledger *ledger, struct ledger_entry *entry, uint64_t id)
{
	struct ledger_entries *names =
		&ledger->by_name[name_bucket(ledger, entry->charge.uid, entry->name)];
	struct ledger_entry *newer = NULL, *next = LIST_FIRST(names);

	entry->id = id;
	LIST_INSERT_HEAD(&ledger->by_id[id_bucket(ledger, id)], entry, by_id);
	/* Nearly always the newest of all. */
	for (; next && next->id > id; next = LIST_NEXT(next, by_name))
		newer = next;
	if (newer)
		LIST_INSERT_AFTER(newer, entry, by_name);
	else
		LIST_INSERT_HEAD(names, entry, by_name);
}

void ledger_cancel(struct ledger *ledger, struct ledger_entry *entry)
{
	entry_free(ledger, entry, true);
}

int ledger_add(struct ledger *ledger, uint64_t id, const struct charge *charge,
	       const uint64_t limits[DUNE_NR_LIMITS], const char *name)
{
	struct ledger_entry *entry;
	int r;

	if (ledger_find(ledger, id))
		return -EEXIST;
	r = ledger_reserve(ledger, charge, limits, name, &entry);
	if (r < 0)
		return r;
	ledger_commit(ledger, entry, id);
	return 0;
}

struct ledger_entry *ledger_find(const struct ledger *ledger, uint64_t id)
{
	struct ledger_entry *entry;

	LIST_FOREACH(entry, &ledger->by_id[id_bucket(ledger, id)], by_id)
	{
		if (entry->id == id)
			return entry;
	}
	return NULL;
}

static void entry_remove(struct ledger *ledger, struct ledger_entry *entry)
{
	LIST_REMOVE(entry, by_id);
	LIST_REMOVE(entry, by_name);
	entry_free(ledger, entry, true);
}

void ledger_remove(struct ledger *ledger, uint64_t id)
{
	struct ledger_entry *entry = ledger_find(ledger, id);

	if (entry)
		entry_remove(ledger, entry);
}

void ledger_set_limits(struct ledger *ledger, struct ledger_entry *entry,
		       const uint64_t limits[DUNE_NR_LIMITS], const struct dune_stats *stats)
{
	memcpy(entry->limits, limits, sizeof(entry->limits));
	ledger_count(ledger, entry, stats);
}

/* The first of a bucket's rest that has this name and owner. */
static struct ledger_entry *of_name(struct ledger_entry *entry, uint32_t uid, const char *name)
{
	while (entry && (entry->charge.uid != uid || strcmp(entry->name, name) != 0))
		entry = LIST_NEXT(entry, by_name);
	return entry;
}

struct ledger_entry *ledger_by_name(const struct ledger *ledger, uint32_t uid, const char *name)
{
	return of_name(LIST_FIRST(&ledger->by_name[name_bucket(ledger, uid, name)]), uid, name);
}

struct ledger_entry *ledger_next_of_name(const struct ledger_entry *entry)
{
	return of_name(LIST_NEXT(entry, by_name), entry->charge.uid, entry->name);
}

/* ---- from the module ---- */

int ledger_entry_lives(struct ledger_entry *entry, struct device *device,
		       struct dune_stats *ret_stats)
{
	int r;

	if (entry->ended)
		return 0;
	r = context_by_id(device, entry->id, ret_stats);
	if (r < 0)
		return r;
	entry->ended = ret_stats->state == DUNE_STATE_ENDED;
	return !entry->ended;
}

bool ledger_recount(struct ledger *ledger, struct device *device, const struct ledger_entry *except)
{
	const struct ledger_entry *last = TAILQ_LAST(&ledger->above, ledger_above);
	struct ledger_entry *entry = NULL;
	struct dune_stats stats;
	bool fell = false;

	for (int i = 0; i < LEDGER_RECOUNT && entry != last; i++) {
		bool known;

		entry = TAILQ_FIRST(&ledger->above);
		known = entry != except && context_by_id(device, entry->id, &stats) == 0;
		/* To the end of the list, when it stays on it. */
		fell |= ledger_count(ledger, entry, known ? &stats : NULL);
	}
	return fell;
}

static int add_stats(struct ledger *ledger, const struct dune_stats *stats)
{
	const struct charge charge = charge_to(ledger->subids, stats->owner, &stats->labels);
	uint64_t limits[DUNE_NR_LIMITS];
	int r;

	for (size_t i = 0; i < DUNE_NR_LIMITS; i++)
		limits[i] = stats->limits[i];
	r = ledger_add(ledger, stats->id, &charge, limits, stats->name);
	if (!r)
		ledger_count(ledger, ledger_find(ledger, stats->id), stats);
	return r;
}

static void clear(struct ledger *ledger)
{
	for (size_t i = 0; i < LEDGER_BUCKETS; i++) {
		struct ledger_entry *entry;

		while ((entry = LIST_FIRST(&ledger->by_id[i])))
			entry_remove(ledger, entry);
	}
}

int ledger_refresh(struct ledger *ledger, struct device *device)
{
	struct dune_stats *chunk;
	uint64_t after_id = 0;
	int count = 0, r = 0;

	if (!ledger->stale)
		return 0;
	chunk = calloc(REFRESH_CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	clear(ledger);
	do {
		count = device_stats(device, after_id, chunk, REFRESH_CHUNK);
		r = count < 0 ? count : 0;
		for (int i = 0; !r && i < count; i++) {
			r = add_stats(ledger, &chunk[i]);
			after_id = chunk[i].id;
		}
	} while (!r && count == REFRESH_CHUNK);
	free(chunk);
	ledger->stale = r < 0;
	return r;
}

void ledger_event(struct ledger *ledger, struct device *device, const struct dune_event *event)
{
	struct dune_stats stats;
	int count;

	switch (event->type) {
	case DUNE_EVENT_CREATED:
		/* The service's own are known; root may have created one by the device. */
		if (ledger->stale || ledger_find(ledger, event->id))
			break;
		count = device_stats(device, event->id - 1, &stats, 1);
		if (count == 1 && stats.id == event->id)
			count = add_stats(ledger, &stats);
		ledger->stale = count < 0;
		break;
	case DUNE_EVENT_FREED:
		ledger_remove(ledger, event->id);
		break;
	case DUNE_EVENT_LOST:
		ledger->stale = true;
		break;
	}
}

/* ---- life ---- */

int ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){ .stale = true };
	TAILQ_INIT(&ledger->above);
	ledger->by_id = calloc(LEDGER_BUCKETS, sizeof(*ledger->by_id));
	ledger->by_name = calloc(LEDGER_BUCKETS, sizeof(*ledger->by_name));
	ledger->accounts = calloc(LEDGER_BUCKETS, sizeof(*ledger->accounts));
	if (!ledger->by_id || !ledger->by_name || !ledger->accounts) {
		ledger_done(ledger);
		return -ENOMEM;
	}
	ledger->seed = hash_seed();
	return 0;
}

void ledger_done(struct ledger *ledger)
{
	if (ledger->by_id && ledger->accounts)
		clear(ledger);
	free(ledger->by_id);
	free(ledger->by_name);
	free(ledger->accounts);
	*ledger = (struct ledger){ .stale = true };
}
