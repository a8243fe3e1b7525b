// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading and writing JSON texts; see json_text.h. */
#include "proto/json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_gate.h"

/* ---- reading ---- */

/* The cursor never leaves the text, whatever is in it; what is no JSON gives a meaningless object. */
struct reader {
	const char *at, *end;
	char *scratch; /* as large as the text: holds any string of it */
	unsigned int depth;
};

static int read_value(struct reader *reader, struct json_object **ret_object);

static char peek(const struct reader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
}

static uint32_t read_hex4(struct reader *reader)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4 && reader->at < reader->end; i++) {
		char c = *reader->at++;

		unit = unit << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return unit & 0xffff;
}

static size_t put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* An escape, the cursor behind the backslash; never longer than what stood there. */
static size_t read_escape(struct reader *reader, char *out)
{
	static const char plain[] = "bfnrt", meaning[] = "\b\f\n\r\t";
	char c = peek(reader);
	const char *found;
	uint32_t code;

	reader->at += reader->at < reader->end;
	if (c != 'u') {
		found = c ? strchr(plain, c) : NULL;
		*out = found ? meaning[found - plain] : c;
		return 1;
	}
	code = read_hex4(reader);
	if (code >= 0xd800 && code < 0xdc00 && reader->end - reader->at >= 6) {
		reader->at += 2;
		code = 0x10000 + ((code - 0xd800) << 10) + ((read_hex4(reader) - 0xdc00) & 0x3ff);
	}
	return put_utf8(out, code);
}

/* A string into the scratch buffer, the cursor on its opening quote; returns its length. */
static size_t read_string(struct reader *reader)
{
	size_t length = 0;

	reader->at++;
	while (reader->at < reader->end && *reader->at != '"') {
		if (*reader->at == '\\') {
			reader->at++;
			length += read_escape(reader, reader->scratch + length);
		} else {
			reader->scratch[length++] = *reader->at++;
		}
	}
	reader->at += reader->at < reader->end;
	reader->scratch[length] = '\0';
	return length;
}

static struct json_object *read_number(struct reader *reader)
{
	char text[JSON_GATE_MAX_NUMBER + 1], *point;
	size_t length = 0;
	double value;
	char *end;

	while (reader->at < reader->end && length < JSON_GATE_MAX_NUMBER &&
	       strchr("+-.eE0123456789", *reader->at) && *reader->at)
		text[length++] = *reader->at++;
	/* Whatever stops a text from being a number must not stop the cursor. */
	reader->at += !length && reader->at < reader->end;
	text[length] = '\0';
	if (!strpbrk(text, ".eE"))
		return json_object_new_int64(strtoll(text, NULL, 10));
	value = strtod(text, &end);
	point = strchr(text, '.');
	if (*end && point) {
		*point = *localeconv()->decimal_point;
		value = strtod(text, NULL);
		*point = '.';
	}
	return json_object_new_double_s(value, text);
}

int json_text_add(struct json_object *object, const char *key, struct json_object *value)
{
	struct lh_table *table = json_object_get_object(object);

	/* Growing it here means that adding has no need to. */
	if (!table || (table->count + 1 >= table->size * LH_LOAD_FACTOR &&
		       lh_table_resize(table, table->size * 2) < 0))
		return -ENOMEM;
	return json_object_object_add(object, key, value) < 0 ? -ENOMEM : 0;
}

static int add_member(struct reader *reader, struct json_object *object)
{
	struct json_object *value = NULL;
	size_t length;
	char *key;
	int r;

	skip_space(reader);
	length = read_string(reader);
	key = malloc(length + 1);
	if (!key)
		return -ENOMEM;
	memcpy(key, reader->scratch, length + 1);
	skip_space(reader);
	reader->at += reader->at < reader->end;
	r = read_value(reader, &value);
	if (!r && json_text_add(object, key, value) < 0) {
		json_object_put(value);
		r = -ENOMEM;
	}
	free(key);
	return r;
}

static int add_element(struct reader *reader, struct json_object *array)
{
	struct json_object *value = NULL;
	int r = read_value(reader, &value);

	if (!r && json_object_array_add(array, value) < 0) {
		json_object_put(value);
		r = -ENOMEM;
	}
	return r;
}

static int read_container(struct reader *reader, bool is_object, struct json_object **ret_object)
{
	const char close = is_object ? '}' : ']';
	struct json_object *container = is_object ? json_object_new_object() :
						    json_object_new_array();
	int r = container ? 0 : -ENOMEM;

	reader->at++;
	reader->depth++;
	skip_space(reader);
	while (!r && reader->at < reader->end && *reader->at != close &&
	       reader->depth <= JSON_GATE_MAX_DEPTH) {
		r = is_object ? add_member(reader, container) : add_element(reader, container);
		skip_space(reader);
		reader->at += peek(reader) == ',';
		skip_space(reader);
	}
	reader->at += reader->at < reader->end;
	reader->depth--;
	if (r < 0) {
		json_object_put(container);
		return r;
	}
	*ret_object = container;
	return 0;
}

static int read_value(struct reader *reader, struct json_object **ret_object)
{
	struct json_object *object;
	size_t length;

	skip_space(reader);
	switch (peek(reader)) {
	case '{':
	case '[':
		return read_container(reader, *reader->at == '{', ret_object);
	case '"':
		length = read_string(reader);
		object = json_object_new_string_len(reader->scratch, (int)length);
		break;
	case 't':
		reader->at += reader->end - reader->at < 4 ? reader->end - reader->at : 4;
		object = json_object_new_boolean(1);
		break;
	case 'f':
		reader->at += reader->end - reader->at < 5 ? reader->end - reader->at : 5;
		object = json_object_new_boolean(0);
		break;
	case 'n':
		reader->at += reader->end - reader->at < 4 ? reader->end - reader->at : 4;
		*ret_object = NULL;
		return 0;
	default:
		object = read_number(reader);
	}
	if (!object)
		return -ENOMEM;
	*ret_object = object;
	return 0;
}

int json_text_read(const char *text, size_t size_bytes, struct json_object **ret_object)
{
	struct reader reader = { .at = text, .end = text + size_bytes };
	int r;

	reader.scratch = malloc(size_bytes + 1);
	if (!reader.scratch)
		return -ENOMEM;
	r = read_value(&reader, ret_object);
	free(reader.scratch);
	return r;
}

/* ---- writing ---- */

#define WRITER_FIRST 512 /* bytes of the first buffer; it grows by doubling */

struct writer {
	char *text;
	size_t size, capacity, max_bytes;
};

static int write_value(struct writer *writer, struct json_object *object);

static int write_bytes(struct writer *writer, const char *bytes, size_t size)
{
	size_t capacity = writer->capacity ? writer->capacity : WRITER_FIRST;
	char *text;

	if (size >= writer->max_bytes - writer->size)
		return -EMSGSIZE;
	while (capacity - writer->size <= size)
		capacity *= 2;
	if (capacity != writer->capacity) {
		text = realloc(writer->text, capacity);
		if (!text)
			return -ENOMEM;
		writer->text = text;
		writer->capacity = capacity;
	}
	memcpy(writer->text + writer->size, bytes, size);
	writer->size += size;
	return 0;
}

static int write_text(struct writer *writer, const char *text)
{
	return write_bytes(writer, text, strlen(text));
}

static int write_escape(struct writer *writer, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *found = strchr(plain, c);
	char escape[8];

	if (found)
		snprintf(escape, sizeof(escape), "\\%c", names[found - plain]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", c);
	return write_text(writer, escape);
}

static int write_string(struct writer *writer, const char *string, size_t length)
{
	size_t start = 0;
	int r = write_bytes(writer, "\"", 1);

	for (size_t i = 0; !r && i < length; i++) {
		unsigned char c = (unsigned char)string[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		r = write_bytes(writer, string + start, i - start);
		start = i + 1;
		if (!r)
			r = c ? write_escape(writer, c) : write_text(writer, "\\u0000");
	}
	if (!r)
		r = write_bytes(writer, string + start, length - start);
	return r ? r : write_bytes(writer, "\"", 1);
}

static int write_object(struct writer *writer, struct json_object *object)
{
	const char *between = "{";
	int r;

	json_object_object_foreach(object, key, value) {
		r = write_text(writer, between);
		if (!r)
			r = write_string(writer, key, strlen(key));
		if (!r)
			r = write_bytes(writer, ":", 1);
		if (!r)
			r = write_value(writer, value);
		if (r < 0)
			return r;
		between = ",";
	}
	return write_text(writer, *between == '{' ? "{}" : "}");
}

static int write_array(struct writer *writer, struct json_object *array)
{
	size_t length = json_object_array_length(array);
	int r = write_bytes(writer, "[", 1);

	for (size_t i = 0; !r && i < length; i++) {
		if (i)
			r = write_bytes(writer, ",", 1);
		if (!r)
			r = write_value(writer, json_object_array_get_idx(array, i));
	}
	return r ? r : write_bytes(writer, "]", 1);
}

static int write_value(struct writer *writer, struct json_object *object)
{
	char number[24];
	const char *text;

	switch (json_object_get_type(object)) {
	case json_type_null:
		return write_text(writer, "null");
	case json_type_boolean:
		return write_text(writer, json_object_get_boolean(object) ? "true" : "false");
	case json_type_int:
		snprintf(number, sizeof(number), "%" PRId64, json_object_get_int64(object));
		return write_text(writer, number);
	case json_type_string:
		return write_string(writer, json_object_get_string(object),
				    (size_t)json_object_get_string_len(object));
	case json_type_object:
		return write_object(writer, object);
	case json_type_array:
		return write_array(writer, object);
	case json_type_double:
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
		return text ? write_text(writer, text) : -ENOMEM;
	}
	return -EINVAL;
}

int json_text_write(struct json_object *object, size_t max_bytes, char **ret_text, size_t *ret_size)
{
	struct writer writer = { .max_bytes = max_bytes };
	int r = write_value(&writer, object);

	if (r < 0) {
		free(writer.text);
		return r;
	}
	writer.text[writer.size] = '\0';
	*ret_text = writer.text;
	*ret_size = writer.size;
	return 0;
}
