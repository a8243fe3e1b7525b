/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the exporter counts about itself: its process, its collections, its HTTP side.
 */
#ifndef DUNED_EXPORTER_OWN_H
#define DUNED_EXPORTER_OWN_H

#include <stdint.h>

/* Responses are counted by status: these, and one slot for any other. */
#define OWN_STATUSES(X) X(200) X(304) X(400) X(404) X(405) X(503)

enum own_status {
#define OWN_STATUS(code) OWN_STATUS_##code,
	OWN_STATUSES(OWN_STATUS)
#undef OWN_STATUS
		OWN_STATUS_OTHER,
	OWN_NR_STATUSES,
};

struct own {
	double started_s; /* CLOCK_REALTIME */
	double cpu_s;
	uint64_t resident_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
	uint64_t collections_good;
	uint64_t collections_bad;
	uint64_t connections; /* now */
	uint64_t evicted; /* closed because they were slow or others needed the room */
	uint64_t responses[OWN_NR_STATUSES];
};

/* Counts one response. */
void own_respond(struct own *own, unsigned int status);

/* "200", ... "other" */
const char *own_status_name(unsigned int status);

/* Fills in the process's own figures; what can't be read stays as it was. */
void own_update(struct own *own);

#endif
