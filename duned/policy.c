// SPDX-License-Identifier: LGPL-2.1-or-later
/* Authorization; see policy.h. An access without a case is refused. */
#include "duned/policy.h"

bool policy_may_call(const struct peer *peer, enum dune_access access)
{
	switch (access) {
	case ACCESS_ANYONE:
		return true;
	case ACCESS_IDENTIFIED:
	case ACCESS_OWNER:
		return peer->identified;
	}
	return false;
}

bool policy_may(const struct peer *peer, enum dune_access access, uint32_t owner)
{
	if (!policy_may_call(peer, access))
		return false;
	switch (access) {
	case ACCESS_ANYONE:
	case ACCESS_IDENTIFIED:
		return false;	/* methods that act on no object */
	case ACCESS_OWNER:
		return peer->uid == 0 || peer->uid == owner;
	}
	return false;
}
