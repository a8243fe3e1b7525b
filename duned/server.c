// SPDX-License-Identifier: LGPL-2.1-or-later
/* Accepting clients; see server.h. */
#include "duned/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/clock.h"
#include "duned/closer.h"
#include "duned/connection.h"
#include "duned/counters.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/peer.h"
#include "proto/methods.h"
#include "proto/names.h"
#include "proto/varlink.h"

/*
 * What is sent out of band comes in its place: the kernel would pass over it in a look, and drop it, with
 * the descriptors that it has, in a read.
 */
static int take_urgent_inline(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int read_peer(const struct listener *listener, int fd, struct peer *ret_peer)
{
	const struct manager *manager = listener->server->manager;
	int r = take_urgent_inline(fd);

	if (!r)
		r = peer_read(fd, manager->identity_complete, ret_peer);
	if (r < 0)
		return r;
	ret_peer->socket = listener->socket;
	return 0;
}

/* A limit that a new connection would break. */
struct refusal {
	const char *limit; /* NULL: none */
	int64_t maximum;
	size_t used;
};

static struct refusal admin_limit(const struct listener *listener, const struct peer *peer)
{
	const struct subids *subids = &listener->server->manager->subids;
	const uint32_t user = subids_user(subids, peer->uid);
	const struct connection *connection;
	size_t maximum = SERVER_ADMIN_MAX - (peer->uid ? SERVER_ADMIN_ROOT : 0), own = 0;

	if (listener->nr_connections >= maximum)
		return (struct refusal){ "connections", (int64_t)maximum,
					 listener->nr_connections };
	if (peer->uid == 0)
		return (struct refusal){ 0 };
	TAILQ_FOREACH(connection, &listener->server->connections, link)
	own += connection->peer.socket == POLICY_ADMIN &&
	       subids_user(subids, connection->peer.uid) == user;
	if (own >= SERVER_ADMIN_USER_MAX)
		return (struct refusal){ "connections_per_user", SERVER_ADMIN_USER_MAX, own };
	return (struct refusal){ 0 };
}

static struct refusal public_limit(const struct listener *listener, const struct peer *peer)
{
	const struct config *config = &listener->server->manager->config;
	int64_t maximum = config->connections_per_host;
	size_t own;

	if (peer->uid != 0)
		maximum = maximum > SERVER_ROOT_RESERVE ? maximum - SERVER_ROOT_RESERVE : 1;
	if (listener->nr_connections >= (size_t)maximum)
		return (struct refusal){ "connections", maximum, listener->nr_connections };
	own = users_count(&listener->server->users, peer->uid);
	if (own >= (size_t)config->connections_per_user)
		return (struct refusal){ "connections_per_user", config->connections_per_user,
					 own };
	return (struct refusal){ 0 };
}

/* The answer to whatever the client is about to ask, without waiting for it. Takes parameters. */
static void send_refusal(int fd, const char *error, struct json_object *parameters)
{
	size_t size;
	char *bytes;

	if (parameters && varlink_reply_encode(error, parameters, false, &bytes, &size) == 0) {
		/* A new socket's buffer takes it; if not, the client sees the end of the stream. */
		if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("refusal not sent: %s", strerror(errno));
		free(bytes);
	}
	json_object_put(parameters);
}

static void refuse_limit(int fd, const struct peer *peer, const struct refusal *refusal)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", refusal->limit) &&
		  json_put_int(parameters, "maximum", (uint64_t)refusal->maximum) &&
		  json_put_int(parameters, "used", refusal->used);

	log_client_message(peer->uid, MESSAGE_CONNECTIONS_LIMIT,
			   LOG_FIELDS(LOG_TEXT("DUNE_LIMIT", refusal->limit),
				      LOG_NUMBER("DUNE_MAXIMUM", refusal->maximum),
				      LOG_NUMBER("DUNE_USED", refusal->used),
				      LOG_NUMBER("DUNE_PID", peer->pid)),
			   "refused: %zu of %lld %s", refusal->used, (long long)refusal->maximum,
			   refusal->limit);
	counter_add(!strcmp(refusal->limit, "connections") ? COUNTER_REFUSED_HOST :
							     COUNTER_REFUSED_USER,
		    1);
	send_refusal(fd, DUNE_ERROR("QuotaExceeded"), json_finish(parameters, ok));
}

static bool check_limit(const struct listener *listener, int fd, const struct peer *peer)
{
	struct refusal refusal = listener->socket == POLICY_ADMIN ? admin_limit(listener, peer) :
								    public_limit(listener, peer);

	if (refusal.limit)
		refuse_limit(fd, peer, &refusal);
	return !refusal.limit;
}

/*
 * May the peer be connected? If not, it is told why. Its limits come first, and its groups are not looked
 * at before there is a call: who does nothing but connect costs as little as can be.
 */
static bool check_peer(const struct listener *listener, int fd, struct peer *peer)
{
	if (!check_limit(listener, fd, peer))
		return false;
	if (listener->socket != POLICY_ADMIN)
		return true;
	/* Who can't be judged is no administrator. */
	manager_judge(listener->server->manager, peer);
	if (policy_may_call(peer, ACCESS_ANYONE))
		return true;
	log_client_message(peer->uid, MESSAGE_ACCESS_DENIED,
			   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", "connect"),
				      LOG_NUMBER("DUNE_PID", peer->pid)),
			   "refused: no administrator (pid %d)", peer->pid);
	send_refusal(fd, VARLINK_ERROR("PermissionDenied"), json_object_new_object());
	return false;
}

struct connection *server_admit(struct server *server, enum policy_socket socket, int fd)
{
	struct listener *listener = &server->listeners[socket];
	struct connection *connection;
	struct peer peer;
	uint32_t uid;
	int r = read_peer(listener, fd, &peer);

	if (r < 0) {
		log_warning("a client without credentials: %s", strerror(-r));
		closer_close(fd);
		return NULL;
	}
	if (!check_peer(listener, fd, &peer)) {
		peer_done(&peer);
		closer_close(fd);
		return NULL;
	}
	uid = peer.uid;
	connection = connection_new(server, fd, &peer);
	if (!connection) {
		log_client_message(uid, MESSAGE_RESOURCES, NULL, "refused: out of memory");
		return NULL;
	}
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	listener->nr_connections++;
	counter_add(COUNTER_CONNECTIONS, 1);
	counter_add(COUNTER_CONNECTIONS_NOW, 1);
	return connection;
}

/* Out of descriptors or memory: the clients wait in the backlog, the loop does not spin. */
static void listener_pause(struct listener *listener, int error)
{
	struct ev_loop *loop = listener->server->loop;

	if (!listener->pause_logged_ns ||
	    clock_since(listener->pause_logged_ns) >= SERVER_PAUSE_LOG_S) {
		log_message(LOG_WARNING, MESSAGE_RESOURCES,
			    LOG_FIELDS(LOG_TEXT("DUNE_ERROR", dune_errno_name(error))),
			    "clients have to wait: %s", strerror(error));
		listener->pause_logged_ns = clock_ns();
	}
	ev_io_stop(loop, &listener->watcher);
	ev_timer_set(&listener->pause, SERVER_ACCEPT_PAUSE_S, 0.);
	ev_timer_start(loop, &listener->pause);
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct listener *listener = watcher->data;

	if (listener->socket == POLICY_PUBLIC && closer_is_full()) {
		listener_pause(listener, ENOBUFS);
		return;
	}
	for (int i = 0; i < SERVER_ACCEPT_BATCH; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			server_admit(listener->server, listener->socket, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listener_pause(listener, errno);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("accept failed: %s", strerror(errno));
		return;
	}
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct listener *listener = timer->data;

	ev_io_start(loop, &listener->watcher);
}

static void listener_init(struct server *server, enum policy_socket socket, int fd)
{
	struct listener *listener = &server->listeners[socket];

	*listener = (struct listener){ .server = server, .socket = socket, .fd = fd };
	ev_init(&listener->pause, on_pause_over);
	ev_io_init(&listener->watcher, on_accept, fd, EV_READ);
	listener->pause.data = listener->watcher.data = listener;
	if (socket == POLICY_ADMIN)
		ev_set_priority(&listener->watcher, EV_MAXPRI);
	if (fd >= 0)
		ev_io_start(server->loop, &listener->watcher);
}

void server_init(struct server *server, struct manager *manager, struct ev_loop *loop,
		 const int fds[NR_POLICY_SOCKETS])
{
	*server = (struct server){ .manager = manager, .loop = loop };
	TAILQ_INIT(&server->connections);
	users_init(&server->users);
	schedule_init(&server->schedule, loop);
	server->schedule.calls_per_second = &manager->config.calls_per_second;
	for (int i = 0; i < NR_POLICY_SOCKETS; i++)
		listener_init(server, (enum policy_socket)i, fds[i]);
}

void server_done(struct server *server)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&server->connections)))
		connection_free(connection);
	for (int i = 0; i < NR_POLICY_SOCKETS; i++) {
		struct listener *listener = &server->listeners[i];

		ev_timer_stop(server->loop, &listener->pause);
		ev_io_stop(server->loop, &listener->watcher);
		if (listener->fd >= 0)
			close(listener->fd);
	}
	schedule_done(&server->schedule);
	users_done(&server->users);
}

void server_refuse_new(struct server *server)
{
	for (int i = 0; i < NR_POLICY_SOCKETS; i++) {
		ev_timer_stop(server->loop, &server->listeners[i].pause);
		ev_io_stop(server->loop, &server->listeners[i].watcher);
	}
}

void server_remove(struct server *server, struct connection *connection)
{
	TAILQ_REMOVE(&server->connections, connection, link);
	server->listeners[connection->peer.socket].nr_connections--;
	counter_sub(COUNTER_CONNECTIONS_NOW, 1);
}
