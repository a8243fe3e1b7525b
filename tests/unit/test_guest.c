// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The runtime's pure rules: ranges over the host area, splitting close_range, what is taken from a
 * signal frame.
 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <asm/unistd.h>
#include "libdune/guest/calls.h"
#include "libdune/guest/range.h"
#include "libdune/guest/sigframe.h"
#include "tests/unit/suite.h"

static const struct range {
	uint64_t start, size;
	int hits;
} ranges[] = {
	{ 0, 0, 0 },
	{ 0, 0x10000, 0 },
	{ 0, 0x10001, 1 },
	{ 0x10000, 0, 0 },
	{ 0x10000, 1, 1 },
	{ 0x10800, 1, 1 },
	{ 0x1fffff, 1, 1 },
	{ 0x1fffff, UINT64_MAX, 1 }, /* wraps */
	{ 0x200000, 1, 0 },
	{ 0x200000, UINT64_MAX, 0 }, /* wraps, but begins above */
	{ 0x200fff, 0x1000, 0 },
	{ 0x7ffffffff000, 0x1000, 0 },
	{ 1, UINT64_MAX, 1 },
	{ 1, UINT64_MAX - 1, 1 },
	{ UINT64_MAX, 1, 0 },
	{ 0xf000, 0x1000, 0 },
	{ 0xf800, 0x1000, 1 },
};

START_TEST(test_range)
{
	ck_assert_int_eq(!!range_hits_area(ranges[_i].start, ranges[_i].size), ranges[_i].hits);
}
END_TEST

static const struct split {
	uint32_t first, last, fd;
	int n;
	struct fd_range parts[2];
} splits[] = {
	{ 3, 9, 10, 1, { { 3, 9 } } },
	{ 3, 9, 2, 1, { { 3, 9 } } },
	{ 3, 9, 3, 1, { { 4, 9 } } },
	{ 3, 9, 9, 1, { { 3, 8 } } },
	{ 3, 9, 5, 2, { { 3, 4 }, { 6, 9 } } },
	{ 5, 5, 5, 0, { { 0, 0 } } },
	{ 0, UINT32_MAX, 0, 1, { { 1, UINT32_MAX } } },
	{ 0, UINT32_MAX, UINT32_MAX, 1, { { 0, UINT32_MAX - 1 } } },
	{ 3, UINT32_MAX, 1023, 2, { { 3, 1022 }, { 1024, UINT32_MAX } } },
};

START_TEST(test_split)
{
	const struct split *s = &splits[_i];
	struct fd_range parts[2];

	ck_assert_int_eq(fd_range_split(s->first, s->last, s->fd, parts), s->n);
	for (int i = 0; i < s->n; i++) {
		ck_assert_uint_eq(parts[i].first, s->parts[i].first);
		ck_assert_uint_eq(parts[i].last, s->parts[i].last);
	}
}
END_TEST

START_TEST(test_frame_round)
{
	struct dune_regs regs, back = { .rflags = 0x202, .cs = SEL_USER_CODE, .ss = SEL_USER_DATA };
	struct frame_registers frame;

	memset(&regs, 0, sizeof(regs));
	for (uint64_t i = 0; i < 17; i++)
		((__u64 *)&regs)[i] = 0x1000 + i;
	regs.rflags = 0x246;
	regs.cs = SEL_USER_CODE;
	regs.ss = SEL_USER_DATA;
	frame_from_regs(&frame, &regs);
	ck_assert_uint_eq(frame.ip, regs.rip);
	ck_assert_uint_eq(frame.cs, SEL_USER_CODE);
	regs_from_frame(&back, &frame);
	ck_assert_mem_eq(&back, &regs, sizeof(regs));
}
END_TEST

/* A forged frame can't change privilege, interrupts, IO permission or the segments. */
START_TEST(test_frame_forged)
{
	struct dune_regs regs = { .rflags = 0x202, .cs = SEL_USER_CODE, .ss = SEL_USER_DATA };
	struct frame_registers frame = { .flags = UINT64_MAX, .cs = 8, .ss = 16, .ip = 1 };

	regs_from_frame(&regs, &frame);
	ck_assert_uint_eq(regs.cs, SEL_USER_CODE);
	ck_assert_uint_eq(regs.ss, SEL_USER_DATA);
	ck_assert_uint_eq(regs.rflags, 0x202 | 0x50dd5);
	frame.flags = 0;
	regs_from_frame(&regs, &frame);
	ck_assert_uint_eq(regs.rflags, 0x202);
	ck_assert(cs_allowed(0x33, 3) && cs_allowed(0x30, 3));
	ck_assert(!cs_allowed(8, 3) && !cs_allowed(0x23, 3) && !cs_allowed(0, 3));
	ck_assert(cs_allowed(8, 0));
}
END_TEST

static const struct rip {
	uint64_t rip;
	int ring3, ring0;
} rips[] = {
	{ 0, 1, 1 },
	{ 0x7fffffffefff, 1, 1 },
	{ 0x7ffffffff000, 0, 1 },
	{ 0x7fffffffffff, 0, 1 },
	{ 0x800000000000, 0, 0 },
	{ 0xffff7fffffffffff, 0, 0 },
	{ 0xffff800000000000, 0, 1 },
	{ 0xffffffff80002000, 0, 1 },
	{ UINT64_MAX, 0, 1 },
};

START_TEST(test_rip)
{
	ck_assert_int_eq(!!rip_allowed(rips[_i].rip, 3), rips[_i].ring3);
	ck_assert_int_eq(!!rip_allowed(rips[_i].rip, 0), rips[_i].ring0);
}
END_TEST

static const struct phase {
	uint64_t at;
	enum frame_phase phase;
} phases[] = {
	{ DUNE_TRAMPOLINE_RUN, PHASE_RESULT_RAX },
	{ DUNE_TRAMPOLINE_RUN + 3, PHASE_RESULT_RSI },
	{ DUNE_TRAMPOLINE_RUN_SYSCALL, PHASE_RESULT_RSI },
	{ DUNE_TRAMPOLINE_RUN_SYSCALL + 2, PHASE_OTHER },
	{ DUNE_TRAMPOLINE_CALL, PHASE_RESTART },
	{ DUNE_TRAMPOLINE_CALLED, PHASE_RESULT_RAX },
	{ DUNE_TRAMPOLINE_SIGNAL, PHASE_CHAINED },
	{ DUNE_TRAMPOLINE_SIGNAL_SYSCALL, PHASE_CHAINED },
	{ DUNE_TRAMPOLINE_SIGNAL_SYSCALL + 2, PHASE_OTHER },
	{ DUNE_TRAMPOLINE_TOUCH_READ, PHASE_OTHER },
	{ -DUNE_TRAMPOLINE_ADDR - 1ull, PHASE_OTHER },
	{ 0x1000 + DUNE_TRAMPOLINE_CALL, PHASE_OTHER },
};

START_TEST(test_phase)
{
	ck_assert_int_eq(frame_phase(DUNE_TRAMPOLINE_ADDR + phases[_i].at), phases[_i].phase);
}
END_TEST

/* The table as text: each row's class by number. */
#define ROW(name, class) [__NR_##name] = #class,
static const char *const classes[NR_LINUX_CALLS + 1] = { SYSTEM_CALLS(ROW) };

/* What must never reach the host as it is. */
static const struct kept {
	int number;
	const char *class;
} kept[] = {
	{ __NR_fork, "DENIED" },
	{ __NR_vfork, "DENIED" },
	{ __NR_clone, "CLONE" },
	{ __NR_clone3, "ABSENT" },
	{ __NR_execve, "DENIED" },
	{ __NR_execveat, "DENIED" },
	{ __NR_rt_sigaction, "SIGACTION" },
	{ __NR_rt_sigreturn, "SIGRETURN" },
	{ __NR_sigaltstack, "SIGALTSTACK" },
	{ __NR_arch_prctl, "ARCH_PRCTL" },
	{ __NR_prctl, "PRCTL" },
	{ __NR_seccomp, "INVALID" },
	{ __NR_rseq, "ABSENT" },
	{ __NR_ptrace, "DENIED" },
	{ __NR_process_vm_readv, "DENIED" },
	{ __NR_process_vm_writev, "DENIED" },
	{ __NR_modify_ldt, "ABSENT" },
	{ __NR_set_thread_area, "ABSENT" },
	{ __NR_iopl, "DENIED" },
	{ __NR_ioperm, "DENIED" },
	{ __NR_uselib, "ABSENT" },
	{ __NR_mmap, "MMAP" },
	{ __NR_munmap, "RANGE" },
	{ __NR_mprotect, "RANGE" },
	{ __NR_mremap, "MREMAP" },
	{ __NR_madvise, "RANGE" },
	{ __NR_remap_file_pages, "RANGE" },
	{ __NR_mlock, "RANGE" },
	{ __NR_mlock2, "RANGE" },
	{ __NR_mbind, "RANGE" },
	{ __NR_shmat, "SHMAT" },
	{ __NR_pkey_mprotect, "PKEY_MPROTECT" },
	{ __NR_pkey_alloc, "NO_PKEYS" },
	{ __NR_close, "FD" },
	{ __NR_dup, "FD" },
	{ __NR_dup2, "DUP" },
	{ __NR_dup3, "DUP" },
	{ __NR_fcntl, "FD" },
	{ __NR_ioctl, "FD" },
	{ __NR_lseek, "FD" },
	{ __NR_close_range, "CLOSE_RANGE" },
};

START_TEST(test_kept)
{
	ck_assert_str_eq(classes[kept[_i].number], kept[_i].class);
}
END_TEST

/* Linux 6.1 has 362 calls; the gap and what lies above are unknown. */
START_TEST(test_table)
{
	int rows = 0;

	for (int i = 0; i < NR_LINUX_CALLS; i++)
		rows += classes[i] != NULL;
	ck_assert_int_eq(rows, 362);
	for (int i = 335; i < 424; i++)
		ck_assert_ptr_null(classes[i]);
	ck_assert_ptr_null(classes[NR_LINUX_CALLS]);
	ck_assert_str_eq(classes[__NR_getpid], "PASS");
	ck_assert_str_eq(classes[__NR_set_mempolicy_home_node], "RANGE");
}
END_TEST

#define LOOP(test, rows) tcase_add_loop_test(tcase, test, 0, sizeof(rows) / sizeof(*rows))

int main(void)
{
	Suite *suite = suite_create("guest");
	TCase *tcase = tcase_create("rules");

	LOOP(test_range, ranges);
	LOOP(test_split, splits);
	tcase_add_test(tcase, test_frame_round);
	tcase_add_test(tcase, test_frame_forged);
	LOOP(test_rip, rips);
	LOOP(test_phase, phases);
	LOOP(test_kept, kept);
	tcase_add_test(tcase, test_table);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
