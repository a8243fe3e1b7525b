/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller's identity as the kernel recorded it when the socket was connected. Owns the memory of
 * the groups, which are never more than the configuration names; must never take a word of a message
 * for it.
 */
#ifndef DUNED_PEER_H
#define DUNED_PEER_H

#include <stdbool.h>

#include "duned/policy.h"

#define PEER_MAX_GROUPS 65536 /* the kernel's NGROUPS_MAX */

/*
 * Reads the credentials of a connected socket, which takes no time to speak of. `identity_complete`:
 * every uid of the system has a number of its own here. Administrator, observer, socket and groups are
 * left to the caller. 0 or -errno; to be ended with peer_done().
 */
int peer_read(int fd, bool identity_complete, struct peer *ret_peer);
void peer_done(struct peer *peer);

/*
 * Which of these groups are supplementary ones of the peer's: they replace the ones it has. A client may
 * have as many as PEER_MAX_GROUPS, so that this takes a while. 0, -ENOMEM or -errno of the socket.
 */
int peer_read_groups(struct peer *peer, const uint32_t *wanted, size_t nr_wanted);

/* Is it one of the peer's groups, the first or a supplementary one that was wanted? */
bool peer_in_group(const struct peer *peer, uint32_t gid);

#endif
