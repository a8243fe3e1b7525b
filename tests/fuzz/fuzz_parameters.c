// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Declared parameters: the interface's own text says which parameters each method takes and of what
 * type. Every method is called with parameters of any type and range; where a type is not the declared
 * one, or a parameter is unknown, the answer must be InvalidParameter and name one that is wrong.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duned/config.h"
#include "duned/interfaces.h"
#include "duned/manager.h"
#include "duned/methods.h"
#include "proto/varlink.h"

#define MAX_METHODS 64
#define MAX_PARAMS  16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

/* ---- the declarations ---- */

static struct method {
	char name[VARLINK_MAX_METHOD];
	struct parameter {
		char name[64];
		char type; /* i s b o a: as the values below; ? unknown */
	} parameters[MAX_PARAMS];
	unsigned int nr_parameters;
} methods[MAX_METHODS];
static unsigned int nr_methods;

static char type_of(const char *text)
{
	text += strspn(text, "?");
	if (!strncmp(text, "[]", 2))
		return 'a';
	if (!strncmp(text, "int", 3))
		return 'i';
	if (!strncmp(text, "string", 6) || *text == '(')
		return 's';
	if (!strncmp(text, "bool", 4))
		return 'b';
	/* A struct, or a map; a capital letter begins a named type, which here is always a struct. */
	return 'o';
}

/* "name: type, ..." up to the closing parenthesis. */
static void read_parameters(struct method *method, const char *text)
{
	for (;;) {
		size_t length;
		int depth = 0;

		text += strspn(text, " \t\n,");
		if (*text == '#') {
			text += strcspn(text, "\n");
			continue;
		}
		if (*text == ')')
			return;
		length = strcspn(text, ":");
		require(method->nr_parameters < MAX_PARAMS && length < 64);
		snprintf(method->parameters[method->nr_parameters].name, 64, "%.*s", (int)length,
			 text);
		text += length + 1;
		text += strspn(text, " ");
		method->parameters[method->nr_parameters++].type = type_of(text);
		for (; depth || (*text != ',' && *text != ')'); text++)
			depth += (*text == '(') - (*text == ')');
	}
}

static void read_interfaces(void)
{
	for (size_t i = 0; i < nr_interfaces; i++) {
		const char *text = interfaces[i].text;

		while ((text = strstr(text, "\nmethod "))) {
			struct method *method = &methods[nr_methods++];
			size_t length;

			require(nr_methods <= MAX_METHODS);
			text += strlen("\nmethod ");
			length = strcspn(text, " (");
			snprintf(method->name, sizeof(method->name), "%s.%.*s", interfaces[i].name,
				 (int)length, text);
			text = strchr(text, '(') + 1;
			read_parameters(method, text);
		}
	}
	require(nr_methods >= 8);
}

/* ---- values ---- */

static const struct {
	char type;
	const char *text;
} values[] = {
	{ 'i', "0" },
	{ 'i', "1" },
	{ 'i', "-1" },
	{ 'i', "2" },
	{ 'i', "1000" },
	{ 'i', "9223372036854775807" },
	{ 'i', "-9223372036854775808" },
	{ 'i', "4294967296" },
	{ 'i', "18446744073709551615" },
	{ 's', "\"\"" },
	{ 's', "\"a\"" },
	{ 's', "\"io.dune.Manager\"" },
	{ 's', "\"user\"" },
	{ 's', "\"host\"" },
	{ 's', "\"..\"" },
	{ 's', "\"\\ud83d\\ude00\"" },
	{ 's', "\"0123456789012345678901234567890123456789012345678901234567890123\"" },
	{ 'b', "true" },
	{ 'b', "false" },
	{ 'o', "{}" },
	{ 'o', "{\"vcpus\":1}" },
	{ 'o', "{\"vcpus\":\"1\"}" },
	{ 'o', "{\"vcpus\":0,\"private_pages\":-1}" },
	{ 'o', "{\"contexts\":5}" },
	{ 'o', "{\"nothing\":1}" },
	{ 'a', "[]" },
	{ 'a', "[1]" },
	{ 'a', "[\"ended\"]" },
	{ 'a', "[\"ended\",\"ended\",null]" },
	{ 'a', "[[[[[]]]]]" },
	{ 'f', "1.5" },
	{ 'f', "1e3" },
	{ 'f', "-0.0" },
	{ 'n', "null" },
};

#define NR_VALUES (sizeof(values) / sizeof(values[0]))

/* ---- calls ---- */

static struct manager manager;

/* Is a call with this parameter wrong in itself, whatever the others are? */
static bool is_wrong(const struct parameter *parameter, char type)
{
	return parameter->type == '?' || (type != 'n' && type != parameter->type);
}

static void check_named(const struct answer *answer, const struct parameter *const *wrong,
			unsigned int nr_wrong)
{
	struct json_object *named = NULL;

	require(!strcmp(answer->error, "org.varlink.service.InvalidParameter"));
	require(json_object_object_get_ex(answer->parameters, "parameter", &named));
	for (unsigned int i = 0; i < nr_wrong; i++) {
		if (!strcmp(json_object_get_string(named), wrong[i]->name))
			return;
	}
	abort();
}

static void call(const char *message, size_t size, const struct parameter *const *wrong,
		 unsigned int nr_wrong)
{
	const struct peer peer = { .uid = 0, .pid = 1, .identified = true };
	struct varlink_reply reply;
	struct varlink_call decoded;
	struct answer answer = { .fd = -1 };
	size_t encoded_size;
	char *bytes;

	/* An integer outside of int64 does not pass the gate: the connection would be closed. */
	if (varlink_call_decode(message, size, &decoded, NULL) < 0)
		return;
	require(methods_answer(&manager, &peer, &decoded, &answer) == 0);
	if (nr_wrong)
		check_named(&answer, wrong, nr_wrong);
	require(varlink_reply_encode(answer.error[0] ? answer.error : NULL, answer.parameters,
				     false, &bytes, &encoded_size) == 0);
	require(varlink_reply_decode(bytes, encoded_size - 1, &reply, NULL) == 0);
	varlink_reply_done(&reply);
	free(bytes);
	answer_done(&answer);
	varlink_call_done(&decoded);
}

static size_t call_one(const uint8_t *data, size_t size)
{
	static const struct parameter unknown = { .name = "unknown", .type = '?' };
	const struct method *method = &methods[data[0] % nr_methods];
	const struct parameter *wrong[MAX_PARAMS + 1];
	unsigned int nr_wrong = 0, count = data[1] % 5;
	bool used[MAX_PARAMS + 1] = { false };
	char message[2048];
	size_t at = 2, length;

	length = (size_t)snprintf(message, sizeof(message), "{\"method\":\"%s\",\"parameters\":{",
				  method->name);
	for (unsigned int i = 0, written = 0; i < count && at + 2 <= size; i++, at += 2) {
		unsigned int index = data[at] % (method->nr_parameters + 1);
		const struct parameter *parameter =
			index < method->nr_parameters ? &method->parameters[index] : &unknown;
		unsigned int value = data[at + 1] % NR_VALUES;

		if (used[index])
			continue;
		used[index] = true;
		length += (size_t)snprintf(message + length, sizeof(message) - length,
					   "%s\"%s\":%s", written++ ? "," : "", parameter->name,
					   values[value].text);
		if (is_wrong(parameter, values[value].type))
			wrong[nr_wrong++] = parameter;
	}
	length += (size_t)snprintf(message + length, sizeof(message) - length, "}%s}",
				   data[1] & 0x80 ? ",\"more\":true" : "");
	call(message, length, wrong, nr_wrong);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;

	if (!nr_methods) {
		read_interfaces();
		config_defaults(&config);
		require(manager_init(&manager, NULL, &config, "fake") == 0);
	}
	while (size >= 2) {
		size_t used = call_one(data, size);

		data += used;
		size -= used;
	}
	return 0;
}
