/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `dunectl top` shows: from a set of rates, a view and a size to lines of text. Pure: no terminal, no
 * service, no clock.
 */
#ifndef DUNECTL_TOP_H
#define DUNECTL_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "dunectl/rate.h"

struct json_object;

/* Lines above the rows: two of sums, one of status, one of titles. */
#define TOP_HEADER 4

struct top_view {
	size_t sort; /* a column */
	bool ascending;
	size_t first; /* row at the top, cut to what there is when drawn */
	bool help;
	const char *problem; /* shown in the status line; NULL: none */
	const char *clock; /* "12:34:56" */
};

/* The column of that key ("exits", "name", ...). -ENOENT. */
int top_find(const char *key, size_t *ret_column);

/* Keys of all columns, for messages: "id, name, ..." */
void top_keys(char *buffer, size_t size);

/* The next or previous column to sort by, and the order that suits it. */
void top_sort_by(struct top_view *view, size_t column);
void top_sort_next(struct top_view *view, int step);

/* Brings the rows into the view's order. */
void top_sort(const struct top_view *view, struct rate_set *set);

/*
 * Draws at most `rows` lines of `columns` characters, each ended by a newline, into malloc'ed memory;
 * rows = 0: all rows of the set. `emphasis`: titles and status with escape sequences. NULL when out of
 * memory.
 */
char *top_draw(struct top_view *view, const struct rate_set *set, int rows, int columns,
	       bool emphasis);

/* One frame as JSON. */
struct json_object *top_json(const struct rate_set *set);

#endif
