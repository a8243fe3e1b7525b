// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * GetQuota where hundreds of users have contexts: whole, made a piece at a time while others are answered,
 * and about the rules of one configuration. Needs root, to be several users.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define M(name)	  "io.dune.Manager." name
#define USERS	  400
#define FIRST_UID 20000
#define ENOUGH	  4 /* calls answered meanwhile; made in one piece there would be none */
#define RESOURCES 4 /* of a user */
#define OBSERVER  (FIRST_UID - 1)
#define WATCHES	  16 /* calls of the observer that wait for each other */

#define DENIED "{\"error\":\"" VARLINK_ERROR("PermissionDenied") "\",\"parameters\":{}}"
#define ROWS   "{\"parameters\":{\"rules\":[{"

static const char all_rules[] = "[quota user]\ncontexts = 5\nvcpus = 5000\nprivate = 1G\nept = 1G\n"
				"[quota host]\ncontexts = 10000\n";
static const char observed[] = "[access]\nobservers = 19999\n"; /* OBSERVER */

static struct service service;
static int contexts[USERS];
static int root = -1, other = -1;

static void setup(void)
{
	service_setup(&service);
	file_write(service.config, all_rules);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake:large", "--state", service.folder, NULL);
	root = client_new(&service);
	other = client_new_as(&service, FIRST_UID);
	for (int i = 0; i < USERS; i++) {
		int fd = client_new_as(&service, FIRST_UID + (uid_t)i);

		client_send_call(fd, M("Create"), NULL, 0);
		json_object_put(client_expect(fd, NULL, false, &contexts[i]));
		close(fd);
	}
}

static void teardown(void)
{
	for (int i = 0; i < USERS; i++)
		close(contexts[i]);
	close(root);
	close(other);
	ck_assert_int_eq(service_stop(&service), 0);
	service_teardown(&service);
}

/* The whole reply, however many there are of a user. */
static void check_rows(int of_each, int named)
{
	struct json_object *reply = client_expect(root, NULL, false, NULL);
	struct json_object *rules = json_at(reply, "rules");
	static int rows[USERS];
	int others = 0;

	memset(rows, 0, sizeof(rows));
	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i), *name;
		int uid = 0;

		if (!strcmp(json_text_at(rule, "scope"), "user") &&
		    json_object_object_get_ex(rule, "name", &name))
			uid = json_object_get_int(name);
		if (uid >= FIRST_UID && uid < FIRST_UID + USERS)
			rows[uid - FIRST_UID]++;
		else
			others++;
	}
	for (int i = 0; i < USERS; i++)
		ck_assert_int_eq(rows[i], of_each);
	/* What holds for every user, and the host. */
	ck_assert_int_ge(others, of_each + 1 + named);
	json_object_put(reply);
}

/* How many calls of another user are answered before the reply's first byte is there. */
static int count_answered(void)
{
	int answered;

	client_send_call(root, M("GetQuota"), NULL, 0);
	answered = client_count_answered(root, other);
	check_rows(RESOURCES, 0);
	return answered;
}

/* On a busy machine this client is too slow now and then. */
START_TEST(others_are_answered_meanwhile)
{
	int answered = 0;

	for (int i = 0; i < 20 && answered < ENOUGH; i++)
		answered = count_answered();
	ck_assert_int_ge(answered, ENOUGH);
}
END_TEST

/* Rules that change in the midst: the reply is of those before or of those after. */
START_TEST(rules_change_meanwhile)
{
	int changer = client_new(&service);

	for (int i = 0; i < 6; i++) {
		client_send_call(root, M("GetQuota"), NULL, 0);
		usleep((useconds_t)(i * 1000));
		json_object_put(client_call(
			changer, M("SetQuota"),
			i % 2 ? "{\"scope\":\"group\",\"name\":\"777\",\"reset\":true}" :
				"{\"scope\":\"group\",\"name\":\"777\",\"budget\":{\"vcpus\":1}}",
			NULL));
		check_rows(RESOURCES, 0);
	}
	client_send_call(root, M("GetQuota"), "{\"scope\":\"user\",\"name\":\"20001\"}", 0);
	json_object_put(client_expect(root, NULL, false, NULL));
	close(changer);
}
END_TEST

/* What the observer gets for a call: rows, or PermissionDenied; nothing else. */
static bool is_refused(int fd)
{
	const char *reply = client_receive(fd);
	bool refused = strcmp(reply, DENIED) == 0;

	ck_assert_msg(refused || !strncmp(reply, ROWS, strlen(ROWS)), "%.200s", reply);
	return refused;
}

/* How many of the observer's calls, made while it was one, are refused once it is none. */
static int count_refused(void)
{
	int watchers[WATCHES], refused = 0;
	char both[sizeof(all_rules) + sizeof(observed)];

	snprintf(both, sizeof(both), "%s%s", all_rules, observed);
	file_write(service.config, both);
	json_object_put(client_call(root, M("Reload"), NULL, NULL));
	file_write(service.config, all_rules);
	for (int i = 0; i < WATCHES; i++) {
		watchers[i] = client_new_as(&service, OBSERVER);
		client_send_call(watchers[i], M("GetQuota"), NULL, 0);
	}
	client_send_call(root, M("Reload"), NULL, 0);
	for (int i = 0; i < WATCHES; i++)
		refused += is_refused(watchers[i]);
	json_object_put(client_expect(root, NULL, false, NULL));
	for (int i = 0; i < WATCHES; i++)
		close(watchers[i]);
	return refused;
}

/* Its reply waits, or is in the making, while a reload takes its standing: it is told so. */
START_TEST(an_observer_no_more)
{
	int refused = 0;

	for (int i = 0; i < 20 && !refused; i++)
		refused = count_refused();
	ck_assert_int_gt(refused, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_quota_many");
	TCase *tests = tcase_create("many");

	tcase_set_timeout(tests, 100);
	tcase_add_checked_fixture(tests, setup, teardown);
	if (geteuid() != 0) {
		puts("SKIP duned_quota_many: needs root to be several users");
	} else {
		tcase_add_test(tests, others_are_answered_meanwhile);
		tcase_add_test(tests, rules_change_meanwhile);
		tcase_add_test(tests, an_observer_no_more);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
