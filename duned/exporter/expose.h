/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Samples as text: Prometheus' format 0.0.4 and OpenMetrics 1.0.0, and which of them an Accept header
 * wants. Pure: no I/O.
 */
#ifndef DUNED_EXPORTER_EXPOSE_H
#define DUNED_EXPORTER_EXPOSE_H

#include <stddef.h>

struct own;
struct sample;

enum expose_format { EXPOSE_TEXT, EXPOSE_OPENMETRICS };

/*
 * malloc'ed text with every family that has something to say. own: NULL leaves out what is about the
 * exporter's process. -ENOMEM.
 */
int expose(const struct sample *sample, const struct own *own, enum expose_format format,
	   char **ret_text, size_t *ret_size);

/* The Content-Type of a format. */
const char *expose_type(enum expose_format format);

/* What an Accept header (NULL: none) prefers; text when it does not say. */
enum expose_format expose_choose(const char *accept);

#endif
