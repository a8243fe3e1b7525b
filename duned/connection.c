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

#include "duned/counters.h"
#include "duned/events.h"
#include "duned/json.h"
#include "duned/listing.h"
#include "duned/log.h"
#include "duned/methods.h"
#include "duned/peer.h"
#include "proto/methods.h"

#define SCM_MAX_FDS 253 /* the most that the kernel passes at once */

/* A byte count changes for the connection, its user and the service. */
static void account_output(struct connection *connection, size_t added, size_t removed)
{
	connection->output_bytes += added - removed;
	connection->turn.user->output_bytes += added - removed;
	connection->server->output_bytes += added - removed;
}

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
		ev_timer_set(timer, ev_time() - ev_now(loop) + seconds, 0.);
		ev_timer_start(loop, timer);
	}
}

/* ---- output ---- */

static void output_free(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	free(output->bytes);
	free(output);
}

/* Queues an encoded message; takes bytes and fd, also on failure. */
static int output_queue(struct connection *connection, char *bytes, size_t size, int fd)
{
	struct output *output = malloc(sizeof(*output));

	if (!output) {
		free(bytes);
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	*output = (struct output){ .bytes = bytes, .size = size, .fd = fd };
	STAILQ_INSERT_TAIL(&connection->outputs, output, link);
	connection->output_fds += fd >= 0;
	account_output(connection, size, 0);
	counter_add(COUNTER_MESSAGES_OUT, 1);
	return 0;
}

/* Sends some of one message, its descriptor with the first byte. */
static ssize_t output_send(struct connection *connection, struct output *output)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec vector = { output->bytes + output->sent, output->size - output->sent };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	if (output->fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &output->fd, sizeof(int));
	}
	do {
		n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && output->fd >= 0) {
		/* It is the client's now: the service keeps no copy. */
		close(output->fd);
		output->fd = -1;
		connection->output_fds--;
	}
	return n < 0 ? -errno : n;
}

/* Sends what the socket takes. 0 also when it takes no more for now; -errno: the client is gone. */
static int output_flush(struct connection *connection)
{
	struct output *output;
	bool progress = false;

	while ((output = STAILQ_FIRST(&connection->outputs))) {
		ssize_t n = output_send(connection, output);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		progress = true;
		output->sent += (size_t)n;
		account_output(connection, 0, (size_t)n);
		counter_add(COUNTER_BYTES_OUT, (uint64_t)n);
		if (output->sent == output->size) {
			STAILQ_REMOVE_HEAD(&connection->outputs, link);
			output_free(output);
		}
	}
	if (progress)
		ev_timer_stop(loop_of(connection), &connection->output_timer);
	return 0;
}

/* ---- answering ---- */

static int encode_too_large(char **ret_bytes, size_t *ret_size)
{
	struct json_object *parameters = json_object_new_object();
	int r = -ENOMEM;

	if (json_put_int(parameters, "maximum", VARLINK_MAX_REPLY))
		r = varlink_reply_encode(DUNE_ERROR("ReplyTooLarge"), parameters, false, ret_bytes,
					 ret_size);
	json_object_put(parameters);
	return r;
}

/* Encodes and queues an answer. *ret_continues: the call is to be answered again. */
static int queue_answer(struct connection *connection, struct answer *answer, bool *ret_continues)
{
	const char *error = answer->error[0] ? answer->error : NULL;
	bool continues = !error && (answer->interval_ms || answer->subscription);
	size_t size;
	char *bytes;
	int fd, r;

	if (answer->text && !error)
		r = varlink_reply_wrap(answer->text, answer->text_size, continues, &bytes, &size);
	else
		r = varlink_reply_encode(error, answer->parameters, continues, &bytes, &size);
	if (r == -EMSGSIZE) {
		error = DUNE_ERROR("ReplyTooLarge");
		continues = false;
		r = encode_too_large(&bytes, &size);
	}
	if (r < 0)
		return r;
	if (error)
		counters_error(error);
	fd = answer->fd;
	answer->fd = -1;
	*ret_continues = continues;
	return output_queue(connection, bytes, size, fd);
}

static void stream_stop(struct connection *connection)
{
	if (!connection->streaming)
		return;
	ev_timer_stop(loop_of(connection), &connection->stream_timer);
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

/* May it have one more stream? If not, *answer becomes the error. */
static int stream_check(struct connection *connection, struct answer *answer)
{
	struct server *server = connection->server;
	const struct user *user = connection->turn.user;
	struct json_object *parameters;
	const char *limit = NULL;
	size_t maximum = user_streams(server), used = user->nr_streams;
	bool ok;

	if (used >= maximum) {
		limit = "streams_per_user";
	} else if (server->nr_streams >= SERVER_STREAMS) {
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

/* Who is an administrator may have changed since the connection was accepted. */
static void renew_standing(void *data)
{
	struct connection *connection = data;
	const struct manager *manager = connection->server->manager;

	if (connection->generation == manager->generation)
		return;
	connection->peer.administrator =
		access_is_administrator(&manager->config.administrators, &connection->peer);
	connection->generation = manager->generation;
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
	struct ev_loop *loop = loop_of(connection);
	int64_t now_ms = (int64_t)(ev_now(loop) * 1000);

	int64_t first_ms = interval_ms - now_ms % interval_ms;

	if (first_ms * 10 < interval_ms * INT64_C(6))
		first_ms += interval_ms;
	ev_timer_set(&connection->stream_timer, (double)first_ms / 1000., interval_ms / 1000.);
	ev_timer_start(loop, &connection->stream_timer);
}

static void stream_start(struct connection *connection, struct varlink_call *call,
			 struct answer *answer)
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
	if (connection->subscription)
		subscription_watch(connection->subscription, on_events, renew_standing, connection);
	if (connection->subscription) {
		ev_timer_set(&connection->stream_timer, CONNECTION_GONE_S, CONNECTION_GONE_S);
		ev_timer_start(loop_of(connection), &connection->stream_timer);
	} else {
		start_stream_timer(connection, (int)answer->interval_ms);
	}
}

/* The events that wait for a subscriber, once it has read all that came before. */
static int queue_events(struct connection *connection)
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

static void listing_stop(struct connection *connection)
{
	account_output(connection, 0, connection->listing_bytes);
	connection->listing_bytes = 0;
	listing_free(connection->listing);
	connection->listing = NULL;
}

/* A piece of work on a long reply, which is queued when it is done. */
static int advance_listing(struct connection *connection)
{
	char *bytes;
	size_t size;
	int r;

	if (!connection->listing)
		return 0;
	r = listing_step(connection->listing, connection->streaming, &bytes, &size);
	if (r > 0) {
		size = listing_size(connection->listing);
		account_output(connection, size, connection->listing_bytes);
		connection->listing_bytes = size;
		schedule_add(&connection->server->schedule, &connection->turn);
		return 0;
	}
	listing_stop(connection);
	if (r == -EMSGSIZE) {
		stream_stop(connection);
		counters_error(DUNE_ERROR("ReplyTooLarge"));
		r = encode_too_large(&bytes, &size);
	}
	return r < 0 ? r : output_queue(connection, bytes, size, -1);
}

/* Sends the answer on its way. If it streams, the connection takes the call. */
static int give_answer(struct connection *connection, struct varlink_call *call, bool again,
		       struct answer *answer)
{
	bool continues = false;
	int r = 0;

	if (!again && (answer->interval_ms || answer->subscription) && !answer->error[0])
		r = stream_check(connection, answer);
	if (r < 0)
		return r;
	if (answer->listing && !answer->error[0]) {
		connection->listing = answer->listing;
		answer->listing = NULL;
		if (!again && (answer->interval_ms || answer->subscription))
			stream_start(connection, call, answer);
		return 0;
	}
	r = queue_answer(connection, answer, &continues);
	if (r < 0)
		return r;
	if (again && !continues) {
		stream_stop(connection);
	} else if (!again && continues) {
		stream_start(connection, call, answer);
	}
	return 0;
}

/* ---- calls whose answer comes later ---- */

static bool call_waits(const struct connection *connection)
{
	return connection->job || asking_active(&connection->asking);
}

/* What the call waits for is there: it goes on when the connection has its turn. */
static void on_ready(void *data)
{
	struct connection *connection = data;

	schedule_add(&connection->server->schedule, &connection->turn);
}

static void job_stop(struct connection *connection)
{
	job_release(connection->job);
	connection->job = NULL;
	varlink_call_done(&connection->job_call);
}

/* Takes the job and the call, which the ones after it wait for. */
static void job_start(struct connection *connection, struct varlink_call *call,
		      struct answer *answer)
{
	connection->job = answer->job;
	answer->job = NULL;
	connection->job_call = *call;
	*call = (struct varlink_call){ 0 };
	job_wait(connection->job, on_ready, connection);
}

/* Takes the call when it needs it longer. */
static int take_answer(struct connection *connection, struct varlink_call *call, bool again,
		       struct answer *answer)
{
	if (answer->job)
		job_start(connection, call, answer);
	else if (!(call->flags & VARLINK_ONEWAY))
		return give_answer(connection, call, again, answer);
	return 0;
}

static int finish_asking(struct connection *connection)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	struct asking *asking = &connection->asking;
	int r;

	renew_standing(connection);
	r = asking_answer(asking, connection->server->manager, &connection->peer, &answer);
	if (!r)
		r = take_answer(connection, &asking->call, false, &answer);
	asking_done(asking);
	return r;
}

static int job_end(struct connection *connection)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	struct varlink_call *call = &connection->job_call;
	int r;

	if (!connection->job || !job_finished(connection->job))
		return 0;
	renew_standing(connection);
	r = methods_finish(connection->server->manager, &connection->peer, call, connection->job,
			   &answer);
	if (!r)
		r = take_answer(connection, call, false, &answer);
	job_stop(connection);
	return r;
}

/* Answers a call, or a stream's call again; takes it when it needs it longer. */
static int answer_call(struct connection *connection, struct varlink_call *call, bool again)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	int r;

	renew_standing(connection);
	r = methods_answer(connection->server->manager, &connection->peer, call, &answer);
	if (!r && answer.ask)
		asking_begin(&connection->asking, connection->server->manager, &connection->peer,
			     call, answer.ask, on_ready, connection);
	else if (!r)
		r = take_answer(connection, call, again, &answer);
	return r;
}

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
	r = answer_call(connection, &call, false);
	varlink_call_done(&call);
	return r;
}

/*
 * Calls wait while too much output does, of the connection, its user or all. A connection without any
 * may always answer one, so that none waits for another's client.
 */
static bool may_answer(const struct connection *connection)
{
	if (connection->streaming || connection->listing || call_waits(connection) ||
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
	int64_t start = schedule_clock();
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
		connection->last_call = ev_now(loop_of(connection));
		r = handle_message(connection, message, size);
		if (r < 0)
			return r;
		more_calls = schedule_take_call(schedule, connection->turn.user,
						is_privileged(connection)) &&
			     schedule_clock() - start < CONNECTION_TURN_NS;
	}
	*ret_more = true;
	return 0;
}

/* ---- input ---- */

/* Clients have no business sending descriptors: closes them and says how many there were. */
static size_t close_received(struct msghdr *message)
{
	size_t count = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t nr_fds;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		nr_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < nr_fds; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			close(fd);
		}
		count += nr_fds;
	}
	return count;
}

/* Reads once. -EAGAIN nothing there, -errno the client is gone or misbehaves. */
static int receive(struct connection *connection)
{
	char control[CMSG_SPACE(SCM_MAX_FDS * sizeof(int))] __attribute__((aligned(8)));
	char bytes[CONNECTION_READ_SIZE];
	struct iovec vector = { bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do {
		n = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (close_received(&message) || message.msg_flags & MSG_CTRUNC) {
		log_end(connection, MESSAGE_CLIENT_DESCRIPTORS, "it sent file descriptors");
		return -EPROTO;
	}
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

/*
 * Answers and sends what can be, then waits for the right things. Frees the connection when its
 * work is over or it failed.
 */
static void connection_update(struct connection *connection)
{
	struct ev_loop *loop = loop_of(connection);
	size_t pending;
	bool more, reading;

	if (handle_input(connection, &more) < 0 || advance_listing(connection) < 0 ||
	    output_flush(connection) < 0 || queue_events(connection) < 0 ||
	    output_flush(connection) < 0) {
		connection_free(connection);
		return;
	}
	/* Flushing may have made room for calls that had to wait. */
	more = more && may_answer(connection);
	if (connection->input_ended && !more && !connection->listing &&
	    STAILQ_EMPTY(&connection->outputs) &&
	    ((!connection->streaming && !call_waits(connection)) || peer_hung_up(connection))) {
		connection_free(connection);
		return;
	}
	pending = varlink_input_pending(&connection->input);
	reading = !connection->input_ended && pending < VARLINK_MAX_CALL;
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
	bool busy;

	if (connection->readable) {
		connection->readable = false;
		r = receive(connection);
	}
	/* If the client still reads the last sample, it misses this one. */
	busy = connection->listing || !STAILQ_EMPTY(&connection->outputs);
	if (connection->sample_due && !connection->subscription && busy)
		counter_add(COUNTER_SAMPLES_MISSED, 1);
	if ((!r || r == -EAGAIN) && connection->sample_due && !connection->subscription && !busy)
		r = answer_call(connection, &connection->stream_call, true);
	connection->sample_due = false;
	if ((!r || r == -EAGAIN) && asking_ready(&connection->asking))
		r = finish_asking(connection);
	if (!r || r == -EAGAIN)
		r = job_end(connection);
	if (r < 0 && r != -EAGAIN) {
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
	ev_tstamp rest = connection->last_call + (ev_tstamp)idle_s - ev_now(loop);

	if (connection->streaming || call_waits(connection) || !idle_s ||
	    rest > CONNECTION_IDLE_LOOK_S)
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
		close(fd);
		return NULL;
	}
	connection->server = server;
	connection->peer = *peer;
	connection->generation = server->manager->generation;
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
	connection->last_call = ev_now(server->loop);
	if (connection->turn.urgent)
		ev_set_priority(&connection->watcher, EV_MAXPRI);
	ev_io_start(server->loop, &connection->watcher);
	ev_timer_start(server->loop, &connection->idle_timer);
	return connection;
}

bool connection_busy(const struct connection *connection)
{
	char byte;

	if (connection->listing || call_waits(connection) || !STAILQ_EMPTY(&connection->outputs))
		return true;
	if (connection->streaming)
		return false;
	return varlink_input_pending(&connection->input) > 0 ||
	       recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void connection_free(struct connection *connection)
{
	struct ev_loop *loop = loop_of(connection);
	struct output *output;

	stream_stop(connection);
	listing_stop(connection);
	asking_done(&connection->asking);
	job_stop(connection);
	ev_io_stop(loop, &connection->watcher);
	ev_timer_stop(loop, &connection->input_timer);
	ev_timer_stop(loop, &connection->output_timer);
	ev_timer_stop(loop, &connection->idle_timer);
	schedule_remove(&connection->server->schedule, &connection->turn);
	account_output(connection, 0, connection->output_bytes);
	while ((output = STAILQ_FIRST(&connection->outputs))) {
		STAILQ_REMOVE_HEAD(&connection->outputs, link);
		output_free(output);
	}
	varlink_input_done(&connection->input);
	close(connection->fd);
	peer_done(&connection->peer);
	users_put(&connection->server->users, connection->turn.user);
	server_remove(connection->server, connection);
	free(connection);
}
