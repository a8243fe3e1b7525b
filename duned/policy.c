// SPDX-License-Identifier: LGPL-2.1-or-later
/* Authorization; see policy.h. A cell without an entry is POLICY_DENY. */
#include "duned/policy.h"

#define NO  POLICY_DENY
#define ASK POLICY_ASK
#define YES POLICY_ALLOW

/* Columns: unidentified, other, owner, administrator, root. */
static const enum policy_verdict table[NR_POLICY_SOCKETS][NR_DUNE_ACCESS][NR_POLICY_RELATIONS] = {
	[POLICY_PUBLIC] = {
		[ACCESS_ANYONE]		= { YES, YES, YES, YES, YES },
		[ACCESS_IDENTIFIED]	= { NO,  YES, YES, YES, YES },
		[ACCESS_OWNER]		= { NO,  NO,  YES, YES, YES },
		[ACCESS_ADMINISTRATOR]	= { NO,  ASK, ASK, YES, YES },
	},
	/* Kept free for those who have to see what is wrong while the other one is crowded. */
	[POLICY_ADMIN] = {
		[ACCESS_ANYONE]		= { NO,  NO,  NO,  YES, YES },
		[ACCESS_IDENTIFIED]	= { NO,  NO,  NO,  YES, YES },
		[ACCESS_OWNER]		= { NO,  NO,  NO,  YES, YES },
		[ACCESS_ADMINISTRATOR]	= { NO,  NO,  NO,  YES, YES },
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
	return peer->uid == owner ? RELATION_OWNER : RELATION_OTHER;
}

enum policy_relation policy_standing(const struct peer *peer)
{
	return policy_relation(peer, peer->uid);
}

bool policy_may_call(const struct peer *peer, enum dune_access access)
{
	return policy_verdict(access, peer->socket, policy_standing(peer)) == POLICY_ALLOW;
}

bool policy_may(const struct peer *peer, enum dune_access access, uint32_t owner)
{
	if (access != ACCESS_OWNER && access != ACCESS_ADMINISTRATOR)
		return false;
	return policy_verdict(access, peer->socket, policy_relation(peer, owner)) == POLICY_ALLOW;
}
