/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client: bytes in, calls answered strictly in order, bytes and descriptors out. Owns
 * everything that the client can make the service hold, each with a limit; must never block on the
 * client.
 */
#ifndef DUNED_CONNECTION_H
#define DUNED_CONNECTION_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "duned/asking.h"
#include "duned/output.h"
#include "duned/policy.h"
#include "duned/server.h"
#include "proto/varlink.h"

#define CONNECTION_READ_SIZE	16384	/* bytes read in one turn of the loop */
#define CONNECTION_CALLS	16	/* calls answered in one turn ... */
#define CONNECTION_TURN_NS	100000	/* ... unless they take longer than this */
#define CONNECTION_OUTPUT_HIGH	262144	/* bytes waiting: calls wait too */
#define CONNECTION_FDS		16	/* descriptors waiting: calls wait too */
#define CONNECTION_IDLE_LOOK_S	60.0	/* how often an idle connection is looked at, at least */
#define CONNECTION_INPUT_S	10.0	/* to finish a message that was begun */
#define CONNECTION_OUTPUT_S	30.0	/* to take at least one byte of what waits */
#define CONNECTION_GONE_S	5.0	/* until a subscriber that shut down its side is looked after */

struct job;
struct listing;
struct subscription;

struct connection {
	TAILQ_ENTRY(connection) link;	/* of the server */
	struct server *server;
	struct peer peer;
	uint64_t start_ticks;		/* of the peer's process; 0: not read yet */
	int fd;
	struct turn turn;	/* in the schedule */
	bool readable;		/* something to read was seen since the last turn */
	bool sample_due;	/* its stream's time has come */
	ev_io watcher;
	ev_timer input_timer;	/* runs while a message is unfinished */
	ev_timer output_timer;	/* runs while output waits */
	ev_timer idle_timer;	/* looks now and then for how long nothing was asked */
	int64_t last_call_ns;
	struct varlink_input input;
	bool input_ended;	/* the client sends no more */
	bool called;		/* at least once */
	struct output_queue outputs;
	size_t output_bytes;
	unsigned int output_fds;
	/* A call with `more` that is answered again and again; later calls wait. */
	bool streaming;
	struct varlink_call stream_call;
	ev_timer stream_timer;
	struct subscription *subscription;	/* of a stream of events; else NULL */
	/* A call that polkit is asked about; later calls wait. */
	struct asking asking;
	/* A call whose answer takes its time; later calls wait. */
	struct job *job;
	struct varlink_call job_call;
	struct listing *listing;	/* a long reply in the making; calls wait */
	size_t listing_bytes;		/* of it, in output_bytes */
	TAILQ_ENTRY(connection) listing_link;	/* of its user, while there is one */
};

/* Takes fd and the peer, which may be judged or not. NULL when out of memory (both are gone then too). */
struct connection *connection_new(struct server *server, int fd, struct peer *peer);

/* Removes it from the server too. */
void connection_free(struct connection *connection);

/* Has a call begun to arrive that is not answered yet, or an answer not left? A stream counts as neither. */
bool connection_busy(const struct connection *connection);

#endif
