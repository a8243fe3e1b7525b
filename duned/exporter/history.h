/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The past hour in memory, for the page: a ring of HISTORY_POINTS samples, and the JSON document that the
 * page draws. Rates are computed here, between neighbouring points; a time without an answer is a gap,
 * never a zero.
 */
#ifndef DUNED_EXPORTER_HISTORY_H
#define DUNED_EXPORTER_HISTORY_H

#include <stddef.h>

#include "duned/exporter/sample.h"

#define HISTORY_STEP_S 10
#define HISTORY_POINTS 361 /* an hour, both ends included */

struct history;

int history_new(struct history **ret_history);
void history_free(struct history *history); /* takes NULL */

/* Adds a point, dropping the oldest when the ring is full. */
void history_add(struct history *history, const struct sample *sample);

/*
 * The document, malloc'ed: what is (the sample), and what was. -ENOMEM.
 *
 * { "version", "host", "time" (of the sample, seconds since 1970), "step" (seconds), "up", "module",
 *   "counted", "problem" (null when there is none), "service_version", "module_version", "abi",
 *   "vmx_holder",
 *   "now": { "contexts": {state: n} or null, "existing", "vcpus", "memory": {kind: bytes},
 *            "quotas": {resource: {"used", "maximum"}} },
 *   "totals": { "exits": {reason: n}, "ends": {cause: n}, "troubles": {name: n},
 *               "errors": {name: n}, "created" },
 *   "past": { "time": [], "up": [], "existing": [], "contexts": {state: []}, "vcpus": [],
 *             "exits": {reason: [per second]}, "troubles": {name: [per second]},
 *             "errors": {name: [per second]},
 *             "created": [per second] } }
 *
 * Arrays of "past" have one element per point, null where there is no number. Reasons, troubles
 * and errors that never occurred in that time are left out of "past", as are reasons, causes and errors of 0
 * in "totals".
 */
int history_json(const struct history *history, const struct sample *sample, char **ret_text,
		 size_t *ret_size);

#endif
