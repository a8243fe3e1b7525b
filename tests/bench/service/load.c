// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * load [OPTION]... SOCKET CALL: many clients of a Varlink service in one thread. Every connection sends its
 * call, waits for the whole reply, and sends it again, for so many seconds; a descriptor that rides on a reply
 * is closed. One line says what came of it. Owns the connections; must never go on after a reply that is not
 * what the call should give: a fast refusal is no performance.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/service/histogram.h"

#define MAX_CONNECTIONS	 16000
#define MAX_PIPELINE	 64
#define MAX_MESSAGE	 256
#define EVENTS		 64
#define READ_SIZE	 65536
#define MEET_S		 10	/* at most, until everybody was answered once */
#define DRAIN_S		 2	/* at most, for the last replies */
#define SILENCE_MS	 30000	/* a service that answers nobody for so long is stuck */
#define REFUSAL		 "{\"error\""
#define NSEC		 1000000000ull

static const struct call {
	const char *name;
	const char *message;
	bool passes_fd;
} calls[] = {
	{ "info", "{\"method\":\"io.dune.Manager.Info\"}", false },
	{ "list", "{\"method\":\"io.dune.Manager.List\"}", false },
	{ "create", "{\"method\":\"io.dune.Manager.Create\"}", true },
	{ "getinfo", "{\"method\":\"org.varlink.service.GetInfo\"}", false },
	{ "ping", "{\"method\":\"io.dune.bench.Ping\"}", false },
};

struct client {
	int fd;
	unsigned int missing;	/* replies to come */
	bool inside;		/* a reply has begun */
	bool met;		/* it was answered once */
	uint64_t sent_ns;
};

static struct {
	unsigned int connections, uids, uid, pipeline;
	double seconds, warmup, pause;
	const char *socket;
	const struct call *call;
} option = { .connections = 64, .uids = 1, .pipeline = 1, .seconds = 2, .warmup = 0.5 };

static struct client clients[MAX_CONNECTIONS];
static char batch[MAX_PIPELINE * MAX_MESSAGE];
static size_t batch_size;
static struct histogram histogram;
static uint64_t replies, reply_bytes, descriptors;
static unsigned int nr_met;
static int poller;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC + (uint64_t)now.tv_nsec;
}

/* ---- connections ---- */

static int connect_one(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = SILENCE_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", option.socket);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(option.socket);
	return fd;
}

/* Spread over the users: the service reads the uid when the connection is made. */
static void connect_all(void)
{
	for (unsigned int i = 0; i < option.connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		if (option.uid && seteuid(option.uid + i % option.uids) < 0)
			die("seteuid");
		clients[i].fd = connect_one();
		if (option.uid && seteuid(0) < 0)
			die("seteuid");
		if (epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
			die("epoll_ctl");
	}
}

static void send_batch(struct client *client)
{
	client->sent_ns = now_ns();
	client->missing = option.pipeline;
	if (send(client->fd, batch, batch_size, MSG_NOSIGNAL) != (ssize_t)batch_size)
		die("send");
}

/* ---- replies ---- */

static void close_received(struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			close(fd);
			descriptors++;
		}
	}
}

static size_t receive(struct client *client, char *bytes)
{
	char control[CMSG_SPACE(4 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec vector = { bytes, READ_SIZE };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	ssize_t n;

	if (!option.call->passes_fd) {
		n = recv(client->fd, bytes, READ_SIZE, MSG_DONTWAIT);
	} else {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		n = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n > 0)
			close_received(&message);
	}
	if (n <= 0)
		die(n ? "receive" : "the service closed a connection");
	return (size_t)n;
}

/* Counts the replies that end in these bytes. */
static void take_replies(struct client *client, const char *bytes, size_t size, bool measured)
{
	const char *end = bytes + size;

	reply_bytes += measured ? size : 0;
	while (bytes < end) {
		const char *nul = memchr(bytes, '\0', (size_t)(end - bytes));

		if (!client->inside && !strncmp(bytes, REFUSAL, sizeof(REFUSAL) - 1)) {
			fprintf(stderr, "load: refused: %s\n", bytes);
			exit(1);
		}
		client->inside = !nul;
		if (!nul)
			return;
		if (!client->missing--) {
			fputs("load: a reply too many\n", stderr);
			exit(1);
		}
		if (measured) {
			replies++;
			histogram_add(&histogram, now_ns() - client->sent_ns);
		}
		bytes = nul + 1;
	}
}

/* One turn: takes what came, sends again if `again`. Returns how many clients got their last reply. */
static unsigned int turn(bool measured, bool again)
{
	static char bytes[READ_SIZE + 1];
	struct epoll_event events[EVENTS];
	int count = epoll_wait(poller, events, EVENTS, SILENCE_MS);
	unsigned int finished = 0;

	if (count <= 0)
		die(count ? "epoll_wait" : "no reply for 30 seconds");
	for (int i = 0; i < count; i++) {
		struct client *client = &clients[events[i].data.u32];
		size_t size = receive(client, bytes);

		bytes[size] = '\0';
		take_replies(client, bytes, size, measured);
		if (client->missing)
			continue;
		finished++;
		nr_met += !client->met;
		client->met = true;
		if (again && option.pause > 0)
			usleep((useconds_t)(option.pause * 1e6));
		if (again)
			send_batch(client);
	}
	return finished;
}

/* ---- the run ---- */

static void run(void)
{
	uint64_t start, end, patience = now_ns() + MEET_S * NSEC;
	unsigned int finished = 0;

	for (unsigned int i = 0; i < option.connections; i++)
		send_batch(&clients[i]);
	end = now_ns() + (uint64_t)(option.warmup * NSEC);
	/* Whoever still waits to be accepted would be no part of the load. */
	while (now_ns() < end || (nr_met < option.connections && now_ns() < patience))
		turn(false, true);
	/* Whoever reads this takes the service's processor time between the two lines. */
	printf("begin\n");
	fflush(stdout);
	start = now_ns();
	end = start + (uint64_t)(option.seconds * NSEC);
	while (now_ns() < end)
		turn(true, true);
	end = now_ns();
	printf("requests_per_second=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f requests=%llu "
	       "bytes=%.0f descriptors=%llu met=%u\n",
	       (double)replies * 1e9 / (double)(end - start), histogram_at(&histogram, 0.5) / 1e3,
	       histogram_at(&histogram, 0.99) / 1e3, (double)histogram.max / 1e3,
	       (unsigned long long)replies, replies ? (double)reply_bytes / (double)replies : 0,
	       (unsigned long long)descriptors, nr_met);
	fflush(stdout);
	end += DRAIN_S * NSEC;
	while (finished < option.connections && now_ns() < end)
		finished += turn(false, false);
}

static const struct call *call_find(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	}
	return NULL;
}

static void make_batch(void)
{
	size_t size = strlen(option.call->message) + 1;

	for (unsigned int i = 0; i < option.pipeline; i++)
		memcpy(batch + i * size, option.call->message, size);
	batch_size = option.pipeline * size;
}

static const char usage[] = "Usage: load [OPTION]... SOCKET info|list|create|getinfo|ping\n"
			    "  --connections=N  at once (64)\n"
			    "  --seconds=S      to measure (2)\n"
			    "  --warmup=S       before that, at least (0.5)\n"
			    "  --pipeline=N     calls that a connection sends at once (1)\n"
			    "  --pause=S        before a connection sends again (0)\n"
			    "  --uid=N          first user of the connections (needs root)\n"
			    "  --uids=N         users from that one on (1)\n";

static bool parse_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ "warmup", required_argument, NULL, 'w' },
		{ "pipeline", required_argument, NULL, 'p' },
		{ "pause", required_argument, NULL, 'z' },
		{ "uid", required_argument, NULL, 'u' },
		{ "uids", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			option.connections = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 's':
			option.seconds = strtod(optarg, NULL);
			break;
		case 'w':
			option.warmup = strtod(optarg, NULL);
			break;
		case 'p':
			option.pipeline = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'z':
			option.pause = strtod(optarg, NULL);
			break;
		case 'u':
			option.uid = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			option.uids = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	}
	if (argc - optind != 2)
		return false;
	option.socket = argv[optind];
	option.call = call_find(argv[optind + 1]);
	return option.call && option.connections && option.connections <= MAX_CONNECTIONS &&
	       option.pipeline && option.pipeline <= MAX_PIPELINE && option.uids &&
	       option.seconds > 0 && option.warmup >= 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (!parse_options(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (option.uid && setgroups(0, NULL) < 0)
		die("setgroups");
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		die("epoll_create1");
	make_batch();
	connect_all();
	run();
	return 0;
}
