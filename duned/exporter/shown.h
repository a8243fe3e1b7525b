/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which users have series of their own. Each new uid is a new series for whoever stores them, and one
 * user may have many uids to change between: so within a day only so many different ones are shown,
 * whoever comes later is one of the others. Of fixed size.
 */
#ifndef DUNED_EXPORTER_SHOWN_H
#define DUNED_EXPORTER_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHOWN_FACTOR 4 /* different users in a day, for each that is shown at a time */
#define SHOWN_MAX    1024
#define SHOWN_DAY_S  86400

struct shown {
	size_t nr;
	struct {
		uint32_t uid;
		int64_t last_s; /* when it was shown */
	} rows[SHOWN_MAX];
};

/* Forgets who was not shown for a day. */
void shown_expire(struct shown *shown, int64_t now_s);

/* May this user be shown, `at_once` being the most at a time? If so it was shown now. */
bool shown_take(struct shown *shown, uint32_t uid, size_t at_once, int64_t now_s);

#endif
