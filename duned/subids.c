// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of subordinate uids; see subids.h. */
#include "duned/subids.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_ROOM 64 /* ranges */
#define SETTLED_S  2 /* after a change: another one within a tick of the clock would look the same */

/* A file on its way into a table. */
struct loading {
	struct subids subids;
	size_t room;
	char name[256]; /* of the last line, whose uid it was: users have many ranges */
	uint32_t uid;
};

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void free_line(char **line)
{
	free(*line);
}

static void loading_done(struct loading *loading)
{
	subids_done(&loading->subids);
}

/* A whole field as a number, in whatever base newuidmap(1) takes it to be; -1 is no uid. */
static bool parse_number(const char *text, uint32_t *ret_number)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno || *end || number >= UINT32_MAX)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* What getpwnam(3) may set when there is no such user. */
static bool is_unknown(int error)
{
	return !error || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* A user by name, else by number. 0; 1: nobody knows it; -errno. */
static int find_user(struct loading *loading, const char *name, uint32_t *ret_uid)
{
	const struct passwd *entry;

	if (strcmp(name, loading->name) != 0) {
		errno = 0;
		/* The worker, and the start before it, are the only ones who ask. */
		entry = getpwnam(name);
		if (!entry && !is_unknown(errno))
			return -errno;
		if (entry)
			loading->uid = entry->pw_uid;
		else if (!parse_number(name, &loading->uid))
			return 1;
		snprintf(loading->name, sizeof(loading->name), "%s", name);
	}
	*ret_uid = loading->uid;
	return 0;
}

static int add(struct loading *loading, const struct subids_range *range)
{
	struct subids *subids = &loading->subids;

	if (subids->nr == SUBIDS_MAX)
		return -E2BIG;
	if (subids->nr == loading->room) {
		size_t room = loading->room ? 2 * loading->room : FIRST_ROOM;
		struct subids_range *ranges = reallocarray(subids->ranges, room, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		subids->ranges = ranges;
		loading->room = room;
	}
	subids->ranges[subids->nr++] = *range;
	return 0;
}

/* "USER:FIRST:COUNT", and whatever comes then. 0; 1 when it isn't; -errno. */
static int add_line(struct loading *loading, char *line)
{
	char *first = strchr(line, ':'), *count = first ? strchr(first + 1, ':') : NULL;
	struct subids_range range;
	uint32_t number;
	int r;

	if (!count || first == line)
		return 1;
	*first++ = *count++ = '\0';
	count[strcspn(count, ":")] = '\0';
	if (!parse_number(first, &range.first) || !parse_number(count, &number) ||
	    number > UINT32_MAX - range.first)
		return 1;
	range.last = range.first + number - 1;
	r = number ? find_user(loading, line, &range.superior) : 0;
	if (r > 0)
		loading->subids.nr_unknown++;
	if (r || !number || !range.superior)
		return r < 0 ? r : 0;
	return add(loading, &range);
}

static int by_first(const void *one, const void *other)
{
	const struct subids_range *a = one, *b = other;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	return (a->superior > b->superior) - (a->superior < b->superior);
}

/* What is left of each range behind those before it. */
static void settle(struct subids *subids)
{
	uint64_t next = 1; /* root is nobody's */
	size_t kept = 0;

	qsort(subids->ranges, subids->nr, sizeof(subids->ranges[0]), by_first);
	for (size_t i = 0; i < subids->nr; i++) {
		struct subids_range range = subids->ranges[i];

		if (range.first < next)
			range.first = (uint32_t)next;
		if (range.last < next)
			continue;
		next = (uint64_t)range.last + 1;
		subids->ranges[kept++] = range;
	}
	subids->nr = kept;
}

static int read_lines(struct loading *loading, FILE *file)
{
	struct subids *subids = &loading->subids;
	char *line __attribute__((cleanup(free_line))) = NULL;
	size_t room = 0;
	ssize_t length;

	errno = 0;
	while ((length = getline(&line, &room, file)) > 0) {
		int r;

		subids->nr_lines++;
		if (line[length - 1] == '\n')
			line[--length] = '\0';
		/* newuidmap(1) knows no comments, but people do. */
		if (!*line || *line == '#')
			continue;
		r = strlen(line) == (size_t)length ? add_line(loading, line) : 1;
		if (r < 0)
			return r;
		if (r && !subids->nr_bad++)
			subids->first_bad = subids->nr_lines;
		errno = 0;
	}
	if (ferror(file) || !feof(file))
		return errno ? -errno : -EIO;
	return 0;
}

int subids_load(const char *path, struct subids *ret_subids)
{
	struct loading loading __attribute__((cleanup(loading_done))) = { 0 };
	FILE *file __attribute__((cleanup(close_file))) = fopen(path, "re");
	int r;

	if (!file && errno != ENOENT)
		return -errno;
	r = file ? read_lines(&loading, file) : 0;
	if (r < 0)
		return r;
	if (loading.subids.nr)
		settle(&loading.subids);
	*ret_subids = loading.subids;
	loading.subids = (struct subids){ 0 };
	return 0;
}

static void look(const char *path, struct stat *ret_status)
{
	if (stat(path, ret_status) < 0)
		*ret_status = (struct stat){ 0 };
}

static bool is_same_time(struct timespec one, struct timespec other)
{
	return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
	       one->st_size == other->st_size && is_same_time(one->st_mtim, other->st_mtim) &&
	       is_same_time(one->st_ctim, other->st_ctim);
}

static bool is_settled(const struct stat *status)
{
	return !status->st_ino || time(NULL) - status->st_ctim.tv_sec > SETTLED_S;
}

int subids_load_changed(const char *path, struct subids_seen *seen, struct subids *ret_subids)
{
	struct subids_seen now;
	int r;

	look(path, &now.file);
	look(SUBIDS_USERS, &now.users);
	if (seen->known && is_same_file(&seen->file, &now.file) &&
	    is_same_file(&seen->users, &now.users))
		return 1;
	now.known = is_settled(&now.file) && is_settled(&now.users);
	r = subids_load(path, ret_subids);
	if (r < 0)
		now.known = false;
	*seen = now;
	return r;
}

void subids_done(struct subids *subids)
{
	free(subids->ranges);
	*subids = (struct subids){ 0 };
}

uint32_t subids_superior(const struct subids *subids, uint32_t uid)
{
	size_t low = 0, high = subids ? subids->nr : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct subids_range *range = &subids->ranges[middle];

		if (uid < range->first)
			high = middle;
		else if (uid > range->last)
			low = middle + 1;
		else
			return range->superior == uid ? 0 : range->superior;
	}
	return 0;
}

uint32_t subids_user(const struct subids *subids, uint32_t uid)
{
	uint32_t superior = subids_superior(subids, uid);

	return superior ? superior : uid;
}
