/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates per second from two samples of counters. Keeps copies of what it needs of a sample; contexts are
 * matched by id, so one that is new has no rates yet.
 */
#ifndef DUNECTL_RATE_H
#define DUNECTL_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dune/client.h>

struct json_object;

enum rate_counter {
	RATE_ENTRIES,
	RATE_EXITS,
	RATE_SYSCALLS,
	RATE_HYPERCALLS,
	RATE_EPT, /* violations, by any access */
	RATE_FAULTS,
	RATE_DENIED,
	NR_RATES,
};

struct rate_row {
	uint64_t id;
	uint32_t owner;
	int32_t pid;
	char name[64];
	char state[16];
	char command[32];
	uint64_t vcpus, private_pages, ept_pages;
	uint64_t counters[NR_RATES];
	double rates[NR_RATES]; /* per second, when has_rates */
	bool has_rates;
};

struct rate_set {
	uint64_t time_usec;
	size_t nr;
	struct rate_row *rows; /* by ascending id */
	double sums[NR_RATES]; /* of all rates */
	bool has_rates; /* there was a set before */
};

/* `before` may be NULL. -ENOMEM. */
int rate_set_new(const struct dune_client_stats *stats, const struct rate_set *before,
		 struct rate_set *ret_set);
int rate_set_copy(const struct rate_set *set, struct rate_set *ret_copy);
void rate_set_done(struct rate_set *set);

/* The counter's name, as in the interface; RATE_EPT is "ept_violations". */
const char *rate_name(enum rate_counter counter);

/* {"entries":12.5,...}, rounded to a tenth. */
struct json_object *rate_json(const double rates[NR_RATES]);

#endif
