/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables that several verbs show: counters and VM exits by reason, from their JSON.
 */
#ifndef DUNECTL_TABLE_H
#define DUNECTL_TABLE_H

#include "dunectl/output.h"

/* Counters that are not zero. */
void table_counters(const struct output *output, struct json_object *counters);

/* Names and numbers that are not zero, below a title of its own; false when there is none. */
bool table_map(const struct output *output, const char *title, struct json_object *map);

/* Exit reasons, the most frequent first, and their sum. */
void table_exits(const struct output *output, struct json_object *exits);

#endif
