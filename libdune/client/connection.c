// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Socket I/O of the client; see connection.h for what it owns.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libdune/client/connection.h"

/* Bytes asked for at once. */
#define CONNECTION_CHUNK 65536

/* Room for more descriptors than are ever accepted, so that they are seen, counted and closed. */
#define CONNECTION_CONTROL_FDS 32

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t connection_deadline(uint64_t after_ms)
{
	uint64_t now = now_ms();

	return after_ms > CONNECTION_FOREVER - now ? CONNECTION_FOREVER : now + after_ms;
}

int connection_open(const char *path, uint64_t timeout_ms, int *ret_fd)
{
	/* connect() on a Unix socket waits, as long as SO_SNDTIMEO allows, for room in the backlog. */
	struct timeval timeout = {
		.tv_sec = (time_t)(timeout_ms / 1000),
		.tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000),
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd, r;

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = errno == EAGAIN || errno == EINTR ? -ETIMEDOUT : -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void connection_init(struct connection *connection, int fd)
{
	*connection = (struct connection){ .fd = fd, .input.max_bytes = VARLINK_MAX_REPLY };
}

void connection_drop_fds(struct connection *connection)
{
	for (unsigned int i = 0; i < connection->nr_fds; i++)
		if (connection->fds[i] >= 0)
			close(connection->fds[i]);
	connection->nr_fds = 0;
}

void connection_close(struct connection *connection)
{
	connection_drop_fds(connection);
	varlink_input_done(&connection->input);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

static int wait_for(const struct connection *connection, short events, uint64_t deadline_ms)
{
	struct pollfd poller = { .fd = connection->fd, .events = events };
	uint64_t now, left;
	int r;

	for (;;) {
		now = now_ms();
		if (now >= deadline_ms)
			return -ETIMEDOUT;
		left = deadline_ms - now;
		/* One minute at most, then look again: poll's timeout is an int. */
		r = poll(&poller, 1, left > 60000 ? 60000 : (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

int connection_send(struct connection *connection, const void *bytes, size_t size_bytes,
		    uint64_t deadline_ms)
{
	const char *next = bytes;
	ssize_t sent;
	int r;

	while (size_bytes > 0) {
		r = wait_for(connection, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
		sent = send(connection->fd, next, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			return -errno;
		}
		next += sent;
		size_bytes -= (size_t)sent;
	}
	return 0;
}

/* Takes the descriptors of one received chunk into fds; closes those that don't fit: -EPROTO. */
static int take_fds(struct connection *connection, struct msghdr *message)
{
	int fd, r = message->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
	struct cmsghdr *control;
	size_t nr;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < nr; i++) {
			memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
			if (connection->nr_fds < CONNECTION_MAX_FDS) {
				connection->fds[connection->nr_fds++] = fd;
			} else {
				close(fd);
				r = -EPROTO;
			}
		}
	}
	return r;
}

static int receive_chunk(struct connection *connection)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONNECTION_CONTROL_FDS * sizeof(int))];
	} control;
	char chunk[CONNECTION_CHUNK];
	struct iovec vector = { .iov_base = chunk, .iov_len = sizeof(chunk) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	bool first = varlink_input_pending(&connection->input) == 0;
	unsigned int nr_before = connection->nr_fds;
	ssize_t received;
	int r;

	received = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (received < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	r = take_fds(connection, &message);
	if (r < 0)
		return r;
	if (connection->nr_fds > nr_before && !first)
		return -EPROTO;
	if (received == 0)
		return -ECONNRESET;
	return varlink_input_feed(&connection->input, chunk, (size_t)received);
}

int connection_receive(struct connection *connection, uint64_t deadline_ms,
		       const char **ret_message, size_t *ret_size)
{
	int r;

	for (;;) {
		r = varlink_input_take(&connection->input, ret_message, ret_size);
		if (r != 0)
			return r < 0 ? r : 0;
		r = wait_for(connection, POLLIN, deadline_ms);
		if (r < 0)
			return r;
		r = receive_chunk(connection);
		if (r < 0)
			return r;
	}
}
