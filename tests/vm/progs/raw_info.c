// SPDX-License-Identifier: LGPL-2.1-or-later
/* raw_info: the module's allocation counters; raw_info --zero: fails unless all are zero. */
#include "raw.h"

int main(int argc, char **argv)
{
	struct dune_info info = raw_info(raw_device());
	uint64_t sum = info.contexts + info.vcpus + info.ept_pages + info.private_pages +
		       info.run_pages + info.vmcs_pages + info.assertions;

	printf("features %#llx contexts %llu vcpus %llu ept_pages %llu private_pages %llu run_pages %llu vmcs_pages %llu "
	       "created %llu refused %llu assertions %llu\n",
	       info.features, info.contexts, info.vcpus, info.ept_pages, info.private_pages,
	       info.run_pages, info.vmcs_pages, info.created, info.refused, info.assertions);
	return argc > 1 && sum;
}
