// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune-exporter's parts without a process: what an Accept header and an address mean, what becomes of a
 * reply, both formats, the history's document, the text file.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>
#include <json-c/json.h>

#include <dune/client.h>

#include "duned/exporter/address.h"
#include "duned/exporter/expose.h"
#include "duned/exporter/families.h"
#include "duned/exporter/shown.h"
#include "duned/exporter/history.h"
#include "duned/exporter/textfile.h"
#include "tests/unit/suite.h"

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct sample sample;
static struct history *history;

static void setup(void)
{
	memset(&sample, 0, sizeof(sample));
	ck_assert_int_eq(history_new(&history), 0);
}

static void teardown(void)
{
	history_free(history);
}

/* ---- Accept ---- */

#define OPENMETRICS "application/openmetrics-text"

static const struct {
	const char *accept;
	enum expose_format format;
} accepts[] = {
	{ NULL, EXPOSE_TEXT },
	{ "", EXPOSE_TEXT },
	{ "*/*", EXPOSE_TEXT },
	{ "text/html,application/xhtml+xml,*/*;q=0.8", EXPOSE_TEXT },
	{ OPENMETRICS, EXPOSE_OPENMETRICS },
	{ OPENMETRICS "; version=1.0.0", EXPOSE_OPENMETRICS },
	{ "Application/OpenMetrics-Text ;  VERSION=1.0.0 ; charset=utf-8", EXPOSE_OPENMETRICS },
	/* Prometheus 2.42 */
	{ OPENMETRICS ";version=1.0.0," OPENMETRICS ";version=0.0.1;q=0.75,"
		      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  EXPOSE_OPENMETRICS },
	/* Prometheus 3 */
	{ OPENMETRICS ";version=1.0.0;escaping=allow-utf-8;q=0.6,"
		      "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1",
	  EXPOSE_OPENMETRICS },
	/* one that we don't have */
	{ OPENMETRICS ";version=2.0.0", EXPOSE_TEXT },
	{ OPENMETRICS ";version=0.0.1", EXPOSE_TEXT },
	/* weights */
	{ OPENMETRICS ";q=0.5,text/plain;q=0.9", EXPOSE_TEXT },
	{ OPENMETRICS ";q=0.9,text/plain;q=0.5", EXPOSE_OPENMETRICS },
	{ OPENMETRICS ";q=0.5,text/plain;q=0.5", EXPOSE_OPENMETRICS },
	{ OPENMETRICS ";q=0.5,text/*;q=0.9", EXPOSE_TEXT },
	{ OPENMETRICS ";q=0.5,text/plain;q=0.2,text/*;q=0.9", EXPOSE_OPENMETRICS },
	{ OPENMETRICS ";q=0", EXPOSE_TEXT },
	{ OPENMETRICS ";q=0.001", EXPOSE_OPENMETRICS },
	/* weights that are none count as 0 */
	{ OPENMETRICS ";q=2", EXPOSE_TEXT },
	{ OPENMETRICS ";q=1.001", EXPOSE_TEXT },
	{ OPENMETRICS ";q=-1", EXPOSE_TEXT },
	{ OPENMETRICS ";q=0x1", EXPOSE_TEXT },
	{ OPENMETRICS ";q=", EXPOSE_TEXT },
	{ OPENMETRICS ";q=0.1234", EXPOSE_TEXT },
	/* odd shapes */
	{ ",,;;,=;,", EXPOSE_TEXT },
	{ " , " OPENMETRICS " , ", EXPOSE_OPENMETRICS },
	{ OPENMETRICS "x", EXPOSE_TEXT },
	{ "x" OPENMETRICS, EXPOSE_TEXT },
	{ OPENMETRICS ";;q=1;", EXPOSE_OPENMETRICS },
};

START_TEST(accept_chooses_the_format)
{
	ck_assert_msg(expose_choose(accepts[_i].accept) == accepts[_i].format, "%s",
		      accepts[_i].accept);
}
END_TEST

/* ---- addresses ---- */

static const struct {
	const char *text;
	int family; /* 0: refused */
	const char *why; /* a part of it */
} addresses[] = {
	{ "127.0.0.1:13863", AF_INET, NULL },
	{ "0.0.0.0:1", AF_INET, NULL },
	{ "[::1]:65535", AF_INET6, NULL },
	{ "[::]:80", AF_INET6, NULL },
	{ ":80", AF_INET6, NULL },
	{ "", 0, "no port" },
	{ "127.0.0.1", 0, "no port" },
	{ "127.0.0.1:", 0, "the port" },
	{ "127.0.0.1:0", 0, "the port" },
	{ "127.0.0.1:65536", 0, "the port" },
	{ "127.0.0.1:+80", 0, "the port" },
	{ "127.0.0.1:80 ", 0, "the port" },
	{ "127.0.0.1:000080", 0, "the port" },
	{ "localhost:80", 0, "neither" },
	{ "127.1:80", 0, "neither" },
	{ "::1:80", 0, "neither" },
	{ "[::1:80", 0, "neither" },
	{ "[]:80", 0, "neither" },
	{ "[127.0.0.1]:80", 0, "neither" },
	{ "1234567890123456789012345678901234567890123456789012345678901234567890:80", 0,
	  "too long" },
};

START_TEST(addresses_are_read)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = 0;
	const char *why = NULL;
	int r = address_parse(addresses[_i].text, &address, &size, &why);

	if (addresses[_i].family) {
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(address.ss_family, addresses[_i].family);
		ck_assert_uint_eq(size, addresses[_i].family == AF_INET ?
						sizeof(struct sockaddr_in) :
						sizeof(struct sockaddr_in6));
	} else {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_uint_eq(size, 0);
		ck_assert_msg(strstr(why, addresses[_i].why) != NULL, "%s", why);
	}
}
END_TEST

/* ---- samples ---- */

#define MAP(rows)                                      \
	{                                              \
		sizeof(rows) / sizeof((rows)[0]), rows \
	}

START_TEST(names_that_are_not_known_are_summed)
{
	static const struct dune_client_counter exits[] = {
		{ "vmcall", 5 },
		{ "reason_71", 2 },
		{ "cpuid", 7 },
		{ "of_tomorrow", 3 },
	};
	static const struct dune_client_counter ends[] = {
		{ "exit", 4 },
		{ "unused", 6 },
		{ "cause_13", 1 },
		{ "of_tomorrow", 2 },
	};
	static const struct dune_client_counter counters[] = { { "entries", 9 },
							       { "of_tomorrow", 1 } };
	const struct dune_client_totals totals = { .time_usec = 77,
						   .counters = MAP(counters),
						   .exits = MAP(exits),
						   .ends = MAP(ends) };

	sample_take_totals(&sample, &totals);
	ck_assert(sample.counted && !sample.has_states && !sample.has_service);
	ck_assert_uint_eq(sample.clock_usec, 77);
	ck_assert_uint_eq(sample.exits[18], 5);
	ck_assert_uint_eq(sample.exits[10], 7);
	ck_assert_uint_eq(sample.exits[DUNE_NR_EXITS - 1], 5);
	ck_assert_uint_eq(sample.ends[DUNE_END_EXIT], 4);
	ck_assert_uint_eq(sample.unused, 6);
	ck_assert_uint_eq(sample.ends[DUNE_END_NONE], 3);
	ck_assert_uint_eq(sample.counters[DUNE_COUNT_ENTRIES], 9);
}
END_TEST

/* A service that sends anything at all as names makes neither labels nor memory of it. */
START_TEST(names_of_the_service_are_bounded)
{
	enum { MANY = 10000 };
	static struct dune_client_counter rows[MANY];
	static char names[MANY][16];
	static const char *const bad[] = { "",
					   "a\"b",
					   "a\\b",
					   "a\nb",
					   "a b",
					   "\xc3\xa4",
					   "123456789012345678901234567890123456789012345678" };
	struct dune_client_totals totals = { .errors = { MANY, rows } };

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "Error%d", i);
		rows[i] = (struct dune_client_counter){ names[i], 1 };
	}
	for (int i = 0; i < NR_ROWS(bad); i++)
		rows[i].name = bad[i];
	sample_take_totals(&sample, &totals);
	ck_assert_uint_eq(sample.errors.nr, SAMPLE_MAX_NAMES + 1);
	ck_assert_str_eq(sample.errors.rows[0].name, "Error7");
	ck_assert_str_eq(sample.errors.rows[SAMPLE_MAX_NAMES].name, "other");
	ck_assert_uint_eq(sample.errors.rows[SAMPLE_MAX_NAMES].value, MANY - SAMPLE_MAX_NAMES);
}
END_TEST

START_TEST(users_are_capped)
{
	struct dune_client_context contexts[12] = { 0 };
	const struct dune_client_context *pointers[12];
	const struct dune_client_list list = { 12, pointers };
	/* 1000 has three, 1001 and 7 two each, five others one */
	static const uint32_t owners[12] = { 1000, 1001, 7, 1000, 7, 1001, 1000, 1, 2, 3, 4, 5 };
	struct shown shown = { 0 };

	for (int i = 0; i < 12; i++) {
		contexts[i].owner = owners[i];
		contexts[i].usage.vcpus = 1;
		contexts[i].usage.ept_pages = 10;
		pointers[i] = &contexts[i];
	}
	sample_take_list(&sample, &list, 2, &shown, 0);
	ck_assert_uint_eq(sample.nr_users, 3);
	ck_assert_uint_eq(sample.users[0].uid, 1000);
	ck_assert_uint_eq(sample.users[0].contexts, 3);
	ck_assert_uint_eq(sample.users[0].ept_pages, 30);
	ck_assert_uint_eq(sample.users[1].uid, 7);
	ck_assert_uint_eq(sample.users[2].uid, SAMPLE_OTHER_USERS);
	ck_assert_uint_eq(sample.users[2].contexts, 7);
	ck_assert_uint_eq(sample.users[2].vcpus, 7);
	sample_take_list(&sample, &list, 8, &shown, 0);
	ck_assert_uint_eq(sample.nr_users, 8);
	sample_take_list(&sample, &list, 100000, &shown, 0);
	ck_assert_uint_eq(sample.nr_users, 8);
}
END_TEST

/* One context of each of some uids, at a time in seconds; up to two are shown. */
static void take_users(struct shown *shown, int64_t now_s, uint32_t first, unsigned int count)
{
	struct dune_client_context contexts[16] = { 0 };
	const struct dune_client_context *pointers[16];
	const struct dune_client_list list = { count, pointers };

	for (unsigned int i = 0; i < count; i++) {
		contexts[i].owner = first + i;
		pointers[i] = &contexts[i];
	}
	sample_take_list(&sample, &list, 2, shown, now_s);
}

START_TEST(users_of_a_day_are_capped)
{
	struct shown shown = { 0 };

	for (int i = 0; i < 4; i++)
		take_users(&shown, i, (uint32_t)(2 * i), 2);
	ck_assert_uint_eq(sample.nr_users, 2);
	ck_assert_uint_eq(shown.nr, 2 * SHOWN_FACTOR);
	/* Others than these eight have no series of their own, however few they are; */
	take_users(&shown, 10, 8, 2);
	ck_assert_uint_eq(sample.nr_users, 1);
	ck_assert_uint_eq(sample.users[0].uid, SAMPLE_OTHER_USERS);
	ck_assert_uint_eq(sample.users[0].contexts, 2);
	/* these keep theirs, also beside others, */
	take_users(&shown, SHOWN_DAY_S - 1, 6, 3);
	ck_assert_uint_eq(sample.nr_users, 3);
	ck_assert_uint_eq(sample.users[0].uid, 6);
	ck_assert_uint_eq(sample.users[1].uid, 7);
	ck_assert_uint_eq(sample.users[2].contexts, 1);
	/* until they were not there for a day. */
	take_users(&shown, SHOWN_DAY_S, 8, 1);
	ck_assert_uint_eq(sample.users[0].uid, 8);
	take_users(&shown, SHOWN_DAY_S, 20, 2);
	ck_assert_uint_eq(sample.users[0].uid, 20);
	ck_assert_uint_eq(sample.users[1].uid, SAMPLE_OTHER_USERS);
	ck_assert_uint_eq(shown.nr, 2 * SHOWN_FACTOR);
}
END_TEST

START_TEST(shown_is_of_fixed_size)
{
	struct shown shown = { 0 };

	for (uint32_t uid = 0; uid < SHOWN_MAX; uid++)
		ck_assert(shown_take(&shown, uid, 100000, 0));
	ck_assert(!shown_take(&shown, SHOWN_MAX, 100000, 0));
	ck_assert(shown_take(&shown, SHOWN_MAX - 1, 100000, 0));
	shown_expire(&shown, SHOWN_DAY_S);
	ck_assert_uint_eq(shown.nr, 0);
}
END_TEST

START_TEST(quotas_of_the_host)
{
	static const struct dune_client_quota quotas[] = {
		{ "host", NULL, "contexts", true, 10, true, 12, "default" },
		{ "host", NULL, "vcpus", false, 0, true, 3, "a" },
		{ "host", NULL, "ept_pages", true, 7, false, 0, "a" },
		{ "host", NULL, "create_rate", true, 7, true, 1, "a" },
		{ "user", "1", "private_pages", true, 7, true, 1, "a" },
		{ "host", NULL, "of_tomorrow", true, 7, true, 1, "a" },
	};
	const struct dune_client_quota *pointers[NR_ROWS(quotas)];
	const struct dune_client_quota_list list = { NR_ROWS(quotas), pointers };

	for (int i = 0; i < NR_ROWS(quotas); i++)
		pointers[i] = &quotas[i];
	sample.quotas[DUNE_LIMIT_VCPUS].known = true;
	sample_take_quotas(&sample, &list);
	ck_assert(sample.quotas[DUNE_LIMIT_CONTEXTS].known);
	ck_assert_uint_eq(sample.quotas[DUNE_LIMIT_CONTEXTS].used, 12);
	ck_assert_uint_eq(sample.quotas[DUNE_LIMIT_CONTEXTS].maximum, 10);
	ck_assert(!sample.quotas[DUNE_LIMIT_VCPUS].known);
	ck_assert(!sample.quotas[DUNE_LIMIT_EPT].known);
	ck_assert(!sample.quotas[DUNE_LIMIT_PRIVATE].known);
}
END_TEST

START_TEST(text_from_elsewhere_is_printable)
{
	struct dune_client_info info = { .version = "1\n2\"\x80 3",
					 .module = { .loaded = false, .problem = "ENOENT" } };

	sample_take_info(&sample, &info);
	ck_assert(sample.up && !sample.module);
	ck_assert_str_eq(sample.service_version, "1?2\"? 3");
	ck_assert_str_eq(sample.problem, "duned can't use the kernel module (ENOENT)");
	sample_set_down(&sample, "gone");
	ck_assert(!sample.up);
	ck_assert_str_eq(sample.problem, "gone");
	ck_assert_str_eq(sample.service_version, "");
}
END_TEST

/* ---- formats ---- */

static char *exposed(const struct own *own, enum expose_format format)
{
	char *text;
	size_t size;

	ck_assert_int_eq(expose(&sample, own, format, &text, &size), 0);
	ck_assert_uint_eq(size, strlen(text));
	return text;
}

static void expect_text(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "%s is not in\n%s", part, text);
}

static void fill_sample(void)
{
	sample.up = sample.module = sample.counted = sample.has_states = sample.has_service = true;
	snprintf(sample.service_version, SAMPLE_MAX_TEXT, "1\"\\");
	sample.ept_pages = 3;
	sample.exits[18] = UINT64_MAX;
	sample.counters[DUNE_COUNT_EPT_FILLS] = 10;
	sample.counters[DUNE_COUNT_EPT_LARGE] = 4;
	sample.counters[DUNE_COUNT_WORK] = 1;
	sample.counters[DUNE_COUNT_WORK_FPU] = 2;
}

START_TEST(both_formats)
{
	char *text, *open;

	fill_sample();
	text = exposed(NULL, EXPOSE_TEXT);
	open = exposed(NULL, EXPOSE_OPENMETRICS);
	expect_text(text, "# TYPE dune_vm_exits_total counter\n");
	expect_text(open, "# TYPE dune_vm_exits counter\n");
	expect_text(text, "\ndune_vm_exits_total{reason=\"vmcall\"} 18446744073709551615\n");
	expect_text(open, "\ndune_vm_exits_total{reason=\"vmcall\"} 18446744073709551615\n");
	expect_text(text, "\ndune_vm_exits_total{reason=\"vmfunc\"} 0\n");
	expect_text(text, "# TYPE dune_build_info gauge\n");
	expect_text(open, "# TYPE dune_build info\n");
	expect_text(open, ",version=\"1??\"} 1\n");
	expect_text(open, "# UNIT dune_memory_bytes bytes\n");
	ck_assert_ptr_null(strstr(text, "# UNIT"));
	ck_assert_ptr_null(strstr(text, "# EOF"));
	ck_assert_str_eq(open + strlen(open) - 6, "# EOF\n");
	expect_text(text, "\ndune_memory_bytes{kind=\"ept\"} 12288\n");
	expect_text(text, "\ndune_ept_fills_total{size=\"4k\"} 6\n");
	/* the part is ahead of its sum: nothing below 0 */
	expect_text(text, "\ndune_pending_work_total{kind=\"other\"} 0\n");
	ck_assert_ptr_null(strstr(text, "process_"));
	free(text);
	free(open);
}
END_TEST

/* Each number by the name that it belongs to; pages as bytes. */
START_TEST(everything_in_its_place)
{
	static const struct dune_client_info info = {
		.version = "1",
		.module = { .loaded = true,
			    .version = "2",
			    .allocated = { 2, 3, 4, 5, 6, 7 },
			    .created = 8,
			    .refused = 9,
			    .assertions = 10 },
		.quotas.contexts_per_host = 11,
	};
	static const char *const lines[] = {
		"\ndune_vcpus 3\n",
		"\ndune_memory_bytes{kind=\"ept\"} 16384\n",
		"\ndune_memory_bytes{kind=\"private\"} 20480\n",
		"\ndune_memory_bytes{kind=\"run\"} 24576\n",
		"\ndune_memory_bytes{kind=\"vmcs\"} 28672\n",
		"\ndune_context_creations_total 8\n",
		"\ndune_refusals_total 9\n",
		"\ndune_module_assertions_total 10\n",
		"\ndune_quota_contexts_used 2\n",
		"\ndune_quota_contexts_limit 11\n",
		"\ndune_quota_vcpus_used 12\n",
		"\ndune_quota_vcpus_limit 13\n",
		"\ndune_quota_private_memory_used_bytes 57344\n",
		"\ndune_quota_private_memory_limit_bytes 61440\n",
		"\ndune_quota_ept_memory_used_bytes 65536\n",
		"\ndune_quota_ept_memory_limit_bytes 69632\n",
		"\ndune_user_contexts{uid=\"1000\"} 18\n",
		"\ndune_user_vcpus{uid=\"1000\"} 19\n",
		"\ndune_user_private_memory_bytes{uid=\"1000\"} 81920\n",
		"\ndune_user_ept_memory_bytes{uid=\"1000\"} 86016\n",
	};
	char *text;

	sample_take_info(&sample, &info);
	sample.quotas[DUNE_LIMIT_VCPUS] = (struct sample_quota){ true, 12, 13 };
	sample.quotas[DUNE_LIMIT_PRIVATE] = (struct sample_quota){ true, 14, 15 };
	sample.quotas[DUNE_LIMIT_EPT] = (struct sample_quota){ true, 16, 17 };
	sample.users[0] = (struct sample_user){ 1000, 18, 19, 20, 21 };
	sample.nr_users = 1;
	text = exposed(NULL, EXPOSE_TEXT);
	for (int i = 0; i < NR_ROWS(lines); i++)
		expect_text(text, lines[i]);
	free(text);
}
END_TEST

START_TEST(what_is_not_known_is_not_shown)
{
	char *text;

	sample_set_down(&sample, "gone");
	text = exposed(NULL, EXPOSE_TEXT);
	expect_text(text, "dune_up 0\n");
	expect_text(text, "dune_module_up 0\n");
	ck_assert_ptr_null(strstr(text, "dune_vm_exits"));
	ck_assert_ptr_null(strstr(text, "dune_memory"));
	ck_assert_ptr_null(strstr(text, "dune_build"));
	free(text);
	sample.up = true;
	text = exposed(NULL, EXPOSE_TEXT);
	expect_text(text, "dune_build_info{");
	ck_assert_ptr_null(strstr(text, "dune_memory"));
	free(text);
}
END_TEST

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), size = strlen(end);

	return length > size && strcmp(name + length - size, end) == 0;
}

/* The rules of both formats, and of good manners, on every row of the table. */
START_TEST(families_obey_the_rules)
{
	static const char *const reserved[] = { "_total",  "_created", "_info",
						"_bucket", "_count",   "_sum" };
	const struct family *family = &families[_i];
	char end[32];

	ck_assert_uint_eq(strspn(family->name, "abcdefghijklmnopqrstuvwxyz_"),
			  strlen(family->name));
	ck_assert(!strncmp(family->name, "dune_", 5) ||
		  (!strncmp(family->name, "process_", 8) && family->when == FAMILY_OWN));
	for (int i = 0; i < NR_ROWS(reserved); i++)
		ck_assert_msg(!ends_in(family->name, reserved[i]), "%s", family->name);
	for (size_t i = 0; i < nr_families; i++)
		ck_assert(i == (size_t)_i || strcmp(families[i].name, family->name) != 0);
	ck_assert_uint_gt(strlen(family->help), 10);
	ck_assert_ptr_null(strpbrk(family->help, "\\\n\""));
	ck_assert(!ends_in(family->help, "."));
	snprintf(end, sizeof(end), "_%s", family->unit ? family->unit : "");
	ck_assert_msg(!family->unit || ends_in(family->name, end), "%s", family->name);
	ck_assert_msg(family->unit || (!ends_in(family->name, "_bytes") &&
				       !ends_in(family->name, "_seconds")),
		      "%s: its unit", family->name);
	ck_assert(!!family->rows != !!family->write);
	for (size_t i = 0; i < family->nr_rows; i++)
		ck_assert(!!family->rows[i].value == !!family->label);
}
END_TEST

/* ---- history ---- */

static void add_point(int second, uint64_t vmcalls)
{
	sample.time_ms = (1000000 + (int64_t)second) * 1000;
	sample.clock_usec = (uint64_t)second * 1000000;
	sample.up = sample.module = sample.counted = sample.has_states = true;
	sample.exits[18] = vmcalls;
	history_add(history, &sample);
}

static struct json_object *document(void)
{
	struct json_object *object;
	char *text;
	size_t size;

	ck_assert_int_eq(history_json(history, &sample, &text, &size), 0);
	ck_assert_uint_eq(size, strlen(text));
	object = json_tokener_parse(text);
	ck_assert_ptr_nonnull(object);
	free(text);
	return object;
}

/* A member of "past" as text; "" when it is absent. */
static const char *past(struct json_object *object, const char *group, const char *name)
{
	json_object_object_get_ex(object, "past", &object);
	if (!json_object_object_get_ex(object, group, &object) ||
	    (name && !json_object_object_get_ex(object, name, &object)))
		return "";
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
}

START_TEST(rates_are_between_neighbours)
{
	struct json_object *object;

	add_point(10, 100);
	add_point(20, 300);
	add_point(25, 300);
	add_point(35, 12645);
	object = document();
	ck_assert_str_eq(past(object, "exits", "vmcall"), "[null,20,0,1234]");
	ck_assert_str_eq(past(object, "exits", "cpuid"), "");
	ck_assert_str_eq(past(object, "time", NULL), "[1000010,1000020,1000025,1000035]");
	json_object_put(object);
}
END_TEST

START_TEST(gaps_and_new_beginnings_are_no_rates)
{
	struct json_object *object;
	struct sample down = { .time_ms = 1 };

	add_point(10, 100);
	add_point(20, 200);
	history_add(history, &down);
	add_point(40, 500);
	add_point(50, 600);
	add_point(60, 5); /* the module was loaded anew */
	add_point(70, 25);
	add_point(70, 35); /* no time went by */
	object = document();
	ck_assert_str_eq(past(object, "exits", "vmcall"), "[null,10,null,null,10,null,2,null]");
	ck_assert_str_eq(past(object, "up", NULL), "[2,2,0,2,2,2,2,2]");
	ck_assert_str_eq(past(object, "contexts", "new"), "[0,0,null,0,0,0,0,0]");
	json_object_put(object);
}
END_TEST

START_TEST(the_ring_keeps_an_hour)
{
	struct json_object *object, *times;

	for (int i = 1; i <= HISTORY_POINTS + 100; i++)
		add_point(i * HISTORY_STEP_S, (uint64_t)i);
	object = document();
	json_object_object_get_ex(object, "past", &times);
	json_object_object_get_ex(times, "time", &times);
	ck_assert_uint_eq(json_object_array_length(times), HISTORY_POINTS);
	ck_assert_int_eq(json_object_get_int64(json_object_array_get_idx(times, 0)), 1001010);
	json_object_put(object);
}
END_TEST

START_TEST(more_errors_than_places_are_summed)
{
	struct json_object *object;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SAMPLE_MAX_NAMES; i++) {
			snprintf(sample.errors.rows[i].name, SAMPLE_MAX_NAME, "E%d",
				 round * SAMPLE_MAX_NAMES + i);
			sample.errors.rows[i].value = (uint64_t)round;
		}
		sample.errors.nr = SAMPLE_MAX_NAMES;
		add_point(round * 10 + 10, 0);
	}
	object = document();
	/* 63 have places; the names of the later rounds found none, and 64 errors come in ten seconds. */
	ck_assert_str_eq(past(object, "errors", "other"), "[null,6.4,6.4]");
	ck_assert_str_eq(past(object, "errors", "E70"), "");
	json_object_put(object);
}
END_TEST

START_TEST(an_empty_history_is_a_document)
{
	struct json_object *object, *problem;

	sample_set_down(&sample, "a \"quote\" and a \\");
	object = document();
	ck_assert_str_eq(past(object, "time", NULL), "[]");
	json_object_object_get_ex(object, "problem", &problem);
	ck_assert_str_eq(json_object_get_string(problem), "a \"quote\" and a \\");
	json_object_put(object);
}
END_TEST

/* ---- the text file ---- */

static void expect_content(const char *path, const char *expected)
{
	char content[64] = "";
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(content, 1, sizeof(content) - 1, file), strlen(expected));
	ck_assert_str_eq(content, expected);
	fclose(file);
}

START_TEST(a_file_is_replaced_as_a_whole)
{
	char folder[] = "/tmp/dune-textfile-XXXXXX", path[64], inner[64];
	struct stat status;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dune.prom", folder);
	ck_assert_int_eq(textfile_write(path, "one\n", 4), 0);
	expect_content(path, "one\n");
	ck_assert_int_eq(textfile_write(path, "two\n", 4), 0);
	expect_content(path, "two\n");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0644);
	/* What can't be replaced stays, and nothing else is left: the folder can be removed. */
	snprintf(inner, sizeof(inner), "%s/folder", folder);
	ck_assert_int_eq(mkdir(inner, 0755), 0);
	ck_assert_int_eq(textfile_write(inner, "three\n", 6), -EISDIR);
	ck_assert_int_eq(rmdir(inner), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(textfile_write(path, "four\n", 5), -ENOENT);
	ck_assert_int_eq(textfile_write("/tmp/", "five\n", 5), -EISDIR);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exporter");
	TCase *tests = tcase_create("exporter");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, accept_chooses_the_format, 0, NR_ROWS(accepts));
	tcase_add_loop_test(tests, addresses_are_read, 0, NR_ROWS(addresses));
	tcase_add_test(tests, names_that_are_not_known_are_summed);
	tcase_add_test(tests, names_of_the_service_are_bounded);
	tcase_add_test(tests, users_are_capped);
	tcase_add_test(tests, users_of_a_day_are_capped);
	tcase_add_test(tests, shown_is_of_fixed_size);
	tcase_add_test(tests, quotas_of_the_host);
	tcase_add_test(tests, text_from_elsewhere_is_printable);
	tcase_add_test(tests, both_formats);
	tcase_add_test(tests, everything_in_its_place);
	tcase_add_test(tests, what_is_not_known_is_not_shown);
	tcase_add_loop_test(tests, families_obey_the_rules, 0, (int)nr_families);
	tcase_add_test(tests, rates_are_between_neighbours);
	tcase_add_test(tests, gaps_and_new_beginnings_are_no_rates);
	tcase_add_test(tests, the_ring_keeps_an_hour);
	tcase_add_test(tests, more_errors_than_places_are_summed);
	tcase_add_test(tests, an_empty_history_is_a_document);
	tcase_add_test(tests, a_file_is_replaced_as_a_whole);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
