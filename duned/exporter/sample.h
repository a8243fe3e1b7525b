/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the exporter knows at one moment: numbers under the names that this version has, everything else
 * summed as "other". Of fixed size, whatever the service says; must never grow with its answers.
 */
#ifndef DUNED_EXPORTER_SAMPLE_H
#define DUNED_EXPORTER_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/dune_abi.h"

struct dune_client_info;
struct dune_client_list;
struct dune_client_totals;

#define SAMPLE_PAGE_BYTES  4096
#define SAMPLE_NR_STATES   (DUNE_STATE_ENDED + 1)
#define SAMPLE_MAX_TEXT	   64 /* versions, names */
#define SAMPLE_MAX_PROBLEM 256
#define SAMPLE_MAX_USERS   256 /* the most that --per-user can ask for */
#define SAMPLE_OTHER_USERS UINT32_MAX /* not a uid */

/* What one user's contexts use now. */
struct sample_user {
	uint32_t uid;
	uint64_t contexts;
	uint64_t vcpus;
	uint64_t private_pages;
	uint64_t ept_pages;
};

/* Of one resource: how much is promised to contexts, and how much may be. */
struct sample_quota {
	bool known;
	uint64_t used;
	uint64_t maximum;
};

struct sample {
	int64_t time_ms; /* CLOCK_REALTIME, when it was taken */
	uint64_t clock_usec; /* CLOCK_MONOTONIC of the counters */
	double took_s;
	bool up; /* the service answered */
	bool module; /* ... and can use the module */
	bool counted; /* ... and told the sums over all contexts */
	char problem[SAMPLE_MAX_PROBLEM]; /* why not, a line for people */
	char service_version[SAMPLE_MAX_TEXT];
	char module_version[SAMPLE_MAX_TEXT];
	char vmx_holder[SAMPLE_MAX_TEXT];
	uint64_t abi;

	/* Of the module, now and since it was loaded */
	uint64_t contexts;
	uint64_t vcpus;
	uint64_t ept_pages;
	uint64_t private_pages;
	uint64_t run_pages;
	uint64_t vmcs_pages;
	uint64_t created;
	uint64_t refused;
	uint64_t assertions;
	struct sample_quota quotas[DUNE_NR_LIMITS]; /* of the host, by DUNE_LIMIT_* */

	/* Over all contexts that ever existed */
	uint64_t counters[DUNE_NR_COUNTERS];
	uint64_t exits[DUNE_NR_EXITS];
	uint64_t ends[DUNE_NR_ENDS]; /* DUNE_END_NONE: causes without a name here */
	bool has_states;
	uint64_t states[SAMPLE_NR_STATES];

	/* Only with --per-user: by contexts, most first; the last may be SAMPLE_OTHER_USERS */
	size_t nr_users;
	struct sample_user users[SAMPLE_MAX_USERS + 1];
};

/* Take over what a reply says. Names that are not known are added to "other" or dropped. */
void sample_take_info(struct sample *sample, const struct dune_client_info *info);
void sample_take_totals(struct sample *sample, const struct dune_client_totals *totals);

/* Sums by owner: the max_users with the most contexts, and one for the others. */
void sample_take_list(struct sample *sample, const struct dune_client_list *list, size_t max_users);

/* The service can't be asked: nothing but the time, the reason and what took how long remains. */
void sample_set_down(struct sample *sample, const char *problem);

#endif
