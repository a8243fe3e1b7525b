// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl reload: the service reads its configuration again; done when it is in force, or refused.
 */
#include <stdio.h>

#include "dunectl/dunectl.h"

/* The offending part of the line, underlined. */
static void show_line(const struct dune_client *client)
{
	const char *text = dune_client_error_string(client, "text");
	uint64_t caret = dune_client_error_number(client, "caret");
	uint64_t length = dune_client_error_number(client, "caret_length");

	if (!text || caret > 200 || length > 200)
		return;
	fputs("  ", stderr);
	for (; *text; text++)
		fputc(*text >= ' ' && *text <= '~' ? *text : '?', stderr);
	fprintf(stderr, "\n  %*s^", (int)caret, "");
	for (uint64_t i = 1; i < length; i++)
		fputc('~', stderr);
	fputc('\n', stderr);
}

static int reload_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int r, status;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	r = dune_client_reload(client);
	if (r == 0)
		return 0;
	status = dunectl_fail(ctl, client, r, "reload");
	show_line(client);
	return status;
}

const struct dunectl_command command_reload = {
	.name = "reload",
	.arguments = "",
	.summary = "Make the service read its configuration again",
	.run = reload_run,
};
