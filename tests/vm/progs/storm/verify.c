// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What has to hold whenever the workers of the storm stand still: the service lists what they
 * have, no more and no less, with the same programs; quotas and the module count exactly that;
 * counters have only grown. Changes nothing of the workers but the entries and limits seen last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storm.h"

#define KEPT_MAX  256
#define NAME_SIZE 64

/* Counters by name, as they were at the last look. */
static struct kept {
	char name[NAME_SIZE];
	uint64_t value;
} kept[KEPT_MAX];
static unsigned int nr_kept;
static unsigned int round_number;

static void grows(const char *kind, const char *name, uint64_t value)
{
	char full[NAME_SIZE];
	unsigned int i;

	snprintf(full, sizeof(full), "%s %s", kind, name);
	for (i = 0; i < nr_kept && strcmp(kept[i].name, full); i++)
		;
	if (i == KEPT_MAX)
		storm_fail("more than %d counters", KEPT_MAX);
	if (i == nr_kept)
		strcpy(kept[nr_kept++].name, full);
	if (value < kept[i].value)
		storm_fail("round %u: %s went from %" PRIu64 " to %" PRIu64, round_number, full,
			   kept[i].value, value);
	kept[i].value = value;
}

static void all_grow(const char *kind, const struct dune_client_counters *counters)
{
	for (size_t i = 0; i < counters->nr; i++) {
		if (!strstr(counters->values[i].name, "_now"))
			grows(kind, counters->values[i].name, counters->values[i].value);
	}
}

static struct held *find(uint64_t id, struct worker **ret_worker)
{
	for (int i = 0; i < STORM_WORKERS; i++) {
		struct worker *worker = &storm->workers[i];

		for (unsigned int j = 0; j < worker->nr; j++) {
			if (worker->held[j].id != id)
				continue;
			*ret_worker = worker;
			return &worker->held[j];
		}
	}
	storm_fail("round %u: context %" PRIu64 " leaked: nobody has it", round_number, id);
}

static unsigned int nr_held(void)
{
	unsigned int sum = 0;

	for (int i = 0; i < STORM_WORKERS; i++)
		sum += storm->workers[i].nr;
	return sum;
}

static bool state_fits(const struct held *held, const struct dune_client_context *context)
{
	bool is_new = !strcmp(context->state, "new"), is_ended = !strcmp(context->state, "ended");

	switch (held->state) {
	case HELD_NEW:
		return is_new && !context->pid;
	case HELD_STARTED: /* or on its way */
		return is_ended ? held->kill_tried : is_new || context->pid == held->program;
	default: /* killed before its loader came to it, it is as it was */
		return is_ended || is_new;
	}
}

static bool are_limits(const struct dune_client_context *context,
		       const struct dune_client_limits *limits)
{
	return context->limits.vcpus == limits->vcpus &&
	       context->limits.private_pages == limits->private_pages &&
	       context->limits.ept_pages == limits->ept_pages;
}

/* All of a change or nothing of it; from now on it is known which. */
static bool limits_fit(struct held *held, const struct dune_client_context *context)
{
	if (held->unanswered.vcpus && are_limits(context, &held->unanswered))
		held->limits = held->unanswered;
	held->unanswered = (struct dune_client_limits){ 0 };
	return are_limits(context, &held->limits);
}

static void check_context(const struct dune_client_context *context)
{
	struct worker *worker;
	struct held *held = find(context->id, &worker);

	if (context->owner != worker->uid || !limits_fit(held, context))
		storm_fail("round %u: context %" PRIu64 " has another owner or other limits",
			   round_number, context->id);
	if (!state_fits(held, context))
		storm_fail("round %u: context %" PRIu64 " is %s with pid %d; pid %d was %s",
			   round_number, context->id, context->state, context->pid, held->program,
			   (const char *[]){ "not started", "started", "ended" }[held->state]);
	if (worker->lasting && strcmp(context->state, "running"))
		storm_fail("round %u: context %" PRIu64 " is %s", round_number, context->id,
			   context->state);
}

static void check_list(struct dune_client *client)
{
	struct dune_client_list *list;
	int r = dune_client_list(client, &list);

	if (r < 0)
		storm_fail("round %u: List: %s", round_number, dune_client_error_text(client));
	for (size_t i = 0; i < list->nr; i++)
		check_context(list->contexts[i]);
	if (list->nr != nr_held())
		storm_fail("round %u: %u contexts, the list has %zu: lost", round_number, nr_held(),
			   list->nr);
	dune_client_list_free(list);
}

static void check_stats(struct dune_client *client)
{
	struct dune_client_stats *stats;
	struct worker *worker;
	int r = dune_client_stats(client, 0, NULL, &stats);

	if (r < 0)
		storm_fail("round %u: Stats: %s", round_number, dune_client_error_text(client));
	for (size_t i = 0; i < stats->nr; i++) {
		struct held *held = find(stats->samples[i]->context->id, &worker);
		const struct dune_client_counters *counters = &stats->samples[i]->counters;

		for (size_t j = 0; j < counters->nr; j++) {
			if (strcmp(counters->values[j].name, "entries"))
				continue;
			if (counters->values[j].value < held->entries)
				storm_fail("round %u: context %" PRIu64 " has fewer entries",
					   round_number, held->id);
			held->entries = counters->values[j].value;
		}
	}
	if (stats->nr != nr_held())
		storm_fail("round %u: statistics of %zu contexts, not %u", round_number, stats->nr,
			   nr_held());
	dune_client_stats_free(stats);
}

/* What a user's contexts were promised of a resource. */
static uint64_t promised(const struct worker *worker, const char *resource)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < worker->nr; i++) {
		const struct dune_client_limits *limits = &worker->held[i].limits;

		sum += !strcmp(resource, "vcpus")	  ? limits->vcpus :
		       !strcmp(resource, "private_pages") ? limits->private_pages :
		       !strcmp(resource, "ept_pages")	  ? limits->ept_pages :
							    1;
	}
	return sum;
}

/* user: NULL for the host */
static void check_sums(struct dune_client *client, const struct worker *user)
{
	struct dune_client_quota_list *list;
	unsigned int checked = 0;
	char name[16] = "";
	int r;

	if (user)
		snprintf(name, sizeof(name), "%d", user->uid);
	r = dune_client_get_quota(client, user ? "user" : "host", user ? name : NULL, &list);
	if (r < 0)
		storm_fail("round %u: GetQuota: %s", round_number, dune_client_error_text(client));
	for (size_t i = 0; i < list->nr; i++) {
		const struct dune_client_quota *quota = list->quotas[i];
		uint64_t wanted = 0;

		if (!quota->counted || !strcmp(quota->resource, "create_rate") ||
		    (user && !quota->name))
			continue;
		for (int j = 0; j < STORM_WORKERS; j++) {
			if (!user || user == &storm->workers[j])
				wanted += promised(&storm->workers[j], quota->resource);
		}
		if (quota->used != wanted)
			storm_fail("round %u: %s %s uses %" PRIu64 " %s, not %" PRIu64,
				   round_number, quota->scope, name, quota->used, quota->resource,
				   wanted);
		checked++;
	}
	if (checked != 4)
		storm_fail("%u quotas of %s '%s' are counted, not 4", checked,
			   user ? "user" : "host", name);
	dune_client_quota_list_free(list);
}

static void check_module(struct dune_client *client)
{
	unsigned int attempted = 0, created = 0;
	struct dune_client_info *info;
	struct dune_client_totals *totals;

	if (dune_client_info(client, &info) < 0 || dune_client_totals(client, &totals) < 0)
		storm_fail("round %u: Info and Totals: %s", round_number,
			   dune_client_error_text(client));
	for (int i = 0; i < STORM_WORKERS; i++) {
		attempted += storm->workers[i].attempted;
		created += storm->workers[i].created;
	}
	if (info->module.allocated.contexts != nr_held() || info->module.assertions)
		storm_fail("round %u: the module has %" PRIu64 " contexts, not %u; %" PRIu64
			   " failed assertions",
			   round_number, info->module.allocated.contexts, nr_held(),
			   info->module.assertions);
	if (totals->created < created || totals->created > attempted)
		storm_fail("round %u: %" PRIu64 " contexts created; %u were asked for, %u seen",
			   round_number, totals->created, attempted, created);
	grows("all", "created", totals->created);
	all_grow("ends", &totals->ends);
	all_grow("counter", &totals->counters);
	all_grow("exits", &totals->exits);
	dune_client_totals_free(totals);
	dune_client_info_free(info);
}

void verify(unsigned int number)
{
	struct dune_client *client;

	round_number = number;
	if (dune_client_new(NULL, &client) < 0)
		storm_fail("round %u: nobody listens", round_number);
	dune_client_set_timeout(client, STORM_PATIENCE_MS);
	check_list(client);
	check_stats(client);
	check_sums(client, NULL);
	for (int i = 0; i < STORM_WORKERS; i++)
		check_sums(client, &storm->workers[i]);
	check_module(client);
	dune_client_free(client);
}
