// SPDX-License-Identifier: LGPL-2.1-or-later
/* RESOURCE=AMOUNT; see assign.h. */
#include "dunectl/assign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dunectl/dunectl.h"

#define PAGE_BYTES 4096

static int parse_amount(const struct assign_row *row, bool unlimited_allowed, const char *text,
			int64_t *ret_amount)
{
	uint64_t number;
	int r;

	if (unlimited_allowed && strcmp(text, "unlimited") == 0) {
		*ret_amount = DUNE_CLIENT_UNLIMITED;
		return 0;
	}
	r = row->memory ? parse_size(text, &number) : parse_u64(text, &number);
	if (r < 0)
		return r;
	if (row->memory)
		number = number / PAGE_BYTES + (number % PAGE_BYTES != 0);
	if (number > INT64_MAX)
		return -ERANGE;
	*ret_amount = (int64_t)number;
	return 0;
}

static void report_keys(const struct assign_row *rows, const char *argument)
{
	char keys[128] = "";
	size_t used = 0;

	for (const struct assign_row *row = rows; row->key && used < sizeof(keys); row++)
		used += (size_t)snprintf(keys + used, sizeof(keys) - used, "%s%s=%s",
					 used ? ", " : "", row->key, row->memory ? "SIZE" : "N");
	dunectl_error("'%s' is none of %s", argument, keys);
}

int assign_parse(const struct assign_row *rows, bool unlimited_allowed, const char *argument)
{
	size_t length = strcspn(argument, "=");

	for (const struct assign_row *row = rows; row->key; row++) {
		if (strlen(row->key) != length || strncmp(row->key, argument, length) != 0 ||
		    !argument[length])
			continue;
		if (parse_amount(row, unlimited_allowed, argument + length + 1, row->ret_value) ==
		    0)
			return 0;
		dunectl_error("'%s' is not a right value for %s: %s%s", argument + length + 1,
			      row->key, row->memory ? "a size like 64M" : "a number",
			      unlimited_allowed ? ", or unlimited" : "");
		return -EINVAL;
	}
	report_keys(rows, argument);
	return -EINVAL;
}

void assign_format(const char *resource, uint64_t amount, char text[ASSIGN_TEXT_MAX])
{
	static const char suffixes[] = "KMGTP";
	double value = (double)amount * (PAGE_BYTES / 1024);
	unsigned int unit = 0;

	if (!strstr(resource, "_pages") || amount == 0) {
		snprintf(text, ASSIGN_TEXT_MAX, "%" PRIu64, amount);
		return;
	}
	for (; value >= 1024 && suffixes[unit + 1]; unit++)
		value /= 1024;
	snprintf(text, ASSIGN_TEXT_MAX, "%.1f%c", value, suffixes[unit]);
}
