// SPDX-License-Identifier: LGPL-2.1-or-later
/* The policy's whole table: every cell, who is what, and the access of every method. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/access.h"
#include "duned/peer.h"
#include "duned/policy.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

/* ---- the table ---- */

/* One letter for each relation, in their order: n no, a ask, y yes. */
static const struct {
	enum policy_socket socket;
	enum dune_access access;
	const char *verdicts;
} cells[] = {
	{ POLICY_PUBLIC, ACCESS_ANYONE, "yyyyyy" },
	{ POLICY_PUBLIC, ACCESS_IDENTIFIED, "nyyyyy" },
	{ POLICY_PUBLIC, ACCESS_OBSERVER, "nayyyy" },
	{ POLICY_PUBLIC, ACCESS_OWNER, "naayyy" },
	{ POLICY_PUBLIC, ACCESS_ADMINISTRATOR, "naaayy" },
	{ POLICY_ADMIN, ACCESS_ANYONE, "nnnnyy" },
	{ POLICY_ADMIN, ACCESS_IDENTIFIED, "nnnnyy" },
	{ POLICY_ADMIN, ACCESS_OBSERVER, "nnnnyy" },
	{ POLICY_ADMIN, ACCESS_OWNER, "nnnnyy" },
	{ POLICY_ADMIN, ACCESS_ADMINISTRATOR, "nnnnyy" },
};

START_TEST(cell)
{
	ck_assert_uint_eq(strlen(cells[_i].verdicts), NR_POLICY_RELATIONS);
	for (int relation = 0; relation < NR_POLICY_RELATIONS; relation++)
		ck_assert_int_eq("nay"[policy_verdict(cells[_i].access, cells[_i].socket,
						      (enum policy_relation)relation)],
				 cells[_i].verdicts[relation]);
}
END_TEST

START_TEST(every_cell_is_tested)
{
	ck_assert_int_eq(NR_ROWS(cells), NR_POLICY_SOCKETS * NR_DUNE_ACCESS);
	for (int i = 0; i < NR_ROWS(cells); i++) {
		ck_assert_int_eq(cells[i].socket, i / NR_DUNE_ACCESS);
		ck_assert_int_eq(cells[i].access, i % NR_DUNE_ACCESS);
	}
}
END_TEST

START_TEST(outside_of_the_table_is_refused)
{
	const enum policy_socket public = POLICY_PUBLIC;

	for (int i = -2; i < 300; i++) {
		if (i < 0 || i >= NR_DUNE_ACCESS)
			ck_assert_int_eq(policy_verdict((enum dune_access)i, public, RELATION_ROOT),
					 POLICY_DENY);
		if (i < 0 || i >= NR_POLICY_SOCKETS)
			ck_assert_int_eq(policy_verdict(ACCESS_ANYONE, (enum policy_socket)i,
							RELATION_ROOT),
					 POLICY_DENY);
		if (i < 0 || i >= NR_POLICY_RELATIONS)
			ck_assert_int_eq(policy_verdict(ACCESS_ANYONE, public,
							(enum policy_relation)i),
					 POLICY_DENY);
	}
}
END_TEST

/* ---- who is what ---- */

static const struct {
	uint32_t uid;
	bool identified, administrator, observer;
	uint32_t owner;
	enum policy_relation relation, standing;
} relations[] = {
	{ 0, true, false, false, 1000, RELATION_ROOT, RELATION_ROOT },
	{ 0, true, false, false, 0, RELATION_ROOT, RELATION_ROOT },
	{ 0, true, true, false, 1000, RELATION_ROOT, RELATION_ROOT },
	{ 0, false, false, false, 0, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
	{ 0, false, true, false, 0, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
	{ 1000, true, false, false, 1000, RELATION_OWNER, RELATION_OWNER },
	{ 1000, true, false, false, 1001, RELATION_OTHER, RELATION_OWNER },
	{ 1000, true, false, false, 0, RELATION_OTHER, RELATION_OWNER },
	{ 1000, true, true, false, 1000, RELATION_ADMINISTRATOR, RELATION_ADMINISTRATOR },
	{ 1000, true, true, false, 1001, RELATION_ADMINISTRATOR, RELATION_ADMINISTRATOR },
	{ 65534, true, false, false, 65534, RELATION_OWNER, RELATION_OWNER },
	{ 65534, false, false, false, 65534, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
	{ 65534, false, true, false, 65534, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
	{ 1000, true, false, true, 1000, RELATION_OWNER, RELATION_OWNER },
	{ 1000, true, false, true, 1001, RELATION_OBSERVER, RELATION_OWNER },
	{ 1000, true, false, true, 0, RELATION_OBSERVER, RELATION_OWNER },
	{ 1000, true, true, true, 1001, RELATION_ADMINISTRATOR, RELATION_ADMINISTRATOR },
	{ 0, true, false, true, 1000, RELATION_ROOT, RELATION_ROOT },
	{ 65534, false, false, true, 65534, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
	{ 65534, false, false, true, 1000, RELATION_UNIDENTIFIED, RELATION_UNIDENTIFIED },
};

START_TEST(relation)
{
	const struct peer peer = { .uid = relations[_i].uid,
				   .pid = 1,
				   .identified = relations[_i].identified,
				   .administrator = relations[_i].administrator,
				   .observer = relations[_i].observer };

	ck_assert_int_eq(policy_relation(&peer, relations[_i].owner), relations[_i].relation);
	ck_assert_int_eq(policy_standing(&peer), relations[_i].standing);
}
END_TEST

/* The questions that methods ask, for a peer of every kind. */
static const struct {
	uint32_t uid;
	bool identified, administrator, observer;
	enum policy_socket socket;
	enum dune_access access;
	uint32_t owner;
	bool may_call, may_act, may_all;
} rows[] = {
	{ 0, true, false, false, POLICY_PUBLIC, ACCESS_ANYONE, 1000, true, false, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_ANYONE, 1000, true, false, false },
	{ 65534, false, false, false, POLICY_PUBLIC, ACCESS_ANYONE, 65534, true, false, false },
	{ 0, true, false, false, POLICY_PUBLIC, ACCESS_IDENTIFIED, 1000, true, false, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_IDENTIFIED, 1000, true, false, false },
	{ 65534, false, false, false, POLICY_PUBLIC, ACCESS_IDENTIFIED, 65534, false, false,
	  false },
	{ 0, true, false, false, POLICY_PUBLIC, ACCESS_OWNER, 1000, true, true, true },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_OWNER, 1000, true, true, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_OWNER, 1001, true, false, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_OWNER, 0, true, false, false },
	{ 1000, true, true, false, POLICY_PUBLIC, ACCESS_OWNER, 0, true, true, true },
	{ 65534, true, false, false, POLICY_PUBLIC, ACCESS_OWNER, 65534, true, true, false },
	{ 65534, false, false, false, POLICY_PUBLIC, ACCESS_OWNER, 65534, false, false, false },
	{ 0, false, false, false, POLICY_PUBLIC, ACCESS_OWNER, 0, false, false, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_OBSERVER, 1000, true, true, false },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_OBSERVER, 1001, true, false, false },
	{ 1000, true, true, false, POLICY_PUBLIC, ACCESS_OBSERVER, 1001, true, true, true },
	{ 65534, false, false, false, POLICY_PUBLIC, ACCESS_OBSERVER, 65534, false, false, false },
	{ 0, true, false, false, POLICY_PUBLIC, ACCESS_ADMINISTRATOR, 1000, true, true, true },
	{ 1000, true, true, false, POLICY_PUBLIC, ACCESS_ADMINISTRATOR, 0, true, true, true },
	{ 1000, true, false, false, POLICY_PUBLIC, ACCESS_ADMINISTRATOR, 1000, false, false,
	  false },
	{ 0, true, false, false, POLICY_PUBLIC, NR_DUNE_ACCESS, 0, false, false, false },
	{ 0, true, false, false, POLICY_ADMIN, ACCESS_ANYONE, 0, true, false, false },
	{ 0, true, false, false, POLICY_ADMIN, ACCESS_OWNER, 1000, true, true, true },
	{ 1000, true, true, false, POLICY_ADMIN, ACCESS_OWNER, 0, true, true, true },
	{ 1000, true, false, false, POLICY_ADMIN, ACCESS_OWNER, 1000, false, false, false },
	{ 1000, true, false, false, POLICY_ADMIN, ACCESS_ANYONE, 1000, false, false, false },
	{ 65534, false, false, false, POLICY_ADMIN, ACCESS_ANYONE, 65534, false, false, false },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_IDENTIFIED, 1000, true, false, false },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_OBSERVER, 1000, true, true, true },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_OBSERVER, 1001, true, true, true },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_OBSERVER, 0, true, true, true },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_OWNER, 1000, true, true, false },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_OWNER, 1001, true, false, false },
	{ 1000, true, false, true, POLICY_PUBLIC, ACCESS_ADMINISTRATOR, 1000, false, false, false },
	{ 1000, true, true, true, POLICY_PUBLIC, ACCESS_OWNER, 1001, true, true, true },
	{ 65534, false, false, true, POLICY_PUBLIC, ACCESS_OBSERVER, 1000, false, false, false },
	{ 1000, true, false, true, POLICY_ADMIN, ACCESS_ANYONE, 1000, false, false, false },
	{ 1000, true, false, true, POLICY_ADMIN, ACCESS_OBSERVER, 1001, false, false, false },
};

START_TEST(row)
{
	const struct peer peer = { .uid = rows[_i].uid,
				   .pid = 1,
				   .identified = rows[_i].identified,
				   .administrator = rows[_i].administrator,
				   .observer = rows[_i].observer,
				   .socket = rows[_i].socket };

	ck_assert_int_eq(policy_may_call(&peer, rows[_i].access), rows[_i].may_call);
	ck_assert_int_eq(policy_may(&peer, rows[_i].access, rows[_i].owner), rows[_i].may_act);
	ck_assert_int_eq(policy_may_all(&peer, rows[_i].access), rows[_i].may_all);
}
END_TEST

/* ---- polkit ---- */

/* A caller of each relation to an object of uid 2000, without polkit's word, with its no and its yes. */
START_TEST(polkit_decides_what_the_table_leaves_open)
{
	static const struct {
		uint32_t uid;
		bool identified, administrator, observer;
	} peers[NR_POLICY_RELATIONS] = {
		[RELATION_UNIDENTIFIED] = { 1000, false, false, true },
		[RELATION_OTHER] = { 1000, true, false, false },
		[RELATION_OBSERVER] = { 1000, true, false, true },
		[RELATION_OWNER] = { 2000, true, false, true },
		[RELATION_ADMINISTRATOR] = { 1000, true, true, true },
		[RELATION_ROOT] = { 0, true, false, true },
	};
	const bool objects = policy_action(cells[_i].access) != NULL;

	for (int i = 0; i < NR_POLICY_RELATIONS; i++) {
		struct peer peer = { .uid = peers[i].uid,
				     .identified = peers[i].identified,
				     .administrator = peers[i].administrator,
				     .observer = peers[i].observer,
				     .socket = cells[_i].socket };
		const char letter = cells[_i].verdicts[i];

		ck_assert_int_eq(policy_may(&peer, cells[_i].access, 2000),
				 objects && letter == 'y');
		peer.asked = ASKED_REFUSED;
		ck_assert_int_eq(policy_may(&peer, cells[_i].access, 2000),
				 objects && letter == 'y');
		ck_assert_ptr_null(policy_ask(&peer, cells[_i].access));
		ck_assert_ptr_null(policy_ask_call(&peer, cells[_i].access));
		peer.asked = ASKED_GRANTED;
		ck_assert_int_eq(policy_may(&peer, cells[_i].access, 2000),
				 objects && letter != 'n');
		ck_assert_ptr_null(policy_ask(&peer, cells[_i].access));
		ck_assert_ptr_null(policy_ask_call(&peer, cells[_i].access));
	}
}
END_TEST

/*
 * A letter for each kind of caller (unidentified, user, observer, administrator, root): does the method,
 * and do objects of others, wait for polkit?
 */
static const struct {
	enum policy_socket socket;
	enum dune_access access;
	const char *calls, *objects, *action;
} asked[] = {
	{ POLICY_PUBLIC, ACCESS_ANYONE, "nnnnn", "nnnnn", NULL },
	{ POLICY_PUBLIC, ACCESS_IDENTIFIED, "nnnnn", "nnnnn", NULL },
	{ POLICY_PUBLIC, ACCESS_OBSERVER, "nnnnn", "nannn", "io.dune.manager.observe" },
	{ POLICY_PUBLIC, ACCESS_OWNER, "nnnnn", "naann", "io.dune.manager.manage" },
	{ POLICY_PUBLIC, ACCESS_ADMINISTRATOR, "naann", "naann", "io.dune.manager.configure" },
	{ POLICY_ADMIN, ACCESS_ANYONE, "nnnnn", "nnnnn", NULL },
	{ POLICY_ADMIN, ACCESS_IDENTIFIED, "nnnnn", "nnnnn", NULL },
	{ POLICY_ADMIN, ACCESS_OBSERVER, "nnnnn", "nnnnn", "io.dune.manager.observe" },
	{ POLICY_ADMIN, ACCESS_OWNER, "nnnnn", "nnnnn", "io.dune.manager.manage" },
	{ POLICY_ADMIN, ACCESS_ADMINISTRATOR, "nnnnn", "nnnnn", "io.dune.manager.configure" },
	{ POLICY_PUBLIC, NR_DUNE_ACCESS, "nnnnn", "nnnnn", NULL },
	{ NR_POLICY_SOCKETS, ACCESS_OWNER, "nnnnn", "nnnnn", "io.dune.manager.manage" },
};

START_TEST(who_waits_for_polkit)
{
	const struct peer peers[] = {
		{ .uid = 1000, .socket = asked[_i].socket },
		{ .uid = 1000, .identified = true, .socket = asked[_i].socket },
		{ .uid = 1000, .identified = true, .observer = true, .socket = asked[_i].socket },
		{ .uid = 1000,
		  .identified = true,
		  .administrator = true,
		  .socket = asked[_i].socket },
		{ .uid = 0, .identified = true, .socket = asked[_i].socket },
	};

	ck_assert_pstr_eq(policy_action(asked[_i].access), asked[_i].action);
	for (int i = 0; i < NR_ROWS(peers); i++) {
		ck_assert_pstr_eq(policy_ask_call(&peers[i], asked[_i].access),
				  asked[_i].calls[i] == 'a' ? asked[_i].action : NULL);
		ck_assert_pstr_eq(policy_ask(&peers[i], asked[_i].access),
				  asked[_i].objects[i] == 'a' ? asked[_i].action : NULL);
	}
}
END_TEST

/* polkit knows the actions of the table and no others, denies them all by default, and lets duned ask. */
START_TEST(installed_actions)
{
	static const char script[] =
		"python3 -c '\n"
		"import xml.etree.ElementTree as tree\n"
		"for a in tree.parse(\"systemd/io.dune.manager.policy\").iter(\"action\"):\n"
		"    print(a.get(\"id\"), *[e.text for e in a.find(\"defaults\")],\n"
		"          *[e.get(\"key\") + \"=\" + e.text for e in a.iter(\"annotate\")],\n"
		"          bool(a.find(\"description\").text and a.find(\"message\").text))'";
	FILE *actions = popen(script, "r");
	char line[256], expected[256];

	ck_assert_ptr_nonnull(actions);
	for (int access = 0; access < NR_DUNE_ACCESS; access++) {
		const char *action = policy_action((enum dune_access)access);

		if (!action)
			continue;
		snprintf(expected, sizeof(expected),
			 "%s no no no org.freedesktop.policykit.owner=unix-user:duned True\n",
			 action);
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), actions));
		ck_assert_str_eq(line, expected);
	}
	ck_assert_ptr_null(fgets(line, sizeof(line), actions));
	ck_assert_int_eq(pclose(actions), 0);
}
END_TEST

/* ---- methods ---- */

static const struct {
	const char *name;
	enum dune_access access;
} methods[] = {
#define ROW(interface, name, access, handler) { interface "." name, access },
	DUNE_METHODS(ROW)
};

/* Whatever touches contexts must ask for their owner. A new method gets its row here too. */
START_TEST(methods_have_the_right_access)
{
	static const struct {
		const char *name;
		enum dune_access access;
	} expected[] = {
		{ "io.dune.Manager.Create", ACCESS_IDENTIFIED },
		{ "io.dune.Manager.List", ACCESS_OBSERVER },
		{ "io.dune.Manager.Inspect", ACCESS_OBSERVER },
		{ "io.dune.Manager.Stats", ACCESS_OBSERVER },
		{ "io.dune.Manager.Events", ACCESS_OBSERVER },
		{ "io.dune.Manager.Kill", ACCESS_OWNER },
		{ "io.dune.Manager.SetLimits", ACCESS_OWNER },
		{ "io.dune.Manager.GetQuota", ACCESS_IDENTIFIED },
		{ "io.dune.Manager.SetQuota", ACCESS_ADMINISTRATOR },
		{ "io.dune.Manager.Reload", ACCESS_ADMINISTRATOR },
		{ "io.dune.Manager.Info", ACCESS_ANYONE },
		{ "io.dune.Manager.Totals", ACCESS_ANYONE },
		{ "org.varlink.service.GetInfo", ACCESS_ANYONE },
		{ "org.varlink.service.GetInterfaceDescription", ACCESS_ANYONE },
	};

	ck_assert_int_eq(NR_ROWS(methods), NR_ROWS(expected));
	for (int i = 0; i < NR_ROWS(expected); i++) {
		ck_assert_str_eq(methods[i].name, expected[i].name);
		ck_assert_int_eq(methods[i].access, expected[i].access);
	}
}
END_TEST

/* ---- lists of users ---- */

static const struct {
	const char *text;
	int r;
	const char *numbers; /* or what is left of the text from the word to blame on */
} lists[] = {
	{ "", 0, "" },
	{ "  ", 0, "" },
	{ "0", 0, "0" },
	{ "1000 @27", 0, "1000 @27" },
	{ "root, @root,daemon", 0, "0 @0 1" },
	{ "4294967294", 0, "4294967294" },
	{ "1 4294967295", -EINVAL, "4294967295" },
	{ "99999999999999999999", -EINVAL, "99999999999999999999" },
	{ "1 12x 3", -EINVAL, "12x 3" },
	{ "@", -EINVAL, "@" },
	{ "@@root", -EINVAL, "@@root" },
	{ "-1", -ENOENT, "-1" },
	{ "ro/ot", -EINVAL, "ro/ot" },
	{ "root no-such-user-here", -ENOENT, "no-such-user-here" },
	{ "@no-such-group-here", -ENOENT, "@no-such-group-here" },
	{ "a23456789012345678901234567890123456789012345678901234567890123x", -EINVAL,
	  "a23456789012345678901234567890123456789012345678901234567890123x" },
	{ "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33",
	  -E2BIG, "33" },
};

START_TEST(a_list)
{
	struct access_list list = { .count = 77 };
	const char *bad;
	char text[512];

	ck_assert_int_eq(access_parse(lists[_i].text, &list, &bad), lists[_i].r);
	if (lists[_i].r) {
		ck_assert_str_eq(bad, lists[_i].numbers);
		ck_assert_uint_eq(list.count, 77);
		return;
	}
	access_format(&list, text, sizeof(text));
	ck_assert_str_eq(text, lists[_i].numbers);
}
END_TEST

START_TEST(whom_a_list_names)
{
	uint32_t groups[] = { 4, 27 };
	struct peer peer = { .uid = 1000,
			     .gid = 100,
			     .identified = true,
			     .groups = groups,
			     .nr_groups = 2 };
	struct access_list list;
	const char *bad;
	static const struct {
		const char *text;
		bool is;
	} expected[] = {
		{ "", false },	     { "0", false },   { "1000", true }, { "1 2 1000", true },
		{ "@1000", false },  { "@100", true }, { "@4", true },	 { "@27", true },
		{ "27 100", false }, { "@28", false },
	};

	for (int i = 0; i < NR_ROWS(expected); i++) {
		ck_assert_int_eq(access_parse(expected[i].text, &list, &bad), 0);
		ck_assert_int_eq(access_names(&list, &peer), expected[i].is);
		peer.identified = false;
		ck_assert(!access_names(&list, &peer));
		peer.identified = true;
	}
}
END_TEST

/* ---- identity ---- */

START_TEST(the_kernel_tells_who_it_is)
{
	struct peer peer;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(peer_read(ends[0], true, &peer), 0);
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_eq(peer.gid, getegid());
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert(peer.identified && !peer.administrator && !peer.observer);
	ck_assert_uint_eq(peer.nr_groups, 0);
	ck_assert(peer_in_group(&peer, getegid()));
	peer_done(&peer);
	close(ends[0]);
	ck_assert_int_eq(peer_read(ends[0], true, &peer), -EBADF);
	close(ends[1]);
}
END_TEST

/* A socket whose other end has these groups, in any order; to be closed. */
static int socket_of_groups(gid_t *groups, size_t count)
{
	int ends[2];

	ck_assert_int_eq(setgroups(count, groups), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	close(ends[1]);
	return ends[0];
}

/* However many it has: what is kept is what was asked for. */
START_TEST(groups_that_are_spoken_of)
{
	static const uint32_t wanted[] = { 70000, 5, 4999, 5, 0, 100000 };
	static const size_t counts[] = { 0, 1, 32, 33, PEER_MAX_GROUPS };
	gid_t *groups = calloc(PEER_MAX_GROUPS, sizeof(*groups));
	struct peer peer;

	if (geteuid() != 0)
		return;
	for (int i = 0; i < PEER_MAX_GROUPS; i++)
		groups[i] = (gid_t)(5000 + PEER_MAX_GROUPS - i);
	groups[0] = 5;
	for (int i = 0; i < NR_ROWS(counts); i++) {
		int fd = socket_of_groups(groups, counts[i]);

		ck_assert_int_eq(peer_read(fd, true, &peer), 0);
		ck_assert_ptr_null(peer.groups);
		for (int again = 0; again < 2; again++) {
			ck_assert_int_eq(peer_read_groups(&peer, wanted, NR_ROWS(wanted)), 0);
			ck_assert_int_eq(peer_in_group(&peer, 5), counts[i] > 0);
			ck_assert_int_eq(peer_in_group(&peer, 70000), counts[i] > 33);
			ck_assert(!peer_in_group(&peer, 4999));
			ck_assert(!peer_in_group(&peer, 5000 + PEER_MAX_GROUPS - 1));
			ck_assert_uint_le(peer.nr_groups, NR_ROWS(wanted));
		}
		ck_assert_int_eq(peer_read_groups(&peer, NULL, 0), 0);
		ck_assert_ptr_null(peer.groups);
		ck_assert_uint_eq(peer.nr_groups, 0);
		peer_done(&peer);
		close(fd);
		ck_assert_int_eq(peer_read_groups(&peer, wanted, 1), -EBADF);
	}
	free(groups);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tests = tcase_create("policy");

	/* Python takes its time on a busy machine. */
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, cell, 0, NR_ROWS(cells));
	tcase_add_test(tests, every_cell_is_tested);
	tcase_add_test(tests, outside_of_the_table_is_refused);
	tcase_add_loop_test(tests, polkit_decides_what_the_table_leaves_open, 0, NR_ROWS(cells));
	tcase_add_loop_test(tests, who_waits_for_polkit, 0, NR_ROWS(asked));
	tcase_add_test(tests, installed_actions);
	tcase_add_loop_test(tests, relation, 0, NR_ROWS(relations));
	tcase_add_loop_test(tests, row, 0, NR_ROWS(rows));
	tcase_add_test(tests, methods_have_the_right_access);
	tcase_add_loop_test(tests, a_list, 0, NR_ROWS(lists));
	tcase_add_test(tests, whom_a_list_names);
	tcase_add_test(tests, the_kernel_tells_who_it_is);
	tcase_add_test(tests, groups_that_are_spoken_of);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
