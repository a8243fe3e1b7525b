/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the host's page table without locks or references.
 */
#ifndef DUNE_HOSTPT_H
#define DUNE_HOSTPT_H

#include <linux/types.h>

struct mm_struct;

/* What a leaf of the host's page table allows, as EPT_* bits, and where it points. */
struct hostpt_leaf {
	u64 pfn;	/* of the 4K page asked for, whatever the leaf's size */
	u32 access;	/* EPT_READ | EPT_WRITE | EPT_EXEC that EPT may grant; 0: the kernel must see it */
	u32 memory_type;	/* EPT memory type */
	u32 level;	/* of the leaf: 0 = 4K, 1 = 2M, 2 = 1G */
	bool noexec;	/* present and accessible, but not executable */
};

/* Interrupts off: that is what keeps page-table pages from being freed meanwhile. */
void hostpt_walk(struct mm_struct *mm, unsigned long hva, struct hostpt_leaf *ret_leaf);

#endif
