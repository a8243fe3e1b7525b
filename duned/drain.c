// SPDX-License-Identifier: LGPL-2.1-or-later
/* Ending without losing calls; see drain.h. */
#include "duned/drain.h"

#include "duned/clock.h"
#include "duned/connection.h"

static bool drain_waits(const struct drain *drain)
{
	const struct connection *connection;
	double elapsed = clock_since(drain->begin_ns);

	if (elapsed >= DRAIN_LIMIT_S)
		return false;
	TAILQ_FOREACH(connection, &drain->server->connections, link)
	if (connection_busy(connection) || (!connection->called && elapsed < DRAIN_SILENT_S))
		return true;
	return false;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	const struct drain *drain = timer->data;

	if (!drain_waits(drain))
		ev_break(loop, EVBREAK_ALL);
}

void drain_init(struct drain *drain, struct server *server)
{
	*drain = (struct drain){ .server = server };
	ev_timer_init(&drain->timer, on_tick, DRAIN_TICK_S, DRAIN_TICK_S);
	drain->timer.data = drain;
}

void drain_done(struct drain *drain)
{
	ev_timer_stop(drain->server->loop, &drain->timer);
}

void drain_begin(struct drain *drain)
{
	struct ev_loop *loop = drain->server->loop;

	if (drain->active) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	drain->active = true;
	drain->begin_ns = clock_ns();
	server_refuse_new(drain->server);
	ev_timer_start(loop, &drain->timer);
}
