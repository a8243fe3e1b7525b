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

#include "duned/connection.h"
#include "duned/counters.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/peer.h"
#include "proto/methods.h"
#include "proto/names.h"
#include "proto/varlink.h"

static size_t server_count(const struct server *server, uint32_t uid)
{
	const struct connection *connection;
	size_t count = 0;

	TAILQ_FOREACH(connection, &server->connections, link)
	count += connection->peer.uid == uid;
	return count;
}

static int read_peer(const struct server *server, int fd, struct peer *ret_peer)
{
	const struct manager *manager = server->manager;
	int r = peer_read(fd, manager->identity_complete, ret_peer);

	if (r < 0)
		return r;
	ret_peer->administrator =
		access_is_administrator(&manager->config.administrators, ret_peer);
	return 0;
}

/* Which limit a new connection would break, NULL for none. */
static const char *server_limit(const struct server *server, const struct peer *peer,
				int64_t *ret_maximum, size_t *ret_used)
{
	const struct config *config = &server->manager->config;
	int64_t maximum = config->connections_per_host;

	if (peer->uid != 0)
		maximum = maximum > SERVER_ROOT_RESERVE ? maximum - SERVER_ROOT_RESERVE : 1;
	*ret_maximum = maximum;
	*ret_used = server->nr_connections;
	if (*ret_used >= (size_t)maximum)
		return "connections";
	*ret_maximum = config->connections_per_user;
	*ret_used = server_count(server, peer->uid);
	return *ret_used >= (size_t)*ret_maximum ? "connections_per_user" : NULL;
}

/* The answer to whatever the client is about to ask, without waiting for it. */
static void refuse(int fd, const struct peer *peer, const char *limit, int64_t maximum, size_t used)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, "limit", limit) &&
		  json_put_int(parameters, "maximum", (uint64_t)maximum) &&
		  json_put_int(parameters, "used", used);
	size_t size;
	char *bytes;

	log_client_message(
		peer->uid, MESSAGE_CONNECTIONS_LIMIT,
		LOG_FIELDS(LOG_TEXT("DUNE_LIMIT", limit), LOG_NUMBER("DUNE_MAXIMUM", maximum),
			   LOG_NUMBER("DUNE_USED", used), LOG_NUMBER("DUNE_PID", peer->pid)),
		"refused: %zu of %lld %s", used, (long long)maximum, limit);
	if (ok && varlink_reply_encode(DUNE_ERROR("QuotaExceeded"), parameters, false, &bytes,
				       &size) == 0) {
		/* A new socket's buffer takes it; if not, the client sees the end of the stream. */
		if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("refusal not sent: %s", strerror(errno));
		free(bytes);
	}
	json_object_put(parameters);
}

static void server_admit(struct server *server, int fd)
{
	struct connection *connection;
	const char *limit;
	struct peer peer;
	int64_t maximum;
	uint32_t uid;
	size_t used;
	int r;

	r = read_peer(server, fd, &peer);
	if (r < 0) {
		log_warning("a client without credentials: %s", strerror(-r));
		close(fd);
		return;
	}
	uid = peer.uid;
	limit = server_limit(server, &peer, &maximum, &used);
	if (limit) {
		counter_add(!strcmp(limit, "connections") ? COUNTER_REFUSED_HOST :
							    COUNTER_REFUSED_USER,
			    1);
		refuse(fd, &peer, limit, maximum, used);
		peer_done(&peer);
		close(fd);
		return;
	}
	connection = connection_new(server, fd, &peer);
	if (!connection) {
		log_client_message(uid, MESSAGE_RESOURCES, NULL, "refused: out of memory");
		return;
	}
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	server->nr_connections++;
	counter_add(COUNTER_CONNECTIONS, 1);
	counter_add(COUNTER_CONNECTIONS_NOW, 1);
}

/* Out of descriptors or memory: the clients wait in the backlog, the loop does not spin. */
static void server_pause(struct server *server, int error)
{
	if (ev_now(server->loop) - server->pause_logged >= SERVER_PAUSE_LOG_S) {
		log_message(LOG_WARNING, MESSAGE_RESOURCES,
			    LOG_FIELDS(LOG_TEXT("DUNE_ERROR", dune_errno_name(error))),
			    "clients have to wait: %s", strerror(error));
		server->pause_logged = ev_now(server->loop);
	}
	ev_io_stop(server->loop, &server->watcher);
	ev_timer_set(&server->pause, SERVER_ACCEPT_PAUSE_S, 0.);
	ev_timer_start(server->loop, &server->pause);
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct server *server = watcher->data;

	for (int i = 0; i < SERVER_ACCEPT_BATCH; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			server_admit(server, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			server_pause(server, errno);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("accept failed: %s", strerror(errno));
		return;
	}
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct server *server = timer->data;

	ev_io_start(loop, &server->watcher);
}

void server_init(struct server *server, struct manager *manager, struct ev_loop *loop, int fd)
{
	*server = (struct server){ .manager = manager, .loop = loop, .fd = fd };
	TAILQ_INIT(&server->connections);
	ev_timer_init(&server->pause, on_pause_over, SERVER_ACCEPT_PAUSE_S, 0.);
	server->pause.data = server;
	ev_io_init(&server->watcher, on_accept, fd, EV_READ);
	server->watcher.data = server;
	ev_io_start(loop, &server->watcher);
}

void server_done(struct server *server)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&server->connections)))
		connection_free(connection);
	ev_timer_stop(server->loop, &server->pause);
	ev_io_stop(server->loop, &server->watcher);
	close(server->fd);
}

void server_refuse_new(struct server *server)
{
	ev_timer_stop(server->loop, &server->pause);
	ev_io_stop(server->loop, &server->watcher);
}

void server_remove(struct server *server, struct connection *connection)
{
	TAILQ_REMOVE(&server->connections, connection, link);
	server->nr_connections--;
	counter_sub(COUNTER_CONNECTIONS_NOW, 1);
}
