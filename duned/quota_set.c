// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SetQuota: what is set at run time is in the file, as far as the disk tells, before it is in
 * force, and answered after that: file, what is in force and the answer always agree. The worker changes the file (quota_edit.h); here are the call and the answer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/admit.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/quota_edit.h"
#include "duned/quota_methods.h"
#include "duned/request.h"

#define UNLIMITED_IN_CALLS (-1)
#define NO_FILE		   "quotas.conf (the service runs without --state)"
#define LOGGED_MAX	   200 /* bytes of a budget in the log */

/* A change on its way. */
struct change {
	struct job job;
	struct manager *manager; /* the loop's */
	const struct settings *settings;
	struct quota_edit edit;
	/* for the log */
	uint32_t uid;
	int32_t pid;
	char budget[LOGGED_MAX + 1];
};

/* ---- the call; the steps return 0, 1 with an error in the answer, or -errno ---- */

static int set_value(struct quota_edit *edit, struct answer *answer, enum quota_resource resource,
		     int64_t maximum)
{
	int64_t least, most;
	char reason[80];

	config_quota_bounds(resource, &least, &most);
	snprintf(reason, sizeof(reason), "must be %" PRId64 " to %" PRId64 ", or -1: unlimited",
		 least, most);
	if (maximum != UNLIMITED_IN_CALLS && (maximum < least || maximum > most))
		return answer_bad_quota(answer, quota_resource_name(resource), reason);
	edit->maximum[resource] = maximum == UNLIMITED_IN_CALLS ? QUOTA_UNLIMITED : maximum;
	return 0;
}

static int decode_budget(struct quota_edit *edit, struct answer *answer, struct json_object *budget)
{
	struct param_int values[QUOTA_NR_RESOURCES] = { 0 };
	struct param params[QUOTA_NR_RESOURCES];
	const char *bad;
	int r = 0;

	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++)
		params[i] = (struct param){ quota_resource_name((enum quota_resource)i), PARAM_INT,
					    &values[i] };
	if (params_decode(budget, params, QUOTA_NR_RESOURCES, &bad) < 0)
		return answer_bad_quota(answer, "budget",
					"has contexts, vcpus, private_pages, ept_pages and "
					"create_rate, all numbers");
	for (unsigned int i = 0; !r && i < QUOTA_NR_RESOURCES; i++) {
		if (values[i].set)
			r = set_value(edit, answer, (enum quota_resource)i, values[i].value);
	}
	return r;
}

static int decode(struct change *change, const struct request *request, struct answer *answer)
{
	struct json_object *reset = NULL, *budget = NULL;
	struct quota_edit *edit = &change->edit;
	const char *scope = NULL, *name = NULL, *bad;
	const struct param params[] = {
		{ "scope", PARAM_STRING, &scope },
		{ "name", PARAM_STRING, &name },
		{ "budget", PARAM_OBJECT, &budget },
		{ "reset", PARAM_BOOL, &reset },
	};

	if (params_decode(request->call->parameters, params, 4, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	edit->reset = reset && json_object_get_boolean(reset);
	if (!scope && (name || budget))
		return answer_bad_quota(answer, "scope", "is missing");
	if (!budget && !edit->reset)
		return answer_bad_quota(answer, "budget", "is missing");
	edit->has_scope = scope != NULL;
	edit->has_name = name != NULL;
	snprintf(edit->scope, sizeof(edit->scope), "%s", scope ? scope : "");
	snprintf(edit->name, sizeof(edit->name), "%s", name ? name : "");
	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++)
		edit->maximum[i] = QUOTA_UNSET;
	snprintf(change->budget, sizeof(change->budget), "%s",
		 budget ? json_object_to_json_string_ext(budget, JSON_C_TO_STRING_PLAIN) :
			  "as configured");
	return budget ? decode_budget(edit, answer, budget) : 0;
}

/* ---- the job ---- */

static void work(struct job *job)
{
	struct change *change = (struct change *)job;

	quota_edit_run(change->settings, &change->edit);
}

static void log_change(const struct change *change)
{
	const struct quota_edit *edit = &change->edit;

	log_message(LOG_NOTICE, MESSAGE_QUOTA_CHANGED,
		    LOG_FIELDS(LOG_NUMBER("DUNE_UID", change->uid),
			       LOG_NUMBER("DUNE_PID", change->pid)),
		    "uid %u %s the quota of %s %s: %s", change->uid,
		    edit->reset ? "reset" : "changed", edit->has_scope ? edit->scope : "everybody",
		    edit->name, change->budget);
}

/* Also when whoever asked has gone: it is in the file. */
static void done(struct job *job)
{
	struct change *change = (struct change *)job;
	struct config *config = &change->manager->config;

	if (change->edit.outcome != EDIT_SAVED)
		return;
	quota_rules_done(&config->quotas);
	config->quotas = change->edit.quotas;
	quota_rules_init(&change->edit.quotas);
	/* Groups may have rules now that had none. */
	manager_new_generation(change->manager);
	log_change(change);
	if (change->edit.unsure)
		log_warning("the disk did not confirm %s, a crash of the machine may undo it: %s",
			    change->manager->settings->source.quotas,
			    strerror(-change->edit.unsure));
}

static int answer_change(struct job *job, struct request *request, struct answer *answer)
{
	const struct quota_edit *edit = &((struct change *)job)->edit;

	switch (edit->outcome) {
	case EDIT_SAVED:
		return answer_reply(answer, json_object_new_object());
	case EDIT_BAD_QUOTA:
		return answer_bad_quota(answer, edit->field, edit->why);
	case EDIT_BAD_FILE:
		return answer_bad_config(answer, &edit->config_error);
	case EDIT_NOT_SAVED:
		return answer_not_saved(answer, request->manager->settings->source.quotas,
					edit->error);
	default:
		return edit->error;
	}
}

static void free_change(struct job *job)
{
	struct change *change = (struct change *)job;

	quota_rules_done(&change->edit.quotas);
	free(change);
}

int method_set_quota(struct request *request, struct answer *answer)
{
	static const struct job_kind kind = { work, done, answer_change, free_change };
	struct manager *manager = request->manager;
	struct change *change = calloc(1, sizeof(*change));
	int r;

	if (!change)
		return -ENOMEM;
	change->job.kind = &kind;
	change->manager = manager;
	change->settings = manager->settings;
	change->uid = request->peer->uid;
	change->pid = request->peer->pid;
	r = decode(change, request, answer);
	if (!r && !manager->settings->source.quotas)
		r = answer_not_saved(answer, NO_FILE, -ENOENT);
	if (!r)
		return answer_later(request, &change->job, answer);
	free_change(&change->job);
	return r;
}
