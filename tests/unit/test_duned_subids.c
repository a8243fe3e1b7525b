// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned and subordinate uids: what somebody uses as any of them is charged to the user who has them, as
 * subuid(5)'s file says, and as it says later. Needs root, to be several users.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_duned_rows.h"

#define ALICE	    4001
#define BOB	    4002
#define SUB	    100000 /* the first of Alice's */
#define CONFIG	    "[quota user]\ncontexts = 3\n[connections]\nper-user = 4\n"
#define NAMED(name) "{\"scope\":\"user\",\"name\":\"" name "\"}"
#define RANGES	    "4001:100000:65536\n4002:200000:65536\n"
#define OF_USER	    "{\"scope\":\"user\"}"

static struct service service;
static char ranges[128];
static int root = -1;

static void start(const char *config, const char *text)
{
	file_write(service.config, config);
	file_write(ranges, text);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, "--subuid",
		      ranges, NULL);
	root = client_new(&service);
}

static void setup(void)
{
	service_setup(&service);
	snprintf(ranges, sizeof(ranges), "%s/subuid", service.folder);
}

static void teardown(void)
{
	if (root >= 0)
		close(root);
	service_teardown(&service);
}

/* As shadow's tools do it: the new file takes the name of the old. */
static void change_ranges(const char *text)
{
	char fresh[140];

	snprintf(fresh, sizeof(fresh), "%s+", ranges);
	file_write(fresh, text);
	ck_assert_int_eq(rename(fresh, ranges), 0);
}

static void wait_for_row(const char *parameters, const char *row)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		if (has_row(root, parameters, row))
			return;
		usleep(10000);
	}
	ck_abort_msg("there never is: %s", row);
}

/* A row of contexts, by the configuration's line. */
static const char *line(const char *name, int maximum, int used, int number)
{
	static char text[256];

	snprintf(text, sizeof(text), "user %s contexts %d %d %s:%d", name, maximum, used,
		 service.config, number);
	return text;
}

static const char *row(const char *name, int used)
{
	return line(name, 3, used, 2);
}

START_TEST(one_quota)
{
	int alice, first, last, bob, contexts[5];

	start(CONFIG, RANGES);
	alice = client_new_as(&service, ALICE);
	first = client_new_as(&service, SUB);
	last = client_new_as(&service, SUB + 65535);
	contexts[0] = create(alice, NULL);
	contexts[1] = create(first, NULL);
	contexts[2] = create(last, NULL);
	refused(alice, NULL, "user", "4001", "contexts", 3, 3);
	refused(first, NULL, "user", "4001", "contexts", 3, 3);
	refused(last, NULL, "user", "4001", "contexts", 3, 3);
	/* Behind the range, and Bob. */
	bob = client_new_as(&service, SUB + 65536);
	contexts[3] = create(bob, NULL);
	close(bob);
	bob = client_new_as(&service, 200000);
	contexts[4] = create(bob, NULL);
	ck_assert(has_row(root, OF_USER, row("4001", 3)));
	ck_assert(has_row(root, OF_USER, row("4002", 1)));
	ck_assert(has_row(root, OF_USER, row("165536", 1)));
	/* Those, and the rule itself. */
	ck_assert_uint_eq(count_rows(root, OF_USER), 4);
	/* What holds for one of them, and what one of them sees. */
	ck_assert(has_row(root, NAMED("100000"), row("4001", 3)));
	ck_assert_uint_eq(count_rows(root, NAMED("100000")), 1);
	ck_assert(has_row(last, OF_USER, row("4001", 3)));
	ck_assert_uint_eq(count_rows(last, OF_USER), 1);
	/* What one gives back, another may take. */
	close(contexts[1]);
	wait_for_row(OF_USER, row("4001", 2));
	contexts[1] = create(alice, NULL);
	for (size_t i = 0; i < 5; i++)
		close(contexts[i]);
	close(alice);
	close(first);
	close(last);
	close(bob);
}
END_TEST

/* The context is the subordinate's own all the same: not its user's to look at, nor the other way round. */
START_TEST(not_one_owner)
{
	int alice, sub, context;

	start(CONFIG, RANGES);
	alice = client_new_as(&service, ALICE);
	sub = client_new_as(&service, SUB);
	client_send_call(sub, M("Create"), "{\"name\":\"inner\"}", 0);
	json_object_put(client_expect(sub, NULL, false, &context));
	json_object_put(client_call(sub, M("Inspect"), "{\"name\":\"inner\"}", NULL));
	json_object_put(client_call(alice, M("Inspect"), "{\"name\":\"inner\"}",
				    DUNE_ERROR("NoSuchContext")));
	close(context);
	close(alice);
	close(sub);
}
END_TEST

/* What a context itself says of its owner's contexts is about those that the owner has itself. */
START_TEST(limits_of_a_context)
{
	static const char *const two = "{\"limits\":{\"contexts\":2}}";
	int alice, sub, contexts[5];

	start("", RANGES);
	alice = client_new_as(&service, ALICE);
	sub = client_new_as(&service, SUB);
	contexts[0] = create(sub, NULL);
	contexts[1] = create(sub, NULL);
	contexts[2] = create(alice, two);
	contexts[3] = create(alice, two);
	json_object_put(client_call(alice, M("Create"), two, DUNE_ERROR("QuotaExceeded")));
	json_object_put(client_call(sub, M("Create"), two, DUNE_ERROR("QuotaExceeded")));
	close(contexts[1]);
	wait_for_row(NAMED("4001"), "user 4001 contexts 64 3 default");
	contexts[4] = create(sub, two);
	for (size_t i = 0; i < 5; i++) {
		if (i != 1)
			close(contexts[i]);
	}
	close(alice);
	close(sub);
}
END_TEST

/* Its own rule holds for a subordinate; its user's account has it all the same. Then the user's own. */
START_TEST(rules_of_their_own)
{
	int first, other, contexts[4];

	start(CONFIG "[quota user 100000]\ncontexts = 2\n[quota user 4001]\ncontexts = 1\n",
	      RANGES);
	first = client_new_as(&service, SUB);
	other = client_new_as(&service, SUB + 1);
	contexts[0] = create(first, NULL);
	contexts[1] = create(first, NULL);
	refused(first, NULL, "user", "100000", "contexts", 2, 2);
	refused(other, NULL, "user", "4001", "contexts", 1, 2);
	/* Asked for one of them, nothing is shown that does not hold for it. */
	ck_assert(has_row(root, OF_USER, line("100000", 2, 2, 6)));
	ck_assert(has_row(root, OF_USER, line("4001", 1, 2, 8)));
	ck_assert(has_row(root, NAMED("100000"), line("100000", 2, 2, 6)));
	ck_assert_uint_eq(count_rows(root, NAMED("100000")), 1);
	ck_assert(has_row(root, NAMED("100001"), line("4001", 1, 2, 8)));
	ck_assert_uint_eq(count_rows(root, NAMED("100001")), 1);
	close(contexts[0]);
	close(contexts[1]);
	wait_for_row(OF_USER, line("4001", 1, 0, 8));
	contexts[2] = create(other, NULL);
	contexts[3] = create(first, NULL);
	close(contexts[2]);
	close(contexts[3]);
	close(first);
	close(other);
}
END_TEST

START_TEST(create_rate)
{
	struct json_object *reply;
	int alice, first;

	start("[quota user]\ncreate-rate = 2\n", RANGES);
	alice = client_new_as(&service, ALICE);
	first = client_new_as(&service, SUB);
	close(create(alice, NULL));
	close(create(first, NULL));
	reply = client_call(first, M("Create"), NULL, DUNE_ERROR("RateExceeded"));
	ck_assert_str_eq(json_text_at(reply, "name"), "4001");
	json_object_put(reply);
	json_object_put(client_call(alice, M("Create"), NULL, DUNE_ERROR("RateExceeded")));
	close(alice);
	close(first);
}
END_TEST

/* A user who is somebody's subordinate and has subordinates: each is charged for the next, and no further. */
START_TEST(a_chain)
{
	int alice, sub, contexts[3];

	start(CONFIG, "900:4001:1\n" RANGES);
	alice = client_new_as(&service, ALICE);
	sub = client_new_as(&service, SUB);
	contexts[0] = create(alice, NULL);
	contexts[1] = create(sub, NULL);
	contexts[2] = create(sub, NULL);
	ck_assert(has_row(root, OF_USER, row("4001", 3)));
	ck_assert(has_row(root, OF_USER, row("900", 1)));
	ck_assert_uint_eq(count_rows(root, OF_USER), 3);
	refused(sub, NULL, "user", "4001", "contexts", 3, 3);
	for (size_t i = 0; i < 3; i++)
		close(contexts[i]);
	close(alice);
	close(sub);
}
END_TEST

/* The file is replaced, written in place with as many bytes, goes, comes back as a link whose target changes. */
START_TEST(another_file)
{
	char target[140];
	int first, context;

	start(CONFIG, "");
	first = client_new_as(&service, SUB);
	context = create(first, NULL);
	ck_assert(has_row(root, OF_USER, row("100000", 1)));
	change_ranges(RANGES);
	wait_for_row(OF_USER, row("4001", 1));
	ck_assert_uint_eq(count_rows(root, OF_USER), 2);
	file_write(ranges, "4003:100000:65536\n4002:200000:65536\n");
	wait_for_row(OF_USER, row("4003", 1));
	ck_assert_int_eq(unlink(ranges), 0);
	wait_for_row(OF_USER, row("100000", 1));
	snprintf(target, sizeof(target), "%s.target", ranges);
	file_write(target, "4002:100000:1\n");
	ck_assert_int_eq(symlink(target, ranges), 0);
	wait_for_row(OF_USER, row("4002", 1));
	file_write(target, "4001:100000:1\n");
	wait_for_row(OF_USER, row("4001", 1));
	close(context);
	close(first);
}
END_TEST

/* A Reload has read the file when it answers. */
START_TEST(a_reload)
{
	int first, context;

	start(CONFIG, "");
	first = client_new_as(&service, SUB);
	context = create(first, NULL);
	for (int i = 0; i < 20; i++) {
		change_ranges(i % 2 ? "4002:100000:1\n" : RANGES);
		client_check(root, M("Reload"), NULL, OK);
		ck_assert(has_row(root, OF_USER, row(i % 2 ? "4002" : "4001", 1)));
	}
	close(context);
	close(first);
}
END_TEST

/* Names that can't be looked up now leave what is in force, and are looked up again. */
START_TEST(names_that_come_late)
{
	const struct passwd *daemon = getpwnam("daemon");
	char gate[140], names[160], name[16];
	int first, context;

	ck_assert_ptr_nonnull(daemon);
	snprintf(name, sizeof(name), "%u", daemon->pw_uid);
	snprintf(gate, sizeof(gate), "%s/gate", service.folder);
	snprintf(names, sizeof(names), "%s.names", gate);
	file_write(names, "");
	preload_gate(gate);
	start(CONFIG, "daemon:100000:10\n");
	unsetenv("LD_PRELOAD");
	service_wait_log(&service, "uids count for whom they did");
	first = client_new_as(&service, SUB);
	context = create(first, NULL);
	ck_assert(has_row(root, OF_USER, row("100000", 1)));
	ck_assert_int_eq(unlink(names), 0);
	wait_for_row(OF_USER, row(name, 1));
	close(context);
	close(first);
}
END_TEST

/* The pipe's other end, or -1 when nobody reads. */
static int open_pipe(void)
{
	int fd = open(ranges, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		ck_assert_int_eq(errno, ENXIO);
	return fd;
}

static int find_reader(int wait_ms)
{
	int fd = -1;

	for (int i = 0; i < wait_ms / 10 && fd < 0; i++) {
		fd = open_pipe();
		if (fd < 0)
			usleep(10000);
	}
	return fd;
}

/* Until it was read. */
static void write_ranges(int fd)
{
	ck_assert_int_eq(write(fd, RANGES, strlen(RANGES)), strlen(RANGES));
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && fd >= 0; i++) {
		close(fd);
		usleep(10000);
		fd = open_pipe();
	}
	ck_assert_int_eq(fd, -1);
}

/* A look that takes long is followed by ten times as long without one: there is other work. */
START_TEST(slow)
{
	char text[140];
	int fd;

	start(CONFIG, "");
	snprintf(text, sizeof(text), "%s+", ranges);
	ck_assert_int_eq(mkfifo(text, 0600), 0);
	ck_assert_int_eq(rename(text, ranges), 0);
	fd = find_reader(SERVICE_WAIT_MS);
	ck_assert_int_ge(fd, 0);
	usleep(1000000);
	write_ranges(fd);
	ck_assert_int_eq(find_reader(8000), -1);
	fd = find_reader(SERVICE_WAIT_MS);
	ck_assert_int_ge(fd, 0);
	write_ranges(fd);
}
END_TEST

/* Lines that make no sense are named, and a file that is none leaves what is in force. */
START_TEST(damaged)
{
	char text[300];
	int first, context;

	start(CONFIG, "4001:100000\n" RANGES "what?\n");
	snprintf(text, sizeof(text), "%s:1: not USER:FIRST:COUNT", ranges);
	service_wait_log(&service, text);
	service_wait_log(&service, "2 of 4 lines are left out");
	first = client_new_as(&service, SUB);
	context = create(first, NULL);
	ck_assert(has_row(root, OF_USER, row("4001", 1)));
	/* Never without a file: that would be another table. */
	snprintf(text, sizeof(text), "%s+", ranges);
	ck_assert_int_eq(symlink("/", text), 0);
	ck_assert_int_eq(rename(text, ranges), 0);
	service_wait_log(&service, "uids count for whom they did");
	ck_assert(has_row(root, OF_USER, row("4001", 1)));
	close(context);
	close(first);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_subids");
	TCase *tests = tcase_create("duned_subids");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, one_quota);
	tcase_add_test(tests, not_one_owner);
	tcase_add_test(tests, limits_of_a_context);
	tcase_add_test(tests, rules_of_their_own);
	tcase_add_test(tests, create_rate);
	tcase_add_test(tests, a_chain);
	tcase_add_test(tests, another_file);
	tcase_add_test(tests, a_reload);
	tcase_add_test(tests, names_that_come_late);
	tcase_add_test(tests, slow);
	tcase_add_test(tests, damaged);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
