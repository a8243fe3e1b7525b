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
 *	3  calls of what is not exported (direct.c)		4  another's VMCS must not stay current
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

#define CEILING(name, which, first, last, text)                                              \
	static struct ceiling name = { &dune_ceilings[which], first, last };                 \
	module_param_cb(max_##name, &ceiling_ops, &name, 0644);                              \
	__MODULE_PARM_TYPE(max_##name, "ulong");                                             \
	MODULE_PARM_DESC(max_##name, text)

/* VPIDs bound the contexts. */
CEILING(contexts, DUNE_LIMIT_CONTEXTS, 0, U16_MAX,
	"contexts on this host at most, 0 to 65535 (default 10000)");
CEILING(vcpus, DUNE_LIMIT_VCPUS, 0, DUNE_MAX_VCPUS,
	"vcpus of a context at most, 0 to 240 (default 240)");
CEILING(private, DUNE_LIMIT_PRIVATE, 0, DUNE_PRIVATE_END >> PAGE_SHIFT,
	"private memory of a context at most, in pages of 4 KB, 0 to 131072 (default 65536)");
CEILING(ept, DUNE_LIMIT_EPT, DUNE_EPT_PAGES_MIN, 1 << 24,
	"EPT tables of a context at most, in pages of 4 KB, 320 to 16777216 (default 262144)");

static const struct {
	int (*init)(void);
	void (*done)(void);
} parts[] = {
	{ hw_init, hw_done },	      { area_init, area_done }, { context_init, context_done },
	{ shrink_init, shrink_done }, { dev_init, dev_done },
};

static void parts_done(unsigned int nr)
{
	while (nr--)
		parts[nr].done();
}

static int __init dune_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			parts_done(i);
			return err;
		}
	}
	return 0;
}

static void __exit dune_exit(void)
{
	parts_done(ARRAY_SIZE(parts));
}

module_init(dune_init);
module_exit(dune_exit);

MODULE_DESCRIPTION("Safe user-level access to privileged CPU features");
MODULE_AUTHOR("The Dune developers");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
