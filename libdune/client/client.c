// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls and replies on one connection. Replies carry no ids, so after any failure in the middle of one
 * the connection is of no use and is closed; the next call says -ENOTCONN.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "libdune/client/client.h"
#include "libdune/client/error.h"

#define CLIENT_INTERFACE "io.dune.Manager."

int dune_client_new_fd(int fd, struct dune_client **ret_client)
{
	struct dune_client *client;

	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	connection_init(&client->connection, fd);
	client->timeout_ms = DUNE_CLIENT_TIMEOUT_MS;
	*ret_client = client;
	return 0;
}

int dune_client_new(const char *address, struct dune_client **ret_client)
{
	int fd, r;

	if (!address)
		address = secure_getenv("DUNE_SOCKET");
	if (!address || !address[0])
		address = DUNE_CLIENT_SOCKET;
	if (strncmp(address, "unix:", 5) == 0)
		address += 5;
	r = connection_open(address, DUNE_CLIENT_TIMEOUT_MS, &fd);
	if (r < 0)
		return r;
	return dune_client_new_fd(fd, ret_client);
}

static void client_forget_error(struct dune_client *client)
{
	client->error_name[0] = client->error_text[0] = '\0';
	json_object_put(client->error_parameters);
	client->error_parameters = NULL;
}

void dune_client_free(struct dune_client *client)
{
	if (!client)
		return;
	connection_close(&client->connection);
	client_forget_error(client);
	free(client);
}

void dune_client_set_timeout(struct dune_client *client, uint64_t timeout_ms)
{
	client->timeout_ms = timeout_ms ? timeout_ms : DUNE_CLIENT_TIMEOUT_MS;
}

const char *dune_client_error_name(const struct dune_client *client)
{
	return client->error_name[0] ? client->error_name : NULL;
}

const char *dune_client_error_text(const struct dune_client *client)
{
	return client->error_text;
}

static struct json_object *error_parameter(const struct dune_client *client, const char *parameter,
					   json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(client->error_parameters, json_type_object) ||
	    !json_object_object_get_ex(client->error_parameters, parameter, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

const char *dune_client_error_string(const struct dune_client *client, const char *parameter)
{
	struct json_object *value = error_parameter(client, parameter, json_type_string);

	return value ? json_object_get_string(value) : NULL;
}

uint64_t dune_client_error_number(const struct dune_client *client, const char *parameter)
{
	struct json_object *value = error_parameter(client, parameter, json_type_int);
	int64_t number = value ? json_object_get_int64(value) : 0;

	return number > 0 ? (uint64_t)number : 0;
}

int client_fail(struct dune_client *client, int error, const char *text)
{
	client_forget_error(client);
	snprintf(client->error_text, sizeof(client->error_text), "%s", text);
	connection_close(&client->connection);
	return error;
}

int client_send(struct dune_client *client, const char *method, struct json_object *parameters,
		unsigned int flags, uint64_t deadline_ms)
{
	char name[VARLINK_MAX_METHOD], *bytes;
	size_t size;
	int r;

	client_forget_error(client);
	snprintf(name, sizeof(name), CLIENT_INTERFACE "%s", method);
	r = varlink_call_encode(name, parameters, flags, &bytes, &size);
	json_object_put(parameters);
	if (r < 0)
		return client_fail(client, r, client_error_text(r));
	if (client->connection.fd < 0) {
		free(bytes);
		return client_fail(client, -ENOTCONN, client_error_text(-ENOTCONN));
	}
	if (varlink_input_pending(&client->connection.input) > 0) {
		free(bytes);
		return client_fail(client, -EPROTO, "the service replied to no call");
	}
	r = connection_send(&client->connection, bytes, size, deadline_ms);
	free(bytes);
	/* A service that refuses the connection says why and closes: the reply is still to be read. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return client_fail(client, r, client_error_text(r));
	return 0;
}

static int client_error_reply(struct dune_client *client, struct varlink_reply *reply)
{
	size_t length = strlen(reply->error);
	int r;

	if (length >= sizeof(client->error_name)) {
		varlink_reply_done(reply);
		return client_fail(client, -EPROTO, "the name of the error is too long");
	}
	r = client_error_translate(reply->error, reply->parameters, client->error_text,
				   sizeof(client->error_text));
	for (size_t i = 0; i <= length; i++) {
		char c = reply->error[i];

		client->error_name[i] = !c || (c > ' ' && c <= '~') ? c : '?';
	}
	client->error_parameters = json_object_get(reply->parameters);
	varlink_reply_done(reply);
	return r;
}

int client_reply(struct dune_client *client, unsigned int nr_fds, uint64_t deadline_ms,
		 struct varlink_reply *ret_reply)
{
	struct varlink_reply reply;
	const char *message, *why = NULL;
	size_t size;
	int r;

	r = connection_receive(&client->connection, deadline_ms, &message, &size);
	if (r < 0)
		return client_fail(client, r,
				   r == -EPROTO ? "the reply brings wrong descriptors" :
						  client_error_text(r));
	r = varlink_reply_decode(message, size, &reply, &why);
	if (r < 0)
		return client_fail(client, r, why ? why : client_error_text(r));
	if (client->connection.nr_fds != (reply.error ? 0 : nr_fds)) {
		varlink_reply_done(&reply);
		return client_fail(client, -EPROTO, "the reply brings wrong descriptors");
	}
	if (reply.error)
		return client_error_reply(client, &reply);
	*ret_reply = reply;
	return 0;
}

int client_call(struct dune_client *client, const char *method, struct json_object *parameters,
		unsigned int nr_fds, struct varlink_reply *ret_reply)
{
	uint64_t deadline_ms = connection_deadline(client->timeout_ms);
	struct varlink_reply reply;
	int r;

	r = client_send(client, method, parameters, 0, deadline_ms);
	if (r < 0)
		return r;
	r = client_reply(client, nr_fds, deadline_ms, &reply);
	if (r < 0)
		return r;
	if (reply.continues) {
		varlink_reply_done(&reply);
		return client_fail(client, -EPROTO, "the service wants to send more replies");
	}
	*ret_reply = reply;
	return 0;
}

int client_decode(struct dune_client *client, const struct decode_struct *shape,
		  struct varlink_reply *reply, void **ret_result)
{
	const char *key = "";
	char text[128];
	int r;

	r = decode_new(shape, reply->parameters, ret_result, &key);
	varlink_reply_done(reply);
	if (r == -EPROTO) {
		snprintf(text, sizeof(text), "the reply has no right '%s'", key);
		return client_fail(client, r, text);
	}
	if (r < 0)
		return client_fail(client, r, client_error_text(r));
	return 0;
}
