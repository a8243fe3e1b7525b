// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libmicrohttpd inside libev: its epoll descriptor is one watcher, its timeout one timer. A request that
 * needs a newer sample is suspended until there is one; see http.h for the limits.
 */
#include "duned/exporter/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/exporter/clock.h"
#include "duned/exporter/expose.h"
#include "duned/exporter/page.h"

#define HTTP_SWEEP_S 1. /* how often connections are looked at */

struct connection {
	TAILQ_ENTRY(connection) link; /* by age of what they wait for, oldest first */
	struct MHD_Connection *mhd;
	int fd;
	double since_s; /* connected, last answer's end, or begin of the request */
	bool begun; /* a request line has come */
	bool served; /* has had an answer before */
	bool evicted;
};

/* One request, from its first line to its last byte. */
struct request {
	TAILQ_ENTRY(request) link; /* of those that wait for a sample */
	struct connection *connection;
	bool seen; /* the handler was called before */
	bool waiting;
	bool collected; /* a sample came while it waited */
};

struct http {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	struct http_hooks hooks;
	struct own *own;
	ev_io watcher;
	ev_timer timer; /* libmicrohttpd's own */
	ev_timer sweep;
	TAILQ_HEAD(, connection) connections;
	TAILQ_HEAD(, request) waiting;
};

/* ---- what is served where ---- */

struct answer {
	unsigned int status;
	const char *type;
	const char *text; /* static, or freed when is_allocated */
	size_t size;
	bool is_allocated;
	bool is_page; /* may be kept, and may run its script */
};

#define TEXT_PLAIN "text/plain; charset=utf-8"

static struct answer answer_text(unsigned int status, const char *text)
{
	return (struct answer){ status, TEXT_PLAIN, text, strlen(text), false, false };
}

static struct answer answer_metrics(struct http *http, struct MHD_Connection *mhd)
{
	enum expose_format format = expose_choose(
		MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	struct answer answer = { MHD_HTTP_OK, expose_type(format), NULL, 0, true, false };
	char *text;

	if (http->hooks.metrics(http->hooks.data, format == EXPOSE_OPENMETRICS, &text,
				&answer.size) < 0)
		return answer_text(MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	answer.text = text;
	return answer;
}

static struct answer answer_history(struct http *http, struct MHD_Connection *mhd)
{
	struct answer answer = { MHD_HTTP_OK, "application/json", NULL, 0, true, false };
	char *text;

	if (http->hooks.history(http->hooks.data, &text, &answer.size) < 0)
		return answer_text(MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	answer.text = text;
	return answer;
}

static struct answer answer_page(struct http *http, struct MHD_Connection *mhd)
{
	const char *known =
		MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);

	if (known && strcmp(known, page_etag) == 0)
		return (struct answer){ MHD_HTTP_NOT_MODIFIED, NULL, "", 0, false, true };
	return (struct answer){ MHD_HTTP_OK, "text/html; charset=utf-8",
				page_text,   page_size,
				false,	     true };
}

static struct answer answer_healthy(struct http *http, struct MHD_Connection *mhd)
{
	return answer_text(MHD_HTTP_OK, "the exporter runs\n");
}

static const struct route {
	const char *path;
	bool needs_sample;
	struct answer (*answer)(struct http *http, struct MHD_Connection *mhd);
} routes[] = {
	{ "/", false, answer_page },
	{ "/metrics", true, answer_metrics },
	{ "/api/history", true, answer_history },
	{ "/-/healthy", false, answer_healthy },
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* Headers of every response; a page's own text and nothing else may be run. */
static bool add_headers(struct MHD_Response *response, const struct answer *answer)
{
	const char *const headers[][2] = {
		{ "Content-Type", answer->type },
		{ "Content-Security-Policy",
		  answer->is_page ? page_policy : "default-src 'none'; frame-ancestors 'none'" },
		{ "Cache-Control", answer->is_page ? "no-cache" : "no-store" },
		{ "ETag", answer->is_page ? page_etag : NULL },
		{ "Allow", answer->status == MHD_HTTP_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Referrer-Policy", "no-referrer" },
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (headers[i][1] &&
		    MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
			return false;
	return true;
}

/* MHD_NO closes the connection. */
static enum MHD_Result respond(struct http *http, struct MHD_Connection *mhd,
			       const struct answer *answer)
{
	enum MHD_Result result = MHD_NO;
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(answer->size, (void *)answer->text,
						   answer->is_allocated ? MHD_RESPMEM_MUST_FREE :
									  MHD_RESPMEM_PERSISTENT);
	if (!response) {
		if (answer->is_allocated)
			free((void *)answer->text);
		return MHD_NO;
	}
	if (add_headers(response, answer))
		result = MHD_queue_response(mhd, answer->status, response);
	MHD_destroy_response(response);
	if (result == MHD_YES)
		own_respond(http->own, answer->status);
	return result;
}

static void wait_for_sample(struct http *http, struct request *request)
{
	MHD_suspend_connection(request->connection->mhd);
	request->waiting = true;
	TAILQ_INSERT_TAIL(&http->waiting, request, link);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request_data)
{
	bool reads = !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
	const struct route *route = find_route(path);
	struct request *request = *request_data;
	struct http *http = data;
	struct answer answer;

	if (!request)
		return MHD_NO;
	/* Answered at the first call, a request with a body ends its connection. */
	if (!request->seen && reads) {
		request->seen = true;
		return MHD_YES;
	}
	if (*upload_size)
		return MHD_NO;
	if (!reads)
		answer = answer_text(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	else if (!route)
		answer = answer_text(MHD_HTTP_NOT_FOUND,
				     "nothing here; there are /, /metrics and /api/history\n");
	else if (route->needs_sample && !request->collected &&
		 !http->hooks.want(http->hooks.data)) {
		wait_for_sample(http, request);
		return MHD_YES;
	} else {
		answer = route->answer(http, mhd);
	}
	return respond(http, mhd, &answer);
}

/* ---- connections ---- */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* libmicrohttpd sees the end of the stream and closes. */
static void evict(struct http *http, struct connection *connection)
{
	if (connection->evicted)
		return;
	connection->evicted = true;
	http->own->evicted++;
	shutdown(connection->fd, SHUT_RDWR);
}

/* It begins to wait for something new: the youngest. */
static void renew(struct http *http, struct connection *connection)
{
	TAILQ_REMOVE(&http->connections, connection, link);
	TAILQ_INSERT_TAIL(&http->connections, connection, link);
	connection->since_s = clock_s(CLOCK_MONOTONIC);
}

/* So that those who hold connections can't keep others out. */
static void make_room(struct http *http)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &http->connections, link)
	{
		if (!connection->evicted) {
			evict(http, connection);
			return;
		}
	}
}

static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct connection *connection = *context;
	struct http *http = data;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection = calloc(1, sizeof(*connection));
		*context = connection;
		if (!connection)
			return;
		connection->mhd = mhd;
		connection->fd =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		connection->since_s = clock_s(CLOCK_MONOTONIC);
		TAILQ_INSERT_TAIL(&http->connections, connection, link);
		if (++http->own->connections > HTTP_ROOMY)
			make_room(http);
		if (!ev_is_active(&http->sweep))
			ev_timer_again(http->loop, &http->sweep);
	} else if (connection) {
		TAILQ_REMOVE(&http->connections, connection, link);
		if (--http->own->connections == 0)
			ev_timer_stop(http->loop, &http->sweep);
		free(connection);
		*context = NULL;
	}
}

/* The request line is here; what is returned is the request's data. */
static void *on_uri(void *data, const char *uri, struct MHD_Connection *mhd)
{
	struct connection *connection = connection_of(mhd);
	struct request *request = connection ? calloc(1, sizeof(*request)) : NULL;
	struct http *http = data;

	if (!request)
		return NULL;
	request->connection = connection;
	connection->begun = true;
	renew(http, connection);
	return request;
}

static void on_completed(void *data, struct MHD_Connection *mhd, void **request_data,
			 enum MHD_RequestTerminationCode code)
{
	struct request *request = *request_data;
	struct http *http = data;

	if (!request)
		return;
	if (request->waiting)
		TAILQ_REMOVE(&http->waiting, request, link);
	request->connection->begun = false;
	request->connection->served = true;
	renew(http, request->connection);
	free(request);
	*request_data = NULL;
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct http *http = timer->data;
	struct connection *connection;

	TAILQ_FOREACH(connection, &http->connections, link)
	{
		double limit = connection->begun  ? HTTP_REQUEST_S :
			       connection->served ? HTTP_IDLE_S :
						    HTTP_FIRST_S;

		if (clock_s(CLOCK_MONOTONIC) - connection->since_s > limit)
			evict(http, connection);
	}
}

/* ---- the loop ---- */

static void http_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
		ev_timer_set(&http->timer, (double)wait_ms / 1000, 0.);
		ev_timer_start(http->loop, &http->timer);
	} else {
		ev_timer_stop(http->loop, &http->timer);
	}
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct http *http = watcher->data;

	ev_timer_stop(loop, &http->timer);
	http_run(http);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	http_run(timer->data);
}

void http_collected(struct http *http)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&http->waiting))) {
		TAILQ_REMOVE(&http->waiting, request, link);
		request->waiting = false;
		request->collected = true;
		MHD_resume_connection(request->connection->mhd);
	}
	ev_timer_stop(http->loop, &http->timer);
	http_run(http);
}

/* Paths are compared as they are: nothing here has a name that would need escapes. */
static size_t keep_escapes(void *data, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
				http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION,
				on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				http, MHD_OPTION_URI_LOG_CALLBACK, on_uri, http,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_MAX_CONNECTIONS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MAX_HEADER_BYTES,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
				keep_escapes, NULL, MHD_OPTION_END);
}

int http_new(struct ev_loop *loop, int fd, const struct http_hooks *hooks, struct own *own,
	     struct http **ret_http)
{
	struct http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;

	if (!http) {
		close(fd);
		return -ENOMEM;
	}
	*http = (struct http){ .loop = loop, .hooks = *hooks, .own = own };
	TAILQ_INIT(&http->connections);
	TAILQ_INIT(&http->waiting);
	http->daemon = start_daemon(http, fd);
	if (!http->daemon) {
		close(fd);
		free(http);
		return -EIO;
	}
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&http->watcher, on_ready, info->epoll_fd, EV_READ);
	ev_init(&http->timer, on_timer);
	ev_timer_init(&http->sweep, on_sweep, HTTP_SWEEP_S, HTTP_SWEEP_S);
	http->watcher.data = http->timer.data = http->sweep.data = http;
	ev_io_start(loop, &http->watcher);
	*ret_http = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	/* libmicrohttpd wants no connection suspended at its end. */
	http_collected(http);
	ev_io_stop(http->loop, &http->watcher);
	ev_timer_stop(http->loop, &http->timer);
	MHD_stop_daemon(http->daemon);
	ev_timer_stop(http->loop, &http->sweep);
	free(http);
}
