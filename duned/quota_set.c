// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SetQuota and Reload: changes of what is in force. What is set at run time is on the disk before
 * it is in force, and a damaged file is never written over.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/admit.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/quota_methods.h"
#include "duned/request.h"
#include "duned/state.h"
#include "proto/names.h"

#define UNLIMITED_IN_CALLS (-1)

static const char header[] =
	"# Quotas set at run time, by `dunectl quota set`. Written by duned.\n";

static int stop(int r)
{
	return r < 0 ? r : 1;
}

static int answer_bad_config(struct answer *answer, const struct config_error *error)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_ascii(parameters, "file", error->file) &&
		  json_put_int(parameters, "line", error->line) &&
		  json_put_int(parameters, "column", error->column) &&
		  json_put_string(parameters, "reason", error->reason);

	if (error->column)
		ok = ok && json_put_string(parameters, "text", error->text) &&
		     json_put_int(parameters, "caret", error->caret) &&
		     json_put_int(parameters, "caret_length", error->caret_length);
	return answer_error(answer, DUNE_ERROR("InvalidConfiguration"),
			    json_finish(parameters, ok));
}

/* ---- SetQuota ---- */

/* A change on its way; the steps return 0, 1 with an error in the answer, or -errno. */
struct change {
	struct request *request;
	struct answer *answer;
	const char *scope, *name;
	struct json_object *budget;
	bool reset;
	struct quota_rules runtime; /* of the file, then changed */
	struct quota_rules quotas; /* that will be in force */
};

static int decode(struct change *change)
{
	struct json_object *reset = NULL;
	const char *bad;
	const struct param params[] = {
		{ "scope", PARAM_STRING, &change->scope },
		{ "name", PARAM_STRING, &change->name },
		{ "budget", PARAM_OBJECT, &change->budget },
		{ "reset", PARAM_BOOL, &reset },
	};

	if (params_decode(change->request->call->parameters, params, 4, &bad) < 0)
		return stop(answer_bad_parameter(change->answer, bad));
	change->reset = reset && json_object_get_boolean(reset);
	if (!change->scope && change->name)
		return answer_bad_quota(change->answer, "scope", "is missing");
	if (!change->scope && change->budget)
		return answer_bad_quota(change->answer, "scope", "is missing");
	if (!change->budget && !change->reset)
		return answer_bad_quota(change->answer, "budget", "is missing");
	return 0;
}

/* The file is read again: whoever edits it by hand loses nothing. */
static int read_runtime(struct change *change)
{
	const char *path = change->request->manager->source.quotas;
	struct config_error error;
	int r;

	if (!path)
		return stop(answer_not_saved(change->answer, "", -ENOENT));
	r = config_load_quotas(path, &change->runtime, &error);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? stop(answer_bad_config(change->answer, &error)) : 0;
}

static int set_value(struct change *change, struct quota_value *value, enum quota_resource resource,
		     int64_t maximum)
{
	const char *field = quota_resource_name(resource);
	int64_t least, most;
	char reason[80];

	config_quota_bounds(resource, &least, &most);
	snprintf(reason, sizeof(reason), "must be %" PRId64 " to %" PRId64 ", or -1: unlimited",
		 least, most);
	if (maximum != UNLIMITED_IN_CALLS && (maximum < least || maximum > most))
		return answer_bad_quota(change->answer, field, reason);
	*value = (struct quota_value){
		.maximum = maximum == UNLIMITED_IN_CALLS ? QUOTA_UNLIMITED : maximum,
		.file = CONFIG_RUNTIME,
	};
	return 0;
}

static int set_budget(struct change *change, struct quota_rule *rule)
{
	struct param_int values[QUOTA_NR_RESOURCES] = { 0 };
	struct param params[QUOTA_NR_RESOURCES];
	const char *bad;
	int r = 0;

	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++)
		params[i] = (struct param){ quota_resource_name((enum quota_resource)i), PARAM_INT,
					    &values[i] };
	if (params_decode(change->budget, params, QUOTA_NR_RESOURCES, &bad) < 0)
		return answer_bad_quota(change->answer, "budget",
					"has contexts, vcpus, private_pages, ept_pages and "
					"create_rate, all numbers");
	for (unsigned int i = 0; !r && i < QUOTA_NR_RESOURCES; i++) {
		if (values[i].set)
			r = set_value(change, &rule->values[i], (enum quota_resource)i,
				      values[i].value);
	}
	return r;
}

static int apply(struct change *change)
{
	struct quota_rule *rule;
	const char *why;
	int r;

	if (!change->scope) {
		quota_rules_done(&change->runtime);
		quota_rules_init(&change->runtime);
		return 0;
	}
	r = config_rule(&change->runtime, change->scope, change->name ? change->name : "", &rule,
			&why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return answer_bad_quota(change->answer,
					r == -ENOTUNIQ || !change->name ? "scope" : "name", why);
	for (unsigned int i = 0; change->reset && i < QUOTA_NR_RESOURCES; i++)
		rule->values[i] = (struct quota_value){ .maximum = QUOTA_UNSET };
	return change->budget ? set_budget(change, rule) : 0;
}

static int save(struct change *change)
{
	const char *path = change->request->manager->source.quotas;
	size_t used = strlen(header);
	char *text = malloc(CONFIG_MAX_FILE);
	int r;

	if (!text)
		return -ENOMEM;
	strcpy(text, header);
	r = config_format_quotas(&change->runtime, text + used, CONFIG_MAX_FILE - used);
	if (r >= 0)
		r = state_write(path, text, used + (size_t)r);
	free(text);
	return r < 0 ? stop(answer_not_saved(change->answer, path, r)) : 0;
}

static void log_change(const struct change *change)
{
	const struct peer *peer = change->request->peer;

	log_message(LOG_NOTICE, MESSAGE_QUOTA_CHANGED,
		    LOG_FIELDS(LOG_NUMBER("DUNE_UID", peer->uid),
			       LOG_NUMBER("DUNE_PID", peer->pid)),
		    "uid %u %s the quota of %.16s %.128s: %.200s", peer->uid,
		    change->reset ? "reset" : "changed",
		    change->scope ? change->scope : "everybody", change->name ? change->name : "",
		    change->budget ?
			    json_object_to_json_string_ext(change->budget, JSON_C_TO_STRING_PLAIN) :
			    "as configured");
}

static int set_quota(struct change *change)
{
	struct config *config = &change->request->manager->config;
	int r = decode(change);

	if (!r)
		r = read_runtime(change);
	if (!r)
		r = apply(change);
	if (!r)
		r = config_merge(config, &change->runtime, &change->quotas);
	if (r == -E2BIG)
		return answer_bad_quota(change->answer, "name", "is one rule too many");
	if (!r)
		r = save(change);
	if (r)
		return r;
	quota_rules_done(&config->quotas);
	config->quotas = change->quotas;
	quota_rules_init(&change->quotas);
	log_change(change);
	return answer_reply(change->answer, json_object_new_object());
}

int method_set_quota(struct request *request, struct answer *answer)
{
	struct change change = { .request = request, .answer = answer };
	int r;

	quota_rules_init(&change.runtime);
	quota_rules_init(&change.quotas);
	r = set_quota(&change);
	quota_rules_done(&change.runtime);
	quota_rules_done(&change.quotas);
	return r < 0 ? r : 0;
}

/* ---- Reload ---- */

int method_reload(struct request *request, struct answer *answer)
{
	struct config_error error;
	const char *bad;
	int r;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	r = manager_reload(request->manager, &error);
	return r < 0 ? answer_bad_config(answer, &error) :
		       answer_reply(answer, json_object_new_object());
}
