/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service counts about itself, from its start on: the table, calls by method, error replies
 * by name, messages of the log by id. All sets are fixed when it is built: nothing that a client sends
 * becomes a name here. Used by the loop's thread alone.
 */
#ifndef DUNED_COUNTERS_H
#define DUNED_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "duned/message_ids.h"

struct json_object;

/* The name's end tells what it is: _now is a present number, everything else only grows. */
#define DUNED_COUNTERS(X)							\
	X(CONNECTIONS, "connections")		/* accepted */			\
	X(CONNECTIONS_NOW, "connections_now")					\
	X(REFUSED_HOST, "connections_refused_host")	/* above per-host */	\
	X(REFUSED_USER, "connections_refused_user")	/* above per-user */	\
	X(BYTES_IN, "bytes_in")							\
	X(BYTES_OUT, "bytes_out")						\
	X(MESSAGES_OUT, "messages_out")		/* replies and events */	\
	X(STREAMS_NOW, "streams_now")		/* calls with `more` */		\
	X(SUBSCRIPTIONS_NOW, "subscriptions_now")	/* of these, Events */	\
	X(SAMPLES_MISSED, "samples_missed")	/* by slow readers of Stats */	\
	X(EVENTS, "events")			/* read from the module */	\
	X(EVENTS_LOST, "events_lost")		/* by the module */		\
	X(EVENTS_SENT, "events_sent")		/* to subscribers */		\
	X(EVENTS_DROPPED, "events_dropped")	/* from subscribers' queues */	\
	X(LOG_LIMITED, "log_limited")		/* messages above log.h's limits */ \
	X(LOG_DROPPED, "log_dropped")		/* messages that found the queue full */

enum counter {
#define COUNTER_ENUM(symbol, name) COUNTER_##symbol,
	DUNED_COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
		NR_COUNTERS,
};

void counter_add(enum counter counter, uint64_t amount);
void counter_sub(enum counter counter, uint64_t amount);	/* a _now only */

/* One call of a method; one that there is not counts as "other". */
void counters_call(const char *method);

/* One error reply; a name that no interface of ours has counts as "other". */
void counters_error(const char *error);

/* One message of the log, whether it was written or dropped. */
void counters_message(enum message_id id);

/*
 * Maps from names to numbers, zeroes included: the table, calls by method ("List"), errors by name
 * ("NoSuchContext"), messages by id in lower case ("client_idle"). NULL when out of memory.
 */
struct json_object *counters_json(void);
struct json_object *counters_calls_json(void);
struct json_object *counters_errors_json(void);
struct json_object *counters_messages_json(void);

#endif
