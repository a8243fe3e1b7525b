// SPDX-License-Identifier: LGPL-2.1-or-later
/* JSON helpers; see json.h. */
#include "duned/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/json_text.h"

bool json_put(struct json_object *object, const char *key, struct json_object *value)
{
	if (object && value && json_text_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

bool json_put_string(struct json_object *object, const char *key, const char *value)
{
	return json_put(object, key, json_object_new_string(value));
}

bool json_put_ascii(struct json_object *object, const char *key, const char *text)
{
	char copy[JSON_ASCII_MAX];

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p; p++) {
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	}
	return json_put_string(object, key, copy);
}

bool json_put_bool(struct json_object *object, const char *key, bool value)
{
	return json_put(object, key, json_object_new_boolean(value));
}

bool json_put_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_put_string(object, key, text);
}

bool json_put_int(struct json_object *object, const char *key, uint64_t value)
{
	int64_t number = value > INT64_MAX ? INT64_MAX : (int64_t)value;

	return json_put(object, key, json_object_new_int64(number));
}

bool json_append(struct json_object *array, struct json_object *value)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

struct json_object *json_finish(struct json_object *object, bool ok)
{
	if (ok)
		return object;
	json_object_put(object);
	return NULL;
}

void json_release(struct json_object **object)
{
	json_object_put(*object);
	*object = NULL;
}

static bool param_store(const struct param *param, struct json_object *value)
{
	switch (param->type) {
	case PARAM_STRING:
		if (!json_object_is_type(value, json_type_string))
			return false;
		*(const char **)param->ret = json_object_get_string(value);
		return true;
	case PARAM_INT:
		if (!json_object_is_type(value, json_type_int))
			return false;
		*(struct param_int *)param->ret =
			(struct param_int){ .set = true, .value = json_object_get_int64(value) };
		return true;
	case PARAM_BOOL:
		if (!json_object_is_type(value, json_type_boolean))
			return false;
		*(struct json_object **)param->ret = value;
		return true;
	case PARAM_OBJECT:
		if (!json_object_is_type(value, json_type_object))
			return false;
		*(struct json_object **)param->ret = value;
		return true;
	case PARAM_ARRAY:
		if (!json_object_is_type(value, json_type_array))
			return false;
		*(struct json_object **)param->ret = value;
		return true;
	}
	return false;
}

static const struct param *param_find(const struct param *params, size_t nr_params,
				      const char *name)
{
	for (size_t i = 0; i < nr_params; i++) {
		if (!strcmp(params[i].name, name))
			return &params[i];
	}
	return NULL;
}

int params_decode(struct json_object *object, const struct param *params, size_t nr_params,
		  const char **ret_bad)
{
	if (!object)
		return 0;
	json_object_object_foreach(object, key, value) {
		const struct param *param = param_find(params, nr_params, key);

		if (!param || (value && !param_store(param, value))) {
			*ret_bad = key;
			return -EINVAL;
		}
	}
	return 0;
}
