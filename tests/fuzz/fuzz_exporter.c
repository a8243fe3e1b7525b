// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune-exporter on what others send it: an Accept header, an address, and a reply of Totals, which is shown in
 * both formats and kept in a history whatever it says. No line of a format is ever broken by it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dune/client.h>

#include "duned/exporter/address.h"
#include "duned/exporter/expose.h"
#include "duned/exporter/history.h"
#include "libdune/client/shape.h"
#include "proto/varlink.h"
#include "tests/fuzz/require.h"

#define MAX_SERIES 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A comment, or a name, labels, a blank and a number. */
static void check_line(const char *line, size_t length)
{
	const char *blank = memrchr(line, ' ', length);

	if (length > 2 && line[0] == '#')
		return;
	require(blank && blank > line && length < 512);
	for (const char *c = line; c < line + length; c++)
		require(*c >= ' ' && *c <= '~' && *c != '\\');
	for (const char *c = blank + 1; c < line + length; c++)
		require(strchr("0123456789.e+-", *c) != NULL);
}

static void check_format(const struct sample *sample, enum expose_format format)
{
	size_t size, nr = 0;
	char *text;

	if (expose(sample, NULL, format, &text, &size) < 0)
		return;
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, nr++)
		check_line(line, (size_t)(end - line));
	require(nr < MAX_SERIES);
	free(text);
}

static void check_sample(const struct sample *sample)
{
	static struct history *history;
	static unsigned int nr;
	char *text;
	size_t size;

	/* A document of an hour takes long to write: a few points at a time. */
	if (nr++ % 8 == 0) {
		history_free(history);
		require(history_new(&history) == 0);
	}
	check_format(sample, EXPOSE_TEXT);
	check_format(sample, EXPOSE_OPENMETRICS);
	history_add(history, sample);
	history_add(history, sample);
	if (history_json(history, sample, &text, &size) == 0) {
		require(memchr(text, '\0', size) == NULL);
		free(text);
	}
}

static void check_reply(const char *message)
{
	static struct sample sample;
	struct varlink_reply reply;
	const char *key;
	void *result;

	if (varlink_reply_decode(message, strlen(message), &reply, NULL) < 0)
		return;
	if (decode_new(&shape_totals, reply.parameters, &result, &key) == 0) {
		sample = (struct sample){ .up = true, .module = true };
		sample_take_totals(&sample, result);
		check_sample(&sample);
		decode_free(result);
	}
	varlink_reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage address;
	socklen_t address_size;
	const char *why;
	char *text;

	if (memchr(data, '\0', size))
		return 0;
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	expose_choose(text);
	if (address_parse(text, &address, &address_size, &why) < 0)
		require(why && *why);
	check_reply(text);
	free(text);
	return 0;
}
