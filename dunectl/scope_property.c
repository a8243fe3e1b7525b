// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Properties of a scope from the command line, as systemd.resource-control(5) and systemd.scope(5) name
 * and write them. Pure. A property without a row here is refused: systemd would take others on the bus, in
 * encodings of their own.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/dunectl.h"
#include "dunectl/scope.h"

#define USEC_PER_SEC 1000000.0
#define PERCENT_MAX  100000.0 /* of a quota of CPU time: a thousand CPUs */
#define WEIGHT_MAX   10000

enum kind {
	KIND_BOOL,
	KIND_SIZE, /* bytes, a share of the host's memory, or infinity */
	KIND_COUNT, /* a number, a share of the host's maximum, or infinity */
	KIND_WEIGHT,
	KIND_CPU, /* percent of one CPU, or infinity */
	KIND_TIME, /* seconds, or infinity */
	KIND_TEXT,
};

static const struct row {
	const char *name;
	enum kind kind;
	const char *bus_name; /* NULL: the same */
	const char *share_name; /* on the bus, for a value in percent */
} rows[] = {
	{ "CPUAccounting", KIND_BOOL, NULL, NULL },
	{ "CPUQuota", KIND_CPU, "CPUQuotaPerSecUSec", NULL },
	{ "CPUWeight", KIND_WEIGHT, NULL, NULL },
	{ "IOAccounting", KIND_BOOL, NULL, NULL },
	{ "IOWeight", KIND_WEIGHT, NULL, NULL },
	{ "KillMode", KIND_TEXT, NULL, NULL },
	{ "ManagedOOMMemoryPressure", KIND_TEXT, NULL, NULL },
	{ "ManagedOOMSwap", KIND_TEXT, NULL, NULL },
	{ "MemoryAccounting", KIND_BOOL, NULL, NULL },
	{ "MemoryHigh", KIND_SIZE, NULL, "MemoryHighScale" },
	{ "MemoryLow", KIND_SIZE, NULL, "MemoryLowScale" },
	{ "MemoryMax", KIND_SIZE, NULL, "MemoryMaxScale" },
	{ "MemoryMin", KIND_SIZE, NULL, "MemoryMinScale" },
	{ "MemorySwapMax", KIND_SIZE, NULL, "MemorySwapMaxScale" },
	{ "OOMPolicy", KIND_TEXT, NULL, NULL },
	{ "RuntimeMaxSec", KIND_TIME, "RuntimeMaxUSec", NULL },
	{ "SendSIGHUP", KIND_BOOL, NULL, NULL },
	{ "SendSIGKILL", KIND_BOOL, NULL, NULL },
	{ "TasksAccounting", KIND_BOOL, NULL, NULL },
	{ "TasksMax", KIND_COUNT, NULL, "TasksMaxScale" },
	{ "TimeoutStopSec", KIND_TIME, "TimeoutStopUSec", NULL },
};

static const char *const expected[] = {
	[KIND_BOOL] = "yes or no",
	[KIND_SIZE] = "bytes (also with K, M, G or T), a percentage, or infinity",
	[KIND_COUNT] = "a number, a percentage, or infinity",
	[KIND_WEIGHT] = "a number from 1 to 10000",
	[KIND_CPU] = "a percentage of one CPU, or infinity",
	[KIND_TIME] = "seconds, or infinity",
	[KIND_TEXT] = "a word",
};

/* "12.5%": up to `max` percent. */
static int parse_percent(const char *text, double max, double *ret_percent)
{
	double percent;
	char *end;

	if (!isdigit((unsigned char)text[0]) || strpbrk(text, "xXpP"))
		return -EINVAL;
	percent = strtod(text, &end);
	if (strcmp(end, "%") != 0 || !isfinite(percent) || percent > max)
		return -EINVAL;
	*ret_percent = percent;
	return 0;
}

static int parse_bool(const char *text, uint64_t *ret_value)
{
	static const char *const words[][2] = { { "no", "yes" },
						{ "false", "true" },
						{ "off", "on" },
						{ "0", "1" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (uint64_t value = 0; value < 2; value++)
			if (strcmp(text, words[i][value]) == 0) {
				*ret_value = value;
				return 0;
			}
	return -EINVAL;
}

static int parse_cpu(const char *text, uint64_t *ret_usec)
{
	double percent;
	int r = parse_percent(text, PERCENT_MAX, &percent);

	if (r < 0)
		return r;
	*ret_usec = (uint64_t)(percent / 100 * USEC_PER_SEC);
	return *ret_usec > 0 ? 0 : -EINVAL;
}

static int parse_time(const char *text, uint64_t *ret_usec)
{
	uint64_t ms;
	int r = parse_seconds(text, &ms);

	if (r == 0)
		*ret_usec = ms * 1000;
	return r;
}

/* A share goes over the bus under a name of its own, as a part of 2^32 - 1. */
static int parse_amount(const struct row *row, const char *text, struct scope_property *property)
{
	double percent;

	if (parse_percent(text, 100, &percent) == 0) {
		property->name = row->share_name;
		property->type = 'u';
		property->number = (uint64_t)(percent / 100 * UINT32_MAX);
		return 0;
	}
	if (row->kind == KIND_SIZE)
		return parse_size(text, &property->number);
	return parse_u64(text, &property->number);
}

static int parse_value(const struct row *row, const char *text, struct scope_property *property)
{
	bool endless = row->kind == KIND_SIZE || row->kind == KIND_COUNT || row->kind == KIND_CPU ||
		       row->kind == KIND_TIME;

	if (endless && strcmp(text, "infinity") == 0) {
		property->number = UINT64_MAX;
		return 0;
	}
	switch (row->kind) {
	case KIND_BOOL:
		property->type = 'b';
		return parse_bool(text, &property->number);
	case KIND_SIZE:
	case KIND_COUNT:
		return parse_amount(row, text, property);
	case KIND_WEIGHT:
		if (parse_u64(text, &property->number) < 0 || property->number < 1 ||
		    property->number > WEIGHT_MAX)
			return -EINVAL;
		return 0;
	case KIND_CPU:
		return parse_cpu(text, &property->number);
	case KIND_TIME:
		return parse_time(text, &property->number);
	case KIND_TEXT:
		property->type = 's';
		property->text = text;
		return text[0] ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int scope_property_parse(const char *text, struct scope_property *ret_property,
			 const char **ret_expected)
{
	const char *equals = strchr(text, '=');
	size_t size = equals ? (size_t)(equals - text) : strlen(text);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct scope_property property = {
			.name = row->bus_name ? row->bus_name : row->name,
			.type = 't',
		};

		if (strlen(row->name) != size || memcmp(row->name, text, size) != 0)
			continue;
		if (!equals || parse_value(row, equals + 1, &property) < 0) {
			*ret_expected = expected[row->kind];
			return -EINVAL;
		}
		*ret_property = property;
		return 0;
	}
	return -ENOENT;
}
