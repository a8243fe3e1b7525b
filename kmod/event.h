/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events for readers of /dev/dune.
 */
#ifndef DUNE_EVENT_H
#define DUNE_EVENT_H

#include <linux/types.h>

struct dune_context;
struct dune_reader;
struct file;
struct poll_table_struct;

/* From any context that may take a spinlock. */
void event_post(const struct dune_context *ctx, u32 type, u32 value, u64 detail);

/* A reader sees what happens after it was made; kfree ends it. */
struct dune_reader *event_reader_new(void);
ssize_t event_read(struct dune_reader *reader, char __user *buffer, size_t size_bytes, bool block);
__poll_t event_poll(struct file *file, struct poll_table_struct *table);

#endif
