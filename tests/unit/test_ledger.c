// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ledger against the device made of paper: after any sequence of creations by the service and by
 * others, ends, changed limits and lost events, its sums are those of the module's list.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duned/context.h"
#include "duned/device.h"
#include "duned/ledger.h"
#include "duned/subids.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define MAX_HELD       300
#define STEPS	       5000
#define MAX_EVENTS     64

static struct device device;
static struct ledger ledger;
static struct {
	int fd;
	uint64_t id;
} held[MAX_HELD];
static int nr_held;
static unsigned int seed;

/* Of the uids, 1000 to 1003, some are others', of whom one has contexts himself. */
static struct subids_range ranges[] = { { 1002, 1002, 999 }, { 1003, 1003, 1001 } };
static struct subids subids;

static void init(void)
{
	ck_assert_int_eq(ledger_init(&ledger), 0);
	ledger.subids = &subids;
}

static void setup(void)
{
	const char *given = getenv("LEDGER_SEED");

	seed = given ? (unsigned int)atoi(given) : (unsigned int)getpid();
	srand(seed);
	device_init(&device, "fake");
	ck_assert_int_eq(device_ready(&device), 0);
	subids = (struct subids){ .ranges = ranges, .nr = NR_ROWS(ranges) };
	init();
	ck_assert_int_eq(ledger_refresh(&ledger, &device), 0);
}

static void teardown(void)
{
	ledger_done(&ledger);
	device_done(&device);
}

static int pick(int count)
{
	return rand() % count;
}

static struct charge random_charge(void)
{
	static const char *const cgroups[] = {
		"",
		"/",
		"/a",
		"/a/b",
		"/a/bc",
		"/a/b/c",
		"/ab",
		"/user.slice/user-1000.slice/session-1.scope",
		"/user.slice",
	};
	struct charge charge = {
		.uid = (uint32_t)(1000 + pick(4)),
		.labels.gid = (uint32_t)(100 + pick(3)),
		.labels.creator_pid = pick(5),
		.labels.creator_start = (uint64_t)pick(3),
	};

	charge.superior = subids_superior(&subids, charge.uid);
	strcpy(charge.labels.cgroup, cgroups[pick(NR_ROWS(cgroups))]);
	/* Without the creator there is no start either. */
	if (!charge.labels.creator_pid)
		charge.labels.creator_start = 0;
	return charge;
}

static void random_limits(uint64_t limits[DUNE_NR_LIMITS])
{
	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		limits[i] = (uint64_t)(i == DUNE_LIMIT_EPT ? DUNE_EPT_PAGES_MIN : 1) +
			    (uint64_t)pick(1000);
}

static void hold(int fd, uint64_t id)
{
	held[nr_held].fd = fd;
	held[nr_held++].id = id;
}

static void create(const struct charge *charge, const uint64_t *limits, const char *name, int *fd,
		   uint64_t *id)
{
	struct device_creation creation = { .owner = charge->uid, .labels = charge->labels };

	memcpy(creation.limits, limits, sizeof(creation.limits));
	strcpy(creation.name, name);
	ck_assert_int_eq(device_create(&device, &creation, fd, id), 0);
}

/* Counted before the module is asked, as the service does it. */
static struct ledger_entry *reserve(struct charge *charge, uint64_t limits[DUNE_NR_LIMITS])
{
	struct ledger_entry *entry;
	char name[16];

	*charge = random_charge();
	random_limits(limits);
	snprintf(name, sizeof(name), "n%d", pick(20));
	ck_assert_int_eq(ledger_reserve(&ledger, charge, limits, name, &entry), 0);
	return entry;
}

static void create_own(void)
{
	uint64_t limits[DUNE_NR_LIMITS], id;
	struct ledger_entry *entry;
	struct charge charge;
	int fd;

	if (nr_held == MAX_HELD)
		return;
	entry = reserve(&charge, limits);
	create(&charge, limits, entry->name, &fd, &id);
	ledger_commit(&ledger, entry, id);
	hold(fd, id);
}

/* The module refuses. */
static void create_in_vain(void)
{
	uint64_t limits[DUNE_NR_LIMITS];
	struct charge charge;

	ledger_cancel(&ledger, reserve(&charge, limits));
}

/* By somebody else who may open the device. */
static void create_foreign(void)
{
	struct charge charge = random_charge();
	uint64_t limits[DUNE_NR_LIMITS], id;
	int fd;

	if (nr_held == MAX_HELD)
		return;
	random_limits(limits);
	create(&charge, limits, "foreign", &fd, &id);
	hold(fd, id);
}

static void move_on(char command)
{
	if (nr_held)
		ck_assert_int_eq(write(held[pick(nr_held)].fd, &command, 1), 1);
}

static void free_one(void)
{
	int i;

	if (!nr_held)
		return;
	i = pick(nr_held);
	close(held[i].fd);
	held[i] = held[--nr_held];
}

static void change_limits(void)
{
	uint64_t limits[DUNE_NR_LIMITS];
	struct ledger_entry *entry;
	struct dune_stats stats;

	if (!nr_held || ledger.stale)
		return;
	entry = ledger_find(&ledger, held[pick(nr_held)].id);
	if (!entry)
		return;
	random_limits(limits);
	ck_assert_int_eq(device_set_limits(&device, entry->id, limits), 0);
	ck_assert_int_eq(context_by_id(&device, entry->id, &stats), 0);
	ledger_set_limits(&ledger, entry, limits, pick(20) ? &stats : NULL);
}

/* What the service does before each decision. */
static void settle(void)
{
	struct dune_event events[MAX_EVENTS];
	struct context_list list;
	int count;

	/* The device made of paper lets things happen when it is asked for something. */
	ck_assert_int_eq(context_list_read(&device, &list), 0);
	context_list_done(&list);
	do {
		count = device_events(&device, events, MAX_EVENTS);
		ck_assert_int_ge(count, 0);
		for (int i = 0; i < count; i++)
			ledger_event(&ledger, &device, &events[i]);
	} while (count == MAX_EVENTS);
	ck_assert_int_eq(ledger_refresh(&ledger, &device), 0);
}

/* Is the cgroup the account's, or below it? Told in another way than the ledger does. */
static bool is_below(const char *cgroup, const char *path)
{
	char with_slash[DUNE_CGROUP_MAX + 1], prefix[DUNE_CGROUP_MAX + 1];

	if (!cgroup[0])
		return false;
	if (!strcmp(path, "/"))
		return true;
	snprintf(with_slash, sizeof(with_slash), "%s/", cgroup);
	snprintf(prefix, sizeof(prefix), "%s/", path);
	return !strncmp(with_slash, prefix, strlen(prefix));
}

static bool counts(const struct dune_stats *stats, const struct quota_key *key)
{
	switch (key->scope) {
	case QUOTA_HOST:
		return true;
	case QUOTA_USER:
		return stats->owner == key->id || subids_user(&subids, stats->owner) == key->id;
	case QUOTA_GROUP:
		return stats->labels.gid == key->id;
	case QUOTA_PROCESS:
		return (uint32_t)stats->labels.creator_pid == key->id && key->id &&
		       stats->labels.creator_start == key->start;
	case QUOTA_CGROUP:
		return is_below(stats->labels.cgroup, key->path);
	default:
		return false;
	}
}

/* What a context promises, or keeps in spite of a lower limit. */
static uint64_t held_of(const struct dune_stats *stats, int limit, int use)
{
	return stats->limits[limit] > stats->counters[use] ? stats->limits[limit] :
							     stats->counters[use];
}

struct comparison {
	const struct context_list *list;
	size_t nr_accounts;
};

static int compare_account(const struct ledger_account *account, void *data)
{
	struct comparison *comparison = data;
	uint64_t expected[QUOTA_NR_SUMS] = { 0 };

	for (size_t i = 0; i < comparison->list->count; i++) {
		const struct dune_stats *stats = &comparison->list->entries[i];

		if (!counts(stats, &account->key))
			continue;
		expected[QUOTA_CONTEXTS]++;
		expected[QUOTA_VCPUS] += held_of(stats, DUNE_LIMIT_VCPUS, DUNE_COUNT_VCPUS_NOW);
		expected[QUOTA_PRIVATE] +=
			held_of(stats, DUNE_LIMIT_PRIVATE, DUNE_COUNT_PRIVATE_NOW);
		expected[QUOTA_EPT] += held_of(stats, DUNE_LIMIT_EPT, DUNE_COUNT_EPT_NOW);
	}
	ck_assert_msg(!memcmp(expected, account->used, sizeof(expected)),
		      "seed %u: scope %d id %u path '%s' has %llu contexts with %llu pages, the "
		      "module %llu with %llu",
		      seed, account->key.scope, account->key.id, account->key.path,
		      (unsigned long long)account->used[QUOTA_CONTEXTS],
		      (unsigned long long)account->used[QUOTA_PRIVATE],
		      (unsigned long long)expected[QUOTA_CONTEXTS],
		      (unsigned long long)expected[QUOTA_PRIVATE]);
	ck_assert_uint_gt(expected[QUOTA_CONTEXTS], 0);
	comparison->nr_accounts++;
	return 0;
}

/* Each account equals the list, and each context of the list is in the accounts. */
static void compare(void)
{
	struct context_list list;
	struct comparison comparison = { .list = &list };

	settle();
	for (int i = 0; i <= MAX_HELD / LEDGER_RECOUNT; i++)
		ledger_recount(&ledger, &device, NULL);
	ck_assert_int_eq(context_list_read(&device, &list), 0);
	ck_assert_uint_eq(ledger.nr_entries, list.count);
	ck_assert_uint_eq(ledger_used(&ledger, &(struct quota_key){ .scope = QUOTA_HOST },
				      QUOTA_CONTEXTS),
			  list.count);
	for (int scope = 0; scope < QUOTA_NR_SCOPES; scope++)
		ledger_accounts_each(&ledger, (enum quota_scope)scope, compare_account,
				     &comparison);
	ck_assert_uint_eq(comparison.nr_accounts, ledger.nr_accounts);
	for (size_t i = 0; i < list.count; i++)
		ck_assert_ptr_nonnull(ledger_find(&ledger, list.entries[i].id));
	context_list_done(&list);
}

START_TEST(any_sequence)
{
	for (int step = 0; step < STEPS; step++) {
		switch (pick(13)) {
		case 0 ... 3:
			if (pick(10))
				create_own();
			else
				create_in_vain();
			break;
		case 4:
			create_foreign();
			break;
		case 5 ... 8:
			free_one();
			break;
		case 9:
			move_on("arxpfffg"[pick(8)]);
			break;
		case 10:
			change_limits();
			break;
		case 11:
			/* The table is another. */
			if (!pick(8)) {
				subids.nr = (size_t)pick(NR_ROWS(ranges) + 1);
				ledger.stale = true;
			}
			break;
		default:
			/* Seldom enough that events are lost in between, too. */
			if (!pick(_i ? 60 : 2))
				compare();
		}
	}
	compare();
	while (nr_held)
		free_one();
	compare();
	ck_assert_uint_eq(ledger.nr_entries, 0);
	ck_assert_uint_eq(ledger.nr_accounts, 0);
}
END_TEST

START_TEST(a_start_finds_what_is_there)
{
	for (int i = 0; i < 200; i++)
		create_foreign();
	ledger_done(&ledger);
	init();
	compare();
	while (nr_held)
		free_one();
	compare();
}
END_TEST

static uint64_t host_private(void)
{
	return ledger_used(&ledger, &(struct quota_key){ .scope = QUOTA_HOST }, QUOTA_PRIVATE);
}

static void tell(int i, char command)
{
	ck_assert_int_eq(write(held[i].fd, &command, 1), 1);
}

/* The least limits for all that use as much as they may: also a start counts what they keep. */
START_TEST(what_is_kept_in_spite_of_a_limit)
{
	const uint64_t wide[DUNE_NR_LIMITS] = { 1, 100, 400, 1 },
		       narrow[DUNE_NR_LIMITS] = { 1, 1, DUNE_EPT_PAGES_MIN, 1 };
	const struct charge charge = { .uid = 1 };
	struct ledger_entry *entry;
	struct dune_stats stats;

	for (int i = 0; i < 2 * LEDGER_RECOUNT; i++) {
		create(&charge, wide, "", &held[i].fd, &held[i].id);
		nr_held++;
		tell(i, 'f');
		ck_assert_int_eq(device_set_limits(&device, held[i].id, narrow), 0);
	}
	compare();
	ck_assert_uint_eq(host_private(), 2 * LEDGER_RECOUNT * 100);
	/* Nobody looks at a context of which the limits hold, nor at more at a time than is said. */
	for (int i = 0; i < 2 * LEDGER_RECOUNT; i++)
		tell(i, 'x');
	entry = ledger_find(&ledger, held[0].id);
	ck_assert_int_eq(context_by_id(&device, entry->id, &stats), 0);
	ck_assert(ledger_count(&ledger, entry, &stats));
	ck_assert(!entry->is_above);
	ck_assert(!ledger_count(&ledger, entry, NULL));
	ck_assert(ledger_recount(&ledger, &device, NULL));
	ck_assert_uint_eq(host_private(), 1 + LEDGER_RECOUNT + (LEDGER_RECOUNT - 1) * 100);
	/* What asks counts as before. */
	entry = ledger_find(&ledger, held[2 * LEDGER_RECOUNT - 1].id);
	if (!entry->is_above)
		entry = ledger_find(&ledger, held[1].id);
	ck_assert(ledger_recount(&ledger, &device, entry));
	ck_assert_uint_eq(host_private(), 2 * LEDGER_RECOUNT - 1 + 100);
	ck_assert(!ledger_recount(&ledger, &device, entry));
	ck_assert(ledger_recount(&ledger, &device, NULL));
	ck_assert_uint_eq(host_private(), 2 * LEDGER_RECOUNT);
	while (nr_held)
		free_one();
	compare();
}
END_TEST

START_TEST(lost_events_make_it_stale)
{
	const struct dune_event lost = { .type = DUNE_EVENT_LOST, .detail = 1 };

	create_own();
	create_own();
	free_one();
	settle();
	free_one();
	/* The event of that is what is lost. */
	ledger_event(&ledger, &device, &lost);
	ck_assert(ledger.stale);
	compare();
	ck_assert(!ledger.stale);
}
END_TEST

/* What it has then is a part, from which nothing may be decided. */
START_TEST(a_refresh_that_fails)
{
	create_own();
	create_own();
	settle();
	ledger.stale = true;
	ledger.nr_entries += LEDGER_MAX_CONTEXTS - 1;
	ck_assert_int_eq(ledger_refresh(&ledger, &device), -E2BIG);
	ck_assert(ledger.stale);
	ledger.nr_entries -= LEDGER_MAX_CONTEXTS - 1;
	compare();
	ck_assert(!ledger.stale);
}
END_TEST

START_TEST(names)
{
	const struct charge one = { .uid = 1 }, other = { .uid = 2 };
	const uint64_t limits[DUNE_NR_LIMITS] = { 1, 1, 1, 1 };
	struct ledger_entry *entry;

	ck_assert_int_eq(ledger_add(&ledger, 1, &one, limits, "a"), 0);
	ck_assert_int_eq(ledger_add(&ledger, 1, &one, limits, "a"), -EEXIST);
	ck_assert_int_eq(ledger_add(&ledger, 2, &one, limits, "a"), 0);
	ck_assert_int_eq(ledger_add(&ledger, 3, &other, limits, "a"), 0);
	ck_assert_uint_eq(ledger_by_name(&ledger, 1, "a")->id, 2);
	ck_assert_uint_eq(ledger_by_name(&ledger, 2, "a")->id, 3);
	ck_assert_ptr_null(ledger_by_name(&ledger, 1, "b"));
	ck_assert_ptr_null(ledger_by_name(&ledger, 3, "a"));
	entry = ledger_next_of_name(ledger_by_name(&ledger, 1, "a"));
	ck_assert_uint_eq(entry->id, 1);
	ck_assert_ptr_null(ledger_next_of_name(entry));
	ck_assert_ptr_null(ledger_next_of_name(ledger_by_name(&ledger, 2, "a")));
	/* Newest first, in whatever order they become known. */
	ck_assert_int_eq(ledger_add(&ledger, 9, &one, limits, "a"), 0);
	ck_assert_int_eq(ledger_add(&ledger, 5, &one, limits, "a"), 0);
	entry = ledger_by_name(&ledger, 1, "a");
	for (size_t i = 0; i < 4; i++, entry = ledger_next_of_name(entry))
		ck_assert_uint_eq(entry->id, ((const uint64_t[]){ 9, 5, 2, 1 })[i]);
	ck_assert_ptr_null(entry);
	ledger_remove(&ledger, 9);
	ledger_remove(&ledger, 2);
	ck_assert_uint_eq(ledger_by_name(&ledger, 1, "a")->id, 5);
	ledger_remove(&ledger, 5);
	ledger_remove(&ledger, 1);
	ck_assert_ptr_null(ledger_by_name(&ledger, 1, "a"));
	ledger_remove(&ledger, 99);
	ck_assert_int_eq(ledger_add(&ledger, 2, &one, limits, "b"), 0);
	ck_assert_uint_eq(ledger.nr_entries, 2);
	/* What is only reserved has no name yet. */
	ck_assert_int_eq(ledger_reserve(&ledger, &one, limits, "r", &entry), 0);
	ck_assert_ptr_null(ledger_by_name(&ledger, 1, "r"));
	ledger_commit(&ledger, entry, 4);
	ck_assert_uint_eq(ledger_by_name(&ledger, 1, "r")->id, 4);
}
END_TEST

/* "/a/bc" is not below "/a/b", and a path as long as they get counts in each of its parts. */
START_TEST(cgroups)
{
	const uint64_t limits[DUNE_NR_LIMITS] = { 1, 2, 3, 4 };
	struct charge charge = { .uid = 1, .labels.cgroup = "/a/bc" };
	struct quota_key key = { .scope = QUOTA_CGROUP, .path = "/a/b" };

	ck_assert_int_eq(ledger_add(&ledger, 1, &charge, limits, ""), 0);
	ck_assert_uint_eq(ledger_used(&ledger, &key, QUOTA_CONTEXTS), 0);
	for (size_t i = 0; i + 1 < DUNE_CGROUP_MAX; i++)
		charge.labels.cgroup[i] = i % 2 ? 'a' : '/';
	charge.labels.cgroup[DUNE_CGROUP_MAX - 1] = '\0';
	charge.labels.cgroup[DUNE_CGROUP_MAX - 2] = '\0';
	ck_assert_int_eq(ledger_add(&ledger, 2, &charge, limits, ""), 0);
	strcpy(key.path, "/a");
	ck_assert_uint_eq(ledger_used(&ledger, &key, QUOTA_VCPUS), 2);
	strcpy(key.path, charge.labels.cgroup);
	ck_assert_uint_eq(ledger_used(&ledger, &key, QUOTA_EPT), 3);
	ledger_remove(&ledger, 2);
	ck_assert_uint_eq(ledger_used(&ledger, &key, QUOTA_EPT), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *tests = tcase_create("ledger");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, any_sequence, 0, 4);
	tcase_add_test(tests, a_start_finds_what_is_there);
	tcase_add_test(tests, what_is_kept_in_spite_of_a_limit);
	tcase_add_test(tests, lost_events_make_it_stale);
	tcase_add_test(tests, a_refresh_that_fails);
	tcase_add_test(tests, names);
	tcase_add_test(tests, cgroups);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
