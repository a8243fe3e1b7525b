// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks the host's page table. Takes no lock, no reference and no decision: it says what a leaf allows at
 * this moment, and the caller's sequence check says whether that still holds. (Traps 8 and 9 are gone by
 * this: nothing is pinned, nothing is made dirty or present here.)
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <asm/msr-index.h>
#include "kmod/compat.h"
#include "kmod/hw.h"
#include "kmod/ept.h"
#include "kmod/hostpt.h"

/*
 * EPT writes never set the host's dirty bit, so EPT may grant a write only to what is dirty already. (A special
 * mapping, without struct page, has no use for the bit.) The accessed bit is not looked at: what EPT maps is young
 * for the notifier's callbacks, and a CPU with a stale TLB entry would never set the bit again.
 */
static u32 leaf_access(u64 flags)
{
	bool special = flags & _PAGE_SPECIAL;
	u32 access = 0;

	if ((flags & (_PAGE_PRESENT | _PAGE_USER)) != (_PAGE_PRESENT | _PAGE_USER))
		return 0;
	access = EPT_READ;
	if ((flags & _PAGE_RW) && ((flags & _PAGE_DIRTY) || special))
		access |= EPT_WRITE;
	if (!(flags & _PAGE_NX))
		access |= EPT_EXEC;
	return access;
}

/* PAT types and EPT types have the same numbers (SDM 3C 29.3.7), but for UC- (7). */
static u32 leaf_memory_type(u64 flags, u64 pat_bit)
{
	unsigned int index = (flags & _PAGE_PWT ? 1 : 0) + (flags & _PAGE_PCD ? 2 : 0) +
			     (flags & pat_bit ? 4 : 0);
	u32 type;

	/* Linux keeps the first entry at write-back, which nearly all memory is. */
	if (likely(!index))
		return EPT_TYPE_WB;
	type = hw_pat() >> (8 * index) & 7;
	return type == 7 ? 0 : type;
}

static void leaf_fill(struct hostpt_leaf *leaf, u32 level, u64 flags, u64 pfn, u64 pat_bit)
{
	leaf->level = level;
	leaf->access = leaf_access(flags);
	leaf->pfn = pfn;
	leaf->memory_type = leaf_memory_type(flags, pat_bit);
	leaf->noexec = leaf->access && !(leaf->access & EPT_EXEC);
}

void hostpt_walk(struct mm_struct *mm, unsigned long hva, struct hostpt_leaf *leaf)
{
	pgd_t *pgdp, pgd;
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t *pmdp, pmd;
	pte_t pte;

	*leaf = (struct hostpt_leaf){};
	pgdp = pgd_offset(mm, hva);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd))
		return;
	p4dp = p4d_offset_lockless(pgdp, pgd, hva);
	p4d = READ_ONCE(*p4dp);
	if (!(p4d_val(p4d) & _PAGE_PRESENT))
		return;
	pudp = pud_offset_lockless(p4dp, p4d, hva);
	pud = READ_ONCE(*pudp);
	if (!(pud_val(pud) & _PAGE_PRESENT))
		return;
	if (pud_leaf_compat(pud)) {
		leaf_fill(leaf, 2, pud_flags(pud), pud_pfn(pud) + ((hva & ~PUD_MASK) >> PAGE_SHIFT),
			  _PAGE_PAT_LARGE);
		return;
	}
	pmdp = pmd_offset_lockless(pudp, pud, hva);
	pmd = READ_ONCE(*pmdp);
	if (!(pmd_val(pmd) & _PAGE_PRESENT))
		return;
	if (pmd_leaf_compat(pmd)) {
		leaf_fill(leaf, 1, pmd_flags(pmd), pmd_pfn(pmd) + ((hva & ~PMD_MASK) >> PAGE_SHIFT),
			  _PAGE_PAT_LARGE);
		return;
	}
	pte = READ_ONCE(*pte_offset_kernel(&pmd, hva));
	leaf_fill(leaf, 0, pte_flags(pte), pte_pfn(pte), _PAGE_PAT);
}
