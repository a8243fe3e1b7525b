/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A peer for client tests: the other end of a socketpair. A stream socket buffers, so a test writes the
 * reply first, then makes the call, then reads what the client had sent; no thread is needed.
 */
#ifndef TEST_CLIENT_PEER_H
#define TEST_CLIENT_PEER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>
#include <json-c/json.h>

#include <dune/client.h>

#include "proto/varlink.h"

#define PEER_MAX_FDS 64

#define CONTEXT_JSON                                                                      \
	"{\"id\":7,\"name\":\"seven\",\"owner\":1000,\"pid\":4711,\"state\":\"running\"," \
	"\"command\":\"sort\",\"created_usec\":123456,\"limits\":{\"vcpus\":4,"           \
	"\"private_pages\":1024,\"ept_pages\":0,\"contexts\":8},\"usage\":{\"vcpus\":1,"  \
	"\"private_pages\":77,\"ept_pages\":12,\"contexts\":2}}"

struct peer {
	struct dune_client *client;
	int fd;
	struct varlink_input input;
};

static inline void peer_setup(struct peer *peer)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*peer = (struct peer){ .fd = fds[0], .input.max_bytes = VARLINK_MAX_CALL };
	ck_assert_int_eq(dune_client_new_fd(fds[1], &peer->client), 0);
}

static inline void peer_teardown(struct peer *peer)
{
	dune_client_free(peer->client);
	varlink_input_done(&peer->input);
	if (peer->fd >= 0)
		close(peer->fd);
}

/* Sends bytes as they are, with this many descriptors. */
static inline void peer_send(struct peer *peer, const char *bytes, size_t size, unsigned int nr_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(PEER_MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	int null = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(null, 0);
	if (nr_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (unsigned int i = 0; i < nr_fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(peer->fd, &message, MSG_NOSIGNAL), size);
	close(null);
}

/* Sends a message from its text, with the NUL. */
static inline void peer_send_text(struct peer *peer, const char *text, unsigned int nr_fds)
{
	peer_send(peer, text, strlen(text) + 1, nr_fds);
}

/* Encodes a reply with the real codec and sends it. */
static inline void peer_reply(struct peer *peer, const char *error, const char *parameters,
			      bool continues, unsigned int nr_fds)
{
	struct json_object *object = parameters ? json_tokener_parse(parameters) : NULL;
	char *bytes;
	size_t size;

	ck_assert(!parameters || object);
	ck_assert_int_eq(varlink_reply_encode(error, object, continues, &bytes, &size), 0);
	peer_send(peer, bytes, size, nr_fds);
	free(bytes);
	json_object_put(object);
}

/* Reads the next call with the real codec and compares all of it. */
static inline void peer_expect(struct peer *peer, const char *method, const char *parameters,
			       unsigned int flags)
{
	struct varlink_call call;
	char chunk[4096];
	const char *message;
	ssize_t received;
	size_t size;
	int r;

	while ((r = varlink_input_take(&peer->input, &message, &size)) == 0) {
		received = recv(peer->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		ck_assert_msg(received > 0, "the client sent no whole call");
		ck_assert_int_eq(varlink_input_feed(&peer->input, chunk, (size_t)received), 0);
	}
	ck_assert_int_eq(r, 1);
	ck_assert_int_eq(varlink_call_decode(message, size, &call, NULL), 0);
	ck_assert_str_eq(call.method, method);
	ck_assert_uint_eq(call.flags, flags);
	if (parameters)
		ck_assert_str_eq(json_object_to_json_string_ext(call.parameters,
								JSON_C_TO_STRING_PLAIN),
				 parameters);
	else
		ck_assert_ptr_null(call.parameters);
	varlink_call_done(&call);
}

/* Descriptors that are open in this process. */
static inline int count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int nr = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		nr++;
	closedir(folder);
	return nr;
}

#endif
