/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every metric family: name, type, unit, help, and where its values come from. One table; labels and
 * their values are fixed here, so the number of series is, too (users apart, which are capped).
 */
#ifndef DUNED_EXPORTER_FAMILIES_H
#define DUNED_EXPORTER_FAMILIES_H

#include <stddef.h>
#include <stdint.h>

#include "duned/exporter/own.h"
#include "duned/exporter/sample.h"

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_INFO };

/* When a family is shown: numbers that nobody told are left out, not shown as 0. */
enum family_when {
	FAMILY_ALWAYS,
	FAMILY_UP, /* the service answered */
	FAMILY_MODULE, /* and has the module */
	FAMILY_COUNTED, /* and told its sums */
	FAMILY_STATES, /* and how many contexts are in which state */
	FAMILY_SERVICE, /* and what it counts about itself */
	FAMILY_USERS, /* sums by user were asked for */
	FAMILY_OWN, /* about the exporter's process: not in a text file */
};

struct family_writer;

/* One series: its label's value, and where in struct sample (or own) its value is. */
struct family_row {
	const char *value;
	size_t offset; /* of a uint64_t */
	size_t minus; /* of another that is subtracted; 0: none */
};

struct family {
	const char *name; /* without _total or _info */
	enum family_type type;
	enum family_when when;
	const char *unit; /* NULL or what the name ends in */
	const char *help; /* ends without a full stop; printable ASCII without backslash */
	const char *label; /* key of the rows' values; NULL: one row without a label */
	const struct family_row *rows; /* NULL: `write` does it */
	size_t nr_rows;
	uint64_t scale; /* of the values; 0: 1 */
	void (*write)(struct family_writer *writer, const struct sample *sample,
		      const struct own *own);
};

extern const struct family families[];
extern const size_t nr_families;

/* For `write`: one line. Labels as in `a="b",c="d"` with values already safe, or NULL. */
void family_value(struct family_writer *writer, const char *labels, uint64_t value);
void family_value_double(struct family_writer *writer, const char *labels, double value);

#endif
