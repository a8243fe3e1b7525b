/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection's call with `more`, answered again and again: at an interval, or for each event. Owns the
 * call and its subscription; never more of them than the limits say, and never one that piles up what its
 * client does not read.
 */
#ifndef DUNED_STREAM_H
#define DUNED_STREAM_H

struct answer;
struct connection;
struct varlink_call;

/* May it have one more stream? If not, *answer becomes the error. 0, 1 with an error, -ENOMEM. */
int stream_check(struct connection *connection, struct answer *answer);

/* The answer is its first one; takes the call and the subscription. */
void stream_start(struct connection *connection, struct varlink_call *call, struct answer *answer);
void stream_stop(struct connection *connection);

/* The events that wait for a subscriber, once it has read all that came before. */
int stream_queue_events(struct connection *connection);

#endif
