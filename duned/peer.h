/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller's identity as the kernel recorded it when the socket was connected. Owns the memory of
 * the groups; must never take a word of a message for it.
 */
#ifndef DUNED_PEER_H
#define DUNED_PEER_H

#include <stdbool.h>

#include "duned/policy.h"

#define PEER_MAX_GROUPS 65536 /* the kernel's NGROUPS_MAX */

/*
 * Reads the credentials and groups of a connected socket. `identity_complete`: every uid of the
 * system has a number of its own here. Administrator, observer and socket are left to the
 * caller. 0 or -errno; to be ended with peer_done().
 */
int peer_read(int fd, bool identity_complete, struct peer *ret_peer);
void peer_done(struct peer *peer);

/* Is it one of the peer's groups, the first or a supplementary one? */
bool peer_in_group(const struct peer *peer, uint32_t gid);

#endif
