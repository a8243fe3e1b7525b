// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Varlink messages: reassembly, decoding, encoding. Owns the buffers it hands out until they are
 * taken; must never do I/O, and never hand anything to json-c that the gate has not passed.
 */
#include "proto/varlink.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_gate.h"
#include "proto/json_text.h"

#define INPUT_STEP 4096		/* the buffer grows from this by doubling */

/* ---- reassembly ---- */

void varlink_input_done(struct varlink_input *input)
{
	free(input->data);
	input->data = NULL;
	input->size = input->capacity = input->taken = input->scanned = 0;
}

static void input_drop_taken(struct varlink_input *input)
{
	if (!input->taken)
		return;
	input->size -= input->taken;
	memmove(input->data, input->data + input->taken, input->size);
	input->taken = 0;
}

int varlink_input_feed(struct varlink_input *input, const void *bytes, size_t size_bytes)
{
	size_t wanted, capacity;
	char *data;

	if (!size_bytes)
		return 0;
	input_drop_taken(input);
	if (__builtin_add_overflow(input->size, size_bytes, &wanted) || wanted > SIZE_MAX / 2)
		return -ENOMEM;
	if (wanted > input->capacity) {
		capacity = input->capacity ? input->capacity : INPUT_STEP;
		while (capacity < wanted)
			capacity *= 2;
		data = realloc(input->data, capacity);
		if (!data)
			return -ENOMEM;
		input->data = data;
		input->capacity = capacity;
	}
	memcpy(input->data + input->size, bytes, size_bytes);
	input->size = wanted;
	return 0;
}

int varlink_input_take(struct varlink_input *input, const char **ret_message, size_t *ret_size)
{
	size_t held = input->size - input->taken, length;
	const char *start, *end;

	if (!held)
		return 0;
	start = input->data + input->taken;
	end = memchr(start + input->scanned, '\0', held - input->scanned);
	length = end ? (size_t)(end - start) : held;
	if (length >= input->max_bytes)
		return -EMSGSIZE;
	if (!end) {
		input->scanned = held;
		return 0;
	}
	input->scanned = 0;
	input->taken += length + 1;
	*ret_message = start;
	*ret_size = length;
	return 1;
}

size_t varlink_input_pending(const struct varlink_input *input)
{
	return input->size - input->taken;
}

/* ---- decoding ---- */

static const char bad_parameters[] = "parameters are not an object";

static int decode_fail(int error, const char *why, const char **ret_why)
{
	if (ret_why)
		*ret_why = why;
	return error;
}

/* A message that is one JSON object of at most max_values values. */
static int message_parse(const char *message, size_t size_bytes, size_t max_values,
			 struct json_object **ret_object, const char **ret_why)
{
	struct json_gate_error error;
	struct json_object *object;

	if (size_bytes >= VARLINK_MAX_REPLY)
		return decode_fail(-EBADMSG, "too long", ret_why);
	if (json_gate(message, size_bytes, max_values, &error) < 0)
		return decode_fail(-EBADMSG, error.reason, ret_why);
	if (json_text_read(message, size_bytes, &object) < 0)
		return decode_fail(-ENOMEM, "out of memory", ret_why);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return decode_fail(-EPROTO, "not an object", ret_why);
	}
	*ret_object = object;
	return 0;
}

/* Absent, null and {} parameters are the same: NULL. */
static bool decode_parameters(struct json_object *value, struct json_object **ret_parameters)
{
	if (value && !json_object_is_type(value, json_type_object))
		return false;
	*ret_parameters = value && json_object_object_length(value) ? value : NULL;
	return true;
}

/* A non-empty string without surprises, in place. */
static bool decode_name(struct json_object *value, const char **ret_name)
{
	if (!json_object_is_type(value, json_type_string) || !json_object_get_string_len(value) ||
	    json_object_get_string_len(value) >= VARLINK_MAX_METHOD)
		return false;
	*ret_name = json_object_get_string(value);
	return true;
}

static const struct {
	const char *name;
	unsigned int flag;
} call_flags[] = {
	{ "more", VARLINK_MORE },
	{ "oneway", VARLINK_ONEWAY },
	{ "upgrade", VARLINK_UPGRADE },
};

/* 1 it is a flag header, 0 it is not, -EPROTO it is one but not boolean. */
static int decode_flag(const char *key, struct json_object *value, unsigned int *flags)
{
	for (size_t i = 0; i < sizeof(call_flags) / sizeof(call_flags[0]); i++) {
		if (strcmp(key, call_flags[i].name) != 0)
			continue;
		if (!json_object_is_type(value, json_type_boolean))
			return -EPROTO;
		if (json_object_get_boolean(value))
			*flags |= call_flags[i].flag;
		return 1;
	}
	return 0;
}

/* One header of a call; NULL or what is wrong with it. */
static const char *decode_call_header(struct varlink_call *call, const char *key,
				      struct json_object *value)
{
	int r;

	if (!strcmp(key, "method"))
		return decode_name(value, &call->method) ? NULL : "method is not a name";
	if (!strcmp(key, "parameters"))
		return decode_parameters(value, &call->parameters) ? NULL : bad_parameters;
	r = decode_flag(key, value, &call->flags);
	if (r)
		return r < 0 ? "flag is not boolean" : NULL;
	if (!strchr(key, '.'))
		return "unknown header";
	/* Others' headers are allowed and mean nothing here: a call that is kept does not keep them. */
	json_object_object_del(call->message, key);
	return NULL;
}

int varlink_call_decode(const char *message, size_t size_bytes, struct varlink_call *ret_call,
			const char **ret_why)
{
	struct varlink_call call = { 0 };
	const char *why = NULL;
	int r;

	r = message_parse(message, size_bytes, VARLINK_MAX_VALUES, &call.message, ret_why);
	if (r < 0)
		return r;
	json_object_object_foreach(call.message, key, value) {
		why = decode_call_header(&call, key, value);
		if (why)
			break;
	}
	if (!why && !call.method)
		why = "no method";
	if (!why && (call.flags & (call.flags - 1)))
		why = "several flags";
	if (why) {
		json_object_put(call.message);
		return decode_fail(-EPROTO, why, ret_why);
	}
	*ret_call = call;
	return 0;
}

void varlink_call_done(struct varlink_call *call)
{
	json_object_put(call->message);
	*call = (struct varlink_call){ 0 };
}

static const char *decode_reply_header(struct varlink_reply *reply, const char *key,
				       struct json_object *value)
{
	if (!strcmp(key, "error")) {
		if (!value)
			return NULL;
		return decode_name(value, &reply->error) ? NULL : "error is not a name";
	}
	if (!strcmp(key, "parameters"))
		return decode_parameters(value, &reply->parameters) ? NULL : bad_parameters;
	if (!strcmp(key, "continues")) {
		if (!json_object_is_type(value, json_type_boolean))
			return "flag is not boolean";
		reply->continues = json_object_get_boolean(value);
		return NULL;
	}
	return strchr(key, '.') ? NULL : "unknown header";
}

int varlink_reply_decode(const char *message, size_t size_bytes, struct varlink_reply *ret_reply,
			 const char **ret_why)
{
	struct varlink_reply reply = { 0 };
	const char *why = NULL;
	int r;

	r = message_parse(message, size_bytes, JSON_GATE_ANY_VALUES, &reply.message, ret_why);
	if (r < 0)
		return r;
	json_object_object_foreach(reply.message, key, value) {
		why = decode_reply_header(&reply, key, value);
		if (why)
			break;
	}
	if (!why && reply.error && reply.continues)
		why = "an error that continues";
	if (why) {
		json_object_put(reply.message);
		return decode_fail(-EPROTO, why, ret_why);
	}
	*ret_reply = reply;
	return 0;
}

void varlink_reply_done(struct varlink_reply *reply)
{
	json_object_put(reply->message);
	*reply = (struct varlink_reply){ 0 };
}

/* ---- encoding ---- */

/* Takes the value's reference also on failure; NULL is a failure to make it. */
static int object_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_text_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static int message_bytes(struct json_object *message, size_t max_bytes, char **ret_bytes,
			 size_t *ret_size)
{
	size_t length;
	int r = json_text_write(message, max_bytes, ret_bytes, &length);

	if (!r)
		*ret_size = length + 1;
	return r;
}

static void put_object(struct json_object **object)
{
	json_object_put(*object);
}

int varlink_call_encode(const char *method, struct json_object *parameters, unsigned int flags,
			char **ret_bytes, size_t *ret_size)
{
	struct json_object *message __attribute__((cleanup(put_object))) = NULL;
	int r;

	if (flags & (flags - 1) || flags & ~(VARLINK_MORE | VARLINK_ONEWAY | VARLINK_UPGRADE))
		return -EINVAL;
	message = json_object_new_object();
	if (!message)
		return -ENOMEM;
	r = object_add(message, "method", json_object_new_string(method));
	if (!r && parameters)
		r = object_add(message, "parameters", json_object_get(parameters));
	for (size_t i = 0; !r && i < sizeof(call_flags) / sizeof(call_flags[0]); i++) {
		if (flags & call_flags[i].flag)
			r = object_add(message, call_flags[i].name, json_object_new_boolean(1));
	}
	return r ? r : message_bytes(message, VARLINK_MAX_CALL, ret_bytes, ret_size);
}

int varlink_reply_encode(const char *error, struct json_object *parameters, bool continues,
			 char **ret_bytes, size_t *ret_size)
{
	struct json_object *message __attribute__((cleanup(put_object))) = NULL;
	int r = 0;

	if (error && continues)
		return -EINVAL;
	message = json_object_new_object();
	if (!message)
		return -ENOMEM;
	if (error)
		r = object_add(message, "error", json_object_new_string(error));
	if (!r && parameters)
		r = object_add(message, "parameters", json_object_get(parameters));
	if (!r && continues)
		r = object_add(message, "continues", json_object_new_boolean(1));
	return r ? r : message_bytes(message, VARLINK_MAX_REPLY, ret_bytes, ret_size);
}

int varlink_reply_wrap(const char *parameters, size_t size_bytes, bool continues, char **ret_bytes,
		       size_t *ret_size)
{
	const char *head = "{\"parameters\":";
	const char *tail = continues ? ",\"continues\":true}" : "}";
	size_t head_size = strlen(head), tail_size = strlen(tail) + 1;
	size_t size;
	char *bytes;

	if (__builtin_add_overflow(size_bytes, head_size + tail_size, &size) ||
	    size > VARLINK_MAX_REPLY)
		return -EMSGSIZE;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, head, head_size);
	memcpy(bytes + head_size, parameters, size_bytes);
	memcpy(bytes + head_size + size_bytes, tail, tail_size);
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}
