// SPDX-License-Identifier: LGPL-2.1-or-later
/* Authorization; see policy.h. A cell without an entry is POLICY_DENY. */
#include "duned/policy.h"

#define NO  POLICY_DENY
#define ASK POLICY_ASK
#define YES POLICY_ALLOW

/* Columns: unidentified, other, observer, owner, administrator, root. */
static const enum policy_verdict table[NR_POLICY_SOCKETS][NR_DUNE_ACCESS][NR_POLICY_RELATIONS] = {
	[POLICY_PUBLIC] = {
		[ACCESS_ANYONE]		= { YES, YES, YES, YES, YES, YES },
		[ACCESS_IDENTIFIED]	= { NO,  YES, YES, YES, YES, YES },
		[ACCESS_OBSERVER]	= { NO,  ASK, YES, YES, YES, YES },
		[ACCESS_OWNER]		= { NO,  ASK, ASK, YES, YES, YES },
		[ACCESS_ADMINISTRATOR]	= { NO,  ASK, ASK, ASK, YES, YES },
	},
	/* Kept free for those who have to see what is wrong while the other one is crowded. */
	[POLICY_ADMIN] = {
		[ACCESS_ANYONE]		= { NO,  NO,  NO,  NO,  YES, YES },
		[ACCESS_IDENTIFIED]	= { NO,  NO,  NO,  NO,  YES, YES },
		[ACCESS_OBSERVER]	= { NO,  NO,  NO,  NO,  YES, YES },
		[ACCESS_OWNER]		= { NO,  NO,  NO,  NO,  YES, YES },
		[ACCESS_ADMINISTRATOR]	= { NO,  NO,  NO,  NO,  YES, YES },
	},
};

enum policy_verdict policy_verdict(enum dune_access access, enum policy_socket socket,
				   enum policy_relation relation)
{
	if ((unsigned int)access >= NR_DUNE_ACCESS || (unsigned int)socket >= NR_POLICY_SOCKETS ||
	    (unsigned int)relation >= NR_POLICY_RELATIONS)
		return POLICY_DENY;
	return table[socket][access][relation];
}

enum policy_relation policy_relation(const struct peer *peer, uint32_t owner)
{
	if (!peer->identified)
		return RELATION_UNIDENTIFIED;
	if (peer->uid == 0)
		return RELATION_ROOT;
	if (peer->administrator)
		return RELATION_ADMINISTRATOR;
	if (peer->uid == owner)
		return RELATION_OWNER;
	return peer->observer ? RELATION_OBSERVER : RELATION_OTHER;
}

enum policy_relation policy_standing(const struct peer *peer)
{
	return policy_relation(peer, peer->uid);
}

/* What it is to objects that aren't its own, or that there aren't. */
static enum policy_relation standing_elsewhere(const struct peer *peer)
{
	enum policy_relation standing = policy_standing(peer);

	if (standing != RELATION_OWNER)
		return standing;
	return peer->observer ? RELATION_OBSERVER : RELATION_OTHER;
}

static bool is_about_objects(enum dune_access access)
{
	return access == ACCESS_OBSERVER || access == ACCESS_OWNER ||
	       access == ACCESS_ADMINISTRATOR;
}

static bool passes(const struct peer *peer, enum dune_access access, enum policy_relation relation)
{
	enum policy_verdict verdict = policy_verdict(access, peer->socket, relation);

	return verdict == POLICY_ALLOW || (verdict == POLICY_ASK && peer->asked == ASKED_GRANTED);
}

bool policy_may_call(const struct peer *peer, enum dune_access access)
{
	return passes(peer, access, policy_standing(peer));
}

bool policy_may(const struct peer *peer, enum dune_access access, uint32_t owner)
{
	return is_about_objects(access) && passes(peer, access, policy_relation(peer, owner));
}

bool policy_may_all(const struct peer *peer, enum dune_access access)
{
	return is_about_objects(access) && passes(peer, access, standing_elsewhere(peer));
}

static const char *ask(const struct peer *peer, enum dune_access access,
		       enum policy_relation relation)
{
	if (peer->asked != ASKED_NOT ||
	    policy_verdict(access, peer->socket, relation) != POLICY_ASK)
		return NULL;
	return policy_action(access);
}

const char *policy_ask_call(const struct peer *peer, enum dune_access access)
{
	return ask(peer, access, policy_standing(peer));
}

const char *policy_ask(const struct peer *peer, enum dune_access access)
{
	return is_about_objects(access) ? ask(peer, access, standing_elsewhere(peer)) : NULL;
}

const char *policy_action(enum dune_access access)
{
	static const char *const actions[NR_DUNE_ACCESS] = {
		[ACCESS_OBSERVER] = "io.dune.manager.observe",
		[ACCESS_OWNER] = "io.dune.manager.manage",
		[ACCESS_ADMINISTRATOR] = "io.dune.manager.configure",
	};

	return (unsigned int)access < NR_DUNE_ACCESS ? actions[access] : NULL;
}
