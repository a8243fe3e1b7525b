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
struct dune_client_quota_list;
struct dune_client_totals;
struct shown;

#define SAMPLE_PAGE_BYTES  4096
#define SAMPLE_NR_STATES   (DUNE_STATE_ENDED + 1)
#define SAMPLE_MAX_TEXT	   64 /* versions, names */
#define SAMPLE_MAX_PROBLEM 256
#define SAMPLE_MAX_NAMES   64 /* of one map of the service's; what follows is summed as "other" */
#define SAMPLE_MAX_NAME	   48
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

/*
 * A map whose names the service chooses: A-Z a-z 0-9 . _ - only. Each service has a fixed set of them and
 * always tells all.
 */
struct sample_names {
	size_t nr;
	struct sample_name {
		char name[SAMPLE_MAX_NAME];
		uint64_t value;
	} rows[SAMPLE_MAX_NAMES + 1];
};

/* What the service counts about itself; names ending in _now are present amounts. */
#define SAMPLE_SERVICE(X)                           \
	X(CONNECTIONS, "connections")               \
	X(CONNECTIONS_NOW, "connections_now")       \
	X(REFUSED_HOST, "connections_refused_host") \
	X(REFUSED_USER, "connections_refused_user") \
	X(BYTES_IN, "bytes_in")                     \
	X(BYTES_OUT, "bytes_out")                   \
	X(MESSAGES_OUT, "messages_out")             \
	X(STREAMS_NOW, "streams_now")               \
	X(SUBSCRIPTIONS_NOW, "subscriptions_now")   \
	X(SAMPLES_MISSED, "samples_missed")         \
	X(EVENTS, "events")                         \
	X(EVENTS_LOST, "events_lost")               \
	X(EVENTS_SENT, "events_sent")               \
	X(EVENTS_DROPPED, "events_dropped")         \
	X(LOG_LIMITED, "log_limited")               \
	X(LOG_DROPPED, "log_dropped")

enum sample_service {
#define SAMPLE_SERVICE_ENUM(symbol, name) SERVICE_##symbol,
	SAMPLE_SERVICE(SAMPLE_SERVICE_ENUM)
#undef SAMPLE_SERVICE_ENUM
		SAMPLE_NR_SERVICE,
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
	uint64_t unused; /* contexts freed that no process was ever in */
	bool has_states;
	uint64_t states[SAMPLE_NR_STATES];

	/* Of the service, since it started */
	bool has_service;
	uint64_t service[SAMPLE_NR_SERVICE];
	struct sample_names calls; /* by method */
	struct sample_names errors; /* replied, by name */
	struct sample_names messages; /* of its log, by kind */

	/* Only with --per-user: by contexts, most first; the last may be SAMPLE_OTHER_USERS */
	size_t nr_users;
	struct sample_user users[SAMPLE_MAX_USERS + 1];
};

/* Take over what a reply says. Names that are not known are added to "other" or dropped. */
void sample_take_info(struct sample *sample, const struct dune_client_info *info);
void sample_take_totals(struct sample *sample, const struct dune_client_totals *totals);

/* The quotas of the host; one that is unlimited is not known, it has nothing to be a part of. */
void sample_take_quotas(struct sample *sample, const struct dune_client_quota_list *list);

/*
 * Sums by owner: the max_users with the most contexts of those that may be shown now, in seconds of a
 * clock that nobody sets, and one for the others.
 */
void sample_take_list(struct sample *sample, const struct dune_client_list *list, size_t max_users,
		      struct shown *shown, int64_t now_s);

/* The service can't be asked: nothing but the time, the reason and what took how long remains. */
void sample_set_down(struct sample *sample, const char *problem);

#endif
