/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ends of clients' sockets. What a client sent and nobody read may hold descriptors, and to drop
 * the last one of a file can wait (a TCP socket that lingers) or take long (a deleted file of
 * gigabytes): a thread does that. Owns the queue to it; must never let the loop drop what is not the
 * service's own.
 */
#ifndef DUNED_CLOSER_H
#define DUNED_CLOSER_H

#include <stdbool.h>

#define CLOSER_QUEUE	   1024 /* sockets that wait, before no more clients are accepted */
#define CLOSER_PATIENCE_NS 100000 /* before a wait is interrupted, and again each time as long */
#define CLOSER_STOP_S	   2 /* that the end waits for it; what is left ends with the process */
#define CLOSER_NAME	   "duned-closer" /* of the thread */

/* Starts the thread. -errno: the loop closes everything itself. */
int closer_start(void);
void closer_stop(void);

/* Closes a stream socket, which the client may have filled; never waits. */
void closer_close(int fd);

/* So many wait that clients have to wait, too. */
bool closer_is_full(void);

#endif
