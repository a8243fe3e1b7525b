// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The JSON gate on any bytes. What passes must also be JSON for json-c, must be one value there, and must
 * still pass after json-c wrote it out again; and cutting its last byte off or adding one must be seen.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_gate.h"
#include "proto/json_text.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is there a string or container, so that the text has a definite end? */
static int has_end(const uint8_t *data, size_t size)
{
	while (size && strchr(" \t\r\n", data[size - 1]))
		size--;
	return size && strchr("\"]}", data[size - 1]) != NULL;
}

/* Our own reader makes the same of it, and what our own writer writes is that again. */
static void check_text(const char *text, size_t size, struct json_object *expected)
{
	struct json_object *object = NULL, *again = NULL;
	size_t length;
	char *written;

	require(json_text_read(text, size, &object) == 0);
	require(json_object_equal(object, expected));
	require(json_text_write(object, 1 << 20, &written, &length) == 0);
	require(json_gate(written, length, JSON_GATE_ANY_VALUES, NULL) == 0);
	require(json_text_read(written, length, &again) == 0 && json_object_equal(object, again));
	free(written);
	json_object_put(again);
	json_object_put(object);
}

/* The values of a text that has been read. */
static size_t count_values(struct json_object *object)
{
	size_t count = 1;

	if (json_object_is_type(object, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(object); i++)
			count += count_values(json_object_array_get_idx(object, i));
	} else if (json_object_is_type(object, json_type_object)) {
		json_object_object_foreach(object, key, value) {
			(void)key;
			count += count_values(value);
		}
	}
	return count;
}

static void check_accepted(const uint8_t *data, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_GATE_MAX_DEPTH + 2);
	char *text = malloc(size + 2);
	struct json_object *object;
	const char *again;

	memcpy(text, data, size);
	memcpy(text + size, "]", 2);
	require(json_gate(text, size + 1, JSON_GATE_ANY_VALUES, NULL) < 0);
	text[size] = '\0';
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size + 1);
	require(json_tokener_get_error(tokener) == json_tokener_success);
	again = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	require(json_gate(again, strlen(again), JSON_GATE_ANY_VALUES, NULL) == 0);
	check_text(text, size, object);
	require(json_gate(text, size, count_values(object), NULL) == 0);
	require(json_gate(text, size, count_values(object) - 1, NULL) < 0);
	json_object_put(object);
	json_tokener_free(tokener);
	free(text);
}

/* ---- the neighbourhood of an input ---- */

#define NEIGHBOUR_BYTES 256 /* of longer inputs only the beginning is changed */

static unsigned long long executions;

static void print_executions(void)
{
	fprintf(stderr, "executions: %llu\n", executions);
}

static int gate(const char *text, size_t size, struct json_gate_error *ret_error)
{
	if (!executions++)
		atexit(print_executions);
	return json_gate(text, size, JSON_GATE_ANY_VALUES, ret_error);
}

/*
 * Every suffix, and every byte changed in one way: the gate reads nothing outside of the text (it lies
 * at the end of its allocation), and blames a byte of it.
 */
static void check_neighbours(const uint8_t *data, size_t size)
{
	static const char signs[] = "\"\\{}[]:,-.0e \x01\xff\x80u";
	size_t length = size < NEIGHBOUR_BYTES ? size : NEIGHBOUR_BYTES;
	char *text = malloc(length ? length : 1);

	require(text != NULL);
	memcpy(text, data, length);
	for (size_t i = 0; i < length; i++) {
		struct json_gate_error error = { .offset = SIZE_MAX };
		char saved = text[i];

		if (gate(text + length - i, i, &error) < 0)
			require(error.offset <= i);
		text[i] = signs[(i * 7 + size + (uint8_t)saved) % (sizeof(signs) - 1)];
		error.offset = SIZE_MAX;
		if (gate(text, length, &error) < 0)
			require(error.offset <= length);
		else
			require(error.offset == SIZE_MAX);
		text[i] = saved;
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_gate_error error = { .offset = SIZE_MAX };

	check_neighbours(data, size);
	if (gate((const char *)data, size, &error) == 0) {
		require(error.offset == SIZE_MAX);
		check_accepted(data, size);
		if (size && has_end(data, size) && strchr("\"]}", data[size - 1]))
			require(gate((const char *)data, size - 1, NULL) < 0);
	} else {
		require(error.offset <= size && error.reason);
	}
	return 0;
}
