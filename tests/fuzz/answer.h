/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What fuzzers of the service expect of every answer and of every reply; they abort when it is not so. */
#ifndef FUZZ_ANSWER_H
#define FUZZ_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct answer;
struct peer;

/* The codec itself takes the reply, an encoded message without its NUL. Does it say that more follow? */
bool reply_check(const char *message, size_t size);

/* The reply that a connection would send the peer for the answer, checked; to be freed. */
char *answer_check(struct answer *answer, const struct peer *peer);

#endif
