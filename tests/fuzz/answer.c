// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checks of replies; see answer.h. */
#include "tests/fuzz/answer.h"

#include <stdint.h>
#include <string.h>

#include "duned/listing.h"
#include "duned/methods.h"
#include "proto/varlink.h"
#include "tests/fuzz/require.h"

#define SEEN 65536 /* replies remembered, by hash */

/*
 * Hash of a reply in which numbers do not count: another number of at most 18 digits makes a valid reply
 * no less valid. Never 0; bit 0 is free.
 */
static uint64_t __attribute__((no_sanitize("coverage", "address", "undefined")))
shape_hash(const char *message, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ (unsigned char)message[i]) * 0x100000001b3;
		if (message[i] != ':' || i + 1 == size || message[i + 1] < '1' ||
		    message[i + 1] > '9')
			continue;
		for (size_t end = i + 19; i + 1 < size && i + 1 < end; i++) {
			if (message[i + 1] < '0' || message[i + 1] > '9')
				break;
		}
	}
	return (hash ^ hash >> 32) | 2;
}

/* Most replies came before, but for their numbers: decoding them again would take half of the time. */
bool reply_check(const char *message, size_t size)
{
	static uint64_t seen[SEEN];
	uint64_t hash = shape_hash(message, size), *slot = &seen[(hash >> 8) % SEEN];
	struct varlink_reply reply;

	if ((*slot | 1) == (hash | 1))
		return *slot & 1;
	require(varlink_reply_decode(message, size, &reply, NULL) == 0);
	*slot = (hash & ~UINT64_C(1)) | reply.continues;
	varlink_reply_done(&reply);
	return *slot & 1;
}

char *answer_check(struct answer *answer, const struct peer *peer)
{
	const char *error = answer->error[0] ? answer->error : NULL;
	bool continues = !error && (answer->interval_ms || answer->subscription);
	size_t size;
	char *bytes;
	int r;

	if (answer->listing && !error) {
		require(listing_begin(answer->listing, peer) == 0);
		while ((r = listing_step(answer->listing, peer, continues, &bytes, &size)) > 0)
			;
	} else if (answer->text && !error)
		r = varlink_reply_wrap(answer->text, answer->text_size, continues, &bytes, &size);
	else
		r = varlink_reply_encode(error, answer->parameters, continues, &bytes, &size);
	require(r == 0 && !bytes[size - 1]);
	require(reply_check(bytes, size - 1) == continues);
	return bytes;
}
