/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose turn it is. Connections that have something to do take turns: those of the admin socket
 * first, for half of the time when others wait, then user by user, each for its share of time, and within a user one after the other. So
 * what one uid does, with however many connections, moves the others by no more than one more uid
 * would. Owns the queues; must never run a turn from within another.
 */
#ifndef DUNED_SCHEDULE_H
#define DUNED_SCHEDULE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "duned/user.h"

#define SCHEDULE_QUANTUM_NS	100000		/* of a user, before others come */
#define SCHEDULE_ROUND_NS	400000		/* of all, before the loop looks for news */
#define SCHEDULE_URGENT_NS	200000		/* of that, for the admin socket when others wait */
#define SCHEDULE_DEBT_NS	20000000	/* the most that a user can be behind */
#define SCHEDULE_WAKE_S		0.005	/* how often those who wait for their rate are looked at */
#define SCHEDULE_LOG_NS		10000000000	/* between two messages about one user's rate */

/* One who may have something to do; embedded in what it is about. */
struct turn {
	TAILQ_ENTRY(turn) link;
	struct user *user;
	bool urgent;		/* of the admin socket */
	bool queued;
	/* Does a bounded piece of work; may free what the turn is in, may queue it again. */
	void (*run)(struct turn *turn);
};

struct schedule {
	struct ev_loop *loop;
	ev_prepare prepare;	/* runs the queues, once in each turn of the loop */
	ev_idle busy;		/* keeps the loop from sleeping while they are not empty */
	ev_timer wake;		/* while all that wait have used up their rate */
	struct turn_queue urgent;
	struct user_queue round;	/* users that have turns queued */
	struct user_queue waiting;	/* those that have used up their rate of calls */
	uint64_t epoch;		/* grows when nobody has anything to do: debts are forgotten */
	/* Of one user, as it is now; 0, or NULL: as many as there is time for. */
	const int64_t *calls_per_second;
	int64_t (*clock)(void);	/* ns; tests have their own */
};

/* The loop may be NULL: then somebody else calls schedule_run(). */
void schedule_init(struct schedule *schedule, struct ev_loop *loop);
void schedule_done(struct schedule *schedule);

/* Queues it unless it is. */
void schedule_add(struct schedule *schedule, struct turn *turn);

/* Before it goes away; also when it is not queued. */
void schedule_remove(struct schedule *schedule, struct turn *turn);

/* Runs turns until the round's time is over or nobody has anything to do. */
void schedule_run(struct schedule *schedule);

/*
 * Takes one call from the user's bucket, which holds a second's. False: it was the last, and the
 * user has to wait once this turn is over. Root and administrators have no bucket.
 */
bool schedule_take_call(struct schedule *schedule, struct user *user, bool privileged);

#endif
