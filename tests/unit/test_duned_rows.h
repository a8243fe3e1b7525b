/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contexts that are created or refused by a quota, and the rows of GetQuota. */
#ifndef TEST_DUNED_ROWS_H
#define TEST_DUNED_ROWS_H

#include "tests/unit/test_duned_run.h"

#define M(name) "io.dune.Manager." name
#define OK	"{\"parameters\":{}}"

static inline int create(int fd, const char *parameters)
{
	int context_fd;

	client_send_call(fd, M("Create"), parameters, 0);
	json_object_put(client_expect(fd, NULL, false, &context_fd));
	ck_assert_int_ge(context_fd, 0);
	return context_fd;
}

static inline void refused(int fd, const char *parameters, const char *scope, const char *name,
			   const char *limit, int64_t maximum, int64_t used)
{
	struct json_object *reply =
		client_call(fd, M("Create"), parameters, DUNE_ERROR("QuotaExceeded"));

	ck_assert_str_eq(json_text_at(reply, "scope"), scope);
	if (name)
		ck_assert_str_eq(json_text_at(reply, "name"), name);
	else
		ck_assert(!json_object_object_get_ex(reply, "name", NULL));
	ck_assert_str_eq(json_text_at(reply, "limit"), limit);
	ck_assert_int_eq(json_int_at(reply, "maximum"), maximum);
	ck_assert_int_eq(json_int_at(reply, "used"), used);
	json_object_put(reply);
}

/* A row as text: "scope name resource maximum used origin", - for what is absent. */
static inline bool has_row(int fd, const char *parameters, const char *row)
{
	struct json_object *reply = client_call(fd, M("GetQuota"), parameters, NULL);
	struct json_object *rules = json_at(reply, "rules");
	bool found = false;

	for (size_t i = 0; !found && i < json_object_array_length(rules); i++) {
		static const char *const keys[] = { "scope",   "name", "resource",
						    "maximum", "used", "origin" };
		struct json_object *rule = json_object_array_get_idx(rules, i), *value;
		char text[512] = "";

		for (int k = 0; k < NR_ROWS(keys); k++) {
			strcat(text, k ? " " : "");
			strcat(text, json_object_object_get_ex(rule, keys[k], &value) ?
					     json_object_get_string(value) :
					     "-");
		}
		found = !strcmp(text, row);
	}
	json_object_put(reply);
	return found;
}

static inline size_t count_rows(int fd, const char *parameters)
{
	struct json_object *reply = client_call(fd, M("GetQuota"), parameters, NULL);
	size_t count = json_object_array_length(json_at(reply, "rules"));

	json_object_put(reply);
	return count;
}

#endif
