// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_info: the module's allocation counters; --zero: fails unless all are zero; --entries: VM
 * entries of all contexts that ever were.
 */
#include "raw.h"

static void print_entries(int device)
{
	struct dune_totals totals = {};
	struct dune_totals_call call = { .abi = DUNE_ABI_VERSION, .buffer = (uint64_t)&totals };

	if (ioctl(device, DUNE_TOTALS, &call))
		raw_die("DUNE_TOTALS: %m");
	printf("%llu\n", totals.counters[DUNE_COUNT_ENTRIES]);
}

int main(int argc, char **argv)
{
	int device = raw_device();
	struct dune_info info = raw_info(device);
	uint64_t sum = info.contexts + info.vcpus + info.ept_pages + info.private_pages +
		       info.run_pages + info.vmcs_pages + info.assertions;

	if (argc > 1 && !strcmp(argv[1], "--entries")) {
		print_entries(device);
		return 0;
	}
	printf("features %#llx contexts %llu vcpus %llu ept_pages %llu private_pages %llu run_pages %llu vmcs_pages %llu "
	       "created %llu refused %llu assertions %llu\n",
	       info.features, info.contexts, info.vcpus, info.ept_pages, info.private_pages,
	       info.run_pages, info.vmcs_pages, info.created, info.refused, info.assertions);
	printf("vmx_holder %llu\n", info.vmx_holder);
	return argc > 1 && !strcmp(argv[1], "--zero") && sum;
}
