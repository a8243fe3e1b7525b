/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each uid holds of the service: connections, streams, output, its share of the loop's time and
 * of calls. Owns the table of uids. A uid that has gone is remembered for a while, so that leaving
 * and coming back gains nothing.
 */
#ifndef DUNED_USER_H
#define DUNED_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define USER_CHAINS	256	/* of the hash table; a power of two */
#define USER_REMEMBERED 256	/* uids without a connection that are kept */

struct connection;
struct turn;
TAILQ_HEAD(listing_queue, connection);
TAILQ_HEAD(turn_queue, turn);

struct user {
	LIST_ENTRY(user) chain;
	TAILQ_ENTRY(user) idle;		/* while it has no connection: oldest first */
	uint32_t uid;
	size_t nr_connections;
	size_t nr_streams;
	size_t output_bytes;		/* that wait in all its connections */
	struct listing_queue listings;	/* that have one asked for: only the first's is begun */
	/* The scheduler's. */
	TAILQ_ENTRY(user) round;
	bool in_round, in_waiting;	/* has turns, and may or may not take them now */
	struct turn_queue turns;	/* connections that have something to do */
	int64_t credit_ns;		/* time it may still take before others come */
	uint64_t epoch;			/* of the scheduler, when the credit was last looked at */
	int64_t calls_full_ns;		/* when its bucket of calls will be full again */
	int64_t rate_logged_ns;
};
LIST_HEAD(user_chain, user);
TAILQ_HEAD(user_queue, user);

struct users {
	struct user_chain chains[USER_CHAINS];
	struct user_queue idle;
	size_t nr_idle;
};

void users_init(struct users *users);

/* No user has a connection any more. */
void users_done(struct users *users);

/* The uid's entry, made if need be; NULL when out of memory. One more connection. */
struct user *users_get(struct users *users, uint32_t uid);

/* One connection less. */
void users_put(struct users *users, struct user *user);

/* Connections of a uid. */
size_t users_count(const struct users *users, uint32_t uid);

#endif
