// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls with `more`; see stream.h. */
#include "duned/stream.h"

#include <json-c/json.h>

#include "duned/answering.h"
#include "duned/clock.h"
#include "duned/connection.h"
#include "duned/counters.h"
#include "duned/events.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/methods.h"

void stream_stop(struct connection *connection)
{
	if (!connection->streaming)
		return;
	ev_timer_stop(connection->server->loop, &connection->stream_timer);
	varlink_call_done(&connection->stream_call);
	subscription_free(connection->subscription);
	connection->subscription = NULL;
	connection->streaming = false;
	counter_sub(COUNTER_STREAMS_NOW, 1);
	connection->sample_due = false;
	connection->turn.user->nr_streams--;
	connection->server->nr_streams--;
}

/* A user's streams leave connections to ask with. */
static size_t user_streams(const struct server *server)
{
	size_t half = ((size_t)server->manager->config.connections_per_user + 1) / 2;

	return half < SERVER_USER_STREAMS ? half : SERVER_USER_STREAMS;
}

int stream_check(struct connection *connection, struct answer *answer)
{
	struct server *server = connection->server;
	const struct user *user = connection->turn.user;
	struct json_object *parameters;
	const char *limit = NULL;
	size_t maximum = user_streams(server), used = user->nr_streams;
	bool ok;

	if (used >= maximum) {
		limit = "streams_per_user";
	} else if (connection->peer.socket != POLICY_ADMIN &&
		   server->nr_streams >= SERVER_STREAMS) {
		limit = "streams";
		maximum = SERVER_STREAMS;
		used = server->nr_streams;
	}
	if (!limit)
		return 0;
	log_client_message(user->uid, MESSAGE_SUBSCRIBERS_LIMIT,
			   LOG_FIELDS(LOG_TEXT("DUNE_LIMIT", limit),
				      LOG_NUMBER("DUNE_MAXIMUM", maximum),
				      LOG_NUMBER("DUNE_USED", used),
				      LOG_NUMBER("DUNE_PID", connection->peer.pid)),
			   "stream refused: %zu of %zu %s", used, maximum, limit);
	parameters = json_object_new_object();
	ok = json_put_string(parameters, "limit", limit) &&
	     json_put_int(parameters, "maximum", maximum) && json_put_int(parameters, "used", used);
	answer->interval_ms = 0;
	return answer_error(answer, DUNE_ERROR("QuotaExceeded"), json_finish(parameters, ok));
}

/* Called for every event that a subscriber gets: only says that it has its turn. */
static void on_events(void *data)
{
	struct connection *connection = data;

	schedule_add(&connection->server->schedule, &connection->turn);
}

/*
 * Streams of one interval have their samples at the same times, so that they can share them. The first
 * interval takes from 0.6 to 1.6 times as long, then.
 */
static void start_stream_timer(struct connection *connection, int interval_ms)
{
	struct ev_loop *loop = connection->server->loop;
	int64_t first_ms = interval_ms - clock_ns() / 1000000 % interval_ms;

	if (first_ms * 10 < interval_ms * INT64_C(6))
		first_ms += interval_ms;
	ev_now_update(loop);
	ev_timer_set(&connection->stream_timer, (double)first_ms / 1000., interval_ms / 1000.);
	ev_timer_start(loop, &connection->stream_timer);
}

void stream_start(struct connection *connection, struct varlink_call *call, struct answer *answer)
{
	connection->streaming = true;
	counter_add(COUNTER_STREAMS_NOW, 1);
	connection->stream_call = *call;
	*call = (struct varlink_call){ 0 };
	connection->stream_call.flags |= METHODS_AGAIN;
	connection->turn.user->nr_streams++;
	connection->server->nr_streams++;
	connection->subscription = answer->subscription;
	answer->subscription = NULL;
	if (connection->subscription) {
		subscription_watch(connection->subscription, on_events, answering_renew_standing,
				   connection);
		ev_timer_set(&connection->stream_timer, CONNECTION_GONE_S, CONNECTION_GONE_S);
		ev_timer_start(connection->server->loop, &connection->stream_timer);
	} else {
		start_stream_timer(connection, (int)answer->interval_ms);
	}
}

int stream_queue_events(struct connection *connection)
{
	bool continues;
	size_t size;
	char *bytes;
	int r;

	if (!connection->subscription || connection->listing ||
	    !STAILQ_EMPTY(&connection->outputs) || !subscription_ready(connection->subscription))
		return 0;
	r = subscription_take(connection->subscription, &bytes, &size, &continues);
	if (r < 0)
		return r;
	if (!continues)
		stream_stop(connection);
	return output_queue(connection, bytes, size, -1);
}