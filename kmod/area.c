// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host area. Everything here is read-only to user space and stays where it is: the trampoline is the
 * only host code that runs while a process is in Dune mode, and what the kernel reads from the argument page
 * must be the runtime's word. No write, no move, no split; losing a piece ends the context.
 */
#include <linux/mm.h>
#include "kmod/area.h"
#include "kmod/compat.h"
#include "kmod/context.h"
#include "kmod/vcpu.h"

static struct page *trampoline_page;

extern const char dune_trampoline_start[], dune_trampoline_end[];

/* What vcpu 0 can't do without. */
static const unsigned long pieces[] = { DUNE_MMAP_TRAMPOLINE, DUNE_MMAP_RUN, DUNE_MMAP_ARGS };

/*
 * A copy, by fork (MADV_DOFORK undoes VM_DONTCOPY) or by mremap before it is refused: never of any use. It holds
 * the file, so the context stays, but it must not reach into it.
 */
static void area_open(struct vm_area_struct *vma)
{
	vma->vm_private_data = NULL;
}

static int area_refuse_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int area_refuse_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int area_refuse_protect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			       unsigned long flags)
{
	return -EACCES;
}

/* The one address a mapping with this offset may have. */
static unsigned long area_address(unsigned long offset)
{
	return offset == DUNE_MMAP_TRAMPOLINE ? DUNE_TRAMPOLINE_ADDR :
						DUNE_RUN_ADDR + (offset - DUNE_MMAP_RUN);
}

static void area_close(struct vm_area_struct *vma)
{
	struct dune_context *ctx = vma->vm_private_data;

	/* Without users it is the ordinary end of the process, or of its old program. */
	if (ctx && atomic_read(&vma->vm_mm->mm_users) && context_end(ctx, DUNE_END_TRAMPOLINE))
		context_report_done(ctx);
}

/* A vcpu's page, by its offset; vcpus are never freed while the mm lives. */
static struct page *area_page(struct dune_context *ctx, unsigned long offset)
{
	unsigned long index = (offset - DUNE_MMAP_RUN) / DUNE_VCPU_STRIDE;
	bool args = (offset - DUNE_MMAP_RUN) % DUNE_VCPU_STRIDE;

	if (index >= smp_load_acquire(&ctx->nr_vcpus))	/* pairs with attach_bind */
		return NULL;
	return args ? ctx->vcpus[index]->args_page : ctx->vcpus[index]->run_page;
}

/*
 * By fault, so that MADV_DONTNEED and the like bring back the same page. (And a remap_pfn_range that runs out of
 * memory makes 6.1 warn when the rest is unmapped.)
 */
static vm_fault_t area_fault(struct vm_fault *vmf)
{
	struct dune_context *ctx = vmf->vma->vm_private_data;
	struct page *page = NULL;

	if (vmf->vma->vm_flags & VM_PFNMAP)
		return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(trampoline_page));
	/* vcpus live as long as this mm. */
	if (ctx && ctx->mm == vmf->vma->vm_mm)
		page = area_page(ctx, vmf->pgoff << PAGE_SHIFT);
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct area_ops = {
	.open = area_open,
	.close = area_close,
	.fault = area_fault,
	.may_split = area_refuse_split,
	.mremap = area_refuse_move,
	.mprotect = area_refuse_protect,
};

static int area_map_vcpu(struct dune_context *ctx, struct vm_area_struct *vma, unsigned long offset)
{
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (!area_page(ctx, offset))
		return -ENXIO;
	/* Stays in core dumps: debuggers find the guest's registers in the run page. */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTCOPY, VM_MAYWRITE | VM_MAYEXEC);
	return 0;
}

/*
 * The mmap lock is held, so ctx->lock is out of bounds (it is held over page faults elsewhere); state and
 * vcpus are published by release stores.
 */
static int area_map(struct dune_context *ctx, struct vm_area_struct *vma)
{
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;
	unsigned int state = smp_load_acquire(&ctx->state);	/* pairs with who sets it */
	unsigned int i;
	int err = 0;

	if (state != DUNE_STATE_ATTACHED && state != DUNE_STATE_RUNNING)
		return -ENXIO;
	if (ctx->mm != vma->vm_mm)
		return -EXDEV;
	/* A PFN mapping: GUP, ptrace and /proc/self/mem find no page to write to. */
	if (offset == DUNE_MMAP_TRAMPOLINE)
		vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP,
			     VM_MAYWRITE);
	else
		err = area_map_vcpu(ctx, vma, offset);
	if (err)
		return err;
	/* The VMA pins the file, the file pins the context. */
	vma->vm_private_data = ctx;
	vma->vm_ops = &area_ops;
	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		if (offset == pieces[i])
			set_bit(i, &ctx->area_mapped);
	return 0;
}

int area_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;

	if (vma->vm_pgoff >= (DUNE_AREA_END >> PAGE_SHIFT))
		return -ENXIO;
	if (offset != DUNE_MMAP_TRAMPOLINE && offset < DUNE_MMAP_RUN)
		return -ENXIO;
	if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_start != area_address(offset))
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_WRITE))
		return -EACCES;
	return area_map(file->private_data, vma);
}

bool area_complete(const struct dune_context *ctx)
{
	return READ_ONCE(ctx->area_mapped) == BIT(ARRAY_SIZE(pieces)) - 1;
}

int area_init(void)
{
	trampoline_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!trampoline_page)
		return -ENOMEM;
	memcpy(page_address(trampoline_page), dune_trampoline_start,
	       dune_trampoline_end - dune_trampoline_start);
	return 0;
}

void area_done(void)
{
	__free_page(trampoline_page);
}
