// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which process asks: its start and cgroup as text, and never another process under the same pid. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duned/identity.h"
#include "duned/peer.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define AFTER_NAME     " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "

static const struct {
	const char *text;
	int result;
	uint64_t start;
} stats[] = {
	{ "1 (init)" AFTER_NAME "4711 20 21", 0, 4711 },
	{ "1 (a) b) S 1 ()" AFTER_NAME "18446744073709551615 20", 0, UINT64_MAX },
	{ "1 ( 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)" AFTER_NAME "9 1", 0, 9 },
	{ "1 (init)" AFTER_NAME "4711", -EBADMSG, 0 },
	{ "1 (init)" AFTER_NAME "-1 2", -EBADMSG, 0 },
	{ "1 (init)" AFTER_NAME "x 2", -EBADMSG, 0 },
	{ "1 (init) S 1 2 3", -EBADMSG, 0 },
	{ "1 init", -EBADMSG, 0 },
	{ "", -EBADMSG, 0 },
};

START_TEST(start_of_a_process)
{
	uint64_t start = 77;

	ck_assert_int_eq(identity_parse_start(stats[_i].text, &start), stats[_i].result);
	ck_assert_uint_eq(start, stats[_i].result ? 77 : stats[_i].start);
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

static struct peer peer_of_child(pid_t *ret_child)
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
		_exit(connect(fd, (struct sockaddr *)&address, size) < 0);
	}
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(listener);
	ck_assert_int_eq(peer_read(fd, true, &peer), 0);
	ck_assert_int_eq(peer.pid, *ret_child);
	return peer;
}

/* It has ended, but its pid, start and cgroup can still be read: only a pidfd tells. */
START_TEST(a_process_that_has_ended)
{
	struct dune_labels labels;
	siginfo_t ended;
	pid_t child;
	struct peer peer = peer_of_child(&child);
	uint64_t start = 1;
	bool held;

	ck_assert_int_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(ended.si_status, 0);
	need_processes();
	held = has_peer_pidfd(&peer);
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), held ? -ESRCH : 0);
	peer.start_ticks = &start;
	ck_assert_int_eq(identity_labels(&peer, &rules, &labels), held ? -ESRCH : 0);
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
	tcase_add_loop_test(tests, cgroup_of_a_label, 0, NR_ROWS(cgroups));
	tcase_add_test(tests, ourselves);
	tcase_add_test(tests, a_start_that_is_known);
	tcase_add_test(tests, a_pid_used_again);
	tcase_add_test(tests, a_process_that_has_ended);
	tcase_add_test(tests, rules_about_cgroups);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
