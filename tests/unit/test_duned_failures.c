// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Everything that takes memory or makes a descriptor in the service fails once, on each way that leads to
 * it, while a client does all that the service offers. Whatever the client gets then, the service stays,
 * the next client is served, and no block and no descriptor is lost.
 */
#include <limits.h>

#include "tests/unit/fail_control.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_polkit_run.h"

#define M(name)	  "{\"method\":\"io.dune.Manager." name "\"}"
#define LIMITS	  "[connections]\nper-user = 1024\n"
#define ALICE	  4001
#define ROUND_MAX 6000 /* ways that are tried; more fail the test, so that it is looked at */

static struct service service;
static struct fail_control *control;

static void setup(void)
{
	char path[PATH_MAX];
	int fd;

	service_setup(&service);
	bus_name(&service);
	snprintf(path, sizeof(path), "%s/control", service.folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, sizeof(*control)), 0);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(control, MAP_FAILED);
	close(fd);
	file_write(service.config, LIMITS);
	ck_assert_int_eq(setenv("FAIL_CONTROL", path, 1), 0);
	preload("fail_shim.so");
	service_spawn(&service, "tests/unit/duned-fake", "--socket", service.socket, "--config",
		      service.config, "--device", "fake", "--state", service.folder, NULL);
	unsetenv("LD_PRELOAD");
	close(client_new(&service));
}

static void show_log(void)
{
	char command[160];

	snprintf(command, sizeof(command), "tail -n 20 %s >&2", service.log);
	if (system(command))
		perror(command);
}

/* The service, or what it left, when it is no more. */
static void expect_alive(void)
{
	if (waitpid(service.pid, NULL, WNOHANG) == 0)
		return;
	service.pid = 0;
	show_log();
	ck_abort_msg("call %u: the service is gone", control->fail_at);
}

static void teardown(void)
{
	munmap(control, sizeof(*control));
	service_teardown(&service);
	polkit_teardown();
}

/* ---- a client that takes what it gets ---- */

/* Reads one reply; its descriptor, or -1. False at the end of the stream; a silent service fails. */
static bool take(int fd, int *ret_fd)
{
	static char bytes[1 << 16];
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	bool whole = false;

	*ret_fd = -1;
	while (!whole) {
		struct iovec vector = { bytes, sizeof(bytes) };
		struct msghdr header = { .msg_iov = &vector,
					 .msg_iovlen = 1,
					 .msg_control = space,
					 .msg_controllen = sizeof(space) };
		ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return false;
		ck_assert_msg(n > 0, "no answer to call %u: %s", control->fail_at, strerror(errno));
		if (CMSG_FIRSTHDR(&header))
			memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
		whole = !bytes[n - 1];
	}
	return true;
}

/* Sends one call in two pieces; the answer's descriptor. */
static int ask(int fd, const char *call)
{
	size_t size = strlen(call) + 1, half = size / 2;
	int passed;

	if (send(fd, call, half, MSG_NOSIGNAL) < 0 ||
	    send(fd, call + half, size - half, MSG_NOSIGNAL) < 0)
		return -1;
	take(fd, &passed);
	return passed;
}

static void ask_alone(const char *call)
{
	int fd, passed;

	expect_alive();
	fd = client_new(&service);
	passed = ask(fd, call);

	if (passed >= 0)
		close(passed);
	close(fd);
}

static void pass_descriptors(void)
{
	char space[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec vector = { (char *)"{", 1 };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = sizeof(space) };
	struct cmsghdr *control_header = CMSG_FIRSTHDR(&header);
	const int fds[2] = { 0, 1 };
	int fd = client_new(&service), passed;

	control_header->cmsg_level = SOL_SOCKET;
	control_header->cmsg_type = SCM_RIGHTS;
	control_header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(control_header), fds, sizeof(fds));
	if (sendmsg(fd, &header, MSG_NOSIGNAL) > 0)
		take(fd, &passed);
	close(fd);
}

/* A stream about events, while contexts come and go. */
static void subscribe(void)
{
	int events = client_new(&service), stats = client_new(&service), fd, passed;
	static const char create[] = "{\"method\":\"io.dune.Manager.Create\",\"parameters\":"
				     "{\"name\":\"n\",\"limits\":{\"vcpus\":2}}}";

	ask(events, "{\"method\":\"io.dune.Manager.Events\",\"more\":true}");
	ask(stats, "{\"method\":\"io.dune.Manager.Stats\",\"more\":true,\"parameters\":"
		   "{\"interval_ms\":100}}");
	fd = client_new(&service);
	passed = ask(fd, create);
	if (passed >= 0)
		ck_assert_int_eq(write(passed, "r", 1), 1);
	ask(fd, M("List"));
	ask(fd, "{\"method\":\"io.dune.Manager.Inspect\",\"parameters\":{\"name\":\"n\"}}");
	ask(fd, "{\"method\":\"io.dune.Manager.Stats\",\"parameters\":{\"name\":\"n\"}}");
	if (passed >= 0)
		ck_assert_int_eq(write(passed, "p", 1), 1);
	ask(fd, "{\"method\":\"io.dune.Manager.Inspect\",\"parameters\":{\"name\":\"n\"}}");
	ask(fd, "{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"name\":\"n\"}}");
	if (passed >= 0)
		close(passed);
	close(fd);
	close(stats);
	close(events);
}

static void do_everything(void)
{
	ask_alone("{\"method\":\"org.varlink.service.GetInfo\"}");
	ask_alone("{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
		  "{\"interface\":\"io.dune.Manager\"}}");
	ask_alone(M("Info"));
	ask_alone(M("Totals"));
	ask_alone(M("GetQuota"));
	ask_alone("{\"method\":\"io.dune.Manager.GetQuota\",\"parameters\":"
		  "{\"scope\":\"user\",\"name\":\"1\"}}");
	ask_alone("{\"method\":\"io.dune.Manager.SetQuota\",\"parameters\":"
		  "{\"scope\":\"user\",\"name\":\"1\",\"budget\":{\"contexts\":5}}}");
	ask_alone("{\"method\":\"io.dune.Manager.SetQuota\",\"parameters\":{\"reset\":true}}");
	ask_alone(M("Reload"));
	ask_alone(M("NoSuchMethod"));
	ask_alone("{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"id\":\"1\"}}");
	ask_alone("{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"id\":999}}");
	ask_alone("{\"method\":");
	subscribe();
	pass_descriptors();
}

static void use_config(const char *text)
{
	file_write(service.config, text);
	ask_alone(M("Reload"));
}

/* ---- an observer ---- */

/* It watches others' contexts, is kept from acting on them, and loses its standing while it watches. */
static void do_as_observer(void)
{
	static const char *const calls[] = {
		M("List"),
		"{\"method\":\"io.dune.Manager.Inspect\",\"parameters\":{\"name\":\"n\"}}",
		"{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"name\":\"n\"}}",
		M("GetQuota"),
		M("Reload"),
	};
	int owner, context_fd, watcher, events;

	use_config(LIMITS "[access]\nobservers = 4001\n");
	owner = client_new(&service);
	context_fd = ask(owner, "{\"method\":\"io.dune.Manager.Create\","
				"\"parameters\":{\"name\":\"n\"}}");
	watcher = client_new_as(&service, ALICE);
	events = client_new_as(&service, ALICE);
	ask(events, "{\"method\":\"io.dune.Manager.Events\",\"more\":true}");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		ask(watcher, calls[i]);
	if (context_fd >= 0)
		ck_assert_int_eq(write(context_fd, "r", 1), 1);
	ask(watcher, M("List"));
	use_config(LIMITS);
	ask(watcher, M("List"));
	if (context_fd >= 0)
		close(context_fd);
	close(events);
	close(watcher);
	close(owner);
	expect_alive();
}

/* ---- polkit ---- */

static void use_polkit(bool yes)
{
	use_config(yes ? LIMITS "[access]\npolkit = yes\n" : LIMITS);
}

static void without_polkit(void)
{
	use_polkit(false);
}

static void ask_as_alice(const char *call)
{
	int fd, passed;

	expect_alive();
	fd = client_new_as(&service, ALICE);
	passed = ask(fd, call);
	ck_assert_int_lt(passed, 0);
	close(fd);
}

/* The bus is joined, polkit asked and the bus left, each time. */
static void do_with_polkit(void)
{
	use_polkit(true);
	ask_as_alice(M("Reload"));
	ask_as_alice("{\"method\":\"io.dune.Manager.Kill\",\"parameters\":{\"id\":999}}");
	without_polkit();
}

/* ---- what must hold afterwards ---- */

/* Waits until the service holds no more than it did; what it still holds then is lost. */
static void expect_nothing_lost(int64_t blocks, int descriptors, void (*calm)(void))
{
	for (int i = 0; i < 300; i++) {
		if (__atomic_load_n(&control->blocks, __ATOMIC_RELAXED) <= blocks &&
		    service_count_fds(&service) <= descriptors)
			return;
		/* Contexts that ended with their client are seen by the next call. */
		if (i % 10 == 9)
			calm();
		usleep(1000);
	}
	show_log();
	ck_abort_msg("call %u: %lld blocks instead of %lld, %d descriptors instead of %d",
		     control->fail_at, (long long)control->blocks, (long long)blocks,
		     service_count_fds(&service), descriptors);
}

static void expect_service(void)
{
	int fd = client_new(&service);
	int passed;

	client_send_text(fd, M("Create"));
	ck_assert_msg(strstr(client_receive_fd(fd, &passed), "\"context_fd\":0"),
		      "call %u: the next creation fails", control->fail_at);
	ck_assert_int_ge(passed, 0);
	close(passed);
	close(fd);
}

static bool seen_before(uint32_t call)
{
	for (uint32_t i = 0; i < call; i++) {
		if (control->ways[i] == control->ways[call])
			return true;
	}
	return false;
}

static void fail_each_way(void (*act)(void), void (*calm)(void), uint32_t least)
{
	uint32_t calls, ways = 0, failed = 0;
	int64_t blocks;
	int descriptors;

	for (int i = 0; i < 3; i++)
		act();
	expect_service();
	usleep(200000);
	calm();
	usleep(100000);
	control->recording = control->armed = 1;
	act();
	control->armed = control->recording = 0;
	calls = control->count;
	ck_assert_uint_gt(calls, least);
	ck_assert_uint_lt(calls, FAIL_MAX_CALLS);
	usleep(100000);
	calm();
	usleep(100000);
	blocks = control->blocks;
	descriptors = service_count_fds(&service);
	for (uint32_t call = 0; call < calls; call++) {
		if (seen_before(call))
			continue;
		ck_assert_uint_lt(++ways, ROUND_MAX);
		control->count = control->failed = 0;
		control->fail_at = call + 1;
		__atomic_store_n(&control->armed, 1, __ATOMIC_SEQ_CST);
		act();
		__atomic_store_n(&control->armed, 0, __ATOMIC_SEQ_CST);
		failed += control->failed;
		expect_alive();
		expect_service();
		expect_nothing_lost(blocks, descriptors, calm);
	}
	ck_assert_uint_ge(failed * 10, ways * 9);
	printf("failures: %u calls by %u ways, %u made to fail; nothing lost\n", calls, ways,
	       failed);
}

static void look(void)
{
	ask_alone(M("List"));
}

START_TEST(everything_fails_once)
{
	fail_each_way(do_everything, look, 1000);
}
END_TEST

START_TEST(everything_of_an_observer_fails_once)
{
	fail_each_way(do_as_observer, look, 300);
}
END_TEST

START_TEST(everything_with_polkit_fails_once)
{
	bus_start(&service);
	fake_start(SAY_YES);
	fail_each_way(do_with_polkit, without_polkit, 150);
	/* They were about polkit: it was asked nearly every time. */
	ck_assert_uint_gt(fake->answered, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("duned_failures");
	TCase *tests = tcase_create("failures");

	tcase_set_timeout(tests, 900);
	tcase_add_checked_fixture(tests, setup, teardown);
#ifdef __SANITIZE_ADDRESS__
	puts("SKIP duned_failures: the sanitizer has its own malloc, which the shim can't make fail");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
#endif
	tcase_add_test(tests, everything_fails_once);
	tcase_add_test(tests, everything_of_an_observer_fails_once);
	if (polkit_can_be_tested("duned_failures with polkit"))
		tcase_add_test(tests, everything_with_polkit_fails_once);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
