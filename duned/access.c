// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of users; see access.h. */
#include "duned/access.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/peer.h"

#define WORD_MAX 64 /* bytes of a name */

static int parse_number(const char *word, uint32_t *ret_id)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(word, &end, 10);
	/* The highest one stands for "none" in the kernel. */
	if (*end || errno || value >= UINT32_MAX)
		return -EINVAL;
	*ret_id = (uint32_t)value;
	return 0;
}

static int resolve(const char *word, struct access_entry *ret_entry)
{
	const struct passwd *user;
	const struct group *group;

	ret_entry->is_group = *word == '@';
	word += ret_entry->is_group;
	if (isdigit((unsigned char)*word))
		return parse_number(word, &ret_entry->id);
	if (!*word || strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-$") != strlen(word))
		return -EINVAL;
	if (ret_entry->is_group) {
		group = getgrnam(word);
		if (!group)
			return -ENOENT;
		ret_entry->id = group->gr_gid;
		return 0;
	}
	user = getpwnam(word);
	if (!user)
		return -ENOENT;
	ret_entry->id = user->pw_uid;
	return 0;
}

int access_parse(const char *text, struct access_list *ret_list, const char **ret_bad)
{
	struct access_list list = { 0 };

	for (;;) {
		char word[WORD_MAX];
		size_t length;
		int r;

		text += strspn(text, " \t,");
		*ret_bad = text;
		if (!*text)
			break;
		length = strcspn(text, " \t,");
		if (list.count == ACCESS_MAX_ENTRIES)
			return -E2BIG;
		if (length >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, length);
		word[length] = '\0';
		r = resolve(word, &list.entries[list.count]);
		if (r < 0)
			return r;
		list.count++;
		text += length;
	}
	*ret_list = list;
	return 0;
}

void access_format(const struct access_list *list, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (unsigned int i = 0; i < list->count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s%u", i ? " " : "",
					 list->entries[i].is_group ? "@" : "", list->entries[i].id);
}

size_t access_groups(const struct access_list *list, uint32_t ret_groups[ACCESS_MAX_ENTRIES])
{
	size_t count = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		if (list->entries[i].is_group)
			ret_groups[count++] = list->entries[i].id;
	}
	return count;
}

bool access_names(const struct access_list *list, const struct peer *peer)
{
	if (!peer->identified)
		return false;
	for (unsigned int i = 0; i < list->count; i++) {
		const struct access_entry *entry = &list->entries[i];

		if (entry->is_group ? peer_in_group(peer, entry->id) : peer->uid == entry->id)
			return true;
	}
	return false;
}
