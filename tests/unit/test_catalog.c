// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * systemd/dune.catalog explains every kind of message of duned/message_ids.h, in its order, and nothing
 * else; it names only fields that the service sends. Runs from the top of the source tree.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/message_ids.h"
#include "tests/unit/suite.h"

#define LINE_MAX_BYTES	256
#define ID_BYTES	32
#define CATALOG		"systemd/dune.catalog"

static const struct message {
	const char *symbol;
	const char *id;
} messages[] = {
#define MESSAGE_ROW(symbol, id, what) { #symbol, id },
	DUNE_MESSAGES(MESSAGE_ROW)
#undef MESSAGE_ROW
};

#define NR_MESSAGES ((int)(sizeof(messages) / sizeof(messages[0])))

/* What duned/message_ids.h promises. */
static const char *const fields[] = {
	"CONTEXT", "NAME",    "OWNER", "UID",	 "PID",	  "CAUSE", "RIP",
	"LIMIT",   "MAXIMUM", "USED",  "METHOD", "ERROR", "COUNT",
};

/* An entry: its subject is there and it says something. */
struct entry {
	char id[ID_BYTES + 1];
	bool subject, defined_by, documentation;
	int text_lines;
};

static FILE *catalog_open(void)
{
	FILE *catalog = fopen(CATALOG, "re");

	ck_assert_msg(catalog != NULL, "no " CATALOG);
	return catalog;
}

/* The next entry; its text is read up to the line that begins the one after it, kept in `line`. */
static bool next_entry(FILE *catalog, char line[LINE_MAX_BYTES], struct entry *ret_entry)
{
	struct entry entry = { 0 };

	while (strncmp(line, "-- ", 3) != 0)
		if (!fgets(line, LINE_MAX_BYTES, catalog))
			return false;
	ck_assert_uint_eq(strcspn(line + 3, "\n"), ID_BYTES);
	memcpy(entry.id, line + 3, ID_BYTES);
	while (fgets(line, LINE_MAX_BYTES, catalog) && strncmp(line, "-- ", 3) != 0) {
		ck_assert_ptr_nonnull(strchr(line, '\n'));
		if (!strncmp(line, "Subject: ", 9))
			entry.subject = true;
		else if (!strcmp(line, "Defined-By: Dune\n"))
			entry.defined_by = true;
		else if (!strncmp(line, "Documentation: man:", 19))
			entry.documentation = true;
		else if (line[0] != '\n')
			entry.text_lines++;
	}
	if (feof(catalog))
		line[0] = '\0';
	*ret_entry = entry;
	return true;
}

START_TEST(every_message_has_its_entry)
{
	char line[LINE_MAX_BYTES] = "";
	FILE *catalog = catalog_open();
	struct entry entry;

	for (int i = 0; i < NR_MESSAGES; i++) {
		ck_assert_msg(next_entry(catalog, line, &entry), "no entry for %s",
			      messages[i].symbol);
		ck_assert_msg(!strcmp(entry.id, messages[i].id), "%s where %s (%s) belongs",
			      entry.id, messages[i].id, messages[i].symbol);
		ck_assert_msg(entry.subject && entry.defined_by && entry.documentation &&
				      entry.text_lines,
			      "the entry of %s is not complete", messages[i].symbol);
	}
	ck_assert_msg(!next_entry(catalog, line, &entry), "an entry without a message: %s",
		      entry.id);
	fclose(catalog);
}
END_TEST

static bool is_field(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i]) == size && !memcmp(fields[i], name, size))
			return true;
	return false;
}

/* "@DUNE_X@": whatever stands between two @ is a field of the service's. */
START_TEST(only_fields_that_there_are)
{
	char line[LINE_MAX_BYTES];
	FILE *catalog = catalog_open();
	int found = 0;

	while (fgets(line, sizeof(line), catalog)) {
		for (char *at = strchr(line, '@'); at; at = strchr(at + 1, '@')) {
			char *end = strchr(at + 1, '@');

			ck_assert_msg(end && !strncmp(at, "@DUNE_", 6) &&
					      is_field(at + 6, (size_t)(end - at - 6)),
				      "no field of the service: %s", line);
			at = end;
			found++;
		}
	}
	ck_assert_int_gt(found, 0);
	fclose(catalog);
}
END_TEST

START_TEST(ids_are_unique)
{
	for (int i = 0; i < NR_MESSAGES; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(messages[i].id, messages[j].id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("catalog");
	TCase *tests = tcase_create("catalog");

	tcase_add_test(tests, every_message_has_its_entry);
	tcase_add_test(tests, only_fields_that_there_are);
	tcase_add_test(tests, ids_are_unique);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
