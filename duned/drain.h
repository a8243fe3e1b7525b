/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service's way to an end on which no call is lost: takes no new client (they wait in systemd's
 * socket for the next instance), answers what has arrived, then ends the loop. Must never wait for
 * longer than its limit, whatever clients do.
 */
#ifndef DUNED_DRAIN_H
#define DUNED_DRAIN_H

#include <ev.h>
#include <stdbool.h>

#include "duned/server.h"

#define DRAIN_LIMIT_S	2.0	/* then whoever is left is disconnected */
#define DRAIN_SILENT_S	0.25	/* for a client that has connected and not called yet */
#define DRAIN_TICK_S	0.005	/* between two looks */

struct drain {
	struct server *server;
	ev_timer timer;
	int64_t begin_ns;
	bool active;
};

void drain_init(struct drain *drain, struct server *server);
void drain_done(struct drain *drain);

/* The second time it does not wait any more. */
void drain_begin(struct drain *drain);

#endif
