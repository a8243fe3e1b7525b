// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables of counters; see table.h.
 */
#include <stdlib.h>
#include <string.h>

#include "dunectl/json.h"
#include "dunectl/table.h"

static const struct output_column counter_columns[] = {
	{ "COUNTER", "name", OUTPUT_TEXT },
	{ "VALUE", "value", OUTPUT_NUMBER },
};

static const struct output_column exit_columns[] = {
	{ "EXIT REASON", "name", OUTPUT_TEXT },
	{ "EXITS", "value", OUTPUT_NUMBER },
};

static void append_row(struct json_object *rows, const char *name, uint64_t value)
{
	struct json_object *row = json_new();

	json_put_text(row, "name", name);
	json_put_number(row, "value", value);
	json_append(rows, row);
}

/* Rows for a map from names to numbers, without zeroes; *ret_sum is the sum of all. */
static struct json_object *rows_of(struct json_object *map, uint64_t *ret_sum)
{
	struct json_object *rows = json_new_array();
	uint64_t value;

	*ret_sum = 0;
	json_object_object_foreach(map, name, number) {
		value = json_object_get_uint64(number);
		*ret_sum += value;
		if (value)
			append_row(rows, name, value);
	}
	return rows;
}

void table_counters(const struct output *output, struct json_object *counters)
{
	JSON_CLEANUP struct json_object *rows = NULL;
	uint64_t sum;

	rows = rows_of(counters, &sum);
	output_table(output, counter_columns, 2, rows, NULL);
}

bool table_map(const struct output *output, const char *title, struct json_object *map)
{
	const struct output_column columns[] = {
		{ title, "name", OUTPUT_TEXT },
		{ "COUNT", "value", OUTPUT_NUMBER },
	};
	JSON_CLEANUP struct json_object *rows = NULL;
	uint64_t sum;

	rows = rows_of(map, &sum);
	output_table(output, columns, 2, rows, NULL);
	return json_object_array_length(rows) > 0;
}

static uint64_t value_of(const void *row)
{
	return json_object_get_uint64(
		json_object_object_get(*(struct json_object *const *)row, "value"));
}

static int compare(const void *a, const void *b)
{
	uint64_t first = value_of(a), second = value_of(b);

	return first < second ? 1 : first > second ? -1 : 0;
}

void table_exits(const struct output *output, struct json_object *exits)
{
	JSON_CLEANUP struct json_object *rows = NULL;
	uint64_t sum;

	rows = rows_of(exits, &sum);
	json_object_array_sort(rows, compare);
	append_row(rows, "total", sum);
	output_table(output, exit_columns, 2, rows, NULL);
}
