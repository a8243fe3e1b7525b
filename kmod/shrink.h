/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DUNE_SHRINK_H
#define DUNE_SHRINK_H

int shrink_init(void);
void shrink_done(void);

#endif
