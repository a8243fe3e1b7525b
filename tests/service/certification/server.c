// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * certification-server SOCKET IDL-FILE: the interface org.varlink.certification on duned's own engine: its
 * connections, decoder and encoder, with this file instead of its methods (the linker redirects methods_answer()).
 * The client has to send back in every call what it got from the one before; what it gets here is chosen to be hard
 * to pass on: the ends of int64, escapes, characters beyond 16 bits, a float without a fraction. Must never answer
 * "all well" to a client that changed anything.
 */
#include <errno.h>
#include <ev.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/config.h"
#include "duned/json.h"
#include "duned/listen.h"
#include "duned/log.h"
#include "duned/manager.h"
#include "duned/methods.h"
#include "duned/server.h"

#define INTERFACE   "org.varlink.certification"
#define MAX_IDL	    65536 /* bytes of the description */
#define MAX_CLIENTS 16 /* certified at the same time; the oldest is forgotten */
#define ID_SIZE	    24
#define REPLIES	    10 /* of the test with `more` */

#define STRUCT_7 \
	"\"bool\":true,\"int\":-9223372036854775808,\"float\":-2.5e-3,\"string\":\"\\\"\\\\\\n\xf0\x9f\x8f\x9c\""
#define MAP "{\"\":\"empty\",\"a b\":\"\",\"\xc3\xa4\":\"\\u0001\"}"
#define SET "{\"one\":{},\"two\":{},\"three\":{}}"
#define MYTYPE                                                                                    \
	"{\"object\":{\"any\":[1,\"two\",{\"three\":null}]},\"enum\":\"three\","                  \
	"\"struct\":{\"first\":9223372036854775807,\"second\":\"2\"},"                            \
	"\"array\":[\"\",\"one\",\"two\"],\"dictionary\":{\"foo\":\"Foo\",\"bar\":\"Bar\"},"      \
	"\"stringset\":{\"a\":{},\"b\":{}},\"nullable\":null,\"nullable_array_struct\":null,"     \
	"\"interface\":{\"foo\":[null,{\"foo\":\"foo\",\"bar\":\"bar\"},null,{\"one\":\"baz\"}]," \
	"\"anon\":{\"foo\":true,\"bar\":false}}}"
#define LIST                                                                                    \
	"[\"reply 1\",\"reply 2\",\"reply 3\",\"reply 4\",\"reply 5\",\"reply 6\",\"reply 7\"," \
	"\"reply 8\",\"reply 9\",\"reply 10\"]"

/* In the order in which a client calls them; each expects what the one before replied. */
static const struct test {
	const char *method;
	unsigned int flags;
	const char *expects; /* beside client_id */
	const char *reply;
} tests[] = {
	{ INTERFACE ".Test01", 0, "{}", "{\"bool\":true}" },
	{ INTERFACE ".Test02", 0, "{\"bool\":true}", "{\"int\":9223372036854775807}" },
	{ INTERFACE ".Test03", 0, "{\"int\":9223372036854775807}", "{\"float\":1.0}" },
	{ INTERFACE ".Test04", 0, "{\"float\":1.0}", "{\"string\":\"\\u00fc\\t/\\u20ac\"}" },
	{ INTERFACE ".Test05", 0, "{\"string\":\"\\u00fc\\t/\\u20ac\"}", "{" STRUCT_7 "}" },
	{ INTERFACE ".Test06", 0, "{" STRUCT_7 "}", "{\"struct\":{" STRUCT_7 "}}" },
	{ INTERFACE ".Test07", 0, "{\"struct\":{" STRUCT_7 "}}", "{\"map\":" MAP "}" },
	{ INTERFACE ".Test08", 0, "{\"map\":" MAP "}", "{\"set\":" SET "}" },
	{ INTERFACE ".Test09", 0, "{\"set\":" SET "}", "{\"mytype\":" MYTYPE "}" },
	{ INTERFACE ".Test10", VARLINK_MORE, "{\"mytype\":" MYTYPE "}", NULL },
	{ INTERFACE ".Test11", VARLINK_ONEWAY, "{\"last_more_replies\":" LIST "}", "{}" },
	{ INTERFACE ".End", 0, "{}", "{\"all_ok\":true}" },
};
#define NR_TESTS (sizeof(tests) / sizeof(tests[0]))

struct client {
	char id[ID_SIZE];
	size_t next; /* test */
	unsigned int replies; /* given to Test10 */
};

static struct client clients[MAX_CLIENTS];
static unsigned long nr_started;
static char idl[MAX_IDL];

/* ---- comparing ---- */

static bool same(struct json_object *a, struct json_object *b);

/* A member that is null is as good as absent. */
static bool members_in(struct json_object *a, struct json_object *b)
{
	json_object_object_foreach(a, key, value) {
		if (value && !same(value, json_object_object_get(b, key)))
			return false;
	}
	return true;
}

static bool same_arrays(struct json_object *a, struct json_object *b)
{
	size_t count = json_object_array_length(a);

	if (json_object_array_length(b) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!same(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
			return false;
	}
	return true;
}

/* 1 and 1.0 are the same number; everything else has to be of one type. */
static bool same(struct json_object *a, struct json_object *b)
{
	enum json_type type = json_object_get_type(a), other = json_object_get_type(b);

	if (type != other)
		return (type == json_type_double && other == json_type_int &&
			json_object_get_double(a) == json_object_get_double(b)) ||
		       (type == json_type_int && other == json_type_double && same(b, a));
	if (type == json_type_object)
		return members_in(a, b) && members_in(b, a);
	if (type == json_type_array)
		return same_arrays(a, b);
	return json_object_equal(a, b);
}

/* ---- answering ---- */

static int answer_text(struct answer *answer, const char *text)
{
	answer->parameters = json_tokener_parse(text);
	return answer->parameters ? 0 : -ENOMEM;
}

static int answer_wrong(struct answer *answer, const char *wants, const struct varlink_call *call)
{
	struct json_object *parameters = json_object_new_object();
	struct json_object *wanted = json_object_new_object();

	json_put_string(wanted, "method", wants);
	json_put(parameters, "wants", wanted);
	json_put(parameters, "got", json_object_get(call->message));
	fprintf(stderr, "certification: %s wanted, got %s\n", wants,
		json_object_to_json_string_ext(call->message, JSON_C_TO_STRING_PLAIN));
	return answer_error(answer, INTERFACE ".CertificationError", parameters);
}

static struct client *client_find(const char *id)
{
	for (size_t i = 0; id && i < MAX_CLIENTS; i++) {
		if (clients[i].id[0] && !strcmp(clients[i].id, id))
			return &clients[i];
	}
	return NULL;
}

static int start(struct answer *answer)
{
	struct client *client = &clients[nr_started % MAX_CLIENTS];

	*client = (struct client){ 0 };
	snprintf(client->id, sizeof(client->id), "client-%lu", ++nr_started);
	answer->parameters = json_object_new_object();
	return json_put_string(answer->parameters, "client_id", client->id) ? 0 : -ENOMEM;
}

static int answer_more(struct client *client, struct answer *answer)
{
	char text[16];

	snprintf(text, sizeof(text), "reply %u", ++client->replies);
	if (client->replies < REPLIES)
		answer->interval_ms = 1;
	else
		client->next++;
	answer->parameters = json_object_new_object();
	return json_put_string(answer->parameters, "string", text) ? 0 : -ENOMEM;
}

static int run_test(const struct varlink_call *call, struct answer *answer)
{
	const char *id =
		json_object_get_string(json_object_object_get(call->parameters, "client_id"));
	struct client *client = client_find(id);
	const struct test *test;
	struct json_object *expected;
	bool well;

	if (!client)
		return answer_error(answer, INTERFACE ".ClientIdError", json_object_new_object());
	test = &tests[client->next];
	expected = json_tokener_parse(test->expects);
	json_put_string(expected, "client_id", id);
	well = !strcmp(call->method, test->method) &&
	       (call->flags & ~METHODS_AGAIN) == test->flags && same(expected, call->parameters);
	json_object_put(expected);
	if (!well) {
		client->id[0] = '\0';
		return answer_wrong(answer, test->method, call);
	}
	if (!test->reply)
		return answer_more(client, answer);
	if (++client->next == NR_TESTS)
		client->id[0] = '\0';
	return answer_text(answer, test->reply);
}

static int describe(const struct varlink_call *call, struct answer *answer)
{
	const char *name =
		json_object_get_string(json_object_object_get(call->parameters, "interface"));

	answer->parameters = json_object_new_object();
	if (name && !strcmp(name, INTERFACE))
		return json_put_string(answer->parameters, "description", idl) ? 0 : -ENOMEM;
	return answer_error(answer, VARLINK_ERROR("InterfaceNotFound"), json_object_new_object());
}

static int answer_call(struct varlink_call *call, struct answer *ret_answer)
{
	if (!strcmp(call->method, INTERFACE ".Start") && !call->parameters)
		return start(ret_answer);
	if (!strncmp(call->method, INTERFACE ".", sizeof(INTERFACE)))
		return run_test(call, ret_answer);
	if (!strcmp(call->method, VARLINK_SERVICE ".GetInfo"))
		return answer_text(
			ret_answer,
			"{\"vendor\":\"Dune\",\"product\":\"certification\",\"version\":\"1\","
			"\"url\":\"file:///\",\"interfaces\":[\"" INTERFACE "\",\"" VARLINK_SERVICE
			"\"]}");
	if (!strcmp(call->method, VARLINK_SERVICE ".GetInterfaceDescription"))
		return describe(call, ret_answer);
	return answer_error(ret_answer, VARLINK_ERROR("MethodNotFound"), json_object_new_object());
}

/* Instead of methods_answer(): answering.c calls this one. */
int __wrap_methods_answer(struct manager *manager, const struct peer *peer,
			  struct varlink_call *call, struct answer *ret_answer);
int __wrap_methods_answer(struct manager *manager, const struct peer *peer,
			  struct varlink_call *call, struct answer *ret_answer)
{
	int r = answer_call(call, ret_answer);

	return r < 0 ? r : 0;
}

static bool read_idl(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file)
		return false;
	size = fread(idl, 1, sizeof(idl) - 1, file);
	fclose(file);
	return size > 0;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(EVFLAG_NOENV);
	struct manager manager;
	struct server server;
	struct config config;
	struct listen listen;

	if (argc != 3 || !loop || !read_idl(argv[2]) || listen_open(argv[1], &listen) < 0) {
		fputs("usage: certification-server SOCKET IDL-FILE\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	log_init(false);
	config_defaults(&config);
	if (manager_init(&manager, loop, &config, "fake:absent") < 0)
		return 1;
	server_init(&server, &manager, loop, listen.fds);
	ev_run(loop, 0);
	return 0;
}
