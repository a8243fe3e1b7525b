// SPDX-License-Identifier: LGPL-2.1-or-later
/* Turns, with a clock of the test's own: shares of time, debts, rates, what is urgent, what goes away. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/schedule.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define US	       1000ll
#define MS	       1000000ll

/* A client that always has something to do, and takes its time for it. */
struct worker {
	struct turn turn;
	int64_t cost_ns;
	int64_t spent_ns;
	unsigned int turns;
	unsigned int left; /* turns after which it has nothing to do any more */
	bool takes_calls;
};

static struct schedule schedule;
static struct users users;
static int64_t clock_ns;
static char order[64];

static int64_t test_clock(void)
{
	return clock_ns;
}

static void work(struct turn *turn)
{
	struct worker *worker = (struct worker *)turn;
	size_t length = strlen(order);

	if (length + 1 < sizeof(order))
		order[length] = (char)('0' + turn->user->uid % 10);
	clock_ns += worker->cost_ns;
	worker->spent_ns += worker->cost_ns;
	worker->turns++;
	if (worker->takes_calls)
		schedule_take_call(&schedule, turn->user, false);
	if (--worker->left)
		schedule_add(&schedule, turn);
}

static void worker_start(struct worker *worker, uint32_t uid, int64_t cost_ns)
{
	*worker = (struct worker){ .turn = { .user = users_get(&users, uid), .run = work },
				   .cost_ns = cost_ns,
				   .left = UINT32_MAX };
	schedule_add(&schedule, &worker->turn);
}

static void worker_stop(struct worker *worker)
{
	schedule_remove(&schedule, &worker->turn);
	users_put(&users, worker->turn.user);
}

static void setup(void)
{
	users_init(&users);
	schedule_init(&schedule, NULL);
	schedule.clock = test_clock;
	clock_ns = 1000 * MS;
	memset(order, 0, sizeof(order));
}

static void run_for(int64_t ns)
{
	int64_t end = clock_ns + ns;

	while (clock_ns < end)
		schedule_run(&schedule);
}

/* One with a connection and one with 64: half of the time each. */
START_TEST(users_share_not_connections)
{
	struct worker one, many[64];
	int64_t spent = 0;

	worker_start(&one, 1, 10 * US);
	for (int i = 0; i < NR_ROWS(many); i++)
		worker_start(&many[i], 2, 10 * US);
	run_for(1000 * MS);
	for (int i = 0; i < NR_ROWS(many); i++) {
		spent += many[i].spent_ns;
		ck_assert_int_gt(many[i].turns, 700);
		worker_stop(&many[i]);
	}
	worker_stop(&one);
	ck_assert_int_gt(one.spent_ns, 495 * MS);
	ck_assert_int_gt(spent, 495 * MS);
	users_done(&users);
}
END_TEST

/* Long turns and short ones: the same time, not the same number. */
START_TEST(time_is_shared_not_turns)
{
	struct worker slow, fast;

	worker_start(&slow, 1, 5 * MS);
	worker_start(&fast, 2, 20 * US);
	run_for(2000 * MS);
	ck_assert_int_gt(slow.spent_ns, 950 * MS);
	ck_assert_int_gt(fast.spent_ns, 950 * MS);
	ck_assert_uint_gt(fast.turns, 200 * slow.turns);
	worker_stop(&slow);
	worker_stop(&fast);
}
END_TEST

/* A newcomer waits for a quantum of each, not for what they have queued. */
START_TEST(a_newcomer_is_served_soon)
{
	struct worker many[64], new;
	int64_t start;

	for (int i = 0; i < NR_ROWS(many); i++)
		worker_start(&many[i], 1, 50 * US);
	run_for(100 * MS);
	worker_start(&new, 2, 10 * US);
	start = clock_ns;
	while (!new.turns)
		schedule_run(&schedule);
	ck_assert_int_lt(clock_ns - start, SCHEDULE_ROUND_NS + 100 * US);
	for (int i = 0; i < NR_ROWS(many); i++)
		worker_stop(&many[i]);
	worker_stop(&new);
}
END_TEST

START_TEST(a_round_has_an_end)
{
	struct worker worker;
	int64_t start = clock_ns;

	worker_start(&worker, 1, 30 * US);
	schedule_run(&schedule);
	ck_assert_int_ge(clock_ns - start, SCHEDULE_ROUND_NS);
	ck_assert_int_lt(clock_ns - start, SCHEDULE_ROUND_NS + 30 * US);
	worker_stop(&worker);
}
END_TEST

/* A user that is alone waits for nobody, however much it took before. */
START_TEST(a_debt_holds_back_only_for_others)
{
	struct worker slow;

	worker_start(&slow, 1, 500 * MS);
	for (int i = 0; i < 10; i++)
		schedule_run(&schedule);
	ck_assert_uint_eq(slow.turns, 10);
	worker_stop(&slow);
}
END_TEST

/* Leaving the queue, or the service, does not pay a debt while others work. */
START_TEST(coming_back_gains_nothing)
{
	struct worker steady, slow;
	unsigned int before;

	worker_start(&steady, 1, 10 * US);
	worker_start(&slow, 2, 15 * MS);
	while (!slow.turns)
		schedule_run(&schedule);
	worker_stop(&slow);
	worker_start(&slow, 2, 15 * MS);
	before = steady.turns;
	while (!slow.turns)
		schedule_run(&schedule);
	/* 15 ms of debt are about 1,500 turns of the other. */
	ck_assert_uint_gt(steady.turns - before, 1000);
	worker_stop(&steady);
	worker_stop(&slow);
}
END_TEST

START_TEST(what_is_urgent_goes_first)
{
	struct worker many[4], urgent = { .turn = { .run = work, .urgent = true }, .left = 1 };

	for (int i = 0; i < NR_ROWS(many); i++)
		worker_start(&many[i], 1, 100 * US);
	urgent.turn.user = users_get(&users, 9);
	schedule_add(&schedule, &urgent.turn);
	schedule_add(&schedule, &urgent.turn);
	schedule_run(&schedule);
	ck_assert_uint_eq(urgent.turns, 1);
	ck_assert_int_eq(order[0], '9');
	ck_assert_ptr_null(strchr(order + 1, '9'));
	for (int i = 0; i < NR_ROWS(many); i++)
		worker_stop(&many[i]);
	worker_stop(&urgent);
}
END_TEST

/* An administrator who never stops asking has half of the time. */
START_TEST(what_is_urgent_leaves_time)
{
	struct worker urgent = { .turn = { .run = work, .urgent = true },
				 .cost_ns = 10 * US,
				 .left = UINT32_MAX },
		      other;

	urgent.turn.user = users_get(&users, 9);
	schedule_add(&schedule, &urgent.turn);
	run_for(100 * MS);
	/* As long as nobody else is there, all of it. */
	ck_assert_int_ge(urgent.spent_ns, 100 * MS);
	worker_start(&other, 1, 10 * US);
	urgent.spent_ns = 0;
	run_for(100 * MS);
	ck_assert_int_ge(urgent.spent_ns, 45 * MS);
	ck_assert_int_ge(other.spent_ns, 45 * MS);
	worker_stop(&other);
	worker_stop(&urgent);
}
END_TEST

/* A hundred calls in a second; whoever else is there goes on. */
START_TEST(rate_of_calls)
{
	struct worker limited, free_one;
	int64_t calls_per_second = 100;

	schedule.calls_per_second = &calls_per_second;
	worker_start(&limited, 1, 10 * US);
	limited.takes_calls = true;
	worker_start(&free_one, 2, 10 * US);
	for (int i = 0; i < 30; i++) {
		run_for(100 * MS);
		schedule.wake.data = &schedule;
		ev_invoke(NULL, &schedule.wake, 0);
	}
	/* A second's bucket and three seconds' refill; it is looked at every 100 ms here. */
	ck_assert_uint_ge(limited.turns, 380);
	ck_assert_uint_le(limited.turns, 410);
	ck_assert_int_gt(free_one.spent_ns, 2900 * MS);
	worker_stop(&limited);
	worker_stop(&free_one);
}
END_TEST

START_TEST(nothing_to_do)
{
	struct worker worker = { .turn = { .run = work }, .left = 1 };
	int64_t start = clock_ns;

	schedule_run(&schedule);
	ck_assert_int_eq(clock_ns, start);
	worker.turn.user = users_get(&users, 1);
	schedule_remove(&schedule, &worker.turn);
	schedule_add(&schedule, &worker.turn);
	schedule_remove(&schedule, &worker.turn);
	schedule_run(&schedule);
	ck_assert_uint_eq(worker.turns, 0);
	users_put(&users, worker.turn.user);
}
END_TEST

/* Uids that have gone are remembered, but not without end. */
START_TEST(uids_that_have_gone)
{
	struct user *first = users_get(&users, 1);

	first->calls_full_ns = 77;
	ck_assert_uint_eq(users_count(&users, 1), 1);
	ck_assert_ptr_eq(users_get(&users, 1), first);
	ck_assert_uint_eq(users_count(&users, 1), 2);
	users_put(&users, first);
	users_put(&users, first);
	ck_assert_uint_eq(users_count(&users, 1), 0);
	ck_assert_int_eq(users_get(&users, 1)->calls_full_ns, 77);
	users_put(&users, first);
	for (uint32_t uid = 100; uid < 100 + USER_REMEMBERED; uid++)
		users_put(&users, users_get(&users, uid));
	ck_assert_uint_eq(users.nr_idle, USER_REMEMBERED);
	first = users_get(&users, 1);
	ck_assert_int_eq(first->calls_full_ns, 0);
	users_put(&users, first);
	users_done(&users);
	ck_assert_uint_eq(users.nr_idle, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *tests = tcase_create("schedule");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, users_share_not_connections);
	tcase_add_test(tests, time_is_shared_not_turns);
	tcase_add_test(tests, a_newcomer_is_served_soon);
	tcase_add_test(tests, a_round_has_an_end);
	tcase_add_test(tests, a_debt_holds_back_only_for_others);
	tcase_add_test(tests, coming_back_gains_nothing);
	tcase_add_test(tests, what_is_urgent_goes_first);
	tcase_add_test(tests, what_is_urgent_leaves_time);
	tcase_add_test(tests, rate_of_calls);
	tcase_add_test(tests, nothing_to_do);
	tcase_add_test(tests, uids_that_have_gone);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
