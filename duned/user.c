// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of uids; see user.h. */
#include "duned/user.h"

#include <stdlib.h>

static struct user_chain *chain_of(struct users *users, uint32_t uid)
{
	/* Whoever could choose many uids (subordinate ids) gains a chain of at most all of them. */
	return &users->chains[(uid * 2654435761u) >> 24 & (USER_CHAINS - 1)];
}

static struct user *find(const struct users *users, uint32_t uid)
{
	struct user *user;

	LIST_FOREACH(user, chain_of((struct users *)users, uid), chain)
	{
		if (user->uid == uid)
			return user;
	}
	return NULL;
}

static void forget(struct users *users, struct user *user)
{
	TAILQ_REMOVE(&users->idle, user, idle);
	users->nr_idle--;
	LIST_REMOVE(user, chain);
	free(user);
}

void users_init(struct users *users)
{
	*users = (struct users){ 0 };
	TAILQ_INIT(&users->idle);
}

void users_done(struct users *users)
{
	struct user *user;

	while ((user = TAILQ_FIRST(&users->idle)))
		forget(users, user);
}

struct user *users_get(struct users *users, uint32_t uid)
{
	struct user *user = find(users, uid);

	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return NULL;
		user->uid = uid;
		TAILQ_INIT(&user->turns);
		TAILQ_INIT(&user->listings);
		LIST_INSERT_HEAD(chain_of(users, uid), user, chain);
	} else if (!user->nr_connections) {
		TAILQ_REMOVE(&users->idle, user, idle);
		users->nr_idle--;
	}
	user->nr_connections++;
	return user;
}

void users_put(struct users *users, struct user *user)
{
	if (--user->nr_connections)
		return;
	TAILQ_INSERT_TAIL(&users->idle, user, idle);
	if (++users->nr_idle > USER_REMEMBERED)
		forget(users, TAILQ_FIRST(&users->idle));
}

size_t users_count(const struct users *users, uint32_t uid)
{
	const struct user *user = find(users, uid);

	return user ? user->nr_connections : 0;
}
