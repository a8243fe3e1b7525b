// SPDX-License-Identifier: LGPL-2.1-or-later
/* The policy's whole table: who may call what, and act on whose context. */
#include <check.h>
#include <stdlib.h>

#include "duned/policy.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct {
	uint32_t uid;
	bool identified;
	enum dune_access access;
	uint32_t owner;
	bool may_call, may_act;
} rows[] = {
	{ 0, true, ACCESS_ANYONE, 1000, true, false },
	{ 1000, true, ACCESS_ANYONE, 1000, true, false },
	{ 65534, false, ACCESS_ANYONE, 65534, true, false },
	{ 0, true, ACCESS_IDENTIFIED, 1000, true, false },
	{ 1000, true, ACCESS_IDENTIFIED, 1000, true, false },
	{ 65534, false, ACCESS_IDENTIFIED, 65534, false, false },
	{ 0, true, ACCESS_OWNER, 1000, true, true },
	{ 0, true, ACCESS_OWNER, 0, true, true },
	{ 1000, true, ACCESS_OWNER, 1000, true, true },
	{ 1000, true, ACCESS_OWNER, 1001, true, false },
	{ 1000, true, ACCESS_OWNER, 0, true, false },
	{ 65534, true, ACCESS_OWNER, 65534, true, true },
	{ 65534, false, ACCESS_OWNER, 65534, false, false },
	{ 0, false, ACCESS_OWNER, 0, false, false },
	{ 0, true, (enum dune_access)99, 0, false, false },
};

START_TEST(row)
{
	const struct peer peer = { .uid = rows[_i].uid,
				   .pid = 1,
				   .identified = rows[_i].identified };

	ck_assert_int_eq(policy_may_call(&peer, rows[_i].access), rows[_i].may_call);
	ck_assert_int_eq(policy_may(&peer, rows[_i].access, rows[_i].owner), rows[_i].may_act);
}
END_TEST

static const struct {
	const char *name;
	enum dune_access access;
} methods[] = {
#define ROW(interface, name, access, handler) { interface "." name, access },
	DUNE_METHODS(ROW)
};

/* Whatever touches contexts must ask for their owner. */
START_TEST(methods_have_the_right_access)
{
	static const struct {
		const char *name;
		enum dune_access access;
	} expected[] = {
		{ "io.dune.Manager.Create", ACCESS_IDENTIFIED },
		{ "io.dune.Manager.List", ACCESS_OWNER },
		{ "io.dune.Manager.Inspect", ACCESS_OWNER },
		{ "io.dune.Manager.Stats", ACCESS_OWNER },
		{ "io.dune.Manager.Kill", ACCESS_OWNER },
		{ "io.dune.Manager.Info", ACCESS_ANYONE },
		{ "org.varlink.service.GetInfo", ACCESS_ANYONE },
		{ "org.varlink.service.GetInterfaceDescription", ACCESS_ANYONE },
	};

	ck_assert_int_eq(NR_ROWS(methods), NR_ROWS(expected));
	for (int i = 0; i < NR_ROWS(expected); i++) {
		ck_assert_str_eq(methods[i].name, expected[i].name);
		ck_assert_int_eq(methods[i].access, expected[i].access);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tests = tcase_create("policy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, row, 0, NR_ROWS(rows));
	tcase_add_test(tests, methods_have_the_right_access);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
