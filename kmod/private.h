/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private memory: pages that only EPT maps, at gpa 0 .. DUNE_PRIVATE_END.
 */
#ifndef DUNE_PRIVATE_H
#define DUNE_PRIVATE_H

#include <linux/types.h>
#include <linux/xarray.h>

struct dune_context;

struct dune_private {
	struct xarray pages;	/* gpa >> PAGE_SHIFT -> struct page; only grows while the mm lives */
	u64 next_gpa;		/* [m] end of what was ever allocated */
	u64 nr_pages;		/* [m] argument pages included */
};

void private_done(struct dune_private *priv);

/* DUNE_PRIVATE_WRITE. Caller holds ctx->lock. */
int private_write(struct dune_context *ctx, u64 gpa, u64 source, u64 size_bytes);

/* DUNE_HC_PRIVATE_ALLOC: gpa of nr_pages contiguous zeroed pages, or -errno. */
s64 private_alloc(struct dune_context *ctx, u64 nr_pages);

/* A zeroed, charged page outside of the ordinary range (argument pages). Caller holds ctx->lock. */
struct page *private_page_new(struct dune_context *ctx);
void private_page_free(struct dune_context *ctx, struct page *page);

/* Copies between user space and private memory; 0, -EFAULT, -ERANGE, -EINVAL. */
int private_copy_in(struct dune_context *ctx, u64 gpa, u64 user, u64 size_bytes);
int private_copy_out(struct dune_context *ctx, u64 user, u64 gpa, u64 size_bytes);
/* Copies from private memory to the kernel. */
int private_read(struct dune_context *ctx, void *to, u64 gpa, size_t size_bytes);

#endif
