// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables, pairs and JSON on stdout; see output.h. Names and commands were chosen by whoever runs a
 * program: nothing of them reaches a terminal that is not printable ASCII.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "dunectl/output.h"

/* Longest cell; what is longer ends in "...". */
#define CELL_MAX 120

/* Columns of one table. */
#define COLUMNS_MAX 24

/* What the module and the service count memory in. */
#define PAGE_BYTES 4096

/* Spaces between columns. */
#define GAP 2

static const struct state_colour {
	const char *state, *colour;
} state_colours[] = {
	{ "running", "\033[32m" },  { "ok", "\033[32m" },	  { "fail", "\033[31m" },
	{ "warn", "\033[33m" },	    { "vulnerable", "\033[31m" }, { "ended", "\033[2m" },
	{ "attached", "\033[33m" },
};

void output_init(struct output *output)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	*output = (struct output){ 0 };
	output->terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	output->colour = output->terminal && !(no_colour && no_colour[0]);
}

int output_finish(void)
{
	int failed = ferror(stdout);

	return fflush(stdout) != 0 || failed ? -EIO : 0;
}

bool output_as_json(const struct output *output, struct json_object *value)
{
	int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

	if (output->json == OUTPUT_JSON_OFF)
		return false;
	if (output->json == OUTPUT_JSON_PRETTY && !output->stream)
		flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			JSON_C_TO_STRING_NOSLASHESCAPE;
	puts(json_object_to_json_string_ext(value, flags));
	if (output->stream)
		fflush(stdout);
	return true;
}

/* What a service says is no sequence for the terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		*text = *text >= ' ' && *text <= '~' ? *text : '?';
}

static void format_text(const char *text, char cell[CELL_MAX])
{
	if (snprintf(cell, CELL_MAX, "%s", text) >= CELL_MAX)
		memcpy(cell + CELL_MAX - 4, "...", 4);
	make_printable(cell);
}

static void format_size(uint64_t bytes, char cell[CELL_MAX])
{
	static const char suffixes[] = " KMGTPE";
	unsigned int unit = 0;
	double value = (double)bytes;

	for (; value >= 1024 && suffixes[unit + 1]; unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(cell, CELL_MAX, "%" PRIu64, bytes);
	else
		snprintf(cell, CELL_MAX, "%.1f%c", value, suffixes[unit]);
}

static void format_array(struct json_object *array, char cell[CELL_MAX])
{
	size_t used = 0;

	cell[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(array) && used < CELL_MAX - 1; i++)
		used += (size_t)snprintf(
			cell + used, CELL_MAX - used, "%s%s", i ? " " : "",
			json_object_get_string(json_object_array_get_idx(array, i)));
	make_printable(cell);
}

static void format_cell(struct json_object *value, enum output_format format, char cell[CELL_MAX])
{
	uint64_t number = value ? json_object_get_uint64(value) : 0;

	if (!value)
		strcpy(cell, "-");
	else if (json_object_is_type(value, json_type_array))
		format_array(value, cell);
	else if (format == OUTPUT_TEXT || format == OUTPUT_STATE || format == OUTPUT_AMOUNT)
		format_text(json_object_get_string(value), cell);
	else if ((format == OUTPUT_LIMIT || format == OUTPUT_LIMIT_PAGES) && number == 0)
		strcpy(cell, "-");
	else if (format == OUTPUT_PAGES || format == OUTPUT_LIMIT_PAGES)
		format_size(number * PAGE_BYTES, cell);
	else if (format == OUTPUT_RATE)
		snprintf(cell, CELL_MAX, "%.1f", json_object_get_double(value));
	else if (format == OUTPUT_HEX)
		snprintf(cell, CELL_MAX, "%#" PRIx64, number);
	else
		snprintf(cell, CELL_MAX, "%" PRIu64, number);
}

/* A member by its path: "usage.vcpus". */
static struct json_object *find(struct json_object *object, const char *path)
{
	char key[64];
	const char *dot;

	while (object && (dot = strchr(path, '.'))) {
		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		object = json_object_object_get(object, key);
		path = dot + 1;
	}
	return object ? json_object_object_get(object, path) : NULL;
}

static const char *colour_of(const struct output *output, const struct output_column *column,
			     const char *cell)
{
	size_t nr = sizeof(state_colours) / sizeof(state_colours[0]);

	if (!output->colour || column->format != OUTPUT_STATE)
		return NULL;
	for (size_t i = 0; i < nr; i++)
		if (strcmp(state_colours[i].state, cell) == 0)
			return state_colours[i].colour;
	return NULL;
}

void output_text(const char *text, int width)
{
	char cell[CELL_MAX];

	format_text(text, cell);
	printf("%-*s", width, cell);
}

void output_state(const struct output *output, const char *state, int width)
{
	const struct output_column column = { .format = OUTPUT_STATE };
	const char *colour;
	char cell[CELL_MAX];

	format_text(state, cell);
	colour = colour_of(output, &column, cell);
	printf("%s%-*s%s", colour ? colour : "", width, cell, colour ? "\033[0m" : "");
}

static bool is_text(enum output_format format)
{
	return format == OUTPUT_TEXT || format == OUTPUT_STATE;
}

/* Prints a cell: text to the left, numbers to the right, no spaces at the end of a line. */
static void print_cell(const struct output_column *column, const char *cell, const char *colour,
		       int width, bool last)
{
	int space = width - (int)strlen(cell);

	if (!is_text(column->format))
		printf("%*s", space, "");
	printf("%s%s%s", colour ? colour : "", cell, colour ? "\033[0m" : "");
	if (last)
		putchar('\n');
	else
		printf("%*s", (is_text(column->format) ? space : 0) + GAP, "");
}

static void measure(const struct output_column *columns, size_t nr_columns,
		    struct json_object *rows, int widths[COLUMNS_MAX])
{
	char cell[CELL_MAX];

	for (size_t c = 0; c < nr_columns; c++) {
		widths[c] = (int)strlen(columns[c].title);
		for (size_t i = 0; i < json_object_array_length(rows); i++) {
			struct json_object *row = json_object_array_get_idx(rows, i);
			int length;

			format_cell(find(row, columns[c].key), columns[c].format, cell);
			length = (int)strlen(cell);
			if (length > widths[c])
				widths[c] = length;
		}
	}
}

static void print_rows(const struct output *output, const struct output_column *columns,
		       size_t nr_columns, struct json_object *rows, const int widths[COLUMNS_MAX])
{
	char cell[CELL_MAX];

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		for (size_t c = 0; c < nr_columns; c++) {
			format_cell(find(row, columns[c].key), columns[c].format, cell);
			print_cell(&columns[c], cell, colour_of(output, &columns[c], cell),
				   widths[c], c + 1 == nr_columns);
		}
	}
}

void output_table(const struct output *output, const struct output_column *columns,
		  size_t nr_columns, struct json_object *rows, const char *noun)
{
	size_t nr_rows = json_object_array_length(rows);
	int widths[COLUMNS_MAX];

	if (nr_columns > COLUMNS_MAX)
		nr_columns = COLUMNS_MAX;
	measure(columns, nr_columns, rows, widths);
	if (!output->no_legend && nr_rows > 0)
		for (size_t c = 0; c < nr_columns; c++)
			print_cell(&columns[c], columns[c].title, output->colour ? "\033[1m" : NULL,
				   widths[c], c + 1 == nr_columns);
	print_rows(output, columns, nr_columns, rows, widths);
	if (!output->no_legend && noun)
		printf("%s%zu %s%s.\n", nr_rows ? "\n" : "", nr_rows, noun,
		       nr_rows == 1 ? "" : "s");
}

void output_pairs(const struct output *output, const struct output_column *columns,
		  size_t nr_columns, struct json_object *object)
{
	struct json_object *value;
	char cell[CELL_MAX];
	const char *colour;
	int width = 0;

	for (size_t c = 0; c < nr_columns; c++)
		if ((int)strlen(columns[c].title) > width)
			width = (int)strlen(columns[c].title);
	for (size_t c = 0; c < nr_columns; c++) {
		value = find(object, columns[c].key);
		if (!value)
			continue;
		format_cell(value, columns[c].format, cell);
		colour = colour_of(output, &columns[c], cell);
		printf("%*s: %s%s%s\n", width, columns[c].title, colour ? colour : "", cell,
		       colour ? "\033[0m" : "");
	}
}
