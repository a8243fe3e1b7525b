// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts; see context.h. */
#include "duned/context.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/json.h"
#include "duned/render.h"
#include "proto/json_text.h"
#include "proto/names.h"

#define LIST_CHUNK	64	/* room for contexts that are made meanwhile */
#define LIST_MAX	65536	/* contexts in a list: more than the module can hold */

/* ---- reading and finding ---- */

void context_list_done(struct context_list *list)
{
	free(list->entries);
	*list = (struct context_list){ 0 };
}

int context_list_read(struct device *device, struct context_list *ret_list)
{
	struct context_list list = { 0 };
	struct dune_info info;
	size_t capacity = 0, first;
	int r;

	/* As a rule all of them are read by one call. */
	r = device_info(device, &info);
	if (r < 0)
		return r;
	first = info.contexts < LIST_MAX - LIST_CHUNK ? info.contexts + LIST_CHUNK : LIST_MAX;
	for (;;) {
		size_t chunk = capacity ? capacity : first;
		struct dune_stats *entries;

		if (capacity >= LIST_MAX) {
			r = -E2BIG;
			break;
		}
		entries = realloc(list.entries, (capacity + chunk) * sizeof(*entries));
		if (!entries) {
			r = -ENOMEM;
			break;
		}
		list.entries = entries;
		capacity += chunk;
		r = device_stats(device, list.count ? entries[list.count - 1].id : 0,
				 entries + list.count, (uint32_t)chunk);
		if (r < 0)
			break;
		list.count += (size_t)r;
		if ((size_t)r < chunk) {
			*ret_list = list;
			return 0;
		}
	}
	context_list_done(&list);
	return r;
}

int context_by_id(struct device *device, uint64_t id, struct dune_stats *ret_stats)
{
	struct dune_stats stats;
	int r;

	if (!id)
		return -ENOENT;
	r = device_stats(device, id - 1, &stats, 1);
	if (r < 0)
		return r;
	if (!r || stats.id != id)
		return -ENOENT;
	*ret_stats = stats;
	return 0;
}

bool context_is_fault(uint32_t cause)
{
	return cause != DUNE_END_NONE && cause != DUNE_END_EXIT && cause != DUNE_END_KILL;
}

bool context_has_report(const struct dune_stats *stats)
{
	return stats->state == DUNE_STATE_ENDED && context_is_fault(stats->cause);
}

/* ---- showing ---- */

static void render_limits(struct render *render, const char *key, const __u64 values[],
			  unsigned int count)
{
	render_key(render, key);
	render_text(render, "{");
	for (unsigned int i = 0; i < count; i++)
		render_int(render, dune_limit_name(i), values[i]);
	render_text(render, "}");
}

static void render_usage(struct render *render, const struct dune_stats *stats)
{
	const __u64 usage[] = {
		[DUNE_LIMIT_VCPUS] = stats->counters[DUNE_COUNT_VCPUS_NOW],
		[DUNE_LIMIT_PRIVATE] = stats->counters[DUNE_COUNT_PRIVATE_NOW],
		[DUNE_LIMIT_EPT] = stats->counters[DUNE_COUNT_EPT_NOW],
	};

	render_limits(render, "usage", usage, DUNE_LIMIT_EPT + 1);
}

void context_render(const struct dune_stats *stats, struct render *render)
{
	char buffer[DUNE_NAME_BUFFER];

	render_text(render, "{");
	render_int(render, "id", stats->id);
	render_string(render, "name", stats->name);
	render_int(render, "owner", stats->owner);
	if (stats->pid > 0)
		render_int(render, "pid", (uint64_t)stats->pid);
	/* A state that only a newer module knows: it is past all that this version names. */
	render_string(render, "state",
		      stats->state <= DUNE_STATE_ENDED ? dune_state_name(stats->state) : "ended");
	if (stats->cause != DUNE_END_NONE)
		render_string(render, "cause",
			      dune_name_or_number(dune_cause_name(stats->cause), "cause",
						  stats->cause, buffer));
	if (stats->comm[0])
		render_string(render, "command", stats->comm);
	render_int(render, "created_usec", stats->created_ns / 1000);
	render_limits(render, "limits", stats->limits, DUNE_NR_LIMITS);
	render_usage(render, stats);
	render_text(render, "}");
}

struct json_object *context_json(const struct dune_stats *stats)
{
	struct json_object *object = NULL;
	struct render render;

	render_init(&render);
	context_render(stats, &render);
	if (render_done(&render) < 0 || json_text_read(render.bytes, render.size, &object) < 0)
		return NULL;
	return object;
}

static struct json_object *counters_json(const struct dune_stats *stats)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (unsigned int i = 0; ok && i < DUNE_NR_COUNTERS; i++) {
		const char *name = dune_counter_name(i);

		if (name)
			ok = json_put_int(object, name, stats->counters[i]);
	}
	return json_finish(object, ok);
}

static struct json_object *exits_json(const struct dune_stats *stats)
{
	struct json_object *object = json_object_new_object();
	char buffer[DUNE_NAME_BUFFER];
	bool ok = object != NULL;

	for (unsigned int i = 0; ok && i < DUNE_NR_EXITS; i++) {
		if (stats->exits[i])
			ok = json_put_int(
				object, dune_name_or_number(dune_exit_name(i), "reason", i, buffer),
				stats->exits[i]);
	}
	return json_finish(object, ok);
}

struct json_object *context_sample_json(const struct dune_stats *stats)
{
	struct json_object *object = json_object_new_object();
	bool ok = json_put(object, "context", context_json(stats)) &&
		  json_put(object, "counters", counters_json(stats)) &&
		  json_put(object, "exits", exits_json(stats));

	return json_finish(object, ok);
}

static struct json_object *registers_json(const struct dune_report *report)
{
	const struct dune_regs *regs = &report->regs;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "rax", regs->rax },	{ "rbx", regs->rbx }, { "rcx", regs->rcx },
		{ "rdx", regs->rdx },	{ "rsi", regs->rsi }, { "rdi", regs->rdi },
		{ "rbp", regs->rbp },	{ "rsp", regs->rsp }, { "r8", regs->r8 },
		{ "r9", regs->r9 },	{ "r10", regs->r10 }, { "r11", regs->r11 },
		{ "r12", regs->r12 },	{ "r13", regs->r13 }, { "r14", regs->r14 },
		{ "r15", regs->r15 },	{ "rip", regs->rip }, { "rflags", regs->rflags },
		{ "cs", regs->cs },	{ "ss", regs->ss },   { "cr0", report->cr0 },
		{ "cr2", report->cr2 }, { "cr3", report->cr3 }, { "cr4", report->cr4 },
	};
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < sizeof(rows) / sizeof(rows[0]); i++)
		ok = json_put_hex(object, rows[i].name, rows[i].value);
	return json_finish(object, ok);
}

struct json_object *context_report_json(const struct dune_report *report)
{
	struct json_object *object = json_object_new_object();
	char cause[DUNE_NAME_BUFFER], reason[DUNE_NAME_BUFFER];
	bool ok;

	dune_name_or_number(dune_cause_name(report->cause), "cause", report->cause, cause);
	dune_name_or_number(dune_exit_name(report->exit_reason), "reason", report->exit_reason,
			    reason);
	ok = json_put_string(object, "cause", cause) &&
	     json_put_string(object, "exit_reason", reason) &&
	     json_put_int(object, "cpl", report->cpl) &&
	     json_put_int(object, "vector", report->vector) &&
	     json_put_hex(object, "error_code", report->error_code) &&
	     json_put_hex(object, "exit_qualification", report->exit_qualification) &&
	     json_put_hex(object, "guest_physical", report->guest_physical) &&
	     json_put_hex(object, "guest_linear", report->guest_linear) &&
	     json_put(object, "registers", registers_json(report));
	return json_finish(object, ok);
}
