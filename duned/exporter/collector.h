/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the service, in a thread of its own, so that a service that hangs never keeps a scrape waiting for
 * longer than COLLECTOR_PATIENCE_S. Owns the connection and the newest sample. However many ask, the
 * service is asked at most once in COLLECTOR_FRESH_S.
 */
#ifndef DUNED_EXPORTER_COLLECTOR_H
#define DUNED_EXPORTER_COLLECTOR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "duned/exporter/sample.h"

#define COLLECTOR_FRESH_S    1. /* a sample this young is an answer */
#define COLLECTOR_PATIENCE_S 3. /* after that the service counts as down */
#define COLLECTOR_CALL_MS    5000 /* the thread's own patience, for one call */

struct collector_options {
	const char *socket; /* NULL: the service's own */
	unsigned int max_users; /* 0: no sums by owner */
};

/* What the exporter counts about its own asking. */
struct collector_counts {
	uint64_t good;
	uint64_t bad;
};

/* Asks once, without a thread. */
void collector_collect(const struct collector_options *options, struct sample *ret_sample);

struct collector;

/* `collected` is called in the loop whenever there is a new sample. -errno. */
int collector_new(struct ev_loop *loop, const struct collector_options *options,
		  void (*collected)(void *data), void *data, struct collector **ret_collector);

/* Waits for the thread: up to COLLECTOR_CALL_MS when the service hangs. Takes NULL. */
void collector_free(struct collector *collector);

/* True when there is a fresh sample; else one is on its way and `collected` will be called. */
bool collector_want(struct collector *collector);

/* The newest sample; valid until the loop goes on. Before the first it says "starting". */
const struct sample *collector_sample(const struct collector *collector);
struct collector_counts collector_counts(const struct collector *collector);

#endif
