// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the emulated machine only: a kernel that takes back what it gave and tells nobody. Whenever dune.ko looks the
 * page at `address` up, its entry in the host's page table has just lost the dirty bit, so that no store to it ever
 * gets through. No kernel does that, and no process can make it: it is what DUNE_END_STUCK is for.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>

static unsigned long address;
module_param(address, ulong, 0);
MODULE_PARM_DESC(address, "of the page");

/* hostpt_walk(mm, hva, leaf), with interrupts off. */
static int before_walk(struct kprobe *probe, struct pt_regs *regs)
{
	struct mm_struct *mm = (struct mm_struct *)regs->di;
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d = p4d_offset(pgd, address);
	pud_t *pud;
	pmd_t *pmd;

	if ((regs->si & PAGE_MASK) != address || p4d_none(*p4d))
		return 0;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return 0;
	pmd = pmd_offset(pud, address);
	if (!pmd_none(*pmd) && !pmd_leaf(*pmd))
		clear_bit(_PAGE_BIT_DIRTY, (unsigned long *)pte_offset_kernel(pmd, address));
	return 0;
}

static struct kprobe probe = { .symbol_name = "hostpt_walk", .pre_handler = before_walk };

static int __init unsettle_init(void)
{
	return register_kprobe(&probe);
}
module_init(unsettle_init);

static void __exit unsettle_exit(void)
{
	unregister_kprobe(&probe);
}
module_exit(unsettle_exit);

MODULE_DESCRIPTION("An unfaithful page table for tests");
MODULE_LICENSE("GPL");
