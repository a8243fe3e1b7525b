// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl limit: other limits for a context that exists.
 */
#include "dunectl/assign.h"
#include "dunectl/dunectl.h"

static int limit_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int64_t vcpus = 0, private_pages = 0, ept_pages = 0;
	const struct assign_row rows[] = {
		{ "vcpus", false, &vcpus },
		{ "private", true, &private_pages },
		{ "ept", true, &ept_pages },
		{ 0 },
	};
	struct dune_client_limits limits = { 0 };
	const char *name;
	uint64_t id;
	int r;

	for (int i = 1; i < argc; i++) {
		if (assign_parse(rows, false, argv[i]) < 0)
			return dunectl_usage(ctl);
	}
	limits.vcpus = (uint64_t)vcpus;
	limits.private_pages = (uint64_t)private_pages;
	limits.ept_pages = (uint64_t)ept_pages;
	if (!limits.vcpus && !limits.private_pages && !limits.ept_pages) {
		dunectl_error("a limit must be above 0");
		return dunectl_usage(ctl);
	}
	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	dunectl_name_context(argv[0], &id, &name);
	r = dune_client_set_limits(client, id, name, &limits);
	return r < 0 ? dunectl_fail(ctl, client, r, "change the limits") : 0;
}

const struct dunectl_command command_limit = {
	.name = "limit",
	.arguments = "CONTEXT LIMIT...",
	.summary = "Change the limits of a context: vcpus, private, ept",
	.min_arguments = 2,
	.max_arguments = -1,
	.run = limit_run,
};
