// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT as a function of the host's page table: filled on violation, emptied by the notifier, never a source
 * of truth. Owns the tables, the slots and the zap generation; must never hold a page reference nor sleep
 * under its lock.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/hostpt.h"
#include "kmod/vcpu.h"

#define EPT_ACCESS	(EPT_READ | EPT_WRITE | EPT_EXEC)
#define EPT_TYPE_SHIFT	3
#define EPT_LEAF	BIT_ULL(7)	/* above the lowest level */
#define EPT_IPAT	BIT_ULL(6)	/* the host decides about caching, not the guest's PAT */
#define EPT_ADDRESS	GENMASK_ULL(51, 12)
#define EPT_LEVELS	4
#define EPT_ENTRIES	512

#define SLICE_SIZE	(1ull << DUNE_SLOT_SHIFT)

static unsigned int ept_index(u64 gpa, unsigned int level)
{
	return gpa >> (PAGE_SHIFT + 9 * level) & (EPT_ENTRIES - 1);
}

static u64 *ept_child(u64 entry)
{
	return __va(entry & EPT_ADDRESS);
}

/* ---- tables ---- */

/* Table pages allocated before the lock is taken; what is left over is freed after. */
struct ept_spare {
	u64 *pages[EPT_LEVELS - 1];
	unsigned int count;
};

static int spare_fill(struct ept_spare *spare, unsigned int want)
{
	while (spare->count < want) {
		u64 *page = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!page)
			return -ENOMEM;
		spare->pages[spare->count++] = page;
	}
	return 0;
}

static void spare_free(struct ept_spare *spare)
{
	while (spare->count)
		free_page((unsigned long)spare->pages[--spare->count]);
}

static void account_pages(struct dune_ept *ept, s64 count)
{
	WRITE_ONCE(ept->nr_pages, ept->nr_pages + count);
	atomic64_add(count, &dune_allocated.ept_pages);
}

static bool is_table(u64 entry, unsigned int level)
{
	return level && (entry & EPT_ACCESS) && !(entry & EPT_LEAF);
}

/*
 * Goes down to the entry of gpa at `level`, or to a leaf above it; *level becomes what it is. Tables are taken
 * from `spare`; NULL when there are too few.
 */
static u64 *ept_reach(struct dune_ept *ept, u64 gpa, unsigned int *level, struct ept_spare *spare)
{
	unsigned int at = EPT_LEVELS - 1;
	u64 *table = ept->root, *entry;

	lockdep_assert_held(&ept->lock);
	for (;; at--) {
		entry = &table[ept_index(gpa, at)];
		if (at == *level || (*entry & EPT_LEAF))
			break;
		if (!(*entry & EPT_ACCESS)) {
			if (!spare || !spare->count)
				return NULL;
			WRITE_ONCE(*entry, __pa(spare->pages[--spare->count]) | EPT_ACCESS);
			account_pages(ept, 1);
		}
		table = ept_child(*entry);
	}
	*level = at;
	return entry;
}

static void ept_free_tables(struct dune_ept *ept, u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level && i < EPT_ENTRIES; i++)
		if (is_table(table[i], level))
			ept_free_tables(ept, ept_child(table[i]), level - 1);
	cond_resched();
	free_page((unsigned long)table);
	account_pages(ept, -1);
}

int ept_init(struct dune_ept *ept)
{
	spin_lock_init(&ept->lock);
	/* No CPU has flushed generation 1 yet: a recycled root can't meet its predecessor's entries. */
	ept->gen = 1;
	ept->max_level = hw_ept_max_level();
	/* Trap 11: a guest could raise a machine check by changing the size of an executable page. */
	ept->max_exec_level = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) ? 0 : ept->max_level;
	ept->flushed = alloc_percpu(u64);
	ept->slices = kvcalloc(DUNE_SLOTS_MAX, sizeof(*ept->slices), GFP_KERNEL_ACCOUNT);
	ept->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (ept->root)
		account_pages(ept, 1);
	if (!ept->flushed || !ept->slices || !ept->root) {
		ept_done(ept);
		return -ENOMEM;
	}
	return 0;
}

void ept_done(struct dune_ept *ept)
{
	if (ept->root)
		ept_free_tables(ept, ept->root, EPT_LEVELS - 1);
	ept->root = NULL;
	kvfree(ept->slices);
	ept->slices = NULL;
	free_percpu(ept->flushed);
	ept->flushed = NULL;
}

/* ---- invalidation ---- */

/* The interrupt itself is the message. */
static void ept_kicked(void *unused)
{
}

/*
 * Entries removed up to `gen` may still be cached by CPUs in guest mode: they leave it now, and flush before
 * they enter again. Nobody returns before the generation he saw under the lock has been kicked, also when it was
 * another one who removed the entries. Pairs with enter_once: either it sees the new generation or we see where
 * it is.
 */
static void ept_kick(struct dune_context *ctx, u64 gen)
{
	unsigned int i, nr = smp_load_acquire(&ctx->nr_vcpus);	/* pairs with attach_bind */
	int self = get_cpu();
	u64 ipis = 0;

	smp_mb();	/* pairs with enter_once */
	for (i = 0; i < nr; i++) {
		struct dune_vcpu *vcpu = READ_ONCE(ctx->vcpus[i]);
		int cpu = READ_ONCE(vcpu->guest_cpu);

		if (cpu < 0 || cpu == self)
			continue;
		/* Returns once the CPU has taken the interrupt, so once it has left the guest. */
		smp_call_function_single(cpu, ept_kicked, NULL, 1);
		ipis++;
	}
	put_cpu();
	spin_lock(&ctx->ept.lock);
	ctx->ept.kicked = max(ctx->ept.kicked, gen);
	ctx->ept.ipis += ipis;
	spin_unlock(&ctx->ept.lock);
}

static u64 count_leaves(const u64 *table)
{
	unsigned int i;
	u64 count = 0;

	for (i = 0; i < EPT_ENTRIES; i++)
		count += !!(table[i] & EPT_ACCESS);
	return count;
}

/*
 * Clears what maps [gpa, end) below one table. A table that lies in the range as a whole is taken out and put on
 * `freed`, which the caller frees after the kick: the processor may still walk it.
 */
static u64 ept_zap_table(struct dune_ept *ept, u64 *table, unsigned int level, u64 gpa, u64 end,
			 struct list_head *freed)
{
	u64 size = 1ull << (PAGE_SHIFT + 9 * level), zapped = 0;
	bool whole;

	while (gpa < end) {
		u64 *entry = &table[ept_index(gpa, level)];
		u64 next = min(ALIGN_DOWN(gpa, size) + size, end), *child;

		if (!(*entry & EPT_ACCESS)) {
			gpa = next;
			continue;
		}
		/* A large page goes as a whole; what of it is still there is filled again. */
		if (!is_table(*entry, level)) {
			WRITE_ONCE(*entry, 0);
			zapped++;
			gpa = next;
			continue;
		}
		child = ept_child(*entry);
		whole = next - gpa == size && level <= 2;
		zapped += whole && level == 1 ?
				  count_leaves(child) :
				  ept_zap_table(ept, child, level - 1, gpa, next, freed);
		if (whole) {
			WRITE_ONCE(*entry, 0);
			list_add(&virt_to_page(child)->lru, freed);
			account_pages(ept, -1);
		}
		gpa = next;
	}
	return zapped;
}

static void ept_free_list(struct list_head *freed)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, freed, lru)
		__free_page(page);
}

static u32 find_slot(const struct dune_ept *ept, u32 slice)
{
	u32 slot;

	for (slot = 1; slot <= ept->nr_slots; slot++)
		if (ept->slices[slot] == slice)
			break;
	return slot;
}

/* The part of [start, end) that a slot maps, as gpas; false when there is none. */
static bool slot_range(const struct dune_ept *ept, u32 slot, u64 start, u64 end, u64 *ret_gpa,
		       u64 *ret_end)
{
	u64 base = (u64)(ept->slices[slot] - 1) << DUNE_SLOT_SHIFT;
	u64 from = max(start, base), to = min(end, base + SLICE_SIZE);
	u64 gpa = (u64)slot << DUNE_SLOT_SHIFT;

	*ret_gpa = gpa + (from - base);
	*ret_end = gpa + (to - base);
	return from < to;
}

/* Removes what maps [start, end), adds up how much; returns the generation that has to be kicked. */
static u64 ept_zap(struct dune_context *ctx, u64 start, u64 end, u64 *ret_zapped,
		   struct list_head *freed)
{
	u32 slot, nr_slots = READ_ONCE(ctx->ept.nr_slots);
	u64 first = start >> DUNE_SLOT_SHIFT, last = (end - 1) >> DUNE_SLOT_SHIFT;
	u64 gpa, gpa_end, zapped, gen;
	struct dune_ept *ept = &ctx->ept;

	for (slot = 1; slot <= nr_slots; slot++) {
		/*
		 * Without the lock: whoever gives a slot another slice empties it, and no fill comes while the
		 * range is being invalidated. (ept_give_back invalidates nothing, and may miss something.)
		 */
		if (READ_ONCE(ept->slices[slot]) - 1 - first > last - first)
			continue;
		/* Slot by slot, so that the lock is never held for long; fills wait meanwhile. */
		spin_lock(&ept->lock);
		if (slot_range(ept, slot, start, end, &gpa, &gpa_end)) {
			zapped = ept_zap_table(ept, ept->root, EPT_LEVELS - 1, gpa, gpa_end, freed);
			ept->zaps += zapped;
			*ret_zapped += zapped;
			/* Also for an empty table: processors cache the way to it. */
			if (zapped || !list_empty(freed))
				WRITE_ONCE(ept->gen, ept->gen + 1);
		}
		spin_unlock(&ept->lock);
	}
	/* Whoever gave a slot another slice meanwhile may not have kicked yet: his generation is in it. */
	spin_lock(&ept->lock);
	gen = ept->gen;
	spin_unlock(&ept->lock);
	return gen;
}

/* Removes, waits until no CPU uses what was removed, frees. */
static bool ept_zap_and_kick(struct dune_context *ctx, u64 start, u64 end)
{
	LIST_HEAD(freed);
	u64 zapped = 0, gen;

	gen = ept_zap(ctx, start, end, &zapped, &freed);
	if (READ_ONCE(ctx->ept.kicked) < gen)
		ept_kick(ctx, gen);
	ept_free_list(&freed);
	return zapped;
}

static void ept_invalidating(struct dune_ept *ept, int change)
{
	spin_lock(&ept->lock);
	WRITE_ONCE(ept->seq, ept->seq + 1);
	dune_assert(change > 0 || ept->invalidating);
	ept->invalidating += change;
	spin_unlock(&ept->lock);
}

void ept_invalidate_start(struct dune_context *ctx, unsigned long start, unsigned long end)
{
	ept_invalidating(&ctx->ept, 1);
	ept_zap_and_kick(ctx, start, end);
}

void ept_invalidate_end(struct dune_context *ctx)
{
	ept_invalidating(&ctx->ept, -1);
}

bool ept_zap_young(struct dune_context *ctx, unsigned long start, unsigned long end)
{
	bool zapped;

	ept_invalidating(&ctx->ept, 1);
	zapped = ept_zap_and_kick(ctx, start, end);
	ept_invalidating(&ctx->ept, -1);
	return zapped;
}

bool ept_test_young(struct dune_context *ctx, unsigned long address)
{
	struct dune_ept *ept = &ctx->ept;
	unsigned int level = 0;
	u64 offset = address & (SLICE_SIZE - 1), *entry = NULL, slot;
	bool found;

	spin_lock(&ept->lock);
	slot = find_slot(ept, (address >> DUNE_SLOT_SHIFT) + 1);
	if (slot <= ept->nr_slots)
		entry = ept_reach(ept, slot << DUNE_SLOT_SHIFT | offset, &level, NULL);
	found = entry && (*entry & EPT_ACCESS);
	spin_unlock(&ept->lock);
	return found;
}

/* The next slot that has tables below it, or 0. */
static u32 next_victim(struct dune_ept *ept)
{
	u32 tries = ept->nr_slots;

	lockdep_assert_held(&ept->lock);
	while (tries--) {
		unsigned int level = EPT_LEVELS - 2;
		u64 *entry;

		ept->victim = ept->victim % ept->nr_slots + 1;
		entry = ept_reach(ept, (u64)ept->victim << DUNE_SLOT_SHIFT, &level, NULL);
		if (entry && is_table(*entry, level))
			return ept->victim;
	}
	return 0;
}

u64 ept_give_back(struct dune_context *ctx)
{
	struct dune_ept *ept = &ctx->ept;
	u64 before = READ_ONCE(ept->nr_pages), after, base;
	u32 slot;

	spin_lock(&ept->lock);
	slot = next_victim(ept);
	base = (u64)(ept->slices[slot] - 1) << DUNE_SLOT_SHIFT;
	spin_unlock(&ept->lock);
	if (!slot)
		return 0;
	ept_zap_and_kick(ctx, base, base + SLICE_SIZE);
	after = READ_ONCE(ept->nr_pages);
	return before > after ? before - after : 0;
}

/*
 * EPT is a cache: at its limit a context loses the mappings of one slot after the other and fills them again,
 * it is never refused anything for it.
 */
static void ept_reclaim(struct dune_context *ctx)
{
	struct dune_ept *ept = &ctx->ept;
	u64 limit = context_limit(ctx, DUNE_LIMIT_EPT);
	u32 tries = READ_ONCE(ept->nr_slots);

	while (READ_ONCE(ept->nr_pages) + EPT_LEVELS > limit && tries--)
		ept_give_back(ctx);
}

void ept_flush_now(struct dune_vcpu *vcpu)
{
	struct dune_ept *ept = &vcpu->ctx->ept;
	u64 gen = READ_ONCE(ept->gen);

	hw_flush_ept(__pa(ept->root));
	*this_cpu_ptr(ept->flushed) = gen;
	vcpu_count(vcpu, DUNE_COUNT_INVEPT);
}

/* ---- slots ---- */

s64 ept_slice(struct dune_context *ctx, unsigned long hva)
{
	u32 limit = min_t(u64, (1ull << (hw_gpa_bits() - DUNE_SLOT_SHIFT)), DUNE_SLOTS_MAX), slot;
	u32 slice = (hva >> DUNE_SLOT_SHIFT) + 1;
	struct dune_ept *ept = &ctx->ept;
	s64 ret = -ENOSPC;

	if (hva >= TASK_SIZE_MAX)
		return -EFAULT;
	spin_lock(&ept->lock);
	slot = find_slot(ept, slice);
	if (slot < limit) {
		if (slot > ept->nr_slots) {
			ept->slices[slot] = slice;
			WRITE_ONCE(ept->nr_slots, slot);
		}
		ret = (s64)slot << DUNE_SLOT_SHIFT;
	}
	spin_unlock(&ept->lock);
	return ret;
}

s64 ept_slice_move(struct dune_context *ctx, unsigned long hva, unsigned long from)
{
	u32 slot, slice = (hva >> DUNE_SLOT_SHIFT) + 1;
	struct dune_ept *ept = &ctx->ept;
	LIST_HEAD(freed);
	s64 ret;
	u64 gen;

	if (hva >= TASK_SIZE_MAX || from >= TASK_SIZE_MAX)
		return -EFAULT;
	spin_lock(&ept->lock);
	slot = find_slot(ept, slice);
	if (slot > ept->nr_slots) {
		slot = find_slot(ept, (from >> DUNE_SLOT_SHIFT) + 1);
		if (slot > ept->nr_slots) {
			spin_unlock(&ept->lock);
			return -ENOENT;
		}
		ret = (s64)slot << DUNE_SLOT_SHIFT;
		ept->zaps += ept_zap_table(ept, ept->root, EPT_LEVELS - 1, ret, ret + SLICE_SIZE,
					   &freed);
		WRITE_ONCE(ept->slices[slot], slice);
		/* Fills that still speak of the slice before are void. */
		WRITE_ONCE(ept->seq, ept->seq + 1);
		WRITE_ONCE(ept->gen, ept->gen + 1);
	}
	ret = (s64)slot << DUNE_SLOT_SHIFT;
	gen = ept->gen;
	spin_unlock(&ept->lock);
	ept_kick(ctx, gen);
	ept_free_list(&freed);
	return ret;
}

/* ---- violations ---- */

static u64 leaf_entry(const struct hostpt_leaf *leaf, unsigned int level)
{
	u64 pfn = leaf->pfn & ~((1ull << (9 * level)) - 1);

	return pfn << PAGE_SHIFT | (level ? EPT_LEAF : 0) | EPT_IPAT |
	       (u64)leaf->memory_type << EPT_TYPE_SHIFT | leaf->access;
}

/*
 * Maps gpa by a page as large as the host's, the CPU and its bugs allow. False when tables are missing, or when
 * there is no `spare` and CPUs may have cached more than the new entry allows: then the generation counts up,
 * and the caller has to kick.
 */
static bool ept_place(struct dune_ept *ept, u64 gpa, const struct hostpt_leaf *leaf, u32 access,
		      struct ept_spare *spare)
{
	unsigned int want = min(leaf->level, ept->max_level), level;
	u64 *at, entry, loses;

	if ((access & EPT_EXEC) && want > ept->max_exec_level)
		want = ept->max_exec_level;
	for (;;) {
		level = want;
		at = ept_reach(ept, gpa, &level, spare);
		if (!at)
			return false;
		/* Where pages of 4K are already, there will be more of them. */
		if (is_table(*at, level)) {
			want = 0;
			continue;
		}
		entry = leaf_entry(leaf, level);
		if (level > ept->max_exec_level)
			entry &= ~(u64)EPT_EXEC;
		if (level > want)
			entry = 0;
		loses = *at & ~entry;
		if (unlikely(loses) && !spare)
			return false;
		WRITE_ONCE(*at, entry);
		if (unlikely(loses))
			WRITE_ONCE(ept->gen, ept->gen + 1);
		if (level == want)
			break;
	}
	ept->fills++;
	ept->large_fills += !!level;
	return true;
}

static bool ept_is_stale(struct dune_ept *ept, u64 seq)
{
	if (likely(!ept->invalidating && ept->seq == seq))
		return false;
	ept->retries++;
	return true;
}

static int ept_insert(struct dune_context *ctx, u64 gpa, const struct hostpt_leaf *leaf, u32 access,
		      const u64 *seq)
{
	struct dune_ept *ept = &ctx->ept;
	struct ept_spare spare = {};
	bool stale, placed = false;
	u64 before, after;
	int err = 0;

	do {
		spin_lock(&ept->lock);
		before = ept->gen;
		stale = seq && ept_is_stale(ept, *seq);
		if (!stale)
			placed = ept_place(ept, gpa, leaf, access, &spare);
		after = ept->gen;
		spin_unlock(&ept->lock);
		if (before != after)
			ept_kick(ctx, after);
		if (stale)
			err = -EAGAIN;
		else if (!placed)
			err = spare_fill(&spare, EPT_LEVELS - 1);
	} while (!placed && !err);
	spare_free(&spare);
	return err;
}

int ept_map_private(struct dune_context *ctx, u64 gpa, u64 pfn, u32 access)
{
	struct hostpt_leaf leaf = { .pfn = pfn, .access = access, .memory_type = EPT_TYPE_WB };

	return ept_insert(ctx, gpa, &leaf, access, NULL);
}

struct ept_found {
	struct hostpt_leaf leaf;
	unsigned long hva;
	u64 seq;
};

/* What the host has at gpa; EPT_FILLED when that is enough for the access. */
static enum ept_result ept_look(struct dune_context *ctx, u64 gpa, u32 access,
				struct ept_found *ret_found)
{
	struct dune_ept *ept = &ctx->ept;
	u64 slot = gpa >> DUNE_SLOT_SHIFT;
	struct hostpt_leaf *leaf = &ret_found->leaf;

	if (!slot || slot > READ_ONCE(ept->nr_slots))
		return EPT_BAD;
	/* Pairs with the locks where it changes: neither the slice nor the walk is older than it. */
	ret_found->seq = smp_load_acquire(&ept->seq);
	/* The slot is the guest's choice: no other memory is read, not even in speculation. */
	slot &= DUNE_SLOTS_MAX - 1;
	ret_found->hva = ((u64)(READ_ONCE(ept->slices[slot]) - 1) << DUNE_SLOT_SHIFT) +
			 (gpa & (SLICE_SIZE - 1));
	if (ret_found->hva >= TASK_SIZE_MAX)
		return EPT_BAD;
	hostpt_walk(ctx->mm, ret_found->hva, leaf);
	if ((access & EPT_EXEC) && leaf->noexec)
		return EPT_NOEXEC;
	return (leaf->access & access) == access ? EPT_FILLED : EPT_TOUCH;
}

/* A trylock: somebody who holds the lock may be waiting for this CPU to take an interrupt. */
bool ept_fill_irqoff(struct dune_vcpu *vcpu, u64 gpa, u32 access)
{
	struct dune_ept *ept = &vcpu->ctx->ept;
	struct ept_found found;
	bool placed = false;

	if (IS_ENABLED(CONFIG_PREEMPT_RT) ||
	    ept_look(vcpu->ctx, gpa, access, &found) != EPT_FILLED || !spin_trylock(&ept->lock))
		return false;
	if (!ept_is_stale(ept, found.seq))
		placed = ept_place(ept, gpa, &found.leaf, access, NULL);
	spin_unlock(&ept->lock);
	return placed;
}

enum ept_result ept_fault(struct dune_vcpu *vcpu, u64 gpa, u32 access, unsigned long *ret_hva)
{
	struct dune_context *ctx = vcpu->ctx;
	enum ept_result result;
	struct ept_found found;
	int err;

	local_irq_disable();
	result = ept_look(ctx, gpa, access, &found);
	local_irq_enable();
	*ret_hva = found.hva;
	if (result != EPT_FILLED)
		return result;
	ept_reclaim(ctx);
	err = ept_insert(ctx, gpa, &found.leaf, access, &found.seq);
	if (err == -EAGAIN) {
		cond_resched();
		return EPT_RETRY;
	}
	return err ? EPT_NOMEM : EPT_FILLED;
}
