// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The codec on any stream: the same messages whatever the pieces it arrives in, and what decodes can be
 * encoded and decodes to the same again.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/varlink.h"
#include "tests/fuzz/require.h"

#define MAX_MESSAGE 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_call(const char *message, size_t size)
{
	struct varlink_call call, again;
	size_t encoded_size;
	char *bytes;

	if (varlink_call_decode(message, size, &call, NULL) < 0)
		return;
	require(varlink_call_encode(call.method, call.parameters, call.flags, &bytes,
				    &encoded_size) == 0);
	require(varlink_call_decode(bytes, encoded_size - 1, &again, NULL) == 0);
	require(!strcmp(call.method, again.method) && call.flags == again.flags);
	require(json_object_equal(call.parameters, again.parameters));
	varlink_call_done(&again);
	varlink_call_done(&call);
	free(bytes);
}

static void check_reply(const char *message, size_t size)
{
	struct varlink_reply reply, again;
	size_t encoded_size;
	char *bytes;

	if (varlink_reply_decode(message, size, &reply, NULL) < 0)
		return;
	require(varlink_reply_encode(reply.error, reply.parameters, reply.continues, &bytes,
				     &encoded_size) == 0);
	require(varlink_reply_decode(bytes, encoded_size - 1, &again, NULL) == 0);
	require(!reply.error == !again.error && reply.continues == again.continues);
	require(json_object_equal(reply.parameters, again.parameters));
	varlink_reply_done(&again);
	varlink_reply_done(&reply);
	free(bytes);
}

/* Feeds in pieces of step bytes; returns a hash of the messages and how it ended. */
static uint64_t run(const uint8_t *data, size_t size, size_t step, int check)
{
	struct varlink_input input = { .max_bytes = MAX_MESSAGE };
	uint64_t hash = 0xcbf29ce484222325;
	const char *message;
	size_t length;
	int r = 0;

	for (size_t at = 0; at < size && r >= 0; at += step) {
		require(varlink_input_feed(&input, data + at,
					   size - at < step ? size - at : step) == 0);
		while ((r = varlink_input_take(&input, &message, &length)) == 1) {
			require(length < MAX_MESSAGE && strlen(message) == length);
			for (size_t i = 0; i <= length; i++)
				hash = (hash ^ (uint8_t)message[i]) * 0x100000001b3;
			if (check) {
				check_call(message, length);
				check_reply(message, length);
			}
		}
	}
	varlink_input_done(&input);
	return hash ^ (uint64_t)(uint32_t)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = run(data, size, size ? size : 1, 1);

	require(run(data, size, 1, 0) == whole);
	require(run(data, size, 7, 0) == whole);
	return 0;
}
