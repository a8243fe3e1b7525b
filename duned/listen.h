/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening socket: systemd's, or one of our own. */
#ifndef DUNED_LISTEN_H
#define DUNED_LISTEN_H

/*
 * With path NULL: the socket named "varlink" that systemd passed, else a new one at DUNE_SOCKET.
 * With a path: a new one there. *ret_path is the path of a new one, to be removed at the end, or
 * NULL. Errors are reported here. -EADDRINUSE when a living service listens there.
 */
int listen_open(const char *path, int *ret_fd, const char **ret_path);

#endif
