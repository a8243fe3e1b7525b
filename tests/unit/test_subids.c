// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of subordinate uids: files as people write them, and as nobody should. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duned/subids.h"
#include "tests/unit/suite.h"

static char path[] = "/tmp/test_subids.XXXXXX";
static struct subids subids;

static void setup(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	subids_done(&subids);
	unlink(path);
}

static void load(const char *text, size_t size)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	subids_done(&subids);
	ck_assert_int_eq(subids_load(path, &subids), 0);
}

static const struct {
	const char *text;
	uint32_t uid, superior;
} cases[] = {
	{ "", 100000, 0 },
	{ "1000:100000:65536\n", 99999, 0 },
	{ "1000:100000:65536\n", 100000, 1000 },
	{ "1000:100000:65536\n", 165535, 1000 },
	{ "1000:100000:65536\n", 165536, 0 },
	{ "1000:100000:65536\n", 1000, 0 },
	{ "1000:100000:65536", 100001, 1000 },
	{ "\n# people\n1000:100000:65536\n", 100001, 1000 },
	/* several, in any order, of several */
	{ "1001:300000:10\n1000:100000:10\n1001:200000:10\n", 100009, 1000 },
	{ "1001:300000:10\n1000:100000:10\n1001:200000:10\n", 200000, 1001 },
	{ "1001:300000:10\n1000:100000:10\n1001:200000:10\n", 300009, 1001 },
	{ "1001:300000:10\n1000:100000:10\n1001:200000:10\n", 100010, 0 },
	{ "1001:300000:10\n1000:100000:10\n1001:200000:10\n", 250000, 0 },
	/* overlapping: the one that begins first, then the longest, then the lowest uid */
	{ "1001:150:100\n1000:100:100\n", 199, 1000 },
	{ "1001:150:100\n1000:100:100\n", 200, 1001 },
	{ "1001:110:10\n1000:100:100\n1002:130:100\n", 115, 1000 },
	{ "1001:110:10\n1000:100:100\n1002:130:100\n", 200, 1002 },
	{ "1001:100:10\n1000:100:20\n", 105, 1000 },
	{ "1001:100:10\n1000:100:10\n", 105, 1000 },
	/* one's own uid in one's own range, and root in anybody's */
	{ "1000:900:200\n", 1000, 0 },
	{ "1000:900:200\n", 1001, 1000 },
	{ "1000:0:65536\n", 0, 0 },
	{ "1000:0:65536\n", 1, 1000 },
	{ "1000:0:1\n", 0, 0 },
	/* root's, by name and number, and nobody's */
	{ "root:100000:65536\n", 100000, 0 },
	{ "0:100000:65536\n", 100000, 0 },
	{ "no-such-user-here:100000:65536\n", 100000, 0 },
	{ "no-such-user-here:100000:9\n1000:100000:9\n", 100000, 1000 },
	/* the ends of what a uid can be */
	{ "1000:4294967294:1\n", 4294967294, 1000 },
	{ "1000:4294967294:2\n", 4294967294, 0 },
	{ "1000:4294967295:1\n", 4294967294, 0 },
	{ "1000:1:4294967294\n", 4294967294, 1000 },
	{ "1000:2:4294967294\n", 4294967294, 0 },
	{ "1000:18446744073709551616:5\n", 1, 0 },
	/* no ranges at all, each before a good line */
	{ "1000\n1001:5000:10\n", 5000, 1001 },
	{ "1000:5000\n1001:5000:10\n", 5000, 1001 },
	{ ":5000:10\n1001:5000:10\n", 5000, 1001 },
	{ "1000:5000:0\n1001:5000:10\n", 5000, 1001 },
	{ "1000:5000:-1\n1001:5000:10\n", 5000, 1001 },
	{ "1000:5000:+9\n1001:5000:10\n", 5000, 1001 },
	{ "1000: 5000:9\n1001:5000:10\n", 5000, 1001 },
	{ "1000:5000:9 \n1001:5000:10\n", 5000, 1001 },
	/* as newuidmap(1) reads it */
	{ "1000:5000:9:x:y\n", 5000, 1000 },
	{ "1000:0x10:9\n", 16, 1000 },
	{ "1000:010:9\n", 8, 1000 },
	{ "1000:0x:9\n1001:5000:10\n", 0, 0 },
	{ "1000:08:9\n1001:5000:10\n", 5000, 1001 },
	{ "1000::9\n1001:5000:10\n", 5000, 1001 },
	{ "::\n1001:5000:10\n", 5000, 1001 },
	{ "-5:5000:10\n", 5000, 0 },
};

START_TEST(whose)
{
	load(cases[_i].text, strlen(cases[_i].text));
	ck_assert_uint_eq(subids_superior(&subids, cases[_i].uid), cases[_i].superior);
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
	static const char text[] = "1000:5000:10\0\n1001:6000:10\n";
	char *line = malloc(1 << 20);

	load(text, sizeof(text) - 1);
	ck_assert_uint_eq(subids_superior(&subids, 5000), 0);
	ck_assert_uint_eq(subids_superior(&subids, 6000), 1001);
	/* A line without an end. */
	ck_assert_ptr_nonnull(line);
	memset(line, 'x', 1 << 20);
	load(line, 1 << 20);
	ck_assert_uint_eq(subids.nr, 0);
	free(line);
}
END_TEST

START_TEST(many)
{
	size_t size = 0, room = (SUBIDS_MAX + 1) * 32;
	char *text = malloc(room);
	struct subids other = { 0 };
	FILE *file;

	ck_assert_ptr_nonnull(text);
	for (unsigned int i = SUBIDS_MAX; i > 0; i--)
		size += (size_t)snprintf(text + size, room - size, "%u:%u:2\n", i, 100000 + i * 4);
	load(text, size);
	ck_assert_uint_eq(subids.nr, SUBIDS_MAX);
	for (unsigned int i = 1; i <= SUBIDS_MAX; i++) {
		uint32_t first = 100000 + i * 4;

		ck_assert_uint_eq(subids_superior(&subids, first - 1), 0);
		ck_assert_uint_eq(subids_superior(&subids, first), i);
		ck_assert_uint_eq(subids_superior(&subids, first + 1), i);
	}
	/* One more is refused, and what was there stays. */
	file = fopen(path, "ae");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "1000:5000:2\n");
	fclose(file);
	ck_assert_int_eq(subids_load(path, &other), -E2BIG);
	ck_assert_ptr_null(other.ranges);
	free(text);
}
END_TEST

/* It is read until it has been the same for a while: a change within a tick of the clock looks like none. */
START_TEST(only_when_it_changed)
{
	static const char text[] = "1000:5000:10\n";
	struct subids_seen seen = { 0 };
	int r;

	for (int round = 0; round < 2; round++) {
		time_t begin = time(NULL);

		load(text, sizeof(text) - 1);
		for (int i = 0; i < 2; i++) {
			subids_done(&subids);
			r = subids_load_changed(path, &seen, &subids);
			/* A machine with much else to do takes a while by itself. */
			if (i && time(NULL) - begin > 1)
				break;
			ck_assert_int_eq(r, 0);
			ck_assert_uint_eq(subids_superior(&subids, 5000), 1000);
		}
		for (int i = 0; i < 100; i++) {
			subids_done(&subids);
			r = subids_load_changed(path, &seen, &subids);
			if (r)
				break;
			usleep(100000);
		}
		ck_assert_int_eq(r, 1);
		ck_assert_ptr_null(subids.ranges);
	}
	/* What fails is tried again. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/", path), 0);
	ck_assert_int_eq(subids_load_changed(path, &seen, &subids), -EISDIR);
	ck_assert_int_eq(subids_load_changed(path, &seen, &subids), -EISDIR);
}
END_TEST

START_TEST(no_file)
{
	struct subids other = { 0 };

	ck_assert_int_eq(subids_load("/nonexistent/subuid", &other), 0);
	ck_assert_uint_eq(other.nr, 0);
	ck_assert_int_eq(subids_load("/", &other), -EISDIR);
	ck_assert_uint_eq(subids_superior(NULL, 100000), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("subids");
	TCase *tests = tcase_create("subids");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, whose, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tests, bytes_that_are_no_text);
	tcase_add_test(tests, many);
	tcase_add_test(tests, only_when_it_changed);
	tcase_add_test(tests, no_file);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
