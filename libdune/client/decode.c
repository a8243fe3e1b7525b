// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The decoder behind decode.h. A reply is as untrusted as a call: every count comes from what the gate let
 * through, every number is checked against its field.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <dune/client.h>

#include "libdune/client/decode.h"

/* Memory of a result, freed as a whole; the first block holds the result itself. */
struct block {
	struct block *next;
	struct json_object *message; /* of the first block only: owns the strings */
	_Alignas(max_align_t) char data[];
};

struct decoder {
	struct block *first;
	const char *key; /* of the field in work, for the error message */
};

static int decode_object(struct decoder *decoder, const struct decode_struct *shape,
			 struct json_object *object, void *target);

static void *allocate(struct decoder *decoder, size_t nr, size_t size)
{
	size_t bytes;
	struct block *block;

	if (__builtin_mul_overflow(nr, size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*block), &bytes))
		return NULL;
	block = calloc(1, bytes);
	if (!block)
		return NULL;
	if (decoder->first) {
		block->next = decoder->first->next;
		decoder->first->next = block;
	} else {
		decoder->first = block;
	}
	return block->data;
}

static int decode_int(struct json_object *value, uint64_t maximum, uint64_t *ret_number)
{
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return -EPROTO;
	number = json_object_get_int64(value);
	if (number < 0 || (uint64_t)number > maximum)
		return -EPROTO;
	*ret_number = (uint64_t)number;
	return 0;
}

static int decode_hex(struct json_object *value, uint64_t *ret_number)
{
	const char *text;
	size_t digits;

	if (!json_object_is_type(value, json_type_string))
		return -EPROTO;
	text = json_object_get_string(value);
	if (strncmp(text, "0x", 2) != 0)
		return -EPROTO;
	digits = strspn(text + 2, "0123456789abcdefABCDEF");
	if (digits < 1 || digits > 16 || text[2 + digits])
		return -EPROTO;
	*ret_number = strtoull(text + 2, NULL, 16);
	return 0;
}

static int decode_array(struct decoder *decoder, const struct decode_struct *shape,
			struct json_object *value, void *target)
{
	/* What struct dune_client_list and struct dune_client_stats have at the field's offset. */
	struct {
		size_t nr;
		void **items;
	} array;

	if (!json_object_is_type(value, json_type_array))
		return -EPROTO;
	array.nr = json_object_array_length(value);
	array.items = allocate(decoder, array.nr, sizeof(*array.items));
	if (!array.items)
		return -ENOMEM;
	for (size_t i = 0; i < array.nr; i++) {
		int r;

		array.items[i] = allocate(decoder, 1, shape->size);
		if (!array.items[i])
			return -ENOMEM;
		r = decode_object(decoder, shape, json_object_array_get_idx(value, i),
				  array.items[i]);
		if (r < 0)
			return r;
	}
	memcpy(target, &array, sizeof(array));
	return 0;
}

static int decode_strings(struct decoder *decoder, struct json_object *value, void *target)
{
	struct {
		size_t nr;
		const char **items;
	} array;

	if (!json_object_is_type(value, json_type_array))
		return -EPROTO;
	array.nr = json_object_array_length(value);
	array.items = allocate(decoder, array.nr, sizeof(*array.items));
	if (!array.items)
		return -ENOMEM;
	for (size_t i = 0; i < array.nr; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);

		if (!json_object_is_type(item, json_type_string))
			return -EPROTO;
		array.items[i] = json_object_get_string(item);
	}
	memcpy(target, &array, sizeof(array));
	return 0;
}

static int decode_counters(struct decoder *decoder, struct json_object *value, void *target)
{
	struct dune_client_counters counters = { 0 };
	struct dune_client_counter *values;
	struct json_object_iterator item, end;
	int r;

	if (!json_object_is_type(value, json_type_object))
		return -EPROTO;
	values = allocate(decoder, (size_t)json_object_object_length(value), sizeof(*values));
	if (!values)
		return -ENOMEM;
	item = json_object_iter_begin(value);
	end = json_object_iter_end(value);
	for (; !json_object_iter_equal(&item, &end); json_object_iter_next(&item)) {
		struct dune_client_counter *counter = &values[counters.nr++];

		counter->name = json_object_iter_peek_name(&item);
		r = decode_int(json_object_iter_peek_value(&item), INT64_MAX, &counter->value);
		if (r < 0)
			return r;
	}
	counters.values = values;
	memcpy(target, &counters, sizeof(counters));
	return 0;
}

static int decode_pointer(struct decoder *decoder, const struct decode_struct *shape,
			  struct json_object *value, void *target)
{
	void *inner = allocate(decoder, 1, shape->size);
	int r;

	if (!inner)
		return -ENOMEM;
	r = decode_object(decoder, shape, value, inner);
	if (r < 0)
		return r;
	memcpy(target, &inner, sizeof(inner));
	return 0;
}

static int decode_scalar(enum decode_type type, struct json_object *value, void *target)
{
	uint64_t number = 0;
	int r;

	switch (type) {
	case DECODE_UINT:
		r = decode_int(value, INT64_MAX, &number);
		*(uint64_t *)target = number;
		return r;
	case DECODE_UINT32:
		r = decode_int(value, UINT32_MAX, &number);
		*(uint32_t *)target = (uint32_t)number;
		return r;
	case DECODE_PID:
		r = decode_int(value, INT32_MAX, &number);
		*(int32_t *)target = (int32_t)number;
		return r;
	case DECODE_HEX:
		r = decode_hex(value, &number);
		*(uint64_t *)target = number;
		return r;
	case DECODE_PRESENT:
		*(bool *)target = true;
		return 0;
	case DECODE_BOOL:
		if (!json_object_is_type(value, json_type_boolean))
			return -EPROTO;
		*(bool *)target = json_object_get_boolean(value);
		return 0;
	default:
		return -EPROTO;
	}
}

static int decode_value(struct decoder *decoder, const struct decode_field *field,
			struct json_object *value, void *target)
{
	switch (field->type) {
	case DECODE_STRING:
		if (!json_object_is_type(value, json_type_string))
			return -EPROTO;
		*(const char **)target = json_object_get_string(value);
		return 0;
	case DECODE_STRUCT:
		return decode_object(decoder, field->inner, value, target);
	case DECODE_POINTER:
		return decode_pointer(decoder, field->inner, value, target);
	case DECODE_ARRAY:
		return decode_array(decoder, field->inner, value, target);
	case DECODE_STRINGS:
		return decode_strings(decoder, value, target);
	case DECODE_COUNTERS:
		return decode_counters(decoder, value, target);
	default:
		return decode_scalar(field->type, value, target);
	}
}

static int decode_object(struct decoder *decoder, const struct decode_struct *shape,
			 struct json_object *object, void *target)
{
	struct json_object *value;
	int r;

	if (object && !json_object_is_type(object, json_type_object))
		return -EPROTO;
	for (const struct decode_field *field = shape->fields; field->key; field++) {
		value = object ? json_object_object_get(object, field->key) : NULL;
		if (!value && field->optional)
			continue;
		decoder->key = field->key;
		if (!value)
			return -EPROTO;
		r = decode_value(decoder, field, value, (char *)target + field->offset);
		if (r < 0)
			return r;
	}
	return 0;
}

int decode_new(const struct decode_struct *shape, struct json_object *object, void **ret_result,
	       const char **ret_key)
{
	struct decoder decoder = { .key = "parameters" };
	void *result;
	int r;

	result = allocate(&decoder, 1, shape->size);
	if (!result)
		return -ENOMEM;
	decoder.first->message = json_object_get(object);
	r = decode_object(&decoder, shape, object, result);
	if (r < 0) {
		*ret_key = decoder.key;
		decode_free(result);
		return r;
	}
	*ret_result = result;
	return 0;
}

void decode_free(void *result)
{
	struct block *block, *next;

	if (!result)
		return;
	block = (struct block *)((char *)result - offsetof(struct block, data));
	json_object_put(block->message);
	for (; block; block = next) {
		next = block->next;
		free(block);
	}
}
