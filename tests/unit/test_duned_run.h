/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a built duned from a test, on a socket of its own in a folder of its own, and talking to it in
 * messages and in raw bytes. Every wait has an end, so a service that hangs fails the test.
 */
#ifndef TEST_DUNED_RUN_H
#define TEST_DUNED_RUN_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <json-c/json.h>

#include "proto/methods.h"
#include "proto/varlink.h"

#define SERVICE_ARGUMENTS	16
#define SERVICE_WAIT_MS		10000
#define NR_ROWS(array)		(int)(sizeof(array) / sizeof((array)[0]))

struct service {
	char folder[64];
	char socket[96];
	char config[96];
	char log[96];
	pid_t pid;
	rlim_t max_files;	/* 0: as they are */
};

static inline const char *build_folder(void)
{
	const char *folder = getenv("B");

	return folder ? folder : "build";
}

static inline void service_setup(struct service *service)
{
	*service = (struct service){ .folder = "/tmp/dune-test-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(service->folder));
	ck_assert_int_eq(chmod(service->folder, 0755), 0);
	snprintf(service->socket, sizeof(service->socket), "%s/socket", service->folder);
	snprintf(service->config, sizeof(service->config), "%s/duned.conf", service->folder);
	snprintf(service->log, sizeof(service->log), "%s/log", service->folder);
}

static inline void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static inline bool file_has(const char *path, const char *text)
{
	static char content[1 << 20];
	FILE *file = fopen(path, "re");
	size_t size;

	ck_assert_ptr_nonnull(file);
	size = fread(content, 1, sizeof(content) - 1, file);
	content[size] = '\0';
	fclose(file);
	return strstr(content, text) != NULL;
}

/* Waits for a line in the service's log. */
static inline void service_wait_log(struct service *service, const char *text)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		if (file_has(service->log, text))
			return;
		usleep(10000);
	}
	ck_abort_msg("the log never says: %s", text);
}

static inline void service_exec(struct service *service, const char *program,
				char *const *arguments)
{
	int log = open(service->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	struct rlimit files = { service->max_files, service->max_files };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	unsetenv("JOURNAL_STREAM");
	if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	if (service->max_files && setrlimit(RLIMIT_NOFILE, &files) < 0)
		_exit(126);
	execv(program, arguments);
	_exit(127);
}

/*
 * What is spawned from here on has this library of the tests in it, until LD_PRELOAD is unset. Built with
 * sanitizers it comes before their runtime, which would take that for a mistake.
 */
static inline void preload(const char *shim)
{
	char folder[4096], path[4200];

	ck_assert_ptr_nonnull(realpath(build_folder(), folder));
	snprintf(path, sizeof(path), "%s/tests/unit/%s", folder, shim);
	ck_assert_int_eq(access(path, R_OK), 0);
	ck_assert_int_eq(setenv("LD_PRELOAD", path, 1), 0);
	ck_assert_int_eq(setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1), 0);
}

/* The same with gate_shim.c, whose file is `gate`. */
static inline void preload_gate(const char *gate)
{
	preload("gate_shim.so");
	ck_assert_int_eq(setenv("GATE", gate, 1), 0);
}

/* Starts build/<name> with these arguments, the last NULL. */
static inline void service_spawn(struct service *service, const char *name, ...)
{
	char path[4096];
	char *arguments[SERVICE_ARGUMENTS] = { path };
	va_list list;
	int count = 1;

	snprintf(path, sizeof(path), "%s/%s", build_folder(), name);
	va_start(list, name);
	while ((arguments[count] = va_arg(list, char *)))
		ck_assert_int_lt(++count, SERVICE_ARGUMENTS);
	va_end(list);
	close(open(service->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	service->pid = fork();
	ck_assert_int_ge(service->pid, 0);
	if (!service->pid)
		service_exec(service, path, arguments);
}

/* Its exit status, 128+n for a signal. */
static inline int service_wait(struct service *service)
{
	int status;

	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		if (waitpid(service->pid, &status, WNOHANG) == service->pid) {
			service->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		usleep(10000);
	}
	ck_abort_msg("the service does not end");
	return -1;
}

static inline int service_stop(struct service *service)
{
	ck_assert_int_eq(kill(service->pid, SIGTERM), 0);
	return service_wait(service);
}

static inline void service_teardown(struct service *service)
{
	char command[128];

	if (service->pid > 0) {
		kill(service->pid, SIGKILL);
		waitpid(service->pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf %s", service->folder);
	ck_assert_int_eq(system(command), 0);
}

/* How many descriptors the service holds (and two names more, of the folder itself). */
static inline int service_count_fds(const struct service *service)
{
	char path[64];
	int count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", service->pid);
	folder = opendir(path);
	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* It comes to hold so many. */
static inline void service_expect_fds(const struct service *service, int count)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10 && service_count_fds(service) != count; i++)
		usleep(10000);
	ck_assert_int_eq(service_count_fds(service), count);
}

/* A size in its status file, for example "VmRSS:", in KB. */
static inline long service_status_kb(const struct service *service, const char *field)
{
	char path[64], line[256];
	long kb = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", service->pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (kb < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, field, strlen(field)))
			kb = atol(line + strlen(field));
	}
	fclose(file);
	ck_assert_int_gt(kb, 0);
	return kb;
}

/* ---- clients ---- */

static inline int client_try(const struct service *service)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = SERVICE_WAIT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
	strcpy(address.sun_path, service->socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline int client_new(const struct service *service)
{
	for (int i = 0; i < SERVICE_WAIT_MS / 10; i++) {
		int fd = client_try(service);

		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	ck_abort_msg("nobody listens on %s", service->socket);
	return -1;
}

/* A connection whose credentials are those of another user; needs root. */
static inline int client_new_as(const struct service *service, uid_t uid)
{
	int fd;

	ck_assert_int_eq(seteuid(uid), 0);
	fd = client_new(service);
	ck_assert_int_eq(seteuid(0), 0);
	return fd;
}

static inline void client_send(int fd, const void *bytes, size_t size)
{
	ck_assert_int_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* One message with the NUL, from its text. */
static inline void client_send_text(int fd, const char *text)
{
	client_send(fd, text, strlen(text) + 1);
}

/* Waits for the end of the stream, reading and dropping what comes. */
static inline void client_expect_end(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = recv(fd, &byte, 1, 0);
	} while (n > 0);
	ck_assert_msg(n == 0 || errno == ECONNRESET, "the service keeps the connection");
}

/*
 * Reads exactly one message into a static buffer, byte by byte so that nothing of the next one is taken.
 * Descriptors are stored to *ret_fd (at most one), which is -1 when there is none.
 */
static inline const char *client_receive_fd(int fd, int *ret_fd)
{
	static char message[1 << 20];
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	size_t size = 0;

	*ret_fd = -1;
	for (;;) {
		struct iovec vector = { message + size, 1 };
		struct msghdr header = { .msg_iov = &vector,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);

		ck_assert_msg(n == 1, "no whole message: %s", n < 0 ? strerror(errno) : "end");
		if (CMSG_FIRSTHDR(&header)) {
			ck_assert_uint_eq(size, 0);
			ck_assert_int_eq(*ret_fd, -1);
			memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
		}
		if (!message[size])
			return message;
		ck_assert_uint_lt(++size, sizeof(message));
	}
}

static inline const char *client_receive(int fd)
{
	int passed;
	const char *message = client_receive_fd(fd, &passed);

	ck_assert_int_eq(passed, -1);
	return message;
}

static inline void client_send_call(int fd, const char *method, const char *parameters,
				    unsigned int flags)
{
	struct json_object *object = parameters ? json_tokener_parse(parameters) : NULL;
	char *bytes;
	size_t size;

	ck_assert(!parameters || object);
	ck_assert_int_eq(varlink_call_encode(method, object, flags, &bytes, &size), 0);
	client_send(fd, bytes, size);
	free(bytes);
	json_object_put(object);
}

/* Receives a reply and returns its parameters (to be put; NULL for none). `error` NULL: success. */
static inline struct json_object *client_expect(int fd, const char *error, bool continues,
						int *ret_fd)
{
	struct json_object *parameters;
	struct varlink_reply reply;
	const char *message;
	int passed;

	message = client_receive_fd(fd, ret_fd ? ret_fd : &passed);
	ck_assert(ret_fd || passed == -1);
	ck_assert_int_eq(varlink_reply_decode(message, strlen(message), &reply, NULL), 0);
	ck_assert_msg(!!error == !!reply.error && (!error || !strcmp(error, reply.error)),
		      "expected %s: %s", error ? error : "success", message);
	ck_assert_int_eq(reply.continues, continues);
	parameters = json_object_get(reply.parameters);
	varlink_reply_done(&reply);
	return parameters;
}

static inline struct json_object *client_call(int fd, const char *method, const char *parameters,
					      const char *error)
{
	client_send_call(fd, method, parameters, 0);
	return client_expect(fd, error, false, NULL);
}

/* How many descriptors it holds with nobody connected, once it has answered somebody. */
static inline int service_idle_fds(const struct service *service)
{
	int fd = client_new(service), count;

	json_object_put(client_call(fd, "org.varlink.service.GetInfo", NULL, NULL));
	count = service_count_fds(service) - 1;
	close(fd);
	return count;
}

/* How many calls of `other` are answered before the first byte of a reply that `waiting` waits for is there. */
static inline int client_count_answered(int waiting, int other)
{
	int answered = 0;
	char byte;

	while (recv(waiting, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
		json_object_put(client_call(other, "org.varlink.service.GetInfo", NULL, NULL));
		answered++;
	}
	return answered;
}

/* A call whose whole reply, as text, is known. */
static inline void client_check(int fd, const char *method, const char *parameters,
				const char *expected)
{
	client_send_call(fd, method, parameters, 0);
	ck_assert_str_eq(client_receive(fd), expected);
}

/* The value at a path like "context.limits.vcpus"; array elements by number. Fails when absent. */
static inline struct json_object *json_at(struct json_object *object, const char *path)
{
	char part[64];

	while (*path) {
		size_t length = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		path += length + (path[length] == '.');
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, (size_t)atoi(part));
		else
			ck_assert_msg(json_object_object_get_ex(object, part, &object), "no %s",
				      part);
	}
	return object;
}

static inline int64_t json_int_at(struct json_object *object, const char *path)
{
	struct json_object *value = json_at(object, path);

	ck_assert(json_object_is_type(value, json_type_int));
	return json_object_get_int64(value);
}

struct json_row {
	const char *path;
	int64_t value;
};

/* Rows up to one without a path, as written in the call. */
#define JSON_ROWS(...) ((const struct json_row[]){ __VA_ARGS__, { 0 } })

static inline void json_expect(struct json_object *object, const struct json_row *rows)
{
	for (; rows->path; rows++) {
		int64_t value = json_int_at(object, rows->path);

		ck_assert_msg(value == rows->value, "%s is %lld, not %lld", rows->path,
			      (long long)value, (long long)rows->value);
	}
}

static inline const char *json_text_at(struct json_object *object, const char *path)
{
	struct json_object *value = json_at(object, path);

	ck_assert(json_object_is_type(value, json_type_string));
	return json_object_get_string(value);
}

#endif
