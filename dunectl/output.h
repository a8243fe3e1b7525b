/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How results reach stdout: a verb builds one JSON value, and it is printed as JSON or shown to people
 * as a table or as pairs by a column description. Owns colours, legends and the escaping of text that
 * others chose (names, commands); never decides what a result is.
 */
#ifndef DUNECTL_OUTPUT_H
#define DUNECTL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum output_json { OUTPUT_JSON_OFF, OUTPUT_JSON_SHORT, OUTPUT_JSON_PRETTY };

struct output {
	enum output_json json;
	bool no_legend;
	bool quiet;
	bool terminal; /* stdout is one that understands escape sequences */
	bool colour;
	bool stream; /* one JSON object a line, whatever the mode */
};

enum output_format {
	OUTPUT_TEXT,
	OUTPUT_STATE, /* text, coloured by its meaning */
	OUTPUT_AMOUNT, /* text that is an amount: to the right */
	OUTPUT_NUMBER,
	OUTPUT_RATE, /* with a tenth */
	OUTPUT_PAGES, /* pages of 4 KB, shown as memory */
	OUTPUT_HEX,
	OUTPUT_LIMIT, /* number, 0 = none */
	OUTPUT_LIMIT_PAGES, /* pages, 0 = none */
};

struct output_column {
	const char *title;
	const char *key; /* member of the row */
	enum output_format format;
};

/* Reads the environment and whether stdout is a terminal. */
void output_init(struct output *output);

/* Prints `value` when JSON was asked for and says whether it did. */
bool output_as_json(const struct output *output, struct json_object *value);

/* `rows`: an array of objects. `noun`: for the legend below ("2 contexts"), NULL: none. */
void output_table(const struct output *output, const struct output_column *columns,
		  size_t nr_columns, struct json_object *rows, const char *noun);

/* One "title: value" a line; members that the object lacks are left out. */
void output_pairs(const struct output *output, const struct output_column *columns,
		  size_t nr_columns, struct json_object *object);

/* One cell of a line that is no table: what others chose made printable, and states coloured. */
void output_text(const char *text, int width);
void output_state(const struct output *output, const char *state, int width);

/* 0, or -EIO when stdout took not everything: to be called last. */
int output_finish(void);

#endif
