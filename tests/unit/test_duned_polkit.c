// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned and polkit, on a bus of the test's own, with a polkit that does as it is told: what is asked and
 * when, every answer and none, limits, ends of all that take part. Needs root, to be several users.
 */
#include <time.h>

#include "duned/identity.h"
#include "duned/polkit.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_polkit_run.h"

#define ALICE	4001
#define BOB	4002
#define SUB	100000 /* Alice's */
#define SUBIDS	"4001:100000:100\n"
#define M(name) "io.dune.Manager." name
#define OK	"{\"parameters\":{}}"
#define POLKIT	"[access]\npolkit = yes\n"
#define DENIED	"{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{"
#define QUOTA	"{\"scope\":\"host\",\"budget\":{\"contexts\":500}}"

static struct service service;
static char subids[128];
static int root = -1;

/* A reply that says why. */
static const char *why(const char *action, enum polkit_outcome outcome)
{
	static char text[256];

	snprintf(text, sizeof(text), DENIED "\"action\":\"io.dune.manager.%s\",\"reason\":\"%s\"}}",
		 action, polkit_reason(outcome));
	return text;
}

static void start_service(const char *config)
{
	file_write(service.config, config);
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, "--subuid",
		      subids, "--debug", NULL);
	root = client_new(&service);
}

static void start(enum polkit_manner manner)
{
	bus_start(&service);
	fake_start(manner);
	start_service(POLKIT);
}

static void setup(void)
{
	service_setup(&service);
	snprintf(subids, sizeof(subids), "%s/subuid", service.folder);
	file_write(subids, SUBIDS);
	bus_name(&service);
}

static void teardown(void)
{
	if (root >= 0)
		close(root);
	root = -1;
	service_teardown(&service);
	polkit_teardown();
}

/* Root's context of that name; it lives until the descriptor is closed. */
static int create(int fd, const char *name, int64_t *ret_id)
{
	char parameters[64];
	struct json_object *reply;
	int context_fd;

	snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\"}", name);
	client_send_call(fd, M("Create"), parameters, 0);
	reply = client_expect(fd, NULL, false, &context_fd);
	*ret_id = json_int_at(reply, "context.id");
	json_object_put(reply);
	return context_fd;
}

static bool is_silent(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 200) == 0;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- what is asked ---- */

static uint64_t own_start(void)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	struct identity_stat stat;
	size_t size;

	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	fclose(file);
	ck_assert_int_eq(identity_parse_stat(text, &stat), 0);
	return stat.start;
}

static bool kernel_gives_pidfds(void)
{
	int ends[2], pidfd = -1, r;
	socklen_t size = sizeof(pidfd);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	r = getsockopt(ends[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &size);
	if (!r)
		close(pidfd);
	close(ends[0]);
	close(ends[1]);
	return !r;
}

START_TEST(the_question)
{
	int alice;

	start(SAY_YES);
	alice = client_new_as(&service, ALICE);
	client_check(alice, M("SetQuota"), QUOTA, OK);
	ck_assert_uint_eq(fake->asked, 1);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.configure");
	ck_assert_str_eq(fake->last.method, "method=io.dune.Manager.SetQuota");
	ck_assert_str_eq(fake->last.kind, "unix-process");
	ck_assert_uint_eq(fake->last.pid, (uint32_t)getpid());
	ck_assert_int_eq(fake->last.uid, ALICE);
	ck_assert_uint_eq(fake->last.start, own_start());
	ck_assert_int_eq(fake->last.pidfd_of, kernel_gives_pidfds() ? getpid() : 0);
	/* Nobody is asked for a password. */
	ck_assert_uint_eq(fake->last.flags, 0);
	client_check(alice, M("Reload"), NULL, OK);
	ck_assert_uint_eq(fake->asked, 2);
	ck_assert_str_eq(fake->last.method, "method=io.dune.Manager.Reload");
	close(alice);
}
END_TEST

START_TEST(contexts_of_others)
{
	struct json_object *reply;
	char parameters[96];
	int alice, context;
	int64_t id;

	start(SAY_YES);
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld}", (long long)id);
	reply = client_call(alice, M("Inspect"), parameters, NULL);
	ck_assert_str_eq(json_text_at(reply, "context.name"), "of-root");
	json_object_put(reply);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.observe");
	json_object_put(client_call(alice, M("Inspect"), "{\"name\":\"of-root\"}", NULL));
	json_object_put(client_call(alice, M("Stats"), parameters, NULL));
	ck_assert_uint_eq(fake->asked, 3);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.observe");
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld,\"limits\":{\"vcpus\":7}}",
		 (long long)id);
	reply = client_call(alice, M("SetLimits"), parameters, NULL);
	ck_assert_int_eq(json_int_at(reply, "context.limits.vcpus"), 7);
	json_object_put(reply);
	ck_assert_uint_eq(fake->asked, 4);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.manage");
	/* It has no process yet. */
	client_check(alice, M("Kill"), "{\"name\":\"of-root\"}",
		     "{\"error\":\"io.dune.Manager.NoProcess\",\"parameters\":{}}");
	ck_assert_uint_eq(fake->asked, 5);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.manage");
	/* Polkit says yes, but there is none. */
	client_check(alice, M("Kill"), "{\"id\":99999}",
		     "{\"error\":\"io.dune.Manager.NoSuchContext\",\"parameters\":{}}");
	ck_assert_uint_eq(fake->asked, 6);
	close(context);
	close(alice);
}
END_TEST

/* Denied, a context of somebody else is as one that there is not: in words, and in polkit being asked. */
START_TEST(none_or_not_yours)
{
	static const char none[] =
		"{\"error\":\"io.dune.Manager.NoSuchContext\",\"parameters\":{}}";
	int alice, context;
	char parameters[64];
	int64_t id;

	start(SAY_NO);
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	for (int i = 0; i < 2; i++) {
		fake->manner = i ? SAY_CHALLENGE : SAY_NO;
		fake->asked = 0;
		snprintf(parameters, sizeof(parameters), "{\"id\":%lld}", (long long)id);
		client_check(alice, M("Kill"), parameters, none);
		client_check(alice, M("Kill"), "{\"id\":99999}", none);
		client_check(alice, M("Inspect"), "{\"name\":\"of-root\"}", none);
		client_check(alice, M("Inspect"), "{\"name\":\"of-nobody\"}", none);
		ck_assert_uint_eq(fake->asked, 4);
	}
	/* The operator is told which it was. */
	service_wait_log(&service, "io.dune.Manager.Kill of context");
	close(context);
	close(alice);
}
END_TEST

/* Of one's own, of what is public, of lists and streams polkit is not asked; nor for those who may. */
START_TEST(never_asked)
{
	struct json_object *reply;
	int alice, bob, own, context;
	int64_t id;

	bus_start(&service);
	fake_start(SAY_YES);
	start_service("[access]\npolkit = yes\nadministrators = 4002\n");
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	own = create(alice, "own", &id);
	json_object_put(client_call(alice, M("Inspect"), "{\"name\":\"own\"}", NULL));
	json_object_put(client_call(alice, M("Info"), NULL, NULL));
	json_object_put(client_call(alice, M("GetQuota"), NULL, NULL));
	reply = client_call(alice, M("List"), NULL, NULL);
	ck_assert_uint_eq(json_object_array_length(json_at(reply, "contexts")), 1);
	json_object_put(reply);
	client_send_call(alice, M("Stats"), "{\"name\":\"of-root\"}", VARLINK_MORE);
	ck_assert_str_eq(client_receive(alice),
			 "{\"error\":\"io.dune.Manager.NoSuchContext\",\"parameters\":{}}");
	client_send_call(alice, M("Events"), "{\"name\":\"of-root\"}", VARLINK_MORE);
	reply = client_expect(alice, NULL, true, NULL);
	ck_assert_uint_eq(json_object_array_length(json_at(reply, "contexts")), 0);
	json_object_put(reply);
	bob = client_new_as(&service, BOB);
	client_check(bob, M("Reload"), NULL, OK);
	json_object_put(client_call(bob, M("Inspect"), "{\"name\":\"of-root\"}", NULL));
	client_check(root, M("Reload"), NULL, OK);
	ck_assert_uint_eq(fake->asked, 0);
	close(bob);
	close(own);
	close(context);
	close(alice);
}
END_TEST

/* Of what an observer sees polkit is not asked; of what it does not do it is, and a no is told as one. */
START_TEST(observers)
{
	const char *denied = why("manage", POLKIT_NO);
	char parameters[96];
	int alice, context;
	int64_t id;

	bus_start(&service);
	fake_start(SAY_NO);
	start_service(POLKIT "observers = 4001\n");
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld}", (long long)id);
	json_object_put(client_call(alice, M("Inspect"), parameters, NULL));
	json_object_put(client_call(alice, M("Stats"), "{\"name\":\"of-root\"}", NULL));
	ck_assert_uint_eq(fake->asked, 0);
	client_check(alice, M("Kill"), parameters, denied);
	client_check(alice, M("Kill"), "{\"name\":\"of-root\"}", denied);
	ck_assert_uint_eq(fake->asked, 2);
	ck_assert_str_eq(fake->last.action, "io.dune.manager.manage");
	client_check(alice, M("Reload"), NULL, why("configure", POLKIT_NO));
	service_wait_log(&service, "client of uid 4001: io.dune.Manager.Kill of context");
	fake->manner = SAY_YES;
	/* It has no process yet. */
	client_check(alice, M("Kill"), parameters,
		     "{\"error\":\"io.dune.Manager.NoProcess\",\"parameters\":{}}");
	ck_assert_uint_eq(fake->asked, 4);
	close(context);
	close(alice);
}
END_TEST

START_TEST(not_asked_unless_configured)
{
	int alice;

	bus_start(&service);
	fake_start(SAY_YES);
	start_service("");
	alice = client_new_as(&service, ALICE);
	client_check(alice, M("Reload"), NULL, DENIED "}}");
	ck_assert_uint_eq(fake->asked, 0);
	file_write(service.config, POLKIT);
	client_check(root, M("Reload"), NULL, OK);
	client_check(alice, M("Reload"), NULL, OK);
	ck_assert_uint_eq(fake->asked, 1);
	file_write(service.config, "");
	/* By polkit's leave, for the last time. */
	client_check(alice, M("Reload"), NULL, OK);
	client_check(alice, M("Reload"), NULL, DENIED "}}");
	ck_assert_uint_eq(fake->asked, 2);
	close(alice);
}
END_TEST

/* ---- what it says ---- */

static const struct {
	enum polkit_manner manner;
	enum polkit_outcome outcome;
	bool undecided;
} manners[] = {
	{ SAY_NO, POLKIT_NO, false },
	{ SAY_CHALLENGE, POLKIT_CHALLENGE, false },
	{ SAY_CANCELLED, POLKIT_CANCELLED, true },
	{ SAY_FAILED, POLKIT_FAILED, true },
	{ SAY_TEXT, POLKIT_MALFORMED, true },
	{ SAY_LESS, POLKIT_MALFORMED, true },
	{ SAY_NOTHING, POLKIT_SILENT, true },
	{ LEAVE, POLKIT_SILENT, true },
};

START_TEST(anything_but_a_yes_is_a_no)
{
	int alice, context;
	int64_t id;

	start(manners[_i].manner);
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	client_check(alice, M("SetQuota"), QUOTA, why("configure", manners[_i].outcome));
	if (manners[_i].manner == LEAVE) {
		waitpid(fake_pid, NULL, 0);
		fake_start(LEAVE);
	}
	if (manners[_i].undecided) {
		client_check(alice, M("Kill"), "{\"name\":\"of-root\"}",
			     why("manage", manners[_i].outcome));
		service_wait_log(&service, polkit_reason(manners[_i].outcome));
	}
	service_wait_log(&service, "io.dune.Manager.SetQuota was refused");
	/* And the next is asked as if nothing had been. */
	if (manners[_i].manner == LEAVE) {
		waitpid(fake_pid, NULL, 0);
		fake_start(SAY_YES);
	}
	fake->manner = SAY_YES;
	client_check(alice, M("SetQuota"), QUOTA, OK);
	close(context);
	close(alice);
}
END_TEST

START_TEST(no_polkit)
{
	int alice;

	bus_start(&service);
	start_service(POLKIT);
	alice = client_new_as(&service, ALICE);
	client_check(alice, M("Reload"), NULL, why("configure", POLKIT_ABSENT));
	fake_start(SAY_YES);
	client_check(alice, M("Reload"), NULL, OK);
	close(alice);
}
END_TEST

/* ---- the bus ---- */

START_TEST(no_bus)
{
	int alice;

	start_service(POLKIT);
	alice = client_new_as(&service, ALICE);
	client_check(alice, M("Reload"), NULL, why("configure", POLKIT_UNREACHABLE));
	client_check(alice, M("Reload"), NULL, why("configure", POLKIT_UNREACHABLE));
	bus_start(&service);
	fake_start(SAY_YES);
	client_check(alice, M("Reload"), NULL, OK);
	close(alice);
}
END_TEST

/* Somebody listens there, who is no bus: one that says nothing, one that says too much. */
START_TEST(no_bus_but_a_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), alice, peer;
	double begin;

	snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/bus", service.folder);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	start_service(POLKIT);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("Reload"), NULL, 0);
	begin = now_s();
	peer = accept(listener, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	/* Others are served meanwhile. */
	json_object_put(client_call(root, M("Info"), NULL, NULL));
	ck_assert_str_eq(client_receive(alice), why("configure", POLKIT_UNREACHABLE));
	ck_assert_double_ge(now_s() - begin, POLKIT_ANSWER_S - 1);
	client_expect_end(peer);
	close(peer);
	client_send_call(alice, M("Reload"), NULL, 0);
	peer = accept(listener, NULL, NULL);
	begin = now_s();
	ck_assert_int_gt(send(peer, "DATA\r\nREJECTED\r\nERROR\r\n\1\2\3", 26, MSG_NOSIGNAL), 0);
	ck_assert_str_eq(client_receive(alice), why("configure", POLKIT_UNREACHABLE));
	ck_assert_double_lt(now_s() - begin, POLKIT_ANSWER_S);
	close(peer);
	close(listener);
	close(alice);
}
END_TEST

START_TEST(the_bus_goes_away)
{
	int alice;
	double begin;

	start(HOLD);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("Reload"), NULL, 0);
	fake_wait_asked(1);
	begin = now_s();
	polkit_teardown();
	ck_assert_str_eq(client_receive(alice), why("configure", POLKIT_UNREACHABLE));
	ck_assert_double_lt(now_s() - begin, POLKIT_ANSWER_S);
	client_check(alice, M("Reload"), NULL, why("configure", POLKIT_UNREACHABLE));
	bus_start(&service);
	fake_start(SAY_YES);
	client_check(alice, M("Reload"), NULL, OK);
	/* While nobody waits, it is noticed all the same. */
	polkit_teardown();
	bus_start(&service);
	fake_start(SAY_YES);
	usleep(300000);
	client_check(alice, M("Reload"), NULL, OK);
	close(alice);
}
END_TEST

/* ---- waiting ---- */

START_TEST(calls_keep_their_order)
{
	int alice, other;

	start(HOLD);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("SetQuota"), QUOTA, 0);
	client_send_call(alice, M("NoSuchMethod"), NULL, 0);
	client_send_call(alice, M("Reload"), NULL, 0);
	client_send_call(alice, M("List"), NULL, 0);
	fake_wait_asked(1);
	/* Only this connection waits. */
	other = client_new_as(&service, ALICE);
	json_object_put(client_call(other, M("List"), NULL, NULL));
	json_object_put(client_call(root, M("Info"), NULL, NULL));
	ck_assert(is_silent(alice));
	ck_assert_uint_eq(fake->asked, 1);
	fake->let_go = true;
	ck_assert_str_eq(client_receive(alice), OK);
	json_object_put(client_expect(alice, VARLINK_ERROR("MethodNotFound"), false, NULL));
	ck_assert_str_eq(client_receive(alice), OK);
	json_object_put(client_expect(alice, NULL, false, NULL));
	ck_assert_uint_eq(fake->asked, 2);
	close(other);
	close(alice);
}
END_TEST

START_TEST(what_was_true_when_it_was_asked)
{
	int alice, context;
	int64_t id;

	start(HOLD);
	context = create(root, "of-root", &id);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("Inspect"), "{\"name\":\"of-root\"}", 0);
	fake_wait_asked(1);
	/* It is freed while polkit thinks. */
	close(context);
	json_object_put(client_call(root, M("List"), NULL, NULL));
	fake->let_go = true;
	json_object_put(client_expect(alice, DUNE_ERROR("NoSuchContext"), false, NULL));
	fake->let_go = false;
	/* Polkit is turned off while it thinks. */
	client_send_call(alice, M("Reload"), NULL, 0);
	fake_wait_asked(2);
	file_write(service.config, "");
	client_check(root, M("Reload"), NULL, OK);
	ck_assert_str_eq(client_receive(alice), why("configure", POLKIT_OFF));
	close(alice);
}
END_TEST

START_TEST(how_many_wait)
{
	int fds[POLKIT_USER_ASKS + 1], bob;

	start(HOLD);
	for (int i = 0; i <= POLKIT_USER_ASKS; i++) {
		fds[i] = client_new_as(&service, i % 2 ? (uid_t)(SUB + i) : ALICE);
		client_send_call(fds[i], M("Reload"), NULL, 0);
		fake_wait_asked(i < POLKIT_USER_ASKS ? (unsigned int)i + 1 : POLKIT_USER_ASKS);
	}
	ck_assert_str_eq(client_receive(fds[POLKIT_USER_ASKS]), why("configure", POLKIT_BUSY));
	/* Another user's are his own. */
	bob = client_new_as(&service, BOB);
	client_send_call(bob, M("Reload"), NULL, 0);
	fake_wait_asked(POLKIT_USER_ASKS + 1);
	/* Who leaves makes room; its answer comes too late and is nobody's. */
	for (int i = 0; i < POLKIT_USER_ASKS; i++)
		close(fds[i]);
	json_object_put(client_call(root, M("Info"), NULL, NULL));
	usleep(100000);
	client_send_call(fds[POLKIT_USER_ASKS], M("Reload"), NULL, 0);
	fake_wait_asked(POLKIT_USER_ASKS + 2);
	fake->let_go = true;
	ck_assert_str_eq(client_receive(bob), OK);
	ck_assert_str_eq(client_receive(fds[POLKIT_USER_ASKS]), OK);
	ck_assert_uint_eq(fake->answered, POLKIT_USER_ASKS + 2);
	client_check(bob, M("Reload"), NULL, OK);
	close(fds[POLKIT_USER_ASKS]);
	close(bob);
}
END_TEST

/* With tests/unit/gate_shim.c: polkit allows all of them before the first is done. */
START_TEST(how_many_wait_in_all)
{
	int fds[POLKIT_ASKS + 1];
	char gate[128];

	snprintf(gate, sizeof(gate), "%s/gate", service.folder);
	bus_start(&service);
	fake_start(HOLD);
	preload_gate(gate);
	start_service(POLKIT);
	unsetenv("LD_PRELOAD");
	file_write(gate, "");
	for (int i = 0; i < POLKIT_ASKS; i++) {
		fds[i] = client_new_as(&service, (uid_t)(ALICE + i / POLKIT_USER_ASKS));
		client_send_call(fds[i], M("SetQuota"), QUOTA, 0);
	}
	fake_wait_asked(POLKIT_ASKS);
	fds[POLKIT_ASKS] = client_new_as(&service, 5001);
	client_check(fds[POLKIT_ASKS], M("SetQuota"), QUOTA, why("configure", POLKIT_BUSY));
	fake->let_go = true;
	while (fake->answered < POLKIT_ASKS)
		usleep(1000);
	/* Root has places of its own, and comes to know that the answers have come. */
	json_object_put(client_call(root, M("Info"), NULL, NULL));
	ck_assert_int_eq(unlink(gate), 0);
	for (int i = 0; i < POLKIT_ASKS; i++)
		ck_assert_str_eq(client_receive(fds[i]), OK);
	client_check(fds[POLKIT_ASKS], M("SetQuota"), QUOTA, OK);
	for (int i = 0; i <= POLKIT_ASKS; i++)
		close(fds[i]);
}
END_TEST

/* Without a reply, but not without leave; and who shuts down its side only still gets its answer. */
START_TEST(oneway_and_half_closed)
{
	struct json_object *reply;
	int alice;

	start(SAY_YES);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("SetQuota"), QUOTA, VARLINK_ONEWAY);
	client_send_call(alice, M("Reload"), NULL, 0);
	ck_assert_str_eq(client_receive(alice), OK);
	reply = client_call(root, M("Info"), NULL, NULL);
	ck_assert_int_eq(json_int_at(reply, "quotas.contexts_per_host"), 500);
	json_object_put(reply);
	fake->manner = HOLD;
	client_send_call(alice, M("Reload"), NULL, 0);
	ck_assert_int_eq(shutdown(alice, SHUT_WR), 0);
	fake_wait_asked(3);
	fake->let_go = true;
	ck_assert_str_eq(client_receive(alice), OK);
	client_expect_end(alice);
	close(alice);
}
END_TEST

START_TEST(the_service_ends_meanwhile)
{
	double begin = now_s();
	int alice;

	start(HOLD);
	alice = client_new_as(&service, ALICE);
	client_send_call(alice, M("Reload"), NULL, 0);
	fake_wait_asked(1);
	ck_assert_int_eq(service_stop(&service), 0);
	ck_assert_double_lt(now_s() - begin, SERVICE_WAIT_MS / 1000.);
	client_expect_end(alice);
	close(alice);
}
END_TEST

/* ---- processes ---- */

/* A connection of Alice's, made by a process that then waits for its end. */
static pid_t connect_from_child(int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = SERVICE_WAIT_MS / 1000 };
	char done;
	int pipe_ends[2];
	pid_t pid;

	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(*ret_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	strcpy(address.sun_path, service.socket);
	ck_assert_int_eq(pipe(pipe_ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (seteuid(ALICE) < 0 ||
		    connect(*ret_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    write(pipe_ends[1], "c", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(pipe_ends[0], &done, 1), 1);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return pid;
}

/* Whatever has its pid by then must not be taken for it. */
START_TEST(the_process_is_gone)
{
	pid_t child;
	int fd;

	start(HOLD);
	child = connect_from_child(&fd);
	client_send_call(fd, M("Reload"), NULL, 0);
	fake_wait_asked(1);
	ck_assert_uint_eq(fake->last.pid, (uint32_t)child);
	child_stop(&child);
	fake->let_go = true;
	ck_assert_str_eq(client_receive(fd), why("configure", POLKIT_GONE));
	client_check(fd, M("Reload"), NULL, why("configure", POLKIT_GONE));
	ck_assert_uint_eq(fake->asked, 1);
	close(fd);
}
END_TEST

/* ---- pure ---- */

START_TEST(errors_of_the_bus)
{
	static const struct {
		const char *error;
		enum polkit_outcome outcome;
	} rows[] = {
		{ "org.freedesktop.PolicyKit1.Error.Cancelled", POLKIT_CANCELLED },
		{ "org.freedesktop.PolicyKit1.Error.Failed", POLKIT_FAILED },
		{ "org.freedesktop.DBus.Error.ServiceUnknown", POLKIT_ABSENT },
		{ "org.freedesktop.DBus.Error.NameHasNoOwner", POLKIT_ABSENT },
		{ "org.freedesktop.DBus.Error.Spawn.ExecFailed", POLKIT_ABSENT },
		{ "org.freedesktop.systemd1.UnitMasked", POLKIT_ABSENT },
		{ "org.freedesktop.DBus.Error.NoReply", POLKIT_SILENT },
		{ "org.freedesktop.DBus.Error.Timeout", POLKIT_SILENT },
		{ "org.freedesktop.DBus.Error.Disconnected", POLKIT_UNREACHABLE },
		{ "org.freedesktop.DBus.Error.AccessDenied", POLKIT_FAILED },
		{ "", POLKIT_FAILED },
		{ NULL, POLKIT_FAILED },
	};

	for (int i = 0; i < NR_ROWS(rows); i++)
		ck_assert_int_eq(polkit_outcome_of(rows[i].error), rows[i].outcome);
	for (int i = 0; i < NR_POLKIT_OUTCOMES; i++)
		ck_assert_uint_gt(strlen(polkit_reason((enum polkit_outcome)i)), 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_polkit");
	TCase *tests = tcase_create("duned_polkit");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, errors_of_the_bus);
	if (polkit_can_be_tested("duned_polkit")) {
		tcase_add_test(tests, the_question);
		tcase_add_test(tests, contexts_of_others);
		tcase_add_test(tests, none_or_not_yours);
		tcase_add_test(tests, never_asked);
		tcase_add_test(tests, observers);
		tcase_add_test(tests, not_asked_unless_configured);
		tcase_add_loop_test(tests, anything_but_a_yes_is_a_no, 0, NR_ROWS(manners));
		tcase_add_test(tests, no_polkit);
		tcase_add_test(tests, no_bus);
		tcase_add_test(tests, no_bus_but_a_socket);
		tcase_add_test(tests, the_bus_goes_away);
		tcase_add_test(tests, calls_keep_their_order);
		tcase_add_test(tests, what_was_true_when_it_was_asked);
		tcase_add_test(tests, how_many_wait);
		tcase_add_test(tests, how_many_wait_in_all);
		tcase_add_test(tests, oneway_and_half_closed);
		tcase_add_test(tests, the_service_ends_meanwhile);
		tcase_add_test(tests, the_process_is_gone);
	}
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
