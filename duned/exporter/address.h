/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The listening socket: passed by systemd, or bound to an address given as text. Never looks up names.
 */
#ifndef DUNED_EXPORTER_ADDRESS_H
#define DUNED_EXPORTER_ADDRESS_H

#include <sys/socket.h>

#define ADDRESS_FD_NAME "http" /* of systemd's socket unit */

/* "127.0.0.1:13863", "[::1]:13863", ":13863" (every address). -EINVAL, with *ret_why static text. */
int address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size,
		  const char **ret_why);

/* A non-blocking listening socket on the address. -errno. */
int address_listen(const struct sockaddr_storage *address, socklen_t size, int *ret_fd);

/* 1 with systemd's socket, 0 when it passed nothing, -EBADF when it passed something else, -errno. */
int address_inherited(int *ret_fd);

#endif
