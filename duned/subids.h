/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which uids are subordinate to which user (subuid(5)): whoever has such ids can be each of them in a
 * user namespace, so what they use together is that user's. Owns the table; must never make anybody's
 * uid root's: ranges of root are for containers that have nothing to do with one another.
 */
#ifndef DUNED_SUBIDS_H
#define DUNED_SUBIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SUBIDS_FILE  "/etc/subuid"
#define SUBIDS_USERS "/etc/passwd" /* when it changes, names may mean others */
#define SUBIDS_MAX   65536 /* ranges */

struct subids_range {
	uint32_t first, last;
	uint32_t superior; /* the user's uid; never 0 */
};

/* Ranges that do not overlap, by their first uid. All zero: there are none. */
struct subids {
	struct subids_range *ranges;
	size_t nr;
	/* Of the file: its lines, those that make no sense and the first of them, ranges of unknown users. */
	size_t nr_lines, nr_bad, first_bad, nr_unknown;
};

/* The files as they were when a table was made of them. */
struct subids_seen {
	bool known;
	struct stat file, users;
};

/*
 * Reads the file, which may be missing; may block, and resolves names. Lines that make no sense are left
 * out; ranges of users that nobody knows are nobody's. Where ranges overlap, the one that begins first has
 * the uids. 0; -ENOMEM, -E2BIG, -errno of the file or of a name that can't be looked up now: then *ret_subids
 * is untouched.
 */
int subids_load(const char *path, struct subids *ret_subids);

/* The same if the file, or that of the users, is another than when it was last read; 1 if not. */
int subids_load_changed(const char *path, struct subids_seen *seen, struct subids *ret_subids);

void subids_done(struct subids *subids);

/* Whose subordinate the uid is; 0: nobody's. `subids` may be NULL. */
uint32_t subids_superior(const struct subids *subids, uint32_t uid);

/* Whom what the uid uses counts for: its superior, or itself. */
uint32_t subids_user(const struct subids *subids, uint32_t uid);

#endif
