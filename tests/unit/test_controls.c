// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * VMCS controls from recorded capability MSRs: who runs with what, who is refused for what, and that
 * no input makes the module ask a CPU for what its MSRs do not allow.
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmod/vmx/controls.h"
#include "proto/dune_abi.h"
#include "tests/unit/data/vmx_cpus.h"
#include "tests/unit/suite.h"

#define NR_ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))
#define FUZZ_ROUNDS    200000

#define FULL (&recordings[NR_ROWS(recordings) - 1])

enum { NR_WORDS = 5 };

/* Secondary controls that are set where they may be, by number (SDM 3C 24.6.2) */
#define ENCLS_EXITING	  (1u << 15)
#define PASID_TRANSLATION (1u << 21)
#define OPTIONAL	  (1u << 3 | 1u << 12 | ENCLS_EXITING | PASID_TRANSLATION)

static const char *const word_names[NR_WORDS] = { "pin", "primary", "secondary", "exit", "entry" };

static uint64_t *msr_of(struct vmx_caps *caps, int word)
{
	uint64_t *const msrs[NR_WORDS] = { &caps->pin, &caps->primary, &caps->secondary,
					   &caps->exit, &caps->entry };

	return msrs[word];
}

static uint32_t chosen(const struct vmx_controls *controls, int word)
{
	const uint32_t words[NR_WORDS] = { controls->pin, controls->primary, controls->secondary,
					   controls->exit, controls->entry };

	return words[word];
}

/* SDM 3C 26.2.1: must-be-one bits are set, and none that may not be one. */
static void assert_allowed(const struct vmx_caps *caps, const struct vmx_controls *controls)
{
	struct vmx_caps copy = *caps;
	int word;

	for (word = 0; word < NR_WORDS; word++) {
		uint64_t msr = *msr_of(&copy, word);
		uint32_t value = chosen(controls, word);

		ck_assert_msg(!((uint32_t)msr & ~value), "%s %#x lacks %#lx", word_names[word],
			      value, (unsigned long)((uint32_t)msr & ~value));
		ck_assert_msg(!(value & ~(uint32_t)(msr >> 32)), "%s %#x has forbidden bits",
			      word_names[word], value);
	}
}

START_TEST(recorded)
{
	const struct recording *cpu = &recordings[_i];
	struct vmx_controls controls = {};
	const char *missing = NULL;
	int err = vmx_controls_compute(&cpu->caps, &controls, &missing);

	if (cpu->missing) {
		ck_assert_int_eq(err, -EOPNOTSUPP);
		ck_assert_str_eq(missing, cpu->missing);
		return;
	}
	ck_assert_msg(!err, "%s: lacks %s", cpu->name, missing);
	ck_assert_ptr_null(missing);
	assert_allowed(&cpu->caps, &controls);
	ck_assert_msg(controls.features == cpu->features, "%s: features %#lx", cpu->name,
		      (unsigned long)controls.features);
	ck_assert_uint_eq(controls.secondary & OPTIONAL, cpu->caps.secondary >> 32 & OPTIONAL);
	ck_assert(!controls.pasid_translation);
}
END_TEST

/* No recording has PASID translation: what each would be with it, and without ENCLS exiting */
START_TEST(with_pasid_translation)
{
	struct vmx_caps caps = recordings[_i].caps;
	struct vmx_controls controls = {};
	const char *missing = NULL;

	if (recordings[_i].missing)
		return;
	caps.secondary |= (uint64_t)PASID_TRANSLATION << 32;
	caps.secondary &= ~((uint64_t)ENCLS_EXITING << 32);
	ck_assert_int_eq(vmx_controls_compute(&caps, &controls, &missing), 0);
	assert_allowed(&caps, &controls);
	ck_assert(controls.pasid_translation);
	/* The module compares all of it, byte for byte. */
	_Static_assert(sizeof(controls) == 6 * sizeof(uint32_t) + sizeof(uint64_t), "no padding");
	ck_assert_uint_eq(controls.secondary & (PASID_TRANSLATION | ENCLS_EXITING),
			  PASID_TRANSLATION);
	ck_assert_uint_eq(controls.features, recordings[_i].features);
}
END_TEST

/* What a control does when the CPU cannot set it (may) or insists on it (must). */
struct expected {
	int word, bit;
	const char *missing;
	uint64_t feature;
};

/* clang-format off */
/* By number, as in SDM 3C 24.6 to 24.8, so that a wrong constant in the module shows. */
static const struct expected when_cleared[] = {
	{ 0, 0, "external-interrupt exiting", 0 },
	{ 0, 3, "NMI exiting", 0 },
	{ 0, 6, NULL, DUNE_FEATURE_PREEMPTION_TIMER },
	{ 1, 7, "HLT exiting", 0 },
	{ 1, 10, "MWAIT exiting", 0 },
	{ 1, 11, "RDPMC exiting", 0 },
	{ 1, 19, "CR8-load exiting", 0 },
	{ 1, 20, "CR8-store exiting", 0 },
	{ 1, 23, "MOV-DR exiting", 0 },
	{ 1, 24, "unconditional I/O exiting", 0 },
	{ 1, 28, "MSR bitmaps", 0 },
	{ 1, 29, "MONITOR exiting", 0 },
	{ 1, 31, "secondary controls", 0 },
	{ 2, 1, "EPT", 0 },
	{ 2, 3, NULL, DUNE_FEATURE_RDTSCP },
	{ 2, 5, "VPID", 0 },
	{ 2, 6, "WBINVD exiting", 0 },
	{ 2, 12, NULL, DUNE_FEATURE_INVPCID },
	{ 3, 2, "save debug controls", 0 },
	{ 3, 9, "64-bit host", 0 },
	{ 4, 2, "load debug controls", 0 },
	{ 4, 9, "64-bit guest", 0 },
};

static const struct expected when_insisted[] = {
	{ 1, 9, "guest-owned INVLPG", 0 },
	{ 1, 12, "RDTSC without exits", 0 },
	{ 1, 15, "guest-owned CR3 (load)", 0 },
	{ 1, 16, "guest-owned CR3 (store)", 0 },
	{ 3, 15, "external interrupts without acknowledge", 0 },
};
/* clang-format on */

static const struct expected *find(const struct expected *rows, int count, int word, int bit)
{
	int i;

	for (i = 0; i < count; i++)
		if (rows[i].word == word && rows[i].bit == bit)
			return &rows[i];
	return NULL;
}

static void assert_outcome(const struct vmx_caps *caps, const struct expected *row, int word,
			   int bit)
{
	struct vmx_controls controls = {};
	const char *missing = NULL;
	int err = vmx_controls_compute(caps, &controls, &missing);

	if (row && row->missing) {
		ck_assert_msg(err == -EOPNOTSUPP, "%s bit %d: not refused", word_names[word], bit);
		ck_assert_str_eq(missing, row->missing);
		return;
	}
	ck_assert_msg(!err, "%s bit %d: refused for %s", word_names[word], bit, missing);
	assert_allowed(caps, &controls);
	ck_assert_uint_eq(controls.features, FULL->features & ~(row ? row->feature : 0));
}

/* _i counts words and bits; a bit that the CPU insists on stays as it is. */
START_TEST(each_bit_cleared)
{
	int word = _i / 32, bit = _i % 32;
	struct vmx_caps caps = FULL->caps;
	uint64_t *msr = msr_of(&caps, word);

	*msr &= ~(1ull << (bit + 32)) & ~(1ull << bit);
	assert_outcome(&caps, find(when_cleared, NR_ROWS(when_cleared), word, bit), word, bit);
}
END_TEST

/* Default1 bits (SDM 3D A.2) and those that the module sets where it can */
static const uint32_t may_insist[NR_WORDS] = {
	0x16 | 0x49,
	0x0401e172 | 0xb1980c80,
	1u << 1 | 1u << 3 | 1u << 5 | 1u << 6 | 1u << 12 | 1u << 15 | 1u << 21,
	0x36dff | 1u << 9 | 1u << 12,
	0x11ff | 1u << 9 | 1u << 13,
};

static const char *const messages[NR_WORDS] = { "pin-based", "primary", "secondary", "VM-exit",
						"VM-entry" };

START_TEST(each_bit_insisted_on)
{
	int word = _i / 32, bit = _i % 32;
	struct vmx_caps caps = FULL->caps;
	char text[64];
	const struct expected *row = find(when_insisted, NR_ROWS(when_insisted), word, bit);
	struct expected unknown = { word, bit, text, 0 };

	*msr_of(&caps, word) |= 1ull << (bit + 32) | 1ull << bit;
	if (!row && !(may_insist[word] >> bit & 1)) {
		snprintf(text, sizeof(text), "a way to clear bit %d of the %s controls", bit,
			 messages[word]);
		row = &unknown;
	}
	assert_outcome(&caps, row, word, bit);
}
END_TEST

static const struct {
	int bit;
	const char *missing;
	uint64_t feature;
} ept_bits[] = {
	{ 0, NULL, DUNE_FEATURE_EPT_EXEC_ONLY }, { 6, "four-level EPT", 0 },
	{ 14, "write-back EPT tables", 0 },	 { 16, NULL, DUNE_FEATURE_EPT_2M },
	{ 17, NULL, DUNE_FEATURE_EPT_1G },	 { 20, "single-context INVEPT", 0 },
	{ 21, NULL, DUNE_FEATURE_EPT_AD },	 { 25, "single-context INVEPT", 0 },
	{ 32, "single-context INVVPID", 0 },	 { 41, "single-context INVVPID", 0 },
};

/* SDM 3D A.10 */
START_TEST(each_ept_bit_cleared)
{
	struct expected row = { 0 };
	struct vmx_caps caps = FULL->caps;
	int i;

	for (i = 0; i < NR_ROWS(ept_bits); i++)
		if (ept_bits[i].bit == _i)
			row = (struct expected){ 0, _i, ept_bits[i].missing, ept_bits[i].feature };
	caps.ept_vpid &= ~(1ull << _i);
	assert_outcome(&caps, &row, 0, _i);
}
END_TEST

/* SDM 3D A.1, A.7 and A.8 */
static const struct {
	size_t field;
	uint64_t clear, set;
	const char *missing;
} others[] = {
#define FIELD(name) offsetof(struct vmx_caps, name)
	{ FIELD(basic), 0xfull << 50, 0, "write-back VMCS memory" },
	{ FIELD(basic), 0xfull << 50, 4ull << 50, "write-back VMCS memory" },
	{ FIELD(basic), 0, 1ull << 51 | 1ull << 53, "write-back VMCS memory" },
	{ FIELD(basic), 0, 1ull << 48, "VMCS addresses above 4 GiB" },
	{ FIELD(basic), 0x1fffull << 32, 4096ull << 32, NULL },
	{ FIELD(basic), 0x1fffull << 32, 4097ull << 32, "VMCSs within a page" },
	{ FIELD(cr0_fixed0), 0, 1 << 18, NULL },
	{ FIELD(cr0_fixed0), 0, 1 << 2, "the guest's CR0 in VMX operation" },
	{ FIELD(cr0_fixed0), 0, 1 << 30, "the guest's CR0 in VMX operation" },
	{ FIELD(cr0_fixed1), 1 << 16, 0, "the guest's CR0 in VMX operation" },
	{ FIELD(cr0_fixed1), 1 << 29, 0, NULL },
	{ FIELD(cr4_fixed0), 0, 1 << 6, NULL },
	{ FIELD(cr4_fixed0), 0, 1 << 2, "the guest's CR4 in VMX operation" },
	{ FIELD(cr4_fixed0), 0, 1 << 12, "the guest's CR4 in VMX operation" },
	{ FIELD(cr4_fixed1), 1 << 6, 0, "the guest's CR4 in VMX operation" },
	{ FIELD(cr4_fixed1), 1 << 16, 0, "FSGSBASE" },
	{ FIELD(cr4_fixed1), 1 << 20, 0, NULL },
#undef FIELD
};

START_TEST(each_other_msr)
{
	struct expected row = { 0, _i, others[_i].missing, 0 };
	struct vmx_caps caps = FULL->caps;
	uint64_t *msr = (uint64_t *)((char *)&caps + others[_i].field);

	*msr = (*msr & ~others[_i].clear) | others[_i].set;
	assert_outcome(&caps, &row, 0, _i);
}
END_TEST

START_TEST(perf_global_ctrl_only_as_a_pair)
{
	const uint32_t exit_bit = 1u << 12, entry_bit = 1u << 13;
	struct vmx_caps caps = FULL->caps;
	struct vmx_controls controls;
	const char *missing;

	ck_assert_int_eq(vmx_controls_compute(&caps, &controls, &missing), 0);
	ck_assert((controls.exit & exit_bit) && (controls.entry & entry_bit));
	caps.exit &= ~((uint64_t)exit_bit << 32);
	ck_assert_int_eq(vmx_controls_compute(&caps, &controls, &missing), 0);
	ck_assert(!(controls.exit & exit_bit) && !(controls.entry & entry_bit));
	caps = FULL->caps;
	caps.entry &= ~((uint64_t)entry_bit << 32);
	ck_assert_int_eq(vmx_controls_compute(&caps, &controls, &missing), 0);
	ck_assert(!(controls.exit & exit_bit) && !(controls.entry & entry_bit));
	caps.exit |= exit_bit;
	ck_assert_int_eq(vmx_controls_compute(&caps, &controls, &missing), -EOPNOTSUPP);
	ck_assert_str_eq(missing, "load PERF_GLOBAL_CTRL");
}
END_TEST

static uint64_t random64(unsigned int *seed)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 5; i++)
		value = value << 15 ^ (uint64_t)rand_r(seed);
	return value;
}

/* A few flips of a real CPU, or any consistent MSRs at all: whatever is accepted is allowed. */
START_TEST(fuzz)
{
	unsigned int seed = 1;
	int round, word, accepted = 0;

	for (round = 0; round < FUZZ_ROUNDS; round++) {
		struct vmx_caps caps = recordings[round % NR_ROWS(recordings)].caps;
		struct vmx_controls controls = {};
		const char *missing = NULL;
		int err;

		for (word = 0; word < NR_WORDS; word++) {
			uint64_t *msr = msr_of(&caps, word), noise = random64(&seed);

			noise &= random64(&seed) & random64(&seed);
			if (round & 1)
				noise &= random64(&seed) & random64(&seed) & random64(&seed);
			*msr ^= noise;
			/* A bit that must be one may be one: no CPU says otherwise. */
			*msr |= *msr << 32;
		}
		err = vmx_controls_compute(&caps, &controls, &missing);
		if (err) {
			ck_assert_int_eq(err, -EOPNOTSUPP);
			ck_assert(missing && *missing);
			continue;
		}
		ck_assert_ptr_null(missing);
		assert_allowed(&caps, &controls);
		accepted++;
	}
	ck_assert_int_gt(accepted, FUZZ_ROUNDS / 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("controls");
	TCase *tcase = tcase_create("controls");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, recorded, 0, NR_ROWS(recordings));
	tcase_add_loop_test(tcase, with_pasid_translation, 0, NR_ROWS(recordings));
	tcase_add_loop_test(tcase, each_bit_cleared, 0, NR_WORDS * 32);
	tcase_add_loop_test(tcase, each_bit_insisted_on, 0, NR_WORDS * 32);
	tcase_add_loop_test(tcase, each_ept_bit_cleared, 0, 64);
	tcase_add_loop_test(tcase, each_other_msr, 0, NR_ROWS(others));
	tcase_add_test(tcase, perf_global_ctrl_only_as_a_pair);
	tcase_add_test(tcase, fuzz);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
