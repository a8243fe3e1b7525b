/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between json-c's objects and text, without json-c's own parser and printer: those lose their way, or
 * the process, when memory runs out. Reads only what the gate has passed; every allocation is checked.
 */
#ifndef DUNE_PROTO_JSON_TEXT_H
#define DUNE_PROTO_JSON_TEXT_H

#include <stddef.h>

struct json_object;

/* A text that json_gate() has accepted: 0 or -ENOMEM. *ret_object is NULL for null. */
int json_text_read(const char *text, size_t size_bytes, struct json_object **ret_object);

/*
 * Writes an object and a NUL in malloc'ed memory; the size does not count the NUL. -ENOMEM, -EMSGSIZE
 * when text and NUL are longer than max_bytes.
 */
int json_text_write(struct json_object *object, size_t max_bytes, char **ret_text,
		    size_t *ret_size);

/*
 * json_object_object_add() that loses nothing when memory runs out (json-c loses the key when the table
 * has to grow and can't). Takes the value's reference only on success. 0 or -ENOMEM.
 */
int json_text_add(struct json_object *object, const char *key, struct json_object *value);

#endif
