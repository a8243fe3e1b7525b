/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What waits to be sent to a client: encoded messages and the descriptors that ride on them. Owns both
 * until the client has them; must never block, and counts every byte for the connection, its user and
 * the service.
 */
#ifndef DUNED_OUTPUT_H
#define DUNED_OUTPUT_H

#include <stddef.h>
#include <sys/queue.h>

struct connection;

/* One message. */
struct output {
	STAILQ_ENTRY(output) link;
	char *bytes;
	size_t size;
	size_t sent;
	int fd; /* rides on the first byte; -1 for none */
};
STAILQ_HEAD(output_queue, output);

/* Queues an encoded message; takes bytes and fd, also on failure. -ENOMEM. */
int output_queue(struct connection *connection, char *bytes, size_t size, int fd);

/* Sends what the socket takes. 0 also when it takes no more for now; -errno: the client is gone. */
int output_flush(struct connection *connection);

/* Gives up what waits. */
void output_done(struct connection *connection);

/* The bytes change that the client makes the service hold: queued ones, or those of a long reply in the making. */
void output_account(struct connection *connection, size_t added, size_t removed);

#endif
