/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The listening socket and how many may be connected. Owns the connections; must never block, and
 * never let one client's behaviour cost another its answer.
 */
#ifndef DUNED_SERVER_H
#define DUNED_SERVER_H

#include <ev.h>
#include <stddef.h>
#include <sys/queue.h>

#include "duned/manager.h"

#define SERVER_BACKLOG		1024	/* of a socket of our own */
#define SERVER_ACCEPT_BATCH	32	/* connections accepted in one turn of the loop */
#define SERVER_ACCEPT_PAUSE_S	0.25	/* when descriptors or memory ran out */
#define SERVER_PAUSE_LOG_S	10.0	/* between two messages about that */
#define SERVER_ROOT_RESERVE	16	/* of the host's maximum, for root only */

struct connection;
TAILQ_HEAD(connection_list, connection);

struct server {
	struct manager *manager;
	struct ev_loop *loop;
	int fd;
	ev_io watcher;
	ev_timer pause;
	ev_tstamp pause_logged;
	struct connection_list connections;
	size_t nr_connections;
};

/* Takes the listening socket, which must be non-blocking. */
void server_init(struct server *server, struct manager *manager, struct ev_loop *loop, int fd);
void server_done(struct server *server);

/* From now on clients stay in the listening socket. */
void server_refuse_new(struct server *server);

/* Called by a connection that is going away. */
void server_remove(struct server *server, struct connection *connection);

#endif
