/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clocks of the exporter, in seconds: CLOCK_REALTIME is what people are shown, and may be set at any
 * time; how long something lasts is told by CLOCK_MONOTONIC alone.
 */
#ifndef DUNED_EXPORTER_CLOCK_H
#define DUNED_EXPORTER_CLOCK_H

#include <time.h>

static inline double clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
