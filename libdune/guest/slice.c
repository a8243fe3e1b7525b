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

/* 2 MB pages, where the CPU has no larger ones; `table` is a page for it, 0 = a new one. */
static int install_large(u64 *entry, u64 slot, s64 table)
{
	u64 *at;

	if (!table)
		table = pool_get();
	if (table < 0)
		return table;
	at = (u64 *)to_gva(table);
	for (u64 i = 0; i < 512; i++)
		at[i] = (slot + (i << 21)) | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS | user_bit;
	*entry = table | PTE_P | PTE_RW | PTE_A | user_bit;
	return 0;
}

static void flush(void)
{
	u64 cr3;

	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

/*
 * An entry to give up, by second chance: the hand takes the accessed bit from what it passes, and stops at the
 * first entry that has not been used since. ret_address is what the entry maps.
 */
static u64 *find_victim(u64 *ret_address)
{
	static u64 hand;

	/* Two rounds: the second one finds what the first has marked. */
	for (u64 left = 2 * (USER_END >> 30); left; left--, hand++) {
		u64 top, *entry;

		hand %= USER_END >> 30;
		top = pml4[hand >> 9];
		if (!(top & PTE_P)) {
			hand |= 511;
			continue;
		}
		entry = (u64 *)to_gva(top & PTE_ADDRESS) + (hand & 511);
		if (!(*entry & PTE_P))
			continue;
		if (!(*entry & PTE_A)) {
			*ret_address = hand++ << 30;
			return entry;
		}
		*entry &= ~PTE_A;
	}
	return NULL;
}

/* All slots are taken: the gigabyte of `address` gets that of another one, which will be missed if it is used. */
static s64 take_over(u64 address, s64 *ret_table)
{
	u64 from, *victim = find_victim(&from);

	if (!victim)
		return -ENOSPC;
	if (!(*victim & PTE_PS))
		*ret_table = *victim & PTE_ADDRESS;
	*victim = 0;
	flush();
	return hc_slice_move(address, from);
}

/* The gigabyte around a lower-half address is mapped: 0, -EDQUOT, -ENOMEM. */
int slice_ensure(u64 address)
{
	s64 slot, table = 0;
	int error = 0;
	u64 *entry;

	if (address >= USER_END)
		return -EFAULT;
	entry = slice_entry(address, &error);
	if (!entry)
		return error;
	if (*entry & PTE_P)
		return 0;
	slot = hc_slice(address);
	if (slot == -ENOSPC)
		slot = take_over(address, &table);
	if (slot < 0)
		return slot;
	if (!boot.page_1g)
		return install_large(entry, slot, table);
	*entry = slot | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS | user_bit;
	return 0;
}
