// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl kill: ends contexts.
 */
#include "dunectl/dunectl.h"

static int kill_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int status = 0, r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	for (int i = 0; i < argc; i++) {
		const char *name;
		uint64_t id;

		dunectl_name_context(argv[i], &id, &name);
		r = dune_client_kill(client, id, name);
		if (r < 0) {
			r = dunectl_fail(ctl, client, r, "kill the context");
			status = status ? status : r;
		}
	}
	return status;
}

const struct dunectl_command command_kill = {
	.name = "kill",
	.arguments = "CONTEXT...",
	.summary = "End contexts, with SIGKILL to their processes",
	.min_arguments = 1,
	.max_arguments = -1,
	.run = kill_run,
};
