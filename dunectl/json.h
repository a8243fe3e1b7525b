/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Building JSON: small helpers, and libdune's structs. Nothing here reads JSON.
 */
#ifndef DUNECTL_JSON_H
#define DUNECTL_JSON_H

#include <stdint.h>

#include <json-c/json.h>

#include <dune/client.h>

static inline void json_cleanup(struct json_object **object)
{
	json_object_put(*object);
}
#define JSON_CLEANUP __attribute__((cleanup(json_cleanup)))

/* All of these abort when memory is out; `value` becomes the container's. */
struct json_object *json_new(void);
struct json_object *json_new_array(void);
void json_put(struct json_object *object, const char *key, struct json_object *value);
void json_put_number(struct json_object *object, const char *key, uint64_t number);
void json_put_text(struct json_object *object, const char *key,
		   const char *text); /* NULL: nothing */
void json_append(struct json_object *array, struct json_object *value);

struct json_object *json_context(const struct dune_client_context *context);
struct json_object *json_counters(const struct dune_client_counters *counters);
struct json_object *json_report(const struct dune_client_report *report);
struct json_object *json_sample(const struct dune_client_sample *sample);
struct json_object *json_event(const struct dune_client_event *event);
struct json_object *json_info(const struct dune_client_info *info);

#endif
