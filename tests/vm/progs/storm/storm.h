/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The storm: what its processes share. The parent (storm.c) kills the service and checks
 * (verify.c) while the workers (worker.c) stand still; each worker is a user who knows what it
 * has.
 */
#ifndef STORM_H
#define STORM_H

#include <dune/client.h>
#include <stdbool.h>
#include <sys/types.h>

#define STORM_WORKERS	  4 /* the last one's contexts live through everything */
#define STORM_FIRST_UID	  1000
#define STORM_HELD_MAX	  6
#define STORM_LASTING	  3
#define STORM_POLL_USEC	  5000
#define STORM_PATIENCE_MS 120000 /* virtual, for anything */

enum held_state {
	HELD_NEW,
	HELD_STARTED, /* its program lives */
	HELD_ENDED,
};

/* A context of which a worker has the descriptor. */
struct held {
	uint64_t id;
	int fd;
	pid_t program;
	enum held_state state;
	bool kill_tried; /* by a call without an answer */
	struct dune_client_limits limits;
	struct dune_client_limits
		unanswered; /* that it may have instead: their call got no answer; no vcpus: none */
	uint64_t entries; /* as seen last */
};

struct worker {
	uid_t uid;
	pid_t pid;
	bool lasting;
	volatile bool parked;
	volatile unsigned int operations;
	unsigned int attempted, created, changed,
		dropped; /* calls to create; answered; likewise for limits; calls without an answer */
	unsigned int nr;
	struct held held[STORM_HELD_MAX];
};

struct storm {
	volatile bool park, stop, failed;
	struct worker workers[STORM_WORKERS];
};

extern struct storm *storm; /* in shared memory */

/* Says what is wrong, and ends this process and the storm. */
void storm_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A worker's whole life. */
void worker_run(struct worker *worker, unsigned int seed) __attribute__((noreturn));

/* While all workers stand still: does the service know exactly what they have? */
void verify(unsigned int round);

#endif
