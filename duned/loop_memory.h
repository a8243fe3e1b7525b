/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory for libev, which aborts when it gets none. Its arrays grow with descriptors, timers and events
 * that wait, all of which are limited here, so they live in a reserved part of the address space that
 * holds the largest of them; pages that are never used cost nothing.
 */
#ifndef DUNED_LOOP_MEMORY_H
#define DUNED_LOOP_MEMORY_H

#define LOOP_MEMORY_BYTES (32 << 20)

/* Before the first loop is made. */
void loop_memory_init(void);

#endif
