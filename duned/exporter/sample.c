// SPDX-License-Identifier: LGPL-2.1-or-later
/* From replies to one struct of numbers; see sample.h. */
#include "duned/exporter/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dune/client.h>

#include "duned/exporter/shown.h"
#include "proto/names.h"

/* Text from elsewhere: printable ASCII only, cut to fit. */
static void take_text(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from && from[i] && i + 1 < size; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

void sample_set_down(struct sample *sample, const char *problem)
{
	*sample = (struct sample){ .time_ms = sample->time_ms, .took_s = sample->took_s };
	take_text(sample->problem, sizeof(sample->problem), problem);
}

void sample_take_info(struct sample *sample, const struct dune_client_info *info)
{
	const struct dune_client_module *module = &info->module;

	sample->up = true;
	take_text(sample->service_version, sizeof(sample->service_version), info->version);
	sample->module = !module->problem;
	if (!sample->module) {
		snprintf(sample->problem, sizeof(sample->problem),
			 "duned can't use the kernel module (%.32s)", module->problem);
		return;
	}
	take_text(sample->module_version, sizeof(sample->module_version), module->version);
	take_text(sample->vmx_holder, sizeof(sample->vmx_holder), module->vmx_holder);
	sample->abi = module->abi;
	sample->contexts = module->allocated.contexts;
	sample->vcpus = module->allocated.vcpus;
	sample->ept_pages = module->allocated.ept_pages;
	sample->private_pages = module->allocated.private_pages;
	sample->run_pages = module->allocated.run_pages;
	sample->vmcs_pages = module->allocated.vmcs_pages;
	sample->created = module->created;
	sample->refused = module->refused;
	sample->assertions = module->assertions;
	sample->quotas[DUNE_LIMIT_CONTEXTS] =
		(struct sample_quota){ true, module->allocated.contexts,
				       info->quotas.contexts_per_host };
}

/* Adds a map's values to the slots that bear their names; the rest goes to `other` (NULL: nowhere). */
static void take_map(const struct dune_client_counters *map, uint64_t *slots, unsigned int nr_slots,
		     const char *(*name_of)(unsigned int number), uint64_t *other)
{
	for (size_t i = 0; i < map->nr; i++) {
		uint64_t *slot = other;

		for (unsigned int n = 0; n < nr_slots; n++) {
			const char *name = name_of(n);

			if (name && strcmp(name, map->values[i].name) == 0) {
				slot = &slots[n];
				break;
			}
		}
		if (slot)
			*slot += map->values[i].value;
	}
}

/* Contexts that were freed without ever having a process did not end like the others. */
static void take_ends(struct sample *sample, const struct dune_client_counters *ends)
{
	for (size_t i = 0; i < ends->nr; i++)
		if (strcmp(ends->values[i].name, "unused") == 0)
			sample->unused = ends->values[i].value;
	take_map(ends, sample->ends, DUNE_NR_ENDS, dune_cause_name, &sample->ends[DUNE_END_NONE]);
	/* The one above counted them as causes without a name. */
	sample->ends[DUNE_END_NONE] -= sample->unused;
}

static const char *service_name(unsigned int number)
{
	static const char *const names[] = {
#define SERVICE_NAME(symbol, name) name,
		SAMPLE_SERVICE(SERVICE_NAME)
#undef SERVICE_NAME
	};

	return names[number];
}

static bool is_plain(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789._-");

	return length > 0 && length < SAMPLE_MAX_NAME && !name[length];
}

/* Takes names as they come; those that are no label or too many are summed in a last row, "other". */
static void take_names(struct sample_names *names, const struct dune_client_counters *map)
{
	uint64_t others = 0;
	bool has_others = false;

	for (size_t i = 0; i < map->nr; i++) {
		const struct dune_client_counter *counter = &map->values[i];
		struct sample_name *row = &names->rows[names->nr];

		if (strcmp(counter->name, "other") == 0 || !is_plain(counter->name) ||
		    names->nr == SAMPLE_MAX_NAMES) {
			others += counter->value;
			has_others = true;
			continue;
		}
		strcpy(row->name, counter->name);
		row->value = counter->value;
		names->nr++;
	}
	if (has_others)
		names->rows[names->nr++] = (struct sample_name){ "other", others };
}

void sample_take_totals(struct sample *sample, const struct dune_client_totals *totals)
{
	sample->counted = true;
	sample->clock_usec = totals->time_usec;
	take_map(&totals->counters, sample->counters, DUNE_NR_COUNTERS, dune_counter_name, NULL);
	take_map(&totals->exits, sample->exits, DUNE_NR_EXITS, dune_exit_name,
		 &sample->exits[DUNE_NR_EXITS - 1]);
	take_ends(sample, &totals->ends);
	sample->has_states = totals->states.nr > 0;
	take_map(&totals->states, sample->states, SAMPLE_NR_STATES, dune_state_name, NULL);
	sample->has_service = totals->service.nr > 0;
	take_map(&totals->service, sample->service, SAMPLE_NR_SERVICE, service_name, NULL);
	take_names(&sample->calls, &totals->calls);
	take_names(&sample->errors, &totals->errors);
	take_names(&sample->messages, &totals->messages);
}

void sample_take_quotas(struct sample *sample, const struct dune_client_quota_list *list)
{
	memset(sample->quotas, 0, sizeof(sample->quotas));
	for (size_t i = 0; i < list->nr; i++) {
		const struct dune_client_quota *quota = list->quotas[i];

		if (strcmp(quota->scope, "host") != 0 || !quota->limited || !quota->counted)
			continue;
		for (unsigned int n = 0; n < DUNE_NR_LIMITS; n++)
			if (strcmp(quota->resource, dune_limit_name(n)) == 0)
				sample->quotas[n] =
					(struct sample_quota){ true, quota->used, quota->maximum };
	}
}

/* ---- by owner ---- */

static int by_uid(const void *a, const void *b)
{
	const struct sample_user *left = a, *right = b;

	return (left->uid > right->uid) - (left->uid < right->uid);
}

/* Most contexts first; among equals the lower uid, so that the choice is the same every time. */
static int by_contexts(const void *a, const void *b)
{
	const struct sample_user *left = a, *right = b;

	if (left->contexts != right->contexts)
		return left->contexts < right->contexts ? 1 : -1;
	return by_uid(a, b);
}

static void user_add(struct sample_user *sum, const struct sample_user *user)
{
	sum->contexts += user->contexts;
	sum->vcpus += user->vcpus;
	sum->private_pages += user->private_pages;
	sum->ept_pages += user->ept_pages;
}

/* One row per context, then one per owner: sorted, neighbours merged. */
static size_t sum_by_owner(struct sample_user *rows, const struct dune_client_list *list,
			   size_t nr_rows)
{
	size_t nr = 0;

	for (size_t i = 0; i < nr_rows; i++) {
		const struct dune_client_context *context = list->contexts[i];

		rows[i] = (struct sample_user){ context->owner, 1, context->usage.vcpus,
						context->usage.private_pages,
						context->usage.ept_pages };
	}
	qsort(rows, nr_rows, sizeof(*rows), by_uid);
	for (size_t i = 0; i < nr_rows; i++) {
		if (nr > 0 && rows[nr - 1].uid == rows[i].uid)
			user_add(&rows[nr - 1], &rows[i]);
		else
			rows[nr++] = rows[i];
	}
	qsort(rows, nr, sizeof(*rows), by_contexts);
	return nr;
}

void sample_take_list(struct sample *sample, const struct dune_client_list *list, size_t max_users,
		      struct shown *shown, int64_t now_s)
{
	struct sample_user *rows, others = { .uid = SAMPLE_OTHER_USERS };
	size_t nr;

	if (max_users > SAMPLE_MAX_USERS)
		max_users = SAMPLE_MAX_USERS;
	sample->nr_users = 0;
	rows = calloc(list->nr ? list->nr : 1, sizeof(*rows));
	if (!rows)
		return;
	nr = sum_by_owner(rows, list, list->nr);
	shown_expire(shown, now_s);
	for (size_t i = 0; i < nr; i++) {
		if (sample->nr_users < max_users &&
		    shown_take(shown, rows[i].uid, max_users, now_s))
			sample->users[sample->nr_users++] = rows[i];
		else
			user_add(&others, &rows[i]);
	}
	if (others.contexts)
		sample->users[sample->nr_users++] = others;
	free(rows);
}
