/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments like contexts=10 and private=64M: what limits and quotas are written as. Reports what
 * is wrong with them.
 */
#ifndef DUNECTL_ASSIGN_H
#define DUNECTL_ASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#define ASSIGN_TEXT_MAX 32

/* One key. A table ends with a row without one. */
struct assign_row {
	const char *key;
	bool memory; /* K, M, G, T; kept in pages of 4 KB, rounded up */
	int64_t *ret_value;
};

/*
 * Stores one argument's value, -1 for "unlimited" where that is allowed. -EINVAL after reporting.
 */
int assign_parse(const struct assign_row *rows, bool unlimited_allowed, const char *argument);

/* An amount as people write it, by the interface's name of the resource: 10, 64.0M. */
void assign_format(const char *resource, uint64_t amount, char text[ASSIGN_TEXT_MAX]);

#endif
