/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP side: what is served where, and limits on those who ask. Owns the listening socket and all
 * connections; runs in the loop and never waits.
 */
#ifndef DUNED_EXPORTER_HTTP_H
#define DUNED_EXPORTER_HTTP_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "duned/exporter/own.h"

#define HTTP_MAX_CONNECTIONS  64
#define HTTP_ROOMY	      56 /* above this, who has waited longest goes */
#define HTTP_MAX_HEADER_BYTES 16384 /* of a request, and of what is kept for it */
#define HTTP_REQUEST_S	      10. /* from a request's first line to its answer's last byte */
#define HTTP_FIRST_S	      10. /* from connecting to the first request */
#define HTTP_IDLE_S	      150. /* between requests */

struct http;

/* What may be answered at once is answered from these; NULL text: 503. */
struct http_hooks {
	/* True when there is a fresh sample; else http_collected() will be called. */
	bool (*want)(void *data);
	int (*metrics)(void *data, bool openmetrics, char **ret_text, size_t *ret_size);
	int (*history)(void *data, char **ret_text, size_t *ret_size);
	void *data;
};

/* fd: a listening stream socket, owned from then on (also on failure). -errno. */
int http_new(struct ev_loop *loop, int fd, const struct http_hooks *hooks, struct own *own,
	     struct http **ret_http);

/* Closes all connections. Takes NULL. */
void http_free(struct http *http);

/* Those who wait for a sample can be answered. */
void http_collected(struct http *http);

#endif
