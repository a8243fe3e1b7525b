/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a CPU's bugs mean for guests, given the measures that the module reports (dune_abi.h). Pure.
 */
#ifndef DUNE_PROTO_BUGS_H
#define DUNE_PROTO_BUGS_H

#include <stdint.h>

struct dune_bug {
	const char *name; /* as in /proc/cpuinfo; NULL: a bit without a name */
	const char *state; /* mitigated, not_affected, as_process, vulnerable, unknown */
	const char *how; /* for people */
};

/* About one bit of DUNE_BUG_*, by number. All text is static. */
struct dune_bug dune_bug_describe(unsigned int bit, uint64_t measures);

#endif
