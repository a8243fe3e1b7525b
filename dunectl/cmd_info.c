// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl info: the service, the module and the quotas in force.
 */
#include <stdio.h>

#include <json-c/json.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"

static const struct output_column pairs[] = {
	{ "Service version", "version", OUTPUT_TEXT },
	{ "Module problem", "module.problem", OUTPUT_TEXT },
	{ "Module version", "module.version", OUTPUT_TEXT },
	{ "Module ABI", "module.abi", OUTPUT_NUMBER },
	{ "ABI of the service", "module.abi_expected", OUTPUT_NUMBER },
	{ "Features", "module.features", OUTPUT_TEXT },
	{ "Guest-physical bits", "module.gpa_bits", OUTPUT_NUMBER },
	{ "Slots of a context", "module.slots", OUTPUT_NUMBER },
	{ "VMX is held by", "module.vmx_holder", OUTPUT_TEXT },
	{ "Contexts now", "module.allocated.contexts", OUTPUT_NUMBER },
	{ "Vcpus now", "module.allocated.vcpus", OUTPUT_NUMBER },
	{ "Private memory now", "module.allocated.private_pages", OUTPUT_PAGES },
	{ "EPT tables now", "module.allocated.ept_pages", OUTPUT_PAGES },
	{ "Run pages now", "module.allocated.run_pages", OUTPUT_NUMBER },
	{ "VMCS pages now", "module.allocated.vmcs_pages", OUTPUT_NUMBER },
	{ "Contexts created", "module.created", OUTPUT_NUMBER },
	{ "Refused by limits", "module.refused", OUTPUT_NUMBER },
	{ "Failed assertions", "module.assertions", OUTPUT_NUMBER },
	{ "Contexts per user", "quotas.contexts_per_user", OUTPUT_NUMBER },
	{ "Contexts per host", "quotas.contexts_per_host", OUTPUT_NUMBER },
	{ "Default vcpus", "quotas.defaults.vcpus", OUTPUT_LIMIT },
	{ "Default private memory", "quotas.defaults.private_pages", OUTPUT_LIMIT_PAGES },
	{ "Default EPT tables", "quotas.defaults.ept_pages", OUTPUT_LIMIT_PAGES },
	{ "Maximum vcpus", "quotas.maximum.vcpus", OUTPUT_LIMIT },
	{ "Maximum private memory", "quotas.maximum.private_pages", OUTPUT_LIMIT_PAGES },
	{ "Maximum EPT tables", "quotas.maximum.ept_pages", OUTPUT_LIMIT_PAGES },
};

static const struct output_column bug_columns[] = {
	{ "BUG OF THE CPU", "name", OUTPUT_TEXT },
	{ "IN GUESTS", "state", OUTPUT_STATE },
	{ "HOW", "how", OUTPUT_TEXT },
};

static void show(const struct output *output, struct json_object *object)
{
	struct json_object *bugs;

	output_pairs(output, pairs, sizeof(pairs) / sizeof(pairs[0]), object);
	bugs = json_object_object_get(json_object_object_get(object, "module"), "bugs");
	if (!bugs || !json_object_array_length(bugs))
		return;
	putchar('\n');
	output_table(output, bug_columns, sizeof(bug_columns) / sizeof(bug_columns[0]), bugs, NULL);
}

static int info_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	JSON_CLEANUP struct json_object *object = NULL;
	struct dune_client_info *info;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_info(client, &info);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "ask the service about itself");
	object = json_info(info);
	dune_client_info_free(info);
	if (!output_as_json(&ctl->output, object))
		show(&ctl->output, object);
	return 0;
}

const struct dunectl_command command_info = {
	.name = "info",
	.arguments = "",
	.summary = "Show the service, the module and the quotas in force",
	.run = info_run,
};
