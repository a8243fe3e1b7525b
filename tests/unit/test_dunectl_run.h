/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running the built dunectl from a test, against nothing or against a service made of canned replies that
 * speaks the real codec on a real socket.
 */
#ifndef TEST_DUNECTL_RUN_H
#define TEST_DUNECTL_RUN_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <json-c/json.h>

#include "proto/varlink.h"

#define RUN_MAX_ARGUMENTS 16
#define RUN_MAX_OUTPUT	  65536

struct run {
	char folder[64]; /* of this test, removed at its end */
	char socket[80];
	char program[4096];
	pid_t service;
	int status; /* exit status of the last run, 128+n on a signal */
	bool signaled; /* it was a signal that ended it */
	char out[RUN_MAX_OUTPUT];
	char err[RUN_MAX_OUTPUT];
};

/* What the service answers to a method; the first row that matches. */
struct canned {
	const char *method; /* without the interface */
	const char *needs; /* text that the parameters contain, NULL: any */
	const char *error;
	const char *parameters; /* NULL: none */
	unsigned int nr_more; /* replies that continue, before this one */
	bool with_fd;
	bool silent; /* never answers */
};

static inline void run_setup(struct run *run)
{
	const char *build = getenv("B");
	char path[4096];

	*run = (struct run){ .folder = "/tmp/dune-test-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(run->folder));
	snprintf(run->socket, sizeof(run->socket), "%s/socket", run->folder);
	snprintf(path, sizeof(path), "%s/dunectl/dunectl", build ? build : "build");
	ck_assert_msg(realpath(path, run->program) != NULL, "%s: %s", path, strerror(errno));
	setenv("DUNE_SOCKET", run->socket, 1);
	unsetenv("DUNE_EXEC");
}

static inline void run_teardown(struct run *run)
{
	char command[128];

	if (run->service > 0) {
		kill(run->service, SIGKILL);
		waitpid(run->service, NULL, 0);
	}
	snprintf(command, sizeof(command), "/bin/rm -rf %s", run->folder);
	ck_assert_int_eq(system(command), 0);
}

static inline void service_send(int fd, const char *bytes, size_t size, bool with_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (with_fd) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &null, sizeof(int));
	}
	sendmsg(fd, &message, MSG_NOSIGNAL);
	close(null);
}

static inline void service_answer(int fd, const struct canned *row)
{
	struct json_object *parameters = row->parameters ? json_tokener_parse(row->parameters) :
							   NULL;
	char *bytes;
	size_t size;

	for (unsigned int i = 0; i <= row->nr_more; i++) {
		bool last = i == row->nr_more;

		if (varlink_reply_encode(last ? row->error : NULL,
					 last && row->error && row->nr_more ? NULL : parameters,
					 !last, &bytes, &size) < 0)
			_exit(1);
		service_send(fd, bytes, size, row->with_fd);
		free(bytes);
	}
	json_object_put(parameters);
}

/* Answers one call; false when there is no row for it. */
static inline bool service_call(int fd, const struct canned *rows, const struct varlink_call *call)
{
	const char *parameters =
		call->parameters ?
			json_object_to_json_string_ext(call->parameters, JSON_C_TO_STRING_PLAIN) :
			"";
	const char *method = strrchr(call->method, '.') + 1;

	for (; rows->method; rows++) {
		if (strcmp(rows->method, method) != 0)
			continue;
		if (rows->needs && !strstr(parameters, rows->needs))
			continue;
		if (rows->silent)
			pause();
		service_answer(fd, rows);
		return true;
	}
	return false;
}

static inline void service_connection(int fd, const struct canned *rows)
{
	struct varlink_input input = { .max_bytes = VARLINK_MAX_CALL };
	struct varlink_call call;
	const char *message;
	char chunk[4096];
	ssize_t received;
	size_t size;

	while ((received = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		varlink_input_feed(&input, chunk, (size_t)received);
		while (varlink_input_take(&input, &message, &size) == 1) {
			if (varlink_call_decode(message, size, &call, NULL) < 0 ||
			    !service_call(fd, rows, &call))
				_exit(1);
			varlink_call_done(&call);
		}
	}
	varlink_input_done(&input);
}

/* Starts the service; rows end with one without a method. */
static inline void run_service(struct run *run, const struct canned *rows)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, run->socket);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	run->service = fork();
	ck_assert_int_ge(run->service, 0);
	if (run->service == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

			service_connection(fd, rows);
			close(fd);
		}
	}
	close(listener);
}

static inline void read_output(const struct run *run, const char *name, char *text)
{
	char path[128];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", run->folder, name);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, RUN_MAX_OUTPUT - 1, file);
	text[size] = '\0';
	fclose(file);
}

/* Starts dunectl with these arguments; output goes to files of the folder. */
static inline pid_t run_start(const struct run *run, char *const arguments[])
{
	char out[128], err[128];
	pid_t child;

	snprintf(out, sizeof(out), "%s/out", run->folder);
	snprintf(err, sizeof(err), "%s/err", run->folder);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr))
			_exit(99);
		execv(run->program, arguments);
		_exit(99);
	}
	return child;
}

static inline void run_finish(struct run *run, pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	run->signaled = WIFSIGNALED(status);
	run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	read_output(run, "out", run->out);
	read_output(run, "err", run->err);
}

#define run_dunectl(run, ...) \
	run_finish(run, run_start(run, (char *const[]){ "dunectl", ##__VA_ARGS__, NULL }))

/* A file of the test's folder, executable when mode says so; returns its path. */
static inline char *run_file(const struct run *run, const char *name, const char *text,
			     unsigned int mode, char path[128])
{
	FILE *file;

	snprintf(path, 128, "%s/%s", run->folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

#endif
