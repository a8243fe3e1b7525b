/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a reply's JSON to C structs, by tables: one row per field. Strict about types and ranges, lenient
 * about members it does not know. Owns the memory of one result; strings stay in the message.
 */
#ifndef DUNE_CLIENT_DECODE_H
#define DUNE_CLIENT_DECODE_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum decode_type {
	DECODE_UINT, /* uint64_t */
	DECODE_UINT32, /* uint32_t */
	DECODE_PID, /* int32_t, not negative */
	DECODE_HEX, /* uint64_t from "0x..." */
	DECODE_BOOL, /* bool */
	DECODE_PRESENT, /* bool: there is such a member */
	DECODE_STRING, /* const char * */
	DECODE_STRUCT, /* fields of a struct inside this one */
	DECODE_POINTER, /* a struct of its own, NULL when absent */
	DECODE_ARRAY, /* size_t and an array of pointers to structs, as struct dune_client_list */
	DECODE_STRINGS, /* size_t and an array of const char * */
	DECODE_COUNTERS, /* struct dune_client_counters from a map to integers */
};

struct decode_field {
	const char *key;
	enum decode_type type;
	bool optional; /* absent or null leaves zeroes */
	size_t offset;
	const struct decode_struct *inner;
};

struct decode_struct {
	size_t size;
	const struct decode_field *fields; /* ends with a row without a key */
};

/*
 * Decodes into a new result that holds a reference to the object until decode_free().
 * -EPROTO with the offending key in *ret_key, -ENOMEM. `object` may be NULL: an object without members.
 */
int decode_new(const struct decode_struct *shape, struct json_object *object, void **ret_result,
	       const char **ret_key);

/* Takes NULL. */
void decode_free(void *result);

#endif
