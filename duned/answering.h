/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection's answers: at once, in pieces, later (polkit is asked, the disk is waited for), or again
 * and again (stream.h). Owns the calls that are on their way; one connection has one at a time, and the
 * calls after it wait.
 */
#ifndef DUNED_ANSWERING_H
#define DUNED_ANSWERING_H

#include <stdbool.h>

struct connection;
struct server;
struct user;
struct varlink_call;

/*
 * Answers a call, or (`again`) a stream's call again; takes it when it needs it longer. Like the others
 * 0, or -errno when the connection can't go on.
 */
int answering_call(struct connection *connection, struct varlink_call *call, bool again);

/* With the connection's turn: a sample that is due, a call whose answer is there. */
int answering_go_on(struct connection *connection);

/* A piece of work on a long reply, which is queued when it is done. */
int answering_advance(struct connection *connection);

/* Of this user less output waits, or a long reply is made: is it time for the next one's? */
void answering_wake_listing(struct server *server, struct user *user);

/* Does a call wait for something that comes later? */
bool answering_waits(const struct connection *connection);

/* Gives up the call that is on its way. */
void answering_stop(struct connection *connection);

/*
 * Who is an administrator or observer is looked at with the first call, and may have changed since. `data`
 * is the connection.
 */
void answering_renew_standing(void *data);

#endif
