/* SPDX-License-Identifier: GPL-2.0-only */
/* File descriptors: /dev/dune and context fds. */
#ifndef DUNE_DEV_H
#define DUNE_DEV_H

struct dune_context;

int dev_init(void);
void dev_done(void);

/* A new close-on-exec descriptor that owns the caller's reference on success. */
int dev_context_fd(struct dune_context *ctx);

#endif
