// SPDX-License-Identifier: LGPL-2.1-or-later
/* Addresses and the listening socket; see address.h. */
#include "duned/exporter/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ADDRESS_MAX    64
#define LISTEN_BACKLOG 64

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static int parse_port(const char *text, in_port_t *ret_port)
{
	unsigned long port = 0;

	if (!*text || strlen(text) > 5 || text[strspn(text, "0123456789")])
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	if (port == 0 || port > 65535)
		return -EINVAL;
	*ret_port = htons((in_port_t)port);
	return 0;
}

static int parse_host(char *host, in_port_t port, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = port };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = port };
	size_t length = strlen(host);
	bool is_six = length == 0; /* every address, of both families */

	if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &six.sin6_addr) != 1)
			return -EINVAL;
		is_six = true;
	} else if (length && inet_pton(AF_INET, host, &four.sin_addr) != 1) {
		return -EINVAL;
	}
	*size = is_six ? sizeof(six) : sizeof(four);
	memcpy(address, is_six ? (void *)&six : (void *)&four, *size);
	return 0;
}

int address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size,
		  const char **ret_why)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_storage address = { 0 };
	char host[ADDRESS_MAX];
	in_port_t port;
	socklen_t size;

	if (!colon)
		return bad(ret_why, "no port: ADDRESS:PORT expected");
	if ((size_t)(colon - text) >= sizeof(host))
		return bad(ret_why, "the address is too long");
	if (parse_port(colon + 1, &port) < 0)
		return bad(ret_why, "the port is no number from 1 to 65535");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (parse_host(host, port, &address, &size) < 0)
		return bad(ret_why,
			   "the address is neither IPv4 (127.0.0.1) nor IPv6 in brackets ([::1])");
	*ret_address = address;
	*ret_size = size;
	return 0;
}

int address_listen(const struct sockaddr_storage *address, socklen_t size, int *ret_fd)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, zero = 0, r;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (address->ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0) ||
	    bind(fd, (const struct sockaddr *)address, size) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int address_inherited(int *ret_fd)
{
	int found = -1, flags, count;
	char **names = NULL;

	count = sd_listen_fds_with_names(1, &names);
	if (count <= 0)
		return count;
	for (int i = 0; i < count; i++) {
		if (found < 0 && !strcmp(names[i], ADDRESS_FD_NAME))
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (found < 0 || sd_is_socket(found, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return -EBADF;
	flags = fcntl(found, F_GETFL);
	if (flags < 0 || fcntl(found, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	*ret_fd = found;
	return 1;
}
