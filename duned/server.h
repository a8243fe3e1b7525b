/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The listening sockets, who may be connected, and what all clients together may make the service
 * hold. Owns the connections; must never block, and never let one client's behaviour cost another its
 * answer. The admin socket has connections of its own and is served before the public one.
 */
#ifndef DUNED_SERVER_H
#define DUNED_SERVER_H

#include <ev.h>
#include <stddef.h>
#include <sys/queue.h>

#include "duned/manager.h"
#include "duned/policy.h"
#include "duned/schedule.h"
#include "duned/user.h"

#define SERVER_BACKLOG		1024	/* of a socket of our own */
#define SERVER_ACCEPT_BATCH	8	/* connections accepted in one turn of the loop */
#define SERVER_ACCEPT_PAUSE_S	0.25	/* when descriptors or memory ran out */
#define SERVER_PAUSE_LOG_S	10.0	/* between two messages about that */
#define SERVER_ROOT_RESERVE	16	/* of the host's maximum, for root only */
#define SERVER_ADMIN_MAX	32	/* connections to the admin socket ... */
#define SERVER_ADMIN_ROOT	8	/* ... of which so many are kept for root, ... */
#define SERVER_ADMIN_USER_MAX	8	/* ... and of one administrator */
#define SERVER_STREAMS		1024	/* calls with `more` that are being answered ... */
#define SERVER_USER_STREAMS	64	/* ... and of one user, or half of its connections */
#define SERVER_OUTPUT		(128 << 20)	/* bytes that wait: calls wait too ... */
#define SERVER_USER_OUTPUT	(16 << 20)	/* ... and of one user */

struct connection;
TAILQ_HEAD(connection_list, connection);

struct listener {
	struct server *server;
	enum policy_socket socket;
	int fd;			/* -1: there is none */
	ev_io watcher;
	ev_timer pause;
	int64_t pause_logged_ns;
	size_t nr_connections;
};

struct server {
	struct manager *manager;
	struct ev_loop *loop;
	struct listener listeners[NR_POLICY_SOCKETS];
	struct connection_list connections;
	struct users users;
	struct schedule schedule;
	size_t nr_streams;
	size_t output_bytes;	/* that wait in all connections */
};

/* Takes the listening sockets, by enum policy_socket, which must be non-blocking; -1 for none. */
void server_init(struct server *server, struct manager *manager, struct ev_loop *loop,
		 const int fds[NR_POLICY_SOCKETS]);
void server_done(struct server *server);

/* From now on clients stay in the listening socket. */
void server_refuse_new(struct server *server);

/* Called by a connection that is going away. */
void server_remove(struct server *server, struct connection *connection);

/*
 * Makes a connection of a socket that somebody else accepted, as if it had come by this listener.
 * Takes fd. The connection, or NULL when it was refused.
 */
struct connection *server_admit(struct server *server, enum policy_socket socket, int fd);

#endif
