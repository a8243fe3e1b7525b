// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What libdune's client makes of any reply: every shape is tried on it, and the sentence of an error is
 * always terminated and printable.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dune/client.h>

#include "libdune/client/error.h"
#include "libdune/client/shape.h"
#include "proto/varlink.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct decode_struct *const shapes[] = {
	&shape_nothing, &shape_created, &shape_list,   &shape_inspection,
	&shape_stats,	&shape_info,	&shape_totals, &shape_events,
};

static void check_error(const struct varlink_reply *reply)
{
	char text[200];
	int r;

	r = client_error_translate(reply->error, reply->parameters, text, sizeof(text));
	require(r < 0 && memchr(text, '\0', sizeof(text)));
	for (const char *c = text; *c; c++)
		require(*c >= ' ' && *c <= '~');
}

static void check_shapes(const struct varlink_reply *reply)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const char *key = NULL;
		void *result = NULL;
		int r;

		r = decode_new(shapes[i], reply->parameters, &result, &key);
		/* Either a result, or a complaint that names a field and nothing else. */
		require(r == 0 ? result && !key : !result && key);
		decode_free(result);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_reply reply;
	char *message;

	if (memchr(data, '\0', size))
		return 0;
	message = strndup((const char *)data, size);
	if (message && varlink_reply_decode(message, size, &reply, NULL) == 0) {
		if (reply.error)
			check_error(&reply);
		else
			check_shapes(&reply);
		varlink_reply_done(&reply);
	}
	free(message);
	return 0;
}
