/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that the service itself writes. A file is there as a whole, the old or the new one,
 * whatever happens in between; must never leave half of one.
 */
#ifndef DUNED_STATE_H
#define DUNED_STATE_H

#include <stddef.h>

/*
 * Replaces a file's content and waits until it is on the disk. -errno: the old file is still
 * there. 0: the new one is; *ret_unsure is then 0, or the -errno with which the disk did not confirm
 * the name: if the machine crashes the old file may be back.
 */
int state_write(const char *path, const char *text, size_t size_bytes, int *ret_unsure);

#endif
