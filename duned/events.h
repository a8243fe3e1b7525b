/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the module's events to those who subscribed to them. Owns one queue for each subscriber, with
 * limits: who reads too slowly loses the oldest events and is told how many. Must never wait for a
 * subscriber, nor touch a socket.
 */
#ifndef DUNED_EVENTS_H
#define DUNED_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "duned/policy.h"
#include "proto/dune_abi.h"

#define EVENTS_QUEUE_MAX   512 /* events that wait for one subscriber */
#define EVENTS_QUEUE_BYTES (96 * 1024) /* of their text */

struct json_object;
struct subscription;
TAILQ_HEAD(subscription_list, subscription);

struct events {
	struct subscription_list subscriptions;
	size_t nr_subscriptions;
};

/* Which events a subscriber wants; zeroes mean all. */
struct event_filter {
	uint64_t id;
	char name[DUNE_NAME_MAX];
	uint32_t types; /* bits 1 << DUNE_EVENT_* */
};

void events_init(struct events *events);

/* One event of the module to everybody who wants it and may see it. */
void events_publish(struct events *events, const struct dune_event *event);

/* The module can't be read any more: all subscriptions end with that error. */
void events_fail(struct events *events, int error);

/* The peer has to outlive the subscription. NULL when out of memory. */
struct subscription *subscription_new(struct events *events, const struct peer *peer,
				      enum dune_access access, const struct event_filter *filter);
void subscription_free(struct subscription *subscription); /* takes NULL */

/*
 * `changed` is called when there is something to take; it must not free subscriptions. `renew` brings
 * the peer up to date, before it is decided what it may see; may be NULL.
 */
void subscription_watch(struct subscription *subscription, void (*changed)(void *data),
			void (*renew)(void *data), void *data);

/* The context that the subscription is about is gone: it ends when its queue is empty. */
void subscription_end(struct subscription *subscription);

/* Is there anything to take? */
bool subscription_ready(const struct subscription *subscription);

/*
 * Takes all that waits as one encoded reply. *ret_continues: others may follow. -ENOMEM, with
 * nothing taken.
 */
int subscription_take(struct subscription *subscription, char **ret_bytes, size_t *ret_size,
		      bool *ret_continues);

#endif
