/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pure rules about arguments of system calls: which ranges touch the host area, how close_range
 * goes around the context fd. No hypercalls here: unit tests include this.
 */
#ifndef DUNE_GUEST_RANGE_H
#define DUNE_GUEST_RANGE_H

#include "proto/dune_abi.h"
#include <linux/types.h>

/* [start, start + size), widened to whole pages; a range that wraps reaches to the top. */
static inline int range_hits_area(__u64 start, __u64 size)
{
	__u64 end = start + size;

	if (end < start)
		return start < DUNE_AREA_END;
	if (!size)
		return 0;
	return (start & ~4095ull) < DUNE_AREA_END && end > DUNE_AREA_START;
}

struct fd_range {
	__u32 first, last;
};

/* The parts of first..last (first <= last) without fd; returns their number, 0 to 2. */
static inline int fd_range_split(__u32 first, __u32 last, __u32 fd, struct fd_range ret_parts[2])
{
	int n = 0;

	if (fd < first || fd > last) {
		ret_parts[n++] = (struct fd_range){ first, last };
		return n;
	}
	if (fd > first)
		ret_parts[n++] = (struct fd_range){ first, fd - 1 };
	if (fd < last)
		ret_parts[n++] = (struct fd_range){ fd + 1, last };
	return n;
}

#endif /* DUNE_GUEST_RANGE_H */
