// SPDX-License-Identifier: LGPL-2.1-or-later
/* Messages on their way out; see output.h. */
#include "duned/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/answering.h"
#include "duned/connection.h"
#include "duned/counters.h"

void output_account(struct connection *connection, size_t added, size_t removed)
{
	connection->output_bytes += added - removed;
	connection->turn.user->output_bytes += added - removed;
	connection->server->output_bytes += added - removed;
	if (removed > added)
		answering_wake_listing(connection->server, connection->turn.user);
}

static void output_free(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	free(output->bytes);
	free(output);
}

int output_queue(struct connection *connection, char *bytes, size_t size, int fd)
{
	struct output *output = malloc(sizeof(*output));

	if (!output) {
		free(bytes);
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	*output = (struct output){ .bytes = bytes, .size = size, .fd = fd };
	STAILQ_INSERT_TAIL(&connection->outputs, output, link);
	connection->output_fds += fd >= 0;
	output_account(connection, size, 0);
	counter_add(COUNTER_MESSAGES_OUT, 1);
	return 0;
}

/* Sends some of one message, its descriptor with the first byte. */
static ssize_t output_send(struct connection *connection, struct output *output)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec vector = { output->bytes + output->sent, output->size - output->sent };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	if (output->fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &output->fd, sizeof(int));
	}
	do {
		n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && output->fd >= 0) {
		/* It is the client's now: the service keeps no copy. */
		close(output->fd);
		output->fd = -1;
		connection->output_fds--;
	}
	return n < 0 ? -errno : n;
}

int output_flush(struct connection *connection)
{
	struct output *output;
	bool progress = false;

	while ((output = STAILQ_FIRST(&connection->outputs))) {
		ssize_t n = output_send(connection, output);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		progress = true;
		output->sent += (size_t)n;
		output_account(connection, 0, (size_t)n);
		counter_add(COUNTER_BYTES_OUT, (uint64_t)n);
		if (output->sent == output->size) {
			STAILQ_REMOVE_HEAD(&connection->outputs, link);
			output_free(output);
		}
	}
	if (progress)
		ev_timer_stop(connection->server->loop, &connection->output_timer);
	return 0;
}
void output_done(struct connection *connection)
{
	struct output *output;

	output_account(connection, 0, connection->output_bytes);
	while ((output = STAILQ_FIRST(&connection->outputs))) {
		STAILQ_REMOVE_HEAD(&connection->outputs, link);
		output_free(output);
	}
}
