// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The service's own counters; see counters.h. The names of errors are read from the interfaces' own
 * text, so there is no second list of them.
 */
#include "duned/counters.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "duned/interfaces.h"
#include "duned/json.h"
#include "proto/methods.h"
#include "proto/varlink.h"

#define ERRORS_MAX 64	/* errors of all interfaces together */

static const char *const counter_names[NR_COUNTERS] = {
#define ROW(symbol, name) [COUNTER_##symbol] = name,
	DUNED_COUNTERS(ROW)
#undef ROW
};

static const struct {
	const char *full;
	const char *name;
} methods[] = {
#define ROW(interface, name, access, handler) { interface "." name, name },
	DUNE_METHODS(ROW)
#undef ROW
};

#define NR_METHODS (sizeof(methods) / sizeof(methods[0]))

static const char *const message_names[NR_MESSAGE_IDS] = { [MESSAGE_NONE] = "none",
#define ROW(symbol, id, what) [MESSAGE_##symbol] = #symbol,
							   DUNE_MESSAGES(ROW)
#undef ROW
};

struct error {
	char full[VARLINK_MAX_METHOD];
	const char *name;	/* inside of `full` */
	uint64_t count;
};

static struct {
	uint64_t values[NR_COUNTERS];
	uint64_t calls[NR_METHODS + 1];	/* the last: other */
	uint64_t messages[NR_MESSAGE_IDS];
	struct error errors[ERRORS_MAX];
	size_t nr_errors;	/* 0: not read yet */
	uint64_t other_errors;
} counts;

void counter_add(enum counter counter, uint64_t amount)
{
	counts.values[counter] += amount;
}

void counter_sub(enum counter counter, uint64_t amount)
{
	counts.values[counter] -= amount;
}

void counters_call(const char *method)
{
	size_t i = 0;

	while (i < NR_METHODS && strcmp(methods[i].full, method) != 0)
		i++;
	counts.calls[i]++;
}

void counters_message(enum message_id id)
{
	counts.messages[id]++;
}

/* ---- errors ---- */

/* One interface's lines "error Name (...)". */
static void read_errors(const struct interface *interface)
{
	static const char word[] = "\nerror ";

	for (const char *p = strstr(interface->text, word); p; p = strstr(p, word)) {
		struct error *error = &counts.errors[counts.nr_errors];
		size_t length;

		p += strlen(word);
		length = strcspn(p, " (\n");
		if (counts.nr_errors == ERRORS_MAX)
			return;
		snprintf(error->full, sizeof(error->full), "%s.%.*s", interface->name, (int)length,
			 p);
		error->name = error->full + strlen(interface->name) + 1;
		counts.nr_errors++;
	}
}

static void errors_init(void)
{
	if (counts.nr_errors)
		return;
	for (size_t i = 0; i < nr_interfaces; i++)
		read_errors(&interfaces[i]);
}

void counters_error(const char *error)
{
	errors_init();
	for (size_t i = 0; i < counts.nr_errors; i++) {
		if (!strcmp(counts.errors[i].full, error)) {
			counts.errors[i].count++;
			return;
		}
	}
	counts.other_errors++;
}

/* ---- as JSON ---- */

struct json_object *counters_json(void)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < NR_COUNTERS; i++)
		ok = json_put_int(object, counter_names[i], counts.values[i]);
	return json_finish(object, ok);
}

struct json_object *counters_calls_json(void)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < NR_METHODS; i++)
		ok = json_put_int(object, methods[i].name, counts.calls[i]);
	return json_finish(object, ok && json_put_int(object, "other", counts.calls[NR_METHODS]));
}

struct json_object *counters_errors_json(void)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	errors_init();
	for (size_t i = 0; ok && i < counts.nr_errors; i++)
		ok = json_put_int(object, counts.errors[i].name, counts.errors[i].count);
	return json_finish(object, ok && json_put_int(object, "other", counts.other_errors));
}

struct json_object *counters_messages_json(void)
{
	struct json_object *object = json_object_new_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < NR_MESSAGE_IDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s", message_names[i]);
		for (char *p = name; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		ok = json_put_int(object, name, counts.messages[i]);
	}
	return json_finish(object, ok);
}
