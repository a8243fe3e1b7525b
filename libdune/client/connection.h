/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection to the service: bytes and descriptors, with deadlines. Knows messages only as far as
 * proto/varlink cuts them out of the stream; never looks into one.
 */
#ifndef DUNE_CLIENT_CONNECTION_H
#define DUNE_CLIENT_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "proto/varlink.h"

/* Descriptors that may arrive with one message; a message with more is refused. */
#define CONNECTION_MAX_FDS 4

/* Deadline that never comes. */
#define CONNECTION_FOREVER UINT64_MAX

struct connection {
	int fd; /* -1: closed */
	struct varlink_input input;
	int fds[CONNECTION_MAX_FDS]; /* arrived with the message that is being received */
	unsigned int nr_fds;
};

/* CLOCK_MONOTONIC in milliseconds, `after_ms` from now. */
uint64_t connection_deadline(uint64_t after_ms);

/* Connects a new socket to the path. */
int connection_open(const char *path, uint64_t timeout_ms, int *ret_fd);

void connection_init(struct connection *connection, int fd);
void connection_close(struct connection *connection);
void connection_drop_fds(struct connection *connection);

/*
 * Sends all of it. -ETIMEDOUT, -EPIPE or -ECONNRESET when the peer is gone (a reply may still be there
 * to receive).
 */
int connection_send(struct connection *connection, const void *bytes, size_t size_bytes,
		    uint64_t deadline_ms);

/*
 * Waits for one whole message, valid until the next call here; descriptors that came with its first
 * byte stand in fds until taken or dropped. -ETIMEDOUT, -ECONNRESET, -EMSGSIZE, -ENOMEM, -EPROTO for
 * descriptors that are too many or came in the middle of a message.
 */
int connection_receive(struct connection *connection, uint64_t deadline_ms,
		       const char **ret_message, size_t *ret_size);

#endif
