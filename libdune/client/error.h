/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The errors of io.dune.Manager and org.varlink.service, as errno and as a sentence. One table; an error
 * that it does not know is -EREMOTEIO.
 */
#ifndef DUNE_CLIENT_ERROR_H
#define DUNE_CLIENT_ERROR_H

#include <stddef.h>

struct json_object;

/*
 * Writes the sentence for an error reply (always terminated, printable) and returns the negative errno.
 * parameters may be NULL or anything at all.
 */
int client_error_translate(const char *name, struct json_object *parameters, char *text,
			   size_t size);

/* The sentence for a failure of the connection itself. */
const char *client_error_text(int error);

#endif
