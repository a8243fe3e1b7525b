// SPDX-License-Identifier: LGPL-2.1-or-later
/* The name tables: complete, unique, and names that fit into Varlink. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/names.h"
#include "tests/unit/suite.h"

/* Checks that the names of 0 .. count - 1 are well formed and unique; returns how many there are. */
static int check_names(const char *(*name_of)(unsigned int), unsigned int count)
{
	int named = 0;

	for (unsigned int i = 0; i < count; i++) {
		const char *name = name_of(i);

		if (!name)
			continue;
		named++;
		ck_assert_uint_gt(strlen(name), 0);
		ck_assert_uint_lt(strlen(name), DUNE_NAME_BUFFER);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				  strlen(name));
		for (unsigned int j = 0; j < i; j++)
			ck_assert(!name_of(j) || strcmp(name_of(j), name) != 0);
	}
	ck_assert_ptr_null(name_of(count));
	ck_assert_ptr_null(name_of(~0u));
	return named;
}

START_TEST(tables)
{
	ck_assert_int_eq(check_names(dune_counter_name, DUNE_NR_COUNTERS),
			 DUNE_COUNT_EPT_LARGE + 1);
	ck_assert_int_eq(check_names(dune_limit_name, DUNE_NR_LIMITS), DUNE_NR_LIMITS);
	ck_assert_int_eq(check_names(dune_state_name, DUNE_STATE_ENDED + 1), DUNE_STATE_ENDED + 1);
	ck_assert_int_eq(check_names(dune_cause_name, DUNE_NR_ENDS), DUNE_NR_ENDS - 1);
	ck_assert_int_eq(check_names(dune_event_name, DUNE_EVENT_LOST + 1), DUNE_EVENT_LOST);
	ck_assert_int_eq(check_names(dune_feature_name, 64), 9);
	/* 35, 38, 42 and 71 are no reasons */
	ck_assert_int_eq(check_names(dune_exit_name, DUNE_NR_EXITS), DUNE_NR_EXITS - 4);
}
END_TEST

START_TEST(known_numbers)
{
	ck_assert_str_eq(dune_exit_name(10), "cpuid");
	ck_assert_str_eq(dune_exit_name(18), "vmcall");
	ck_assert_str_eq(dune_exit_name(30), "io_instruction");
	ck_assert_str_eq(dune_exit_name(48), "ept_violation");
	ck_assert_str_eq(dune_exit_name(52), "preemption_timer_expired");
	ck_assert_str_eq(dune_exit_name(55), "xsetbv");
	ck_assert_str_eq(dune_exit_name(63), "xsaves");
	ck_assert_str_eq(dune_exit_name(74), "bus_lock");
	ck_assert_str_eq(dune_exit_name(DUNE_NR_EXITS - 1), "other");
	ck_assert_str_eq(dune_counter_name(DUNE_COUNT_INVEPT), "invept");
	ck_assert_str_eq(dune_cause_name(DUNE_END_STUCK), "stuck");
	ck_assert_ptr_null(dune_cause_name(DUNE_END_NONE));
}
END_TEST

START_TEST(every_cause_has_a_sentence)
{
	for (unsigned int i = DUNE_END_EXIT; i < DUNE_NR_ENDS; i++)
		ck_assert_str_ne(dune_cause_text(dune_cause_name(i)), "ended");
	ck_assert_str_eq(dune_cause_text("cause_77"), "ended");
}
END_TEST

START_TEST(names_or_numbers)
{
	char buffer[DUNE_NAME_BUFFER];

	ck_assert_str_eq(dune_name_or_number("cpuid", "reason", 10, buffer), "cpuid");
	ck_assert_str_eq(dune_name_or_number(NULL, "reason", ~0u, buffer), "reason_4294967295");
}
END_TEST

START_TEST(gauges)
{
	ck_assert(!dune_counter_is_gauge(DUNE_COUNT_ENTRIES));
	ck_assert(!dune_counter_is_gauge(DUNE_COUNT_REINJECTED));
	ck_assert(dune_counter_is_gauge(DUNE_COUNT_VCPUS_NOW));
	ck_assert(dune_counter_is_gauge(DUNE_COUNT_SLOTS_NOW));
	ck_assert(!dune_counter_is_gauge(DUNE_COUNT_SLOTS_NOW + 1));
}
END_TEST

START_TEST(valid_names)
{
	char name[DUNE_NAME_MAX + 1];

	ck_assert(dune_name_is_valid("a"));
	ck_assert(dune_name_is_valid("A-Z.a_9"));
	ck_assert(dune_name_is_valid("..."));
	memset(name, 'x', sizeof(name));
	name[DUNE_NAME_MAX - 1] = '\0';
	ck_assert(dune_name_is_valid(name));
	name[DUNE_NAME_MAX - 1] = 'x';
	name[DUNE_NAME_MAX] = '\0';
	ck_assert(!dune_name_is_valid(name));
	ck_assert(!dune_name_is_valid(""));
	ck_assert(!dune_name_is_valid("a b"));
	ck_assert(!dune_name_is_valid("a/b"));
	ck_assert(!dune_name_is_valid("a\n"));
	ck_assert(!dune_name_is_valid("\xc3\xa9"));
}
END_TEST

START_TEST(errno_names)
{
	ck_assert_str_eq(dune_errno_name(ENOENT), "ENOENT");
	ck_assert_str_eq(dune_errno_name(-EPROTONOSUPPORT), "EPROTONOSUPPORT");
	ck_assert_str_eq(dune_errno_name(99999), "E?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tests = tcase_create("names");

	tcase_add_test(tests, tables);
	tcase_add_test(tests, known_numbers);
	tcase_add_test(tests, every_cause_has_a_sentence);
	tcase_add_test(tests, names_or_numbers);
	tcase_add_test(tests, gauges);
	tcase_add_test(tests, valid_names);
	tcase_add_test(tests, errno_names);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
