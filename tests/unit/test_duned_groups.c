// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Clients with as many groups as the kernel allows: what the configuration says of one of them holds, also
 * when it says so later; and the service keeps nothing of the rest. Needs root, to be in them.
 */
#include <grp.h>

#include "duned/peer.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define ALICE	  4001
#define M(name)	  "io.dune.Manager." name
#define OK	  "{\"parameters\":{}}"
#define DENIED	  "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}"
#define FIRST	  100000
#define NAMED	  (FIRST + 12345)
#define CLIENTS	  60
#define GROWTH_KB 4096 /* kept whole, the groups of so many are 15 MiB */

static struct service service;
static int root = -1;

static void start(const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, NULL);
	root = client_new(&service);
}

static void setup(void)
{
	service_setup(&service);
}

static void teardown(void)
{
	close(root);
	ck_assert_int_eq(service_stop(&service), 0);
	service_teardown(&service);
}

/* The next clients are of all groups there can be, FIRST the lowest; or of none. */
static void be_in_all(void)
{
	static gid_t groups[PEER_MAX_GROUPS];

	for (int i = 0; i < PEER_MAX_GROUPS; i++)
		groups[i] = (gid_t)(FIRST + i);
	ck_assert_int_eq(setgroups(PEER_MAX_GROUPS, groups), 0);
}

static void be_in_none(void)
{
	ck_assert_int_eq(setgroups(0, NULL), 0);
}

static void create(int fd, const char *error)
{
	int context_fd = -1;

	client_send_call(fd, M("Create"), NULL, 0);
	json_object_put(client_expect(fd, error, false, &context_fd));
	if (context_fd >= 0)
		close(context_fd);
}

/* Those that are connected are looked at again, whether the rule comes by a call or by the file. */
START_TEST(a_rule_that_comes_later)
{
	char text[128];
	int fd;

	start("");
	be_in_all();
	fd = client_new_as(&service, ALICE);
	be_in_none();
	create(fd, NULL);
	snprintf(text, sizeof(text),
		 "{\"scope\":\"group\",\"name\":\"%d\",\"budget\":{\"contexts\":0}}", NAMED);
	client_check(root, M("SetQuota"), text, OK);
	create(fd, DUNE_ERROR("QuotaExceeded"));
	snprintf(text, sizeof(text), "{\"scope\":\"group\",\"name\":\"%d\",\"reset\":true}", NAMED);
	client_check(root, M("SetQuota"), text, OK);
	create(fd, NULL);
	snprintf(text, sizeof(text), "[quota group %d]\ncontexts = 0\n", NAMED);
	file_write(service.config, text);
	client_check(root, M("Reload"), NULL, OK);
	create(fd, DUNE_ERROR("QuotaExceeded"));
	close(fd);
}
END_TEST

START_TEST(administrators_by_a_group)
{
	char config[128];
	int member, other;

	snprintf(config, sizeof(config), "[access]\nadministrators = @%d\n", NAMED);
	start(config);
	be_in_all();
	member = client_new_as(&service, ALICE);
	be_in_none();
	other = client_new_as(&service, ALICE);
	client_check(other, M("Reload"), NULL, DENIED);
	file_write(service.config, "");
	client_check(member, M("Reload"), NULL, OK);
	client_check(member, M("Reload"), NULL, DENIED);
	file_write(service.config, config);
	client_check(root, M("Reload"), NULL, OK);
	client_check(member, M("Reload"), NULL, OK);
	client_check(other, M("Reload"), NULL, DENIED);
	close(member);
	close(other);
}
END_TEST

START_TEST(groups_take_no_room)
{
	char config[128];
	int fds[CLIENTS];
	long before;

	snprintf(config, sizeof(config),
		 "[quota group %d]\ncontexts = 100\n[access]\nobservers = @%d\n", NAMED, NAMED + 1);
	start(config);
	be_in_all();
	fds[0] = client_new_as(&service, ALICE);
	create(fds[0], NULL);
	before = service_status_kb(&service, "VmRSS:");
	for (int i = 1; i < CLIENTS; i++) {
		fds[i] = client_new_as(&service, ALICE);
		create(fds[i], NULL);
	}
	ck_assert_int_lt(service_status_kb(&service, "VmRSS:") - before, GROWTH_KB);
	be_in_none();
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_groups");
	TCase *tests = tcase_create("groups");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	if (geteuid() != 0) {
		puts("SKIP duned_groups: needs root to be in groups");
	} else {
		tcase_add_test(tests, a_rule_that_comes_later);
		tcase_add_test(tests, administrators_by_a_group);
		tcase_add_test(tests, groups_take_no_room);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
