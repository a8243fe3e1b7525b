/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of keys, which parsing and printing share. */
#ifndef DUNED_CONFIG_KEYS_H
#define DUNED_CONFIG_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "duned/config.h"

#define CONFIG_PAGE_BYTES 4096

enum key_type {
	KEY_COUNT, /* a decimal number */
	KEY_PAGES, /* an amount of memory with K, M, G or T; kept in pages */
	KEY_SWITCH, /* yes or no; kept as 1 or 0 */
	KEY_ACCESS, /* a list of users and groups, see access.h */
};

struct config_key {
	const char *section;
	const char *name;
	enum key_type type;
	size_t offset; /* in struct config */
	int64_t initial, least, most;
};

/* What a [quota] section may say. */
struct config_quota_key {
	const char *name;
	enum key_type type;
	int64_t least, most;
};

#define CONFIG_NR_KEYS 13

extern const struct config_key config_keys[CONFIG_NR_KEYS];
extern const struct config_quota_key config_quota_keys[QUOTA_NR_RESOURCES];

/* Where a key's value is: an int64_t, or what its type says. */
void *config_key_value(struct config *config, const struct config_key *key);

#endif
