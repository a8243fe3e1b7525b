// SPDX-License-Identifier: LGPL-2.1-or-later
/* What proto/bugs.c makes of bugs and measures: never "mitigated" unless the measures do it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bugs.h"
#include "proto/dune_abi.h"
#include "tests/unit/suite.h"

#define NR_BUGS 19
#define M(name) DUNE_MEASURE_##name
#define NOTHING "nothing is done by this kernel, or it is told not to"

static const struct row {
	uint64_t bug, measures;
	const char *state, *how; /* how: part of it */
} rows[] = {
	{ DUNE_BUG_L1TF, 0, "vulnerable", "never flushed (force_l1tf)" },
	{ DUNE_BUG_L1TF, M(OFF) | M(NO_SMT), "vulnerable", "mitigations=off" },
	{ DUNE_BUG_L1TF, M(NO_SMT), "vulnerable", "never flushed" },
	{ DUNE_BUG_L1TF, M(L1D_FLUSH), "vulnerable", "SMT is on" },
	{ DUNE_BUG_L1TF, M(L1D_FLUSH) | M(NO_SMT), "mitigated", "L1D is flushed" },
	{ DUNE_BUG_MDS, 0, "vulnerable", NOTHING },
	{ DUNE_BUG_MDS, M(MD_CLEAR), "vulnerable", NOTHING },
	{ DUNE_BUG_MDS, M(OFF), "vulnerable", "mitigations=off" },
	{ DUNE_BUG_MDS, M(VERW) | M(FB_CLEAR), "vulnerable", "no microcode" },
	{ DUNE_BUG_MDS, M(VERW) | M(MD_CLEAR), "mitigated", "VERW" },
	{ DUNE_BUG_TAA, M(VERW), "vulnerable", "no microcode" },
	{ DUNE_BUG_TAA, M(VERW) | M(MD_CLEAR), "mitigated", "VERW" },
	{ DUNE_BUG_TAA, M(OFF) | M(NO_TSX), "not_affected", "TSX" },
	{ DUNE_BUG_MMIO_STALE_DATA, M(VERW) | M(MD_CLEAR), "vulnerable", "no microcode" },
	{ DUNE_BUG_MMIO_STALE_DATA, M(VERW) | M(FB_CLEAR), "mitigated", "VERW" },
	{ DUNE_BUG_MMIO_UNKNOWN, ~0ull, "unknown", "so old" },
	{ DUNE_BUG_RFDS, M(VERW) | M(MD_CLEAR), "vulnerable", "no microcode" },
	{ DUNE_BUG_RFDS, M(VERW) | M(RFDS_CLEAR), "mitigated", "VERW" },
	{ DUNE_BUG_SPECTRE_V2, M(RETPOLINE), "vulnerable", NOTHING },
	{ DUNE_BUG_SPECTRE_V2, M(IBRS), "vulnerable", NOTHING },
	{ DUNE_BUG_SPECTRE_V2, M(RSB_FILL), "vulnerable", NOTHING },
	{ DUNE_BUG_SPECTRE_V2, M(RETPOLINE) | M(RSB_FILL), "mitigated", "retpolines" },
	{ DUNE_BUG_SPECTRE_V2, M(IBRS) | M(RSB_FILL), "mitigated", "IBRS is written" },
	{ DUNE_BUG_SPECTRE_V2, M(EIBRS), "mitigated", "enhanced" },
	{ DUNE_BUG_SPECTRE_V2, M(IBPB), "mitigated", "IBPB" },
	{ DUNE_BUG_RETBLEED, M(RETPOLINE) | M(RSB_FILL), "vulnerable", NOTHING },
	{ DUNE_BUG_RETBLEED, M(CALL_DEPTH), "vulnerable", NOTHING },
	{ DUNE_BUG_RETBLEED, M(CALL_DEPTH) | M(RSB_FILL), "mitigated", "never runs empty" },
	{ DUNE_BUG_RETBLEED, M(IBRS), "mitigated", "IBRS is written" },
	{ DUNE_BUG_RETBLEED, M(EIBRS), "mitigated", "enhanced" },
	{ DUNE_BUG_RETBLEED, M(IBPB), "mitigated", "IBPB" },
	{ DUNE_BUG_EIBRS_PBRSB, M(EIBRS), "vulnerable", NOTHING },
	{ DUNE_BUG_EIBRS_PBRSB, M(RSB_ONE), "mitigated", "LFENCE" },
	{ DUNE_BUG_EIBRS_PBRSB, M(RSB_FILL), "mitigated", "filled" },
	{ DUNE_BUG_BHI, M(EIBRS), "vulnerable", NOTHING },
	{ DUNE_BUG_BHI, M(BHB_LOOP), "mitigated", "cleared" },
	{ DUNE_BUG_BHI, M(BHI_DIS), "mitigated", "BHI_DIS_S" },
	{ DUNE_BUG_ITS, M(RETPOLINE), "vulnerable", NOTHING },
	{ DUNE_BUG_ITS, M(ITS_THUNKS), "mitigated", "thunks" },
	{ DUNE_BUG_ITS, M(ITS_NATIVE_ONLY) | M(OFF), "not_affected", "exit" },
	{ DUNE_BUG_ITLB_MULTIHIT, 0, "vulnerable", NOTHING },
	{ DUNE_BUG_ITLB_MULTIHIT, M(NO_EXEC_HUGE) | M(OFF), "mitigated", "4 KB" },
	{ DUNE_BUG_MELTDOWN, 0, "not_affected", "mapped" },
	{ DUNE_BUG_SWAPGS, 0, "not_affected", "SWAPGS" },
	{ DUNE_BUG_VMSCAPE, 0, "not_affected", "one" },
	{ DUNE_BUG_SPECTRE_V1, 0, "mitigated", "cleared" },
	{ DUNE_BUG_SPEC_STORE_BYPASS, 0, "as_process", "prctl" },
	{ DUNE_BUG_SRBDS, 0, "as_process", "microcode" },
	{ DUNE_BUG_GDS, 0, "as_process", "microcode" },
};
#define NR_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

START_TEST(describes)
{
	const struct row *row = &rows[_i];
	struct dune_bug bug =
		dune_bug_describe((unsigned int)__builtin_ctzll(row->bug), row->measures);

	ck_assert_ptr_nonnull(bug.name);
	ck_assert_msg(!strcmp(bug.state, row->state), "row %d, %s: %s", _i, bug.name, bug.state);
	ck_assert_msg(strstr(bug.how, row->how) != NULL, "row %d, %s: %s", _i, bug.name, bug.how);
}
END_TEST

/* More measures never make it worse, but for OFF, which is none. */
START_TEST(measures_only_help)
{
	for (unsigned int bit = 0; bit < NR_BUGS; bit++) {
		for (uint64_t less = 0; less < 1 << 20; less += 1 + less % 193) {
			const char *state = dune_bug_describe(bit, less).state;

			if (!strcmp(state, "vulnerable"))
				continue;
			ck_assert_str_ne(dune_bug_describe(bit, less | 1 << less % 20).state,
					 "vulnerable");
		}
	}
}
END_TEST

START_TEST(names_are_all_there_and_unique)
{
	for (unsigned int i = 0; i < 64; i++) {
		const char *name = dune_bug_describe(i, ~0ull).name;

		ck_assert_msg((i < NR_BUGS) == !!name, "bit %u", i);
		for (unsigned int j = 0; name && j < i; j++)
			ck_assert_str_ne(dune_bug_describe(j, 0).name, name);
	}
	ck_assert_str_eq(dune_bug_describe(40, 0).state, "unknown");
	ck_assert_ptr_null(dune_bug_describe(64, 0).name);
	ck_assert_ptr_null(dune_bug_describe(~0u, 0).name);
}
END_TEST

/* Every bug is in some row above. */
START_TEST(the_rows_here_are_all)
{
	uint64_t bugs = 0;

	for (int i = 0; i < NR_ROWS; i++)
		bugs |= rows[i].bug;
	ck_assert_uint_eq(bugs, (1ull << NR_BUGS) - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bugs");
	TCase *tcase = tcase_create("bugs");

	tcase_add_loop_test(tcase, describes, 0, NR_ROWS);
	tcase_add_test(tcase, measures_only_help);
	tcase_add_test(tcase, names_are_all_there_and_unique);
	tcase_add_test(tcase, the_rows_here_are_all);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
