/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking polkit, over the system bus, whether a caller may do what the policy leaves open. Owns the
 * connection to the bus, made when it is first needed, and the questions that wait for an answer, each with
 * an end. Must never block, never let polkit bother a person, and never take anything for a yes but polkit's
 * own.
 */
#ifndef DUNED_POLKIT_H
#define DUNED_POLKIT_H

#include <ev.h>
#include <stddef.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "duned/policy.h"

/* Questions that wait: a yes to all at once fits into the worker's queue. */
#define POLKIT_ASKS	 56
#define POLKIT_USER_ASKS 8   /* those of one user, his subordinate uids among them */
#define POLKIT_ANSWER_S	 5.0 /* until a question is given up */
#define POLKIT_MESSAGES	 16  /* of the bus, read in one turn of the loop */

enum polkit_outcome {
	POLKIT_YES,
	POLKIT_NO,
	POLKIT_CHALLENGE,	/* it would have to ask a person */
	POLKIT_OFF,		/* the configuration has it no more */
	POLKIT_CANCELLED,
	POLKIT_ABSENT,		/* nobody has its name on the bus */
	POLKIT_UNREACHABLE,	/* there is no bus, or it went away */
	POLKIT_SILENT,		/* no answer in time */
	POLKIT_MALFORMED,	/* an answer that is none */
	POLKIT_FAILED,		/* it refuses the question, or there is no memory for it */
	POLKIT_BUSY,		/* too many wait */
	POLKIT_GONE,		/* the process that connected has ended */
	NR_POLKIT_OUTCOMES,
};

struct polkit_ask;
struct subids;
TAILQ_HEAD(polkit_asks, polkit_ask);

struct polkit {
	struct ev_loop *loop;	/* NULL: nothing can be asked */
	sd_bus *bus;		/* NULL: not connected */
	ev_io watcher;
	ev_timer timer;		/* the bus's own */
	struct polkit_asks asks;
	size_t nr_asks;
	const struct subids *subids;	/* whom an ask counts for; may be NULL */
};

void polkit_init(struct polkit *polkit, struct ev_loop *loop);

/* Whoever waits is told that the bus is unreachable; the next question connects again. */
void polkit_disconnect(struct polkit *polkit);

/*
 * Asks whether the peer may do the action; `method` is a detail for polkit's rules. All three stay where they
 * are until there is an outcome. `answered` is called with it once, from the loop, unless the ask is cancelled
 * before; it may do anything but disconnect. NULL with *ret_outcome, never POLKIT_YES, when there is an outcome
 * at once.
 */
struct polkit_ask *polkit_ask_new(struct polkit *polkit, const struct peer *peer,
				  const char *action, const char *method,
				  void (*answered)(void *data, enum polkit_outcome outcome),
				  void *data, enum polkit_outcome *ret_outcome);

/* Gives up; takes NULL. Not after the ask was answered. */
void polkit_ask_cancel(struct polkit_ask *ask);

/* Why not, for people: "polkit denies it". */
const char *polkit_reason(enum polkit_outcome outcome);

/* The outcome of an error reply, by the D-Bus error's name. */
enum polkit_outcome polkit_outcome_of(const char *error);

#endif
