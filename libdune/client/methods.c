// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One function per method of io.dune.Manager: its parameters, and which shape its reply has.
 */
#include <errno.h>
#include <unistd.h>

#include <json-c/json.h>

#include "libdune/client/client.h"
#include "libdune/client/error.h"
#include "libdune/client/shape.h"
#include "proto/names.h"

/* Adds a member and takes over `value`; *r remembers a failure, so that callers look once. */
static void add(struct json_object *object, const char *key, struct json_object *value, int *r)
{
	if (!object || !value || json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		*r = -ENOMEM;
	}
}

/* Which context: by id, or, when that is 0, by name; both absent is for Stats only. */
static struct json_object *selector(uint64_t id, const char *name, int *r)
{
	struct json_object *parameters = json_object_new_object();

	if (!parameters)
		*r = -ENOMEM;
	else if (id > INT64_MAX)
		*r = -EINVAL;
	else if (id)
		add(parameters, "id", json_object_new_int64((int64_t)id), r);
	else if (name)
		add(parameters, "name", json_object_new_string(name), r);
	return parameters;
}

static void add_limit(struct json_object *limits, const char *key, uint64_t value, int *r)
{
	if (value > INT64_MAX)
		*r = -ERANGE;
	else if (value)
		add(limits, key, json_object_new_int64((int64_t)value), r);
}

static struct json_object *limits_object(const struct dune_client_limits *limits, int *r)
{
	struct json_object *object = json_object_new_object();

	add_limit(object, "vcpus", limits->vcpus, r);
	add_limit(object, "private_pages", limits->private_pages, r);
	add_limit(object, "ept_pages", limits->ept_pages, r);
	add_limit(object, "contexts", limits->contexts, r);
	return object;
}

static struct json_object *create_parameters(const char *name,
					     const struct dune_client_limits *limits, int *r)
{
	struct json_object *parameters = selector(0, name, r);

	if (limits && *r == 0)
		add(parameters, "limits", limits_object(limits, r), r);
	return parameters;
}

/* Calls a method whose parameters were built with the result r, and decodes its reply. */
static int call(struct dune_client *client, const char *method, struct json_object *parameters,
		int r, unsigned int nr_fds, const struct decode_struct *shape, void **ret_result)
{
	struct varlink_reply reply;

	if (r < 0) {
		json_object_put(parameters);
		return client_fail(client, r, client_error_text(r));
	}
	r = client_call(client, method, parameters, nr_fds, &reply);
	if (r < 0)
		return r;
	return client_decode(client, shape, &reply, ret_result);
}

int dune_client_create(struct dune_client *client, const char *name,
		       const struct dune_client_limits *limits, uint64_t *ret_id, int *ret_fd)
{
	struct json_object *parameters;
	struct created *created;
	uint64_t id, index;
	void *result;
	int r = 0;

	parameters = create_parameters(name, limits, &r);
	r = call(client, "Create", parameters, r, 1, &shape_created, &result);
	if (r < 0)
		return r;
	created = result;
	id = created->context->id;
	index = created->context_fd;
	decode_free(result);
	if (index >= client->connection.nr_fds)
		return client_fail(client, -EPROTO, "the reply names a descriptor it has not");
	*ret_id = id;
	*ret_fd = client->connection.fds[index];
	client->connection.fds[index] = -1;
	connection_drop_fds(&client->connection);
	return 0;
}

int dune_client_list(struct dune_client *client, struct dune_client_list **ret_list)
{
	void *result;
	int r;

	r = call(client, "List", NULL, 0, 0, &shape_list, &result);
	if (r == 0)
		*ret_list = result;
	return r;
}

int dune_client_inspect(struct dune_client *client, uint64_t id, const char *name,
			struct dune_client_inspection **ret_inspection)
{
	struct json_object *parameters;
	void *result;
	int r = 0;

	parameters = selector(id, name, &r);
	r = call(client, "Inspect", parameters, r, 0, &shape_inspection, &result);
	if (r == 0)
		*ret_inspection = result;
	return r;
}

int dune_client_stats(struct dune_client *client, uint64_t id, const char *name,
		      struct dune_client_stats **ret_stats)
{
	struct json_object *parameters;
	void *result;
	int r = 0;

	parameters = selector(id, name, &r);
	r = call(client, "Stats", parameters, r, 0, &shape_stats, &result);
	if (r == 0)
		*ret_stats = result;
	return r;
}

/* Who gets the replies of a stream, one of the two; not 0 from it is enough. */
struct follower {
	int (*sampled)(const struct dune_client_stats *stats, void *data);
	int (*happened)(const struct dune_client_events *events, void *data);
	void *data;
};

static int follower_take(const struct follower *follower, void *result, bool first)
{
	struct dune_client_events *events = result;

	if (follower->sampled)
		return follower->sampled(result, follower->data);
	events->first = first;
	return follower->happened(events, follower->data);
}

/* Takes one reply: 1 when more follow, 0 when it was the last or the follower has enough. */
static int stream_once(struct dune_client *client, const struct follower *follower, bool first,
		       uint64_t deadline_ms, int *ret_answer)
{
	struct varlink_reply reply;
	bool continues;
	void *result;
	int r;

	r = client_reply(client, 0, deadline_ms, &reply);
	if (r < 0)
		return r;
	continues = reply.continues;
	r = client_decode(client, follower->sampled ? &shape_stats : &shape_events, &reply,
			  &result);
	if (r < 0)
		return r;
	*ret_answer = follower_take(follower, result, first);
	decode_free(result);
	return continues && *ret_answer == 0;
}

/*
 * Calls a method whose parameters were built with the result r, and takes replies, of which one comes at
 * least every interval_ms.
 */
static int stream(struct dune_client *client, const char *method, struct json_object *parameters,
		  int r, uint64_t interval_ms, const struct follower *follower)
{
	uint64_t deadline_ms = connection_deadline(client->timeout_ms);
	int answer = 0;
	bool first = true;

	if (r < 0) {
		json_object_put(parameters);
		return client_fail(client, r, client_error_text(r));
	}
	r = client_send(client, method, parameters, VARLINK_MORE, deadline_ms);
	if (r < 0)
		return r;
	do {
		r = stream_once(client, follower, first, deadline_ms, &answer);
		deadline_ms = connection_deadline(client->timeout_ms);
		deadline_ms = interval_ms < CONNECTION_FOREVER - deadline_ms ?
				      deadline_ms + interval_ms :
				      CONNECTION_FOREVER;
		first = false;
	} while (r > 0);
	connection_close(&client->connection);
	return r < 0 ? r : answer;
}

int dune_client_watch(struct dune_client *client, uint64_t id, const char *name,
		      uint64_t interval_ms,
		      int (*sampled)(const struct dune_client_stats *stats, void *data), void *data)
{
	const struct follower follower = { .sampled = sampled, .data = data };
	struct json_object *parameters;
	int r = 0;

	parameters = selector(id, name, &r);
	if (r == 0)
		add_limit(parameters, "interval_ms", interval_ms, &r);
	return stream(client, "Stats", parameters, r, interval_ms, &follower);
}

static struct json_object *events_parameters(uint64_t id, const char *name,
					     const char *const *types, size_t nr_types, int *r)
{
	struct json_object *parameters = selector(id, name, r), *array;

	if (!nr_types || *r < 0)
		return parameters;
	array = json_object_new_array();
	for (size_t i = 0; array && i < nr_types; i++) {
		struct json_object *type = json_object_new_string(types[i]);

		if (!type || json_object_array_add(array, type) < 0) {
			json_object_put(type);
			*r = -ENOMEM;
		}
	}
	add(parameters, "types", array, r);
	return parameters;
}

int dune_client_events(struct dune_client *client, uint64_t id, const char *name,
		       const char *const *types, size_t nr_types,
		       int (*happened)(const struct dune_client_events *events, void *data),
		       void *data)
{
	const struct follower follower = { .happened = happened, .data = data };
	struct json_object *parameters;
	int r = 0;

	parameters = events_parameters(id, name, types, nr_types, &r);
	return stream(client, "Events", parameters, r, CONNECTION_FOREVER, &follower);
}

/* Calls a method whose reply has nothing in it. */
static int call_plain(struct dune_client *client, const char *method,
		      struct json_object *parameters, int r)
{
	void *result;

	r = call(client, method, parameters, r, 0, &shape_nothing, &result);
	if (r == 0)
		decode_free(result);
	return r;
}

int dune_client_kill(struct dune_client *client, uint64_t id, const char *name)
{
	struct json_object *parameters;
	int r = 0;

	parameters = selector(id, name, &r);
	return call_plain(client, "Kill", parameters, r);
}

int dune_client_set_limits(struct dune_client *client, uint64_t id, const char *name,
			   const struct dune_client_limits *limits)
{
	struct json_object *parameters;
	int r = 0;

	parameters = selector(id, name, &r);
	add(parameters, "limits", limits_object(limits, &r), &r);
	return call_plain(client, "SetLimits", parameters, r);
}

/* A scope and a name, both of which may be absent. */
static struct json_object *quota_selector(const char *scope, const char *name, int *r)
{
	struct json_object *parameters = selector(0, name, r);

	if (scope)
		add(parameters, "scope", json_object_new_string(scope), r);
	return parameters;
}

int dune_client_get_quota(struct dune_client *client, const char *scope, const char *name,
			  struct dune_client_quota_list **ret_list)
{
	struct json_object *parameters;
	void *result;
	int r = 0;

	parameters = quota_selector(scope, name, &r);
	r = call(client, "GetQuota", parameters, r, 0, &shape_quota_list, &result);
	if (r == 0)
		*ret_list = result;
	return r;
}

static void add_maximum(struct json_object *budget, const char *key, int64_t maximum, int *r)
{
	if (maximum != DUNE_CLIENT_KEEP)
		add(budget, key, json_object_new_int64(maximum), r);
}

int dune_client_set_quota(struct dune_client *client, const char *scope, const char *name,
			  const struct dune_client_budget *budget, bool reset)
{
	struct json_object *parameters, *object;
	int r = 0;

	parameters = quota_selector(scope, name, &r);
	if (budget) {
		object = json_object_new_object();
		add_maximum(object, "contexts", budget->contexts, &r);
		add_maximum(object, "vcpus", budget->vcpus, &r);
		add_maximum(object, "private_pages", budget->private_pages, &r);
		add_maximum(object, "ept_pages", budget->ept_pages, &r);
		add_maximum(object, "create_rate", budget->create_rate, &r);
		add(parameters, "budget", object, &r);
	}
	if (reset)
		add(parameters, "reset", json_object_new_boolean(true), &r);
	return call_plain(client, "SetQuota", parameters, r);
}

int dune_client_reload(struct dune_client *client)
{
	return call_plain(client, "Reload", NULL, 0);
}

int dune_client_info(struct dune_client *client, struct dune_client_info **ret_info)
{
	void *result;
	int r;

	r = call(client, "Info", NULL, 0, 0, &shape_info, &result);
	if (r == 0)
		*ret_info = result;
	return r;
}

int dune_client_totals(struct dune_client *client, struct dune_client_totals **ret_totals)
{
	void *result;
	int r;

	r = call(client, "Totals", NULL, 0, 0, &shape_totals, &result);
	if (r == 0)
		*ret_totals = result;
	return r;
}

void dune_client_quota_list_free(struct dune_client_quota_list *list)
{
	decode_free(list);
}

void dune_client_list_free(struct dune_client_list *list)
{
	decode_free(list);
}

void dune_client_inspection_free(struct dune_client_inspection *inspection)
{
	decode_free(inspection);
}

void dune_client_stats_free(struct dune_client_stats *stats)
{
	decode_free(stats);
}

void dune_client_info_free(struct dune_client_info *info)
{
	decode_free(info);
}

void dune_client_totals_free(struct dune_client_totals *totals)
{
	decode_free(totals);
}

const char *dune_client_cause_text(const char *cause)
{
	return dune_cause_text(cause);
}
