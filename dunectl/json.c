// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libdune's structs as JSON, with the names that io.dune.Manager gives the fields: who reads --json and who
 * speaks Varlink sees the same. Only builds; out of memory is an abort, as this is a short-lived tool.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "dunectl/json.h"

static struct json_object *must(struct json_object *object)
{
	if (!object) {
		fputs("dunectl: out of memory\n", stderr);
		abort();
	}
	return object;
}

struct json_object *json_new(void)
{
	return must(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return must(json_object_new_array());
}

void json_put(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, must(value)) < 0)
		must(NULL);
}

void json_put_number(struct json_object *object, const char *key, uint64_t number)
{
	json_put(object, key, json_object_new_uint64(number));
}

void json_put_text(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_put(object, key, json_object_new_string(text));
}

static void json_put_hex(struct json_object *object, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%016" PRIx64, number);
	json_put_text(object, key, text);
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, must(value)) < 0)
		must(NULL);
}

static struct json_object *json_limits(const struct dune_client_limits *limits)
{
	struct json_object *object = json_new();

	json_put_number(object, "vcpus", limits->vcpus);
	json_put_number(object, "private_pages", limits->private_pages);
	json_put_number(object, "ept_pages", limits->ept_pages);
	json_put_number(object, "contexts", limits->contexts);
	return object;
}

/* What one context uses; `contexts` speaks of its owner and is not counted there. */
static struct json_object *json_usage(const struct dune_client_limits *usage)
{
	struct json_object *object = json_limits(usage);

	json_object_object_del(object, "contexts");
	return object;
}

struct json_object *json_context(const struct dune_client_context *context)
{
	struct json_object *object = json_new();

	json_put_number(object, "id", context->id);
	json_put_text(object, "name", context->name);
	json_put_number(object, "owner", context->owner);
	if (context->pid)
		json_put_number(object, "pid", (uint64_t)context->pid);
	json_put_text(object, "state", context->state);
	json_put_text(object, "cause", context->cause);
	json_put_text(object, "command", context->command);
	json_put_number(object, "created_usec", context->created_usec);
	json_put(object, "limits", json_limits(&context->limits));
	json_put(object, "usage", json_usage(&context->usage));
	return object;
}

struct json_object *json_counters(const struct dune_client_counters *counters)
{
	struct json_object *object = json_new();

	for (size_t i = 0; i < counters->nr; i++)
		json_put_number(object, counters->values[i].name, counters->values[i].value);
	return object;
}

static struct json_object *json_registers(const struct dune_client_registers *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "rax", r->rax }, { "rcx", r->rcx },	    { "rdx", r->rdx }, { "rbx", r->rbx },
		{ "rsp", r->rsp }, { "rbp", r->rbp },	    { "rsi", r->rsi }, { "rdi", r->rdi },
		{ "r8", r->r8 },   { "r9", r->r9 },	    { "r10", r->r10 }, { "r11", r->r11 },
		{ "r12", r->r12 }, { "r13", r->r13 },	    { "r14", r->r14 }, { "r15", r->r15 },
		{ "rip", r->rip }, { "rflags", r->rflags }, { "cs", r->cs },   { "ss", r->ss },
		{ "cr0", r->cr0 }, { "cr2", r->cr2 },	    { "cr3", r->cr3 }, { "cr4", r->cr4 },
	};
	struct json_object *object = json_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_put_hex(object, rows[i].name, rows[i].value);
	return object;
}

struct json_object *json_report(const struct dune_client_report *report)
{
	struct json_object *object = json_new();

	json_put_text(object, "cause", report->cause);
	json_put_text(object, "exit_reason", report->exit_reason);
	json_put_number(object, "cpl", report->cpl);
	json_put_number(object, "vector", report->vector);
	json_put_hex(object, "error_code", report->error_code);
	json_put_hex(object, "exit_qualification", report->exit_qualification);
	json_put_hex(object, "guest_physical", report->guest_physical);
	json_put_hex(object, "guest_linear", report->guest_linear);
	json_put(object, "registers", json_registers(&report->registers));
	return object;
}

struct json_object *json_sample(const struct dune_client_sample *sample)
{
	struct json_object *object = json_new();

	json_put(object, "context", json_context(sample->context));
	json_put(object, "counters", json_counters(&sample->counters));
	json_put(object, "exits", json_counters(&sample->exits));
	return object;
}

struct json_object *json_event(const struct dune_client_event *event)
{
	struct json_object *object = json_new();

	json_put_text(object, "type", event->type);
	json_put_number(object, "time_usec", event->time_usec);
	json_put_number(object, "id", event->id);
	json_put_text(object, "name", event->name);
	json_put_number(object, "owner", event->owner);
	if (event->pid)
		json_put_number(object, "pid", (uint64_t)event->pid);
	json_put_text(object, "cause", event->cause);
	if (event->rip)
		json_put_hex(object, "rip", event->rip);
	json_put_text(object, "limit", event->limit);
	if (event->limit)
		json_put_number(object, "maximum", event->maximum);
	return object;
}

static struct json_object *json_bugs(const struct dune_client_module *module)
{
	struct json_object *bugs = json_new_array();

	for (size_t i = 0; i < module->nr_bugs; i++) {
		struct json_object *bug = json_new();

		json_put_text(bug, "name", module->bugs[i]->name);
		json_put_text(bug, "state", module->bugs[i]->state);
		json_put_text(bug, "how", module->bugs[i]->how);
		json_append(bugs, bug);
	}
	return bugs;
}

static struct json_object *json_module(const struct dune_client_module *module)
{
	struct json_object *object = json_new(), *features, *allocated;

	json_put(object, "loaded", json_object_new_boolean(module->loaded));
	json_put_text(object, "problem", module->problem);
	if (module->abi)
		json_put_number(object, "abi", module->abi);
	json_put_number(object, "abi_expected", module->abi_expected);
	if (module->problem)
		return object;
	json_put_text(object, "version", module->version);
	features = json_new_array();
	for (size_t i = 0; i < module->nr_features; i++)
		json_append(features, json_object_new_string(module->features[i]));
	json_put(object, "features", features);
	json_put(object, "bugs", json_bugs(module));
	json_put_number(object, "gpa_bits", module->gpa_bits);
	json_put_number(object, "slots", module->slots);
	json_put_text(object, "vmx_holder", module->vmx_holder);
	allocated = json_new();
	json_put_number(allocated, "contexts", module->allocated.contexts);
	json_put_number(allocated, "vcpus", module->allocated.vcpus);
	json_put_number(allocated, "ept_pages", module->allocated.ept_pages);
	json_put_number(allocated, "private_pages", module->allocated.private_pages);
	json_put_number(allocated, "run_pages", module->allocated.run_pages);
	json_put_number(allocated, "vmcs_pages", module->allocated.vmcs_pages);
	json_put(object, "allocated", allocated);
	json_put_number(object, "created", module->created);
	json_put_number(object, "refused", module->refused);
	json_put_number(object, "assertions", module->assertions);
	return object;
}

struct json_object *json_info(const struct dune_client_info *info)
{
	struct json_object *object = json_new(), *quotas = json_new();

	json_put_text(object, "version", info->version);
	json_put(object, "module", json_module(&info->module));
	json_put_number(quotas, "contexts_per_user", info->quotas.contexts_per_user);
	json_put_number(quotas, "contexts_per_host", info->quotas.contexts_per_host);
	json_put(quotas, "defaults", json_limits(&info->quotas.defaults));
	json_put(quotas, "maximum", json_limits(&info->quotas.maximum));
	json_put(object, "quotas", quotas);
	return object;
}
