/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, in one place.
 */
#ifndef DUNE_COMPAT_H
#define DUNE_COMPAT_H

#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

#ifdef MMF_HAS_MDWE
#define mm_has_mdwe(mm) test_bit(MMF_HAS_MDWE, &(mm)->flags)
#else
#define mm_has_mdwe(mm) false
#endif

/* A feature that a kernel has no name for it does not use; XENPV stands for "never" after its own check. */
#ifdef X86_FEATURE_FRED
#define DUNE_FEATURE_FRED X86_FEATURE_FRED
#else
#define DUNE_FEATURE_FRED X86_FEATURE_XENPV
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define rcu_virt_note() rcu_virt_note_context_switch(smp_processor_id())
#else
#define rcu_virt_note() rcu_virt_note_context_switch()
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define pud_leaf_compat pud_large
#define pmd_leaf_compat pmd_large
#else
#define pud_leaf_compat pud_leaf
#define pmd_leaf_compat pmd_leaf
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define shrinker_alloc(flags, name) kzalloc(sizeof(struct shrinker), GFP_KERNEL)
#define shrinker_register_compat(shrinker) register_shrinker(shrinker, "dune")
#define shrinker_free_compat(shrinker) (unregister_shrinker(shrinker), kfree(shrinker))
#else
#define shrinker_register_compat(shrinker) (shrinker_register(shrinker), 0)
#define shrinker_free_compat shrinker_free
#endif

#endif
