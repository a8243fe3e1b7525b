/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread of `dunectl top` that asks the service, again and again also while there is none, so that the
 * terminal never waits for it. Must never touch the terminal.
 */
#ifndef DUNECTL_ASKER_H
#define DUNECTL_ASKER_H

#include <stdbool.h>
#include <stdint.h>

#include "dunectl/rate.h"

struct dunectl;

#define ASKER_PROBLEM 160 /* bytes of a problem's description */

/* Starts it, once; *ret_wake is readable when there is something to take. -errno. */
int asker_start(const struct dunectl *ctl, uint64_t interval_ms, int *ret_wake);

/*
 * What there is by now: the problem, empty for none, and true with the newest samples in place of those in
 * *set, if there are newer ones.
 */
bool asker_take(struct rate_set *set, char problem[ASKER_PROBLEM]);

#endif
