// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What clients send beside bytes. The service wants none of it: the client is sent away, nothing stays
 * open, and above all nobody waits while somebody else's file is dropped for the last time.
 */
#include <arpa/inet.h>
#include <time.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define INFO	 "{\"method\":\"org.varlink.service.GetInfo\"}"
#define LINGER_S 60 /* that the last close of a bomb takes */
#define QUICK_MS 3000 /* for an answer, however busy this host is */
#define MANY_FDS 200
#define NR_BOMBS 30 /* connections, each with some */
#define PER_USER 8

static struct service service;

static void setup(void)
{
	char config[64];

	service_setup(&service);
	snprintf(config, sizeof(config), "[connections]\nper-user = %d\n", PER_USER);
	file_write(service.config, config);
	service_spawn(&service, "duned/duned", "--socket", service.socket, "--config",
		      service.config, "--device", "/nonexistent/dune", "--debug", NULL);
}

static void teardown(void)
{
	service_teardown(&service);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The service comes to hold only so many descriptors, and then a new client is answered, soon. */
static void expect_healthy(int nr_fds)
{
	long start;
	int fd;

	service_expect_fds(&service, nr_fds);
	start = now_ms();
	fd = client_new(&service);
	client_send_text(fd, INFO);
	ck_assert_ptr_nonnull(strstr(client_receive(fd), "\"vendor\":\"Dune\""));
	ck_assert_msg(now_ms() - start < QUICK_MS, "answered after %ld ms", now_ms() - start);
	close(fd);
}

/* Sends some bytes with the same descriptor `count` times. */
static void send_fds(int to, int fd, int count, const char *text, size_t size, int flags)
{
	char control[CMSG_SPACE(MANY_FDS * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec vector = { (char *)text, size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header;

	message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(header) + (size_t)i * sizeof(int), &fd, sizeof(int));
	ck_assert_int_eq(sendmsg(to, &message, MSG_NOSIGNAL | flags), (ssize_t)size);
}

START_TEST(closes_descriptors_it_is_sent)
{
	int counts[] = { 1, MANY_FDS };
	int fds = service_idle_fds(&service);

	for (int round = 0; round < NR_ROWS(counts); round++) {
		int fd = client_new(&service);

		send_fds(fd, fd, counts[round], INFO, sizeof(INFO), 0);
		client_expect_end(fd);
		close(fd);
		expect_healthy(fds);
	}
	ck_assert(file_has(service.log, "it sent file descriptors"));
}
END_TEST

/*
 * A TCP socket that lingers: with more sent than anybody reads, its last close waits. The other end is
 * *ret_peer.
 */
static int bomb_new(int *ret_peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	socklen_t size = sizeof(address);
	static char bytes[1 << 16];
	int listener = socket(AF_INET, SOCK_STREAM, 0), bomb = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	ck_assert_int_eq(connect(bomb, (struct sockaddr *)&address, size), 0);
	*ret_peer = accept(listener, NULL, NULL);
	ck_assert_int_ge(*ret_peer, 0);
	close(listener);
	while (send(bomb, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(bomb, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return bomb;
}

/* The service drops the last reference: it does nothing until all of a client's acts are done. */
static void service_pause(void)
{
	ck_assert_int_eq(kill(service.pid, SIGSTOP), 0);
}

static void service_go_on(void)
{
	ck_assert_int_eq(kill(service.pid, SIGCONT), 0);
}

static void throw_bomb(int fd, int flags, int *ret_peer)
{
	int bomb = bomb_new(ret_peer);

	send_fds(fd, bomb, 1, "{", 1, flags);
	close(bomb);
}

static const struct {
	const char *what;
	bool before, after; /* bytes without any */
	int flags;
	bool refused; /* one connection too many */
} bombs[] = {
	{ .what = "with the first byte" },
	{ .what = "in the midst of a message", .before = true },
	{ .what = "out of band", .flags = MSG_OOB },
	{ .what = "out of band, and read over", .flags = MSG_OOB, .after = true },
	{ .what = "out of band, in the midst", .before = true, .flags = MSG_OOB, .after = true },
	{ .what = "to a connection that is refused", .refused = true },
	{ .what = "out of band to a connection that is refused", .refused = true, .flags = MSG_OOB },
};

static void throw_at(int fd, int i, int *ret_peer)
{
	if (bombs[i].before)
		ck_assert_int_eq(send(fd, "{", 1, MSG_NOSIGNAL), 1);
	throw_bomb(fd, bombs[i].flags, ret_peer);
	if (bombs[i].after)
		ck_assert_int_ne(send(fd, "{", 1, MSG_NOSIGNAL), 0);
}

START_TEST(drops_nothing_that_waits)
{
	int others[PER_USER], fds = service_idle_fds(&service), fd, peer;

	for (int i = 0; bombs[_i].refused && i < PER_USER; i++) {
		others[i] = client_new(&service);
		client_send_text(others[i], INFO);
		client_receive(others[i]);
	}
	service_pause();
	fd = client_new(&service);
	throw_at(fd, _i, &peer);
	service_go_on();
	if (bombs[_i].refused)
		ck_assert_ptr_nonnull(strstr(client_receive(fd), "connections_per_user"));
	client_expect_end(fd);
	for (int i = 0; bombs[_i].refused && i < PER_USER; i++)
		close(others[i]);
	expect_healthy(fds);
	close(fd);
	close(peer);
}
END_TEST

/* One after the other is defused as fast as they come. */
START_TEST(many_bombs)
{
	int fds = service_idle_fds(&service), peers[NR_BOMBS];
	long start = now_ms();

	for (int i = 0; i < NR_BOMBS; i++) {
		int fd;

		service_pause();
		fd = client_new(&service);
		throw_bomb(fd, 0, &peers[i]);
		service_go_on();
		client_expect_end(fd);
		close(fd);
	}
	expect_healthy(fds);
	ck_assert_int_lt(now_ms() - start, LINGER_S * 1000 / 2);
	for (int i = 0; i < NR_BOMBS; i++)
		close(peers[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_descriptors");
	TCase *tests = tcase_create("duned_descriptors");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 2 * LINGER_S);
	tcase_add_test(tests, closes_descriptors_it_is_sent);
	tcase_add_loop_test(tests, drops_nothing_that_waits, 0, NR_ROWS(bombs));
	tcase_add_test(tests, many_bombs);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
