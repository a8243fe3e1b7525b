// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Declared parameters: the interface's own text says which parameters each method takes and of what
 * type. Every method is called with parameters of any type and range, by root and by a user, over
 * contexts that live and rules that change; where a type is not the declared one, or a parameter is
 * unknown, the answer must be InvalidParameter and name one that is wrong.
 */
#include <inttypes.h>
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
#include "tests/fuzz/answer.h"
#include "tests/fuzz/require.h"

#define MAX_METHODS 64
#define MAX_PARAMS  16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

#define LAST_ID NULL /* the newest context's */

static const struct value {
	char type;
	const char *text;
} values[] = {
	{ 'i', LAST_ID },
	{ 'i', "0" },
	{ 'i', "1" },
	{ 'i', "-1" },
	{ 'i', "2" },
	{ 'i', "100" },
	{ 'i', "1000" },
	{ 'i', "4096" },
	{ 'i', "3600001" },
	{ 'i', "9223372036854775807" },
	{ 'i', "-9223372036854775808" },
	{ 'i', "4294967296" },
	{ 'i', "18446744073709551615" },
	{ 's', "\"a\"" },
	{ 's', "\"\"" },
	{ 's', "\"0\"" },
	{ 's', "\"1000\"" },
	{ 's', "\"alice\"" },
	{ 's', "\"nobody-here\"" },
	{ 's', "\"host\"" },
	{ 's', "\"user\"" },
	{ 's', "\"group\"" },
	{ 's', "\"cgroup\"" },
	{ 's', "\"process\"" },
	{ 's', "\"/a/b\"" },
	{ 's', "\"/\"" },
	{ 's', "\"user-1000.slice\"" },
	{ 's', "\"4294967295\"" },
	{ 's', "\"io.dune.Manager\"" },
	{ 's', "\"..\"" },
	{ 's', "\"\\ud83d\\ude00\"" },
	{ 's', "\"0123456789012345678901234567890123456789012345678901234567890123\"" },
	{ 'b', "true" },
	{ 'b', "false" },
	{ 'o', "{}" },
	{ 'o', "{\"contexts\":5}" },
	{ 'o', "{\"contexts\":0,\"create_rate\":1}" },
	{ 'o', "{\"contexts\":-1,\"vcpus\":-1,\"private_pages\":-1,\"ept_pages\":-1}" },
	{ 'o', "{\"vcpus\":0,\"private_pages\":0,\"ept_pages\":0}" },
	{ 'o', "{\"vcpus\":1,\"private_pages\":1,\"ept_pages\":320,\"contexts\":1}" },
	{ 'o', "{\"vcpus\":100,\"private_pages\":32768,\"ept_pages\":262144}" },
	{ 'o', "{\"vcpus\":3932161,\"create_rate\":1000001}" },
	{ 'o', "{\"create_rate\":-1}" },
	{ 'o', "{\"create_rate\":0}" },
	{ 'o', "{\"vcpus\":\"1\"}" },
	{ 'o', "{\"vcpus\":null,\"private_pages\":-9223372036854775808}" },
	{ 'o', "{\"nothing\":1}" },
	{ 'a', "[]" },
	{ 'a', "[1]" },
	{ 'a', "[\"ended\"]" },
	{ 'a', "[\"created\",\"freed\",\"limit\"]" },
	{ 'a', "[\"ended\",\"ended\",null]" },
	{ 'a', "[[[[[]]]]]" },
	{ 'f', "1.5" },
	{ 'f', "1e3" },
	{ 'f', "-0.0" },
	{ 'n', "null" },
};

#define NR_VALUES (sizeof(values) / sizeof(values[0]))

/* Half of what can be chosen is of the declared type, so that several in one call are. */
static const struct value *choose_value(const struct parameter *parameter, uint8_t choice)
{
	size_t first = 0, count = 0;

	for (size_t i = 0; i < NR_VALUES; i++) {
		if (values[i].type != parameter->type)
			continue;
		first = count++ ? first : i;
	}
	return choice < 128 && count ? &values[first + choice % count] :
				       &values[choice % NR_VALUES];
}

/* ---- calls ---- */

#define KEPT 4 /* contexts that callers hold */

enum {
	MORE = 0x80,
	BY_USER = 0x40,
	OF_PROCESS = 0x20,
	NEXT_STATE = 0x10,
	POLKIT = 0x08,
	COUNT = 0x07
};

static struct manager manager;
static char runtime[64]; /* the file of quotas set at run time */
static int kept[KEPT];
static unsigned int next_kept;

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

/* A context that is new, that runs, or that faulted. */
static void keep(int fd, bool next_state)
{
	int *slot = &kept[next_kept++ % KEPT];

	if (*slot >= 0)
		close(*slot);
	if (next_state)
		require(write(fd, "rp", 1 + next_kept % 2) > 0);
	*slot = fd;
}

static void call(const char *message, size_t size, uint8_t how,
		 const struct parameter *const *wrong, unsigned int nr_wrong)
{
	struct peer peer = {
		.uid = how & BY_USER ? 1000 : 0,
		.gid = how & BY_USER ? 1000 : 0,
		.pid = how & OF_PROCESS ? getpid() : 0,
		.connected_ticks = UINT64_MAX,
		.identified = true,
	};
	struct answer answer = { .fd = -1 };
	struct varlink_call decoded;
	struct job *job;

	/* An integer outside of int64 does not pass the gate: the connection would be closed. */
	if (varlink_call_decode(message, size, &decoded, NULL) < 0)
		return;
	manager.config.polkit = (how & POLKIT) != 0;
	require(methods_answer(&manager, &peer, &decoded, &answer) == 0);
	if (answer.ask) {
		require(how & POLKIT && peer.uid && !answer.error[0]);
		peer.asked = size % 2 ? ASKED_GRANTED : ASKED_REFUSED;
		require(methods_answer(&manager, &peer, &decoded, &answer) == 0 && !answer.ask);
	}
	job = answer.job;
	/* Without a loop it is done already. */
	if (job)
		require(job_finished(job) &&
			methods_finish(&manager, &peer, &decoded, job, &answer) == 0);
	job_release(job);
	if (strcmp(answer.error, "org.varlink.service.PermissionDenied") != 0) {
		if (nr_wrong)
			check_named(&answer, wrong, nr_wrong);
	} else {
		require(peer.uid || !peer.pid);
	}
	free(answer_check(&answer, &peer));
	if (answer.fd >= 0) {
		keep(answer.fd, how & NEXT_STATE);
		answer.fd = -1;
	}
	answer_done(&answer);
	varlink_call_done(&decoded);
}

/* A method as often as it has parameters, and one time more: without any there is nothing to find. */
static const struct method *choose_method(uint8_t choice)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < nr_methods; i++)
		sum += 1 + 2 * methods[i].nr_parameters;
	choice %= sum;
	for (unsigned int i = 0;; i++) {
		if (choice <= 2 * methods[i].nr_parameters)
			return &methods[i];
		choice -= 1 + 2 * methods[i].nr_parameters;
	}
}

static size_t write_value(char *text, size_t size, const struct value *value)
{
	struct dune_info info;

	if (value->text)
		return (size_t)snprintf(text, size, "%s", value->text);
	require(device_info(&manager.device, &info) == 0);
	return (size_t)snprintf(text, size, "%" PRIu64, (uint64_t)info.created);
}

static size_t call_one(const uint8_t *data, size_t size)
{
	static const struct parameter unknown = { .name = "unknown", .type = '?' };
	const struct method *method = choose_method(data[0]);
	const struct parameter *wrong[MAX_PARAMS + 1];
	unsigned int nr_wrong = 0, count = (data[1] & COUNT) % 5;
	bool used[MAX_PARAMS + 1] = { false };
	char message[2048];
	size_t at = 2, length;

	length = (size_t)snprintf(message, sizeof(message), "{\"method\":\"%s\",\"parameters\":{",
				  method->name);
	for (unsigned int i = 0, written = 0; i < count && at + 2 <= size; i++, at += 2) {
		unsigned int index = data[at] % (method->nr_parameters + 1);
		const struct parameter *parameter =
			index < method->nr_parameters ? &method->parameters[index] : &unknown;
		const struct value *value = choose_value(parameter, data[at + 1]);

		if (used[index])
			continue;
		used[index] = true;
		length += (size_t)snprintf(message + length, sizeof(message) - length,
					   "%s\"%s\":", written++ ? "," : "", parameter->name);
		length += write_value(message + length, sizeof(message) - length, value);
		if (is_wrong(parameter, value->type))
			wrong[nr_wrong++] = parameter;
	}
	length += (size_t)snprintf(message + length, sizeof(message) - length, "}%s}",
				   data[1] & MORE ? ",\"more\":true" : "");
	call(message, length, data[1], wrong, nr_wrong);
	return at;
}

/* ---- life ---- */

static char folder[] = "/dev/shm/dune-fuzz-XXXXXX"; /* memory: SetQuota waits for the disk */
static char config_path[64];

static void remove_files(void)
{
	unlink(runtime);
	unlink(config_path);
	rmdir(folder);
}

static void start(void)
{
	struct config config;
	FILE *file;

	read_interfaces();
	config_defaults(&config);
	require(manager_init(&manager, NULL, &config, "fake") == 0);
	require(mkdtemp(folder) && atexit(remove_files) == 0);
	snprintf(runtime, sizeof(runtime), "%s/quotas.conf", folder);
	snprintf(config_path, sizeof(config_path), "%s/duned.conf", folder);
	file = fopen(config_path, "we");
	require(file &&
		fputs("[quota user]\ncontexts = 3\n[access]\nadministrators = 7\n", file) >= 0 &&
		fclose(file) == 0);
	manager.settings->source =
		(struct manager_source){ .config = config_path, .quotas = runtime };
}

/* What one input changed is not there for the next. */
static void forget(void)
{
	struct quota_rules none;

	for (unsigned int i = 0; i < KEPT; i++) {
		if (kept[i] >= 0)
			close(kept[i]);
		kept[i] = -1;
	}
	next_kept = 0;
	if (!unlink(runtime)) {
		quota_rules_init(&none);
		require(config_overlay(&manager.config, &none) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!nr_methods) {
		memset(kept, 0xff, sizeof(kept));
		start();
	}
	while (size >= 2) {
		size_t used = call_one(data, size);

		data += used;
		size -= used;
	}
	forget();
	return 0;
}
