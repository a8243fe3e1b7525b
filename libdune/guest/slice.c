// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The lower half of the guest's page tables: one entry per gigabyte, installed on first touch. They
 * grant everything: permissions come from EPT alone, which follows the host's page table. Owns the
 * pool of page-table pages; never looks at what a page holds.
 */
#include <errno.h>
#include "libdune/guest/hypercall.h"

#define PTE_P		0x1ull
#define PTE_RW		0x2ull
#define PTE_US		0x4ull
#define PTE_A		0x20ull
#define PTE_D		0x40ull
#define PTE_PS		0x80ull
#define PTE_ADDRESS	0x000ffffffffff000ull
#define POOL_GROW_PAGES 16

static u64 *pml4;
static u64 pool_next, pool_end;
static u64 user_bit;

void slice_init(void)
{
	pml4 = (u64 *)to_gva(boot.pml4_gpa);
	pool_next = boot.pool_gpa;
	pool_end = boot.pool_gpa + boot.pool_pages * 4096ull;
	user_bit = boot.ring ? PTE_US : 0;
}

/* A zeroed page for a table: its gpa, or -errno. */
static s64 pool_get(void)
{
	s64 gpa;

	if (pool_next == pool_end) {
		gpa = hc_private_alloc(POOL_GROW_PAGES);
		if (gpa < 0)
			return gpa;
		pool_next = gpa;
		pool_end = gpa + POOL_GROW_PAGES * 4096ull;
	}
	gpa = pool_next;
	pool_next += 4096;
	return gpa;
}

static u64 *slice_entry(u64 address, int *ret_error)
{
	u64 *top = &pml4[address >> 39 & 511];
	s64 gpa;

	if (!(*top & PTE_P)) {
		gpa = pool_get();
		if (gpa < 0) {
			*ret_error = gpa;
			return NULL;
		}
		*top = gpa | PTE_P | PTE_RW | PTE_A | user_bit;
	}
	return (u64 *)to_gva(*top & PTE_ADDRESS) + (address >> 30 & 511);
}

static int install_large(u64 *entry, u64 slot)
{
	s64 table = pool_get();
	u64 *at;

	if (table < 0)
		return table;
	at = (u64 *)to_gva(table);
	for (u64 i = 0; i < 512; i++)
		at[i] = (slot + (i << 21)) | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS | user_bit;
	*entry = table | PTE_P | PTE_RW | PTE_A | user_bit;
	return 0;
}

/* The gigabyte around a lower-half address is mapped: 0, -ENOSPC no slot, -EDQUOT, -ENOMEM. */
int slice_ensure(u64 address)
{
	int error = 0;
	u64 *entry;
	s64 slot;

	if (address >= USER_END)
		return -EFAULT;
	entry = slice_entry(address, &error);
	if (!entry)
		return error;
	if (*entry & PTE_P)
		return 0;
	slot = hc_slice(address);
	if (slot < 0)
		return slot;
	if (!boot.page_1g)
		return install_large(entry, slot);
	*entry = slot | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS | user_bit;
	return 0;
}
