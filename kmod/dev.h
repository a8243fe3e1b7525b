/* SPDX-License-Identifier: GPL-2.0-only */
/* File descriptors: /dev/dune and context fds. */
#ifndef DUNE_DEV_H
#define DUNE_DEV_H

int dev_init(void);
void dev_done(void);

#endif
