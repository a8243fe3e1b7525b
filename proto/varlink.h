/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Varlink's wire format without I/O, for both sides: bytes to messages, messages to calls and
 * replies, and back. Everything that arrives passes the JSON gate first. Must never read or write a
 * descriptor.
 */
#ifndef DUNE_PROTO_VARLINK_H
#define DUNE_PROTO_VARLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

#define VARLINK_MAX_CALL	(64 * 1024)		/* bytes of a call, the NUL included */
#define VARLINK_MAX_REPLY	(16 * 1024 * 1024)	/* bytes of a reply, the NUL included */
#define VARLINK_MAX_METHOD	256			/* bytes of a method's full name */
#define VARLINK_MAX_VALUES	512			/* JSON values of a call: bounds its memory */

#define VARLINK_MORE		(1u << 0)
#define VARLINK_ONEWAY		(1u << 1)
#define VARLINK_UPGRADE		(1u << 2)

/* Reassembles messages. Zero-initialize, set max_bytes, end with varlink_input_done(). */
struct varlink_input {
	size_t max_bytes;	/* of one message, the NUL included */
	char *data;
	size_t size;		/* bytes held */
	size_t capacity;
	size_t taken;		/* bytes of messages already taken: dropped at the next feed */
	size_t scanned;		/* bytes after `taken` known to hold no NUL */
};

void varlink_input_done(struct varlink_input *input);

/* Adds received bytes. -ENOMEM. Invalidates messages taken before. */
int varlink_input_feed(struct varlink_input *input, const void *bytes, size_t size_bytes);

/*
 * Takes the next complete message: 1 with the message (NUL-terminated, without the NUL in its size,
 * valid until the next feed), 0 when there is none yet, -EMSGSIZE when it is or will be longer than
 * max_bytes.
 */
int varlink_input_take(struct varlink_input *input, const char **ret_message, size_t *ret_size);

/* Bytes of an unfinished or untaken message. */
size_t varlink_input_pending(const struct varlink_input *input);

/* A decoded call; all of it lives as long as `message`. Headers that are not ours are dropped. */
struct varlink_call {
	struct json_object *message;	/* owns everything below */
	const char *method;		/* full name, "io.dune.Manager.List" */
	struct json_object *parameters;	/* NULL when absent, null or {} */
	unsigned int flags;		/* at most one of VARLINK_* */
};

/*
 * -EBADMSG not JSON (why in *ret_why), -EPROTO not a call as the specification wants it: close the
 * connection for both. -ENOMEM. ret_why may be NULL and gets static text.
 */
int varlink_call_decode(const char *message, size_t size_bytes, struct varlink_call *ret_call,
			const char **ret_why);
void varlink_call_done(struct varlink_call *call);

/* A decoded reply; all of it lives as long as `message`. */
struct varlink_reply {
	struct json_object *message;
	const char *error;		/* full name, NULL on success */
	struct json_object *parameters;	/* NULL when absent, null or {} */
	bool continues;
};

int varlink_reply_decode(const char *message, size_t size_bytes, struct varlink_reply *ret_reply,
			 const char **ret_why);
void varlink_reply_done(struct varlink_reply *reply);

/*
 * Encoders: one message with its NUL in malloc'ed memory. Parameters may be NULL and stay the
 * caller's. -ENOMEM, -EMSGSIZE above VARLINK_MAX_CALL or VARLINK_MAX_REPLY, -EINVAL for several
 * flags or an error that continues.
 */
int varlink_call_encode(const char *method, struct json_object *parameters, unsigned int flags,
			char **ret_bytes, size_t *ret_size);
int varlink_reply_encode(const char *error, struct json_object *parameters, bool continues,
			 char **ret_bytes, size_t *ret_size);

/* A reply from parameters that are JSON text already: an object, well formed by the caller's word. */
int varlink_reply_wrap(const char *parameters, size_t size_bytes, bool continues, char **ret_bytes,
		       size_t *ret_size);

#endif
