/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of users: uids, user names and @groups of `[access] administrators` and `observers`. Names are
 * resolved when the configuration is read, never while a client waits.
 */
#ifndef DUNED_ACCESS_H
#define DUNED_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/policy.h"

#define ACCESS_MAX_ENTRIES 32

struct access_entry {
	bool is_group;
	uint32_t id;
};

struct access_list {
	struct access_entry entries[ACCESS_MAX_ENTRIES];
	unsigned int count;
};

/*
 * From words like "1000 alice @wheel @27"; an empty text is an empty list. 0; -ENOENT for a name
 * that the system does not know, -EINVAL for a word that is none, -E2BIG for too many, with the
 * first byte of the word to blame in *ret_bad.
 */
int access_parse(const char *text, struct access_list *ret_list, const char **ret_bad);

/* Writes the list as numbers, in the format that access_parse() takes. */
void access_format(const struct access_list *list, char *text, size_t size);

/* The groups that it names; returns how many. */
size_t access_groups(const struct access_list *list, uint32_t ret_groups[ACCESS_MAX_ENTRIES]);

/* Does the list name the peer? Never for one that is not identified. */
bool access_names(const struct access_list *list, const struct peer *peer);

#endif
