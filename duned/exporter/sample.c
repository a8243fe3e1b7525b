// SPDX-License-Identifier: LGPL-2.1-or-later
/* From replies to one struct of numbers; see sample.h. */
#include "duned/exporter/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dune/client.h>

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

void sample_take_totals(struct sample *sample, const struct dune_client_totals *totals)
{
	sample->counted = true;
	sample->clock_usec = totals->time_usec;
	take_map(&totals->counters, sample->counters, DUNE_NR_COUNTERS, dune_counter_name, NULL);
	take_map(&totals->exits, sample->exits, DUNE_NR_EXITS, dune_exit_name,
		 &sample->exits[DUNE_NR_EXITS - 1]);
	take_map(&totals->ends, sample->ends, DUNE_NR_ENDS, dune_cause_name,
		 &sample->ends[DUNE_END_NONE]);
	sample->has_states = totals->states.nr > 0;
	take_map(&totals->states, sample->states, SAMPLE_NR_STATES, dune_state_name, NULL);
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

void sample_take_list(struct sample *sample, const struct dune_client_list *list, size_t max_users)
{
	struct sample_user *rows, *other;
	size_t nr;

	if (max_users > SAMPLE_MAX_USERS)
		max_users = SAMPLE_MAX_USERS;
	sample->nr_users = 0;
	rows = calloc(list->nr ? list->nr : 1, sizeof(*rows));
	if (!rows)
		return;
	nr = sum_by_owner(rows, list, list->nr);
	for (size_t i = 0; i < nr; i++) {
		if (i < max_users) {
			sample->users[sample->nr_users++] = rows[i];
			continue;
		}
		other = &sample->users[max_users];
		if (sample->nr_users == max_users) {
			*other = (struct sample_user){ .uid = SAMPLE_OTHER_USERS };
			sample->nr_users++;
		}
		user_add(other, &rows[i]);
	}
	free(rows);
}
