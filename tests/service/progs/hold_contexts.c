// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A tenant in a container: creates contexts until it has as many as it wants or is refused, says how each
 * call ended, and keeps them until its standard input ends. Static: the container holds nothing else.
 *
 *   hold_contexts COUNT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dune/client.h>

#define CONTEXTS_MAX	100

int main(int argc, char **argv)
{
	struct dune_client *client;
	int count = argc == 2 ? atoi(argv[1]) : 0;
	uint64_t id;
	char byte;
	int error, fd;

	if (count < 1 || count > CONTEXTS_MAX) {
		fprintf(stderr, "Usage: hold_contexts COUNT\n");
		return 2;
	}
	error = dune_client_new(NULL, &client);
	if (error < 0) {
		printf("no service: %s\n", strerror(-error));
		return 1;
	}
	for (int i = 0; i < count; i++) {
		error = dune_client_create(client, NULL, NULL, &id, &fd);
		if (error < 0) {
			const char *name = dune_client_error_name(client);

			printf("refused %s: %s\n", name ? name : strerror(-error),
			       dune_client_error_text(client));
			break;
		}
		printf("created %" PRIu64 "\n", id);
	}
	printf("done\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	dune_client_free(client);
	return 0;
}
