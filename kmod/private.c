// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private memory: zeroed, charged to the process, limited, and mapped by EPT alone. Owns the pages; no host
 * virtual address of user space ever reaches one (but the read-only argument page, area.c). Pages are never
 * given back while the mm lives, so a pointer found in the table stays good.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include "kmod/context.h"

#define PRIVATE_WRITE_MAX	(16ull << 20)
#define PRIVATE_ALLOC_MAX	4096

void private_done(struct dune_private *priv)
{
	struct page *page;
	unsigned long index;

	xa_for_each(&priv->pages, index, page) {
		__free_page(page);
		priv->nr_pages--;
		cond_resched();
		atomic64_dec(&dune_allocated.private_pages);
	}
	xa_destroy(&priv->pages);
}

struct page *private_page_new(struct dune_context *ctx)
{
	struct page *page;

	if (!context_within(ctx, DUNE_LIMIT_PRIVATE, ctx->private.nr_pages, 1))
		return ERR_PTR(-EDQUOT);
	/* A tenant that asks for too much gets an error; the OOM killer is not called for the page. */
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!page)
		return ERR_PTR(-ENOMEM);
	WRITE_ONCE(ctx->private.nr_pages, ctx->private.nr_pages + 1);
	atomic64_inc(&dune_allocated.private_pages);
	return page;
}

void private_page_free(struct dune_context *ctx, struct page *page)
{
	/* A reference, not the page: user space may still have the argument page mapped. */
	put_page(page);
	WRITE_ONCE(ctx->private.nr_pages, ctx->private.nr_pages - 1);
	atomic64_dec(&dune_allocated.private_pages);
}

/* The page at gpa, allocated and mapped if it is new. */
static struct page *private_get(struct dune_context *ctx, u64 gpa)
{
	struct dune_private *priv = &ctx->private;
	unsigned long index = gpa >> PAGE_SHIFT;
	struct page *page = xa_load(&priv->pages, index);
	int err;

	lockdep_assert_held(&ctx->lock);
	if (page)
		return page;
	page = private_page_new(ctx);
	if (IS_ERR(page))
		return page;
	err = xa_err(xa_store(&priv->pages, index, page, GFP_KERNEL_ACCOUNT));
	if (!err)
		err = ept_map_private(ctx, gpa & PAGE_MASK, page_to_pfn(page),
				      EPT_READ | EPT_WRITE | EPT_EXEC);
	if (err) {
		xa_erase(&priv->pages, index);
		private_page_free(ctx, page);
		return ERR_PTR(err);
	}
	priv->next_gpa = max(priv->next_gpa, (gpa & PAGE_MASK) + PAGE_SIZE);
	return page;
}

static bool private_range_ok(u64 gpa, u64 size_bytes)
{
	return gpa <= DUNE_PRIVATE_END && size_bytes <= DUNE_PRIVATE_END - gpa;
}

int private_write(struct dune_context *ctx, u64 gpa, u64 source, u64 size_bytes)
{
	if (!size_bytes || size_bytes > PRIVATE_WRITE_MAX)
		return -EINVAL;
	if (!private_range_ok(gpa, size_bytes))
		return -ERANGE;
	while (size_bytes) {
		u64 chunk = min_t(u64, size_bytes, PAGE_SIZE - offset_in_page(gpa));
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = private_get(ctx, gpa);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (source && copy_from_user(page_address(page) + offset_in_page(gpa),
					     u64_to_user_ptr(source), chunk))
			return -EFAULT;
		source += source ? chunk : 0;
		gpa += chunk;
		size_bytes -= chunk;
		cond_resched();
	}
	return 0;
}

s64 private_alloc(struct dune_context *ctx, u64 nr_pages)
{
	u64 gpa, i;
	int err = 0;

	if (!nr_pages || nr_pages > PRIVATE_ALLOC_MAX)
		return -EINVAL;
	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	gpa = ctx->private.next_gpa;
	/* All or nothing, so that a guest at its limit can ask for less. */
	if (!private_range_ok(gpa, nr_pages << PAGE_SHIFT) ||
	    !context_within(ctx, DUNE_LIMIT_PRIVATE, ctx->private.nr_pages, nr_pages))
		err = -EDQUOT;
	for (i = 0; !err && i < nr_pages; i++)
		err = PTR_ERR_OR_ZERO(private_get(ctx, gpa + (i << PAGE_SHIFT)));
	mutex_unlock(&ctx->lock);
	return err ? err : (s64)gpa;
}

/* Calls `copy` for each page of the range with its kernel address. */
static int private_each(struct dune_context *ctx, u64 gpa, u64 size_bytes,
			int (*copy)(void *page, u64 offset, u64 size_bytes, void *arg), void *arg)
{
	u64 done = 0;

	if (size_bytes > DUNE_COPY_MAX)
		return -EINVAL;
	if (!private_range_ok(gpa, size_bytes))
		return -ERANGE;
	while (done < size_bytes) {
		u64 chunk = min_t(u64, size_bytes - done, PAGE_SIZE - offset_in_page(gpa + done));
		struct page *page = xa_load(&ctx->private.pages, (gpa + done) >> PAGE_SHIFT);
		int err;

		if (!page)
			return -ERANGE;
		err = copy(page_address(page) + offset_in_page(gpa + done), done, chunk, arg);
		if (err)
			return err;
		done += chunk;
	}
	return 0;
}

static int copy_page_in(void *page, u64 offset, u64 size_bytes, void *user)
{
	return copy_from_user(page, (void __user __force *)user + offset, size_bytes) ? -EFAULT : 0;
}

static int copy_page_out(void *page, u64 offset, u64 size_bytes, void *user)
{
	return copy_to_user((void __user __force *)user + offset, page, size_bytes) ? -EFAULT : 0;
}

static int copy_page_kernel(void *page, u64 offset, u64 size_bytes, void *to)
{
	memcpy(to + offset, page, size_bytes);
	return 0;
}

int private_copy_in(struct dune_context *ctx, u64 gpa, u64 user, u64 size_bytes)
{
	return private_each(ctx, gpa, size_bytes, copy_page_in,
			    (void __force *)u64_to_user_ptr(user));
}

int private_copy_out(struct dune_context *ctx, u64 user, u64 gpa, u64 size_bytes)
{
	return private_each(ctx, gpa, size_bytes, copy_page_out,
			    (void __force *)u64_to_user_ptr(user));
}

int private_read(struct dune_context *ctx, void *to, u64 gpa, size_t size_bytes)
{
	return private_each(ctx, gpa, size_bytes, copy_page_kernel, to);
}
