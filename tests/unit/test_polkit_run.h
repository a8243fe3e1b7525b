/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message bus of a test's own, and a polkit on it that does as it is told and remembers what it was asked.
 * Both are children of the test and end with it.
 */
#ifndef TEST_POLKIT_RUN_H
#define TEST_POLKIT_RUN_H

#include <sys/mman.h>
#include <systemd/sd-bus.h>

#include "tests/unit/test_duned_run.h"

enum polkit_manner {
	SAY_YES,
	SAY_NO,
	SAY_CHALLENGE,
	SAY_CANCELLED,
	SAY_FAILED,
	SAY_NOTHING,
	SAY_TEXT, /* where an answer belongs */
	SAY_LESS, /* the first half of an answer */
	HOLD, /* until it is let go, then yes */
	LEAVE, /* end without a word */
};

struct polkit_question {
	char action[64], method[64], kind[32];
	uint32_t pid, flags;
	uint64_t start;
	int32_t uid;
	int pidfd_of; /* the pid that the pidfd is of; 0: there was none */
};

/* Shared with the child. */
struct polkit_fake {
	enum polkit_manner manner;
	unsigned int asked, answered;
	bool let_go, ready;
	struct polkit_question last;
};

static struct polkit_fake *fake;
static pid_t fake_pid, bus_pid;
static char bus_address[128];

/* ---- in the child ---- */

static int pid_of_pidfd(int fd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Pid: %d", &pid);
	if (file)
		fclose(file);
	return pid;
}

static int read_detail(sd_bus_message *message, struct polkit_question *question)
{
	const char *key, *contents;
	int fd, r = sd_bus_message_read(message, "s", &key);

	if (r < 0)
		return r;
	if (!strcmp(key, "pid"))
		return sd_bus_message_read(message, "v", "u", &question->pid);
	if (!strcmp(key, "start-time"))
		return sd_bus_message_read(message, "v", "t", &question->start);
	if (!strcmp(key, "uid"))
		return sd_bus_message_read(message, "v", "i", &question->uid);
	if (!strcmp(key, "pidfd")) {
		r = sd_bus_message_read(message, "v", "h", &fd);
		if (r >= 0)
			question->pidfd_of = pid_of_pidfd(fd);
		return r;
	}
	r = sd_bus_message_peek_type(message, NULL, &contents);
	return r < 0 ? r : sd_bus_message_skip(message, contents);
}

static int read_question(sd_bus_message *message, struct polkit_question *question)
{
	const char *kind, *action, *key, *method, *cancellation;
	int r = sd_bus_message_enter_container(message, 'r', "sa{sv}");

	if (r >= 0)
		r = sd_bus_message_read(message, "s", &kind);
	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = read_detail(message, question);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0)
		r = sd_bus_message_read(message, "sa{ss}us", &action, 1, &key, &method,
					&question->flags, &cancellation);
	if (r < 0)
		return r;
	snprintf(question->kind, sizeof(question->kind), "%s", kind);
	snprintf(question->action, sizeof(question->action), "%s", action);
	snprintf(question->method, sizeof(question->method), "%s=%s", key, method);
	return 0;
}

static sd_bus_message *held[128];
static unsigned int nr_held;

static int say(sd_bus_message *message, bool authorized, bool challenge)
{
	fake->answered++;
	return sd_bus_reply_method_return(message, "(bba{ss})", authorized, challenge, 1, "some",
					  "detail");
}

static int on_question(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
	struct polkit_question question = { 0 };
	int r;

	if (!sd_bus_message_is_method_call(message, "org.freedesktop.PolicyKit1.Authority",
					   "CheckAuthorization"))
		return 0;
	r = read_question(message, &question);
	if (r < 0)
		return r;
	fake->last = question;
	fake->asked++;
	switch (fake->manner) {
	case SAY_YES:
		return say(message, true, false);
	case SAY_NO:
		return say(message, false, false);
	case SAY_CHALLENGE:
		return say(message, false, true);
	case SAY_CANCELLED:
		return sd_bus_reply_method_errorf(
			message, "org.freedesktop.PolicyKit1.Error.Cancelled", "by a test");
	case SAY_FAILED:
		return sd_bus_reply_method_errorf(
			message, "org.freedesktop.PolicyKit1.Error.NotAuthorized", "by a test");
	case SAY_TEXT:
		return sd_bus_reply_method_return(message, "s", "yes");
	case SAY_LESS:
		return sd_bus_reply_method_return(message, "bb", true, false);
	case HOLD:
		held[nr_held++ % 128] = sd_bus_message_ref(message);
		return 1;
	case LEAVE:
		_exit(0);
	case SAY_NOTHING:
		break;
	}
	return 1;
}

static inline void fake_run(void)
{
	sd_bus *bus;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, bus_address) < 0 ||
	    sd_bus_set_bus_client(bus, true) < 0 || sd_bus_negotiate_fds(bus, true) < 0 ||
	    sd_bus_start(bus) < 0 ||
	    sd_bus_add_object(bus, NULL, "/org/freedesktop/PolicyKit1/Authority", on_question,
			      NULL) < 0 ||
	    sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0) < 0)
		_exit(1);
	fake->ready = true;
	for (;;) {
		int r = sd_bus_process(bus, NULL);

		if (r < 0)
			_exit(2);
		for (unsigned int i = 0; fake->let_go && i < nr_held; i++) {
			say(held[i], true, false);
			sd_bus_message_unref(held[i]);
		}
		if (fake->let_go)
			nr_held = 0;
		if (r == 0)
			sd_bus_wait(bus, 5000);
	}
}

/* ---- in the test ---- */

static inline void wait_for(const volatile bool *flag, const char *what)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && !*flag; i++)
		usleep(10000);
	ck_assert_msg(*flag, "not in time: %s", what);
}

/* Until polkit was asked so often in all. */
static inline void fake_wait_asked(unsigned int count)
{
	const volatile unsigned int *asked = &fake->asked;

	for (int i = 0; i < SERVICE_WAIT_MS / 10 && *asked < count; i++)
		usleep(10000);
	ck_assert_uint_eq(*asked, count);
}

static inline void fake_start(enum polkit_manner manner)
{
	if (!fake)
		fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ck_assert_ptr_ne(fake, MAP_FAILED);
	*fake = (struct polkit_fake){ .manner = manner };
	fake_pid = fork();
	ck_assert_int_ge(fake_pid, 0);
	if (!fake_pid)
		fake_run();
	wait_for(&fake->ready, "a polkit");
}

static inline void child_stop(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* Names the bus that is to be, for a service that is started later. */
static inline void bus_name(const struct service *service)
{
	snprintf(bus_address, sizeof(bus_address), "unix:path=%s/bus", service->folder);
	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address, 1), 0);
}

static inline void bus_start(const struct service *service)
{
	char config[96], log[96], text[640], argument[128];
	struct service as_service = { 0 };

	snprintf(config, sizeof(config), "%s/bus.conf", service->folder);
	snprintf(log, sizeof(log), "%s/bus.log", service->folder);
	snprintf(as_service.socket, sizeof(as_service.socket), "%s/bus", service->folder);
	snprintf(argument, sizeof(argument), "--config-file=%s", config);
	snprintf(text, sizeof(text),
		 "<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>"
		 "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
		 "<allow send_destination=\"*\"/><allow receive_type=\"method_call\"/>"
		 "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>"
		 "<allow receive_type=\"signal\"/></policy></busconfig>\n",
		 bus_address);
	file_write(config, text);
	unlink(as_service.socket);
	bus_pid = fork();
	ck_assert_int_ge(bus_pid, 0);
	if (!bus_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen(log, "ae", stderr))
			_exit(126);
		execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--nosyslog",
		       argument, NULL);
		_exit(127);
	}
	close(client_new(&as_service));
}

static inline void polkit_teardown(void)
{
	child_stop(&bus_pid);
	child_stop(&fake_pid);
}

/* The test as it is, without a bus or without root: said once. */
static inline bool polkit_can_be_tested(const char *name)
{
	if (geteuid() != 0) {
		printf("SKIP %s: needs root, to be several users\n", name);
		return false;
	}
	if (system("command -v dbus-daemon >/dev/null") != 0) {
		printf("SKIP %s: no dbus-daemon\n", name);
		return false;
	}
	return true;
}

#endif
