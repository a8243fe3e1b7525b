// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The way to the service, and how the command line names a context.
 */
#include <stdio.h>

#include "dunectl/dunectl.h"

int dunectl_connect(const struct dunectl *ctl, struct dune_client **ret_client)
{
	int r;

	r = dune_client_new(ctl->socket, ret_client);
	if (r < 0)
		return dunectl_fail(ctl, NULL, r, "reach duned");
	dune_client_set_timeout(*ret_client, ctl->timeout_ms);
	return 0;
}

void dunectl_name_context(const char *text, uint64_t *ret_id, const char **ret_name)
{
	if (parse_u64(text, ret_id) < 0 || *ret_id == 0) {
		*ret_id = 0;
		*ret_name = text;
	} else {
		*ret_name = NULL;
	}
}

void dunectl_client_free(struct dune_client **client)
{
	dune_client_free(*client);
}
