/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts as the module reports them: reading, finding, showing. Keeps nothing between calls: the
 * module is the authority.
 */
#ifndef DUNED_CONTEXT_H
#define DUNED_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/device.h"

struct json_object;

/* All contexts at one time, in ascending order of id. */
struct context_list {
	struct dune_stats *entries;
	size_t count;
};

int context_list_read(struct device *device, struct context_list *ret_list);
void context_list_done(struct context_list *list);

/* -ENOENT when there is no such context. */
int context_by_id(struct device *device, uint64_t id, struct dune_stats *ret_stats);

/* Is it the guest's own fault that ends a context with this cause? */
bool context_is_fault(uint32_t cause);

/* Did it end in a way that the module has a report about? */
bool context_has_report(const struct dune_stats *stats);

/* The types of the Varlink interface; NULL when out of memory. */
struct json_object *context_json(const struct dune_stats *stats);

/* The same as text. */
struct render;
void context_render(const struct dune_stats *stats, struct render *render);
struct json_object *context_sample_json(const struct dune_stats *stats);
struct json_object *context_report_json(const struct dune_report *report);

#endif
