// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl version: of this build, and what ABI it was made for. Asks nobody.
 */
#include <stdio.h>

#include <dune/dune_abi.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"

static int version_run(struct dunectl *ctl, int argc, char **argv)
{
	JSON_CLEANUP struct json_object *object = json_new();

	json_put_text(object, "version", DUNE_VERSION);
	json_put_number(object, "abi", DUNE_ABI_VERSION);
	if (!output_as_json(&ctl->output, object))
		printf("dunectl %s (module ABI %d)\n", DUNE_VERSION, DUNE_ABI_VERSION);
	return 0;
}

const struct dunectl_command command_version = {
	.name = "version",
	.arguments = "",
	.summary = "Show the version of this program",
	.run = version_run,
};
