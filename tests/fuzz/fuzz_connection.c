// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One client against the real connection, schedule and methods: any bytes in any pieces, descriptors
 * anywhere, a socket that takes what it likes, timers at any time. The system calls on the client's
 * socket are replaced by ones that follow the input. Whatever happens, what comes out is whole replies,
 * no more than there were calls, and at the end nothing is held: no byte, no stream, no descriptor.
 */
#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/config.h"
#include "duned/connection.h"
#include "duned/manager.h"
#include "duned/server.h"
#include "proto/varlink.h"
#include "tests/fuzz/answer.h"
#include "tests/fuzz/require.h"

#define CLIENT_FD 900 /* numbers that the system never gives here */
#define KEPT	  8 /* contexts that the "client" holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_close(int fd);
int __real_close(int fd);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);

/* ---- the client ---- */

static const char *const calls[] = {
	"{\"method\":\"io.dune.Manager.Info\"}",
	"{\"method\":\"io.dune.Manager.Create\"}",
	"{\"method\":\"io.dune.Manager.Create\",\"parameters\":{\"name\":\"a\"}}",
	"{\"method\":\"io.dune.Manager.List\"}",
	"{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"name\":\"a\"}}",
	"{\"method\":\"io.dune.Manager.Stats\",\"more\":true}",
	"{\"method\":\"io.dune.Manager.Stats\",\"parameters\":{\"name\":\"a\"},\"more\":true}",
	"{\"method\":\"io.dune.Manager.Events\",\"more\":true}",
	"{\"method\":\"io.dune.Manager.Create\",\"oneway\":true}",
	"{\"method\":\"org.varlink.service.GetInfo\"}",
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
	"{\"interface\":\"io.dune.Manager\"}}",
	"{\"method\":\"io.dune.Manager.Info\",\"upgrade\":true}",
	"{\"method\":\"a.b\"}",
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

static struct {
	const uint8_t *data;
	size_t size;
	const char *chunk; /* what can be read */
	size_t chunk_size;
	size_t seen; /* bytes of it, by a look */
	bool chunk_fds; /* descriptors come with it */
	bool seen_fds;
	bool ended;
	bool known; /* process 1 */
	int send_error; /* errno of the next sendmsg, once */
	size_t send_limit; /* bytes that the next one takes; 0: all */
	size_t calls_sent; /* NULs: no more calls than these */
	size_t replies;
	bool streamed; /* `more` was sent: replies have no number */
	bool closed;
	struct varlink_input output;
	int kept[KEPT];
	unsigned int next_kept;
} client;

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	size_t n = client.chunk_size;

	/* A look: nothing is taken, and descriptors have no place to go. */
	require(fd == CLIENT_FD && !client.closed && !client.seen_fds);
	require(flags == (MSG_PEEK | MSG_DONTWAIT) && !message->msg_controllen);
	if (!n && !client.ended) {
		errno = EAGAIN;
		return -1;
	}
	require(message->msg_iovlen == 1);
	if (n > message->msg_iov[0].iov_len)
		n = message->msg_iov[0].iov_len;
	if (n)
		memcpy(message->msg_iov[0].iov_base, client.chunk, n);
	client.seen = n;
	client.seen_fds = n && client.chunk_fds;
	message->msg_flags = client.seen_fds ? MSG_CTRUNC : 0;
	return (ssize_t)n;
}

/* Takes what was seen; never a descriptor. */
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
	require(fd == CLIENT_FD && !client.closed && !client.seen_fds);
	require(flags == MSG_DONTWAIT && size && size == client.seen);
	memcpy(buffer, client.chunk, size);
	client.chunk += size;
	client.chunk_size -= size;
	client.seen = 0;
	return (ssize_t)size;
}

static void took_reply(const char *message, size_t size)
{
	client.streamed |= reply_check(message, size);
	client.replies++;
}

static void keep(int fd)
{
	int *kept = &client.kept[client.next_kept++ % KEPT];

	if (*kept >= 0)
		__real_close(*kept);
	*kept = dup(fd);
	if (*kept >= 0 && client.next_kept % 3)
		require(write(*kept, "rp", client.next_kept % 3) > 0);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct iovec *vector = message->msg_iov;
	size_t n = vector->iov_len, length;
	const char *text;

	require(fd == CLIENT_FD && !client.closed && message->msg_iovlen == 1 && n);
	if (client.send_error) {
		errno = client.send_error;
		client.send_error = 0;
		return -1;
	}
	if (client.send_limit && client.send_limit < n)
		n = client.send_limit;
	client.send_limit = 0;
	if (message->msg_controllen) {
		int passed;

		memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof(int));
		/* It rides on the first byte of a message. */
		require(!varlink_input_pending(&client.output));
		keep(passed);
	}
	require(varlink_input_feed(&client.output, vector->iov_base, n) == 0);
	while (varlink_input_take(&client.output, &text, &length) == 1)
		took_reply(text, length);
	return (ssize_t)n;
}

int __wrap_close(int fd)
{
	if (fd == CLIENT_FD) {
		require(!client.closed);
		client.closed = true;
		return 0;
	}
	return __real_close(fd);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	fds->revents = client.ended && client.size % 2 ? POLLHUP : 0;
	return fds->revents != 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	/* Of a process that is known, or of one that has gone. */
	const struct ucred who = { .pid = client.known, .uid = 1000, .gid = 1000 };

	if (fd != CLIENT_FD)
		return __real_getsockopt(fd, level, name, value, size);
	if (name == SO_PEERGROUPS) {
		*size = 0;
		return 0;
	}
	if (name != SO_PEERCRED || *size < sizeof(who)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	memcpy(value, &who, sizeof(who));
	*size = sizeof(who);
	return 0;
}

/* Out-of-band bytes come with the others. */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	require(fd == CLIENT_FD && level == SOL_SOCKET && name == SO_OOBINLINE);
	return 0;
}

/* ---- what happens ---- */

static struct manager manager;
static struct server server;
static struct connection *connection;

static void run(int events)
{
	if (!client.closed && events)
		ev_invoke(server.loop, &connection->watcher, events);
	for (int i = 0; i < 8 && !client.closed; i++)
		schedule_run(&server.schedule);
}

static void deliver(const char *bytes, size_t size, bool fds)
{
	for (size_t i = 0; i < size; i++)
		client.calls_sent += !bytes[i];
	client.chunk = bytes;
	client.chunk_size = size;
	client.chunk_fds = fds;
	while (!client.closed && client.chunk_size) {
		size_t before = client.chunk_size;

		run(EV_READ);
		/* It may have stopped reading until its output is taken. */
		if (client.chunk_size == before)
			break;
	}
	require(!client.seen_fds || client.closed);
	client.chunk_size = 0;
	client.chunk_fds = false;
}

static void fire(ev_timer *timer)
{
	if (!client.closed && ev_is_active(timer))
		ev_invoke(server.loop, timer, EV_TIMER);
	run(0);
}

static uint8_t next(void)
{
	if (!client.size)
		return 0;
	client.size--;
	return *client.data++;
}

static void deliver_input(bool fds)
{
	size_t n = next();
	const char *bytes = (const char *)client.data;

	if (n > client.size)
		n = client.size;
	client.data += n;
	client.size -= n;
	deliver(bytes, n, fds);
}

static void deliver_call(void)
{
	const char *call = calls[next() % NR_CALLS];
	size_t size = strlen(call) + 1, cut = next();

	/* In two pieces, or more of it again and again. */
	if (cut < size)
		deliver(call, cut, false);
	if (cut < size && !client.closed)
		deliver(call + cut, size - cut, false);
	for (size_t i = size; i < cut && !client.closed; i += 32)
		deliver(call, size, false);
}

static void step(uint8_t what)
{
	switch (what % 16) {
	case 0 ... 3:
		deliver_input(false);
		break;
	case 4:
		deliver_input(true);
		break;
	case 5 ... 8:
		deliver_call();
		break;
	case 9:
		client.send_limit = 1 + next() * 64u;
		break;
	case 10:
		client.send_error = next() % 8 ? EAGAIN : EPIPE;
		break;
	case 11:
		client.ended = true;
		run(EV_READ);
		break;
	case 12:
		fire(&connection->stream_timer);
		break;
	case 13:
		fire(next() % 2 ? &connection->input_timer : &connection->output_timer);
		break;
	case 14:
		if (manager.device.fd >= 0)
			ev_invoke(server.loop, &manager.device_watcher, EV_READ);
		run(0);
		break;
	case 15:
		run(EV_WRITE);
		break;
	}
}

static void start(void)
{
	static const int none[NR_POLICY_SOCKETS] = { -1, -1 };
	struct config config;

	if (server.loop)
		return;
	config_defaults(&config);
	config.calls_per_second = 0;
	server.loop = ev_default_loop(EVFLAG_NOENV);
	require(server.loop && manager_init(&manager, server.loop, &config, "fake") == 0);
	server_init(&server, &manager, server.loop, none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	memset(&client, 0, sizeof(client));
	memset(client.kept, 0xff, sizeof(client.kept));
	client.data = data;
	client.size = size;
	client.known = size % 2;
	client.output.max_bytes = VARLINK_MAX_REPLY;
	connection = server_admit(&server, POLICY_PUBLIC, CLIENT_FD);
	require(connection && !client.closed);
	while (client.size && !client.closed)
		step(next());
	require(client.streamed || client.replies <= client.calls_sent);
	if (!client.closed)
		connection_free(connection);
	require(client.closed);
	require(!server.output_bytes && !server.nr_streams && TAILQ_EMPTY(&server.connections));
	require(!server.listeners[POLICY_PUBLIC].nr_connections);
	require(!users_count(&server.users, 1000));
	varlink_input_done(&client.output);
	for (int i = 0; i < KEPT; i++) {
		if (client.kept[i] >= 0)
			__real_close(client.kept[i]);
	}
	return 0;
}
