/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock of durations. The wall clock, which the loop's ev_now() tells, is set by people and by
 * other machines; it may be shown, and must never say how long something has lasted.
 */
#ifndef DUNED_CLOCK_H
#define DUNED_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND_NS INT64_C(1000000000)

/* CLOCK_MONOTONIC */
static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * CLOCK_SECOND_NS + now.tv_nsec;
}

/* Since then, in seconds. */
static inline double clock_since(int64_t then_ns)
{
	return (double)(clock_ns() - then_ns) / (double)CLOCK_SECOND_NS;
}

#endif
