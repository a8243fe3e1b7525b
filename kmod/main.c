// SPDX-License-Identifier: GPL-2.0-only
/*
 * dune.ko: safe user-level access to privileged CPU features.
 *
 *	dev.c		files and ioctls
 *	context.c	a process's context: creation, attach, lock, end; stats.c reads its counters
 *	vcpu.c		the run loop of a thread
 *	exit.c		what to do after an exit; syscall.c: hypercalls and system calls
 *	ept.c		EPT as a function of the host's page table, which hostpt.c reads
 *	private.c	memory that only EPT maps
 *	area.c		the trampoline (trampoline.S), run and argument pages in user space
 *	event.c		events for readers of the device
 *	vmx/		everything VT-x, behind hw.h
 *
 * Comments name the traps that hardware and kernel set for a module like this:
 *	1  VMX has one owner; KVM may take it at load		2  CR4.VMXE only through the kernel's shadow
 *	3  calls of what is not exported (none here)		4  another's VMCS must not stay current
 *	5  one crash-time VMXOFF slot (not taken)		6  pending work: leave, don't handle it
 *	7  NMIs stay blocked after their exit			8  EPT writes don't set the host's dirty bit
 *	9  GUP can't do what a native access does		10 guest ring 0 reaches CPU-global state
 *	11 page-table attacks open up to users			12 what an exit does not restore
 *	13 MSRs may hold KVM's guest values			14 rseq sections at a guest RIP (rseq is ENOSYS)
 *	15 CPUs going down, suspend, reboot
 */
#include <linux/module.h>
#include "kmod/area.h"
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/dev.h"
#include "kmod/shrink.h"

/* Host ceilings: root's, also at run time. What they can't be is refused, not cut. */
struct ceiling {
	unsigned long *value;
	unsigned long first, last;
};

static int ceiling_set(const char *text, const struct kernel_param *kp)
{
	const struct ceiling *ceiling = kp->arg;
	unsigned long value;
	int err = kstrtoul(text, 0, &value);

	if (!err && (value < ceiling->first || value > ceiling->last))
		err = -ERANGE;
	if (err)
		pr_err("%s takes %lu to %lu\n", kp->name, ceiling->first, ceiling->last);
	else
		WRITE_ONCE(*ceiling->value, value);
	return err;
}

static int ceiling_get(char *buffer, const struct kernel_param *kp)
{
	const struct ceiling *ceiling = kp->arg;

	return sysfs_emit(buffer, "%lu\n", *ceiling->value);
}

static const struct kernel_param_ops ceiling_ops = { .set = ceiling_set, .get = ceiling_get };

/* VPIDs bound the contexts; the least of EPT pages is the one that ept.c makes do with. */
static struct ceiling contexts = { &dune_max_contexts, 0, U16_MAX };
static struct ceiling vcpus = { &dune_max_vcpus, 0, DUNE_MAX_VCPUS };
static struct ceiling private = { &dune_max_private, 0, DUNE_PRIVATE_END >> PAGE_SHIFT };
static struct ceiling ept = { &dune_max_ept, 64, 1 << 24 };

module_param_cb(max_contexts, &ceiling_ops, &contexts, 0644);
__MODULE_PARM_TYPE(max_contexts, "ulong");
MODULE_PARM_DESC(max_contexts, "contexts on this host at most, 0 to 65535 (default 10000)");
module_param_cb(max_vcpus, &ceiling_ops, &vcpus, 0644);
__MODULE_PARM_TYPE(max_vcpus, "ulong");
MODULE_PARM_DESC(max_vcpus, "vcpus of a context at most, 0 to 240 (default 240)");
module_param_cb(max_private, &ceiling_ops, &private, 0644);
__MODULE_PARM_TYPE(max_private, "ulong");
MODULE_PARM_DESC(max_private, "private memory of a context at most, in pages of 4 KB, "
			      "0 to 131072 (default 65536)");
module_param_cb(max_ept, &ceiling_ops, &ept, 0644);
__MODULE_PARM_TYPE(max_ept, "ulong");
MODULE_PARM_DESC(max_ept, "EPT tables of a context at most, in pages of 4 KB, "
			  "64 to 16777216 (default 262144)");

static int __init dune_init(void)
{
	int err;

	err = hw_init();
	if (err)
		return err;
	err = area_init();
	if (err)
		goto hw_done;
	err = context_init();
	if (err)
		goto area_done;
	err = shrink_init();
	if (err)
		goto context_done;
	err = dev_init();
	if (err)
		goto shrink_done;
	return 0;

shrink_done:
	shrink_done();
context_done:
	context_done();
area_done:
	area_done();
hw_done:
	hw_done();
	return err;
}

static void __exit dune_exit(void)
{
	dev_done();
	shrink_done();
	context_done();
	area_done();
	hw_done();
}

module_init(dune_init);
module_exit(dune_exit);

MODULE_DESCRIPTION("Safe user-level access to privileged CPU features");
MODULE_AUTHOR("The Dune developers");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
