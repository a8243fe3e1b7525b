// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading identities from sockets; see peer.h. */
#include "duned/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OVERFLOW_UID 65534 /* what an unmapped uid reads as, kernel.overflowuid's default */

/* The groups at the time of connect(); SO_PEERGROUPS says how many fit when they don't. */
static int read_groups(int fd, struct peer *peer)
{
	uint32_t few[32], *groups = few;
	socklen_t size = sizeof(few);
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size);

	if (r < 0 && errno != ERANGE)
		return -errno;
	if (size > PEER_MAX_GROUPS * sizeof(*groups))
		return -E2BIG;
	if (!size)
		return 0;
	groups = malloc(size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
		r = -errno;
		free(groups);
		return r;
	}
	peer->groups = groups;
	peer->nr_groups = size / sizeof(*groups);
	return 0;
}

/* The clock and the unit of a process's start in /proc/PID/stat. */
static uint64_t now_ticks(void)
{
	struct timespec now;
	long hertz = sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * (uint64_t)hertz +
	       (uint64_t)now.tv_nsec / (1000000000 / (uint64_t)hertz);
}

int peer_read(int fd, bool identity_complete, struct peer *ret_peer)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	struct peer peer;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	if (size != sizeof(credentials))
		return -EBADMSG;
	peer = (struct peer){
		.uid = credentials.uid,
		.gid = credentials.gid,
		.pid = credentials.pid,
		.identified = identity_complete || credentials.uid != OVERFLOW_UID,
		.socket_fd = fd,
		.connected_ticks = now_ticks(),
	};
	r = read_groups(fd, &peer);
	if (r < 0)
		return r;
	*ret_peer = peer;
	return 0;
}

void peer_done(struct peer *peer)
{
	free(peer->groups);
	peer->groups = NULL;
	peer->nr_groups = 0;
}

bool peer_in_group(const struct peer *peer, uint32_t gid)
{
	if (peer->gid == gid)
		return true;
	for (size_t i = 0; i < peer->nr_groups; i++) {
		if (peer->groups[i] == gid)
			return true;
	}
	return false;
}
