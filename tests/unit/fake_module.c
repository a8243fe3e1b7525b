// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fake-module SOCKET: the paper contexts of fake_table.c in a process of their own, so that they outlive a service
 * that is killed. Each call is done completely or not at all. Must never wait for a caller.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/fake_module.h"
#include "tests/unit/fake_table.h"

#define MAX_CALLERS 16
#define BACKLOG	    16
#define SETTLE_MS   10	/* between two looks at what the tests did */
#define PAYLOAD	    (FAKE_CONTEXTS_LARGE * sizeof(struct dune_stats))

struct caller {
	int fd;		/* -1: free */
	int signal;	/* eventfd that says there are events; -1: it did not ask for any */
};

static struct caller callers[MAX_CALLERS];
static char payload[PAYLOAD] __attribute__((aligned(8)));

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- events: for the first who opened the device, as the service is alone with it ---- */

static struct caller *reader(void)
{
	for (int i = 0; i < MAX_CALLERS; i++) {
		if (callers[i].fd >= 0 && callers[i].signal >= 0)
			return &callers[i];
	}
	return NULL;
}

/* A new reader knows nothing of what was before it. */
static int open_events(struct caller *caller)
{
	fake_table_settle();
	if (!reader())
		fake_table_forget_events();
	caller->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return caller->signal < 0 ? -errno : 0;
}

static void announce(int table)
{
	struct pollfd poller = { .fd = table, .events = POLLIN };
	struct caller *to = reader();
	uint64_t number = 1;

	fake_table_settle();
	if (!to)
		fake_table_forget_events();
	else if (poll(&poller, 1, 0) > 0 && write(to->signal, &number, sizeof(number)) < 0)
		die("eventfd");
}

static int read_events(struct caller *caller, uint32_t capacity, size_t *ret_size)
{
	uint64_t number;
	int count = 0;

	if (read(caller->signal, &number, sizeof(number)) < 0 && errno != EAGAIN)
		die("eventfd");
	if (reader() == caller)
		count = fake_table_events((struct dune_event *)payload, capacity);
	*ret_size = (size_t)count * sizeof(struct dune_event);
	return count;
}

/* ---- calls ---- */

static int read_stats(const struct fake_call *call, size_t *ret_size)
{
	int count = fake_table_stats(call->id, (struct dune_stats *)payload, call->capacity);

	*ret_size = (size_t)count * sizeof(struct dune_stats);
	return count;
}

static int read_report(const struct fake_call *call, size_t *ret_size)
{
	int r = fake_table_report(call->id, (struct dune_report *)payload);

	*ret_size = r < 0 ? 0 : sizeof(struct dune_report);
	return r;
}

static int create(const struct fake_call *call, int *ret_fd, size_t *ret_size)
{
	int r = fake_table_create(&call->creation, ret_fd, (uint64_t *)payload);

	*ret_size = r < 0 ? 0 : sizeof(uint64_t);
	return r;
}

/* Its result; payload and *ret_fd for the answer. */
static int perform(struct caller *caller, const struct fake_call *call, int *ret_fd,
		   size_t *ret_size)
{
	switch (call->operation) {
	case FAKE_OPEN:
		return open_events(caller);
	case FAKE_INFO:
		fake_table_info((struct dune_info *)payload);
		*ret_size = sizeof(struct dune_info);
		return 0;
	case FAKE_CREATE:
		return create(call, ret_fd, ret_size);
	case FAKE_STATS:
		return read_stats(call, ret_size);
	case FAKE_TOTALS:
		fake_table_totals((struct dune_totals *)payload);
		*ret_size = sizeof(struct dune_totals);
		return 0;
	case FAKE_SET_LIMITS:
		return fake_table_set_limits(call->id, call->creation.limits);
	case FAKE_REPORT:
		return read_report(call, ret_size);
	case FAKE_KILL:
		return fake_table_kill(call->id);
	case FAKE_EVENTS_READ:
		return read_events(caller, call->capacity, ret_size);
	}
	return -ENOTTY;
}

/* False when the caller is gone. */
static bool answer(const struct caller *caller, int result, int fd, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct fake_answer head = { .result = result, .size = (uint32_t)size };
	struct iovec vector = { &head, sizeof(head) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	return sendmsg(caller->fd, &message, MSG_NOSIGNAL) == sizeof(head) &&
	       (!size || send(caller->fd, payload, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static bool serve(struct caller *caller)
{
	struct fake_call call;
	ssize_t n = recv(caller->fd, &call, sizeof(call), MSG_WAITALL);
	int fd = -1, result;
	size_t size = 0;
	bool alive;

	if (n != sizeof(call))
		return false;
	if (call.capacity > PAYLOAD / sizeof(struct dune_stats))
		call.capacity = PAYLOAD / sizeof(struct dune_stats);
	result = perform(caller, &call, &fd, &size);
	alive = answer(caller, result, call.operation == FAKE_OPEN ? caller->signal : fd, size);
	/* The caller's from here on: a context lives as long as its copy. */
	if (fd >= 0)
		close(fd);
	return alive;
}

static void drop(struct caller *caller)
{
	close(caller->fd);
	if (caller->signal >= 0)
		close(caller->signal);
	caller->fd = caller->signal = -1;
}

static void admit(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; fd >= 0 && i < MAX_CALLERS; i++) {
		if (callers[i].fd < 0) {
			callers[i].fd = fd;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

static void run(int listener, int table)
{
	struct pollfd pollers[MAX_CALLERS + 1];

	for (;;) {
		for (int i = 0; i < MAX_CALLERS; i++)
			pollers[i] = (struct pollfd){ .fd = callers[i].fd, .events = POLLIN };
		pollers[MAX_CALLERS] = (struct pollfd){ .fd = listener, .events = POLLIN };
		/* Events that were announced wait for their reader: they must not wake this loop. */
		announce(table);
		if (poll(pollers, MAX_CALLERS + 1, SETTLE_MS) < 0)
			die("poll");
		for (int i = 0; i < MAX_CALLERS; i++) {
			if (pollers[i].revents && !serve(&callers[i]))
				drop(&callers[i]);
		}
		if (pollers[MAX_CALLERS].revents)
			admit(listener);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), table;

	if (argc != 2)
		return 2;
	for (int i = 0; i < MAX_CALLERS; i++)
		callers[i] = (struct caller){ .fd = -1, .signal = -1 };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, BACKLOG) < 0)
		die(argv[1]);
	if (fake_table_open("fake:large", &table) < 0)
		die("table");
	run(listener, table);
	return 0;
}
