// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One client's state machine; see connection.h. Every callback ends in connection_update(), which
 * decides what to wait for, or in connection_free().
 */
#include "duned/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/answering.h"
#include "duned/clock.h"
#include "duned/closer.h"
#include "duned/counters.h"
#include "duned/log.h"
#include "duned/peer.h"
#include "duned/stream.h"

static struct ev_loop *loop_of(const struct connection *connection)
{
	return connection->server->loop;
}

/* Says why a client is sent away. */
static void __attribute__((format(printf, 3, 4)))
log_end(const struct connection *connection, enum message_id id, const char *format, ...)
{
	char why[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	log_client_message(connection->peer.uid, id,
			   LOG_FIELDS(LOG_NUMBER("DUNE_PID", connection->peer.pid)),
			   "disconnected: %s", why);
}

static void timer_run(struct ev_loop *loop, ev_timer *timer, bool wanted, double seconds)
{
	if (!wanted) {
		ev_timer_stop(loop, timer);
	} else if (!ev_is_active(timer)) {
		/* From now, not from when the turn of the loop began. */
		ev_now_update(loop);
		ev_timer_set(timer, seconds, 0.);
		ev_timer_start(loop, timer);
	}
}

/* ---- calls ---- */

static int handle_message(struct connection *connection, const char *message, size_t size)
{
	struct varlink_call call;
	const char *why;
	int r = varlink_call_decode(message, size, &call, &why);

	if (r == -ENOMEM)
		return r;
	if (!r && call.flags & VARLINK_UPGRADE) {
		why = "upgrade is not supported";
		varlink_call_done(&call);
		r = -EPROTO;
	}
	if (r < 0) {
		log_end(connection, MESSAGE_CLIENT_PROTOCOL, "%s", why);
		return r;
	}
	connection->called = true;
	counters_call(call.method);
	r = answering_call(connection, &call, false);
	varlink_call_done(&call);
	return r;
}

/*
 * Calls wait while too much output does, of the connection, its user or all. A connection without any
 * may always answer one, so that none waits for another's client.
 */
static bool may_answer(const struct connection *connection)
{
	if (connection->streaming || connection->listing || answering_waits(connection) ||
	    connection->output_bytes >= CONNECTION_OUTPUT_HIGH ||
	    connection->output_fds >= CONNECTION_FDS)
		return false;
	return !connection->output_bytes ||
	       (connection->turn.user->output_bytes < SERVER_USER_OUTPUT &&
		connection->server->output_bytes < SERVER_OUTPUT);
}

static bool is_privileged(const struct connection *connection)
{
	return connection->peer.identified &&
	       (connection->peer.uid == 0 || connection->peer.administrator);
}

/* Answers calls that are here, as many as one turn allows. *ret_more: there may be others. */
static int handle_input(struct connection *connection, bool *ret_more)
{
	struct schedule *schedule = &connection->server->schedule;
	int64_t start = clock_ns();
	bool more_calls = true;
	const char *message;
	size_t size;
	int r;

	for (int i = 0; more_calls && i < CONNECTION_CALLS; i++) {
		if (!may_answer(connection))
			break;
		r = varlink_input_take(&connection->input, &message, &size);
		if (r == -EMSGSIZE)
			log_end(connection, MESSAGE_MESSAGE_TOO_LONG, "message above %d bytes",
				VARLINK_MAX_CALL);
		if (r <= 0) {
			*ret_more = false;
			return r;
		}
		/* What follows this message is another one and has its own time. */
		ev_timer_stop(loop_of(connection), &connection->input_timer);
		connection->last_call_ns = start;
		r = handle_message(connection, message, size);
		if (r < 0)
			return r;
		more_calls = schedule_take_call(schedule, connection->turn.user,
						is_privileged(connection)) &&
			     clock_ns() - start < CONNECTION_TURN_NS;
	}
	*ret_more = true;
	return 0;
}

/* ---- input ---- */

/*
 * What can be read, as far as no descriptor comes with it: those stay where they are, for to drop
 * somebody else's file can take long. -EPROTO: one comes first.
 */
static ssize_t look(int fd, char *bytes, size_t size)
{
	struct iovec vector = { bytes, size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	/* There is no room for any in the message. */
	return message.msg_flags & MSG_CTRUNC ? -EPROTO : n;
}

/* Reads once. -EAGAIN nothing there, -errno the client is gone or misbehaves. */
static int receive(struct connection *connection)
{
	char bytes[CONNECTION_READ_SIZE];
	ssize_t n = look(connection->fd, bytes, sizeof(bytes));

	if (n == -EPROTO)
		log_end(connection, MESSAGE_CLIENT_DESCRIPTORS, "it sent file descriptors");
	if (n > 0)
		n = recv(connection->fd, bytes, (size_t)n, MSG_DONTWAIT) == n ? n : -EIO;
	if (n < 0)
		return (int)n;
	if (n == 0) {
		connection->input_ended = true;
		return 0;
	}
	counter_add(COUNTER_BYTES_IN, (uint64_t)n);
	return varlink_input_feed(&connection->input, bytes, (size_t)n);
}

/* ---- what to wait for ---- */

static void watch(struct connection *connection, int events)
{
	struct ev_loop *loop = loop_of(connection);

	if (ev_is_active(&connection->watcher) && (connection->watcher.events & 3) == events)
		return;
	ev_io_stop(loop, &connection->watcher);
	ev_io_modify(&connection->watcher, events);
	if (events)
		ev_io_start(loop, &connection->watcher);
}

/* After the end of input: is the client gone altogether, or did it only shut down its side? */
static bool peer_hung_up(const struct connection *connection)
{
	struct pollfd poller = { .fd = connection->fd };

	return poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLERR);
}

/* Of one that has nothing to do now and reads no more: is there nobody to do anything for? */
static bool is_over(const struct connection *connection)
{
	if (connection->listing || !STAILQ_EMPTY(&connection->outputs))
		return false;
	return (connection->input_ended && !connection->streaming &&
		!answering_waits(connection)) ||
	       peer_hung_up(connection);
}

/*
 * Answers and sends what can be, then waits for the right things. Frees the connection when its
 * work is over or it failed.
 */
static void connection_update(struct connection *connection)
{
	struct ev_loop *loop = loop_of(connection);
	size_t pending;
	bool more, reading;

	if (handle_input(connection, &more) < 0 || answering_advance(connection) < 0 ||
	    output_flush(connection) < 0 || stream_queue_events(connection) < 0 ||
	    output_flush(connection) < 0) {
		connection_free(connection);
		return;
	}
	/* Flushing may have made room for calls that had to wait. */
	more = more && may_answer(connection);
	pending = varlink_input_pending(&connection->input);
	reading = !connection->input_ended && pending < VARLINK_MAX_CALL;
	if (!reading && !more && is_over(connection)) {
		connection_free(connection);
		return;
	}
	if (more)
		schedule_add(&connection->server->schedule, &connection->turn);
	timer_run(loop, &connection->input_timer,
		  reading && pending && !more && may_answer(connection), CONNECTION_INPUT_S);
	timer_run(loop, &connection->output_timer, !STAILQ_EMPTY(&connection->outputs),
		  CONNECTION_OUTPUT_S);
	watch(connection,
	      (reading ? EV_READ : 0) | (STAILQ_EMPTY(&connection->outputs) ? 0 : EV_WRITE));
}

static void connection_turn(struct turn *turn)
{
	struct connection *connection =
		(struct connection *)((char *)turn - offsetof(struct connection, turn));
	int r = 0;

	if (connection->readable) {
		connection->readable = false;
		r = receive(connection);
	}
	if (!r || r == -EAGAIN)
		r = answering_go_on(connection);
	if (r < 0) {
		connection_free(connection);
		return;
	}
	connection_update(connection);
}

/* Everything is done when the connection's turn comes. */
static void on_socket(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct connection *connection = watcher->data;

	/*
	 * Until its turn: otherwise every look for news would pass by all that wait already. Begun again
	 * before the next look, this costs no call of the kernel.
	 */
	ev_io_stop(loop, watcher);
	connection->readable |= (revents & EV_READ) != 0;
	schedule_add(&connection->server->schedule, &connection->turn);
}

static void on_stream(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct connection *connection = timer->data;

	connection->sample_due = true;
	schedule_add(&connection->server->schedule, &connection->turn);
}

/* Looks when it may have been idle for long enough; a call does not move the timer. */
static void on_idle(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct connection *connection = timer->data;
	int64_t idle_s = connection->server->manager->config.idle_s;
	double rest = (double)idle_s - clock_since(connection->last_call_ns);

	if (connection->streaming || connection->listing || answering_waits(connection) ||
	    !idle_s || rest > CONNECTION_IDLE_LOOK_S)
		rest = CONNECTION_IDLE_LOOK_S;
	if (rest > 0.) {
		ev_timer_set(timer, rest, 0.);
		ev_timer_start(loop, timer);
		return;
	}
	log_end(connection, MESSAGE_CLIENT_IDLE, "no call for %lld seconds", (long long)idle_s);
	connection_free(connection);
}

static void on_input_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct connection *connection = timer->data;

	log_end(connection, MESSAGE_MESSAGE_UNFINISHED, "unfinished message");
	connection_free(connection);
}

static void on_output_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct connection *connection = timer->data;

	log_end(connection, MESSAGE_CLIENT_STALLED, "it does not read");
	connection_free(connection);
}

/* ---- life ---- */

/* When to look first: the configuration may change later. */
static double idle_look(const struct server *server)
{
	int64_t idle_s = server->manager->config.idle_s;

	return idle_s && idle_s < CONNECTION_IDLE_LOOK_S ? (double)idle_s : CONNECTION_IDLE_LOOK_S;
}

struct connection *connection_new(struct server *server, int fd, struct peer *peer)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct user *user = connection ? users_get(&server->users, peer->uid) : NULL;

	if (!user) {
		free(connection);
		peer_done(peer);
		closer_close(fd);
		return NULL;
	}
	connection->server = server;
	connection->peer = *peer;
	connection->peer.start_ticks = &connection->start_ticks;
	*peer = (struct peer){ 0 };
	connection->fd = fd;
	connection->turn = (struct turn){ .user = user,
					  .urgent = connection->peer.socket == POLICY_ADMIN,
					  .run = connection_turn };
	connection->input.max_bytes = VARLINK_MAX_CALL;
	STAILQ_INIT(&connection->outputs);
	ev_io_init(&connection->watcher, on_socket, fd, EV_READ);
	ev_init(&connection->input_timer, on_input_timeout);
	ev_init(&connection->output_timer, on_output_timeout);
	ev_timer_init(&connection->idle_timer, on_idle, idle_look(server), 0.);
	ev_init(&connection->stream_timer, on_stream);
	connection->watcher.data = connection->input_timer.data = connection;
	connection->output_timer.data = connection->idle_timer.data = connection;
	connection->stream_timer.data = connection;
	connection->last_call_ns = clock_ns();
	if (connection->turn.urgent)
		ev_set_priority(&connection->watcher, EV_MAXPRI);
	ev_io_start(server->loop, &connection->watcher);
	ev_timer_start(server->loop, &connection->idle_timer);
	return connection;
}

bool connection_busy(const struct connection *connection)
{
	char byte;

	if (connection->listing || answering_waits(connection) ||
	    !STAILQ_EMPTY(&connection->outputs))
		return true;
	if (connection->streaming)
		return false;
	return varlink_input_pending(&connection->input) > 0 ||
	       recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void connection_free(struct connection *connection)
{
	struct ev_loop *loop = loop_of(connection);

	answering_stop(connection);
	ev_io_stop(loop, &connection->watcher);
	ev_timer_stop(loop, &connection->input_timer);
	ev_timer_stop(loop, &connection->output_timer);
	ev_timer_stop(loop, &connection->idle_timer);
	schedule_remove(&connection->server->schedule, &connection->turn);
	output_done(connection);
	varlink_input_done(&connection->input);
	closer_close(connection->fd);
	peer_done(&connection->peer);
	users_put(&connection->server->users, connection->turn.user);
	server_remove(connection->server, connection);
	free(connection);
}
