// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An observer at the service, with a device made of paper: it is shown what root is shown, acts on nothing
 * that is not its own, has no other privilege, and is none from the moment that a reload says so. Needs
 * root, to be several users.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_duned_run.h"

#define ALICE	 4001
#define OBSERVER 4002
#define STRANGER 4003
#define WATCHERS 4100 /* a group */
#define M(name)	 "io.dune.Manager." name
#define OK	 "{\"parameters\":{}}"
#define DENIED	 "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}"
#define NO_SUCH	 "{\"error\":\"io.dune.Manager.NoSuchContext\",\"parameters\":{}}"
#define CONFIG	 "[access]\nobservers = 4002, @4100\n"

static struct service service;
static int root, alice, observer;
static int contexts[2]; /* of alice: "a" (id 1), "both" (id 2) */

static int create(int fd, const char *name)
{
	char parameters[64];
	int context_fd;

	snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\"}", name);
	client_send_call(fd, M("Create"), parameters, 0);
	json_object_put(client_expect(fd, NULL, false, &context_fd));
	return context_fd;
}

/* Moves a context on, see fake_table.c. */
static void move(int context_fd, const char *commands)
{
	ck_assert_int_eq(write(context_fd, commands, strlen(commands)), (ssize_t)strlen(commands));
}

static void start(const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, NULL);
	root = client_new(&service);
	alice = client_new_as(&service, ALICE);
	observer = client_new_as(&service, OBSERVER);
	contexts[0] = create(alice, "a");
	contexts[1] = create(alice, "both");
	move(contexts[0], "ar");
	move(contexts[1], "ar");
}

static void reload(const char *config)
{
	file_write(service.config, config);
	client_check(root, M("Reload"), NULL, OK);
}

static void setup(void)
{
	service_setup(&service);
}

static void teardown(void)
{
	close(contexts[0]);
	close(contexts[1]);
	close(observer);
	close(alice);
	close(root);
	service_teardown(&service);
}

/* ---- it sees ---- */

static const struct {
	const char *method, *parameters;
	unsigned int flags;
} looks[] = {
	{ M("List"), NULL, 0 },
	{ M("Inspect"), "{\"id\":1}", 0 },
	{ M("Inspect"), "{\"name\":\"a\"}", 0 },
	{ M("Inspect"), "{\"name\":\"both\"}", 0 }, /* ambiguous */
	{ M("Stats"), "{\"id\":1}", 0 },
	{ M("Stats"), NULL, 0 },
	{ M("Stats"), NULL, VARLINK_MORE },
	{ M("Stats"), "{\"name\":\"a\"}", VARLINK_MORE },
	{ M("Events"), NULL, VARLINK_MORE },
	{ M("Events"), "{\"id\":1}", VARLINK_MORE },
	{ M("Events"), "{\"name\":\"both\"}", VARLINK_MORE },
	{ M("GetQuota"), NULL, 0 },
	{ M("GetQuota"), "{\"scope\":\"user\"}", 0 },
	{ M("GetQuota"), "{\"scope\":\"user\",\"name\":\"4001\"}", 0 },
	{ M("GetQuota"), "{\"scope\":\"user\",\"name\":\"root\"}", 0 },
};

/* The answer to that look, but for the time. The connection is over with it. */
static char *look(int fd, int row)
{
	char *text, *samples;

	client_send_call(fd, looks[row].method, looks[row].parameters, looks[row].flags);
	text = strdup(client_receive(fd));
	close(fd);
	ck_assert_ptr_nonnull(text);
	samples = strstr(text, "\"samples\"");
	if (samples)
		memmove(text, samples, strlen(samples) + 1);
	return text;
}

/* Word for word what root sees, and others don't. */
START_TEST(sees_what_root_sees)
{
	int own, of_root;
	char *texts[3];

	start(CONFIG "[quota user 4001]\ncontexts = 9\n[quota group 4100]\nvcpus = 5000\n"
		     "[quota process]\ncontexts = 77\n");
	own = create(observer, "both");
	of_root = create(root, "of-root");
	texts[0] = look(client_new(&service), _i);
	texts[1] = look(client_new_as(&service, OBSERVER), _i);
	texts[2] = look(client_new_as(&service, STRANGER), _i);
	ck_assert_str_eq(texts[1], texts[0]);
	ck_assert_str_ne(texts[2], texts[0]);
	ck_assert_ptr_null(strstr(texts[2], "4001"));
	for (int i = 0; i < 3; i++)
		free(texts[i]);
	close(own);
	close(of_root);
}
END_TEST

static size_t count_contexts(int fd)
{
	struct json_object *reply = client_call(fd, M("List"), NULL, NULL);
	size_t count = json_object_array_length(json_at(reply, "contexts"));

	json_object_put(reply);
	return count;
}

START_TEST(a_group_of_observers)
{
	int watcher, stranger;

	start(CONFIG);
	ck_assert_int_eq(setegid(WATCHERS), 0);
	watcher = client_new_as(&service, STRANGER);
	ck_assert_int_eq(setegid(0), 0);
	stranger = client_new_as(&service, STRANGER);
	ck_assert_uint_eq(count_contexts(watcher), 2);
	ck_assert_uint_eq(count_contexts(stranger), 0);
	client_check(watcher, M("Kill"), "{\"id\":1}", DENIED);
	close(watcher);
	close(stranger);
}
END_TEST

/* ---- and acts on nothing ---- */

static const struct {
	const char *method, *parameters, *logged;
} acts[] = {
	{ M("Kill"), "{\"id\":1}", "Kill of context 1 of uid 4001 was refused" },
	{ M("Kill"), "{\"name\":\"a\"}", "Kill of context 1 of uid 4001 was refused" },
	{ M("SetLimits"), "{\"id\":1,\"limits\":{\"vcpus\":1}}",
	  "SetLimits of context 1 of uid 4001 was refused" },
	{ M("SetLimits"), "{\"name\":\"a\",\"limits\":{\"vcpus\":1}}",
	  "SetLimits of context 1 of uid 4001 was refused" },
	{ M("SetQuota"), "{\"scope\":\"host\",\"budget\":{\"contexts\":5}}",
	  "SetQuota was refused" },
	{ M("SetQuota"), "{\"scope\":\"user\",\"name\":\"4002\",\"budget\":{\"contexts\":5}}",
	  "SetQuota was refused" },
	{ M("Reload"), NULL, "Reload was refused" },
};

START_TEST(acts_on_nothing)
{
	char logged[128];
	char *before, *after;

	start(CONFIG);
	snprintf(logged, sizeof(logged), "client of uid 4002: io.dune.Manager.%s", acts[_i].logged);
	before = look(client_new(&service), 0);
	client_check(observer, acts[_i].method, acts[_i].parameters, DENIED);
	service_wait_log(&service, logged);
	after = look(client_new(&service), 0);
	ck_assert_ptr_nonnull(strstr(after, "\"running\""));
	ck_assert_str_eq(after, before);
	ck_assert(!file_has(service.log, "read again"));
	free(before);
	free(after);
	before = look(client_new(&service), 11);
	ck_assert_ptr_null(strstr(before, "run-time"));
	free(before);
}
END_TEST

/* What there is not, is not, for an observer too; to others what they may not see is the same. */
START_TEST(nothing_to_act_on)
{
	int stranger;

	start(CONFIG);
	stranger = client_new_as(&service, STRANGER);
	client_check(observer, M("Kill"), "{\"id\":99999}", NO_SUCH);
	client_check(observer, M("Kill"), "{\"name\":\"nobody-s\"}", NO_SUCH);
	client_check(stranger, M("Kill"), "{\"id\":1}", NO_SUCH);
	client_check(stranger, M("Kill"), "{\"name\":\"a\"}", NO_SUCH);
	service_wait_log(&service, "client of uid 4003: io.dune.Manager.Kill of context 1 of uid "
				   "4001 was refused");
	ck_assert(!file_has(service.log, "client of uid 4002"));
	close(stranger);
}
END_TEST

/* It is the owner of its own, also of one that bears the name of another's. */
START_TEST(its_own_is_its_own)
{
	struct json_object *reply;
	int own;

	start(CONFIG);
	own = create(observer, "both");
	move(own, "ar");
	json_object_put(client_call(observer, M("SetLimits"),
				    "{\"name\":\"both\",\"limits\":{\"vcpus\":7}}", NULL));
	client_check(observer, M("Kill"), "{\"name\":\"both\"}", OK);
	reply = client_call(root, M("Inspect"), "{\"id\":3}", NULL);
	ck_assert_int_eq(json_int_at(reply, "context.owner"), OBSERVER);
	ck_assert_int_eq(json_int_at(reply, "context.limits.vcpus"), 7);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "ended");
	json_object_put(reply);
	reply = client_call(root, M("Inspect"), "{\"id\":2}", NULL);
	ck_assert_str_eq(json_text_at(reply, "context.state"), "running");
	ck_assert_int_eq(json_int_at(reply, "context.limits.vcpus"), 64);
	json_object_put(reply);
	close(own);
}
END_TEST

/* ---- no other privilege ---- */

START_TEST(limits_hold_for_it)
{
	int second, third;

	start(CONFIG "[connections]\nper-user = 2\ncalls-per-second = 10\n");
	second = client_new_as(&service, OBSERVER);
	for (int i = 0; i < 25; i++)
		json_object_put(client_call(second, M("Info"), NULL, NULL));
	service_wait_log(&service, "client of uid 4002: its calls have to wait: more than 10 in");
	third = client_new_as(&service, OBSERVER);
	ck_assert_ptr_nonnull(strstr(client_receive(third), "\"limit\":\"connections_per_user\""));
	close(second);
	close(third);
}
END_TEST

START_TEST(no_admin_socket)
{
	struct service admin;
	int fd;

	start(CONFIG);
	admin = service;
	strcat(admin.socket, ".admin");
	ck_assert_int_eq(chmod(admin.socket, 0666), 0);
	fd = client_new_as(&admin, OBSERVER);
	ck_assert_str_eq(client_receive(fd), DENIED);
	client_expect_end(fd);
	service_wait_log(&service, "client of uid 4002: refused: no administrator");
	close(fd);
}
END_TEST

/* ---- until a reload ---- */

/* A stream of its own connection, after the first reply, which shows this. */
static int stream(const char *method, const char *parameters, const char *shows)
{
	int fd = client_new_as(&service, OBSERVER);

	client_send_call(fd, method, parameters, VARLINK_MORE);
	ck_assert_ptr_nonnull(strstr(client_receive(fd), shows));
	return fd;
}

/* Waits for a message with this; none before it may have the other. */
static void expect_shown(int fd, const char *wanted, const char *never)
{
	for (int i = 0; i < 100; i++) {
		const char *message = client_receive(fd);

		ck_assert_msg(!strstr(message, never), "%s", message);
		if (strstr(message, wanted))
			return;
	}
	ck_abort_msg("%s is never shown", wanted);
}

/* Samples that were made before the reload may still be on their way. */
static void expect_only_own_samples(int fd)
{
	int own = 0;

	for (int i = 0; own < 3 && i < 100; i++) {
		const char *message = client_receive(fd);
		bool others = strstr(message, "\"id\":1,") || strstr(message, "\"id\":2,");

		ck_assert_msg(!own || !others, "%s", message);
		own += !others && strstr(message, "\"id\":3,");
	}
	ck_assert_int_eq(own, 3);
}

START_TEST(taken_away_while_streams_run)
{
	static const char quick[] = "{\"interval_ms\":100}";
	int own, events, about_one, samples, of_one;

	start(CONFIG);
	own = create(observer, "own");
	events = stream(M("Events"), "{\"types\":[\"limit\"]}", "\"id\":1,");
	about_one = stream(M("Events"), "{\"id\":1}", "\"id\":1,");
	samples = stream(M("Stats"), quick, "\"id\":1,");
	of_one = stream(M("Stats"), "{\"id\":1,\"interval_ms\":100}", "\"id\":1,");
	move(contexts[0], "l");
	expect_shown(events, "\"id\":1,", "\"id\":3,");
	expect_shown(about_one, "\"limit\"", "\"id\":3,");
	reload("");
	ck_assert_uint_eq(count_contexts(observer), 1);
	client_check(observer, M("Inspect"), "{\"id\":1}", NO_SUCH);
	client_check(observer, M("Kill"), "{\"id\":1}", NO_SUCH);
	for (int i = 0; i < 2; i++) {
		move(contexts[0], "l");
		json_object_put(client_call(alice, M("List"), NULL, NULL));
		move(own, "l");
		expect_shown(events, "\"id\":3,", "\"id\":1,");
	}
	/* It learns that it is over, and nothing else. */
	ck_assert_str_eq(client_receive(about_one), OK);
	json_object_put(client_call(about_one, M("Info"), NULL, NULL));
	expect_only_own_samples(samples);
	expect_shown(of_one, NO_SUCH, "\"id\":3,");
	/* Given back, it is seen again. */
	reload(CONFIG);
	move(contexts[1], "l");
	expect_shown(events, "\"id\":2,", "\"id\":3,");
	expect_shown(samples, "\"id\":2,", "error");
	ck_assert_uint_eq(count_contexts(observer), 3);
	close(own);
	close(events);
	close(about_one);
	close(samples);
	close(of_one);
}
END_TEST

START_TEST(shown_as_configured)
{
	file_write(service.config, CONFIG "administrators = 7\n");
	service_spawn(&service, "duned/duned", "--check", service.config, NULL);
	ck_assert_int_eq(service_wait(&service), 0);
	ck_assert(file_has(service.log,
			   "[access]\nadministrators = 7\nobservers = 4002 @4100\npolkit = no\n"));
	root = alice = observer = contexts[0] = contexts[1] = -1;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_observer");
	TCase *tests = tcase_create("observer");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, shown_as_configured);
	if (geteuid() != 0) {
		puts("SKIP duned_observer: needs root to be several users");
	} else {
		tcase_add_loop_test(tests, sees_what_root_sees, 0, NR_ROWS(looks));
		tcase_add_test(tests, a_group_of_observers);
		tcase_add_loop_test(tests, acts_on_nothing, 0, NR_ROWS(acts));
		tcase_add_test(tests, nothing_to_act_on);
		tcase_add_test(tests, its_own_is_its_own);
		tcase_add_test(tests, limits_hold_for_it);
		tcase_add_test(tests, no_admin_socket);
		tcase_add_test(tests, taken_away_while_streams_run);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
