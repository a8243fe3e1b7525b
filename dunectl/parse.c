// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Numbers, sizes and times from the command line. Pure: strict about the whole text, reports nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/dunectl.h"

/* Longest time that can be asked for, in seconds: a year. */
#define PARSE_MAX_SECONDS 31536000.0

/* Reads digits at the start of `text`; *ret_end is what follows. */
static int parse_digits(const char *text, const char **ret_end, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	*ret_end = end;
	*ret_value = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int r;

	r = parse_digits(text, &end, &value);
	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	const char *end, *suffix;
	unsigned int shift = 0;
	uint64_t value;
	int r;

	r = parse_digits(text, &end, &value);
	if (r < 0)
		return r;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (shift && value >> (64 - shift))
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

int parse_seconds(const char *text, uint64_t *ret_ms)
{
	double seconds;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end || strpbrk(text, "xXpP"))
		return -EINVAL;
	if (!isfinite(seconds) || seconds > PARSE_MAX_SECONDS || seconds < 0.001)
		return -ERANGE;
	*ret_ms = (uint64_t)(seconds * 1000.0);
	return 0;
}
