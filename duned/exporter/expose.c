// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writing the formats; see expose.h. Sources: Prometheus' "Exposition formats", OpenMetrics 1.0.0, RFC 9110
 * section 12.5.1 for Accept.
 */
#include "duned/exporter/expose.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "duned/exporter/families.h"

#define TYPE_TEXT	 "text/plain"
#define TYPE_OPENMETRICS "application/openmetrics-text"

struct family_writer {
	FILE *out;
	enum expose_format format;
	const struct family *family;
	bool begun; /* its header is written */
};

static const char *suffix_of(const struct family *family)
{
	return family->type == FAMILY_COUNTER ? "_total" :
	       family->type == FAMILY_INFO    ? "_info" :
						"";
}

/* OpenMetrics names the family, the text format the series; a unit and "info" are OpenMetrics'. */
static void write_header(struct family_writer *writer)
{
	const struct family *family = writer->family;
	bool open = writer->format == EXPOSE_OPENMETRICS;
	const char *suffix = open ? "" : suffix_of(family);
	const char *type = family->type == FAMILY_COUNTER      ? "counter" :
			   family->type == FAMILY_INFO && open ? "info" :
								 "gauge";

	fprintf(writer->out, "# HELP %s%s %s.\n", family->name, suffix, family->help);
	fprintf(writer->out, "# TYPE %s%s %s\n", family->name, suffix, type);
	if (open && family->unit)
		fprintf(writer->out, "# UNIT %s %s\n", family->name, family->unit);
	writer->begun = true;
}

/* A line up to its value. A family without a value has no header either. */
static void write_name(struct family_writer *writer, const char *labels)
{
	if (!writer->begun)
		write_header(writer);
	fprintf(writer->out, "%s%s%s%s%s ", writer->family->name, suffix_of(writer->family),
		labels ? "{" : "", labels ? labels : "", labels ? "}" : "");
}

void family_value(struct family_writer *writer, const char *labels, uint64_t value)
{
	write_name(writer, labels);
	fprintf(writer->out, "%" PRIu64 "\n", value);
}

void family_value_double(struct family_writer *writer, const char *labels, double value)
{
	write_name(writer, labels);
	fprintf(writer->out, "%.15g\n", value);
}

static void write_rows(struct family_writer *writer, const void *base)
{
	const struct family *family = writer->family;
	uint64_t scale = family->scale ? family->scale : 1;
	char labels[128];

	for (size_t i = 0; i < family->nr_rows; i++) {
		const struct family_row *row = &family->rows[i];
		uint64_t value = *(const uint64_t *)((const char *)base + row->offset);

		/* The two are read together, but a value told later may be ahead of its part. */
		if (row->minus) {
			uint64_t part = *(const uint64_t *)((const char *)base + row->minus);

			value -= part < value ? part : value;
		}
		if (row->value)
			snprintf(labels, sizeof(labels), "%s=\"%s\"", family->label, row->value);
		family_value(writer, row->value ? labels : NULL, value * scale);
	}
}

static bool is_shown(const struct family *family, const struct sample *sample,
		     const struct own *own)
{
	switch (family->when) {
	case FAMILY_ALWAYS:
		return true;
	case FAMILY_UP:
		return sample->up;
	case FAMILY_MODULE:
		return sample->module;
	case FAMILY_COUNTED:
		return sample->counted;
	case FAMILY_STATES:
		return sample->has_states;
	case FAMILY_SERVICE:
		return sample->has_service;
	case FAMILY_USERS:
		return sample->nr_users > 0;
	case FAMILY_OWN:
		return own != NULL;
	}
	return false;
}

int expose(const struct sample *sample, const struct own *own, enum expose_format format,
	   char **ret_text, size_t *ret_size)
{
	char *text = NULL;
	size_t size = 0;
	struct family_writer writer = { .out = open_memstream(&text, &size), .format = format };

	if (!writer.out)
		return -ENOMEM;
	for (size_t i = 0; i < nr_families; i++) {
		const struct family *family = writer.family = &families[i];

		writer.begun = false;
		if (!is_shown(family, sample, own))
			continue;
		if (family->rows)
			write_rows(&writer, family->when == FAMILY_OWN ? (const void *)own :
									 (const void *)sample);
		else
			family->write(&writer, sample, own);
	}
	if (format == EXPOSE_OPENMETRICS)
		fputs("# EOF\n", writer.out);
	if (ferror(writer.out) | fclose(writer.out)) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}

const char *expose_type(enum expose_format format)
{
	return format == EXPOSE_OPENMETRICS ? TYPE_OPENMETRICS "; version=1.0.0; charset=utf-8" :
					      TYPE_TEXT "; version=0.0.4; charset=utf-8";
}

/* ---- Accept ---- */

struct span {
	const char *start;
	size_t size;
};

static struct span trim(const char *start, size_t size)
{
	while (size && strchr(" \t", start[0])) {
		start++;
		size--;
	}
	while (size && strchr(" \t", start[size - 1]))
		size--;
	return (struct span){ start, size };
}

static bool span_is(struct span span, const char *text)
{
	return span.size == strlen(text) && strncasecmp(span.start, text, span.size) == 0;
}

/* Cuts off what stands before the separator, the separator included. Quotes are not looked at: the
 * parameters that matter here have none. */
static struct span next_part(const char **rest, size_t *size, char separator)
{
	const char *end = memchr(*rest, separator, *size);
	size_t length = end ? (size_t)(end - *rest) : *size;
	struct span part = trim(*rest, length);

	*rest += length + (end != NULL);
	*size -= length + (end != NULL);
	return part;
}

/* A weight in thousandths ("0.75"); what is malformed weighs nothing. */
static int parse_weight(struct span text)
{
	int weight = 0, digit = 1000;

	if (!text.size || text.size > 5 || (text.start[0] != '0' && text.start[0] != '1') ||
	    (text.size > 1 && text.start[1] != '.'))
		return 0;
	weight = (text.start[0] - '0') * 1000;
	for (size_t i = 2; i < text.size; i++) {
		if (text.start[i] < '0' || text.start[i] > '9')
			return 0;
		digit /= 10;
		weight += (text.start[i] - '0') * digit;
	}
	return weight > 1000 ? 0 : weight;
}

/* How much a range wants each format, and how exactly it names it. */
struct wish {
	int weight;
	int exactness; /* 0: not named, 1: by a wildcard of all, 2: of a type, 3: itself */
};

static void wish_for(struct wish *wish, int weight, int exactness)
{
	if (exactness < wish->exactness || (exactness == wish->exactness && weight <= wish->weight))
		return;
	*wish = (struct wish){ weight, exactness };
}

static void take_range(const char *range, size_t size, struct wish *text, struct wish *open)
{
	struct span name = next_part(&range, &size, ';');
	bool known_version = true;
	int weight = 1000;

	while (size) {
		struct span parameter = next_part(&range, &size, ';');
		const char *start = parameter.start;
		size_t left = parameter.size;
		struct span key = next_part(&start, &left, '=');

		if (span_is(key, "q"))
			weight = parse_weight(trim(start, left));
		else if (span_is(key, "version"))
			known_version = span_is(trim(start, left), "1.0.0") ||
					span_is(trim(start, left), "0.0.4");
	}
	if (span_is(name, TYPE_OPENMETRICS) && known_version)
		wish_for(open, weight, 3);
	else if (span_is(name, TYPE_TEXT) && known_version)
		wish_for(text, weight, 3);
	else if (span_is(name, "text/*"))
		wish_for(text, weight, 2);
	else if (span_is(name, "*/*"))
		wish_for(text, weight, 1);
}

enum expose_format expose_choose(const char *accept)
{
	struct wish text = { 0 }, open = { 0 };
	size_t size = accept ? strlen(accept) : 0;

	while (size) {
		struct span range = next_part(&accept, &size, ',');

		take_range(range.start, range.size, &text, &open);
	}
	/* Who names OpenMetrics as much as text gets it: it says more. */
	return open.weight > 0 && open.weight >= text.weight ? EXPOSE_OPENMETRICS : EXPOSE_TEXT;
}
