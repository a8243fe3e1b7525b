// SPDX-License-Identifier: LGPL-2.1-or-later
/* The configuration: every error with its line and words, drop-ins, and the file that is installed. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "duned/config.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	unsigned int line;
	const char *reason;
} bad[] = {
	{ "per-user = 1", 1, "per-user stands before any [section]" },
	{ "\n\n[nonsense]\n", 3, "unknown section [nonsense]" },
	{ "[contexts", 1, "section without ]" },
	{ "[", 1, "section without ]" },
	{ "[]", 1, "unknown section []" },
	{ "[contexts] x", 1, "section without ]" },
	{ "[contexts]\nper-user", 2, "neither [section] nor key = value" },
	{ "[contexts]\nper-user = 1 # one", 2, "per-user wants a number" },
	{ "[contexts]\nper_user = 1", 2, "unknown key per_user in [contexts]" },
	{ "[contexts]\nvcpus = 1", 2, "unknown key vcpus in [contexts]" },
	{ "[contexts]\n= 1", 2, "unknown key  in [contexts]" },
	{ "[contexts]\nper-user =", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = -1", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = +1", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = 0x10", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = 1K", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = 1 2", 2, "per-user wants a number" },
	{ "[contexts]\nper-user = 16385", 2, "per-user must be 0 to 16384" },
	{ "[contexts]\nper-user = 99999999999999999999", 2, "per-user must be 0 to 16384" },
	{ "[contexts]\nper-user = 1\n\nper-user = 1", 4, "per-user is set twice" },
	{ "[context]\nvcpus = 0", 2, "vcpus must be 1 to 240" },
	{ "[context]\nvcpus = 241", 2, "vcpus must be 1 to 240" },
	{ "[context]\nprivate = 4095", 2, "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1M1", 2, "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1m", 2, "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = M", 2, "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1.5G", 2, "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 0", 2, "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nprivate = 513M", 2, "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nprivate = 9223372036854775807T", 2,
	  "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nept = 128K", 2, "ept must be 64 to 16777216 pages of 4K" },
	{ "[connections]\nper-user = 0", 2, "per-user must be 1 to 4096" },
	{ "[access]\nadministrators = 1 no-such-user-here", 2,
	  "administrators names no-such-user-here, who is not known here" },
	{ "[access]\nadministrators = 1 \x1b[m 2", 2,
	  "administrators wants uids, user names and @groups, not ?[m" },
	{ "[access]\nadministrators = 1\nadministrators = 2", 3, "administrators is set twice" },
	{ "[contexts]\n\x1b[31mx = 1", 2, "unknown key ?[31mx in [contexts]" },
	{ "[\xff\xfe]", 1, "unknown section [??]" },
};

START_TEST(refuses)
{
	struct config_error error;
	struct config config;

	config_defaults(&config);
	ck_assert_int_eq(config_parse(bad[_i].text, strlen(bad[_i].text), "f", &config, &error),
			 -EINVAL);
	ck_assert_str_eq(error.file, "f");
	ck_assert_str_eq(error.reason, bad[_i].reason);
	ck_assert_uint_eq(error.line, bad[_i].line);
}
END_TEST

START_TEST(refuses_a_nul)
{
	struct config_error error;
	struct config config;

	ck_assert_int_eq(config_parse("#\0", 2, "f", &config, &error), -EINVAL);
	ck_assert_str_eq(error.reason, "holds a NUL byte");
}
END_TEST

START_TEST(accepts)
{
	static const char text[] =
		"# one\n; two\n\n  [contexts] \r\n per-user\t=  7 \r\nper-host=8\n"
		"[context]\nprivate = 2M\nept = 1G\nprivate-max=8192K\n"
		"vcpus = 007\n[contexts]\n[connections]\nper-user = 4096";
	struct config_error error;
	struct config config;

	config_defaults(&config);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), 0);
	ck_assert_int_eq(config.contexts_per_user, 7);
	ck_assert_int_eq(config.contexts_per_host, 8);
	ck_assert_int_eq(config.defaults.private_pages, 512);
	ck_assert_int_eq(config.maximum.private_pages, 2048);
	ck_assert_int_eq(config.defaults.ept_pages, 262144);
	ck_assert_int_eq(config.defaults.vcpus, 7);
	ck_assert_int_eq(config.connections_per_user, 4096);
	ck_assert_int_eq(config.connections_per_host, 1024);
}
END_TEST

static const struct {
	const char *text, *reason;
} contradictions[] = {
	{ "[contexts]\nper-user = 2\nper-host = 1", "[contexts] per-user is above per-host" },
	{ "[context]\nvcpus = 2\nvcpus-max = 1", "[context] vcpus is above vcpus-max" },
	{ "[context]\nprivate = 2M\nprivate-max = 1M", "[context] private is above private-max" },
	{ "[context]\nept = 2M\nept-max = 1M", "[context] ept is above ept-max" },
	{ "[connections]\nper-host = 63", "[connections] per-user is above per-host" },
};

START_TEST(refuses_contradictions)
{
	const char *text = contradictions[_i].text;
	struct config_error error;
	struct config config;

	config_defaults(&config);
	ck_assert_int_eq(config_check(&config, &error), 0);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), 0);
	ck_assert_int_eq(config_check(&config, &error), -EINVAL);
	ck_assert_str_eq(error.reason, contradictions[_i].reason);
	ck_assert_uint_eq(error.line, 0);
}
END_TEST

/* ---- files ---- */

static char folder[] = "/tmp/dune-test-XXXXXX";
static char path[64];

static void put_file(const char *name, const char *text)
{
	char file_path[128];
	FILE *file;

	snprintf(file_path, sizeof(file_path), "%s/%s", folder, name);
	file = fopen(file_path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
	char dropins[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/d.conf", folder);
	snprintf(dropins, sizeof(dropins), "%s/d.conf.d", folder);
	ck_assert_int_eq(mkdir(dropins, 0755), 0);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(drop_ins_in_order)
{
	struct config_error error;
	struct config config;

	put_file("d.conf", "[contexts]\nper-user = 1\nper-host = 100\n");
	put_file("d.conf.d/20.conf", "[contexts]\nper-user = 20\n");
	put_file("d.conf.d/10.conf", "[contexts]\nper-user = 10\n[context]\nvcpus = 10\n");
	put_file("d.conf.d/.hidden.conf", "nonsense\n");
	put_file("d.conf.d/30.conf~", "nonsense\n");
	put_file("d.conf.d/README", "nonsense\n");
	ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
	ck_assert_int_eq(config.contexts_per_user, 20);
	ck_assert_int_eq(config.contexts_per_host, 100);
	ck_assert_int_eq(config.defaults.vcpus, 10);
}
END_TEST

START_TEST(an_error_leaves_all_as_it_was)
{
	struct config config = { .contexts_per_user = 77 };
	struct config_error error;
	char expected[128];

	put_file("d.conf", "[contexts]\nper-user = 1\n");
	put_file("d.conf.d/20.conf", "[contexts]\nper-user = x\n");
	ck_assert_int_eq(config_load(path, 0, &config, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "%s.d/20.conf", path);
	ck_assert_str_eq(error.file, expected);
	ck_assert_uint_eq(error.line, 2);
	ck_assert_int_eq(config.contexts_per_user, 77);
}
END_TEST

START_TEST(missing_files)
{
	struct config_error error;
	struct config config;

	ck_assert_int_eq(config_load(path, 0, &config, &error), -ENOENT);
	ck_assert_str_eq(error.file, path);
	ck_assert_int_eq(config_load(path, 1, &config, &error), 0);
	ck_assert_int_eq(config.contexts_per_user, 64);
	put_file("d.conf.d/10.conf", "[contexts]\nper-user = 2000\n");
	ck_assert_int_eq(config_load(path, 1, &config, &error), -EINVAL);
	ck_assert_str_eq(error.file, path);
	ck_assert_str_eq(error.reason, "[contexts] per-user is above per-host");
}
END_TEST

START_TEST(files_that_are_too_large_or_too_many)
{
	static char text[CONFIG_MAX_FILE + 2];
	struct config_error error;
	struct config config;
	char name[32];

	memset(text, '#', CONFIG_MAX_FILE);
	put_file("d.conf", text);
	ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
	text[CONFIG_MAX_FILE] = '#';
	put_file("d.conf", text);
	ck_assert_int_eq(config_load(path, 0, &config, &error), -EFBIG);
	put_file("d.conf", "");
	for (int i = 0; i < CONFIG_MAX_DROPINS + 1; i++) {
		ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
		snprintf(name, sizeof(name), "d.conf.d/%d.conf", i);
		put_file(name, "");
	}
	ck_assert_int_eq(config_load(path, 0, &config, &error), -EINVAL);
	ck_assert_str_eq(error.reason, "more than 64 files");
}
END_TEST

/* Every value that the installed file shows in a comment is the default, and every key is shown. */
START_TEST(the_installed_file_shows_the_defaults)
{
	struct config shown, defaults;
	struct config_error error;
	char line[256], text[8192] = "";
	FILE *file = fopen("systemd/duned.conf", "re");
	int keys = 0;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		bool key = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';

		keys += key;
		strcat(text, key ? line + 1 : line);
	}
	fclose(file);
	ck_assert_int_eq(keys, 11);
	config_defaults(&defaults);
	memset(&shown, 0, sizeof(shown));
	ck_assert_int_eq(config_parse(text, strlen(text), "duned.conf", &shown, &error), 0);
	ck_assert_mem_eq(&shown, &defaults, sizeof(shown));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *texts = tcase_create("texts"), *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(texts, refuses, 0, NR_ROWS(bad));
	tcase_add_test(texts, refuses_a_nul);
	tcase_add_test(texts, accepts);
	tcase_add_loop_test(texts, refuses_contradictions, 0, NR_ROWS(contradictions));
	tcase_add_test(texts, the_installed_file_shows_the_defaults);
	suite_add_tcase(suite, texts);
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, drop_ins_in_order);
	tcase_add_test(files, an_error_leaves_all_as_it_was);
	tcase_add_test(files, missing_files);
	tcase_add_test(files, files_that_are_too_large_or_too_many);
	suite_add_tcase(suite, files);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
