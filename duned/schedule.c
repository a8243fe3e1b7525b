// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Turns; see schedule.h. Users share time by deficit round robin: each visit adds a quantum to the
 * user's credit and the time that its turns took is taken from it, however long a single one was.
 * (M. Shreedhar, G. Varghese: Efficient fair queuing using deficit round robin, 1995.)
 */
#include "duned/schedule.h"

#include "duned/clock.h"
#include "duned/log.h"

/* ---- rate of calls ---- */

static int64_t rate(const struct schedule *schedule)
{
	return schedule->calls_per_second ? *schedule->calls_per_second : 0;
}

/* The bucket is the time at which it will be full again; it has no token from a second before. */
bool schedule_take_call(struct schedule *schedule, struct user *user, bool privileged)
{
	int64_t now, step;

	if (privileged || !rate(schedule))
		return true;
	now = schedule->clock();
	step = CLOCK_SECOND_NS / rate(schedule);
	if (user->calls_full_ns < now)
		user->calls_full_ns = now;
	user->calls_full_ns += step;
	return user->calls_full_ns + step <= now + CLOCK_SECOND_NS;
}

static bool has_call(const struct schedule *schedule, const struct user *user, int64_t now)
{
	return !rate(schedule) ||
	       user->calls_full_ns + CLOCK_SECOND_NS / rate(schedule) <= now + CLOCK_SECOND_NS;
}

/* ---- queues ---- */

static void update_watchers(struct schedule *schedule)
{
	bool work = !TAILQ_EMPTY(&schedule->urgent) || !TAILQ_EMPTY(&schedule->round);

	if (!schedule->loop)
		return;
	if (work && !ev_is_active(&schedule->busy))
		ev_idle_start(schedule->loop, &schedule->busy);
	else if (!work && ev_is_active(&schedule->busy))
		ev_idle_stop(schedule->loop, &schedule->busy);
	if (TAILQ_EMPTY(&schedule->waiting))
		ev_timer_stop(schedule->loop, &schedule->wake);
	else if (!ev_is_active(&schedule->wake))
		ev_timer_again(schedule->loop, &schedule->wake);
}

/* The user's last turn is gone: it leaves the queue that it is in. */
static void leave(struct schedule *schedule, struct user *user)
{
	if (user->in_round)
		TAILQ_REMOVE(&schedule->round, user, round);
	else if (user->in_waiting)
		TAILQ_REMOVE(&schedule->waiting, user, round);
	user->in_round = user->in_waiting = false;
}

void schedule_add(struct schedule *schedule, struct turn *turn)
{
	struct user *user = turn->user;

	if (turn->queued)
		return;
	turn->queued = true;
	if (turn->urgent) {
		TAILQ_INSERT_TAIL(&schedule->urgent, turn, link);
	} else {
		TAILQ_INSERT_TAIL(&user->turns, turn, link);
		if (!user->in_round && !user->in_waiting) {
			user->in_round = true;
			TAILQ_INSERT_TAIL(&schedule->round, user, round);
		}
	}
	update_watchers(schedule);
}

void schedule_remove(struct schedule *schedule, struct turn *turn)
{
	if (turn->queued) {
		turn->queued = false;
		TAILQ_REMOVE(turn->urgent ? &schedule->urgent : &turn->user->turns, turn, link);
	}
	if (TAILQ_EMPTY(&turn->user->turns))
		leave(schedule, turn->user);
}

/* ---- running ---- */

static void run_turn(struct turn_queue *queue)
{
	struct turn *turn = TAILQ_FIRST(queue);

	TAILQ_REMOVE(queue, turn, link);
	turn->queued = false;
	turn->run(turn);
}

/* Puts aside a user that has used up its rate. */
static void wait_for_rate(struct schedule *schedule, struct user *user, int64_t now)
{
	TAILQ_REMOVE(&schedule->round, user, round);
	TAILQ_INSERT_TAIL(&schedule->waiting, user, round);
	user->in_round = false;
	user->in_waiting = true;
	if (user->rate_logged_ns && now - user->rate_logged_ns < SCHEDULE_LOG_NS)
		return;
	user->rate_logged_ns = now;
	log_client_message(user->uid, MESSAGE_CALL_RATE,
			   LOG_FIELDS(LOG_TEXT("DUNE_LIMIT", "calls_per_second"),
				      LOG_NUMBER("DUNE_MAXIMUM", rate(schedule))),
			   "its calls have to wait: more than %lld in a second",
			   (long long)rate(schedule));
}

/* Has the first user of the round time? If not, it is the last now. */
static bool has_credit(struct schedule *schedule, struct user *user)
{
	if (user->epoch != schedule->epoch) {
		user->epoch = schedule->epoch;
		user->credit_ns = 0;
	}
	if (user->credit_ns > 0)
		return true;
	user->credit_ns += SCHEDULE_QUANTUM_NS;
	if (user->credit_ns > 0)
		return true;
	TAILQ_REMOVE(&schedule->round, user, round);
	TAILQ_INSERT_TAIL(&schedule->round, user, round);
	return false;
}

/* One turn of the first user; returns the time after it. */
static int64_t run_user(struct schedule *schedule, struct user *user, int64_t now)
{
	int64_t after;

	run_turn(&user->turns);
	after = schedule->clock();
	user->credit_ns -= after - now;
	if (user->credit_ns < -SCHEDULE_DEBT_NS)
		user->credit_ns = -SCHEDULE_DEBT_NS;
	if (TAILQ_EMPTY(&user->turns)) {
		leave(schedule, user);
	} else if (user->in_round && user->credit_ns <= 0) {
		TAILQ_REMOVE(&schedule->round, user, round);
		TAILQ_INSERT_TAIL(&schedule->round, user, round);
	}
	return after;
}

/* One turn of the admin socket, unless it has had its part and others wait. */
static bool run_urgent(struct schedule *schedule, int64_t *left_ns, int64_t *now)
{
	int64_t before = *now;

	if (TAILQ_EMPTY(&schedule->urgent) || (*left_ns <= 0 && !TAILQ_EMPTY(&schedule->round)))
		return false;
	run_turn(&schedule->urgent);
	*now = schedule->clock();
	*left_ns -= *now - before;
	return true;
}

void schedule_run(struct schedule *schedule)
{
	int64_t start = schedule->clock(), now = start, urgent_ns = SCHEDULE_URGENT_NS;
	struct user *user;

	while (now - start < SCHEDULE_ROUND_NS) {
		if (run_urgent(schedule, &urgent_ns, &now))
			continue;
		user = TAILQ_FIRST(&schedule->round);
		if (!user)
			break;
		if (!has_call(schedule, user, now))
			wait_for_rate(schedule, user, now);
		else if (has_credit(schedule, user))
			now = run_user(schedule, user, now);
	}
	if (TAILQ_EMPTY(&schedule->urgent) && TAILQ_EMPTY(&schedule->round))
		schedule->epoch++;
	update_watchers(schedule);
}

/* ---- the loop ---- */

static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
	struct schedule *schedule = watcher->data;

	if (!TAILQ_EMPTY(&schedule->urgent) || !TAILQ_EMPTY(&schedule->round))
		schedule_run(schedule);
}

static void on_busy(struct ev_loop *loop, ev_idle *watcher, int revents)
{
}

static void on_wake(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct schedule *schedule = timer->data;
	struct user *user, *next;
	int64_t now = schedule->clock();

	for (user = TAILQ_FIRST(&schedule->waiting); user; user = next) {
		next = TAILQ_NEXT(user, round);
		if (!has_call(schedule, user, now))
			continue;
		TAILQ_REMOVE(&schedule->waiting, user, round);
		TAILQ_INSERT_TAIL(&schedule->round, user, round);
		user->in_waiting = false;
		user->in_round = true;
	}
	update_watchers(schedule);
}

void schedule_init(struct schedule *schedule, struct ev_loop *loop)
{
	*schedule = (struct schedule){ .loop = loop, .clock = clock_ns };
	TAILQ_INIT(&schedule->urgent);
	TAILQ_INIT(&schedule->round);
	TAILQ_INIT(&schedule->waiting);
	ev_prepare_init(&schedule->prepare, on_prepare);
	ev_idle_init(&schedule->busy, on_busy);
	ev_init(&schedule->wake, on_wake);
	schedule->wake.repeat = SCHEDULE_WAKE_S;
	schedule->prepare.data = schedule->wake.data = schedule;
	if (loop)
		ev_prepare_start(loop, &schedule->prepare);
}

void schedule_done(struct schedule *schedule)
{
	if (!schedule->loop)
		return;
	ev_prepare_stop(schedule->loop, &schedule->prepare);
	ev_idle_stop(schedule->loop, &schedule->busy);
	ev_timer_stop(schedule->loop, &schedule->wake);
}
