// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which process asks: its start and cgroup as text, and never another process under the same pid. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "duned/identity.h"
#include "duned/peer.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array)	       (int)(sizeof(array) / sizeof((array)[0]))
#define AFTER_NAME	       AFTER_NAME_WITH("4194304")
#define AFTER_NAME_WITH(flags) " S 1 2 3 4 5 " flags " 7 8 9 10 11 12 13 14 15 16 17 18 "

static const struct {
	const char *text;
	int result;
	uint64_t start;
	bool exiting;
} stats[] = {
	{ "1 (init)" AFTER_NAME "4711 20 21", 0, 4711, false },
	{ "1 (init)" AFTER_NAME_WITH("4227084") "4711 20 21", 0, 4711, true },
	{ "1 (4 4 4 4 4 4 4)" AFTER_NAME_WITH("4227080") "4711 20 21", 0, 4711, false },
	{ "1 (a) b) S 1 ()" AFTER_NAME "18446744073709551615 20", 0, UINT64_MAX, false },
	{ "1 ( 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)" AFTER_NAME "9 1", 0, 9,
	  false },
	{ "1 (init)" AFTER_NAME "4711", -EBADMSG, 0, false },
	{ "1 (init)" AFTER_NAME "-1 2", -EBADMSG, 0, false },
	{ "1 (init)" AFTER_NAME "x 2", -EBADMSG, 0, false },
	{ "1 (init) S 1 2 3", -EBADMSG, 0, false },
	{ "1 init", -EBADMSG, 0, false },
	{ "", -EBADMSG, 0, false },
};

START_TEST(start_of_a_process)
{
	struct identity_stat stat = { .start = 77 };

	ck_assert_int_eq(identity_parse_stat(stats[_i].text, &stat), stats[_i].result);
	ck_assert_uint_eq(stat.start, stats[_i].result ? 77 : stats[_i].start);
	ck_assert_int_eq(stat.exiting, stats[_i].exiting);
}
END_TEST

static const struct {
	const char *text;
	bool has_7;
} uids[] = {
	{ "Name:\tx\nUid:\t7\t1\t2\t3\nGid:\t1\t1\t1\t1\n", true },
	{ "Name:\tx\nUid:\t1\t7\t2\t3\n", true },
	{ "Name:\tx\nUid:\t1\t2\t7\t3\n", true },
	{ "Name:\tx\nUid:\t1\t2\t3\t7\n", true },
	{ "Name:\tx\nUid:\t1\t2\t3\t77\nGid:\t7\t7\t7\t7\n", false },
	{ "Name:\tUid:\t7\t7\t7\t7\nUid:\t1\t1\t1\t1\n", false },
	{ "Name:\tx\nUid:\t7\t7\t7", false },
	{ "Uid:\t7\t7\t7\t7\n", false },
	{ "", false },
};

START_TEST(uids_of_a_process)
{
	ck_assert_int_eq(identity_has_uid(uids[_i].text, 7), uids[_i].has_7);
}
END_TEST

#define X30 "/456789-123456789-123456789-1"

static const struct {
	const char *path, *label;
} cgroups[] = {
	{ "/", "/" },
	{ "/a", "/a" },
	{ "/user.slice/user-1000.slice", "/user.slice/user-1000.slice" },
	{ "", "" },
	{ "a/b", "" },
	/* 29 bytes each: four of them and 10 more fit, 11 more don't. */
	{ X30 X30 X30 X30 "/23456789ab", X30 X30 X30 X30 "/23456789ab" },
	{ X30 X30 X30 X30 "/23456789abc", X30 X30 X30 X30 },
	{ X30 X30 X30 X30 "/23456789ab/c", X30 X30 X30 X30 "/23456789ab" },
	{ "/a/b c/d", "/a" },
	{ "/a/b\xc3\xa4/d", "/a" },
	{ "/a/b\x1b", "/a" },
	{ "/\n/a", "/" },
	{ "/\xff", "/" },
};

START_TEST(cgroup_of_a_label)
{
	char label[DUNE_CGROUP_MAX];

	memset(label, 'x', sizeof(label));
	identity_cut_cgroup(cgroups[_i].path, label);
	ck_assert_str_eq(label, cgroups[_i].label);
	for (size_t i = strlen(label); i < sizeof(label); i++)
		ck_assert_int_eq(label[i], 0);
}
END_TEST

/* ---- processes ---- */

static struct quota_rules rules;

static void need_processes(void)
{
	rules.base[QUOTA_BASE_PROCESS].values[QUOTA_VCPUS].maximum = 1;
}

static void setup(void)
{
	quota_rules_init(&rules);
}

static void teardown(void)
{
	quota_rules_done(&rules);
}

static struct peer peer_of_pair(int pair[2])
{
	struct peer peer;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(peer_read(pair[0], true, &peer), 0);
	return peer;
}

/* Linux 6.5 */
static bool has_peer_pidfd(const struct peer *peer)
{
	socklen_t size = sizeof(int);
	int pidfd, r;

	r = getsockopt(peer->socket_fd, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &size);
	if (r == 0)
		close(pidfd);
	return r == 0;
}

START_TEST(ourselves)
{
	struct dune_labels labels, again;
	int pair[2];
	struct peer peer = peer_of_pair(pair);

	need_processes();
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(labels.creator_pid, getpid());
	ck_assert_uint_eq(labels.gid, getegid());
	ck_assert_uint_gt(labels.creator_start, 0);
	ck_assert_uint_le(labels.creator_start, peer.connected_ticks);
	/* The same without a pidfd, as on older kernels. */
	peer.socket_fd = 0;
	ck_assert_int_eq(identity_labels(&peer, &rules, &again), 0);
	ck_assert_mem_eq(&labels, &again, sizeof(labels));
	close(pair[0]);
	close(pair[1]);
	peer_done(&peer);
}
END_TEST

static int interruptions;

/* In place of the C library's: some are ended by a signal. */
int poll(struct pollfd *pollers, nfds_t count, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	if (interruptions > 0) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	return ppoll(pollers, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

/* SIGHUP while the pidfd is asked: the process is still there. */
START_TEST(a_signal_meanwhile)
{
	struct dune_labels labels;
	uint64_t start;
	int pair[2], pidfd;
	struct peer peer = peer_of_pair(pair);

	need_processes();
	interruptions = 2;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(labels.creator_pid, getpid());
	ck_assert_int_eq(interruptions, has_peer_pidfd(&peer) ? 0 : 2);
	interruptions = 1;
	ck_assert_int_eq(identity_process(&peer, &start, &pidfd), 0);
	ck_assert_uint_eq(start, labels.creator_start);
	interruptions = 0;
	if (pidfd >= 0)
		close(pidfd);
	close(pair[0]);
	close(pair[1]);
	peer_done(&peer);
}
END_TEST

/* Its start is read once for a connection, where the kernel holds the process for us. */
START_TEST(a_start_that_is_known)
{
	struct dune_labels labels;
	uint64_t start = 0;
	int pair[2];
	struct peer peer = peer_of_pair(pair);

	peer.start_ticks = &start;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_uint_eq(start, has_peer_pidfd(&peer) ? labels.creator_start : 0);
	start = 12345;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(labels.creator_start == 12345, has_peer_pidfd(&peer));
	close(pair[0]);
	close(pair[1]);
	peer_done(&peer);
}
END_TEST

/* Who began after the connection was accepted is not who made it. */
START_TEST(a_pid_used_again)
{
	struct dune_labels labels;
	int pair[2];
	struct peer peer = peer_of_pair(pair);

	peer.socket_fd = 0;
	if (_i)
		peer.uid = peer.uid + 4711; /* nor is who is another user */
	else
		peer.connected_ticks = 1;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(labels.creator_pid, 0);
	ck_assert_uint_eq(labels.creator_start, 0);
	ck_assert_str_eq(labels.cgroup, "");
	ck_assert_uint_eq(labels.gid, getegid());
	need_processes();
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	peer.pid = 0;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	close(pair[0]);
	close(pair[1]);
	peer_done(&peer);
}
END_TEST

/* What a child does with its connection. */

static void end(void)
{
	_exit(0);
}

static void *stay(void *data)
{
	pause();
	return NULL;
}

/* The process goes on without the thread that it began with. */
static void end_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, stay, NULL))
		_exit(1);
	pthread_exit(NULL);
}

static void lend_uid(void)
{
	_exit(setresuid(4711, 4711, 0) < 0 || pause());
}

static void give_up_uid(void)
{
	_exit(setresuid(4711, 4711, 4711) < 0 || pause());
}

static struct peer peer_of_child(void (*run)(void), pid_t *ret_child)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address.sun_family); /* the kernel finds a name */
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	struct peer peer;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	size = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*ret_child = fork();
	if (!*ret_child) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, size) < 0)
			_exit(1);
		run();
	}
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(listener);
	ck_assert_int_eq(peer_read(fd, true, &peer), 0);
	ck_assert_int_eq(peer.pid, *ret_child);
	return peer;
}

static void end_child(struct peer *peer, pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(peer->socket_fd);
	peer_done(peer);
}

/* Waits until a file of the child's folder says so. */
static void wait_for(pid_t child, const char *name, bool (*says)(const char *text))
{
	char path[64], text[1024] = "";

	snprintf(path, sizeof(path), "/proc/%d/%s", child, name);
	while (!says(text)) {
		FILE *file = fopen(path, "re");

		ck_assert_ptr_nonnull(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
		usleep(1000);
	}
}

static bool is_exiting(const char *text)
{
	struct identity_stat stat;

	return identity_parse_stat(text, &stat) == 0 && stat.exiting;
}

static bool has_4711(const char *text)
{
	return identity_has_uid(text, 4711);
}

/* What the kernel says of its cgroup may be the first of all. */
START_TEST(a_first_thread_that_has_ended)
{
	struct dune_labels labels;
	uint64_t start = 1;
	char *cgroup;
	pid_t child;
	struct peer peer = peer_of_child(end_first_thread, &child);

	wait_for(child, "stat", is_exiting);
	need_processes();
	ck_assert_int_ge(sd_pid_get_cgroup(child, &cgroup), 0);
	if (has_peer_pidfd(&peer)) {
		int expected = strcmp(cgroup, "/") ? 0 : -ESRCH;

		ck_assert_int_eq(identity_labels(&peer, &rules, &labels), expected);
		peer.start_ticks = &start;
		ck_assert_int_eq(identity_labels(&peer, &rules, &labels), expected);
	}
	free(cgroup);
	end_child(&peer, child);
}
END_TEST

/* Without a pidfd it can't be told from one that has ended. */
START_TEST(a_first_thread_that_has_ended_unheld)
{
	struct dune_labels labels;
	pid_t child;
	struct peer peer = peer_of_child(end_first_thread, &child);
	int fd = peer.socket_fd;

	wait_for(child, "stat", is_exiting);
	peer.socket_fd = 0;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(labels.creator_pid, 0);
	need_processes();
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	peer.socket_fd = fd;
	end_child(&peer, child);
}
END_TEST

/* Who changes its effective uid stays who it is, as long as it could change back. */
START_TEST(another_uid_since)
{
	struct dune_labels labels;
	pid_t child;
	struct peer peer;
	int fd;

	if (geteuid() != 0) {
		printf("SKIP another_uid_since: needs root\n");
		return;
	}
	peer = peer_of_child(_i ? give_up_uid : lend_uid, &child);
	wait_for(child, "status", has_4711);
	need_processes();
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels),
			 _i && !has_peer_pidfd(&peer) ? -ESRCH : 0);
	fd = peer.socket_fd;
	peer.socket_fd = 0;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), _i ? -ESRCH : 0);
	peer.socket_fd = fd;
	end_child(&peer, child);
}
END_TEST

/* It has ended, but its pid, start and cgroup can still be read. */
START_TEST(a_process_that_has_ended)
{
	struct dune_labels labels;
	siginfo_t ended;
	pid_t child;
	struct peer peer = peer_of_child(end, &child);
	uint64_t start = 1;

	ck_assert_int_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(ended.si_status, 0);
	need_processes();
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	peer.start_ticks = &start;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	waitpid(child, NULL, 0);
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
	close(peer.socket_fd);
	peer_done(&peer);
}
END_TEST

/* With a rule about a cgroup, and one that says nothing any more. */
START_TEST(rules_about_cgroups)
{
	const struct quota_key key = { .scope = QUOTA_CGROUP, .path = "/" };
	const struct peer peer = { .uid = 1 };
	struct dune_labels labels;
	struct quota_rule *rule;

	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	ck_assert_int_eq(quota_rules_get(&rules, &key, "/", &rule), 0);
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), 0);
	rule->values[QUOTA_RATE].maximum = 5;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), -ESRCH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tests = tcase_create("identity");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, start_of_a_process, 0, NR_ROWS(stats));
	tcase_add_loop_test(tests, uids_of_a_process, 0, NR_ROWS(uids));
	tcase_add_loop_test(tests, cgroup_of_a_label, 0, NR_ROWS(cgroups));
	tcase_add_test(tests, ourselves);
	tcase_add_test(tests, a_signal_meanwhile);
	tcase_add_test(tests, a_start_that_is_known);
	tcase_add_loop_test(tests, a_pid_used_again, 0, 2);
	tcase_add_test(tests, a_process_that_has_ended);
	tcase_add_test(tests, a_first_thread_that_has_ended);
	tcase_add_test(tests, a_first_thread_that_has_ended_unheld);
	tcase_add_loop_test(tests, another_uid_since, 0, 2);
	tcase_add_test(tests, rules_about_cgroups);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
