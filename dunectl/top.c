// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Drawing `dunectl top`; see top.h. A terminal that is too narrow for all columns gets those that matter
 * most, and always the one that the rows are sorted by.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/json.h"
#include "dunectl/top.h"

#define CELL 64 /* bytes of a cell */
#define GAP  1 /* characters between columns */

enum column_kind {
	KIND_TEXT,
	KIND_OWNER, /* a uid, shown as a name */
	KIND_NUMBER,
	KIND_PAGES, /* of 4 KB */
	KIND_RATE,
	KIND_TOTAL,
};

static const struct column {
	const char *key;
	const char *title;
	enum column_kind kind;
	int width;
	int importance; /* the higher, the narrower a terminal has to be to lose it */
	size_t offset; /* of the value in a row; for rates and totals the counter */
} columns[] = {
#define AT(member) offsetof(struct rate_row, member)
	{ "id", "ID", KIND_NUMBER, 6, 90, AT(id) },
	{ "name", "NAME", KIND_TEXT, 14, 95, AT(name) },
	{ "owner", "OWNER", KIND_OWNER, 9, 40, AT(owner) },
	{ "state", "STATE", KIND_TEXT, 8, 70, AT(state) },
	{ "exits", "EXITS/S", KIND_RATE, 9, 100, RATE_EXITS },
	{ "syscalls", "SYSC/S", KIND_RATE, 8, 80, RATE_SYSCALLS },
	{ "hypercalls", "HYPERC/S", KIND_RATE, 8, 30, RATE_HYPERCALLS },
	{ "ept", "EPT/S", KIND_RATE, 8, 60, RATE_EPT },
	{ "faults", "FAULT/S", KIND_RATE, 7, 50, RATE_FAULTS },
	{ "denied", "DENY/S", KIND_RATE, 7, 20, RATE_DENIED },
	{ "total", "EXITS", KIND_TOTAL, 10, 35, RATE_EXITS },
	{ "vcpus", "VCPUS", KIND_NUMBER, 5, 25, AT(vcpus) },
	{ "private", "PRIVATE", KIND_PAGES, 7, 45, AT(private_pages) },
	{ "tables", "TABLES", KIND_PAGES, 7, 15, AT(ept_pages) },
	{ "command", "COMMAND", KIND_TEXT, 15, 55, AT(command) },
#undef AT
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* ---- values ---- */

static double number_of(const struct column *column, const struct rate_row *row)
{
	const void *value = (const char *)row + column->offset;

	switch (column->kind) {
	case KIND_RATE:
		return row->has_rates ? row->rates[column->offset] : -1;
	case KIND_TOTAL:
		return (double)row->counters[column->offset];
	case KIND_OWNER:
		return *(const uint32_t *)value;
	default:
		return (double)*(const uint64_t *)value;
	}
}

static void format_short(double value, double base, char cell[CELL])
{
	static const char suffixes[] = " kMGTPE";
	unsigned int unit = 0;

	for (; value >= (unit ? base : 100000) && suffixes[unit + 1]; unit++)
		value /= base;
	if (unit)
		snprintf(cell, CELL, "%.1f%c", value, suffixes[unit]);
	else
		snprintf(cell, CELL, "%.*f", value > 0 && value < 10 ? 1 : 0, value);
}

static void format_owner(uint32_t owner, char cell[CELL])
{
	const struct passwd *user = getpwuid(owner);

	if (user)
		snprintf(cell, CELL, "%s", user->pw_name);
	else
		snprintf(cell, CELL, "%" PRIu32, owner);
}

static void format_cell(const struct column *column, const struct rate_row *row, char cell[CELL])
{
	double number;

	if (column->kind == KIND_TEXT) {
		snprintf(cell, CELL, "%s", (const char *)row + column->offset);
		return;
	}
	if (column->kind == KIND_OWNER) {
		format_owner(row->owner, cell);
		return;
	}
	number = number_of(column, row);
	if (number < 0)
		strcpy(cell, "-");
	else if (column->kind == KIND_PAGES)
		format_short(number * 4, 1024, cell);
	else if (column->kind == KIND_NUMBER)
		snprintf(cell, CELL, "%.0f", number);
	else
		format_short(number, 1000, cell);
}

/* ---- order ---- */

int top_find(const char *key, size_t *ret_column)
{
	for (size_t c = 0; c < NR_COLUMNS; c++) {
		if (strcmp(columns[c].key, key) == 0) {
			*ret_column = c;
			return 0;
		}
	}
	return -ENOENT;
}

void top_keys(char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t c = 0; c < NR_COLUMNS && used < size; c++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", c ? ", " : "",
					 columns[c].key);
}

void top_sort_by(struct top_view *view, size_t column)
{
	view->sort = column;
	view->ascending = columns[column].kind == KIND_TEXT || columns[column].kind == KIND_OWNER ||
			  strcmp(columns[column].key, "id") == 0;
	view->first = 0;
}

void top_sort_next(struct top_view *view, int step)
{
	top_sort_by(view, (view->sort + NR_COLUMNS + (size_t)step) % NR_COLUMNS);
}

struct order {
	const struct column *column;
	bool ascending;
};

static int compare(const void *left, const void *right, void *data)
{
	const struct rate_row *a = left, *b = right;
	const struct order *order = data;
	int r;

	if (order->column->kind == KIND_TEXT) {
		r = strcmp((const char *)a + order->column->offset,
			   (const char *)b + order->column->offset);
	} else {
		double x = number_of(order->column, a), y = number_of(order->column, b);

		r = x < y ? -1 : x > y;
	}
	if (!order->ascending)
		r = -r;
	/* Rows that are equal keep their places from one frame to the next. */
	return r ? r : a->id < b->id ? -1 : a->id > b->id;
}

void top_sort(const struct top_view *view, struct rate_set *set)
{
	struct order order = { &columns[view->sort], view->ascending };

	qsort_r(set->rows, set->nr, sizeof(*set->rows), compare, &order);
}

/* ---- drawing ---- */

/* Chooses columns by importance until the width is used up. */
static void choose(const struct top_view *view, int width, bool chosen[NR_COLUMNS])
{
	int left = width - columns[view->sort].width;

	memset(chosen, 0, NR_COLUMNS * sizeof(chosen[0]));
	chosen[view->sort] = true;
	for (;;) {
		size_t best = NR_COLUMNS;

		for (size_t c = 0; c < NR_COLUMNS; c++)
			if (!chosen[c] && (best == NR_COLUMNS ||
					   columns[c].importance > columns[best].importance))
				best = c;
		if (best == NR_COLUMNS || columns[best].width + GAP > left)
			return;
		chosen[best] = true;
		left -= columns[best].width + GAP;
	}
}

/* Prints a line cut to the width; `text` holds printable characters only. */
static void put_line(FILE *out, const char *text, int width, const char *emphasis)
{
	if (emphasis)
		fprintf(out, "%s%-*.*s\033[0m\n", emphasis, width, width, text);
	else
		fprintf(out, "%.*s\n", width, text);
}

/* One line of the table; row NULL: the titles. */
static void format_line(const bool chosen[NR_COLUMNS], const struct rate_row *row, char *line,
			size_t size)
{
	size_t used = 0;

	line[0] = '\0';
	for (size_t c = 0; c < NR_COLUMNS; c++) {
		const struct column *column = &columns[c];
		int width = column->width;
		char cell[CELL];

		if (!chosen[c])
			continue;
		if (row)
			format_cell(column, row, cell);
		else
			snprintf(cell, sizeof(cell), "%s", column->title);
		for (char *p = cell; *p; p++)
			if (*p < ' ' || *p > '~')
				*p = '?';
		if (column->kind == KIND_TEXT || column->kind == KIND_OWNER)
			width = -width;
		used += (size_t)snprintf(line + used, size - used, "%s%*.*s", used ? " " : "",
					 width, column->width, cell);
		if (used >= size)
			return;
	}
	while (used && line[used - 1] == ' ')
		line[--used] = '\0';
}

static void put_sums(FILE *out, const struct top_view *view, const struct rate_set *set, int width)
{
	static const char *const states[] = { "running", "attached", "new", "ended" };
	char line[4 * CELL + 64], cells[4][CELL];
	size_t used;

	used = (size_t)snprintf(line, sizeof(line), "dune %s  %zu context%s", view->clock, set->nr,
				set->nr == 1 ? "" : "s");
	for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
		size_t count = 0;

		for (size_t i = 0; i < set->nr; i++)
			count += strcmp(set->rows[i].state, states[s]) == 0;
		if (count && used < sizeof(line))
			used += (size_t)snprintf(line + used, sizeof(line) - used, ", %zu %s",
						 count, states[s]);
	}
	put_line(out, line, width, NULL);
	format_short(set->sums[RATE_EXITS], 1000, cells[0]);
	format_short(set->sums[RATE_SYSCALLS], 1000, cells[1]);
	format_short(set->sums[RATE_EPT], 1000, cells[2]);
	format_short(set->sums[RATE_FAULTS], 1000, cells[3]);
	if (set->has_rates)
		snprintf(line, sizeof(line), "%s exits/s  %s syscalls/s  %s EPT/s  %s faults/s",
			 cells[0], cells[1], cells[2], cells[3]);
	else
		snprintf(line, sizeof(line), "rates come with the next sample");
	put_line(out, line, width, NULL);
}

static void put_status(FILE *out, const struct top_view *view, int width, bool emphasis)
{
	char line[256];

	if (view->problem)
		snprintf(line, sizeof(line), "%s", view->problem);
	else
		snprintf(line, sizeof(line), "sorted by %s%s   q quits, h helps",
			 columns[view->sort].key, view->ascending ? ", upwards" : "");
	put_line(out, line, width, emphasis && view->problem ? "\033[1m" : NULL);
}

static void put_help(FILE *out, int rows, int width)
{
	static const char *const lines[] = {
		"q        quit",
		"< >      sort by the column to the left, right (arrow keys too)",
		"r        reverse the order",
		"e s n i  sort by exits, syscalls, name, id",
		"up down  scroll, also j k, page up, page down, home, end",
		"space    as it is now, at once",
		"h        this help, or back",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])) && i < rows; i++)
		put_line(out, lines[i], width, NULL);
}

static void put_rows(FILE *out, const bool chosen[NR_COLUMNS], const struct top_view *view,
		     const struct rate_set *set, size_t rows, int width)
{
	char line[1024];

	for (size_t i = view->first; i < set->nr && i < view->first + rows; i++) {
		format_line(chosen, &set->rows[i], line, sizeof(line));
		put_line(out, line, width, NULL);
	}
}

/* Scrolling never goes beyond what fills the screen. */
static void cut_scroll(struct top_view *view, size_t nr, size_t visible)
{
	size_t last = nr > visible ? nr - visible : 0;

	if (view->first > last)
		view->first = last;
}

char *top_draw(struct top_view *view, const struct rate_set *set, int rows, int width,
	       bool emphasis)
{
	size_t visible = rows > TOP_HEADER ? (size_t)(rows - TOP_HEADER) : 0;
	bool chosen[NR_COLUMNS];
	char *bytes = NULL, line[1024];
	size_t size;
	FILE *out;

	if (!rows)
		visible = set->nr;
	out = open_memstream(&bytes, &size);
	if (!out)
		return NULL;
	cut_scroll(view, set->nr, visible);
	choose(view, width, chosen);
	put_sums(out, view, set, width);
	if (emphasis)
		put_status(out, view, width, emphasis);
	if (view->help) {
		put_help(out, rows - TOP_HEADER + 1, width);
	} else {
		format_line(chosen, NULL, line, sizeof(line));
		put_line(out, line, width, emphasis ? "\033[7m" : NULL);
		put_rows(out, chosen, view, set, visible, width);
	}
	if (fclose(out) != 0) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

/* ---- JSON ---- */

static struct json_object *row_json(const struct rate_row *row)
{
	struct json_object *object = json_new(), *counters = json_new();

	json_put_number(object, "id", row->id);
	json_put_text(object, "name", row->name);
	json_put_number(object, "owner", row->owner);
	json_put_text(object, "state", row->state);
	for (size_t i = 0; i < NR_RATES; i++)
		json_put_number(counters, rate_name(i), row->counters[i]);
	json_put(object, "counters", counters);
	if (row->has_rates)
		json_put(object, "rates", rate_json(row->rates));
	return object;
}

struct json_object *top_json(const struct rate_set *set)
{
	struct json_object *object = json_new(), *contexts = json_new_array();

	json_put_number(object, "time_usec", set->time_usec);
	if (set->has_rates)
		json_put(object, "rates", rate_json(set->sums));
	for (size_t i = 0; i < set->nr; i++)
		json_append(contexts, row_json(&set->rows[i]));
	json_put(object, "contexts", contexts);
	return object;
}
