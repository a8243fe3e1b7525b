/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EPT: a cache of the host's page table (slots) and the only mapping of private memory (slot 0).
 */
#ifndef DUNE_EPT_H
#define DUNE_EPT_H

#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct dune_context;
struct dune_vcpu;

/* Slots per context at most, whatever the CPU's physical-address width: 4 TB of touched gigabytes. */
#define DUNE_SLOTS_MAX	4096	/* a power of two */

#define EPT_READ	1u
#define EPT_WRITE	2u
#define EPT_EXEC	4u
#define EPT_TYPE_WB	6	/* memory types are numbered as the PAT's (SDM 3C 29.3.7) */

struct dune_ept {
	spinlock_t lock;
	u64 *root;		/* top-level table; its address is the EPTP's */
	u64 gen;		/* [e] zap generation: entries removed so far need an INVEPT */
	u64 kicked;		/* [e] generation that every CPU in guest mode has left */
	u64 seq;		/* [e] changes whenever an invalidation starts or ends */
	unsigned int invalidating;	/* [e] invalidations between start and end */
	u64 __percpu *flushed;	/* generation of the CPU's last INVEPT for this EPT */
	u32 *slices;		/* [e] slot -> slice + 1; 0 = free */
	u64 nr_slots;		/* [e] slots 1 .. nr_slots are handed out */
	u32 max_level;		/* [I] largest pages: 0 = 4K, 1 = 2M, 2 = 1G */
	u32 max_exec_level;	/* [I] of what the guest may execute */
	u32 victim;		/* [e] slot reclaimed last */
	u64 nr_pages;		/* [e] table pages */
	u64 zaps, ipis, fills, large_fills, retries;	/* [e] */
};

enum ept_result {
	EPT_FILLED,	/* resolved: enter again */
	EPT_RETRY,	/* lost a race with an invalidation: enter again */
	EPT_TOUCH,	/* the kernel has to see the access: touch natively */
	EPT_NOEXEC,	/* present, but not executable */
	EPT_BAD,	/* names no memory */
	EPT_NOMEM,
};

int ept_init(struct dune_ept *ept);
/* May sleep. */
void ept_done(struct dune_ept *ept);

/* Resolves a violation of `access` (EPT_*) at gpa; ret_hva is the host address for EPT_TOUCH/NOEXEC. */
enum ept_result ept_fault(struct dune_vcpu *vcpu, u64 gpa, u32 access, unsigned long *ret_hva);

/* The same with interrupts off, where it is easy; true when it is done. */
bool ept_fill_irqoff(struct dune_vcpu *vcpu, u64 gpa, u32 access);

/* Maps a page of private memory. May sleep. */
int ept_map_private(struct dune_context *ctx, u64 gpa, u64 pfn, u32 access);

/* The gpa of the slot for the slice of hva, handing one out: -EFAULT, -ENOSPC. */
s64 ept_slice(struct dune_context *ctx, unsigned long hva);
/* The same, by taking the slot over from the slice of `from`: -EFAULT, -ENOENT. May wait for other CPUs. */
s64 ept_slice_move(struct dune_context *ctx, unsigned long hva, unsigned long from);

/* Drops what one slot maps, another one each time; returns table pages freed. Doesn't sleep. */
u64 ept_give_back(struct dune_context *ctx);

/* Notifier side; neither sleeps. */
void ept_invalidate_start(struct dune_context *ctx, unsigned long start, unsigned long end);
void ept_invalidate_end(struct dune_context *ctx);
bool ept_zap_young(struct dune_context *ctx, unsigned long start, unsigned long end);
bool ept_test_young(struct dune_context *ctx, unsigned long address);

/* Interrupts off: has this CPU seen the last zap? */
static __always_inline bool ept_is_flushed(const struct dune_ept *ept)
{
	return likely(this_cpu_read(*ept->flushed) == READ_ONCE(ept->gen));
}

/* Interrupts off: INVEPT, when it has not. */
void ept_flush_now(struct dune_vcpu *vcpu);

#endif
