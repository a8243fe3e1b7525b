/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening sockets: systemd's, or some of our own. */
#ifndef DUNED_LISTEN_H
#define DUNED_LISTEN_H

#include "duned/policy.h"

/*
 * With path NULL: the sockets named "varlink" and, if there is one, "varlink-admin" that systemd
 * passed, else new ones at DUNE_SOCKET and DUNE_ADMIN_SOCKET. With a path: new ones there and at
 * PATH.admin. By enum policy_socket; -1 for none. Errors are reported here. -EADDRINUSE when a living
 * service listens there.
 */
struct listen {
	int fds[NR_POLICY_SOCKETS];
	char paths[NR_POLICY_SOCKETS][108];	/* of new ones; empty: not ours */
};

int listen_open(const char *path, struct listen *ret_listen);

/* Removes the sockets of our own from the file system. */
void listen_unlink(const struct listen *listen);

#endif
