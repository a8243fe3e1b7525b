/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client: one connection, its timeout and what its last failure was. client.c owns calls and replies;
 * methods.c owns what the interface's methods take and give.
 */
#ifndef DUNE_CLIENT_CLIENT_H
#define DUNE_CLIENT_CLIENT_H

#include <stdint.h>

#include <dune/client.h>

#include "libdune/client/connection.h"
#include "libdune/client/decode.h"

#define CLIENT_MAX_TEXT 512

struct json_object;

struct dune_client {
	struct connection connection;
	uint64_t timeout_ms;
	char error_name[VARLINK_MAX_METHOD]; /* empty: the last failure was no error reply */
	char error_text[CLIENT_MAX_TEXT];
	struct json_object *error_parameters; /* of the last error reply; NULL: none */
};

/*
 * Sends a call; the parameters are freed. Replies are then taken with client_reply(). `method` is
 * without its interface.
 */
int client_send(struct dune_client *client, const char *method, struct json_object *parameters,
		unsigned int flags, uint64_t deadline_ms);

/*
 * Takes one reply that comes with exactly nr_fds descriptors (left in the connection). An error reply
 * gives its errno and never has descriptors. Every other failure ends the connection.
 */
int client_reply(struct dune_client *client, unsigned int nr_fds, uint64_t deadline_ms,
		 struct varlink_reply *ret_reply);

/* One call, one reply. */
int client_call(struct dune_client *client, const char *method, struct json_object *parameters,
		unsigned int nr_fds, struct varlink_reply *ret_reply);

/* Decodes a reply's parameters and ends the reply. A reply that does not fit ends the connection. */
int client_decode(struct dune_client *client, const struct decode_struct *shape,
		  struct varlink_reply *reply, void **ret_result);

/* Notes a failure that is no error reply, ends the connection, and returns the error. */
int client_fail(struct dune_client *client, int error, const char *text);

#endif
