// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Quotas as a pure function: every precedence between rules, every boundary of a decision, the token
 * bucket, the names of cgroups.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "duned/quota.h"
#include "duned/rate.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define UNSET	       QUOTA_UNSET
#define UNLIMITED      QUOTA_UNLIMITED

static struct quota_rules rules;

static void setup(void)
{
	quota_rules_init(&rules);
}

static void teardown(void)
{
	quota_rules_done(&rules);
}

/* The process that asks: uid 1000, charged to group 50, in a session of its user's slice. */
static struct charge asker(void)
{
	return (struct charge){
		.uid = 1000,
		.labels.gid = 50,
		.labels.creator_pid = 77,
		.labels.creator_start = 7,
		.labels.cgroup = "/user.slice/user-1000.slice/session-1.scope",
	};
}

static void say(enum quota_scope scope, uint32_t id, const char *path, int resource,
		int64_t maximum)
{
	struct quota_key key = { .scope = scope, .id = id };
	struct quota_rule *rule = quota_rules_base(&rules, scope);

	if (path)
		strcpy(key.path, path);
	if (!rule || id || path)
		ck_assert_int_eq(quota_rules_get(&rules, &key, "name", &rule), 0);
	rule->values[resource].maximum = maximum;
}

/* ---- which rule decides ---- */

/*
 * Maximum of contexts in: the user's own rule, three cgroups from the session up to the root, the group,
 * every user; and which of them decides (its maximum, UNSET for none).
 */
static const struct {
	int64_t user, session, slice, root, group, every, decides;
	enum quota_scope account;
	const char *path;
} precedence[] = {
	{ 1, 2, 3, 4, 5, 6, 1, QUOTA_USER, "" },
	{ UNSET, 2, 3, 4, 5, 6, 2, QUOTA_CGROUP, "/user.slice/user-1000.slice/session-1.scope" },
	{ UNSET, UNSET, 3, 4, 5, 6, 3, QUOTA_CGROUP, "/user.slice" },
	{ UNSET, UNSET, UNSET, 4, 5, 6, 4, QUOTA_CGROUP, "/" },
	{ UNSET, UNSET, UNSET, UNSET, 5, 6, 5, QUOTA_GROUP, "" },
	{ UNSET, UNSET, UNSET, UNSET, UNSET, 6, 6, QUOTA_USER, "" },
	{ UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, QUOTA_HOST, "" },
	{ 1, UNSET, UNSET, UNSET, UNSET, UNSET, 1, QUOTA_USER, "" },
	{ UNSET, UNSET, 3, UNSET, UNSET, 6, 3, QUOTA_CGROUP, "/user.slice" },
	{ UNLIMITED, 2, 3, 4, 5, 6, UNLIMITED, QUOTA_USER, "" },
	{ UNSET, UNLIMITED, 3, 4, 5, 6, UNLIMITED, QUOTA_CGROUP,
	  "/user.slice/user-1000.slice/session-1.scope" },
	{ 100, 2, 3, 4, 5, 6, 100, QUOTA_USER, "" },
	{ 0, 2, 3, 4, 5, 6, 0, QUOTA_USER, "" },
};

START_TEST(the_most_specific_rule_decides)
{
	const struct charge charge = asker();
	struct quota_holding holding[QUOTA_MAX_HOLDING], others[QUOTA_MAX_HOLDING];
	size_t count;

	say(QUOTA_USER, 1000, NULL, QUOTA_CONTEXTS, precedence[_i].user);
	say(QUOTA_CGROUP, 0, charge.labels.cgroup, QUOTA_CONTEXTS, precedence[_i].session);
	say(QUOTA_CGROUP, 0, "/user.slice", QUOTA_CONTEXTS, precedence[_i].slice);
	say(QUOTA_CGROUP, 0, "/", QUOTA_CONTEXTS, precedence[_i].root);
	say(QUOTA_GROUP, 50, NULL, QUOTA_CONTEXTS, precedence[_i].group);
	say(QUOTA_USER, 0, NULL, QUOTA_CONTEXTS, precedence[_i].every);
	/* Rules about others. */
	say(QUOTA_USER, 1001, NULL, QUOTA_CONTEXTS, 90);
	say(QUOTA_GROUP, 51, NULL, QUOTA_CONTEXTS, 91);
	say(QUOTA_CGROUP, 0, "/user.slice/user-100.slice", QUOTA_CONTEXTS, 92);
	say(QUOTA_CGROUP, 0, "/user.slice/user-1000.slice/session-1.scope/x", QUOTA_CONTEXTS, 93);
	say(QUOTA_CGROUP, 0, "/user", QUOTA_CONTEXTS, 94);
	count = quota_holding(&rules, &charge, QUOTA_CONTEXTS, holding);
	ck_assert_uint_eq(count, precedence[_i].decides == UNSET ? 0 : 1);
	/* Of other resources they don't speak. */
	ck_assert_uint_eq(quota_holding(&rules, &charge, QUOTA_VCPUS, others), 0);
	if (!count)
		return;
	ck_assert_int_eq(holding[0].maximum, precedence[_i].decides);
	ck_assert_int_eq(holding[0].account.scope, precedence[_i].account);
	ck_assert_str_eq(holding[0].account.path, precedence[_i].path);
	if (precedence[_i].account == QUOTA_USER)
		ck_assert_uint_eq(holding[0].account.id, 1000);
	if (precedence[_i].account == QUOTA_GROUP)
		ck_assert_uint_eq(holding[0].account.id, 50);
}
END_TEST

/*
 * Uid 1000 is subordinate to 900: contexts that the rules of uid, user and session allow, and every user's;
 * which decides, and whose account it is.
 */
static const struct {
	int64_t uid, user, session, every, decides;
	enum quota_scope scope;
	uint32_t account;
} subordinates[] = {
	{ 1, 2, 3, 4, 1, QUOTA_USER, 1000 },
	{ UNSET, 2, 3, 4, 2, QUOTA_USER, 900 },
	{ UNSET, UNSET, 3, 4, 3, QUOTA_CGROUP, 0 },
	{ UNSET, UNSET, UNSET, 4, 4, QUOTA_USER, 900 },
	{ UNLIMITED, 2, 3, 4, UNLIMITED, QUOTA_USER, 1000 },
	{ UNSET, UNLIMITED, 3, 4, UNLIMITED, QUOTA_USER, 900 },
};

START_TEST(a_subordinate_is_its_users)
{
	struct charge charge = asker();
	struct quota_holding holding[QUOTA_MAX_HOLDING];

	charge.superior = 900;
	say(QUOTA_USER, 1000, NULL, QUOTA_CONTEXTS, subordinates[_i].uid);
	say(QUOTA_USER, 900, NULL, QUOTA_CONTEXTS, subordinates[_i].user);
	say(QUOTA_CGROUP, 0, charge.labels.cgroup, QUOTA_CONTEXTS, subordinates[_i].session);
	say(QUOTA_USER, 0, NULL, QUOTA_CONTEXTS, subordinates[_i].every);
	ck_assert_uint_eq(quota_holding(&rules, &charge, QUOTA_CONTEXTS, holding), 1);
	ck_assert_int_eq(holding[0].maximum, subordinates[_i].decides);
	ck_assert_int_eq(holding[0].account.scope, subordinates[_i].scope);
	ck_assert_uint_eq(holding[0].account.id, subordinates[_i].account);
}
END_TEST

START_TEST(host_and_process_always_hold)
{
	const struct charge charge = asker();
	struct quota_holding holding[QUOTA_MAX_HOLDING];

	say(QUOTA_HOST, 0, NULL, QUOTA_EPT, 30);
	say(QUOTA_PROCESS, 0, NULL, QUOTA_EPT, 20);
	say(QUOTA_USER, 1000, NULL, QUOTA_EPT, UNLIMITED);
	say(QUOTA_USER, 0, NULL, QUOTA_EPT, 1);
	ck_assert_uint_eq(quota_holding(&rules, &charge, QUOTA_EPT, holding), 3);
	ck_assert_int_eq(holding[0].maximum, UNLIMITED);
	ck_assert_int_eq(holding[1].account.scope, QUOTA_PROCESS);
	ck_assert_uint_eq(holding[1].account.id, 77);
	ck_assert_uint_eq(holding[1].account.start, 7);
	ck_assert_int_eq(holding[2].account.scope, QUOTA_HOST);
	ck_assert_int_eq(holding[2].maximum, 30);
}
END_TEST

START_TEST(labels_that_are_not_known)
{
	struct charge charge = { .uid = 1000 };
	struct quota_holding holding[QUOTA_MAX_HOLDING];

	say(QUOTA_PROCESS, 0, NULL, QUOTA_CONTEXTS, 1);
	say(QUOTA_CGROUP, 0, "/", QUOTA_CONTEXTS, 2);
	say(QUOTA_USER, 0, NULL, QUOTA_CONTEXTS, 3);
	ck_assert_uint_eq(quota_holding(&rules, &charge, QUOTA_CONTEXTS, holding), 1);
	ck_assert_int_eq(holding[0].maximum, 3);
	strcpy(charge.labels.cgroup, "/");
	ck_assert_uint_eq(quota_holding(&rules, &charge, QUOTA_CONTEXTS, holding), 1);
	ck_assert_int_eq(holding[0].maximum, 2);
}
END_TEST

START_TEST(a_group_of_several)
{
	const uint32_t groups[] = { 40, 30, 20 };

	ck_assert_uint_eq(quota_group(&rules, 9, groups, 3), 9);
	ck_assert_uint_eq(quota_group(&rules, 9, NULL, 0), 9);
	say(QUOTA_GROUP, 40, NULL, QUOTA_CONTEXTS, 1);
	ck_assert_uint_eq(quota_group(&rules, 9, groups, 3), 40);
	say(QUOTA_GROUP, 20, NULL, QUOTA_VCPUS, 1);
	say(QUOTA_GROUP, 10, NULL, QUOTA_VCPUS, 1);
	ck_assert_uint_eq(quota_group(&rules, 9, groups, 3), 20);
	ck_assert_uint_eq(quota_group(&rules, 9, groups, 2), 40);
	/* Its own is one of them. */
	say(QUOTA_GROUP, 9, NULL, QUOTA_VCPUS, 1);
	ck_assert_uint_eq(quota_group(&rules, 9, groups, 3), 9);
	ck_assert_uint_eq(quota_group(&rules, 50, groups, 3), 20);
	/* Whose rule says nothing any more is as if it had none. */
	say(QUOTA_GROUP, 20, NULL, QUOTA_VCPUS, UNSET);
	ck_assert_uint_eq(quota_group(&rules, 50, groups, 3), 40);
}
END_TEST

/* ---- the decision ---- */

static uint64_t used_of[QUOTA_NR_SCOPES];

static uint64_t used(const void *data, const struct quota_key *account,
		     enum quota_resource resource)
{
	ck_assert_ptr_eq(data, used_of);
	return used_of[account->scope];
}

static const struct {
	uint64_t host_used, user_used, growth;
	int64_t host, user;
	int refused; /* -1: no, else the scope */
} boundaries[] = {
	{ 0, 0, 1, 1, 1, -1 },
	{ 0, 0, 1, 1, 0, QUOTA_USER },
	{ 0, 0, 1, 0, 1, QUOTA_HOST },
	{ 9, 9, 1, 10, 10, -1 },
	{ 10, 10, 1, 10, 11, QUOTA_HOST },
	{ 10, 10, 1, 11, 10, QUOTA_USER },
	{ 10, 10, 1, 10, 10, QUOTA_USER },
	{ 5, 5, 5, 10, 10, -1 },
	{ 5, 5, 6, 100, 10, QUOTA_USER },
	{ 0, 0, 11, 100, 10, QUOTA_USER },
	/* Lowered below what is used: growth is refused, what does not grow is not. */
	{ 50, 50, 1, 100, 10, QUOTA_USER },
	{ 50, 50, 0, 0, 0, -1 },
	{ 50, 50, 1, UNLIMITED, UNLIMITED, -1 },
	{ UINT64_MAX, 0, 1, 100, UNSET, QUOTA_HOST },
	{ UINT64_MAX, 0, UINT64_MAX, INT64_MAX - 1, UNSET, QUOTA_HOST },
	{ 0, 0, INT64_MAX - 1, INT64_MAX - 1, UNSET, -1 },
	{ 0, 0, 1, UNSET, UNSET, -1 },
};

START_TEST(boundary)
{
	static const enum quota_resource resources[] = { QUOTA_CONTEXTS, QUOTA_VCPUS, QUOTA_PRIVATE,
							 QUOTA_EPT };
	const struct charge charge = asker();

	used_of[QUOTA_HOST] = boundaries[_i].host_used;
	used_of[QUOTA_USER] = boundaries[_i].user_used;
	for (int i = 0; i < NR_ROWS(resources); i++) {
		uint64_t growth[QUOTA_NR_SUMS] = { 0 };
		struct quota_verdict verdict;
		int r;

		quota_rules_init(&rules);
		say(QUOTA_HOST, 0, NULL, resources[i], boundaries[_i].host);
		say(QUOTA_USER, 0, NULL, resources[i], boundaries[_i].user);
		growth[resources[i]] = boundaries[_i].growth;
		r = quota_decide(&rules, &charge, growth, used, used_of, &verdict);
		ck_assert_int_eq(r, boundaries[_i].refused < 0 ? 0 : -EDQUOT);
		if (!r)
			continue;
		ck_assert_int_eq(verdict.resource, resources[i]);
		ck_assert_int_eq(verdict.account.scope, boundaries[_i].refused);
		ck_assert_int_eq(verdict.maximum, boundaries[_i].refused == QUOTA_HOST ?
							  boundaries[_i].host :
							  boundaries[_i].user);
		ck_assert_uint_eq(verdict.used, used_of[boundaries[_i].refused]);
	}
}
END_TEST

/* ---- rules ---- */

START_TEST(rules_are_found)
{
	const struct quota_key key = { .scope = QUOTA_USER, .id = 5 };
	struct quota_rules copy;
	struct quota_rule *rule;

	for (uint32_t i = 0; i < QUOTA_MAX_RULES; i++) {
		/* In no order. */
		const struct quota_key one = { .scope = QUOTA_USER,
					       .id = i * 7919 % QUOTA_MAX_RULES };

		ck_assert_int_eq(quota_rules_get(&rules, &one, "x", &rule), 0);
		rule->values[QUOTA_VCPUS].maximum = one.id;
	}
	ck_assert_uint_eq(rules.nr_named, QUOTA_MAX_RULES);
	ck_assert_int_eq(quota_rules_get(&rules, &key, "x", &rule), 0);
	ck_assert_int_eq(quota_rules_get(&rules, &(struct quota_key){ .scope = QUOTA_GROUP }, "x",
					 &rule),
			 -E2BIG);
	for (uint32_t i = 0; i < QUOTA_MAX_RULES; i++) {
		const struct quota_key one = { .scope = QUOTA_USER, .id = i };

		ck_assert_int_eq(quota_rules_find(&rules, &one)->values[QUOTA_VCPUS].maximum, i);
	}
	ck_assert_ptr_null(quota_rules_find(&rules, &(struct quota_key){ .scope = QUOTA_GROUP }));
	ck_assert_int_eq(quota_rules_copy(&rules, &copy), 0);
	rules.named[0].values[QUOTA_EPT].maximum = 12;
	ck_assert_int_eq(copy.named[0].values[QUOTA_EPT].maximum, UNSET);
	quota_rules_done(&copy);
}
END_TEST

/* ---- cgroups ---- */

#define LONG_63 "123456789-123456789-123456789-123456789-123456789-123456789-123"

static const struct {
	const char *text;
	int result;
	const char *path;
} cgroups[] = {
	{ "/", 0, "/" },
	{ "/a", 0, "/a" },
	{ "/a/b.service", 0, "/a/b.service" },
	{ "/a/...", 0, "/a/..." },
	{ "user.slice", 0, "/user.slice" },
	{ "user-1000.slice", 0, "/user.slice/user-1000.slice" },
	{ "a-b-c.slice", 0, "/a.slice/a-b.slice/a-b-c.slice" },
	{ "dune\\x2djobs.slice", 0, "/dune\\x2djobs.slice" },
	{ "-.slice", 0, "/" },
	{ "", -EINVAL, NULL },
	{ "a", -EINVAL, NULL },
	{ ".slice", -EINVAL, NULL },
	{ "-a.slice", -EINVAL, NULL },
	{ "a-.slice", -EINVAL, NULL },
	{ "a--b.slice", -EINVAL, NULL },
	{ "--.slice", -EINVAL, NULL },
	{ "a/b.slice", -EINVAL, NULL },
	{ "a.service", -EINVAL, NULL },
	{ "/a/", -EINVAL, NULL },
	{ "//", -EINVAL, NULL },
	{ "/a//b", -EINVAL, NULL },
	{ "/a/../b", -EINVAL, NULL },
	{ "/a/..", -EINVAL, NULL },
	{ "/./a", -EINVAL, NULL },
	{ "/a b", -EINVAL, NULL },
	{ "/a]", -EINVAL, NULL },
	{ "/\xc3\xa4", -EINVAL, NULL },
	{ "/\x1b[31m", -EINVAL, NULL },
	{ "/" LONG_63 "/" LONG_63 "/", -ENAMETOOLONG, NULL },
	{ "/" LONG_63 "/" LONG_63, -ENAMETOOLONG, NULL },
	{ "/" LONG_63 "/123456789-123456789-123456789-123456789-123456789-123456789-12", 0,
	  "/" LONG_63 "/123456789-123456789-123456789-123456789-123456789-123456789-12" },
	{ LONG_63 "-x.slice", -ENAMETOOLONG, NULL },
};

START_TEST(cgroup)
{
	char path[DUNE_CGROUP_MAX] = "untouched";

	ck_assert_int_eq(quota_cgroup_path(cgroups[_i].text, path), cgroups[_i].result);
	ck_assert_str_eq(path, cgroups[_i].path ? cgroups[_i].path : "untouched");
}
END_TEST

/* ---- rates ---- */

#define SECOND 1000000000ll

START_TEST(a_bucket)
{
	const int64_t now = 1000 * SECOND;
	int64_t full = 0;

	/* Three a minute: three at once, then one every 20 seconds. */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rate_wait(full, now, 3), 0);
		ck_assert_int_eq(rate_missing(full, now, 3), i);
		full = rate_take(full, now, 3);
	}
	ck_assert_int_eq(rate_missing(full, now, 3), 3);
	ck_assert_int_eq(rate_wait(full, now, 3), 20 * SECOND);
	ck_assert_int_eq(rate_wait(full, now + 20 * SECOND - 1, 3), 1);
	ck_assert_int_eq(rate_wait(full, now + 20 * SECOND, 3), 0);
	full = rate_take(full, now + 20 * SECOND, 3);
	ck_assert_int_eq(rate_wait(full, now + 20 * SECOND, 3), 20 * SECOND);
	/* Full after a minute, and never more than full. */
	ck_assert_int_eq(rate_missing(full, now + 80 * SECOND, 3), 0);
	full = rate_take(full, now + 500 * SECOND, 3);
	ck_assert_int_eq(rate_missing(full, now + 500 * SECOND, 3), 1);
	/* A rate that was lowered meanwhile. */
	ck_assert_int_eq(rate_wait(full, now + 500 * SECOND, 1), 20 * SECOND);
	ck_assert_int_eq(rate_missing(full, now + 500 * SECOND, 1), 1);
	ck_assert_int_eq(rate_wait(full, now + 500 * SECOND, RATE_MAX), 0);
	/* One that was raised: no more can be missing than it has. */
	full = rate_take(rate_take(0, now, 1), now, 1);
	ck_assert_int_eq(rate_missing(full, now, 3), 3);
}
END_TEST

START_TEST(one_a_minute)
{
	int64_t full = rate_take(0, SECOND, 1);

	ck_assert_int_eq(rate_wait(0, SECOND, 1), 0);
	ck_assert_int_eq(rate_wait(full, SECOND, 1), 60 * SECOND);
	ck_assert_int_eq(rate_wait(full, 61 * SECOND, 1), 0);
}
END_TEST

START_TEST(buckets)
{
	struct quota_key key = { .scope = QUOTA_PROCESS };
	struct rate_bucket *bucket;
	struct rates rates;

	ck_assert_int_eq(rates_init(&rates), 0);
	ck_assert_ptr_null(rates_find(&rates, &key));
	for (key.id = 1; key.id <= RATE_BUCKETS; key.id++) {
		rates_make_room(&rates, 1, 0);
		ck_assert_int_eq(rates_get(&rates, &key, &bucket), 0);
		bucket->full_ns = key.id;
	}
	/* The first 100 are full again. */
	rates_make_room(&rates, 1, 100);
	ck_assert_int_eq(rates_get(&rates, &key, &bucket), 0);
	ck_assert_uint_eq(rates.count, RATE_BUCKETS - 99);
	key.id = 100;
	ck_assert_ptr_null(rates_find(&rates, &key));
	key.id = 101;
	ck_assert_int_eq(rates_find(&rates, &key)->full_ns, 101);
	/* The same pid, used again. */
	key.start = 5;
	ck_assert_ptr_null(rates_find(&rates, &key));
	rates_done(&rates);
}
END_TEST

/* More accounts than are told apart: those that are full soonest are forgotten, the others kept. */
START_TEST(more_accounts_than_buckets)
{
	struct quota_key key = { .scope = QUOTA_PROCESS };
	struct rate_bucket *bucket;
	struct rates rates;
	int kept = 0;

	ck_assert_int_eq(rates_init(&rates), 0);
	for (key.id = 1; key.id <= 2 * RATE_BUCKETS; key.id++) {
		rates_make_room(&rates, 3, 0);
		ck_assert_uint_le(rates.count + 3, RATE_BUCKETS);
		ck_assert_int_eq(rates_get(&rates, &key, &bucket), 0);
		/* Every other one has nothing left, the others lack a token. */
		bucket->full_ns = key.id % 2 ? 60 * SECOND : SECOND;
		if (key.id % 2)
			kept++;
		if (kept == RATE_BUCKETS / 2)
			break;
	}
	for (uint32_t id = 1; id <= key.id; id += 2) {
		const struct quota_key spent = { .scope = QUOTA_PROCESS, .id = id };

		ck_assert_ptr_nonnull(rates_find(&rates, &spent));
	}
	rates_done(&rates);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quota");
	TCase *tests = tcase_create("quota");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, the_most_specific_rule_decides, 0, NR_ROWS(precedence));
	tcase_add_loop_test(tests, a_subordinate_is_its_users, 0, NR_ROWS(subordinates));
	tcase_add_test(tests, host_and_process_always_hold);
	tcase_add_test(tests, labels_that_are_not_known);
	tcase_add_test(tests, a_group_of_several);
	tcase_add_loop_test(tests, boundary, 0, NR_ROWS(boundaries));
	tcase_add_test(tests, rules_are_found);
	tcase_add_loop_test(tests, cgroup, 0, NR_ROWS(cgroups));
	tcase_add_test(tests, a_bucket);
	tcase_add_test(tests, one_a_minute);
	tcase_add_test(tests, buckets);
	tcase_add_test(tests, more_accounts_than_buckets);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
