/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small helpers to build and take apart JSON objects. Own nothing; must never let a failed
 * allocation pass unnoticed: builders return false, and so does every later step on a missing
 * object.
 */
#ifndef DUNED_JSON_H
#define DUNED_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds value under key and takes the reference, also on failure. False when either is NULL. */
bool json_put(struct json_object *object, const char *key, struct json_object *value);
bool json_put_string(struct json_object *object, const char *key, const char *value);

/*
 * For text that may hold any byte, as names and comms may: only printable ASCII is safe in JSON and on
 * terminals, the rest becomes a question mark. Cut to JSON_ASCII_MAX - 1 bytes.
 */
#define JSON_ASCII_MAX 128
bool json_put_ascii(struct json_object *object, const char *key, const char *text);

bool json_put_bool(struct json_object *object, const char *key, bool value);
bool json_put_hex(struct json_object *object, const char *key, uint64_t value);

/* Numbers above INT64_MAX, which Varlink can't say, become INT64_MAX. */
bool json_put_int(struct json_object *object, const char *key, uint64_t value);

/* Appends to an array, as json_put() does. */
bool json_append(struct json_object *array, struct json_object *value);

/* Drops *object and returns NULL unless ok. */
struct json_object *json_finish(struct json_object *object, bool ok);

void json_release(struct json_object **object); /* for cleanup attributes */

/* Parameters of a call: what is absent or null leaves its output alone. */
enum param_type {
	PARAM_STRING, /* const char * */
	PARAM_INT, /* struct param_int */
	PARAM_OBJECT, /* struct json_object * */
	PARAM_BOOL, /* struct json_object * */
	PARAM_ARRAY, /* struct json_object * */
};

struct param_int {
	bool set;
	int64_t value;
};

struct param {
	const char *name;
	enum param_type type;
	void *ret;
};

/* 0; -EINVAL with the name of an unknown or mistyped parameter. object may be NULL. */
int params_decode(struct json_object *object, const struct param *params, size_t nr_params,
		  const char **ret_bad);

#endif
