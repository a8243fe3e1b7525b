/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host area: the trampoline and each vcpu's two pages, as user space maps them.
 */
#ifndef DUNE_AREA_H
#define DUNE_AREA_H

#include <linux/types.h>

struct dune_context;
struct file;
struct vm_area_struct;

int area_init(void);
void area_done(void);

/* mmap of a context fd. */
int area_mmap(struct file *file, struct vm_area_struct *vma);

/* Are the trampoline and the pages of vcpu 0 mapped? */
bool area_complete(const struct dune_context *ctx);

#endif
