/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a decoded call to an answer: find the method, authorize, decode, act, reply. Knows nothing
 * of sockets; must never act for a peer that policy has not passed.
 */
#ifndef DUNED_METHODS_H
#define DUNED_METHODS_H

#include "duned/manager.h"
#include "duned/policy.h"
#include "proto/varlink.h"

struct job;
struct json_object;
struct listing;
struct subscription;

/* Set in a repeated call's flags: a sample that others got a moment ago will do. */
#define METHODS_AGAIN (1u << 31)

struct answer {
	const char *ask; /* the polkit action that may allow the call; nothing else is set then */
	char error[VARLINK_MAX_METHOD]; /* full name, empty on success */
	struct json_object *parameters; /* owned; NULL for none */
	const char *text; /* not NULL: instead of parameters, their JSON text; it is the method's */
	size_t text_size;
	int fd; /* owned; for the reply's first byte; -1: none */
	unsigned int interval_ms; /* not 0: ask again so often, as the call had `more` */
	struct subscription *subscription; /* owned; its events follow this reply */
	struct listing *listing; /* owned; makes the reply instead of `parameters` */
	struct job *job; /* owned; the answer comes when it is finished, by methods_finish() */
};

/*
 * Answers one call, or says in answer.ask that polkit is to be asked first: then the same call is passed
 * again with what it said in peer->asked. 0, or -errno for a fault of the service itself (out of memory), without an
 * answer. A repeated call (interval_ms) is answered by passing the same call again; it may have
 * been rewritten to name its context by id.
 */
int methods_answer(struct manager *manager, const struct peer *peer, struct varlink_call *call,
		   struct answer *ret_answer);
void answer_done(struct answer *answer);

/* The answer to the call that a job was made for, once that is finished; as methods_answer(). */
int methods_finish(struct manager *manager, const struct peer *peer, struct varlink_call *call,
		   struct job *job, struct answer *ret_answer);

/* Makes *answer an error; takes the reference of parameters, which must not be NULL. -ENOMEM. */
int answer_error(struct answer *answer, const char *error, struct json_object *parameters);

#endif
