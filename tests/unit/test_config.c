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
#include "tests/unit/suite.h"

#define NR_ROWS(array)	     (int)(sizeof(array) / sizeof((array)[0]))
#define USER_CONTEXTS(rules) ((rules).base[QUOTA_BASE_USER].values[QUOTA_CONTEXTS].maximum)
#define HOST_CONTEXTS(rules) ((rules).base[QUOTA_BASE_HOST].values[QUOTA_CONTEXTS].maximum)

/* The part that is underlined stands at the column. */
static const struct {
	const char *text;
	unsigned int line, column;
	const char *part, *reason;
} bad[] = {
	{ "contexts = 1", 1, 1, "contexts", "contexts stands before any [section]" },
	{ "\n\n[nonsense]\n", 3, 2, "nonsense", "unknown section [nonsense]" },
	{ " [quota user", 1, 2, "[quota user", "section without ]" },
	{ "[", 1, 1, "[", "section without ]" },
	{ "[]", 1, 2, "", "unknown section []" },
	{ "[context] x", 1, 1, "[context] x", "section without ]" },
	{ "[context]\n  vcpus", 2, 3, "vcpus", "neither [section] nor key = value" },
	{ "[context]\nvcpus = 1 # one", 2, 9, "1 # one", "vcpus wants a number" },
	{ "[quota user]\nvcpus_ = 1", 2, 1, "vcpus_", "unknown key vcpus_ in [quota user]" },
	{ "[contexts]\nvcpus = 1", 2, 1, "vcpus", "unknown key vcpus in [contexts]" },
	{ "[context]\n= 1", 2, 1, "", "unknown key  in [context]" },
	{ "[quota host]\ncontexts =", 2, 11, "", "contexts wants a number" },
	{ "[quota host]\ncontexts = -1", 2, 12, "-1", "contexts wants a number" },
	{ "[quota host]\ncontexts = +1", 2, 12, "+1", "contexts wants a number" },
	{ "[quota host]\ncontexts = 0x10", 2, 12, "0x10", "contexts wants a number" },
	{ "[quota host]\ncontexts = 1K", 2, 12, "1K", "contexts wants a number" },
	{ "[quota host]\ncontexts = 1 2", 2, 12, "1 2", "contexts wants a number" },
	{ "[quota host]\ncontexts = 16385", 2, 12, "16385", "contexts must be 0 to 16384" },
	{ "[quota host]\ncontexts = 99999999999999999999", 2, 12, "99999999999999999999",
	  "contexts must be 0 to 16384" },
	{ "[contexts]\nper-user = 16385", 2, 12, "16385", "per-user must be 0 to 16384" },
	{ "[quota host]\ncontexts = 1\n\ncontexts = 1", 4, 1, "contexts",
	  "contexts is set twice, before in line 2" },
	{ "[quota user]\ncontexts = 1\n[contexts]\nper-user = 1", 4, 1, "per-user",
	  "per-user is set twice, before in line 2" },
	{ "[quota user root]\nept = 1G\n[quota user 0]\nvcpus = 1\nept = 1G", 5, 1, "ept",
	  "ept is set twice, before in line 2" },
	{ "[quota host]\ncreate-rate = 0", 2, 15, "0", "create-rate must be 1 to 1000000" },
	{ "[quota host]\nvcpus = 3932161", 2, 9, "3932161", "vcpus must be 0 to 3932160" },
	{ "[quota host]\nprivate = 3", 2, 11, "3", "private wants a multiple of 4K, like 64M" },
	{ "[quota host]\nprivate = 9T", 2, 11, "9T",
	  "private must be 0 to 2147483648 pages of 4K" },
	{ "[quota host]\nept = none", 2, 7, "none", "ept wants a multiple of 4K, like 64M" },
	{ "[quota]", 1, 7, "", "quota must be host, user, group, cgroup or process" },
	{ "[quota  everybody]", 1, 9, "everybody",
	  "everybody must be host, user, group, cgroup or process" },
	{ "[quotas]", 1, 2, "quotas", "unknown section [quotas]" },
	{ "[quota host x]", 1, 13, "x", "x takes no name" },
	{ "[quota process 1]", 1, 16, "1", "1 takes no name" },
	{ "[quota group]", 1, 8, "group", "group needs a name" },
	{ "[quota cgroup ]", 1, 8, "cgroup", "cgroup needs a name" },
	{ "[quota user no-such-user-here]", 1, 13, "no-such-user-here",
	  "no-such-user-here is no user known here" },
	{ "[quota group no-such-group]", 1, 14, "no-such-group",
	  "no-such-group is no group known here" },
	{ "[quota user 4294967295]", 1, 13, "4294967295", "4294967295 is no id below 4294967295" },
	{ "[quota user 1x]", 1, 13, "1x", "1x is no id below 4294967295" },
	{ "[quota user a b]", 1, 13, "a b", "a b is no user known here" },
	{ "[quota cgroup /a/]", 1, 15, "/a/",
	  "/a/ is no cgroup: /path of at most 127 bytes, or NAME.slice" },
	{ "[context]\nvcpus = 0", 2, 9, "0", "vcpus must be 1 to 240" },
	{ "[context]\nvcpus = 241", 2, 9, "241", "vcpus must be 1 to 240" },
	{ "[context]\nvcpus = unlimited", 2, 9, "unlimited", "vcpus wants a number" },
	{ "[context]\nvcpus = 1\nvcpus = 1", 3, 1, "vcpus", "vcpus is set twice" },
	{ "[context]\nprivate = 4095", 2, 11, "4095", "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1M1", 2, 11, "1M1", "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1m", 2, 11, "1m", "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = M", 2, 11, "M", "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 1.5G", 2, 11, "1.5G", "private wants a multiple of 4K, like 64M" },
	{ "[context]\nprivate = 0", 2, 11, "0", "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nprivate = 513M", 2, 11, "513M", "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nprivate = 9223372036854775807T", 2, 11, "9223372036854775807T",
	  "private must be 1 to 131072 pages of 4K" },
	{ "[context]\nept = 128K", 2, 7, "128K", "ept must be 320 to 16777216 pages of 4K" },
	{ "[connections]\nper-user = 0", 2, 12, "0", "per-user must be 1 to 4096" },
	{ "[access]\nadministrators = 1 no-such-user-here", 2, 20, "no-such-user-here",
	  "administrators names no-such-user-here, who is not known here" },
	{ "[access]\nadministrators = 1 \x1b[m 2", 2, 20, "?[m",
	  "administrators wants uids, user names and @groups, not ?[m" },
	{ "[access]\nadministrators = 1\nadministrators = 2", 3, 1, "administrators",
	  "administrators is set twice" },
	{ "[access]\nobservers = 1, @no-such-group-here", 2, 16, "@no-such-group-here",
	  "observers names @no-such-group-here, who is not known here" },
	{ "[access]\nobservers = 1 a/b", 2, 15, "a/b",
	  "observers wants uids, user names and @groups, not a/b" },
	{ "[access]\nobservers = 1\nadministrators = 2\nobservers = 3", 4, 1, "observers",
	  "observers is set twice" },
	{ "[access]\nobservers = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 "
	  "27 28 29 30 31 32 33",
	  2, 100, "33", "observers names more than 32" },
	{ "[access]\npolkit = maybe", 2, 10, "maybe", "polkit wants yes or no" },
	{ "[access]\npolkit = Yes", 2, 10, "Yes", "polkit wants yes or no" },
	{ "[access]\npolkit =", 2, 9, "", "polkit wants yes or no" },
	{ "[access]\npolkit = no\npolkit = yes", 3, 1, "polkit", "polkit is set twice" },
	{ "[context]\n\x1b[31mx = 1", 2, 1, "?[31mx", "unknown key ?[31mx in [context]" },
	{ "[\xff\xfe]", 1, 2, "??", "unknown section [??]" },
};

START_TEST(refuses)
{
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };
	char part[CONFIG_TEXT_MAX];

	config_defaults(&config);
	ck_assert_int_eq(config_parse(bad[_i].text, strlen(bad[_i].text), "f", &config, &error),
			 -EINVAL);
	ck_assert_str_eq(error.file, "f");
	ck_assert_str_eq(error.reason, bad[_i].reason);
	ck_assert_uint_eq(error.line, bad[_i].line);
	ck_assert_uint_eq(error.column, bad[_i].column);
	snprintf(part, sizeof(part), "%.*s", (int)error.caret_length, error.text + error.caret);
	/* Where there is nothing to underline, the caret stands alone. */
	if (bad[_i].part[0])
		ck_assert_str_eq(part, bad[_i].part);
	else
		ck_assert_uint_eq(error.caret_length, 1);
}
END_TEST

/* Of a long line a window is shown, with the offending part in it. */
START_TEST(shows_a_part_of_a_long_line)
{
	char text[1024] = "[context]\n", part[CONFIG_TEXT_MAX];
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };

	memset(text + strlen(text), ' ', 500);
	strcat(text, "vcpus = 123456789");
	memset(text + strlen(text), '7', 300);
	config_defaults(&config);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), -EINVAL);
	ck_assert_uint_eq(error.column, 509);
	ck_assert_uint_lt(strlen(error.text), CONFIG_TEXT_MAX);
	ck_assert_uint_le(error.caret + error.caret_length, CONFIG_TEXT_MAX);
	snprintf(part, sizeof(part), "%.9s", error.text + error.caret);
	ck_assert_str_eq(part, "123456789");
}
END_TEST

START_TEST(refuses_a_nul)
{
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };

	config_defaults(&config);
	ck_assert_int_eq(config_parse("#\0", 2, "f", &config, &error), -EINVAL);
	ck_assert_str_eq(error.reason, "holds a NUL byte");
}
END_TEST

START_TEST(accepts)
{
	static const char text[] =
		"# one\n; two\n\n  [contexts] \r\n per-user\t=  7 \r\nper-host=8\n"
		"[context]\nprivate = 2M\nept = 1G\nprivate-max=8192K\n"
		"vcpus = 007\n[contexts]\n[connections]\nper-user = 4096\n[access]\npolkit=yes\n"
		"administrators = 5\nobservers=@2,\t3";
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };
	char list[64];

	config_defaults(&config);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), 0);
	ck_assert_int_eq(USER_CONTEXTS(config.configured), 7);
	ck_assert_int_eq(HOST_CONTEXTS(config.configured), 8);
	ck_assert_int_eq(config.defaults.private_pages, 512);
	ck_assert_int_eq(config.maximum.private_pages, 2048);
	ck_assert_int_eq(config.defaults.ept_pages, 262144);
	ck_assert_int_eq(config.defaults.vcpus, 7);
	ck_assert_int_eq(config.connections_per_user, 4096);
	ck_assert_int_eq(config.connections_per_host, 1024);
	ck_assert_int_eq(config.polkit, 1);
	access_format(&config.administrators, list, sizeof(list));
	ck_assert_str_eq(list, "5");
	access_format(&config.observers, list, sizeof(list));
	ck_assert_str_eq(list, "@2 3");
	ck_assert_int_eq(config_parse("[access]\npolkit = no", 20, "g", &config, &error), 0);
	ck_assert_int_eq(config.polkit, 0);
}
END_TEST

static const struct {
	const char *text, *reason;
} contradictions[] = {
	{ "[context]\nvcpus = 2\nvcpus-max = 1", "[context] vcpus is above vcpus-max" },
	{ "[context]\nprivate = 2M\nprivate-max = 1M", "[context] private is above private-max" },
	{ "[context]\nept = 4M\nept-max = 2M", "[context] ept is above ept-max" },
	{ "[connections]\nper-host = 63", "[connections] per-user is above per-host" },
};

START_TEST(refuses_contradictions)
{
	const char *text = contradictions[_i].text;
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };

	config_defaults(&config);
	ck_assert_int_eq(config_check(&config, &error), 0);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), 0);
	ck_assert_int_eq(config_check(&config, &error), -EINVAL);
	ck_assert_str_eq(error.reason, contradictions[_i].reason);
	ck_assert_uint_eq(error.line, 0);
}
END_TEST

/* ---- quotas ---- */

static int64_t maximum_of(const struct quota_rules *rules, enum quota_scope scope, uint32_t id,
			  const char *path, enum quota_resource resource)
{
	struct quota_key key = { .scope = scope, .id = id };
	const struct quota_rule *rule;

	strcpy(key.path, path);
	rule = quota_rules_find(rules, &key);
	ck_assert_ptr_nonnull(rule);
	return rule->values[resource].maximum;
}

START_TEST(quotas)
{
	static const char text[] =
		"[quota host]\ncontexts = 500\n[ quota\tuser ]\nvcpus = 100\nprivate = 1G\n"
		"[quota user root]\ncontexts=unlimited\n[quota user 1000]\nept = 2M\n"
		"[quota group  100]\ncreate-rate = 60\n[quota cgroup user-1000.slice]\n"
		"contexts = 0\n[quota cgroup /a/b]\ncontexts = 3\n[quota process]\ncontexts = 4\n"
		"[quota user 1000]\nvcpus = 5\n";
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };
	char printed[4096];

	config_defaults(&config);
	ck_assert_int_eq(config_parse(text, strlen(text), "f", &config, &error), 0);
	ck_assert_int_eq(HOST_CONTEXTS(config.configured), 500);
	ck_assert_int_eq(USER_CONTEXTS(config.configured), 64);
	ck_assert_int_eq(config.configured.base[QUOTA_BASE_USER].values[QUOTA_PRIVATE].maximum,
			 262144);
	ck_assert_int_eq(config.configured.base[QUOTA_BASE_PROCESS].values[QUOTA_CONTEXTS].maximum,
			 4);
	ck_assert_uint_eq(config.configured.nr_named, 5);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_USER, 0, "", QUOTA_CONTEXTS),
			 QUOTA_UNLIMITED);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_USER, 1000, "", QUOTA_EPT), 512);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_USER, 1000, "", QUOTA_VCPUS), 5);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_USER, 1000, "", QUOTA_CONTEXTS),
			 QUOTA_UNSET);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_GROUP, 100, "", QUOTA_RATE), 60);
	ck_assert_int_eq(maximum_of(&config.configured, QUOTA_CGROUP, 0,
				    "/user.slice/user-1000.slice", QUOTA_CONTEXTS),
			 0);
	/* What is printed says the same when it is read. */
	ck_assert_int_gt(config_format_quotas(&config.configured, printed, sizeof(printed)), 0);
	ck_assert_str_eq(printed, "[quota host]\ncontexts = 500\n"
				  "[quota user]\ncontexts = 64\nvcpus = 100\nprivate = 1048576K\n"
				  "[quota process]\ncontexts = 4\n"
				  "[quota user 0]\ncontexts = unlimited\n"
				  "[quota user 1000]\nvcpus = 5\nept = 2048K\n"
				  "[quota group 100]\ncreate-rate = 60\n"
				  "[quota cgroup /a/b]\ncontexts = 3\n"
				  "[quota cgroup /user.slice/user-1000.slice]\ncontexts = 0\n");
	ck_assert_int_eq(config_format_quotas(&config.configured, printed, 100), -E2BIG);
}
END_TEST

START_TEST(run_time_quotas)
{
	static const char configured[] = "[quota user 1]\ncontexts = 1\nvcpus = 2\n";
	static const char runtime[] = "[quota user 1]\ncontexts = 9\n[quota host]\ncontexts = 8\n"
				      "[quota group 7]\nept = 1G\n";
	struct config_error error;
	struct quota_rules rules;
	struct config config __attribute__((cleanup(config_done))) = { 0 };
	char origin[64];

	config_defaults(&config);
	quota_rules_init(&rules);
	ck_assert_int_eq(config_parse(configured, strlen(configured), "f", &config, &error), 0);
	ck_assert_int_eq(config_parse_quotas(runtime, strlen(runtime), "r", &rules, &error), 0);
	ck_assert_int_eq(config_overlay(&config, &rules), 0);
	ck_assert_int_eq(maximum_of(&config.quotas, QUOTA_USER, 1, "", QUOTA_CONTEXTS), 9);
	ck_assert_int_eq(maximum_of(&config.quotas, QUOTA_USER, 1, "", QUOTA_VCPUS), 2);
	ck_assert_int_eq(maximum_of(&config.quotas, QUOTA_GROUP, 7, "", QUOTA_EPT), 262144);
	ck_assert_int_eq(HOST_CONTEXTS(config.quotas), 8);
	ck_assert_int_eq(HOST_CONTEXTS(config.configured), 1024);
	config_origin(&config, &config.quotas.named[0].values[QUOTA_CONTEXTS], origin, 64);
	ck_assert_str_eq(origin, "run-time");
	config_origin(&config, &config.quotas.named[0].values[QUOTA_VCPUS], origin, 64);
	ck_assert_str_eq(origin, "f:3");
	config_origin(&config, &config.quotas.base[QUOTA_BASE_USER].values[QUOTA_CONTEXTS], origin,
		      64);
	ck_assert_str_eq(origin, "default");
	/* Taken back, what is configured holds again. */
	quota_rules_done(&rules);
	quota_rules_init(&rules);
	ck_assert_int_eq(config_overlay(&config, &rules), 0);
	ck_assert_int_eq(maximum_of(&config.quotas, QUOTA_USER, 1, "", QUOTA_CONTEXTS), 1);
	ck_assert_uint_eq(config.quotas.nr_named, 1);
	/* Nothing else may stand there. */
	ck_assert_int_eq(config_parse_quotas("[context]\n", 10, "r", &rules, &error), -EINVAL);
	ck_assert_str_eq(error.reason, "unknown section [context]");
	ck_assert_int_eq(config_parse_quotas("[contexts]\n", 11, "r", &rules, &error), -EINVAL);
	config_done(&config);
	quota_rules_done(&rules);
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
	char origin[300], expected[300];
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };

	put_file("d.conf", "[contexts]\nper-user = 1\nper-host = 100\n");
	put_file("d.conf.d/20.conf", "[contexts]\nper-user = 20\n");
	put_file("d.conf.d/10.conf", "[contexts]\nper-user = 10\n[context]\nvcpus = 10\n");
	put_file("d.conf.d/.hidden.conf", "nonsense\n");
	put_file("d.conf.d/30.conf~", "nonsense\n");
	put_file("d.conf.d/README", "nonsense\n");
	ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
	ck_assert_int_eq(USER_CONTEXTS(config.quotas), 20);
	ck_assert_int_eq(HOST_CONTEXTS(config.quotas), 100);
	config_origin(&config, &config.quotas.base[QUOTA_BASE_USER].values[QUOTA_CONTEXTS], origin,
		      sizeof(origin));
	snprintf(expected, sizeof(expected), "%s.d/20.conf:2", path);
	ck_assert_str_eq(origin, expected);
	ck_assert_int_eq(config.defaults.vcpus, 10);
}
END_TEST

START_TEST(an_error_leaves_all_as_it_was)
{
	struct config config = { .connections_per_user = 77 };
	struct config_error error;
	char expected[128];

	put_file("d.conf", "[contexts]\nper-user = 1\n");
	put_file("d.conf.d/20.conf", "[contexts]\nper-user = x\n");
	ck_assert_int_eq(config_load(path, 0, &config, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "%s.d/20.conf", path);
	ck_assert_str_eq(error.file, expected);
	ck_assert_uint_eq(error.line, 2);
	ck_assert_int_eq(config.connections_per_user, 77);
}
END_TEST

START_TEST(missing_files)
{
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };

	ck_assert_int_eq(config_load(path, 0, &config, &error), -ENOENT);
	ck_assert_str_eq(error.file, path);
	ck_assert_int_eq(config_load(path, 1, &config, &error), 0);
	ck_assert_int_eq(USER_CONTEXTS(config.quotas), 64);
	config_done(&config);
	put_file("d.conf.d/10.conf", "[connections]\nper-user = 2000\n");
	ck_assert_int_eq(config_load(path, 1, &config, &error), -EINVAL);
	ck_assert_str_eq(error.file, path);
	ck_assert_str_eq(error.reason, "[connections] per-user is above per-host");
}
END_TEST

START_TEST(files_that_are_too_large_or_too_many)
{
	static char text[CONFIG_MAX_FILE + 2];
	struct config_error error;
	struct config config __attribute__((cleanup(config_done))) = { 0 };
	char name[32];

	memset(text, '#', CONFIG_MAX_FILE);
	put_file("d.conf", text);
	ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
	config_done(&config);
	text[CONFIG_MAX_FILE] = '#';
	put_file("d.conf", text);
	ck_assert_int_eq(config_load(path, 0, &config, &error), -EFBIG);
	put_file("d.conf", "");
	for (int i = 0; i < CONFIG_MAX_DROPINS + 1; i++) {
		ck_assert_int_eq(config_load(path, 0, &config, &error), 0);
		config_done(&config);
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
	char line[256], text[8192] = "", expected[1024];
	FILE *file = fopen("systemd/duned.conf", "re");
	int keys = 0;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		bool key = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';

		keys += key;
		strcat(text, key ? line + 1 : line);
	}
	fclose(file);
	ck_assert_int_eq(keys, 15);
	config_defaults(&defaults);
	memset(&shown, 0, sizeof(shown));
	quota_rules_init(&shown.configured);
	ck_assert_int_eq(config_parse(text, strlen(text), "duned.conf", &shown, &error), 0);
	ck_assert_mem_eq(&shown, &defaults, offsetof(struct config, configured));
	config_format_quotas(&defaults.configured, expected, sizeof(expected));
	config_format_quotas(&shown.configured, text, sizeof(text));
	ck_assert_str_eq(text, expected);
	config_done(&shown);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *texts = tcase_create("texts"), *files = tcase_create("files");

	tcase_add_loop_test(texts, refuses, 0, NR_ROWS(bad));
	tcase_add_test(texts, shows_a_part_of_a_long_line);
	tcase_add_test(texts, refuses_a_nul);
	tcase_add_test(texts, quotas);
	tcase_add_test(texts, run_time_quotas);
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
	return suite_run(suite);
}
