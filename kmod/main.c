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

static const struct kernel_param_ops ceiling_ops = {
	.set = param_set_ulong,
	.get = param_get_ulong,
};

module_param_cb(max_contexts, &ceiling_ops, &dune_max_contexts, 0644);
MODULE_PARM_DESC(max_contexts, "contexts on this host at most");
module_param_cb(max_vcpus, &ceiling_ops, &dune_max_vcpus, 0644);
MODULE_PARM_DESC(max_vcpus, "vcpus of a context at most");
module_param_cb(max_private, &ceiling_ops, &dune_max_private, 0644);
MODULE_PARM_DESC(max_private, "private pages of a context at most");
module_param_cb(max_ept, &ceiling_ops, &dune_max_ept, 0644);
MODULE_PARM_DESC(max_ept, "EPT table pages of a context at most");

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
	err = dev_init();
	if (err)
		goto context_done;
	return 0;

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
