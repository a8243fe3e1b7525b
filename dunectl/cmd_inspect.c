// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl inspect: everything about contexts, and how they ended.
 */
#include <stdio.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"
#include "dunectl/table.h"

static const struct output_column pairs[] = {
	{ "Context", "id", OUTPUT_NUMBER },
	{ "Name", "name", OUTPUT_TEXT },
	{ "Owner", "owner", OUTPUT_NUMBER },
	{ "Process", "pid", OUTPUT_NUMBER },
	{ "Command", "command", OUTPUT_TEXT },
	{ "State", "state", OUTPUT_STATE },
	{ "Cause", "cause", OUTPUT_TEXT },
	{ "Vcpus", "usage.vcpus", OUTPUT_NUMBER },
	{ "Vcpu limit", "limits.vcpus", OUTPUT_LIMIT },
	{ "Private memory", "usage.private_pages", OUTPUT_PAGES },
	{ "Private limit", "limits.private_pages", OUTPUT_LIMIT_PAGES },
	{ "EPT tables", "usage.ept_pages", OUTPUT_PAGES },
	{ "EPT limit", "limits.ept_pages", OUTPUT_LIMIT_PAGES },
};

static const struct output_column report_pairs[] = {
	{ "Exit reason", "exit_reason", OUTPUT_TEXT },
	{ "Privilege level", "cpl", OUTPUT_NUMBER },
	{ "Vector", "vector", OUTPUT_NUMBER },
	{ "Error code", "error_code", OUTPUT_TEXT },
	{ "Qualification", "exit_qualification", OUTPUT_TEXT },
	{ "Guest physical", "guest_physical", OUTPUT_TEXT },
	{ "Guest linear", "guest_linear", OUTPUT_TEXT },
};

static const char *const register_names[] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi",    "rbp", "rsp", "r8",  "r9",	 "r10", "r11",
	"r12", "r13", "r14", "r15", "rip", "rflags", "cs",  "ss",  "cr0", "cr2", "cr3", "cr4",
};

#define REGISTERS_A_LINE 4

static void print_registers(struct json_object *registers)
{
	for (size_t i = 0; i < sizeof(register_names) / sizeof(register_names[0]); i++)
		printf("%6s %s%s", register_names[i],
		       json_object_get_string(json_object_object_get(registers, register_names[i])),
		       (i + 1) % REGISTERS_A_LINE ? "" : "\n");
}

static void print_for_people(const struct output *output, struct json_object *object)
{
	struct json_object *report = json_object_object_get(object, "report");

	output_pairs(output, pairs, sizeof(pairs) / sizeof(pairs[0]),
		     json_object_object_get(object, "context"));
	if (report) {
		printf("\nGuest fault:\n");
		output_pairs(output, report_pairs, sizeof(report_pairs) / sizeof(report_pairs[0]),
			     report);
		print_registers(json_object_object_get(report, "registers"));
	}
	putchar('\n');
	table_counters(output, json_object_object_get(object, "counters"));
	putchar('\n');
	table_exits(output, json_object_object_get(object, "exits"));
}

static struct json_object *to_json(const struct dune_client_inspection *inspection)
{
	struct json_object *object = json_new();

	json_put(object, "context", json_context(inspection->context));
	json_put(object, "counters", json_counters(&inspection->counters));
	json_put(object, "exits", json_counters(&inspection->exits));
	if (inspection->report)
		json_put(object, "report", json_report(inspection->report));
	return object;
}

static int inspect_one(struct dunectl *ctl, struct dune_client *client, const char *text)
{
	JSON_CLEANUP struct json_object *object = NULL;
	struct dune_client_inspection *inspection;
	const char *name;
	uint64_t id;
	int r;

	dunectl_name_context(text, &id, &name);
	r = dune_client_inspect(client, id, name, &inspection);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "inspect the context");
	object = to_json(inspection);
	dune_client_inspection_free(inspection);
	if (!output_as_json(&ctl->output, object))
		print_for_people(&ctl->output, object);
	return 0;
}

static int inspect_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int status = 0, r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	for (int i = 0; i < argc; i++) {
		if (i > 0 && ctl->output.json == OUTPUT_JSON_OFF)
			putchar('\n');
		r = inspect_one(ctl, client, argv[i]);
		status = status ? status : r;
	}
	return status;
}

const struct dunectl_command command_inspect = {
	.name = "inspect",
	.arguments = "CONTEXT...",
	.summary = "Show everything about contexts, and how they ended",
	.min_arguments = 1,
	.max_arguments = -1,
	.run = inspect_run,
};
