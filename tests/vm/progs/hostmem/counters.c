// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rows: what the context's own hypercall tells of its counters is what the module tells the service.
 */
#include "tests/vm/progs/hostmem/hostmem.h"

static long counter(unsigned long index)
{
	long value;

	__asm__ volatile("vmcall"
			 : "=a"(value)
			 : "c"((unsigned long)DUNE_HC_STAT), "D"(index)
			 : "memory");
	return value;
}

static const struct {
	unsigned int index;
	int used; /* a context that has come this far has some */
} counters[] = {
	{ DUNE_COUNT_ENTRIES, 1 },   { DUNE_COUNT_EXITS, 1 },	    { DUNE_COUNT_RUNS, 1 },
	{ DUNE_COUNT_SYSCALLS, 1 },  { DUNE_COUNT_HYPERCALLS, 1 },  { DUNE_COUNT_EPT_FILLS, 1 },
	{ DUNE_COUNT_EPT_ZAPS, 1 },  { DUNE_COUNT_EPT_RETRIES, 0 }, { DUNE_COUNT_EPT_LARGE, 0 },
	{ DUNE_COUNT_IPIS, 0 },	     { DUNE_COUNT_LIMIT_HITS, 0 },  { DUNE_COUNT_UNKNOWN_CALLS, 1 },
	{ DUNE_COUNT_VCPUS_NOW, 1 }, { DUNE_COUNT_PRIVATE_NOW, 1 }, { DUNE_COUNT_EPT_NOW, 1 },
	{ DUNE_COUNT_SLOTS_NOW, 1 },
};

static void row_counters(void)
{
	region_map(&mem, SMALL);
	region_write(&mem);
	region_unmap(&mem);
	syscall(9999);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		unsigned int index = counters[i].index;
		long before = counter(index), told = stat_of(index), after = counter(index);

		if (before > told || told > after || (counters[i].used && !before))
			row_fail("counter %u: %ld, the service is told %ld, then %ld", index,
				 before, told, after);
	}
	if (counter(DUNE_NR_COUNTERS) != -EINVAL || counter(~0ul) != -EINVAL)
		row_fail("a counter that does not exist");
}

const struct row counter_rows[] = {
	{ "counters", row_counters },
	{},
};
