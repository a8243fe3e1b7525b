// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The hostile tenant: tenants VICTIM-ID VICTIM-NAME VICTIM-PID, run as root, becomes uid 1001 and tries all
 * that could read, starve or kill the context of uid 1000. Each attempt is a row that says how it must be
 * refused. A context fd of the victim's is inherited, as if it had been given away. Prints how many attempts
 * were refused; fails on the first that was not.
 */
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include "duned/log.h"
#include "proto/methods.h"
#include "raw.h"

#define VICTIM	  1000
#define HOSTILE	  1001
#define REPLY	  (1 << 18)
#define FLOOD	  200 /* connections tried */
#define CREATIONS 200

static unsigned int refused;
static const char *victim_id, *victim_name;
static int victim_pid;

static void require(int condition, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void require(int condition, const char *format, ...)
{
	va_list arguments;

	refused++;
	if (condition)
		return;
	va_start(arguments, format);
	fputs("NOT REFUSED: ", stdout);
	vprintf(format, arguments);
	fputc('\n', stdout);
	va_end(arguments);
	exit(1);
}

/* ---- calls ---- */

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static int client(void)
{
	int fd = try_connect(DUNE_SOCKET);

	if (fd < 0)
		raw_die("the service is gone: %m");
	return fd;
}

/* One reply as text; empty at the end of the stream. A descriptor that came with it goes to *ret_fd. */
static const char *receive(int fd, int *ret_fd)
{
	static char reply[REPLY];
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	size_t size = 0;

	while (size + 1 < sizeof(reply)) {
		struct iovec vector = { reply + size, sizeof(reply) - 1 - size };
		struct msghdr message = { .msg_iov = &vector,
					  .msg_iovlen = 1,
					  .msg_control = space,
					  .msg_controllen = sizeof(space) };
		ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

		if (n <= 0)
			break;
		if (CMSG_FIRSTHDR(&message)) {
			int passed;

			memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
			if (ret_fd)
				*ret_fd = passed;
			else
				close(passed);
		}
		size += (size_t)n;
		if (memchr(reply, '\0', size))
			return reply;
	}
	reply[0] = '\0';
	return reply;
}

static const char *call(const char *method, const char *parameters, const char *more, int *ret_fd)
{
	static char text[1024];
	int fd = client();
	const char *reply;

	snprintf(text, sizeof(text), "{\"method\":\"%s\",\"parameters\":{%s}%s}", method,
		 parameters, more);
	if (send(fd, text, strlen(text) + 1, MSG_NOSIGNAL) < 0)
		raw_die("send: %m");
	reply = receive(fd, ret_fd);
	close(fd);
	return reply;
}

/* ---- every method with every way to name the victim's context ---- */

static void name_it_everywhere(void)
{
	static const char *const methods[] = {
#define ROW(interface, name, access, handler) interface "." name,
		DUNE_METHODS(ROW)
#undef ROW
	};
	static const char *const extra[] = { "", ",\"limits\":{\"vcpus\":1}",
					     ",\"interval_ms\":100", ",\"owner\":1000",
					     ",\"uid\":0" };
	char selector[64], parameters[160], owner[32];

	snprintf(owner, sizeof(owner), "\"owner\":%d", VICTIM);
	for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		for (int way = 0; way < 3 * 5 * 2; way++) {
			const char *reply;

			if (way % 3 == 0)
				snprintf(selector, sizeof(selector), "\"id\":%s", victim_id);
			else if (way % 3 == 1)
				snprintf(selector, sizeof(selector), "\"name\":\"%s\"",
					 victim_name);
			else
				snprintf(selector, sizeof(selector), "\"interface\":\"%s\"",
					 victim_name);
			snprintf(parameters, sizeof(parameters), "%s%s", selector,
				 extra[way / 3 % 5]);
			reply = call(methods[m], parameters, way / 15 ? ",\"more\":true" : "",
				     NULL);
			/* Its own context of the victim's name is its own, and gone with the fd. */
			require(strstr(reply, "\"error\"") ||
					(strstr(methods[m], ".Create") && !strstr(reply, owner)) ||
					(strstr(methods[m], ".Events") && !strstr(reply, owner)),
				"%s(%s): %.200s", methods[m], parameters, reply);
		}
	}
}

/* What is not about one context: nothing of the victim's is in it. */
static void look_around(void)
{
	static const char *const methods[] = { "List", "Stats",	 "Events",
					       "Info", "Totals", "GetQuota" };
	char name[96], owner[32], method[64];

	snprintf(name, sizeof(name), "\"%s\"", victim_name);
	snprintf(owner, sizeof(owner), "\"owner\":%d", VICTIM);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const char *reply;

		snprintf(method, sizeof(method), "io.dune.Manager.%s", methods[i]);
		reply = call(method, "", i == 2 ? ",\"more\":true" : "", NULL);
		require(*reply && !strstr(reply, name) && !strstr(reply, owner), "%s shows: %.200s",
			method, reply);
	}
	require(strstr(call("io.dune.Manager.SetQuota",
			    "\"scope\":\"user\",\"name\":\"1000\",\"budget\":{\"contexts\":0}", "",
			    NULL),
		       "PermissionDenied") != NULL,
		"SetQuota");
	require(strstr(call("io.dune.Manager.Reload", "", "", NULL), "PermissionDenied") != NULL,
		"Reload");
	require(try_connect(DUNE_ADMIN_SOCKET) < 0, "connecting to the admin socket");
}

/* ---- starving ---- */

static void exhaust_quota(void)
{
	static int fds[CREATIONS];
	int created = 0;

	for (int i = 0; i < CREATIONS; i++) {
		fds[i] = -1;
		if (strstr(call("io.dune.Manager.Create", "", "", &fds[i]), "\"error\""))
			break;
		created++;
	}
	require(created < CREATIONS, "%d creations", created);
	for (int i = 0; i < created; i++)
		close(fds[i]);
}

static void exhaust_connections(void)
{
	static int fds[FLOOD];
	int open_ones = 0;

	for (int i = 0; i < FLOOD; i++)
		fds[i] = try_connect(DUNE_SOCKET);
	for (int i = 0; i < FLOOD; i++) {
		static const char list[] = "{\"method\":\"io.dune.Manager.List\"}";

		if (fds[i] < 0 || send(fds[i], list, sizeof(list), MSG_NOSIGNAL) < 0)
			continue;
		open_ones += strstr(receive(fds[i], NULL), "\"contexts\"") != NULL;
	}
	require(open_ones < FLOOD && open_ones > 0, "%d of %d connections", open_ones, FLOOD);
	for (int i = 0; i < FLOOD; i++)
		close(fds[i]);
}

/* Bytes that are no calls, a descriptor of the victim's: disconnected. */
static void misbehave(int victim_fd)
{
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 },
					    zeros[70000] = { 0 };
	struct iovec vector = { zeros, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = client();

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &victim_fd, sizeof(int));
	sendmsg(fd, &message, MSG_NOSIGNAL);
	require(!*receive(fd, NULL), "passing a context's fd to the service");
	close(fd);
	fd = client();
	memset(zeros, 'x', sizeof(zeros));
	send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
	require(!*receive(fd, NULL), "a message without end");
	close(fd);
}

/* ---- the victim's descriptor, its process, the service's process, files ---- */

static void use_descriptor(int fd)
{
	struct dune_attach attach = { .abi = DUNE_ABI_VERSION };
	struct dune_private_write write_call = { .gpa = 0, .size_bytes = 4096 };
	struct dune_lock lock = { 0 };
	struct dune_kill kill_call = { .abi = DUNE_ABI_VERSION,
				       .id = strtoull(victim_id, NULL, 10) };

	require(ioctl(fd, DUNE_ATTACH, &attach) < 0, "ATTACH by the victim's fd");
	require(ioctl(fd, DUNE_PRIVATE_WRITE, &write_call) < 0, "PRIVATE_WRITE by the victim's fd");
	require(ioctl(fd, DUNE_LOCK, &lock) < 0, "LOCK by the victim's fd");
	require(ioctl(fd, DUNE_KILL, &kill_call) < 0, "KILL by the victim's fd");
	require(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED, "mmap");
	require(read(fd, &lock, sizeof(lock)) < 0, "read");
}

static void open_refused(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	require(fd < 0, "opening %s", path);
}

static void open_of(int pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	open_refused(path, flags);
}

static void processes(int service_pid)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSTOP, SIGHUP, SIGSEGV, SIGUSR1 };
	const int pids[] = { service_pid, victim_pid };
	struct rlimit64 none = { 0, 0 };

	for (size_t p = 0; p < 2; p++) {
		for (size_t s = 0; s < sizeof(signals) / sizeof(signals[0]); s++)
			require(kill(pids[p], signals[s]) < 0, "signal %d to %d", signals[s],
				pids[p]);
		require(ptrace(PTRACE_ATTACH, pids[p], 0, 0) < 0, "ptrace of %d", pids[p]);
		require(prlimit64(pids[p], RLIMIT_NOFILE, &none, NULL) < 0, "prlimit of %d",
			pids[p]);
		require(syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, pids[p], 0), 3, 0) <
				0,
			"pidfd_getfd of %d", pids[p]);
		open_of(pids[p], "mem", O_RDWR);
		open_of(pids[p], "environ", O_RDONLY);
		open_of(pids[p], "fd/3", O_RDWR);
		open_of(pids[p], "root/etc/passwd", O_RDONLY);
		open_of(pids[p], "maps", O_RDONLY);
	}
}

static void files(void)
{
	static const char *const parameters[] = { "max_contexts", "max_vcpus", "max_private",
						  "max_ept" };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[96];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	open_refused("/dev/dune", O_RDWR);
	open_refused("/dev/dune", O_RDONLY);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/dune/parameters/%s", parameters[i]);
		open_refused(path, O_WRONLY);
	}
	require(unlink(DUNE_SOCKET) < 0, "unlink of the socket");
	require(rename(DUNE_SOCKET, "/run/dune/old") < 0, "rename of the socket");
	require(symlink("/tmp/mine", "/run/dune/link") < 0, "a link in the service's folder");
	require(mkdir("/run/dune/folder", 0777) < 0, "a folder in the service's folder");
	require(chmod(DUNE_SOCKET, 0600) < 0, "chmod of the socket");
	strcpy(address.sun_path, "/run/dune/io.dune.Other");
	require(bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0, "a socket beside it");
	open_refused("/etc/dune/duned.conf", O_WRONLY | O_CREAT);
	open_refused("/var/lib/duned/quotas.conf", O_WRONLY | O_CREAT);
	close(fd);
}

/* ---- */

static int victims_descriptor(void)
{
	int fd = -1;

	if (setegid(VICTIM) || seteuid(VICTIM))
		raw_die("seteuid: %m");
	call("io.dune.Manager.Create", "\"name\":\"given-away\"", "", &fd);
	if (seteuid(0) || setegid(0) || fd < 0)
		raw_die("no context for the victim");
	return fd;
}

/* The service, by its socket. */
static int service_pid(void)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	int fd = client();

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		raw_die("SO_PEERCRED: %m");
	close(fd);
	return who.pid;
}

int main(int argc, char **argv)
{
	int fd, service;

	if (argc != 4)
		raw_die("usage: tenants VICTIM-ID VICTIM-NAME VICTIM-PID");
	victim_id = argv[1];
	victim_name = argv[2];
	victim_pid = atoi(argv[3]);
	service = service_pid();
	fd = victims_descriptor();
	if (setgroups(0, NULL) || setresgid(HOSTILE, HOSTILE, HOSTILE) ||
	    setresuid(HOSTILE, HOSTILE, HOSTILE))
		raw_die("setresuid: %m");
	name_it_everywhere();
	/* So many that most were not logged; who does other things later is named again. */
	sleep(LOG_CLIENT_WINDOW_MS / 1000 + 1);
	look_around();
	use_descriptor(fd);
	processes(service);
	files();
	misbehave(fd);
	exhaust_quota();
	exhaust_connections();
	printf("%u attempts refused\n", refused);
	return 0;
}
