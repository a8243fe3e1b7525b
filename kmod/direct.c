// SPDX-License-Identifier: GPL-2.0-only
/*
 * The direct path, off by default: a short list of calls that only look at the caller is made from the exit
 * handler, with interrupts off. Owns the list; must never make a call that a filter, a tracer or audit would
 * have seen (the whole syscall_work word has to be 0), nor one that sleeps, restarts or looks at user registers.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched/task_stack.h>
#include <linux/static_call.h>
#include <linux/thread_info.h>
#include <asm/ptrace.h>
#include "kmod/context.h"
#include "kmod/direct.h"
#include "kmod/vcpu.h"

#define DIRECT_CALLS(row)                                                                      \
	row(getpid) row(gettid) row(getppid) row(getpgrp) row(getuid) row(geteuid) row(getgid) \
		row(getegid)

DEFINE_STATIC_KEY_FALSE(direct_enabled);

static long direct_none(const struct pt_regs *regs)
{
	return -ENOSYS;
}

#define DEFINE_ROW(name) DEFINE_STATIC_CALL(direct_##name, direct_none);
DIRECT_CALLS(DEFINE_ROW)

/* What the host would miss if a call left it behind changed. */
struct direct_state {
	unsigned long cr3, gs_base;
	int preempt;
};

static void state_read(struct direct_state *state)
{
	state->cr3 = __read_cr3();
	rdmsrl(MSR_GS_BASE, state->gs_base);
	state->preempt = preempt_count();
}

static void state_compare(const struct direct_state *before)
{
	struct direct_state after;

	state_read(&after);
	dune_assert(after.cr3 == before->cr3);
	dune_assert(after.gs_base == before->gs_base);
	dune_assert(after.preempt == before->preempt);
	dune_assert(irqs_disabled());
	lockdep_assert_none_held_once();
}

/* None of them has an argument, so any registers will do. */
static __always_inline bool make(u32 nr, u64 *ret_result)
{
	const struct pt_regs *regs = current_pt_regs();

	switch (nr) {
#define CALL_ROW(name)                                          \
	case __NR_##name:                                       \
		*ret_result = static_call(direct_##name)(regs); \
		return true;
		DIRECT_CALLS(CALL_ROW)
	default:
		return false;
	}
}

bool direct_call(struct dune_vcpu *vcpu)
{
	struct dune_regs *guest = &vcpu->run->regs;
	struct direct_state before;

	/* A frame that waits comes first: the call was not made (DUNE_HC_SYSCALL). */
	if (guest->rcx != DUNE_HC_SYSCALL || vcpu->nr_frames ||
	    READ_ONCE(current_thread_info()->syscall_work))
		return false;
	if (IS_ENABLED(CONFIG_PROVE_LOCKING))
		state_read(&before);
	if (!make(guest->rax, &guest->rax))
		return false;
	if (IS_ENABLED(CONFIG_PROVE_LOCKING))
		state_compare(&before);
	guest->rcx = 0;
	vcpu_count(vcpu, DUNE_COUNT_DIRECT);
	return true;
}

/* ---- the parameter ---- */

/* Their entry points are not exported; a kprobe that is never armed knows the way. */
static void *find_symbol(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	void *address;

	if (register_kprobe(&probe))
		return NULL;
	address = probe.addr;
	unregister_kprobe(&probe);
	return address;
}

static int direct_resolve(void)
{
	void *address;

#define RESOLVE_ROW(name)                          \
	address = find_symbol("__x64_sys_" #name); \
	if (!address)                              \
		return -EOPNOTSUPP;                \
	static_call_update(direct_##name, address);
	DIRECT_CALLS(RESOLVE_ROW)
	return 0;
}

static int direct_set(const char *text, const struct kernel_param *param)
{
	bool on;
	int err = kstrtobool(text, &on);

	if (err)
		return err;
	if (!on) {
		static_branch_disable(&direct_enabled);
		return 0;
	}
	err = direct_resolve();
	if (err) {
		pr_err("direct_calls: this kernel does not tell where its system calls are\n");
		return err;
	}
	static_branch_enable(&direct_enabled);
	return 0;
}

static int direct_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%c\n", static_key_enabled(&direct_enabled) ? 'Y' : 'N');
}

static const struct kernel_param_ops direct_ops = { .set = direct_set, .get = direct_get };
module_param_cb(direct_calls, &direct_ops, NULL, 0644);
__MODULE_PARM_TYPE(direct_calls, "bool");
MODULE_PARM_DESC(direct_calls, "make getpid and its like from the exit handler (default N)");
