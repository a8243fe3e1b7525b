// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading identities from sockets; see peer.h. */
#include "duned/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OVERFLOW_UID 65534 /* what an unmapped uid reads as, kernel.overflowuid's default */
#define FEW_GROUPS   32 /* for so many no memory is needed */

/*
 * The groups at the time of connect(), into *few or into memory to be freed. SO_PEERGROUPS says how many
 * there are when they don't fit.
 */
static int read_all(int fd, uint32_t few[FEW_GROUPS], uint32_t **ret_many, size_t *ret_count)
{
	socklen_t size = FEW_GROUPS * sizeof(*few);
	uint32_t *many;
	int r;

	*ret_many = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size) == 0) {
		*ret_count = size / sizeof(*few);
		return 0;
	}
	if (errno != ERANGE)
		return -errno;
	if (size > PEER_MAX_GROUPS * sizeof(*many))
		return -E2BIG;
	many = malloc(size);
	if (!many)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &size) < 0) {
		r = -errno;
		free(many);
		return r;
	}
	*ret_many = many;
	*ret_count = size / sizeof(*many);
	return 0;
}

static int compare_ids(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return a < b ? -1 : a > b;
}

/* The kernel keeps them in order, but as it numbers them itself. */
static void put_in_order(uint32_t *groups, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (groups[i - 1] > groups[i]) {
			qsort(groups, count, sizeof(*groups), compare_ids);
			return;
		}
	}
}

int peer_read_groups(struct peer *peer, const uint32_t *wanted, size_t nr_wanted)
{
	uint32_t few[FEW_GROUPS], *many = NULL, *all, *kept;
	size_t count = 0, nr_kept = 0;
	int r = 0;

	kept = malloc((nr_wanted ? nr_wanted : 1) * sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	if (nr_wanted)
		r = read_all(peer->socket_fd, few, &many, &count);
	if (r < 0) {
		free(kept);
		return r;
	}
	all = many ? many : few;
	put_in_order(all, count);
	for (size_t i = 0; i < nr_wanted; i++) {
		if (bsearch(&wanted[i], all, count, sizeof(*all), compare_ids))
			kept[nr_kept++] = wanted[i];
	}
	free(many);
	peer_done(peer);
	if (nr_kept) {
		peer->groups = kept;
		peer->nr_groups = nr_kept;
	} else {
		free(kept);
	}
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

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	if (size != sizeof(credentials))
		return -EBADMSG;
	*ret_peer = (struct peer){
		.uid = credentials.uid,
		.gid = credentials.gid,
		.pid = credentials.pid,
		.identified = identity_complete || credentials.uid != OVERFLOW_UID,
		.socket_fd = fd,
		.connected_ticks = now_ticks(),
	};
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
